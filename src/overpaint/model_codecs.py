"""How a picture becomes what a network denoises, and back: by a VAE, or as it is where the network works in pixels.

encode(pixels) -> mean, std of the latent of pixels [1, 3, H, W] in 0..1, each [1, C, h, w] float32
decode(z0)     -> pixels [1, 3, H, W] in 0..1, float32, of a clean latent [1, C, h, w]
preview(z0)    -> a small picture [h, w, 3] in 0..1
tiles(size)    -> the side in pixels of the tiles that a picture of (width, height) is cut into; None: it is not cut
"""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from overpaint.errors import EditFailed
from overpaint.windows import Windows

# pixels: what a VAE needs grows with the area it sees, with the square of it where it has attention. It normalizes over
# what it sees, so smaller tiles differ more from their neighbours: 512 shows lines
TILE = 1024


class Codec(Protocol):
    """What is said above; a latent cell is ``pixels_per_cell`` pixels wide and has ``channels`` numbers."""

    channels: int
    pixels_per_cell: int

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]: ...

    def decode(self, z0: Tensor) -> Tensor: ...

    def preview(self, z0: Tensor) -> Tensor: ...

    def tiles(self, size: tuple[int, int]) -> int | None: ...


class PixelCodec:
    """No codec at all: the network sees pixels, in -1..1 instead of 0..1."""

    channels = 3
    pixels_per_cell = 1

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The pixels themselves, and no deviation."""
        z0 = pixels.float() * 2 - 1
        return z0, torch.zeros_like(z0)

    def decode(self, z0: Tensor) -> Tensor:
        return (z0.float() / 2 + 0.5).clamp(0, 1)

    def preview(self, z0: Tensor) -> Tensor:
        return self.decode(z0)[0].permute(1, 2, 0)  # [H, W, 3]

    def tiles(self, size: tuple[int, int]) -> None:
        """It is never cut."""


class VaeCodec:
    """diffusers' ``AutoencoderKL``, which sees one picture at a time, or one tile of a large one.

    Tiles overlap and fade into one another as the network's windows do. diffusers' own are of one size too, but the
    last one is what is left over, and a strip of a few pixels is normalized by itself. Whether a picture is large
    follows from its size alone: what is free now has no say in anybody's bytes.
    """

    def __init__(self, vae: Any, pixels_per_cell: int, largest_area: int) -> None:
        self.channels: int = vae.config.latent_channels
        self.pixels_per_cell = pixels_per_cell
        self._vae, self._dtype, self._device = vae, vae.dtype, vae.device
        self._scale: float = vae.config.scaling_factor
        self._shift: float = vae.config.shift_factor or 0.0
        self._latent_rgb: Tensor | None = None
        self._largest_area = largest_area

    def tiles(self, size: tuple[int, int]) -> int | None:
        return TILE if size[0] * size[1] > self._largest_area and max(size) > TILE else None

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled as the UNet wants it."""
        height, width = pixels.shape[-2:]
        if self.tiles((width, height)) is None:
            return self._encode(pixels)
        h, w = height // self.pixels_per_cell, width // self.pixels_per_cell
        cells = self._cover(h, w)
        places = cells.enlarged(self.pixels_per_cell)
        mean, std = (pixels.new_zeros(1, self.channels, h, w, dtype=torch.float32) for _ in range(2))
        for i in range(len(cells)):
            for part, whole in zip(self._encode(places.crop(pixels, i)), (mean, std), strict=True):
                cells.lay(part, i, whole)
        return mean, std

    def decode(self, z0: Tensor) -> Tensor:
        h, w = z0.shape[-2:]
        height, width = h * self.pixels_per_cell, w * self.pixels_per_cell
        if self.tiles((width, height)) is None:
            return self._decode(z0)
        cells = self._cover(h, w)
        places = cells.enlarged(self.pixels_per_cell)
        pixels = z0.new_zeros(1, 3, height, width, dtype=torch.float32)
        for i in range(len(cells)):
            places.lay(self._decode(cells.crop(z0, i)), i, pixels)
        return pixels

    def _cover(self, h: int, w: int) -> Windows:
        side = TILE // self.pixels_per_cell
        return Windows.over((h, w), (min(h, side), min(w, side)), self._device)

    def _encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        posterior = self._vae.encode(self._to_network(pixels * 2 - 1)).latent_dist
        return (posterior.mean.float() - self._shift) * self._scale, posterior.std.float() * self._scale

    def _decode(self, z0: Tensor) -> Tensor:
        z = z0 / self._scale + self._shift
        y: Tensor = self._vae.decode(self._to_network(z)).sample.float()
        if not bool(torch.isfinite(y).all()) and self._dtype != torch.float32:
            # some VAEs overflow in half precision on some pictures: once more in float32
            y = self._vae.float().decode(z.contiguous(memory_format=torch.channels_last)).sample
            self._vae.to(self._dtype)
        if not bool(torch.isfinite(y).all()):
            raise EditFailed("the decoded picture has numbers that are not finite")
        return (y / 2 + 0.5).clamp(0, 1)

    def preview(self, z0: Tensor) -> Tensor:
        """By one matrix instead of the decoder, a pixel for each cell."""
        if self._latent_rgb is None:
            self._latent_rgb = self._fit_latent_rgb()
        return (_with_ones(z0) @ self._latent_rgb).clamp(0, 1)

    def _fit_latent_rgb(self, side: int = 256) -> Tensor:
        """Least squares from latents to mean colours, on smooth random colours of many sizes: fitted for each VAE."""
        generator = torch.Generator().manual_seed(0)
        picture = torch.full((1, 3, side, side), 0.5)
        for cells in (2, 4, 8, 16, 32):
            colours = torch.rand(1, 3, cells, cells, generator=generator) - 0.5
            picture += 0.45 * nn.functional.interpolate(colours, (side, side), mode="bicubic")
        mean, _ = self.encode(picture.clamp(0, 1).to(self._device))
        truth = nn.functional.avg_pool2d(picture.clamp(0, 1), self.pixels_per_cell)[0].permute(1, 2, 0)  # [h, w, 3]
        features = _with_ones(mean).cpu()
        fitted = torch.linalg.lstsq(features.flatten(0, 1).double(), truth.flatten(0, 1).double())
        matrix: Tensor = fitted.solution.float().to(self._device)  # [C + 1, 3]
        return matrix

    def _to_network(self, x: Tensor) -> Tensor:
        return x.to(self._device, self._dtype).contiguous(memory_format=torch.channels_last)


def _with_ones(latent: Tensor) -> Tensor:
    cells = latent[0].permute(1, 2, 0)  # [h, w, C]
    return torch.cat([cells, torch.ones_like(cells[..., :1])], -1)
