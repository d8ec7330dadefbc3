"""The judge's pictures: renders of places and conditions that are drawn more evenly than for the embedded model.

Rendered at 256 px, the size that the embedded model works at, so that brush strokes and pixel art have the size that
they have there; kept at 160 px, from which crops are taken. The terrain is computed at 192 px: more would not be seen.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from overpaint.describe.heads import HEADS
from training.scenes import (
    BUILDINGS,
    SEASONS,
    STYLES,
    TERRAINS,
    TIMES,
    WEATHERS,
    Conditions,
    Facts,
    Geometry,
    Layouts,
    Renderer,
    Shot,
    Styler,
    facts,
    is_held_out_seed,
    make_conditions,
    sample_layouts,
)

SEEN, RENDERED, KEPT = 192, 256, 160  # pixels a side
CONDITIONS_OF_PLACE, STYLES_OF_CONDITION = 2, 2
LABELLED = tuple(head for head in HEADS if head != "sound")
_POOL = 12  # places drawn for each that is taken
_BATCH = 8  # more is slower on a CPU
# how often each is drawn, in the order of their names
_TIME = (0.34, 0.22, 0.18, 0.26)
_SEASON = (0.42, 0.30, 0.28)
_WEATHER = (0.34, 0.20, 0.17, 0.15, 0.14)
_STYLE = (0.25, 0.09, 0.09, 0.08, 0.07, 0.09, 0.06, 0.07, 0.07, 0.06, 0.07)
_BUILDING = (0.40, 0.10, 0.10, 0.10, 0.10, 0.10, 0.10)  # none first


@dataclass(frozen=True)
class Renders:
    """Pictures with what is to be seen in them.

    Attributes:
        pictures: uint8 [n, 3, KEPT, KEPT].
        labels: int64 [n, heads] by ``LABELLED``; -1 where it cannot be told, even by who drew the picture.
        places: float32 [n, 2, 2]: (x, y) in 0..1 of the building and of the boat, -1 where there is none.
    """

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    places: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.pictures)


def render(places: int, seed: int) -> Renders:
    """Render ``places`` places in two conditions each, and each of these in two different styles."""
    if is_held_out_seed(seed):
        raise ValueError(f"the seed {seed} draws places that the benchmark keeps from training")
    renderer = Renderer(SEEN, "cpu", supersampling=1.0, depths=320)
    styler = Styler(renderer)
    layouts = _even_layouts(places, seed)
    parts = []
    for k, start in enumerate(range(0, places, _BATCH)):
        geometry = renderer.geometry(_with_taste(layouts[start : start + _BATCH]))
        for c in range(CONDITIONS_OF_PLACE):
            parts.append(_shots(renderer, styler, geometry, seed * 100003 + k * 71 + c * 7))
    return Renders(*(np.concatenate([getattr(part, name) for part in parts]) for name in Renders.__dataclass_fields__))


def _even_layouts(places: int, seed: int) -> Layouts:
    """Places of all terrains as often, and of rare buildings more often, than ``sample_layouts`` draws them."""
    pool = sample_layouts(places * _POOL, seed)
    terrain, building = pool.terrain, pool.building + 1
    weight = torch.tensor(_BUILDING)[building] / torch.bincount(building, minlength=len(_BUILDING))[building]
    share = torch.zeros(len(TERRAINS)).index_add_(0, terrain, weight)
    return pool[torch.multinomial(weight / share[terrain], places, generator=torch.Generator().manual_seed(seed + 1))]


def _with_taste(layouts: Layouts) -> Layouts:
    """Which of equally good spots a thing stands on, by its place in the batch: not by where it was in the pool."""
    taste = torch.rand(layouts.spot_taste.shape, generator=torch.Generator().manual_seed(5))
    return replace(layouts, spot_taste=taste)


def _shots(renderer: Renderer, styler: Styler, geometry: Geometry, seed: int) -> Renders:
    """All places of a batch in one condition each, drawn in two styles."""
    n = len(geometry.layouts)
    shot = renderer.shade(geometry, _conditions(n, seed))
    labels, places = _labels(facts(geometry, shot)), _places(geometry)
    shot = _enlarged(shot)
    generator = torch.Generator().manual_seed(seed + 3)
    chosen = torch.multinomial(torch.tensor(_STYLE).expand(n, -1), STYLES_OF_CONDITION, generator=generator)  # [n, 2]
    pictures = torch.zeros(n, STYLES_OF_CONDITION, 3, KEPT, KEPT, dtype=torch.uint8)
    for i, style in enumerate(STYLES):
        rows, slots = (chosen == i).nonzero(as_tuple=True)
        if len(rows):
            own = shot[rows]
            if style == "degraded":  # of a photograph
                own = replace(own, rgb=styler("photo", own, seed * 31 + 97))
            drawn = F.interpolate(styler(style, own, seed * 31 + i), size=(KEPT, KEPT), mode="area")
            pictures[rows, slots] = (drawn * 255 + 0.5).to(torch.uint8)
    labels = labels[:, None].repeat(1, STYLES_OF_CONDITION, 1)  # [n, 2, heads]
    labels[..., LABELLED.index("style")] = chosen
    without_colour = (chosen == STYLES.index("pencil")) | (chosen == STYLES.index("lines"))
    for head in ("time", "season", "weather"):
        labels[..., LABELLED.index(head)][without_colour] = -1
    repeated = places[:, None].repeat(1, STYLES_OF_CONDITION, 1, 1)
    return Renders(*(x.flatten(0, 1).numpy() for x in (pictures, labels, repeated)))


def _conditions(n: int, seed: int) -> Conditions:
    """Time, season and weather of each; snow falls in winter only, and by night a storm is not told from clouds."""
    generator = torch.Generator().manual_seed(seed)
    time, season, weather = (
        torch.multinomial(torch.tensor(p), n, replacement=True, generator=generator) for p in (_TIME, _SEASON, _WEATHER)
    )
    season = torch.where(weather == WEATHERS.index("snowfall"), SEASONS.index("winter"), season)
    stormy_night = (weather == WEATHERS.index("storm")) & (time == TIMES.index("night"))
    weather = torch.where(stormy_night, WEATHERS.index("cloudy"), weather)
    return make_conditions(n, time, season, weather, seed=seed + 1)


def _enlarged(shot: Shot) -> Shot:
    """At the size that styles are painted at."""
    size = (RENDERED, RENDERED)
    rgb = F.interpolate(shot.rgb, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    depth, cover, water, trees = (
        F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        for x in (shot.depth, shot.cover, shot.water, shot.trees)
    )
    return replace(shot, rgb=rgb, depth=depth, cover=cover, water=water, trees=trees)


def _labels(told: list[Facts]) -> Tensor:
    """int64 [n, heads] by ``LABELLED``, but for the style."""
    rows = []
    for f in told:
        blooms = f.flowers > 0 and f.season == "summer" and f.time != "night"
        own = {
            "terrain": TERRAINS.index(f.terrain),
            "time": TIMES.index(f.time),
            "season": SEASONS.index(f.season),
            "weather": WEATHERS.index(f.weather),
            "style": -1,
            "building": 0 if f.building is None else BUILDINGS.index(f.building) + 1,
            "boat": int(f.boat),
            "trees": 1 if f.trees or f.forest > 0.03 else 0 if f.forest < 0.005 else -1,
            "flowers": 1 if blooms else -1 if f.flowers else 0,  # in other seasons and by night they are hardly seen
        }
        rows.append([own[head] for head in LABELLED])
    return torch.tensor(rows)


def _places(geometry: Geometry) -> Tensor:
    """float32 [n, 2, 2]"""
    found = []
    for spot in (geometry.building, geometry.boat):
        middle = torch.stack([spot.x, spot.y - spot.px * 0.3], -1) / geometry.side  # [n, 2]
        found.append(torch.where(spot.ok[:, None], middle, -1.0))
    return torch.stack(found, 1).float()
