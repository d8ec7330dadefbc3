"""Drawing places at random, part by part."""

import torch
from torch import Tensor

from training.scenes.layouts import SPOTS, TREES, Layouts
from training.scenes.names import BUILDINGS, TERRAINS, WATER_KINDS, Terrain, number_of

_SHARES = [0.19, 0.13, 0.10, 0.11, 0.07, 0.08, 0.09, 0.05, 0.07, 0.04, 0.05, 0.07]  # of TERRAINS
HELD_OUT_SEED = 987654
HELD_OUT_SETS = 1000  # this seed and the ones after it are never trained on
HELD_OUT_PLACES = 400  # in each set


def sample_layouts(n: int, seed: int) -> Layouts:
    """``n`` places, on the CPU. A seed belongs to one n: the first of 400 are other places than the first of 8."""
    if n < 1:
        raise ValueError(f"n is {n}: at least one place must be asked for")
    draw = _Draw(n, seed)
    noise_offsets = draw.numbers(4) * 90 + 7
    # the order is part of the seed's meaning: every part takes the numbers that follow those of the last
    camera = _camera(draw)
    water = _water(draw)
    relief = _relief(draw) | _shapes(draw)
    cover = _cover(draw)
    objects = _objects(draw, water["water_kind"])
    sky = _sky(draw)
    return Layouts(draw.terrain, noise_offsets, **camera, **water, **relief, **cover, **objects, **sky)


def held_out(n: int, terrain: Terrain | int | None = None, offset: int = 0) -> Layouts:
    """The first ``n`` places (of one terrain, if named) of a set that no training uses.

    Each ``offset`` in 0..999 is another set of 400 places; sets share no place.
    """
    if not 0 <= offset < HELD_OUT_SETS:
        raise ValueError(f"offset is {offset}: held-out sets are 0..{HELD_OUT_SETS - 1}")
    layouts = sample_layouts(HELD_OUT_PLACES, HELD_OUT_SEED + offset)
    if terrain is not None:
        layouts = layouts[(layouts.terrain == number_of("terrain", TERRAINS, terrain)).nonzero()[:, 0]]
    if not 1 <= n <= len(layouts):
        kind = "" if terrain is None else f" of terrain {terrain!r}"
        raise ValueError(f"n is {n}: this held-out set has 1..{len(layouts)} places{kind}")
    return layouts[:n]


def is_held_out_seed(seed: int) -> bool:
    """Whether ``sample_layouts`` with this seed would draw held-out places, which training must not see."""
    return HELD_OUT_SEED <= seed < HELD_OUT_SEED + HELD_OUT_SETS


class _Draw:
    """Random numbers for n places, and the terrain of each, on which most of them depend."""

    def __init__(self, n: int, seed: int) -> None:
        self.n = n
        self.generator = torch.Generator().manual_seed(seed)
        self.terrain = torch.multinomial(torch.tensor(_SHARES), n, replacement=True, generator=self.generator)

    def numbers(self, *shape: int) -> Tensor:
        return torch.rand(self.n, *shape, generator=self.generator)

    def uniform(self, low: float, high: float) -> Tensor:
        return low + (high - low) * self.numbers()

    def log_uniform(self, low: float, high: float) -> Tensor:
        """Between e^low and e^high."""
        return torch.exp(self.uniform(low, high))

    def integers(self, end: int, *shape: int) -> Tensor:
        return torch.randint(0, end, (self.n, *shape), generator=self.generator)

    def chance(self, p: float) -> Tensor:
        return (self.numbers() < p).float()

    def sign(self) -> Tensor:
        return torch.where(self.numbers() < 0.5, -1.0, 1.0)

    def all(self, value: float) -> Tensor:
        return torch.full((self.n,), value)

    def by_terrain(self, otherwise: Tensor, **values: Tensor) -> Tensor:
        """``values`` of the named terrains; all of them were drawn for every place."""
        out = otherwise
        for name, value in values.items():
            out = torch.where(self.terrain == number_of("terrain", TERRAINS, name), value, out)
        return out


def _camera(draw: _Draw) -> dict[str, Tensor]:
    height = draw.by_terrain(
        draw.log_uniform(1.2, 3.0),
        mountains=draw.log_uniform(1.6, 3.6),
        sea=draw.log_uniform(1.0, 2.3),
        desert=draw.log_uniform(1.8, 3.2),
        canyon=draw.log_uniform(2.5, 4.0),
        forest=draw.log_uniform(1.0, 2.2),
        river_valley=draw.log_uniform(2.6, 3.8),
        meadow=draw.log_uniform(0.9, 2.0),
    )
    horizon = draw.by_terrain(
        draw.uniform(0.42, 0.60),
        mountains=draw.uniform(0.5, 0.66),
        sea=draw.uniform(0.42, 0.62),
        river_valley=draw.uniform(0.36, 0.5),
        canyon=draw.uniform(0.42, 0.55),
    )
    return {"camera_height": height, "horizon": horizon, "focal": draw.uniform(0.8, 1.25)}


def _water(draw: _Draw) -> dict[str, Tensor]:
    lake, sea, river = (WATER_KINDS.index(kind) for kind in ("lake", "sea", "river"))
    kind = draw.by_terrain(
        draw.all(0.0),
        mountain_lake=draw.all(lake),
        forest_lake=draw.all(lake),
        sea=draw.all(sea),
        coast_cliffs=draw.all(sea),
        river_valley=draw.all(river),
        meadow=river * draw.chance(0.3),
        hills=river * draw.chance(0.2),
    )
    near = draw.uniform(1.2, 4.2) * torch.where(draw.numbers() < 0.35, 0.3, 1.0)
    far = draw.by_terrain(draw.log_uniform(2.8, 4.8), forest_lake=draw.log_uniform(2.3, 3.6))
    stream = [draw.uniform(-0.5, 0.5), draw.uniform(0.6, 1.5), draw.uniform(0, 6.28), draw.uniform(5, 12)]
    return {"water_kind": kind, "shore_near": near, "shore_far": far, "river": torch.stack(stream, 1)}


def _relief(draw: _Draw) -> dict[str, Tensor]:
    mountains = draw.by_terrain(
        draw.chance(0.35),
        mountain_lake=draw.all(1.0),
        mountains=draw.all(1.0),
        river_valley=draw.chance(0.85),
        desert=draw.chance(0.25),
        sea=draw.chance(0.3),
        canyon=draw.all(0.0),
        snowfield=draw.chance(0.8),
        forest=draw.chance(0.4),
        forest_lake=draw.chance(0.6),
    )
    return {
        "mountain_slope": mountains * draw.uniform(0.20, 0.52),
        "mountain_distance": draw.log_uniform(7.3, 8.9),
        "mountain_width": draw.uniform(0.55, 1.15),
        "gap_place": draw.uniform(-0.8, 0.8),
        "gap_depth": draw.uniform(0.0, 0.75),
    }


def _shapes(draw: _Draw) -> dict[str, Tensor]:
    hills = draw.by_terrain(
        draw.uniform(0.01, 0.05),
        hills=draw.uniform(0.06, 0.13),
        mountains=draw.uniform(0.05, 0.12),
        river_valley=draw.uniform(0.07, 0.14),
        sea=draw.uniform(0.0, 0.03),
        meadow=draw.uniform(0.008, 0.035),
        snowfield=draw.uniform(0.03, 0.09),
        canyon=draw.uniform(0.1, 0.2),
        coast_cliffs=draw.uniform(0.02, 0.05),
        desert=draw.uniform(0.005, 0.02),
    )
    zero = draw.all(0.0)
    return {
        "hill_slope": hills,
        "hill_width": draw.uniform(0.35, 1.1),
        "dune_slope": draw.by_terrain(zero, desert=draw.uniform(0.16, 0.30)),
        "mesa": draw.by_terrain(zero, canyon=draw.all(1.0), desert=draw.chance(0.15)),
        "cliff_slope": draw.by_terrain(
            zero, coast_cliffs=draw.uniform(0.10, 0.28), sea=draw.chance(0.35) * draw.uniform(0.06, 0.2)
        ),
        "side": draw.sign(),
        "cliff_place": draw.uniform(0.02, 0.35),
    }


def _cover(draw: _Draw) -> dict[str, Tensor]:
    forest = draw.by_terrain(
        draw.uniform(-0.1, 0.5),
        forest=draw.uniform(0.75, 1.0),
        forest_lake=draw.uniform(0.6, 1.0),
        desert=draw.all(-1.0),
        canyon=draw.uniform(-1, -0.2),
        meadow=draw.uniform(-0.3, 0.25),
        snowfield=draw.uniform(-0.4, 0.4),
        sea=draw.uniform(-1, 0.2),
        mountain_lake=draw.uniform(0.0, 0.75),
    )
    conifer = draw.by_terrain(
        draw.uniform(0, 1),
        mountain_lake=draw.uniform(0.35, 1),
        mountains=draw.uniform(0.3, 1),
        snowfield=draw.uniform(0.6, 1),
        meadow=draw.uniform(0, 0.5),
        hills=draw.uniform(0, 0.6),
    )
    tree_height = draw.uniform(9, 17)
    grass = torch.stack([draw.uniform(0.8, 1.2), draw.uniform(0.88, 1.1), draw.uniform(0.7, 1.25)], 1)
    brightness = draw.uniform(0.8, 1.15)[:, None]
    rock = brightness * torch.stack([draw.uniform(0.97, 1.1), draw.all(1.0), draw.uniform(0.9, 1.04)], 1)
    return {
        "forest": forest,
        "conifer": conifer,
        "tree_height": tree_height,
        "grass": grass,
        "rock": rock,
        "flowers": draw.by_terrain(draw.chance(0.1), meadow=draw.chance(0.65)) * draw.uniform(0.4, 1),
        "flower_hue": draw.integers(4),
        "snow_line": draw.uniform(0.15, 0.9),
        "snow_ground": draw.by_terrain(draw.all(0.0), snowfield=draw.all(1.0)),
        "water_hue": draw.uniform(0, 1),
    }


def _objects(draw: _Draw, water: Tensor) -> dict[str, Tensor]:
    sea, river = WATER_KINDS.index("sea"), WATER_KINDS.index("river")
    built = draw.by_terrain(draw.numbers(), desert=draw.all(1.0), sea=draw.numbers()) < 0.42
    building = torch.where(built, _building_kind(draw.numbers(), water == sea), -1)
    open_water = (water > 0) & (water < river)
    return {
        "building": building,
        "building_size": draw.uniform(0.10, 0.30),
        "building_variant": draw.integers(1000),
        "boat": torch.where(open_water & (draw.numbers() < 0.3), draw.integers(4), -1),
        "boat_size": draw.uniform(0.06, 0.2),
        "tree_count": draw.by_terrain(
            draw.uniform(0, 7.99).floor(),
            desert=draw.all(0.0),
            canyon=draw.uniform(0, 2).floor(),
            sea=draw.uniform(0, 2.5).floor(),
            forest=draw.uniform(4, 8).floor(),
            forest_lake=draw.uniform(3, 8).floor(),
        ),
        "tree_variant": draw.integers(1000, TREES),
        "tree_size": torch.exp(torch.empty(draw.n, TREES).uniform_(-2.5, -0.95, generator=draw.generator)),
        "tree_hue": draw.numbers(TREES),
        "spots": draw.numbers(2 + TREES, SPOTS, 2),
        # drawn here and not when sprites are placed: so a place is the same alone and among others
        "spot_taste": torch.rand(draw.n, SPOTS, generator=torch.Generator().manual_seed(5)),
    }


def _building_kind(r: Tensor, coast: Tensor) -> Tensor:
    """Numbers in BUILDINGS, by a random number in 0..1: there are lighthouses at the sea and windmills inland."""
    house, cabin, church, castle, lighthouse, windmill = range(len(BUILDINGS))
    inland = torch.where(r < 0.9, castle, windmill)
    for limit, kind in ((0.8, church), (0.68, cabin), (0.45, house)):
        inland = torch.where(r < limit, kind, inland)
    coastal = torch.where(r < 0.6, lighthouse, torch.where(r < 0.85, house, castle))
    return torch.where(coast, coastal, inland)


def _sky(draw: _Draw) -> dict[str, Tensor]:
    return {
        "sun_x": draw.uniform(-0.40, 0.40),
        "sun_side": draw.sign(),
        "cloud": draw.uniform(0, 1),
        "cloud_kind": draw.uniform(0, 1),
        "moon_x": draw.uniform(-0.38, 0.38),
        "moon_y": draw.uniform(0.08, 0.32),
        "milky": draw.chance(0.45),
        "aurora": draw.chance(0.08),
        "chances": draw.numbers(8),
    }
