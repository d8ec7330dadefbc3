"""The sky: its colour, sun, moon, stars, the Milky Way, northern lights and clouds."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.scenes.arithmetic import between, colour, layer, mix, paint, smooth, wide
from training.scenes.lighting import Stage


@dataclass(frozen=True, eq=False)
class Clouds:
    cover: Tensor  # [n,h,w] 0..1
    light: Tensor  # [n,3,h,w] linear


def paint_sky(stage: Stage, clouds: Clouds) -> Tensor:
    """Linear light of the whole picture as if there were no land, [n,3,h,w]."""
    device, m, palette, bodies = stage.geometry.device, stage.moment, stage.palette, stage.bodies
    e = elevation(stage)
    falloff = between(3.6, 5.2, wide(stage.conditions.sky_falloff))
    sky = mix(palette.horizon, palette.zenith, layer(1 - torch.exp(-e * falloff)))
    band = layer(torch.exp(-((e - 0.10) / 0.12).square()))
    sky = sky + m.sunset * band * colour(0.22, 0.04, 0.03, device) + m.dawn * band * colour(0.08, 0.02, 0.05, device)
    glow = bodies.sun_seen * bodies.glow * palette.disc
    sky = sky + glow * between(0.45, 1.0, m.low_sun) * (1 - 0.5 * m.cloudy)
    sky = _add_stars(sky, e, stage)
    sky = _add_aurora(sky, stage)
    sky = _add_moonlight(sky, stage)
    size = between(0.75, 1.1, m.low_sun[:, 0])
    disc = layer(smooth(0.030, 0.024, bodies.sun_distance / size))
    sky = sky + bodies.sun_seen * disc * palette.disc * 6 * (1 - 0.9 * layer(clouds.cover))
    sky = _add_moon(sky, stage)
    return mix(sky, clouds.light, layer(clouds.cover) * 0.94)


def elevation(stage: Stage) -> Tensor:
    """Tangent of each pixel's angle over the horizon, at least 0: [n,h,w]."""
    geometry = stage.geometry
    return ((geometry.v0 - geometry.ys - 0.5) / geometry.f).clamp(min=0)


def _add_stars(sky: Tensor, e: Tensor, stage: Stage) -> Tensor:
    geometry, m, noise = stage.geometry, stage.moment, stage.noise
    s0, s1, s2, s3 = geometry.offsets
    u, xs, ys = geometry.unit, geometry.xs, geometry.ys
    bright = noise.stars(xs * u + s0 * 31, ys * u + s1 * 17)
    faint = noise.stars(ys * u * 1.4 + s2 * 13, xs * u * 1.4 + s3 * 29)
    milky = layer(_milky_way(stage))
    hidden = (m.storm + m.fog + m.snowfall).clamp(max=1)
    visible = layer(smooth(0.0, 0.16, e)) * (1 - 0.97 * hidden)
    stars = (bright * 1.5 + faint * (0.35 + 1.6 * milky)) * visible
    return sky + m.night * (stars * 1.15 + milky * visible * colour(0.085, 0.09, 0.155, geometry.device) * 1.3)


def _milky_way(stage: Stage) -> Tensor:
    """[n,h,w]"""
    geometry, noise, side = stage.geometry, stage.noise, stage.geometry.side
    layouts = geometry.layouts
    s0, s1, s2, s3 = geometry.offsets
    u, xs, ys = geometry.unit, geometry.xs, geometry.ys
    tilt = wide(layouts.milky_tilt)
    across = (xs - side / 2) / side * torch.cos(tilt) + (ys / side - wide(layouts.horizon) * 0.45) * torch.sin(tilt)
    across = across * 4.4 + 0.55 * noise.octaves(xs * u / 70 + s2, ys * u / 70 + s3, 3)
    patches = noise.octaves(xs * u / 26 + s1, ys * u / 26 + s0, 4)
    return torch.exp(-across.square()) * (0.55 + 0.9 * patches).clamp(0, 1.2) * wide(layouts.milky)


def _add_aurora(sky: Tensor, stage: Stage) -> Tensor:
    geometry, side = stage.geometry, stage.geometry.side
    s0, s1, s2, s3 = geometry.offsets
    ax = (geometry.xs - side / 2) / geometry.f
    lower_edge = wide(geometry.layouts.horizon) * 0.55 + 0.10 * torch.sin(ax * 5 + s0) + 0.05 * torch.sin(ax * 13 + s1)
    lower_edge = lower_edge * side
    above = lower_edge - geometry.ys
    rays = (0.6 + 0.5 * stage.noise(geometry.xs * geometry.unit / 9 + s3, s2, 1)).clamp(0, 1.3)
    curtain = torch.exp(-(above / (side * 0.18)).clamp(min=0) * 1.6) * smooth(8.0, -8.0, -above) * rays
    green, violet = paint(90, 255, 170, geometry.device), paint(150, 80, 220, geometry.device)
    light = mix(green, violet, layer((above / (side * 0.3)).clamp(0, 1)))
    return sky + stage.bodies.aurora_seen * layer(curtain) * light * 0.85


def _moon_distance(stage: Stage, right: float = 0.0, up: float = 0.0) -> Tensor:
    """Of each pixel from the moon, or from a point beside it, in picture widths [n,h,w]."""
    geometry, bodies, side = stage.geometry, stage.bodies, stage.geometry.side
    dx, dy = geometry.xs - bodies.moon_x, geometry.ys - bodies.moon_y
    if right or up:
        dx, dy = dx - right * side * wide(geometry.layouts.side), dy + up * side
    return (dx.square() + dy.square()).sqrt() / side


def _add_moonlight(sky: Tensor, stage: Stage) -> Tensor:
    d = _moon_distance(stage)
    halo = layer(torch.exp(-d * 16) * 0.10 + torch.exp(-d * 5) * 0.045)
    return sky + stage.bodies.moon_seen * halo * colour(0.75, 0.85, 1.0, stage.geometry.device)


def _add_moon(sky: Tensor, stage: Stage) -> Tensor:
    """A full disc, or one with a shadow beside its middle."""
    geometry, u = stage.geometry, stage.geometry.unit
    crescent = 1 - wide(geometry.layouts.full_moon)
    shadow = crescent * smooth(0.034, 0.026, _moon_distance(stage, 0.016, 0.004))
    moon = layer(smooth(0.031, 0.026, _moon_distance(stage)) * (1 - shadow))
    spots = 0.80 + 0.25 * layer(stage.noise(geometry.xs * u / 3.3, geometry.ys * u / 3.3))
    seen = stage.bodies.moon_seen * moon
    return mix(sky, seen * colour(0.95, 0.96, 0.90, geometry.device) * spots, seen.clamp(0, 1))


def build_clouds(stage: Stage) -> Clouds:
    """Streaky clouds on a plane overhead, puffy ones on the screen, or something between."""
    m, palette, bodies = stage.moment, stage.palette, stage.bodies
    layouts = stage.geometry.layouts
    e = elevation(stage)
    density, sunward = _cloud_density(stage, e)
    cloudy, night = m.cloudy[:, 0], m.night[:, 0]
    amount = wide(layouts.cloud) * 0.55 + cloudy * 0.42 - 0.10 * night * (1 - cloudy)
    threshold = 0.46 - amount * 0.78
    cover = smooth(threshold, threshold + 0.26, density) * smooth(0.0, 0.05, e)
    thick = (density - threshold).clamp(0, 0.6)
    lit = (0.52 + 1.9 * (density - sunward) - 0.55 * thick).clamp(0, 1)
    light = mix(palette.cloud_dark, palette.cloud_lit, layer(lit))
    glow = bodies.sun_seen * bodies.glow * palette.disc
    light = light + glow * (0.35 + 0.6 * (1 - layer(cover))) * between(0.3, 0.9, m.low_sun)
    light = mix(light, palette.fog, layer(torch.exp(-e * 7) * 0.65))
    return Clouds(cover, light)


def _cloud_density(stage: Stage, e: Tensor) -> tuple[Tensor, Tensor]:
    """Density at each pixel, and a step towards the sun: where there is less, the cloud is lit. [n,h,w] each"""
    geometry, noise, side = stage.geometry, stage.noise, stage.geometry.side
    s0, s1, s2, s3 = geometry.offsets
    u, xs, ys = geometry.unit, geometry.xs, geometry.ys
    sun = wide(geometry.layouts.sun_side)
    cu, cv = (xs - side / 2) / geometry.f / (e + 0.16), 1 / (e + 0.16)
    bend = noise(cu * 1.1 + s3, cv * 1.1 + s0, 1) * 0.5
    streaky = noise.octaves(cu * 0.95 + bend + s1, cv * 1.5 + bend + s2, 5, 2)
    puffy = noise.octaves(xs * u / 62 + s0 + bend * 0.6, ys * u / 30 + s3, 5, 0) - 0.35 * (e - 0.22).abs()
    puffy_sunward = noise.octaves(xs * u / 62 + s0 + bend * 0.6 + 0.05 * sun, ys * u / 30 + s3 - 0.16, 4, 0)
    streaky_sunward = noise.octaves(cu * 0.95 + bend + s1 + 0.08 * sun, cv * 1.5 + bend + s2 - 0.05, 4, 2)
    kind = smooth(0.35, 0.65, wide(geometry.layouts.cloud_kind))
    return mix(puffy, streaky, kind), mix(puffy_sunward, streaky_sunward, kind)
