"""What every pixel sees of a place: the same in every condition, so it is worked out once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.scenes.arithmetic import image_grid, mix, smooth
from training.scenes.batch import Batch
from training.scenes.canopy import Canopy, build_canopy
from training.scenes.ground import Ground, build_ground
from training.scenes.layouts import Layouts
from training.scenes.noise import NoiseField
from training.scenes.placing import Spot, Standing, place_sprites
from training.scenes.sprites.atlas import SpriteRanges
from training.scenes.view import View, noise_offsets


@dataclass(frozen=True, eq=False)
class Surface(Batch):
    """The ground or tree that each pixel sees, all [n,side,side]."""

    z: Tensor  # depth, metres
    y: Tensor  # height of what is seen over the water, metres
    x: Tensor  # metres to the right
    cover: Tensor  # 1: land or water, 0: sky
    ground: Tensor  # height of the ground, metres
    hx: Tensor  # slope of the ground to the right
    hz: Tensor  # and away from the camera
    water: Tensor  # 0..1
    tree: Tensor  # 0 or 1: a tree of a forest
    rel: Tensor  # height within that tree, 0..1
    tint: Tensor  # of that tree, 0..1
    conifer: Tensor  # 0..1
    across: Tensor  # -1 left edge of the crown .. 1 right edge
    # the two rows of the depth grid that the pixel lies between, and where
    k0: Tensor  # int64
    k1: Tensor  # int64
    t: Tensor  # 0..1

    @property
    def slope(self) -> Tensor:
        return (self.hx.square() + self.hz.square()).sqrt()


@dataclass(frozen=True, eq=False)
class Grain(Batch):
    """Fine structure that belongs to the place, all [n,side,side], about -1..1."""

    fine: Tensor
    mid: Tensor
    blade: Tensor  # blades of grass, near the camera only
    big: Tensor  # patches on the ground


@dataclass(frozen=True, eq=False)
class Geometry(Batch):
    """n places as the camera sees them, in all conditions. Give it to ``Renderer.shade``."""

    layouts: Layouts
    surface: Surface
    grain: Grain
    v0: Tensor  # [n,1,1] row of the horizon
    f: Tensor  # [n,1,1] focal length, pixels
    ys: Tensor  # [n,side,side] row of every pixel
    xs: Tensor  # [n,side,side] column of every pixel
    grid_height: Tensor  # [n,depths,side] ground on the grid of depths and columns, metres
    grid_x: Tensor  # [n,depths,side] metres to the right
    building: Spot
    boat: Spot
    trees: tuple[Spot, ...]  # far ones first
    standing: Standing

    @property
    def side(self) -> int:
        return int(self.xs.shape[-1])

    @property
    def device(self) -> torch.device:
        return self.v0.device

    @property
    def offsets(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Into the noise, four of [n,1,1]."""
        return noise_offsets(self.layouts)

    @property
    def zr(self) -> Tensor:
        """Depth of each pixel in camera heights, [n,side,side]."""
        return self.surface.z / self.layouts.camera_height.view(-1, 1, 1)

    @property
    def unit(self) -> float:
        """What a pixel measures when the picture is 256 pixels wide: keeps textures alike at every size."""
        return 256.0 / self.side


def build_geometry(noise: NoiseField, ranges: SpriteRanges, layouts: Layouts, side: int, depths: int) -> Geometry:
    view = View.of(layouts, side, depths)
    ground = build_ground(noise, view)
    canopy = build_canopy(noise, view, ground)
    projected = -(view.v0 - view.f * (ground.height + canopy.top - view.cam) / view.z)  # larger: higher up
    skyline = projected.cummax(1).values  # [n,depths,side] the highest up to each depth
    surface = _visible(view, ground, canopy, skyline)
    ys, xs = image_grid(len(layouts), side, side, layouts.terrain.device)
    building, boat, trees = place_sprites(view, ground, canopy, projected, skyline, ranges)
    return Geometry(
        layouts=layouts,
        surface=surface,
        grain=_grain(noise, view, surface, ys, xs),
        v0=view.v0,
        f=view.f,
        ys=ys,
        xs=xs,
        grid_height=ground.height,
        grid_x=view.x,
        building=building,
        boat=boat,
        trees=trees,
        standing=Standing.of(layouts, building, boat, trees),
    )


def _visible(view: View, ground: Ground, canopy: Canopy, skyline: Tensor) -> Surface:
    """For each pixel the first depth whose skyline reaches it, and what is there."""
    n, side, depths = len(view.layouts), view.side, view.depths
    rows = (torch.arange(side, device=view.z.device).float() + 0.5).view(1, side, 1)
    wanted = (-rows).view(1, 1, side).expand(n, side, side).contiguous()
    first = torch.searchsorted(skyline.transpose(1, 2).contiguous(), wanted).transpose(1, 2)
    highest = skyline[:, -1]  # [n,side]
    cover = (highest.view(n, 1, side) + rows + 0.5).clamp(0, 1)
    horizon = (skyline >= highest[:, None]).float().argmax(1)  # depth of the highest ground
    first = torch.where(first >= depths, horizon[:, None].expand(n, side, side), first)
    k1 = first.clamp(1, depths - 1)
    k0 = k1 - 1
    low, high = skyline.gather(1, k0), skyline.gather(1, k1)
    t = ((-rows - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)

    log_z = view.log_z.expand(n, depths, side)
    z = mix(log_z.gather(1, k0), log_z.gather(1, k1), t).exp()
    y = view.cam - (rows - view.v0) * z / view.f
    foot, tall = ground.height.gather(1, k1), canopy.top.gather(1, k1)
    tree = ((tall > 0.5) & (y > foot + 0.02 * canopy.usual)).float()
    height, hx, hz, water = (
        mix(field.gather(1, k0), field.gather(1, k1), t)
        for field in (ground.height, ground.hx, ground.hz, ground.water)
    )
    return Surface(
        z=z,
        y=y,
        x=view.column * z,
        cover=cover,
        ground=height,
        hx=hx,
        hz=hz,
        water=water * (1 - tree),
        tree=tree,
        rel=((y - foot) / tall.clamp(min=0.1)).clamp(0, 1),
        tint=canopy.tint.gather(1, k1),
        conifer=canopy.conifer.gather(1, k1),
        across=canopy.across.gather(1, k1),
        k0=k0,
        k1=k1,
        t=t,
    )


def _grain(noise: NoiseField, view: View, surface: Surface, ys: Tensor, xs: Tensor) -> Grain:
    s0, s1, s2, s3 = view.s
    u = 256.0 / view.side
    near = smooth(30.0, 4.0, surface.z / view.cam)
    return Grain(
        fine=noise(xs * u / 2.1 + s0 * 7, ys * u / 1.7 + s1 * 5, 0),
        mid=noise.octaves(xs * u / 7.0 + s2 * 3, ys * u / 4.0 + s3, 3, 1),
        blade=noise(xs * u / 1.6 + s1 * 3, ys * u / 5.0 + s0, 2) * near,
        big=noise.octaves(surface.x / (view.cam * 2.5) + s1, surface.z / (view.cam * 5) + s2, 4, 3),
    )
