"""Where an edit changes the picture, and how much: change map and layers, down to single pixels and latent cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from overpaint.maps.blend import opacity
from overpaint.maps.changemap import MapSource, is_hard, load_map
from overpaint.maps.release import Grid
from overpaint.params import FitName, ResolvedParams
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
        strength: the strength of each pixel, float64 [h, w] in 0..1.
        marked: the change map, or what the layers change of it, float32 [h, w].
        top: the largest strength: that of the grid of levels.
        opacity: how much of the edit is seen in each pixel, float32 [h, w]; 0 is the original's own number.
        weights: of the edit's own prompt and then the layers', float64 [h, w] each; they sum to 1 everywhere.
    """

    strength: Pixels
    marked: Pixels
    top: float
    opacity: Pixels
    weights: tuple[Pixels, ...]

    @classmethod
    def of(cls, maps: Maps, params: ResolvedParams, strengths: Sequence[float | None]) -> "Where":
        """From the maps, the edit's own strength, and those of the layers.

        A layer without a strength has the edit's own. With layers m_1.. of strengths s_1.. the edit's own is layer 0,
        with m_0 = max(0, 1 - sum m_i); a pixel's strength is ``sum m_i s_i / sum m_i``, times the change map.
        """
        m = np.ones(maps.size[::-1]) if maps.change is None else maps.change.astype(np.float64)
        shares = [layer.astype(np.float64) for layer in maps.layers]
        own = np.maximum(0.0, 1.0 - sum(shares)) if shares else np.ones_like(m)
        total = np.maximum(own + sum(shares), 1.0)
        weights = tuple(share / total for share in (own, *shares))
        own_strength = params.strength
        both = list(zip(weights, (own_strength, *(own_strength if s is None else s for s in strengths)), strict=True))
        strength = sum((w * s for w, s in both), np.zeros_like(m)) * m
        marked = (sum((w for w, s in both if s > 0), np.zeros_like(m)) * m).astype(np.float32)
        top = float(strength.max())
        if not shares and maps.change is not None:  # as decimals, so that a map of m is the number s*m
            top = float(Decimal(str(params.strength)) * Decimal(str(maps.change.max())))
        return cls(strength, marked, top, opacity(marked, params.blend), weights)

    def crop(self, rows: slice, columns: slice) -> "Where":
        """What is said of a part; ``top`` stays, for all that changes lies in it."""

        def part(x: Pixels) -> Pixels:
            return x[rows, columns]

        weights = tuple(part(w) for w in self.weights)
        return Where(part(self.strength), part(self.marked), self.top, part(self.opacity), weights)

    @property
    def is_hard(self) -> bool:
        """Whether the map is a mask, of one strength."""
        return is_hard(self.marked)

    @property
    def is_number(self) -> bool:
        """Whether it all comes to one strength everywhere, and all of the edit is seen."""
        return bool(self.strength.min() == self.strength.max() and self.opacity.min() == 1)

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
