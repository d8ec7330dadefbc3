"""From places to pictures: geometry once, then light for each condition."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.scenes.arithmetic import layer, mix, smooth, wide
from training.scenes.batch import Batch
from training.scenes.conditions import Conditions
from training.scenes.geometry import Geometry, build_geometry
from training.scenes.land import build_haze, paint_land
from training.scenes.layouts import Layouts
from training.scenes.lighting import Bodies, Moment, Palette, Stage
from training.scenes.noise import NoiseField
from training.scenes.sky import build_clouds, paint_sky
from training.scenes.sprite_painting import BORDER, paint_boat, paint_trees_and_building
from training.scenes.sprites.atlas import build_atlas
from training.scenes.water import paint_water

SIZE_STEP = 16  # pictures are multiples of it: brush strokes and JPEG blocks must fill them


@dataclass(frozen=True, eq=False)
class Shot(Batch):
    """n pictures of n places in n conditions, and what a painter needs to know about them."""

    rgb: Tensor  # [n,3,h,w] sRGB in 0..1
    depth: Tensor  # [n,1,h,w] logarithm of metres, 11 in the sky
    cover: Tensor  # [n,1,h,w] 1: land or water, 0: sky
    water: Tensor  # [n,1,h,w] 0..1
    trees: Tensor  # [n,1,h,w] 0..1, with the building
    sun_x: Tensor  # [n] in picture widths, as the next three
    sun_y: Tensor
    moon_x: Tensor
    moon_y: Tensor
    sun: Tensor  # [n] bool: whether it shines in the direction of the picture
    moon: Tensor  # [n] bool
    aurora: Tensor  # [n] bool
    night: Tensor  # [n] 0 or 1
    clouds: Tensor  # [n] share of the sky
    conditions: Conditions


class Renderer:
    """Draws square pictures ``size`` pixels wide on a device.

    They are drawn ``supersampling`` times larger and reduced; ``depths`` is how many depths the ground is evaluated at.
    """

    def __init__(
        self, size: int = 256, device: torch.device | str = "cpu", supersampling: float = 1.25, depths: int = 448
    ) -> None:
        side = int(size * supersampling)
        if size < 32 or size % SIZE_STEP:
            raise ValueError(f"size is {size}: it must be a multiple of {SIZE_STEP}, 32 or more")
        if side < size or side % 4:
            raise ValueError(
                f"supersampling is {supersampling}: {size} times it must be {size} or more, and a multiple of 4"
            )
        self.size = size
        self.device = torch.device(device)
        self.noise = NoiseField(self.device)
        self._side = side
        self._depths = depths
        atlas, self._ranges = build_atlas()
        self._atlas = F.pad(atlas, (BORDER, BORDER, BORDER, 0)).to(self.device)  # [sprites,8,132,136]

    @torch.no_grad()
    def geometry(self, layouts: Layouts) -> Geometry:
        """What each pixel sees, in any condition."""
        return build_geometry(self.noise, self._ranges, layouts.to(self.device), self._side, self._depths)

    @torch.no_grad()
    def shade(self, geometry: Geometry, conditions: Conditions, detail: Tensor | None = None) -> Shot:
        """The places in their conditions, one for each. ``detail`` [n] in 0..1 scales small texture."""
        n = len(geometry.layouts)
        if len(conditions) != n:
            raise ValueError(f"{len(conditions)} conditions for {n} places: there must be one for each")
        stage = self._stage(geometry, conditions.to(self.device), detail)
        surface = geometry.surface
        haze, clouds = build_haze(stage), build_clouds(stage)
        scene = mix(paint_sky(stage, clouds), paint_land(stage, haze), layer(surface.cover))
        scene, objects = paint_trees_and_building(scene, stage, haze, self._atlas)
        water = layer(surface.water * surface.cover) * (1 - objects)
        scene = mix(scene, paint_water(scene, stage, haze), water)
        scene = paint_boat(scene, stage, haze, self._atlas)
        rgb = _camera_response(_add_snow_and_rain(scene, stage), stage)
        return self._shot(rgb, objects, clouds.cover, stage)

    def _stage(self, geometry: Geometry, conditions: Conditions, detail: Tensor | None) -> Stage:
        moment = Moment.of(conditions)
        if detail is None:
            detail = torch.ones(len(conditions))
        return Stage(
            noise=self.noise,
            geometry=geometry,
            conditions=conditions,
            moment=moment,
            palette=Palette.of(conditions, moment),
            bodies=Bodies.of(geometry, conditions, moment),
            detail=wide(detail.to(self.device)),
        )

    def _shot(self, rgb: Tensor, objects: Tensor, clouds: Tensor, stage: Stage) -> Shot:
        surface, bodies, side = stage.geometry.surface, stage.bodies, self._side
        cover, front = surface.cover, objects[:, 0]
        depth = torch.log(surface.z) * cover + 11 * (1 - cover)
        maps = torch.stack(
            [depth, cover, surface.water * cover * (1 - front), (surface.tree * cover + front).clamp(max=1)], 1
        )  # [n,4,side,side]
        if side != self.size:
            size = (self.size, self.size)
            rgb = F.interpolate(rgb, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
            maps = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
        sky = (1 - cover).mean((1, 2)).clamp(min=0.02)
        return Shot(
            rgb=rgb,
            depth=maps[:, 0:1],
            cover=maps[:, 1:2],
            water=maps[:, 2:3],
            trees=maps[:, 3:4],
            sun_x=bodies.sun_x[:, 0, 0] / side,
            sun_y=bodies.sun_y[:, 0, 0] / side,
            moon_x=bodies.moon_x[:, 0, 0] / side,
            moon_y=bodies.moon_y[:, 0, 0] / side,
            sun=bodies.sun_seen[:, 0, 0, 0] > 0,
            moon=bodies.moon_seen[:, 0, 0, 0] > 0,
            aurora=bodies.aurora_seen[:, 0, 0, 0] > 0,
            night=stage.moment.night[:, 0, 0, 0],
            clouds=(clouds * (1 - cover)).mean((1, 2)) / sky,
            conditions=stage.conditions,
        )


def _add_snow_and_rain(scene: Tensor, stage: Stage) -> Tensor:
    """What falls through the air."""
    geometry, noise, m, palette = stage.geometry, stage.noise, stage.moment, stage.palette
    s0, s1, s2, s3 = geometry.offsets
    u, xs, ys = geometry.unit, geometry.xs, geometry.ys
    small = noise(xs * u / 2.6 + s0 * 3, ys * u / 2.6 + s1, 0)
    large = noise(xs * u / 4.4 + s2, ys * u / 4.6 + s3 * 5, 1)
    flakes = smooth(0.70, 0.92, small) * 0.8 + smooth(0.78, 0.95, large)
    scene = scene + m.snowfall * layer(flakes) * (palette.ambient * 0.9 + 0.25 * palette.sun)
    streaks = smooth(0.45, 0.95, noise(xs * u / 1.7 + ys * u / 7.0 + s1, ys * u / 26.0 + s0, 2))
    rain = streaks * m.storm[:, 0] * wide(stage.conditions.rainy)
    return mix(scene, palette.ambient * 0.55 + 0.05, layer(rain) * 0.22 * layer(stage.detail))


def _camera_response(scene: Tensor, stage: Stage) -> Tensor:
    """Linear light to sRGB in 0..1: longer exposure at night, a filmic curve, a little more colour."""
    exposure = (1 + 0.75 * stage.moment.night) * (1 + 0.25 * stage.moment.dull)
    x = scene.clamp(min=0) * exposure * 0.92
    x = (x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)).clamp(0, 1)
    x = x.clamp(min=1e-5).pow(1 / 2.2)
    return mix(x.mean(1, keepdim=True), x, 1.04).clamp(0, 1)
