"""What can be said about a picture, because the renderer knows it."""

from dataclasses import dataclass

from training.scenes.geometry import Geometry
from training.scenes.names import (
    BUILDINGS,
    SEASONS,
    TERRAINS,
    TIMES,
    WEATHERS,
    Building,
    Season,
    Terrain,
    Time,
    Weather,
)
from training.scenes.renderer import Shot

_ROWING_BOAT = 3  # variant of the sprite


@dataclass(frozen=True)
class Facts:
    """One picture. Shares are of the picture's area, 0..1."""

    terrain: Terrain
    time: Time
    season: Season
    weather: Weather
    building: Building | None
    boat: bool
    rowing_boat: bool  # the kind of boat, if there is one
    trees: int  # single ones
    pines: int  # of them
    forest: float  # share
    conifer: float  # share of the forest's trees
    water: float  # share
    sky: float  # share
    mountains: float  # slope, 0: none
    flowers: float  # 0: none
    sun: bool
    moon: bool
    full_moon: bool  # the kind of moon, if there is one
    aurora: bool
    milky_way: bool
    clouds: float  # share of the sky
    freezes: bool  # whether its lakes do in winter


def facts(geometry: Geometry, shot: Shot) -> list[Facts]:
    """Of every picture of a shot; ``geometry`` is what it was shaded from."""
    layouts, surface, standing, conditions = geometry.layouts, geometry.surface, geometry.standing, shot.conditions
    columns = {
        "terrain": [TERRAINS[i] for i in layouts.terrain.tolist()],
        "time": [TIMES[i] for i in conditions.time.tolist()],
        "season": [SEASONS[i] for i in conditions.season.tolist()],
        "weather": [WEATHERS[i] for i in conditions.weather.tolist()],
        "building": [BUILDINGS[i] if i >= 0 else None for i in standing.building.tolist()],
        "boat": standing.boat.tolist(),
        "rowing_boat": (layouts.boat == _ROWING_BOAT).tolist(),
        "trees": standing.trees.tolist(),
        "pines": standing.pines.tolist(),
        "forest": (surface.tree * surface.cover).mean((1, 2)).tolist(),
        "conifer": layouts.conifer.tolist(),
        "water": (surface.water * surface.cover).mean((1, 2)).tolist(),
        "sky": (1 - surface.cover.mean((1, 2))).tolist(),
        "mountains": layouts.mountain_slope.tolist(),
        "flowers": layouts.flowers.tolist(),
        "sun": shot.sun.tolist(),
        "moon": shot.moon.tolist(),
        "full_moon": layouts.full_moon.tolist(),
        "aurora": shot.aurora.tolist(),
        "milky_way": (layouts.milky > 0).tolist(),
        "clouds": shot.clouds.tolist(),
        "freezes": layouts.freezes.tolist(),
    }
    return [Facts(*row) for row in zip(*(columns[name] for name in Facts.__dataclass_fields__), strict=True)]
