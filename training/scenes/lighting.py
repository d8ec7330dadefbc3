"""The light of a condition: its colours, and where sun and moon stand."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from training.scenes.arithmetic import between, layer, mix, paint_of, value_of, wide, wider
from training.scenes.conditions import Conditions
from training.scenes.geometry import Geometry
from training.scenes.noise import NoiseField


@dataclass(frozen=True, eq=False)
class Moment:
    """Conditions as masks, each [n,1,1,1], 0 or 1 (``dull`` and what depends on it also between)."""

    night: Tensor
    sunset: Tensor
    dawn: Tensor
    winter: Tensor
    autumn: Tensor
    storm: Tensor
    fog: Tensor
    snowfall: Tensor
    cloudy: Tensor  # any weather with many clouds
    dull: Tensor  # no direct sun
    low_sun: Tensor  # sunset or dawn

    @classmethod
    def of(cls, conditions: Conditions) -> "Moment":
        storm, fog, snowfall = (wider(conditions.is_weather(name)) for name in ("storm", "fog", "snowfall"))
        sunset, dawn = wider(conditions.is_time("sunset")), wider(conditions.is_time("dawn"))
        return cls(
            night=wider(conditions.is_time("night")),
            sunset=sunset,
            dawn=dawn,
            winter=wider(conditions.is_season("winter")),
            autumn=wider(conditions.is_season("autumn")),
            storm=storm,
            fog=fog,
            snowfall=snowfall,
            cloudy=(wider(conditions.is_weather("cloudy")) + storm + snowfall).clamp(max=1),
            dull=(storm + fog * 0.8 + snowfall * 0.8).clamp(max=1),
            low_sun=(sunset + dawn).clamp(max=1),
        )


@dataclass(frozen=True, eq=False)
class Palette:
    """Linear light, each [n,3,1,1]."""

    zenith: Tensor
    horizon: Tensor
    sun: Tensor  # light of the sun or the moon
    ambient: Tensor  # light of the sky
    cloud_lit: Tensor
    cloud_dark: Tensor
    fog: Tensor
    disc: Tensor  # the sun itself

    @classmethod
    def of(cls, conditions: Conditions, moment: Moment) -> "Palette":
        """In every list one colour for each of TIMES."""
        time, m = conditions.time, moment
        zenith, horizon = _sky_colours(conditions, moment)
        sun = paint_of([(255, 243, 222), (255, 168, 100), (255, 198, 164), (150, 172, 225)], time)
        sun = sun * value_of([1.75, 1.75, 1.25, 0.34], time)
        sun = sun * (1 - 0.86 * m.dull) * (1 - 0.12 * m.winter)
        ambient = paint_of([(150, 178, 222), (128, 116, 160), (160, 160, 196), (50, 66, 112)], time)
        ambient = ambient * value_of([0.60, 0.62, 0.70, 0.95], time)
        ambient = mix(ambient, _greyed(ambient, 0.8) * between(0.85, 1.35, 1 - m.storm), m.dull)
        lit = paint_of([(255, 253, 250), (255, 160, 100), (255, 206, 196), (52, 66, 108)], time)
        dark = paint_of([(158, 172, 196), (112, 82, 124), (168, 158, 190), (18, 26, 54)], time)
        return cls(
            zenith=zenith,
            horizon=horizon,
            sun=sun,
            ambient=ambient,
            cloud_lit=mix(lit, _greyed(lit, 0.9) * 0.34, m.storm),
            cloud_dark=mix(dark, _greyed(dark, 0.8) * 0.30, m.storm),
            fog=mix(horizon, zenith, 0.25),
            disc=paint_of([(255, 248, 225), (255, 170, 70), (255, 205, 150), (255, 255, 255)], time),
        )


def _sky_colours(conditions: Conditions, m: Moment) -> tuple[Tensor, Tensor]:
    """Zenith and horizon: between two colours for each time of day, paler in winter, grey in dull weather."""
    time = conditions.time
    zenith = paint_of([(58, 112, 190), (62, 70, 128), (112, 138, 196), (7, 12, 36)], time)
    other = paint_of([(34, 88, 172), (100, 74, 130), (140, 148, 205), (14, 24, 62)], time)
    zenith = mix(zenith, other, wider(conditions.zenith_hue))
    horizon = paint_of([(190, 215, 236), (255, 176, 96), (255, 208, 190), (34, 54, 104)], time)
    other = paint_of([(214, 226, 232), (250, 138, 104), (250, 190, 170), (20, 40, 84)], time)
    horizon = mix(horizon, other, wider(conditions.horizon_hue))
    day = (1 - m.night) * (1 - m.sunset)
    zenith = mix(zenith, _greyed(zenith, 0.5) * 1.25 + 0.02, m.winter * day * 0.7)
    zenith = mix(zenith, _greyed(zenith, 0.75) * between(0.75, 1.1, 1 - m.storm) + 0.03 * (1 - m.night), m.dull)
    horizon = mix(horizon, _greyed(horizon, 0.8) * between(0.42, 0.8, 1 - m.storm), m.dull)
    horizon = mix(horizon, _greyed(horizon, 0.35) * 0.98, m.winter * day)
    return zenith, horizon


def _greyed(paint: Tensor, share: float) -> Tensor:
    return mix(paint, paint.mean(1, keepdim=True), share)


@dataclass(frozen=True, eq=False)
class Bodies:
    """Sun and moon. Positions in pixels, [n,1,1]; ``*_seen`` [n,1,1,1] in 0..1."""

    sun_x: Tensor
    sun_y: Tensor
    sun_seen: Tensor
    moon_x: Tensor
    moon_y: Tensor
    moon_seen: Tensor
    aurora_seen: Tensor
    sun_distance: Tensor  # [n,h,w] of each pixel from the sun, picture widths
    # the direction that light comes from, [n,1,1] each
    side: Tensor  # -1 left, 1 right
    slope: Tensor  # of the rays in the picture's plane
    lx: Tensor
    ly: Tensor
    lz: Tensor

    @classmethod
    def of(cls, geometry: Geometry, conditions: Conditions, m: Moment) -> "Bodies":
        layouts, side_length = geometry.layouts, geometry.side
        day, sunset, dawn = (conditions.is_time(name) for name in ("day", "sunset", "dawn"))
        height = conditions.sun_height
        low = torch.where(sunset, 0.035 + 0.07 * height, 0.06 + 0.1 * height)
        elevation = wide(torch.where(day, 0.34 + 0.5 * height, low))  # by day often above the picture
        sun_x = wide(layouts.sun_x) * side_length + side_length / 2
        sun_y = geometry.v0 - elevation * geometry.f
        seen = wider(sunset | dawn | (day & conditions.sun_in_picture)) * (1 - m.night) * (1 - m.dull)
        side = torch.where(seen[:, 0] > 0, torch.sign(sun_x - side_length / 2), wide(layouts.sun_side))
        side = torch.where(side == 0, torch.ones_like(side), side)
        # light comes from higher than the sun is painted: flat light would leave the land black
        lamp = torch.where(conditions.is_time("night"), torch.full_like(height, 0.7), 0.20 + 0.14 * height)
        lamp = wide(torch.where(day, 0.55 + 0.5 * height, lamp))
        return cls(
            sun_x=sun_x,
            sun_y=sun_y,
            sun_seen=seen,
            moon_x=wide(layouts.moon_x) * side_length + side_length / 2,
            moon_y=wide(layouts.moon_y) * side_length * (wide(layouts.horizon) / 0.5),
            moon_seen=wider(layouts.moonlit) * m.night,
            aurora_seen=wider(layouts.aurora) * m.night * (1 - m.cloudy),
            sun_distance=((geometry.xs - sun_x).square() + (geometry.ys - sun_y).square()).sqrt() / side_length,
            side=side,
            slope=torch.tan(lamp),
            lx=side * torch.cos(lamp) * 0.86,
            ly=torch.sin(lamp),
            lz=torch.cos(lamp) * torch.where(seen[:, 0] > 0, 0.30, -0.42),
        )

    @cached_property
    def glow(self) -> Tensor:
        """Around the sun, [n,1,h,w]."""
        d = self.sun_distance
        return layer(torch.exp(-d * 9) * 0.9 + torch.exp(-d * 3.2) * 0.42)


@dataclass(frozen=True, eq=False)
class Stage:
    """All that a picture is shaded from."""

    noise: NoiseField
    geometry: Geometry
    conditions: Conditions
    moment: Moment
    palette: Palette
    bodies: Bodies
    detail: Tensor  # [n,1,1] scales small texture, 0..1
