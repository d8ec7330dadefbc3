"""A caption of any picture by BLIP (Li et al. 2022, arXiv:2201.12086), where its weights are installed."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from overpaint.decode import Source, load
from overpaint.errors import ImageError
from overpaint.model_seer import CONFIGS, Kind, check_sides, check_words, read_network, read_processor
from overpaint.picture import Picture

BLIP = "Salesforce/blip-image-captioning-base"
_WORDS = ("tokenizer.json", "vocab.txt", "special_tokens_map.json")
KIND = Kind("BLIP", "blip", BLIP, (*CONFIGS, "tokenizer_config.json"), _WORDS)
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
    return _loaded(KIND.folder_of(model, download))(load(picture))


class Blip:
    """A loaded BLIP on the CPU, in float32."""

    def __init__(self, network: Any, processor: Any, tokenizer: Any) -> None:
        self._network = network
        self._processor = processor
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path) -> "Blip":
        """Load a folder whose files are all there."""
        return KIND.read(folder, lambda folder: cls(*_read(folder)))

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


def _read(folder: Path) -> tuple[Any, Any, Any]:
    """(network, image processor, tokenizer)"""
    from transformers import BertTokenizerFast, BlipForConditionalGeneration, BlipImageProcessorPil

    network = read_network(BlipForConditionalGeneration, folder)
    processor, tokenizer = read_processor(BlipImageProcessorPil, folder), read_processor(BertTokenizerFast, folder)
    check_words(folder, tokenizer, network)
    check_sides(folder, network, processor.size["height"], processor.size["width"])
    return network, processor, tokenizer
