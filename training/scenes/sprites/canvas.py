"""Drawing one sprite with Pillow, four times larger than it will be.

A sprite is a [8, 128, 128] float tensor; it stands on the bottom edge, centred:

====  =========================================================================
0-2   colour, sRGB in 0..1
3     coverage
4     facing of the surface, -1 left .. 1 right
5     emission of lit windows and lamps, seen at night
6     foliage, recoloured by the season
7     surfaces that turn white in winter
====  =========================================================================
"""

import math
import random
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from training.scenes.arithmetic import Colour

SIZE = 128
_SCALE = 4
Point = tuple[float, float]  # in 0..1, upwards from the lower left corner


class Surface(TypedDict, total=False):
    """What a shape is besides its colour; nothing of it unless said."""

    facing: float
    lamp: float
    foliage: float
    snow: float


def shade(paint: Colour, factor: float) -> Colour:
    """A darker or brighter variant of a colour."""
    r, g, b = paint
    return r * factor, g * factor, b * factor


class Canvas:
    """Shapes in sRGB colours of 0..255, each over the ones before it; ``rng`` is for the sprite's variety."""

    def __init__(self, seed: int) -> None:
        side = SIZE * _SCALE
        self.rng = random.Random(seed)
        self._rgb = Image.new("RGB", (side, side), (90, 90, 90))
        self._coverage = Image.new("L", (side, side), 0)
        self._facing = Image.new("L", (side, side), 128)
        self._lamp, self._foliage, self._snow = (Image.new("L", (side, side), 0) for _ in range(3))

    def polygon(self, points: Sequence[Point], paint: Colour, **surface: Unpack[Surface]) -> None:
        side = SIZE * _SCALE
        corners = [(x * side, (1 - y) * side) for x, y in points]
        for image, value in self._layers(paint, surface):
            ImageDraw.Draw(image).polygon(corners, fill=value)

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, paint: Colour, **surface: Unpack[Surface]) -> None:
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], paint, **surface)

    def disc(self, x: float, y: float, rx: float, ry: float, paint: Colour, **surface: Unpack[Surface]) -> None:
        side = SIZE * _SCALE
        box = ((x - rx) * side, (1 - (y + ry)) * side, (x + rx) * side, (1 - (y - ry)) * side)
        for image, value in self._layers(paint, surface):
            ImageDraw.Draw(image).ellipse(box, fill=value)

    def bar(self, a: Point, b: Point, wa: float, wb: float, paint: Colour, **surface: Unpack[Surface]) -> None:
        """A thick line from a to b, ``wa`` and ``wb`` half as wide as it is there."""
        dx, dy = b[0] - a[0], b[1] - a[1]
        length = math.hypot(dx, dy) + 1e-6
        nx, ny = -dy / length, dx / length
        corners = [
            (a[0] + nx * wa, a[1] + ny * wa),
            (b[0] + nx * wb, b[1] + ny * wb),
            (b[0] - nx * wb, b[1] - ny * wb),
            (a[0] - nx * wa, a[1] - ny * wa),
        ]
        self.polygon(corners, paint, **surface)

    def tensor(self) -> Tensor:
        """The finished sprite, [8,128,128]."""
        small = self._coverage.resize((SIZE, SIZE), Image.Resampling.BOX)
        coverage = np.asarray(small, np.float32) / 255
        r, g, b = (self._reduced(self._rgb, coverage)[..., c] for c in range(3))
        facing = self._reduced(self._facing, coverage)[..., 0] * 2 - 1
        rest = [self._reduced(image, coverage)[..., 0] for image in (self._lamp, self._foliage, self._snow)]
        planes: list[NDArray[Any]] = [r, g, b, coverage, facing * (coverage > 0), *rest]
        return torch.from_numpy(np.stack(planes).astype(np.float32))

    def _layers(self, paint: Colour, surface: Surface) -> list[tuple[Image.Image, Any]]:
        r, g, b = (int(max(0, min(255, c))) for c in paint)
        return [
            (self._rgb, (r, g, b)),
            (self._coverage, 255),
            (self._facing, int(128 + 127 * surface.get("facing", 0.0))),
            (self._lamp, int(255 * surface.get("lamp", 0.0))),
            (self._foliage, int(255 * surface.get("foliage", 0.0))),
            (self._snow, int(255 * surface.get("snow", 0.0))),
        ]

    def _reduced(self, image: Image.Image, coverage: NDArray[Any]) -> NDArray[Any]:
        """A layer at the sprite's size; weighted by coverage, so that edges keep their colour. [128,128,c] in 0..1"""
        mask = np.asarray(self._coverage, np.float32)[..., None] / 255
        x = np.asarray(image, np.float32)
        if x.ndim == 2:
            x = x[..., None]
        x = (x * mask).reshape(SIZE, _SCALE, SIZE, _SCALE, -1).mean((1, 3)) / np.maximum(coverage, 1e-3)[..., None]
        reduced: NDArray[Any] = x / 255
        return reduced
