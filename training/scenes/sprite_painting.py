"""Trees, the building and the boat in their light, painted into the scene from far to near."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.scenes.arithmetic import blur, layer, mix, paint, smooth, wide, wider
from training.scenes.land import Haze
from training.scenes.lighting import Stage
from training.scenes.placing import Spot

BORDER = 4  # transparent pixels left, right and above each sprite in the atlas: 128 wide sprites become 136 x 132
_TREES_BEHIND = 4  # of the seven, when the building is painted


def paint_trees_and_building(scene: Tensor, stage: Stage, haze: Haze, atlas: Tensor) -> tuple[Tensor, Tensor]:
    """The scene with them, and how much of each pixel they cover [n,1,h,w]."""
    geometry = stage.geometry
    covered = torch.zeros_like(scene[:, :1])
    far, near = geometry.trees[:_TREES_BEHIND], geometry.trees[_TREES_BEHIND:]
    for spot in (*far, geometry.building, *near):
        if not bool(spot.ok.any()):
            continue
        sprite = _Sprite.of(spot, stage, atlas)
        in_front = smooth(1.06, 0.96, wide(spot.z) / geometry.surface.z)
        in_front = torch.maximum(in_front, 1 - geometry.surface.cover)
        alpha = sprite.coverage(in_front)
        scene = mix(scene, _lit(sprite, stage, haze), alpha)
        covered = covered + alpha * (1 - covered)
        if spot is geometry.building:
            scene = _add_window_glow(scene, sprite, alpha, stage)
    return scene, covered


def paint_boat(scene: Tensor, stage: Stage, haze: Haze, atlas: Tensor) -> Tensor:
    """The scene with the boat and its reflection."""
    spot, water = stage.geometry.boat, stage.geometry.surface.water
    if not bool(spot.ok.any()):
        return scene
    sprite = _Sprite.of(spot, stage, atlas)
    mirrored = sprite.mirrored()
    below = (sprite.v < 0.01) * (sprite.v > -0.8)
    mirror_alpha = layer(mirrored.texture[:, 3] * sprite.ok * below * water * sprite.inside) * 0.45
    mirror_light = mirrored.albedo * (stage.palette.sun * 0.4 + stage.palette.ambient * 0.7)
    scene = mix(scene, mirror_light, mirror_alpha)
    alpha = sprite.coverage(torch.ones_like(sprite.u))
    scene = mix(scene, _lit(sprite, stage, haze), alpha)
    return _add_window_glow(scene, sprite, alpha, stage)


@dataclass(frozen=True, eq=False)
class _Sprite:
    """One sprite of each place, seen by every pixel; its channels are those of ``canvas``."""

    spot: Spot
    images: Tensor  # [n,8,132,136]
    u: Tensor  # [n,h,w] -0.5..0.5 across the sprite
    v: Tensor  # [n,h,w] 0 foot .. 1 top
    texture: Tensor  # [n,8,h,w]

    @classmethod
    def of(cls, spot: Spot, stage: Stage, atlas: Tensor) -> "_Sprite":
        geometry = stage.geometry
        leafless = stage.conditions.is_season("winter") & ~spot.conifer
        images = atlas[torch.where(leafless, spot.bare, spot.sprite)]
        px = wide(spot.px)
        u = (geometry.xs - wide(spot.x)) / px
        v = (wide(spot.y) + 0.02 * px - geometry.ys) / px
        return cls(spot, images, u, v, _look_up(images, u, v))

    def mirrored(self) -> "_Sprite":
        """Upside down below its foot."""
        return _Sprite(self.spot, self.images, self.u, self.v, _look_up(self.images, self.u, -self.v))

    @property
    def ok(self) -> Tensor:
        return wide(self.spot.ok)

    @property
    def inside(self) -> Tensor:
        return self.u.abs() < 0.52

    @property
    def albedo(self) -> Tensor:
        return self.texture[:, :3].clamp(0, 1).pow(2.2)

    def coverage(self, in_front: Tensor) -> Tensor:
        """[n,1,h,w]"""
        return layer(self.texture[:, 3] * self.ok * in_front * (self.v > 0) * self.inside)


def _look_up(images: Tensor, u: Tensor, v: Tensor) -> Tensor:
    grid = torch.stack([u * 2 * (128 / (128 + 2 * BORDER)), 1 - v * 2 * (128 / (128 + BORDER))], -1)
    return F.grid_sample(images, grid, mode="bilinear", align_corners=False)


def _lit(sprite: _Sprite, stage: Stage, haze: Haze) -> Tensor:
    """Linear light of the sprite, [n,3,h,w]."""
    t, m, palette = sprite.texture, stage.moment, stage.palette
    facing = (0.52 + 0.46 * t[:, 4:5] * layer(stage.bodies.side)).clamp(0, 1)
    sky = palette.ambient * (0.75 + 0.25 * layer(sprite.v.clamp(0, 1)))
    light = _in_season(sprite, stage) * (palette.sun * facing * 0.72 + sky)
    lamps = t[:, 5:6]
    lit_up = 1.7 * m.night + 0.5 * m.sunset + 0.35 * m.storm
    glow = paint(255, 196, 96, t.device) * lamps * lit_up
    light = light * (1 - lamps * m.night * 0.6) + glow
    fog = layer(1 - torch.exp(-wide(sprite.spot.z) * haze.density))
    return mix(light, haze.light, fog)


def _in_season(sprite: _Sprite, stage: Stage) -> Tensor:
    """The sprite's colours with autumn leaves and snow, [n,3,h,w]."""
    t, m, device = sprite.texture, stage.moment, sprite.texture.device
    albedo, foliage, hue = sprite.albedo, t[:, 6:7], wider(sprite.spot.hue)
    brightness = albedo.mean(1, keepdim=True) * 6.5
    yellow_or_orange = torch.where(hue < 0.75, paint(226, 138, 40, device), paint(230, 188, 70, device))
    leaves = torch.where(hue < 0.4, paint(200, 74, 30, device), yellow_or_orange)
    albedo = mix(albedo * (1 + (hue - 0.5) * 0.5 * foliage), leaves * brightness, foliage * m.autumn)
    snow = t[:, 7:8] * (m.winter + wider(stage.geometry.layouts.snow_ground)).clamp(max=1)
    return mix(albedo, torch.full_like(albedo, 0.88), snow.clamp(0, 1) * 0.92)


def _add_window_glow(scene: Tensor, sprite: _Sprite, alpha: Tensor, stage: Stage) -> Tensor:
    """Light around lit windows at night; worked out at a quarter of the size."""
    lamps = F.avg_pool2d(sprite.texture[:, 5:6] * alpha, 4)
    radius = max(1, max(2, stage.geometry.side // 64) // 2)
    glow = F.interpolate(blur(lamps, radius), scale_factor=4, mode="bilinear", align_corners=False)
    return scene + glow * stage.moment.night * paint(255, 170, 70, scene.device) * 0.9
