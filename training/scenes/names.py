"""The words for everything a picture can be told to show: the one list of each, in the order of their numbers."""

from collections.abc import Sequence
from typing import Literal, get_args

Terrain = Literal[
    "mountain_lake",
    "mountains",
    "hills",
    "sea",
    "desert",
    "forest",
    "meadow",
    "snowfield",
    "river_valley",
    "canyon",
    "coast_cliffs",
    "forest_lake",
]
Time = Literal["day", "sunset", "dawn", "night"]
Season = Literal["summer", "winter", "autumn"]
Weather = Literal["clear", "cloudy", "fog", "storm", "snowfall"]
Style = Literal[
    "photo",
    "oil",
    "vangogh",
    "watercolor",
    "pencil",
    "digital",
    "pixel",
    "flat",
    "sketch",
    "lines",
    "degraded",
]
Building = Literal["house", "cabin", "church", "castle", "lighthouse", "windmill"]
Fault = Literal["blurry", "low_resolution", "noisy", "blocks", "faded"]
WaterKind = Literal["dry", "lake", "sea", "river"]

TERRAINS: tuple[Terrain, ...] = get_args(Terrain)
TIMES: tuple[Time, ...] = get_args(Time)
SEASONS: tuple[Season, ...] = get_args(Season)
WEATHERS: tuple[Weather, ...] = get_args(Weather)
STYLES: tuple[Style, ...] = get_args(Style)
BUILDINGS: tuple[Building, ...] = get_args(Building)
FAULTS: tuple[Fault, ...] = get_args(Fault)
WATER_KINDS: tuple[WaterKind, ...] = get_args(WaterKind)


def number_of(what: str, known: Sequence[str], value: str | int) -> int:
    """The number of a name of ``known``; a number is checked and given back.

    Raises ValueError that lists the known names, ``what`` saying of which thing.
    """
    if isinstance(value, str) and value in known:
        return known.index(value)
    if isinstance(value, int) and 0 <= value < len(known):
        return value
    raise ValueError(f"unknown {what} {value!r}: known are {', '.join(known)} (or their numbers 0..{len(known) - 1})")
