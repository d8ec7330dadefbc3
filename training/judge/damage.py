"""Pictures broken in ways that edits break them: what the judge has to tell from intact ones.

No network takes part, above all not the embedded model's: the judge has to be of no opinion on who made a picture.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Damage = Callable[[Tensor, Tensor, Tensor, torch.Generator], Tensor]
_NOT_THE_SAME = 7  # pictures further on: the nearer ones may show the same place


def damaged(pictures: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Break each picture in a way and as far as chance has it.

    Args:
        pictures: float [n, 3, s, s] in 0..1, s divisible by 32.

    Returns:
        (float [n, 3, s, s] in 0..1; bool [n]: what is in the picture can still be seen)
    """
    n = len(pictures)
    kinds = torch.randint(len(DAMAGES), (n,), generator=generator)
    amounts = torch.rand(n, 1, 1, 1, generator=generator)
    others = pictures.roll(_NOT_THE_SAME, 0)
    broken = torch.empty_like(pictures)
    legible = torch.zeros(n, dtype=torch.bool)
    for i, (damage, legible_below) in enumerate(DAMAGES.values()):
        rows = (kinds == i).nonzero()[:, 0]
        if len(rows):
            broken[rows] = damage(pictures[rows], others[rows], amounts[rows], generator).clamp(0, 1)
            legible[rows] = amounts[rows, 0, 0, 0] < legible_below
    return broken, legible


# ---- each damage: (pictures [n, 3, s, s], others, amounts [n, 1, 1, 1] in 0..1, generator) to pictures ---------------


def _noise(x: Tensor, other: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian noise, from strong to nothing else."""
    z = torch.randn(x.shape, generator=generator)
    keep = (1.25 - 1.25 * amount).clamp(max=1)
    return 0.5 + (x - 0.5) * keep + z * (0.13 + 0.4 * amount)


def _pure_noise(x: Tensor, other: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Noise of one grain, with nothing of the picture left: fine, or blobs."""
    cells = (128, 64, 32, 16, 8, 4)[int(torch.randint(6, (), generator=generator))]
    z = torch.randn(*x.shape[:2], cells, cells, generator=generator)
    return 0.5 + _resized(z, x.shape[-1]) * (0.08 + 0.35 * amount)


def _blur(x: Tensor, other: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Out of focus by 3 to 12 px."""
    return _blurred(x, 3 + 9 * amount)


def _mosaic(x: Tensor, other: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Squares of 8, 16 or 32 px: larger than those of pixel art."""
    out = torch.empty_like(x)
    for i, a in enumerate(amount.flatten().tolist()):
        cell = (8, 16, 32)[int(a * 3)]
        out[i] = F.interpolate(F.avg_pool2d(x[i : i + 1], cell), scale_factor=cell, mode="nearest")[0]
    return out


def _mixture(x: Tensor, other: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Two pictures, one through the other."""
    return x.lerp(other, 0.35 + 0.3 * amount)


def _mush(x: Tensor, other: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Blobs with sharp edges: what a decoder makes of latents that lost their detail."""
    coarse = _resized(F.avg_pool2d(x, 8), x.shape[-1])
    soft = x.lerp(coarse, 0.75 + 0.25 * amount)
    wavy = _warped(soft, 0.02 + 0.05 * amount, 16, generator)
    z = _resized(torch.randn(len(x), 3, 16, 16, generator=generator), x.shape[-1])
    wavy = wavy + z * (0.03 + 0.10 * amount)
    return wavy + (wavy - _blurred(wavy, torch.full_like(amount, 3.0))) * (1 + 2.5 * amount)


def _warp(x: Tensor, other: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Everything is bent out of shape."""
    return _warped(x, 0.08 + 0.16 * amount, 8, generator)


def _colours(x: Tensor, other: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Colours out of hand: mixed at random, and more of them than there is room for."""
    matrix = torch.randn(len(x), 3, 3, generator=generator) * (0.5 + amount[:, 0]) + torch.eye(3) * 0.3
    mixed = torch.einsum("nij,njhw->nihw", matrix, x - 0.5) * 1.6
    return 0.5 + mixed


def _overdone(x: Tensor, other: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Contrast and saturation far beyond what the colours can show, as guidance that is too strong leaves them."""
    grey = x.mean(1, keepdim=True)
    vivid = grey + (x - grey) * (2.5 + 3 * amount)
    return 0.5 + (vivid - vivid.mean((2, 3), keepdim=True)) * (2.2 + 2 * amount)


def _faint(x: Tensor, other: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Hardly any contrast: what an average over many pictures looks like."""
    colour = torch.rand(len(x), 3, 1, 1, generator=generator)
    return colour.lerp(_blurred(x, 1 + 2 * amount), 0.05 + 0.2 * (1 - amount))


def _shuffled(x: Tensor, other: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """The picture's blocks in another order."""
    n, c, side = x.shape[0], x.shape[1], x.shape[-1]
    cell = (16, 32)[int(torch.randint(2, (), generator=generator))]
    k = side // cell
    blocks = x.reshape(n, c, k, cell, k, cell).permute(0, 2, 4, 1, 3, 5).reshape(n, k * k, c, cell, cell)
    order = torch.stack([torch.randperm(k * k, generator=generator) for _ in range(n)])  # [n, k k]
    blocks = blocks[torch.arange(n)[:, None], order]
    return blocks.reshape(n, k, k, c, cell, cell).permute(0, 3, 1, 4, 2, 5).reshape(x.shape)


# each with the amount below which what is in the picture can still be seen
DAMAGES: dict[str, tuple[Damage, float]] = {
    "noise": (_noise, 0.3),
    "pure noise": (_pure_noise, 0),
    "blur": (_blur, 0.3),
    "mosaic": (_mosaic, 0.33),
    "mixture": (_mixture, 0),
    "mush": (_mush, 0.5),
    "warp": (_warp, 0),
    "colours": (_colours, 0),
    "overdone": (_overdone, 0),
    "faint": (_faint, 0),
    "shuffled": (_shuffled, 0),
}


# ---- what they share -------------------------------------------------------------------------------------------------


def _resized(x: Tensor, side: int) -> Tensor:
    return F.interpolate(x, size=(side, side), mode="bicubic", align_corners=False)


def _blurred(x: Tensor, deviations: Tensor) -> Tensor:
    """Gaussian blur, each picture by its own standard deviation ([n, 1, 1, 1], px)."""
    out = torch.empty_like(x)
    for i, deviation in enumerate(deviations.flatten().tolist()):
        radius = max(1, round(3 * deviation))
        t = torch.arange(-radius, radius + 1, dtype=x.dtype)
        kernel = torch.exp(-0.5 * (t / deviation) ** 2)
        kernel = (kernel / kernel.sum()).expand(3, 1, -1)  # [3, 1, 2 r + 1]
        padded = F.pad(x[i : i + 1], (radius,) * 4, mode="replicate")
        rows = F.conv2d(padded, kernel[:, :, None, :], groups=3)
        out[i] = F.conv2d(rows, kernel[:, :, :, None], groups=3)[0]
    return out


def _warped(x: Tensor, amount: Tensor, cells: int, generator: torch.Generator) -> Tensor:
    """Moved by smooth random amounts; 1 is half a picture."""
    n, side = len(x), x.shape[-1]
    shifts = _resized(torch.randn(n, 2, cells, cells, generator=generator), side) * amount  # [n, 2, s, s]
    straight = F.affine_grid(torch.eye(2, 3).expand(n, -1, -1), list(x.shape), align_corners=False)
    return F.grid_sample(x, straight + shifts.permute(0, 2, 3, 1), padding_mode="reflection", align_corners=False)
