"""Whether a picture shows what a prompt says, by CLIP (Radford et al. 2021, arXiv:2103.00020), if it is installed."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from overpaint.decode import Source, load
from overpaint.errors import ImageError, ModelError, ParameterError
from overpaint.model_seer import Kind, check_sides, check_words, read_network, read_processor
from overpaint.picture import Picture

# not openai/clip-vit-base-patch32: its main revision has its weights as pickles only
CLIP = "openai/clip-vit-large-patch14"
_WORDS = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json")
KIND = Kind("CLIP", "clip", CLIP, words=_WORDS)
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
    return _loaded(KIND.folder_of(model, download))(load(picture), prompt)


class Clip:
    """A loaded CLIP on the CPU, in float32."""

    def __init__(self, network: Any, processor: Any, tokenizer: Any) -> None:
        self._network = network
        self._processor = processor
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path) -> "Clip":
        """Load a folder whose files are all there."""
        return KIND.read(folder, lambda folder: cls(*_read(folder)))

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


def _read(folder: Path) -> tuple[Any, Any, Any]:
    """(network, image processor, tokenizer)"""
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    network = read_network(CLIPModel, folder)
    processor, tokenizer = read_processor(CLIPImageProcessorPil, folder), read_processor(CLIPTokenizer, folder)
    check_words(folder, tokenizer, network)
    check_sides(folder, network, processor.crop_size["height"], processor.crop_size["width"])
    return network, processor, tokenizer
