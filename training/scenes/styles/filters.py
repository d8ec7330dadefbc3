"""Classic picture filters, on sRGB pictures [n,3,h,w] in 0..1."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from training.scenes.arithmetic import blur, colour, mix, smooth


def luminance(x: Tensor) -> Tensor:
    """[n,3,h,w] -> [n,1,h,w]"""
    return (x * colour(0.299, 0.587, 0.114, x.device)).sum(1, keepdim=True)


def saturate(x: Tensor, amount: float) -> Tensor:
    """More colour (``amount`` > 1) or less."""
    return mix(luminance(x), x, amount).clamp(0, 1)


def contrast(x: Tensor, amount: Tensor | float) -> Tensor:
    """More contrast around the middle: 0 leaves the picture alone."""
    return mix(x, x * x * (3 - 2 * x), amount)


def posterize(x: Tensor, levels: float, low: float, high: float) -> Tensor:
    """Few levels, with soft steps between ``low`` and ``high`` of the way from one to the next."""
    scaled = x * levels
    return scaled.floor() / levels + smooth(low, high, scaled - scaled.floor()) / levels


def kuwahara(x: Tensor, r: int) -> Tensor:
    """Smoothing that keeps edges: every pixel takes mostly the calmest of its four neighbouring windows."""
    h, w = x.shape[-2:]
    squares = torch.cat([x, luminance(x).square()], 1)  # [n,4,h,w]
    windows = F.avg_pool2d(F.pad(squares, (r, r, r, r), mode="replicate"), r + 1, 1)
    total, weights = torch.zeros_like(x), torch.zeros_like(x[:, :1])
    for oy in (0, r):
        for ox in (0, r):
            mean = windows[..., oy : oy + h, ox : ox + w]
            variance = (mean[:, 3:] - luminance(mean[:, :3]).square()).clamp(min=0)
            weight = 1 / (variance + 2e-4).square()
            total = total + weight * mean[:, :3]
            weights = weights + weight
    return total / weights


def gradients(grey: Tensor) -> tuple[Tensor, Tensor]:
    """Differences to the right and downwards, over three rows or columns: [n,1,h,w] each."""
    p = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    upper, row, lower = slice(None, -2), slice(1, -1), slice(2, None)
    gx = p[..., row, 2:] - p[..., row, :-2]
    gx = gx + 0.5 * (p[..., upper, 2:] - p[..., upper, :-2]) + 0.5 * (p[..., lower, 2:] - p[..., lower, :-2])
    gy = p[..., 2:, row] - p[..., :-2, row]
    gy = gy + 0.5 * (p[..., 2:, upper] - p[..., :-2, upper]) + 0.5 * (p[..., 2:, lower] - p[..., :-2, lower])
    return gx, gy


def edges(grey: Tensor) -> Tensor:
    """Length of the gradient, [n,1,h,w]."""
    gx, gy = gradients(grey)
    return (gx.square() + gy.square()).sqrt()


def edge_flow(x: Tensor, radius: int) -> tuple[Tensor, Tensor, Tensor]:
    """By the structure tensor: the angle along edges, how clear it is (0..1), and how strong they are. [n,h,w] each"""
    gx, gy = gradients(blur(luminance(x), 1))
    a, b, c = blur(torch.cat([gx * gx, gy * gy, gx * gy], 1), radius).unbind(1)
    angle = 0.5 * torch.atan2(2 * c, a - b) + math.pi / 2
    clearness = ((a - b).square() + 4 * c * c).sqrt() / (a + b + 4e-4)
    return angle, clearness, (a + b).sqrt()


def emboss(height: Tensor, strength: float) -> Tensor:
    """Light on thick paint, from its height [n,1,h,w]."""
    gx, gy = gradients(height)
    return (gx * 0.7 + gy * 0.7) * strength


def resample(x: Tensor, factor: int) -> Tensor:
    """Reduced and enlarged again."""
    return F.interpolate(F.avg_pool2d(x, factor), size=x.shape[-2:], mode="bilinear", align_corners=False)


def jpeg(x: Tensor, q: Tensor) -> Tensor:
    """JPEG's damage: cosine coefficients of 8 x 8 blocks rounded to steps of ``q`` [n,1,1,1], larger for fine detail
    and for colour."""
    n, c, h, w = x.shape
    i = torch.arange(8, device=x.device).float()
    basis = torch.cos((2 * i.view(1, 8) + 1) * i.view(8, 1) * math.pi / 16) * 0.5  # [8,8]
    basis[0] /= math.sqrt(2)
    y = luminance(x)
    blocks = torch.cat([y, x[:, :1] - y, x[:, 2:] - y], 1).view(n, c, h // 8, 8, w // 8, 8)
    coefficients = torch.einsum("ij,bchjwk,lk->bchiwl", basis, blocks, basis)
    finer = 1 + 0.6 * (i.view(1, 1, 1, 8, 1, 1) + i)
    channel = torch.tensor([1.0, 2.0, 2.0], device=x.device).view(1, 3, 1, 1, 1, 1)
    step = q.view(n, 1, 1, 1, 1, 1) * finer * channel
    rounded = (coefficients / step).round() * step
    t = torch.einsum("ij,bchiwl,lk->bchjwk", basis, rounded, basis).reshape(n, c, h, w)
    y, r, b = t[:, :1], t[:, :1] + t[:, 1:2], t[:, :1] + t[:, 2:]
    return torch.cat([r, (y - 0.299 * r - 0.114 * b) / 0.587, b], 1)
