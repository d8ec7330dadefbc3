"""What the land is made of: the share of light that grass, rock, sand, trees and snow give back."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.scenes.arithmetic import between, layer, mix, paint, paint_of, smooth, wide, wider
from training.scenes.layouts import Layouts
from training.scenes.lighting import Stage

_FLOWERS = [(236, 200, 60), (214, 70, 70), (168, 110, 210), (245, 240, 235)]


@dataclass(frozen=True, eq=False)
class Material:
    albedo: Tensor  # [n,3,h,w] linear
    snow: Tensor  # [n,h,w] 0..1


def build_material(stage: Stage) -> Material:
    geometry = stage.geometry
    grain = geometry.grain
    albedo = _add_flowers(_shore_and_ground(stage), stage)
    albedo = mix(albedo, _leaves(stage), layer(geometry.surface.tree))
    snow = _snow(stage)
    sparkle = 1 + 0.05 * layer(grain.mid + grain.fine * 0.5) * layer(stage.detail)
    return Material(mix(albedo, paint(226, 230, 240, geometry.device) * sparkle, layer(snow)), snow)


def _rocky(stage: Stage) -> Tensor:
    """Steep ground is bare rock: [n,1,h,w]."""
    grain = stage.geometry.grain
    return layer(smooth(0.5, 0.85, stage.geometry.surface.slope + 0.10 * grain.mid + 0.1 * grain.big))


def _shore(stage: Stage) -> Tensor:
    """Low ground beside lakes and the sea: [n,1,h,w]."""
    geometry = stage.geometry
    height = geometry.surface.ground / wide(geometry.layouts.camera_height)
    beside = wider(geometry.layouts.has_water("lake", "sea"))
    return layer(smooth(0.16, 0.03, height + 0.05 * geometry.grain.mid)) * beside * (1 - _rocky(stage) * 0.6)


def _shore_and_ground(stage: Stage) -> Tensor:
    geometry = stage.geometry
    layouts, slope = geometry.layouts, geometry.surface.slope
    grass, rock, sand, red_rock = _grass(stage), _rock(stage), _sand(stage), _red_rock(stage)
    rocky, shore = _rocky(stage), _shore(stage)
    desert, coast = wider(layouts.is_terrain("desert")), wider(layouts.is_terrain("sea", "coast_cliffs"))
    albedo = mix(grass, rock, rocky)
    albedo = mix(albedo, mix(sand, red_rock, layer(smooth(0.5, 0.9, slope))), desert)
    canyon = mix(mix(sand, red_rock, 0.55), red_rock, rocky)
    albedo = mix(albedo, canyon, wider(layouts.is_terrain("canyon")))
    beach = _beach(stage)
    return mix(albedo, mix(mix(rock, beach, 0.35), beach, coast), shore * between(0.75, 1.0, coast))


def _grass(stage: Stage) -> Tensor:
    geometry, detail = stage.geometry, stage.detail
    grain, device = geometry.grain, geometry.device
    green = mix(
        paint(58, 82, 40, device),
        paint(108, 124, 62, device),
        layer((0.5 + 0.55 * grain.big + 0.3 * grain.mid * detail).clamp(0, 1)),
    )
    green = green * _grass_tint(geometry.layouts)
    patches = layer((0.5 + 0.6 * grain.big).clamp(0, 1))
    dry = mix(paint(142, 112, 52, device), paint(186, 146, 70, device), patches)
    grass = mix(green, dry, stage.moment.autumn * 0.72)
    return grass * (1 + layer(detail) * layer(0.16 * grain.fine + 0.34 * grain.blade))


def _grass_tint(layouts: Layouts) -> Tensor:
    return layouts.grass.view(-1, 3, 1, 1)


def _rock(stage: Stage) -> Tensor:
    grain, device = stage.geometry.grain, stage.geometry.device
    patches = layer((0.5 + 0.5 * grain.mid + 0.35 * grain.fine * stage.detail).clamp(0, 1))
    rock = mix(paint(92, 86, 82, device), paint(150, 140, 128, device), patches)
    return rock * stage.geometry.layouts.rock.view(-1, 3, 1, 1)


def _red_rock(stage: Stage) -> Tensor:
    """In horizontal layers."""
    geometry, noise = stage.geometry, stage.noise
    s0, s1, _, _ = geometry.offsets
    big, cam, y = geometry.grain.big, wide(geometry.layouts.camera_height), geometry.surface.y
    thick = noise(y / (cam * 0.22) + 0.35 * big, s0 + big * 0.2, 0)
    thin = noise(y / (cam * 0.07) + 0.5 * big, s1, 1)
    strata = layer((0.5 + 0.55 * thick + 0.35 * thin).clamp(0, 1))
    t = strata * 0.75 + 0.25 * layer(0.5 + 0.5 * geometry.grain.mid)
    return mix(paint(166, 84, 50, geometry.device), paint(216, 140, 92, geometry.device), t)


def _sand(stage: Stage) -> Tensor:
    grain, device = stage.geometry.grain, stage.geometry.device
    t = layer((0.5 + 0.6 * grain.big + 0.15 * grain.fine * stage.detail).clamp(0, 1))
    return mix(paint(206, 158, 100, device), paint(232, 190, 132, device), t)


def _beach(stage: Stage) -> Tensor:
    grain, device = stage.geometry.grain, stage.geometry.device
    t = layer((0.5 + 0.5 * grain.big + 0.25 * grain.fine * stage.detail).clamp(0, 1))
    return mix(paint(196, 176, 140, device), paint(222, 204, 168, device), t)


def _add_flowers(albedo: Tensor, stage: Stage) -> Tensor:
    """In the grass near the camera, in summer."""
    geometry, m = stage.geometry, stage.moment
    layouts, u = geometry.layouts, geometry.unit
    _, _, s2, s3 = geometry.offsets
    spots = stage.noise(geometry.xs * u / 1.9 + s2, geometry.ys * u / 1.5 + s3, 3) + 0.18 * geometry.grain.big
    flowers = layer(smooth(0.52, 0.70, spots)) * layer(smooth(28.0, 6.0, geometry.zr))
    there = flowers * wider(layouts.flowers) * (1 - _rocky(stage)) * (1 - m.winter) * (1 - m.autumn * 0.8)
    there = there * (1 - layer(geometry.surface.tree)) * layer(stage.detail) * (1 - _shore(stage))
    return mix(albedo, paint_of(_FLOWERS, layouts.flower_hue), there)


def _leaves(stage: Stage) -> Tensor:
    """Forest trees: broad leaves turn yellow and red and fall, conifers mostly stay as they are."""
    geometry, m = stage.geometry, stage.moment
    device, tint, surface = geometry.device, layer(geometry.surface.tint), geometry.surface
    grass_tint = _grass_tint(geometry.layouts)
    leaf = mix(paint(44, 78, 34, device), paint(104, 132, 52, device), tint)
    leaf = leaf * mix(torch.ones_like(grass_tint), grass_tint, 0.5)
    red = mix(paint(176, 60, 28, device), paint(226, 130, 36, device), (tint * 2).clamp(max=1))
    turned = mix(red, paint(232, 186, 66, device), (tint * 2 - 1).clamp(min=0))
    leaf = mix(leaf, turned, m.autumn)
    leaf = mix(leaf, paint(118, 106, 98, device), m.winter * 0.9)
    pine = mix(paint(28, 54, 38, device), paint(60, 88, 50, device), tint)
    larch = mix(pine, paint(190, 140, 50, device), 0.55)
    pine = mix(pine, larch, m.autumn * (tint > 0.78).float())
    return mix(leaf, pine, layer(surface.conifer)) * (1 + 0.35 * layer(geometry.grain.fine) * layer(stage.detail))


def _snow(stage: Stage) -> Tensor:
    """Caps above the snow line; in winter everywhere but on steep ground and water."""
    geometry = stage.geometry
    layouts, surface, grain = geometry.layouts, geometry.surface, geometry.grain
    mid, fine, slope, tree = grain.mid, grain.fine, surface.slope, surface.tree
    winter, desert = stage.moment.winter[:, 0], wide(layouts.is_terrain("desert"))
    always = wide(layouts.snow_ground)
    relief = wide(layouts.mountain_slope * layouts.mountain_distance)
    above = surface.ground / (relief * 1.25 + 1) - wide(layouts.snow_line) + 0.22 * mid + 0.10 * fine
    caps = smooth(-0.12, 0.12, above) * (relief > 10)
    caps = caps * smooth(1.5, 0.8, slope) * (1 - desert * 0.9)
    lying = (winter + always).clamp(max=1) * (1 - 0.4 * desert) * smooth(1.35, 0.6, slope + 0.3 * mid)
    on_ground = torch.maximum(caps, lying) * (1 - tree)
    upper = surface.rel * 0.7 + 0.35 * surface.tint + 0.2 * fine * stage.detail
    on_trees = (winter + 0.8 * always).clamp(max=1) * smooth(0.25, 0.95, upper) * tree * 0.8
    return (on_ground + on_trees).clamp(max=1) * (1 - 0.92 * surface.water)
