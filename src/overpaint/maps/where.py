"""Where an edit changes the picture, and how much: change map and layers, down to single pixels and latent cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from overpaint.maps.blend import opacity
from overpaint.maps.changemap import MapSource, is_hard, load_map
from overpaint.maps.release import Grid
from overpaint.params import FitName
from overpaint.picture import Pixels, fit_pixels


@dataclass(frozen=True)
class Maps:
    """The change map and those of the layers, each float32 [h, w] in 0..1, of one size.

    ``change`` is None where everything may change.
    """

    change: Pixels | None
    layers: tuple[Pixels, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, change_map: MapSource | None, layers: Sequence[MapSource], size: tuple[int, int]) -> "Maps | None":
        """Read for a picture of ``size`` (width, height); None if there are none."""
        if change_map is None and not layers:
            return None
        notes: list[str] = []

        def whole(source: MapSource, name: str) -> Pixels:
            m, more = load_map(source, size, name=name)
            notes.extend(more)
            return m

        change = None if change_map is None else whole(change_map, "change_map")
        read = tuple(whole(layer, f"layer {i}") for i, layer in enumerate(layers, 1))
        return cls(change, read, tuple(notes))

    @property
    def all(self) -> tuple[Pixels, ...]:
        return self.layers if self.change is None else (self.change, *self.layers)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        h, w = self.all[0].shape
        return w, h

    def fit(self, size: tuple[int, int], how: FitName) -> "Maps":
        """Brought to ``size`` as the picture is; masks stay masks."""
        if self.size == size:
            return self

        def fitted(m: Pixels) -> Pixels:
            y = fit_pixels(m[..., None], size, how)[..., 0]
            return (y >= 0.5).astype(np.float32) if is_hard(m) else y

        return self._each(fitted)

    def touched(self, strengths: Sequence[float]) -> Pixels:
        """Where anything may change, bool [h, w]; ``strengths``: the edit's own, then the layers'."""
        own, *rest = strengths
        touched = np.zeros(self.size[::-1], bool)
        for m, strength in zip(self.layers, rest, strict=True):
            if strength > 0:
                touched |= m > 0
        if own > 0:
            touched |= sum(self.layers, np.zeros((1, 1), np.float32)) < 1
        return touched if self.change is None else touched & (self.change > 0)

    def crop(self, rows: slice, columns: slice) -> "Maps":
        """A part of them."""
        return self._each(lambda m: m[rows, columns])

    def grow(self, margins: tuple[int, int, int, int], new: Pixels) -> "Maps":
        """For a picture that was grown: what is new is ``new`` [h, w], layers go on as they end at its edge."""
        left, top, right, bottom = margins
        around = ((top, bottom), (left, right))
        change = new if self.change is None else np.maximum(np.pad(self.change, around), new)
        return replace(self, change=change, layers=tuple(np.pad(m, around, mode="edge") for m in self.layers))

    def _each(self, make: Callable[[Pixels], Pixels]) -> "Maps":
        change = None if self.change is None else make(self.change)
        return replace(self, change=change, layers=tuple(make(m) for m in self.layers))


@dataclass(frozen=True)
class Where:
    """What maps and layers come to.

    Attributes:
        relative: the strength of each pixel as a share of ``factor``, float32 [h, w] in 0..1.
        factor: the edit's strength, or 1 where layers have strengths of their own.
        marked: what is changed, as a map: the change map, less what has a strength of 0, float32 [h, w].
        opacity: how much of the edit is seen in each pixel, float32 [h, w]; 0 is the original's own number.
        weights: of the edit's own prompt and then the layers', float32 [h, w] each; they sum to 1 everywhere.
    """

    relative: Pixels
    factor: float
    marked: Pixels
    opacity: Pixels
    weights: tuple[Pixels, ...]

    @classmethod
    def of(cls, maps: Maps, strengths: Sequence[float], blend: int) -> "Where":
        """From the maps, the edit's own strength and then those of the layers, and the width of a mask's blend.

        With layers m_1.. of strengths s_1.. the edit's own is layer 0, with m_0 = max(0, 1 - sum m_i); a pixel's
        strength is ``sum m_i s_i / sum m_i``, times the change map.
        """
        h, w = maps.all[0].shape
        one = np.broadcast_to(np.float32(1), (h, w))
        m = one if maps.change is None else maps.change
        if len(set(strengths)) == 1:
            factor, relative = strengths[0], m
            marked = m if factor > 0 else np.zeros_like(m)
            return cls(relative, factor, marked, opacity(marked, blend), _weights(maps.layers, one))
        weights = _weights(maps.layers, one)
        both = list(zip(weights, strengths, strict=True))
        mixed = sum((share * np.float32(s) for share, s in both), np.zeros_like(m)) * m
        marked = sum((share for share, s in both if s > 0), np.zeros_like(m)) * m
        return cls(mixed, 1.0, marked, opacity(marked, blend), weights)

    @property
    def top(self) -> float:
        """The largest strength: that of the grid of levels."""
        return self._strength(self.relative.max())

    @property
    def unseen(self) -> Pixels:
        """Where the strength is 1, so that the original has no say, bool [h, w]."""
        return self.relative > 1 - 1e-6 if self.factor == 1 else np.zeros(self.relative.shape, bool)

    def strengths_of_cells(self, grid: Grid) -> Pixels:
        """The largest strength in each latent cell, float64 [rows, columns]."""
        values, place = np.unique(grid.most(self.relative), return_inverse=True)
        return np.array([self._strength(v) for v in values])[place].reshape(place.shape)

    def _strength(self, share: np.floating[Any]) -> float:
        """As decimals, as both were written: .35 of .73 is .2555, and a map of m is the number s*m."""
        return min(float(Decimal(str(self.factor)) * Decimal(str(share))), 1.0)

    @property
    def is_hard(self) -> bool:
        """Whether the map is a mask, of one strength."""
        return is_hard(self.marked)

    @property
    def is_number(self) -> bool:
        """Whether it all comes to one strength everywhere, and all of the edit is seen."""
        return bool(self.relative.min() == self.relative.max() and self.opacity.min() == 1)

    def weights_of_cells(self, grid: Grid) -> list[Pixels | None]:
        """For each prompt its weight in each latent cell, [rows, columns]; None where one prompt is all there is.

        A prompt that counts nowhere gets zeros.
        """
        cells = [grid.mean(w) for w in self.weights]
        total = sum(cells)
        cells = [c / total for c in cells]
        alone = [i for i, c in enumerate(cells) if c.any()]
        if len(alone) == 1:
            return [None if i == alone[0] else np.zeros_like(c) for i, c in enumerate(cells)]
        return list(cells)


def _weights(layers: Sequence[Pixels], one: Pixels) -> tuple[Pixels, ...]:
    """The share of the edit's own prompt and of each layer, [h, w] each."""
    if not layers:
        return (one,)
    total = sum(layers, np.zeros_like(one))
    own = np.maximum(np.float32(0), 1 - total)
    return tuple(share / np.maximum(total, 1) for share in (own, *layers))
