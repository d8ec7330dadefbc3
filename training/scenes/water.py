"""Water: the reflected scene, its own colour, glitter, foam and ice."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.scenes.arithmetic import between, colour, layer, mix, paint, smooth, wide, wider
from training.scenes.land import Haze
from training.scenes.lighting import Stage


@dataclass(frozen=True, eq=False)
class _Waves:
    ripple: Tensor  # [n,h,w] about -1..1
    strength: Tensor  # [n,1,1] how much the ripples move what is reflected
    sea: Tensor  # [n,1,1] 1: sea, 0: lake or river


def paint_water(scene: Tensor, stage: Stage, haze: Haze) -> Tensor:
    """Linear light of a water surface that reflects ``scene``: [n,3,h,w]; meaningless where there is no water."""
    geometry = stage.geometry
    waves = _waves(stage)
    zr = geometry.zr
    rippled = layer(waves.ripple * waves.strength)
    body = _body(stage, waves) * (1 + 0.35 * rippled)
    fresnel = (0.34 + 0.62 * smooth(0.9, 9.0, zr) - 0.22 * waves.sea).clamp(0, 0.97)
    water = mix(body, _reflected(scene, stage, waves) * (0.93 + 0.10 * rippled), layer(fresnel))
    water = water + _glitter(stage, waves)
    water = _add_foam(water, stage, waves)
    water = _add_ice(water, stage, waves)
    return mix(water, haze.light, layer(haze.amount * 0.75))


def _waves(stage: Stage) -> _Waves:
    geometry, noise = stage.geometry, stage.noise
    s0, s1, s2, s3 = geometry.offsets
    u, xs, ys = geometry.unit, geometry.xs, geometry.ys
    cam, surface = wide(geometry.layouts.camera_height), geometry.surface
    sea = wide(geometry.layouts.has_water("sea"))
    windy = 0.16 + 0.30 * stage.conditions.windy.view(-1, 1, 1)
    strength = torch.where(sea > 0, 0.75, windy) * (1 + stage.moment.storm[:, 0])
    on_water = noise.octaves(surface.x / (cam * 1.1) + s2, surface.z / (cam * 0.42) + s3, 3, 1)
    ripple = (
        on_water * smooth(90.0, 10.0, geometry.zr)
        + noise(xs * u / 9 + s0, ys * u / 1.6 + s1, 2) * 0.5
        + noise(xs * u / 22 + s1, ys * u / 2.6 + s1, 2) * 0.35
    )
    return _Waves(ripple, strength, sea)


def _reflected(scene: Tensor, stage: Stage, waves: _Waves) -> Tensor:
    """The scene upside down below the far shore, moved by the ripples."""
    geometry, side = stage.geometry, stage.geometry.side
    xs, ys, v0 = geometry.xs, geometry.ys, geometry.v0
    dry_rows = torch.where(geometry.surface.water < 0.5, ys, torch.full_like(ys, -1.0))
    shore = dry_rows.cummax(1).values.clamp(min=0)
    shore = torch.where(shore < v0, v0.expand_as(shore), shore)  # row of the shore above each pixel
    below = (ys - shore).clamp(min=0)
    moved = waves.ripple * waves.strength
    y = shore - below * between(1.0, 0.85, waves.sea) - 1 + moved * (3.0 + below * 0.20) * side / 256
    x = xs + moved * 3.5 * side / 256
    grid = torch.stack([(x + 0.5) / side * 2 - 1, (y.clamp(min=0) + 0.5) / side * 2 - 1], -1)
    return F.grid_sample(scene, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _shallow(stage: Stage, far: float, near: float) -> Tensor:
    """0 beyond ``far``, 1 up to ``near``, in distances of the near shore: [n,h,w]."""
    return smooth(far, near, stage.geometry.zr / wide(stage.geometry.layouts.shore_near))


def _body(stage: Stage, waves: _Waves) -> Tensor:
    """The water's own colour."""
    geometry, palette = stage.geometry, stage.palette
    device, hue = geometry.device, wider(geometry.layouts.water_hue)
    deep = mix(paint(16, 62, 78, device), paint(18, 52, 96, device), hue)
    shallow = mix(paint(64, 140, 140, device), paint(70, 150, 170, device), hue)
    t = (layer(_shallow(stage, 5.0, 1.4)) * 0.6 + 0.2 * layer(waves.ripple)).clamp(0, 1)
    return mix(deep, shallow, t) * (palette.sun * 0.28 * layer(stage.bodies.ly) + palette.ambient * 0.75)


def _glitter(stage: Stage, waves: _Waves) -> Tensor:
    """A path of light below the sun or the moon."""
    geometry, bodies, m, side = stage.geometry, stage.bodies, stage.moment, stage.geometry.side
    _, _, s2, _ = geometry.offsets
    u, xs, ys = geometry.unit, geometry.xs, geometry.ys
    middle = torch.where(m.night[:, 0] > 0, bodies.moon_x, bodies.sun_x)
    width = side * (0.035 + 0.10 * (ys - geometry.v0).clamp(min=0) / side)
    sparkle = waves.ripple + 0.55 * stage.noise(xs * u / 5 + s2, ys * u / 1.25, 0)
    path = torch.exp(-((xs - middle) / width).square()) * smooth(0.15, 0.75, sparkle)
    sun = bodies.sun_seen * stage.palette.disc * between(0.5, 1.1, m.low_sun)
    moon = bodies.moon_seen * 0.30 * colour(0.8, 0.88, 1.0, geometry.device)
    return layer(path) * (sun + moon) * (1 - 0.6 * m.storm)


def _add_foam(water: Tensor, stage: Stage, waves: _Waves) -> Tensor:
    """White crests at sea, and foam along its near shore."""
    geometry, noise, palette = stage.geometry, stage.noise, stage.palette
    grain, surface, zr, sea = geometry.grain, geometry.surface, geometry.zr, waves.sea
    s0, s1, _, _ = geometry.offsets
    cam = wide(geometry.layouts.camera_height)
    crest = noise(surface.x / (cam * 4.0) + s0, surface.z / (cam * 0.9) + s1, 0) + 0.5 * waves.ripple
    crest = crest + 0.2 * grain.fine + 0.25 * stage.moment.storm[:, 0]
    at_sea = smooth(0.62, 0.85, crest) * smooth(60.0, 12.0, zr) * sea
    lines = noise(zr * 2.2 + s0, surface.x / (cam * 3.5) + s1, 1) + 0.3 * grain.mid
    at_shore = smooth(0.25, 0.9, lines) * _shallow(stage, 3.2, 1.1) * sea
    white = paint(236, 244, 248, geometry.device) * (palette.sun * 0.35 + palette.ambient * 0.8)
    return mix(water, white, layer((at_sea * 0.6 + at_shore * 0.75).clamp(0, 0.9)))


def _add_ice(water: Tensor, stage: Stage, waves: _Waves) -> Tensor:
    """Some lakes and rivers freeze in winter, and carry snow."""
    geometry, palette, grain = stage.geometry, stage.palette, stage.geometry.grain
    frozen = stage.moment.winter * wider(geometry.layouts.freezes) * (1 - layer(waves.sea))
    light = palette.sun * layer(stage.bodies.ly) * 0.8 + palette.ambient * 0.95
    ice = paint(214, 226, 238, geometry.device) * light * (1 + 0.06 * layer(grain.mid))
    return mix(water, ice, frozen * layer((0.55 + 0.5 * grain.big).clamp(0.2, 0.9)))
