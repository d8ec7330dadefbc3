"""A caption of any picture by BLIP (Li et al. 2022, arXiv:2201.12086), where its weights are installed.

No pickle is opened, no code of the folder is run, and the network is used only where it is asked for. ``torch`` is
imported once the files are known to be there.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from overpaint.decode import Source, load
from overpaint.errors import ImageError, ModelError
from overpaint.picture import Picture
from overpaint.weights import find_weights, read_json

BLIP = "Salesforce/blip-image-captioning-base"
_CONFIGS = ("config.json", "preprocessor_config.json", "tokenizer_config.json")
_WORDS = ("tokenizer.json", "special_tokens_map.json", "vocab.txt")
_NARROWEST = 32  # times as long as wide: BLIP sees the whole picture, squeezed into a square
_LONGEST = 40  # tokens of a caption


def caption_by_blip(picture: Source, model: str | Path = BLIP, *, download: bool = False) -> str:
    """Say in a few words what is in a picture, by BLIP: likeliest words one after another, always the same.

    The newest model stays loaded.

    Args:
        picture: anything that ``overpaint.images.load`` takes.
        model: a folder as transformers saves a ``BlipForConditionalGeneration`` with its processor, or a hub id in the
            local cache.
        download: whether a hub id that is not in the cache may be fetched.

    Raises:
        ModelError: the weights are not there (saying how to get them), or cannot be used.
        ImageError: the picture cannot be read, or is too narrow.
    """
    return _loaded(_folder_of(model, download))(load(picture))


class Blip:
    """A loaded BLIP on the CPU, in float32."""

    def __init__(self, network: Any, processor: Any, tokenizer: Any) -> None:
        self._network = network
        self._processor = processor
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path) -> "Blip":
        """Load a folder whose files are all there."""
        kind = read_json(folder / "config.json").get("model_type")
        if kind != "blip":
            raise ModelError(f"{folder} is no BLIP: its config.json has the model_type {kind!r:.80}, must be 'blip'")
        read_json(folder / "preprocessor_config.json")
        find_weights(folder, "model")
        try:
            return cls(*_read(folder))
        except ModelError:
            raise
        except Exception as e:  # the folder decides what the library does, and so what it raises
            raise ModelError(f"{folder} cannot be loaded: {' '.join(str(e).split()):.400}") from e

    def __call__(self, picture: Picture) -> str:
        """``caption_by_blip``."""
        import torch

        if max(picture.size) > _NARROWEST * min(picture.size):
            raise ImageError("the picture is {} x {}: too narrow for BLIP, which sees a square".format(*picture.size))
        shown = self._processor(
            (picture.flat() * 255 + 0.5).astype(np.uint8),
            input_data_format="channels_last",  # 3 rows or columns would be taken for colours
            return_tensors="pt",
        )
        with torch.inference_mode():
            tokens = self._network.generate(
                pixel_values=shown["pixel_values"],  # [1, 3, side, side]
                max_new_tokens=_LONGEST,
                num_beams=1,
                do_sample=False,
            )  # [1, tokens]
        return " ".join(self._tokenizer.decode(tokens[0], skip_special_tokens=True).split())


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> Blip:
    return Blip.load(folder)


# ---- the folder ------------------------------------------------------------------------------------------------------


def _folder_of(model: str | Path, download: bool) -> Path:
    """The folder of a model whose files are all on this machine."""
    path, hub_id = Path(os.path.expanduser(model)).resolve(), str(model)
    is_id = hub_id.count("/") == 1 and not hub_id.startswith((".", "/", "~"))
    how = f"`hf download {hub_id if is_id else BLIP} {' '.join((*_CONFIGS, *_WORDS, 'model.safetensors'))}` fetches it"
    if not path.is_dir():
        if not is_id:
            raise ModelError(f"{model}: no such folder, and not a hub id like {BLIP}; {how}")
        path = _from_hub(hub_id, download, how)
    missing = [name for name in _CONFIGS if not (path / name).is_file()]
    if not (path / "tokenizer.json").is_file() and not (path / "vocab.txt").is_file():
        missing.append("tokenizer.json")
    if missing:
        raise ModelError(f"{path} is not a whole BLIP folder: missing {', '.join(missing)}; {how}")
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
    from transformers import BertTokenizerFast, BlipForConditionalGeneration, BlipImageProcessorPil

    from overpaint.model_loading import check_complete, check_finite, quiet_libraries, settle

    with quiet_libraries():
        network, info = BlipForConditionalGeneration.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # refused below, in our words
            output_loading_info=True,
            dtype=torch.float32,
        )
        # not BlipProcessor, which takes another image processor, with other pixels, where torchvision is installed
        processor = BlipImageProcessorPil.from_pretrained(folder, local_files_only=True)
        tokenizer = BertTokenizerFast.from_pretrained(folder, local_files_only=True)
    check_complete(folder, info)
    words, side = network.config.text_config.vocab_size, network.config.vision_config.image_size
    if len(tokenizer) > words:
        raise ModelError(f"{folder}: the tokenizer has {len(tokenizer)} words, the network {words}")
    if {side} != {processor.size["height"], processor.size["width"]}:
        raise ModelError(f"{folder} cannot be loaded: preprocessor_config.json makes no pictures of {side} pixels")
    settle(network, torch.device("cpu"))
    check_finite(folder, network)
    return network, processor, tokenizer
