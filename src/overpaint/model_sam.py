"""Smart select by SAM, Segment Anything (Kirillov et al. 2023, arXiv:2304.02643), where its weights are installed."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from overpaint.errors import ImageError, ModelError
from overpaint.maps.selecting import Point, select
from overpaint.maps.toolbox import Tool
from overpaint.model_seer import Kind, check_sides, read_network, read_processor
from overpaint.picture import Picture, Pixels

SAM = "facebook/sam-vit-base"
KIND = Kind("SAM", "sam", SAM)


def select_by_sam(
    picture: Picture, points: Sequence[Point], keep: Sequence[Point] = (), model: str | Path = SAM
) -> Pixels:
    """Select what the points lie on, as ``overpaint.maps.selecting`` does, found by SAM.

    The newest model stays loaded, so that the next click is answered sooner.

    Args:
        points: (x, y) in pixels of the upright picture; at least one.
        keep: points that are not part of it.
        model: a folder as transformers saves a ``SamModel``, or a hub id in the local cache.

    Returns:
        float32 [h, w] of 0 and 1: 1 is selected.

    Raises:
        ModelError: the weights are not there (saying how to get them), or cannot be used.
        ParameterError: a point outside the picture, none at all, one that is to be both.
    """
    return select(picture, points, keep=keep, method=lambda *what: _loaded(KIND.folder_of(model))(*what))


class Sam:
    """A loaded SAM on the CPU, in float32: a ``Finder`` for ``select``."""

    def __init__(self, network: Any, processor: Any) -> None:
        self._network = network
        self._processor = processor
        self._seen: tuple[str, Any] | None = None  # the newest picture's embedding: nearly all of the work

    @classmethod
    def load(cls, model: str | Path = SAM) -> "Sam":
        """Load a folder, or a hub id in the local cache."""
        return KIND.read(KIND.folder_of(model), lambda folder: cls(*_read(folder)))

    def __call__(self, picture: Picture, points: Sequence[Point], keep: Sequence[Point]) -> Pixels:
        """bool [h, w]: the best, by its own judgement, of the masks that SAM proposes."""
        import torch

        longest = self._processor.target_size
        if min(picture.size) * longest < 0.5 * max(picture.size):
            w, h = picture.size
            raise ImageError(
                f"the picture is {w} x {h}: too narrow for SAM, which sees it with {longest} pixels a side"
            )
        told = self._processor(
            images=(picture.flat() * 255 + 0.5).astype(np.uint8),
            input_points=[[[float(x), float(y)] for x, y in (*points, *keep)]],
            input_labels=[[1] * len(points) + [0] * len(keep)],
            input_data_format="channels_last",  # 3 rows or columns would be taken for colours
            return_tensors="pt",
        )
        with torch.inference_mode():
            if self._seen is None or self._seen[0] != picture.digest:
                self._seen = picture.digest, self._network.get_image_embeddings(told["pixel_values"])
            out = self._network(
                image_embeddings=self._seen[1], input_points=told["input_points"], input_labels=told["input_labels"]
            )
        scores = out.iou_scores[0, 0]  # [3]
        if not bool(scores.isfinite().all()) or not bool(out.pred_masks.isfinite().all()):
            raise ModelError("SAM's numbers are not finite: its weights are damaged")
        best = out.pred_masks[:, :, int(scores.argmax())][:, :, None]  # [1, 1, 1, h/4, w/4]
        sizes = told["original_sizes"], told["reshaped_input_sizes"]
        mask: Pixels = self._processor.post_process_masks(best, *sizes)[0][0, 0].numpy()
        return mask


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> Sam:
    return Sam.load(folder)


def _by_numbers(picture: Picture, *numbers: float) -> Pixels:
    return select_by_sam(picture, list(zip(numbers[::2], numbers[1::2], strict=True)))


# a map tool like those of ``toolbox.TOOLS``; it is not among them because maps know no models
SAM_TOOL = Tool(
    "sam:x,y[,x,y...]", f"What the points lie on, by SAM ({SAM}, if installed).", "maker", range(2, 129, 2), _by_numbers
)


def _read(folder: Path) -> tuple[Any, Any]:
    """(network, processor)"""
    from transformers import SamImageProcessorPil, SamModel, SamProcessor

    network = read_network(SamModel, folder)
    processor = SamProcessor(read_processor(SamImageProcessorPil, folder))
    shown = processor.image_processor.pad_size
    check_sides(folder, network, processor.target_size, shown["height"], shown["width"])
    return network, processor
