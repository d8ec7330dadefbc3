"""All sprites in one tensor."""

from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import torch
from torch import Tensor

from training.scenes.sprites.buildings import cabin, castle, church, house, lighthouse, windmill
from training.scenes.sprites.trees_and_boats import bare_tree, boat, pine, round_tree

SpriteRanges: TypeAlias = dict[str, tuple[int, int]]  # kind: first number, how many

_KINDS: dict[str, tuple[Callable[[int], Tensor], int]] = {
    "pine": (pine, 8),
    "round": (round_tree, 8),
    "bare": (bare_tree, 4),
    "house": (house, 10),
    "cabin": (cabin, 2),
    "church": (church, 2),
    "castle": (castle, 3),
    "lighthouse": (lighthouse, 3),
    "windmill": (windmill, 3),
    "boat": (boat, 4),
}


@cache
def build_atlas() -> tuple[Tensor, SpriteRanges]:
    """Every sprite [sprites,8,128,128], and which numbers each kind has. Drawn once; not to be written to."""
    sprites: list[Tensor] = []
    ranges: SpriteRanges = {}
    for kind, (make, count) in _KINDS.items():
        ranges[kind] = (len(sprites), count)
        sprites += [make(seed) for seed in range(count)]
    return torch.stack(sprites), ranges
