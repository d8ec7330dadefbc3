"""The camera, and the grid of depths and columns on which the ground is evaluated."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from training.scenes.arithmetic import wide
from training.scenes.layouts import Layouts

FARTHEST = 42000.0  # metres


@dataclass(frozen=True, eq=False)
class View:
    """The view of n places: ``depths`` rows of ground, each seen in ``side`` columns of the picture.

    Depths grow by a constant factor, so that near and far ground get the same share of the grid.
    """

    layouts: Layouts
    side: int  # of the square picture, pixels
    depths: int
    f: Tensor  # [n,1,1] focal length, pixels
    v0: Tensor  # [n,1,1] row of the horizon
    cam: Tensor  # [n,1,1] height of the camera, metres
    nearest: Tensor  # [n,1,1] metres
    log_z: Tensor  # [n,depths,1]
    z: Tensor  # [n,depths,1] depth, metres
    zz: Tensor  # [n,depths,side] the same for every column
    zc: Tensor  # [n,depths,1] depth in camera heights
    column: Tensor  # [n,1,side] sideways slope of each column's ray
    x: Tensor  # [n,depths,side] metres to the right
    s: tuple[Tensor, Tensor, Tensor, Tensor]  # [n,1,1] each: offsets into the noise

    @classmethod
    def of(cls, layouts: Layouts, side: int, depths: int) -> "View":
        n, device = len(layouts), layouts.terrain.device
        f = wide(layouts.focal * side)
        cam = wide(layouts.camera_height)
        nearest = cam * 0.9
        k = torch.linspace(0, 1, depths, device=device).view(1, depths, 1)
        log_z = torch.log(nearest) + k * (math.log(FARTHEST) - torch.log(nearest))
        z = log_z.exp()
        column = (torch.arange(side, device=device) + 0.5 - side / 2).view(1, 1, side) / f
        return cls(
            layouts=layouts,
            side=side,
            depths=depths,
            f=f,
            v0=wide(layouts.horizon * side),
            cam=cam,
            nearest=nearest,
            log_z=log_z,
            z=z,
            zz=z.expand(n, depths, side),
            zc=z / cam,
            column=column,
            x=column * z,
            s=noise_offsets(layouts),
        )

    @property
    def step(self) -> Tensor:
        """Metres over two rows of the grid, [n,depths,1]: what central differences divide by."""
        return self.z * (2 * (math.log(FARTHEST) - torch.log(self.nearest)) / (self.depths - 1))


def noise_offsets(layouts: Layouts) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What makes the noise another one in every place: four of [n,1,1]."""
    s0, s1, s2, s3 = (wide(offset) for offset in layouts.seed.unbind(1))
    return s0, s1, s2, s3
