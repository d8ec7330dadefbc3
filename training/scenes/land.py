"""The land in its light: sun, shadow, sky light and the haze between it and the camera."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.scenes.arithmetic import layer, mix, smooth, wide
from training.scenes.lighting import Stage
from training.scenes.materials import build_material


@dataclass(frozen=True, eq=False)
class Haze:
    light: Tensor  # [n,3,h,w] linear
    density: Tensor  # [n,1,1] per metre
    amount: Tensor  # [n,h,w] 0..1


def paint_land(stage: Stage, haze: Haze) -> Tensor:
    """Linear light of land and trees, [n,3,h,w]; meaningless where there is only sky."""
    surface, palette = stage.geometry.surface, stage.palette
    facing, upright = _facing(stage)
    shadow = _shadow(stage) * (1 - 0.45 * surface.tree)
    upright = mix(upright, 0.6 + 0.4 * surface.rel, surface.tree)
    open_to_sky = mix(torch.ones_like(upright), 0.40 + 0.6 * surface.rel, surface.tree)  # dark at a tree's foot
    sun = layer(facing * (1 - 0.92 * shadow)) * palette.sun
    sky = palette.ambient * layer((0.55 + 0.45 * upright) * open_to_sky)
    return mix(build_material(stage).albedo * (sun + sky), haze.light, layer(haze.amount))


def _facing(stage: Stage) -> tuple[Tensor, Tensor]:
    """How much each pixel faces the light, and how much it faces upwards: [n,h,w] each."""
    surface, grain, bodies = stage.geometry.surface, stage.geometry.grain, stage.bodies
    mid, fine = grain.mid, grain.fine
    rough = stage.detail * (0.045 + 0.30 * smooth(0.2, 0.9, surface.slope)) * (1 - surface.water)
    nx = -surface.hx + mid * rough + 0.5 * fine * rough
    nz = -surface.hz + fine * rough * 0.6
    ny = 1 / (nx.square() + nz.square() + 1).sqrt()
    ground = ((nx * bodies.lx + bodies.ly + nz * bodies.lz) * ny).clamp(0, 1)
    rounded = (0.46 + 0.42 * surface.across * bodies.side) * (0.30 + 0.78 * surface.rel)
    tree = (rounded + 0.10 * fine * stage.detail).clamp(0, 1.2)
    return mix(ground, tree * (0.45 + 0.6 * bodies.ly), surface.tree), ny


def _shadow(stage: Stage) -> Tensor:
    """Shadows of hills, cast sideways in the grid of depths and columns: [n,h,w]."""
    geometry, bodies, surface = stage.geometry, stage.bodies, stage.geometry.surface
    from_right = bodies.side > 0
    height = geometry.grid_height
    # rays become horizontal when the ground is sheared, then whatever was higher before casts its shadow
    sheared = height + geometry.grid_x * torch.where(from_right, -1.0, 1.0) * bodies.slope
    highest = torch.where(from_right, sheared.flip(2), sheared).cummax(2).values
    highest = torch.where(from_right, highest.flip(2), highest)
    soft = height.abs() * 0.10 + wide(geometry.layouts.camera_height) * 0.12
    shadow = ((highest - sheared) / soft).clamp(0, 1)
    return mix(shadow.gather(1, surface.k0), shadow.gather(1, surface.k1), surface.t)


def build_haze(stage: Stage) -> Haze:
    """Haze, fog and low mist."""
    geometry, conditions, surface = stage.geometry, stage.conditions, stage.geometry.surface
    cam, bodies, palette = geometry.layouts.camera_height, stage.bodies, stage.palette
    fog = 1 / (cam * 55 + 150 * conditions.haze * 4 + 120)
    density = torch.where(conditions.is_weather("fog"), fog, 1 / (16000 + 50000 * conditions.haze))
    density = torch.where(conditions.is_weather("storm"), density * 2.2 + 1 / 9000, density)
    density = torch.where(conditions.is_weather("snowfall"), density * 2 + 1 / 2500, density)
    density = wide(torch.where(conditions.is_time("dawn"), density * 2.2, density))
    far = 1 - torch.exp(-surface.z * density)
    low = torch.exp(-surface.y.clamp(min=0) / (wide(cam) * 5 + 30))
    misty = (stage.moment.dawn[:, 0] + 0.35 * wide(conditions.misty)).clamp(max=1)
    mist = (1 - torch.exp(-surface.z * density * 7)) * low * misty
    light = palette.fog + bodies.sun_seen * bodies.glow * palette.disc * 0.35
    return Haze(light, density, (far + mist * 0.55).clamp(0, 0.985))
