"""The few formulas that every part of the renderer is written with."""

import torch
import torch.nn.functional as F
from torch import Tensor

Colour = tuple[float, float, float]


def smooth(low: Tensor | float, high: Tensor | float, x: Tensor) -> Tensor:
    """0 up to ``low``, 1 from ``high`` on, an S-curve between; falls instead where ``low`` > ``high``."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def mix(a: Tensor, b: Tensor | float, t: Tensor | float) -> Tensor:
    """``a`` where t = 0, ``b`` where t = 1, a straight line between."""
    return a + (b - a) * t


def between(a: float, b: float, t: Tensor) -> Tensor:
    """``mix`` of two numbers."""
    return a + (b - a) * t


def blur(x: Tensor, r: int) -> Tensor:
    """Two box blurs of width 2r + 1: about a Gaussian of standard deviation r. [n,c,h,w] -> [n,c,h,w]"""
    k = max(1, r) * 2 + 1
    for _ in range(2):
        x = F.avg_pool2d(F.pad(x, (k // 2,) * 4, mode="replicate"), k, 1)
    return x


def wide(x: Tensor) -> Tensor:
    """One number for each picture, ready to meet a map: [n] -> [n,1,1] float."""
    return x.float().view(-1, 1, 1)


def wider(x: Tensor) -> Tensor:
    """One number for each picture, ready to meet a colour picture: [n] -> [n,1,1,1] float."""
    return x.float().view(-1, 1, 1, 1)


def layer(x: Tensor) -> Tensor:
    """A map as a picture of one channel: [n,h,w] -> [n,1,h,w]."""
    return x.unsqueeze(1)


def linear(*srgb: float) -> Colour:
    """An sRGB colour in 0..255 as linear light in 0..1."""
    r, g, b = ((c / 255.0) ** 2.2 for c in srgb)
    return r, g, b


def colour(r: float, g: float, b: float, device: torch.device) -> Tensor:
    """Three numbers as a colour that meets pictures: [1,3,1,1]."""
    return torch.tensor([r, g, b], device=device).view(1, 3, 1, 1)


def paint(r: float, g: float, b: float, device: torch.device) -> Tensor:
    """An sRGB colour in 0..255 as linear light, [1,3,1,1]."""
    return colour(*linear(r, g, b), device=device)


def paint_of(colours: list[tuple[int, int, int]], number: Tensor) -> Tensor:
    """For each picture the sRGB colour of its number, as linear light: [n] int64 -> [n,3,1,1]."""
    table = torch.tensor([linear(*c) for c in colours], device=number.device)  # [colours,3]
    return table[number].view(-1, 3, 1, 1)


def value_of(values: list[float], number: Tensor) -> Tensor:
    """For each picture the value of its number: [n] int64 -> [n,1,1,1]."""
    return wider(torch.tensor(values, device=number.device)[number])


def image_grid(n: int, h: int, w: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column numbers of every pixel, (ys, xs), each [n,h,w] float."""
    ys, xs = torch.meshgrid(
        torch.arange(h, device=device).float(), torch.arange(w, device=device).float(), indexing="ij"
    )
    return ys[None].expand(n, h, w), xs[None].expand(n, h, w)
