"""Whether a picture shows what a prompt says, by CLIP (Radford et al. 2021, arXiv:2103.00020), where it is installed.

No pickle is opened, no code of the folder is run, and the network is used only where it is asked for. ``torch`` is
imported once the files are known to be there.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from overpaint.decode import Source, load
from overpaint.errors import ImageError, ModelError, ParameterError
from overpaint.picture import Picture
from overpaint.weights import find_weights, read_json

# not openai/clip-vit-base-patch32: its main revision has its weights as pickles only
CLIP = "openai/clip-vit-large-patch14"
_CONFIGS = ("config.json", "preprocessor_config.json")
_WORDS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt")
_WANTED = (*_CONFIGS, "tokenizer.json", "model.safetensors")
_NARROWEST = 32  # times as long as wide: CLIP sees the square in the middle


def clip_score(picture: Source, prompt: str, model: str | Path = CLIP, *, download: bool = False) -> float:
    """How well a picture fits a prompt: max(100 cos, 0), cos between their embeddings.

    That is the number that torchmetrics gives for the same model. Hessel et al. 2021 (arXiv:2104.08718, eq. 1) call 2.5
    max(cos, 0) CLIPScore. It compares pictures for one prompt and one model, and no more: unrelated ones have about 15,
    fitting ones about 25 to 35.

    Args:
        picture: anything that ``overpaint.images.load`` takes; CLIP sees the square in its middle.
        prompt: what it should show; words beyond CLIP's 77 tokens are left out.
        model: a folder as transformers saves a ``CLIPModel`` with its processor, or a hub id in the local cache.
        download: whether a hub id that is not in the cache may be fetched.

    Raises:
        ModelError: the weights are not there (saying how to get them), or cannot be used.
        ImageError: the picture cannot be read, or is too narrow.
        ParameterError: an empty prompt.
    """
    if not prompt.strip():
        raise ParameterError("prompt", "is empty, must say what the picture should show")
    return _loaded(_folder_of(model, download))(load(picture), prompt)


class Clip:
    """A loaded CLIP on the CPU, in float32."""

    def __init__(self, network: Any, processor: Any, tokenizer: Any) -> None:
        self._network = network
        self._processor = processor
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path) -> "Clip":
        """Load a folder whose files are all there."""
        kind = read_json(folder / "config.json").get("model_type")
        if kind != "clip":
            raise ModelError(f"{folder} is no CLIP: its config.json has the model_type {kind!r:.80}, must be 'clip'")
        read_json(folder / "preprocessor_config.json")
        find_weights(folder, "model")
        try:
            return cls(*_read(folder))
        except ModelError:
            raise
        except Exception as e:  # the folder decides what the library does, and so what it raises
            raise ModelError(f"{folder} cannot be loaded: {' '.join(str(e).split()):.400}") from e

    def __call__(self, picture: Picture, prompt: str) -> float:
        """``clip_score``."""
        import torch

        if max(picture.size) > _NARROWEST * min(picture.size):
            raise ImageError("the picture is {} x {}: too narrow for CLIP, which sees a square".format(*picture.size))
        shown = self._processor(
            (picture.flat() * 255 + 0.5).astype(np.uint8),
            input_data_format="channels_last",  # 3 rows or columns would be taken for colours
            return_tensors="pt",
        )
        most = self._network.config.text_config.max_position_embeddings
        told = self._tokenizer([prompt], truncation=True, max_length=most, return_tensors="pt")
        with torch.inference_mode():
            out = self._network(
                pixel_values=shown["pixel_values"],  # [1, 3, side, side]
                input_ids=told["input_ids"],  # [1, tokens]
                attention_mask=told["attention_mask"],
            )
        cos = (out.image_embeds * out.text_embeds).sum()  # both [1, width], of length 1
        if not bool(cos.isfinite()):
            raise ModelError("CLIP's numbers are not finite: its weights are damaged")
        return max(100 * float(cos), 0.0)


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> Clip:
    return Clip.load(folder)


# ---- the folder ------------------------------------------------------------------------------------------------------


def _folder_of(model: str | Path, download: bool) -> Path:
    """The folder of a model whose files are all on this machine."""
    path, hub_id = Path(os.path.expanduser(model)).resolve(), str(model)
    is_id = hub_id.count("/") == 1 and not hub_id.startswith((".", "/", "~"))
    how = f"`hf download {hub_id if is_id else CLIP} {' '.join(_WANTED)}` fetches it"
    if not path.is_dir():
        if not is_id:
            raise ModelError(f"{model}: no such folder, and not a hub id like {CLIP}; {how}")
        path = _from_hub(hub_id, download, how)
    missing = [name for name in _CONFIGS if not (path / name).is_file()]
    if not (path / "tokenizer.json").is_file() and not (path / "vocab.json").is_file():
        missing.append("tokenizer.json")
    if missing:
        raise ModelError(f"{path} is not a whole CLIP folder: missing {', '.join(missing)}; {how}")
    if not any(path.glob("*.safetensors")):
        raise ModelError(f"{path} has no .safetensors weights, and nothing else is read; {how}")
    return path


def _from_hub(hub_id: str, download: bool, how: str) -> Path:
    import huggingface_hub as hub  # a second to import, and only hub ids need it

    wanted = [*_CONFIGS, *_WORDS, "model*.safetensors", "model.safetensors.index.json"]
    try:
        return Path(hub.snapshot_download(hub_id, local_files_only=not download, allow_patterns=wanted))
    except Exception as e:  # the hub's own tree of errors, and every network error below it
        if download:
            raise ModelError(f"{hub_id} could not be downloaded: {e}") from e
        raise ModelError(f"{hub_id}: no such folder, and not in the local cache of hub models; {how}") from e


def _read(folder: Path) -> tuple[Any, Any, Any]:
    """(network, image processor, tokenizer), complete and in memory of their own."""
    import torch
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    from overpaint.model_loading import check_complete, check_finite, quiet_libraries, settle

    with quiet_libraries():
        network, info = CLIPModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # refused below, in our words
            output_loading_info=True,
            dtype=torch.float32,
        )
        # not CLIPProcessor, which takes another image processor, with other pixels, where torchvision is installed
        processor = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    check_complete(folder, info)
    words, side = network.config.text_config.vocab_size, network.config.vision_config.image_size
    if len(tokenizer) > words:
        raise ModelError(f"{folder}: the tokenizer has {len(tokenizer)} words, the network {words}")
    if {side} != {processor.crop_size["height"], processor.crop_size["width"]}:
        raise ModelError(f"{folder} cannot be loaded: preprocessor_config.json makes no pictures of {side} pixels")
    settle(network, torch.device("cpu"))
    check_finite(folder, network)
    return network, processor, tokenizer
