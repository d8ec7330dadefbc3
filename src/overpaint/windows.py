"""How a large latent is covered by overlapping windows, each of a size that the network is at home at.

MultiDiffusion (Bar-Tal et al. 2023, arXiv:2302.08113, equation 5): at every step the network sees each window by
itself, and a cell takes the mean of what the windows over it say. Here the mean is weighted: each window fades out
towards its border, so that there is no line where one ends. The mean is taken of the network's outputs, in which D is
linear, so the sampler sees one latent and knows nothing of windows.

Everything is in latent cells, (rows, columns).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

OVERLAP = Fraction(1, 4)  # of a window's side that the next one covers too, at least
_GRAIN = 1024  # weights along a side are whole parts of this: products and their sums are exact in float32


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one size over a latent, row by row from its top left corner.

    Attributes:
        size: (rows, columns) of every window.
        tops: the first row of each row of windows.
        lefts: the first column of each column of windows.
        down: weights of each row of windows, float32 [len(tops), rows].
        across: weights of each column of windows, float32 [len(lefts), columns].
    """

    size: tuple[int, int]
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    down: Tensor
    across: Tensor

    @classmethod
    def over(cls, shape: tuple[int, int], size: tuple[int, int], device: torch.device | str = "cpu") -> "Windows":
        """Windows of ``size`` over a latent of ``shape``, neither side of which is shorter."""
        tops, lefts = (starts(length, side) for length, side in zip(shape, size, strict=True))
        return cls(size, tops, lefts, _shares(tops, size[0]).to(device), _shares(lefts, size[1]).to(device))

    @classmethod
    def whole(cls, x: Tensor) -> "Windows":
        """One, that is all of [..., H, W]."""
        return cls.over((x.shape[-2], x.shape[-1]), (x.shape[-2], x.shape[-1]), x.device)

    def enlarged(self, times: int) -> "Windows":
        """The same over the pixels of the cells, each of which is ``times`` pixels wide."""
        tops, lefts = (tuple(times * at for at in begins) for begins in (self.tops, self.lefts))
        rows, columns = times * self.size[0], times * self.size[1]
        down, across = _shares(tops, rows), _shares(lefts, columns)
        return Windows((rows, columns), tops, lefts, down.to(self.down.device), across.to(self.across.device))

    def __len__(self) -> int:
        return len(self.tops) * len(self.lefts)

    def crop(self, x: Tensor, i: int) -> Tensor:
        """What window ``i`` covers of [..., H, W]: a view [..., rows, columns]."""
        row, column = divmod(i, len(self.lefts))
        top, left = self.tops[row], self.lefts[column]
        return x[..., top : top + self.size[0], left : left + self.size[1]]

    def weight(self, i: int) -> Tensor:
        """How much each cell of window ``i`` listens to it, [rows, columns]; over all windows 1 in every cell."""
        row, column = divmod(i, len(self.lefts))
        return self.down[row, :, None] * self.across[column]

    def lay(self, out: Tensor, i: int, onto: Tensor) -> None:
        """Add the output [1, C, rows, columns] of window ``i``, by its weights, to the whole [1, C, H, W]."""
        self.crop(onto, i).add_(self.weight(i) * out)


def window_size(shape: tuple[int, int], side: int, multiple: int) -> tuple[int, int]:
    """The windows' (rows, columns) for a latent: squares of ``side``.

    Where the latent is narrower than that they take its whole width, and grow along it in steps of ``multiple`` as far
    as their area stays that of the square: what an ordinary edit of such a shape would be.
    """
    short = min(*shape, side)
    long = max(side, side * side // short // multiple * multiple)
    rows, columns = (short, min(long, shape[1])) if shape[0] < shape[1] else (min(long, shape[0]), short)
    return rows, columns


def starts(length: int, side: int) -> tuple[int, ...]:
    """Where windows of ``side`` begin along a length: as few as overlap enough, spread evenly, the last at the end."""
    spare = length - side
    if spare < 0:
        raise ValueError(f"a window of {side} does not lie within {length}")
    stride = max(1, int(side * (1 - OVERLAP)))
    count = 1 + -(-spare // stride)
    return tuple(i * spare // max(count - 1, 1) for i in range(count))


def _shares(begins: tuple[int, ...], side: int) -> Tensor:
    """The weights [windows, side] along one direction: 1 in every cell when added up, without any rounding.

    ``handed[i]`` says how much of a cell has been handed on by window i to those behind it: it rises as half a cosine
    wave over their overlap. What one window is given and does not hand on is its own.
    """
    cells = np.arange(begins[-1] + side)
    handed = [np.ones(len(cells))]
    for begin, before in zip(begins[1:], begins, strict=False):
        u = ((cells - begin + 0.5) / max(before + side - begin, 0.5)).clip(0, 1)  # at once where they only touch
        handed.append(np.round(_GRAIN * (1 - np.cos(np.pi * u)) / 2) / _GRAIN)
    handed.append(np.zeros(len(cells)))
    shares = [(handed[i] - handed[i + 1])[begin : begin + side] for i, begin in enumerate(begins)]
    return torch.from_numpy(np.stack(shares)).float()


def seam_figure(x: NDArray[Any], rows: Sequence[int], columns: Sequence[int], cell: int = 1) -> float:
    """How much lines stand out of a picture: how sharply it bends across them, over how sharply right beside them.

    About 1 is lines like any other. How sharply it bends is the step across a line, less the mean of the steps on its
    two sides, as a mean absolute number. Beside is 1 to 3 cells away: what is painted there is alike, and so is the
    place in a cell, whose edges a VAE draws a little sharper.

    Args:
        x: [h, w, c], pixels or latent cells.
        rows: the first row behind each lying line.
        columns: the first column behind each standing one.
        cell: the numbers of ``x`` that a latent cell is wide.
    """
    across, beside = 0.0, 0.0
    for lines, steps in ((rows, np.diff(x, axis=0)), (columns, np.diff(x, axis=1).swapaxes(0, 1))):
        bends = np.abs(steps[1:-1] - (steps[:-2] + steps[2:]) / 2).mean((1, 2))  # [places]; the first is line 2
        for line in lines:
            near = {line + cell * away for away in (-3, -2, -1, 1, 2, 3)} & set(range(2, 2 + len(bends))) - set(lines)
            across += float(bends[line - 2])
            beside += float(np.mean([bends[other - 2] for other in near]))
    return across / beside
