"""Smart select by SAM, Segment Anything (Kirillov et al. 2023, arXiv:2304.02643), where its weights are installed.

Nothing is fetched here, no pickle is opened, and no code of the folder is run. ``torch`` is imported once the files are
known to be there.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from overpaint.errors import ImageError, ModelError
from overpaint.maps.selecting import Point, select
from overpaint.maps.toolbox import Tool
from overpaint.picture import Picture, Pixels
from overpaint.weights import find_weights, read_json

SAM = "facebook/sam-vit-base"
_CONFIGS = ("config.json", "preprocessor_config.json")


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
    return select(picture, points, keep=keep, method=lambda *what: _loaded(_folder_of(model))(*what))


class Sam:
    """A loaded SAM on the CPU, in float32: a ``Finder`` for ``select``."""

    def __init__(self, network: Any, processor: Any) -> None:
        self._network = network
        self._processor = processor
        self._seen: tuple[str, Any] | None = None  # the newest picture's embedding: nearly all of the work

    @classmethod
    def load(cls, model: str | Path = SAM) -> "Sam":
        """Load a folder, or a hub id in the local cache."""
        folder = _folder_of(model)
        kind = read_json(folder / "config.json").get("model_type")
        if kind != "sam":
            raise ModelError(f"{folder} is no SAM: its config.json has the model_type {kind!r:.80}, must be 'sam'")
        read_json(folder / "preprocessor_config.json")
        find_weights(folder, "model")
        try:
            return cls(*_read(folder))
        except ModelError:
            raise
        except Exception as e:  # the folder decides what the library does, and so what it raises
            raise ModelError(f"{folder} cannot be loaded: {' '.join(str(e).split()):.400}") from e

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


def _folder_of(model: str | Path) -> Path:
    """The folder of a model whose files are all on this machine."""
    path, hub_id = Path(os.path.expanduser(model)).resolve(), str(model)
    is_id = hub_id.count("/") == 1 and not hub_id.startswith((".", "/", "~"))
    wanted = (*_CONFIGS, "model.safetensors")
    how = f"`hf download {hub_id if is_id else SAM} {' '.join(wanted)}` fetches it"
    if not path.is_dir():
        if not is_id:
            raise ModelError(f"{model}: no such folder, and not a hub id like {SAM}; {how}")
        path = _cached(hub_id, how)
    if missing := [name for name in _CONFIGS if not (path / name).is_file()]:
        raise ModelError(f"{path} is not a whole SAM folder: missing {', '.join(missing)}; {how}")
    if not any(path.glob("*.safetensors")):
        raise ModelError(f"{path} has no .safetensors weights, and nothing else is read; {how}")
    return path


def _cached(hub_id: str, how: str) -> Path:
    import huggingface_hub as hub  # a second to import, and only hub ids need it

    try:
        return Path(hub.snapshot_download(hub_id, local_files_only=True))
    except Exception as e:  # the hub's own tree of errors
        raise ModelError(f"{hub_id}: no such folder, and not in the local cache of hub models; {how}") from e


def _read(folder: Path) -> tuple[Any, Any]:
    """(network, processor), complete and in memory of their own."""
    import torch
    from transformers import SamImageProcessorPil, SamModel, SamProcessor

    from overpaint.model_loading import check_complete, check_finite, quiet_libraries, settle

    with quiet_libraries():
        network, info = SamModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # refused below, in our words
            output_loading_info=True,
            dtype=torch.float32,
        )
        # not AutoImageProcessor, which takes another one, with other pixels, where torchvision is installed
        processor = SamProcessor(SamImageProcessorPil.from_pretrained(folder, local_files_only=True))
    check_complete(folder, info)
    seen, shown = network.config.vision_config.image_size, processor.image_processor.pad_size
    if {seen} != {processor.target_size, shown["height"], shown["width"]}:
        raise ModelError(
            f"{folder} cannot be loaded: preprocessor_config.json makes no pictures of {seen} pixels a side"
        )
    settle(network, torch.device("cpu"))
    check_finite(folder, network)
    return network, processor
