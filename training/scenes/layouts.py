"""What is where in a place."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.scenes.batch import Batch
from training.scenes.names import TERRAINS, WATER_KINDS, Terrain, WaterKind

SPOTS = 48  # places tried for each tree, boat and building
TREES = 7


@dataclass(frozen=True, eq=False)
class Layouts(Batch):
    """n places. All tensors begin with n; lengths are in metres, slopes are heights over distances."""

    terrain: Tensor  # [n] number in TERRAINS
    seed: Tensor  # [n,4] offsets into the noise, 7..97
    # camera
    camera_height: Tensor  # [n] above the water or the ground
    horizon: Tensor  # [n] its row, as a share of the picture's height
    focal: Tensor  # [n] focal length in picture widths
    # water
    water_kind: Tensor  # [n] number in WATER_KINDS, as a float
    shore_near: Tensor  # [n] in camera heights
    shore_far: Tensor  # [n] in camera heights
    river: Tensor  # [n,4] drift, swing, phase, width
    # relief
    mountain_slope: Tensor  # [n] 0: no mountains
    mountain_distance: Tensor
    mountain_width: Tensor  # in distances
    gap_place: Tensor  # of a gap between the mountains, -0.8..0.8 across the picture
    gap_depth: Tensor  # 0..0.75
    hill_slope: Tensor
    hill_width: Tensor
    dune_slope: Tensor
    mesa: Tensor  # 0 or 1
    cliff_slope: Tensor
    side: Tensor  # -1 or 1: of cliffs and of the moon's shadow
    cliff_place: Tensor
    # cover
    forest: Tensor  # -1..1
    conifer: Tensor  # share of conifers, 0..1
    tree_height: Tensor
    grass: Tensor  # [n,3] tint
    rock: Tensor  # [n,3] tint
    flowers: Tensor  # 0..1
    flower_hue: Tensor  # 0..3
    snow_line: Tensor  # share of the relief below it
    snow_ground: Tensor  # 1: snow in every season
    water_hue: Tensor  # 0..1
    # objects; sizes are shares of the picture's height
    building: Tensor  # number in BUILDINGS, -1: none
    building_size: Tensor
    building_variant: Tensor
    boat: Tensor  # variant, -1: none
    boat_size: Tensor
    tree_count: Tensor
    tree_variant: Tensor  # [n,7]
    tree_size: Tensor  # [n,7]
    tree_hue: Tensor  # [n,7] 0..1
    spots: Tensor  # [n,9,48,2] distance and column, 0..1: where building, boat and trees may stand
    spot_taste: Tensor  # [n,48] 0..1: decides between spots that are equally good
    # sky
    sun_x: Tensor  # picture widths right of the middle
    sun_side: Tensor  # -1 or 1
    cloud: Tensor  # 0..1
    cloud_kind: Tensor  # 0 puffy .. 1 streaky
    moon_x: Tensor
    moon_y: Tensor
    milky: Tensor  # 0 or 1
    aurora: Tensor  # 0 or 1
    chances: Tensor  # [n,8] 0..1, read by the properties below

    def is_terrain(self, *names: Terrain) -> Tensor:
        """[n] bool."""
        return torch.stack([self.terrain == TERRAINS.index(name) for name in names]).any(0)

    def has_water(self, *kinds: WaterKind) -> Tensor:
        """[n] bool."""
        return torch.stack([self.water_kind == WATER_KINDS.index(kind) for kind in kinds]).any(0)

    @property
    def full_moon(self) -> Tensor:
        return self.chances[:, 0] < 0.45

    @property
    def moonlit(self) -> Tensor:
        return self.chances[:, 1] < 0.62

    @property
    def milky_tilt(self) -> Tensor:
        return self.chances[:, 2] * 2.4 - 1.2

    @property
    def freezes(self) -> Tensor:
        return self.chances[:, 3] < 0.3
