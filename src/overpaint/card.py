"""The card of a model: what its folder's ``overpaint.toml`` says of it, or sensible defaults.

name = "..."                  licence = "..."             domain = "what it was trained on"
native_size = 512             # pixels: the side of its square bucket
size_multiple = 64            # working sizes are multiples of this
buckets = ["512x512", ...]    # aspect buckets; left out: made from native_size
largest_area = 1048576        # pixels: a larger picture is worked in windows; left out: four largest buckets
guidance_rescale = 0.0        # Lin et al. 2023 (arXiv:2305.08891), section 3.4
bfloat16_psnr = 50.0          # dB, of edits in bfloat16 against float32, as `overpaint precision` measures it

[defaults]                    # any of MAY_DEFAULT, below
guidance_scale = 3.0
[presets.scene]               # the same, for one preset
strength = 0.55
range = [0.4, 0.6]            # of strengths that work
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overpaint.errors import ModelError, ParameterError
from overpaint.fields import parse_size
from overpaint.params import EditParams

CARD_FILE = "overpaint.toml"
MAY_DEFAULT = {
    "negative_prompt",
    "strength",
    "steps",
    "guidance_scale",
    "sampler",
    "schedule",
    "detail",
    "fill",
    "match",
}
LARGEST = 4  # areas of the largest bucket, twice its sides: beyond that a network paints the same thing over and over
_ASPECTS = ((1, 1), (5, 4), (4, 3), (3, 2), (16, 9), (2, 1), (5, 2))


@dataclass(frozen=True)
class Card:
    """What is known of a model beside its weights.

    Attributes:
        native_size: side in pixels of its square working size.
        size_multiple: working sizes are multiples of this many pixels.
        buckets: (width, height) working sizes, of about equal area.
        largest_area: pixels that the network is shown at once, at most; a larger picture is worked in windows.
        guidance_rescale: in [0, 1], 0 is off.
        bfloat16_psnr: dB of bfloat16 against float32; 0 where nobody measured it.
        defaults: recommended values of ``EditParams`` fields.
        presets: the same for one preset, and its ``range`` of strengths that work, (lowest, highest).
    """

    name: str
    native_size: int = 512
    size_multiple: int = 64
    buckets: tuple[tuple[int, int], ...] = ()
    largest_area: int = 0
    guidance_rescale: float = 0.0
    bfloat16_psnr: float = 0.0
    domain: str = "not stated"
    licence: str = "not stated"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.size_multiple <= self.native_size:
            raise ValueError(
                f"native_size {self.native_size} must be at least size_multiple {self.size_multiple}, and 1"
            )
        if not 0 <= self.guidance_rescale <= 1 or any(min(b) < 1 for b in self.buckets):
            raise ValueError("guidance_rescale must be from 0 to 1, and every bucket at least 1x1")
        if not self.bfloat16_psnr >= 0:  # not a number is none
            raise ValueError(f"bfloat16_psnr is {self.bfloat16_psnr}, must be 0 or more")
        if not self.buckets:
            object.__setattr__(self, "buckets", make_buckets(self.native_size, self.size_multiple))
        most = max(w * h for w, h in self.buckets)
        if not self.largest_area:
            object.__setattr__(self, "largest_area", LARGEST * most)
        if self.largest_area < max(most, self.native_size**2):
            raise ValueError(f"largest_area is {self.largest_area}, must hold native_size squared and every bucket")

    def bucket_for(self, width: int, height: int) -> tuple[int, int]:
        """The bucket whose shape is nearest to that of a picture."""
        return min(self.buckets, key=lambda b: (abs(b[0] * height - b[1] * width) / (b[0] * height + b[1] * width), b))


def make_buckets(native: int, multiple: int) -> tuple[tuple[int, int], ...]:
    """Working sizes of about ``native`` squared pixels, square to 5:2, lying and standing."""
    sizes = set()
    for a, b in _ASPECTS:
        w = round(native * (a / b) ** 0.5 / multiple) * multiple
        h = round(native * (b / a) ** 0.5 / multiple) * multiple
        sizes |= {(w, h), (h, w)}
    return tuple(sorted(sizes))


def read_card(folder: Path, **guessed: Any) -> Card:
    """The card of a model folder; ``guessed`` is used where the card is silent or there is none."""
    path = folder / CARD_FILE
    stated: dict[str, Any] = {}
    if path.is_file():
        try:
            stated = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
            raise ModelError(f"{path} cannot be read as a card: {e}") from e
    values = {**guessed, **stated}
    try:
        if "buckets" in values:
            values["buckets"] = tuple(parse_size(b) for b in values["buckets"])
        card = Card(**values)
        _check_defaults(card.defaults)
        for name, entry in card.presets.items():
            EditParams(preset=name)  # type: ignore[arg-type]  # is there one of this name?
            _check_defaults({key: value for key, value in entry.items() if key != "range"})
            _check_range(entry)
    except (TypeError, ValueError, AttributeError) as e:
        raise ModelError(f"{path} is not a card that can be used: {e}") from e
    return card


def _check_defaults(values: Mapping[str, Any]) -> None:
    unknown = set(values) - MAY_DEFAULT
    if unknown:
        raise ParameterError(min(unknown), f"cannot be set by a card; known are {', '.join(sorted(MAY_DEFAULT))}")
    EditParams(**values)


def _check_range(entry: Mapping[str, Any]) -> None:
    low, high = entry.get("range", (0, 1))
    strength = entry.get("strength", low)
    if not 0 <= low <= strength <= high <= 1:
        raise ValueError(f"the range {low} to {high} must lie between 0 and 1 and hold the strength {strength}")
