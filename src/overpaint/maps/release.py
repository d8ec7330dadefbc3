"""From a map of strengths in pixels to the boundary at which each latent cell is let go (design, section 2).

A pixel of strength s has ``L = floor(s*T + 1/2)`` (at least 1 where s > 0, else 0) and is held up to and including the
first boundary whose timestep is at most L - 1; clean counts as t = -1, so 0 is never let go.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from overpaint.levels import Level, start_level
from overpaint.picture import Pixels

# the plastic number's powers: points that fill the square evenly, by a formula instead of a draw (Roberts 2018)
_R2 = (0.7548776662466927, 0.5698402909980532)


@dataclass(frozen=True)
class Grid:
    """How latent cells lie over a picture.

    Attributes:
        size: (width, height) of the picture in pixels.
        inner: (width, height) of the picture within the canvas, in the middle of it.
        working: (width, height) of the canvas.
        cell: pixels of the canvas that a latent cell is wide.
    """

    size: tuple[int, int]
    inner: tuple[int, int]
    working: tuple[int, int]
    cell: int

    def most(self, m: Pixels) -> Pixels:
        """[h, w] in pixels -> the largest in each cell's footprint, [rows, columns]: nothing white is ever held."""
        return self._reduced(m, np.maximum)

    def mean(self, m: Pixels) -> Pixels:
        """[h, w] in pixels -> the mean over each cell's footprint, [rows, columns]."""
        counts = self._reduced(np.ones_like(m), np.add)
        return (self._reduced(m, np.add) / counts).astype(np.float32)

    def _reduced(self, m: Pixels, reduce: np.ufunc) -> Pixels:
        rows = _reduce(m, self._spans(1), reduce, axis=0)
        return _reduce(rows, self._spans(0), reduce, axis=1)

    def _spans(self, axis: int) -> Pixels:
        """[cells, 2]: the first pixel of each cell's footprint and the one behind its last.

        A cell that lies in the padding takes the pixel at the picture's edge, of which the padding is a copy.
        """
        size, inner, working = self.size[axis], self.inner[axis], self.working[axis]
        edges = np.arange(0, working + self.cell, self.cell) - (working - inner) // 2  # in pixels of inner
        first = np.floor(edges[:-1] * (size / inner)).astype(int)
        behind = np.ceil(edges[1:] * (size / inner)).astype(int)
        first = first.clip(0, size - 1)
        return np.stack([first, np.maximum(behind.clip(1, size), first + 1)], axis=1)


def _reduce(m: Pixels, spans: Pixels, reduce: np.ufunc, axis: int) -> Pixels:
    """Spans may overlap, so every second of ``reduceat``'s answers is for what lies between, and is left out."""
    longer = np.concatenate([m, np.take(m, [-1], axis)], axis)  # an index behind the last pixel is legal then
    return np.take(reduce.reduceat(longer, spans.ravel(), axis), np.arange(0, 2 * len(spans), 2), axis)


def release_of(cells: Pixels, levels: Sequence[Level], timesteps: int) -> Pixels:
    """The boundary at which each cell is let go, int64 [rows, columns]: 0 is at once, ``len(levels) - 1`` is never.

    Args:
        cells: strengths in [0, 1].
        levels: of the edit whose strength is the largest of them, clean at the end.

    Where strengths rise or fall steadily over the cells, the edges between boundaries are dithered by a fixed pattern,
    so that a long gradient shows no bands; constant areas are left alone.
    """
    steps = len(levels) - 1
    t = np.array([*(level.t for level in levels[:-1]), -1.0])
    values, place = np.unique(cells, return_inverse=True)
    wanted = np.array([start_level(float(v), timesteps) - 1 if v > 0 else -1 for v in values], float)
    # the first boundary with t <= wanted; t falls
    release = np.searchsorted(-t, -wanted)  # [values]
    before, here = t[np.maximum(release - 1, 0)], t[np.minimum(release, steps)]
    share = np.where(release > 0, (wanted - here) / np.where(before > here, before - here, 1), 0.0)
    share[wanted < 0] = 0  # never is never
    release, share = release[place].reshape(cells.shape), share[place].reshape(cells.shape)
    early = _slopes(cells) & (_pattern(cells.shape) + share >= 1)
    return np.where(early, release - 1, release).astype(np.int64)


def _pattern(shape: tuple[int, ...]) -> Pixels:
    """Evenly spread numbers in [0, 1), the same every time."""
    i, j = np.indices(shape)
    return np.asarray((i * _R2[0] + j * _R2[1]) % 1.0)


def _slopes(cells: Pixels) -> Pixels:
    """Where a cell lies strictly between its neighbours, along either axis."""
    wide = np.pad(cells, 1, mode="edge")
    c = wide[1:-1, 1:-1]
    pairs = ((wide[:-2, 1:-1], wide[2:, 1:-1]), (wide[1:-1, :-2], wide[1:-1, 2:]))
    rising = [(np.minimum(a, b) < c) & (c < np.maximum(a, b)) for a, b in pairs]
    return np.asarray(rising[0] | rising[1])
