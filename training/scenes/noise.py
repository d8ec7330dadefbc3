"""Smooth random fields, the same in every program: they all read one small periodic tile."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

SEED = 1234  # of the tile, the hash table and the star map: another one would change every picture
CELLS = 128  # the tile repeats after so many cells
SAMPLES = 4  # of the tile in each cell
STAR_MAP = 512  # pixels a side, at 256 pixels a picture
STARS = 380


class NoiseField:
    """Value noise with its octaves, a hash table and a star map, on one device."""

    def __init__(self, device: torch.device) -> None:
        generator = torch.Generator().manual_seed(SEED)
        self._side = CELLS * SAMPLES
        self._tile = _noise_tile(generator).to(device)  # [1,4,side+1,side+1]
        self.hash = torch.rand(256 * 256, 4, generator=generator).to(device)
        self._stars = _star_map(generator).to(device)  # [1,3,513,513]

    def __call__(self, x: Tensor, y: Tensor, channel: int = 0) -> Tensor:
        """Noise in about [-1, 1]; x and y in cells, broadcast against each other; ``channel`` 0..3."""
        tile = self._tile[:, channel : channel + 1]
        return _sample(tile, x * SAMPLES, y * SAMPLES, self._side)[0]

    def octaves(self, x: Tensor, y: Tensor, octaves: int, channel: int = 0) -> Tensor:
        """Noise with finer and fainter noise on it, each octave half as strong and turned against the last."""
        total, a = torch.zeros((), device=x.device), 1.0
        for i in range(octaves):
            total = total + a * self(x, y, (channel + i) % 4)
            x, y = x * 1.93 + y * 0.31 + 13.7, y * 1.93 - x * 0.31 + 7.1
            a *= 0.5
        return total * 0.5

    def ridges(self, x: Tensor, y: Tensor, strengths: Sequence[Tensor]) -> Tensor:
        """Sharp crests as of mountains; ``strengths`` says for each octave how much of it is wanted."""
        total, a, w = torch.zeros((), device=x.device), 1.0, torch.ones((), device=x.device)
        for i, strength in enumerate(strengths):
            n = 1 - self(x, y, i % 4).abs() * 1.15
            n = n * n * w
            w = (n * 1.7).clamp(0, 1)
            total = total + a * n * strength
            x, y = x * 1.87 + y * 0.55 + 3.3, y * 1.87 - x * 0.55 + 9.2
            a *= 0.5
        return total * 0.62

    def stars(self, x: Tensor, y: Tensor) -> Tensor:
        """The star map at x, y [n,h,w] in its pixels: [n,3,h,w]."""
        return _sample(self._stars, x, y, STAR_MAP).permute(1, 0, 2, 3)


def _noise_tile(generator: Generator) -> Tensor:
    base = torch.rand(1, 4, CELLS, CELLS, generator=generator) * 2 - 1
    side, rim = CELLS * SAMPLES, 2 * SAMPLES
    tile = F.interpolate(
        F.pad(base, (2, 2, 2, 2), mode="circular"), scale_factor=SAMPLES, mode="bicubic", align_corners=False
    )
    tile = tile[..., rim : rim + side, rim : rim + side]
    return F.pad(tile, (0, 1, 0, 1), mode="circular") * 1.15


def _star_map(generator: Generator) -> Tensor:
    stars = torch.zeros(3, STAR_MAP, STAR_MAP)
    places = torch.randint(4, STAR_MAP - 4, (STARS, 2), generator=generator)
    brightness = torch.rand(STARS, generator=generator) ** 4 * 1.7 + 0.30
    hues = torch.rand(STARS, generator=generator)
    near = torch.arange(-4.0, 5)
    r2 = torch.stack(torch.meshgrid(near, near, indexing="ij")).square().sum(0)  # [9,9]
    for (y, x), m, hue in zip(places.tolist(), brightness.tolist(), hues.tolist(), strict=True):
        spot = torch.exp(-r2 / (3.2 if m > 1.1 else 2.0))  # smaller stars would not survive a latent of 8 pixels
        for c, v in enumerate((1 + 0.35 * (hue - 0.5), 1.0, 1 - 0.35 * (hue - 0.5))):
            stars[c, y - 4 : y + 5, x - 4 : x + 5] += spot * m * v
    return F.pad(stars[None], (0, 1, 0, 1), mode="circular")


def _sample(tile: Tensor, x: Tensor, y: Tensor, period: int) -> Tensor:
    """Bilinear look-up in a periodic tile [1,c,period+1,period+1]: [c, *shape of x and y]."""
    x, y = torch.broadcast_tensors(x, y)  # type: ignore[no-untyped-call]
    shape = x.shape
    grid = torch.stack([torch.remainder(x, period), torch.remainder(y, period)], -1) * (2.0 / period) - 1
    out = F.grid_sample(tile, grid.reshape(1, -1, shape[-1], 2), mode="bilinear", align_corners=True)
    return out.reshape(tile.shape[1], *shape)
