"""The chance in a painter's hand: all random numbers of one styled batch, in the order they are asked for."""

import torch
from torch import Tensor

from training.scenes.arithmetic import image_grid
from training.scenes.noise import NoiseField


class Hand:
    """For ``n`` pictures h x w; the same from the same seed, for the same n."""

    def __init__(self, noise: NoiseField, like: Tensor, seed: int) -> None:
        self.noise = noise
        self.seed = seed
        self.n, _, self.h, self.w = like.shape
        self.device = like.device
        self._generator = torch.Generator().manual_seed(seed)

    def uniform(self, *shape: int) -> Tensor:
        """[n, *shape] in 0..1."""
        return torch.rand(self.n, *shape, generator=self._generator).to(self.device)

    def numbers(self, count: int) -> list[Tensor]:
        """``count`` numbers in 0..1 for each picture, each [n,1,1,1]."""
        return [u.view(-1, 1, 1, 1) for u in self.uniform(count).unbind(1)]

    def coin(self, p: float) -> Tensor:
        """True with probability p, [n,1,1,1]."""
        return (self.uniform() < p).view(-1, 1, 1, 1)

    def field(self, cell: float, octaves: int = 1) -> Tensor:
        """Smooth noise with cells of so many pixels, about -1..1, [n,h,w]."""
        shift = self.uniform(2, 1, 1) * 90
        ys, xs = image_grid(1, self.h, self.w, self.device)
        x, y = xs / cell + shift[:, 0], ys / cell + shift[:, 1]
        return self.noise.octaves(x, y, octaves) if octaves > 1 else self.noise(x, y, 1)

    def gauss(self, shift: int = 0) -> Tensor:
        """Normal noise [n,3,h,w], drawn on the device and not the same on another kind of it."""
        generator = torch.Generator(device=self.device).manual_seed(self.seed + shift)
        return torch.randn((self.n, 3, self.h, self.w), generator=generator, device=self.device)

    def grid_beside(self, dx: Tensor, dy: Tensor, amount: float) -> Tensor:
        """For ``grid_sample``: every pixel moved by noise, [n,h,w,2]."""
        ys, xs = torch.meshgrid(
            torch.linspace(-1, 1, self.h, device=self.device),
            torch.linspace(-1, 1, self.w, device=self.device),
            indexing="ij",
        )
        return torch.stack([xs[None] + dx * amount, ys[None] + dy * amount], -1)
