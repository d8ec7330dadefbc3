"""Many edits of one picture to choose from: strengths against the values of another parameter, and what each kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from overpaint.fidelity import Fidelity, compare
from overpaint.fields import parse_margins
from overpaint.picture import Picture, fit
from overpaint.result import EditResult

if TYPE_CHECKING:
    from PIL import Image

PANEL = 320  # pixels: the width of a result on a sheet
_CURVES_HEIGHT = 300
_CURVES = {"structure": "structure", "edges": "edges", "ssim": "SSIM", "detail": "fine detail"}  # and their names


@dataclass(frozen=True, eq=False)
class Sweep(Sequence[EditResult]):
    """The results of a sweep, row by row; each row has all strengths at one value of the other parameter.

    Attributes:
        picture: what was edited.
        strengths: those of every row, from left to right.
        by: the parameter that differs from row to row; None where there is one row.
        results: the edits, row after row.
        starts: what the edits start from: the picture noised to each strength, and decoded.
    """

    picture: Picture
    strengths: tuple[float, ...]
    by: str | None
    results: tuple[EditResult, ...]
    starts: tuple[EditResult, ...] = ()

    @overload
    def __getitem__(self, place: int) -> EditResult: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[EditResult]: ...
    def __getitem__(self, place: int | slice) -> EditResult | Sequence[EditResult]:
        return self.results[place]

    def __len__(self) -> int:
        return len(self.results)

    @property
    def rows(self) -> Iterator[Sequence[EditResult]]:
        """The results at every strength, for each value of the other parameter."""
        for first in range(0, len(self.results), len(self.strengths)):
            yield self.results[first : first + len(self.strengths)]

    def value_of(self, result: EditResult) -> Any:
        """What the other parameter was in a result."""
        return None if self.by is None else getattr(result.params, self.by)

    @cached_property
    def fidelity(self) -> tuple[Fidelity | None, ...]:
        """What each result kept of the picture; None where it has another shape, as with ``extend``."""
        return tuple(fidelity_of(result, self.picture) for result in self.results)

    def curves(self) -> dict[str, "np.ndarray[Any, np.dtype[np.float64]]"]:
        """What was kept by each measure, [rows, strengths] in -1..1; nothing where it cannot be told."""
        told = [f for f in self.fidelity if f is not None]
        if len(told) < len(self.results):
            return {}
        shape = (-1, len(self.strengths))
        return {label: np.reshape([getattr(f, name) for f in told], shape) for name, label in _CURVES.items()}

    def sheet(self, width: int = PANEL) -> "Image.Image":
        """All of it as one picture: what the edits start from, the results, and below them the curves."""
        from overpaint.plot import curves
        from overpaint.sheet import Panel, sheet, stacked

        rows = [[Panel(r.image, _strength(r), f"{r.signal:.0%} of the picture left") for r in self.starts]]
        kept = iter(self.fidelity)
        for row in self.rows:
            rows.append([Panel(r.image, self._title(r), _kept(next(kept))) for r in row])
        page = sheet(rows, width)
        lines = self.curves()
        if not lines or len(self.strengths) < 2:
            return page
        title = "how much of the picture is kept" + (": mean of the rows, and their range" if self.by else "")
        return stacked([page, curves(self.strengths, lines, "strength", title, page.width, _CURVES_HEIGHT)])

    def _title(self, result: EditResult) -> str:
        value = self.value_of(result)
        if self.by is None:
            return "edited from there" if self.starts else _strength(result)
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        shown = shown if self.by == "prompt" else f"{self.by.replace('_', ' ')} {shown}"
        return shown if self.starts else f"{shown}, {_strength(result)}"


def fidelity_of(result: EditResult, picture: Picture) -> Fidelity | None:
    """What an edit kept of its picture, both at the size of the result; None if the picture was made to grow."""
    if any(parse_margins(result.params.extend)):
        return None
    own = fit(picture, result.pixels.shape[1::-1], result.params.fit)
    return compare(own, Picture.of(result.pixels))


def _strength(result: EditResult) -> str:
    return f"strength {result.params.strength:g}"


def _kept(fidelity: Fidelity | None) -> str:
    if fidelity is None:
        return ""
    return f"keeps structure {fidelity.structure:.2f}, SSIM {fidelity.ssim:.2f}, fine detail {fidelity.detail:.2f}"
