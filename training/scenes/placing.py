"""Where single trees, the building and the boat stand: the best of 48 random spots for each."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from training.scenes.batch import Batch
from training.scenes.canopy import Canopy
from training.scenes.ground import Ground
from training.scenes.layouts import TREES, Layouts
from training.scenes.names import BUILDINGS
from training.scenes.sprites.atlas import SpriteRanges
from training.scenes.view import View

_BUILDING, _BOAT, _FIRST_TREE = 0, 1, 2  # rows of Layouts.spots
_BUILDING_HEIGHTS = (8.0, 6.0, 17.0, 40.0, 26.0, 15.0)  # metres, of BUILDINGS


@dataclass(frozen=True, eq=False)
class Spot(Batch):
    """A sprite in each of n places, all [n]; positions in pixels."""

    ok: Tensor  # bool: whether there is one
    x: Tensor  # of the middle
    y: Tensor  # of the foot
    z: Tensor  # depth, metres
    px: Tensor  # width and height
    sprite: Tensor  # number in the atlas
    hue: Tensor  # 0..1
    bare: Tensor  # number in the atlas of a tree without its leaves; the same sprite for everything else
    conifer: Tensor  # bool


@dataclass(frozen=True, eq=False)
class Standing(Batch):
    """What found a place to stand, all [n]."""

    building: Tensor  # number in BUILDINGS, -1: none
    boat: Tensor  # bool
    trees: Tensor  # how many single trees
    pines: Tensor  # how many of them are conifers

    @classmethod
    def of(cls, layouts: Layouts, building: Spot, boat: Spot, trees: tuple[Spot, ...]) -> "Standing":
        there = torch.stack([tree.ok for tree in trees])  # [7,n]
        pines = there & torch.stack([tree.conifer for tree in trees])
        return cls(torch.where(building.ok, layouts.building, -1), boat.ok, there.long().sum(0), pines.long().sum(0))


def place_sprites(
    view: View, ground: Ground, canopy: Canopy, projected: Tensor, skyline: Tensor, ranges: SpriteRanges
) -> tuple[Spot, Spot, tuple[Spot, ...]]:
    """The building, the boat, and the trees from far to near.

    ``projected`` and ``skyline`` [n,depths,side] are the heights on the screen of each depth and of all before it.
    """
    site = _Site(view, ground, canopy, projected, skyline)
    trees = [_tree(site, i, ranges) for i in range(TREES)]
    order = torch.stack([tree.z for tree in trees], 1).argsort(1, descending=True)  # [n,7]
    return (
        _building(site, ranges),
        _boat(site, ranges),
        tuple(_chosen(trees, order[:, i : i + 1]) for i in range(TREES)),
    )


def _chosen(trees: list[Spot], which: Tensor) -> Spot:
    """In each place the tree of this number, [n,1]."""
    names = [field.name for field in fields(Spot)]
    return Spot(**{name: torch.stack([getattr(t, name) for t in trees], 1).gather(1, which)[:, 0] for name in names})


@dataclass(frozen=True, eq=False)
class _Found:
    ok: Tensor
    x: Tensor
    y: Tensor
    z: Tensor
    px: Tensor


@dataclass(frozen=True, eq=False)
class _Site:
    """Where sprites can be put; all but the view [n,depths,side]."""

    view: View
    ground: Ground
    canopy: Canopy
    projected: Tensor
    skyline: Tensor

    def find(
        self, slot: int, size: Tensor, height: Tensor, spread: float, edge: float = 0.0, afloat: bool = False
    ) -> _Found:
        """The best spot for a thing ``height`` metres high [n] that should fill ``size`` of the picture [n].

        Spots are tried at distances e^(+-spread/2) around the one where it has that size, and not nearer than
        ``edge`` (a share of the width) to the picture's sides.
        """
        view, layouts, side = self.view, self.view.layouts, self.view.side
        f, height, size = view.f[:, 0], height[:, None], size[:, None]  # [n,1] each
        u = layouts.spots[:, slot]  # [n,48,2]
        z = f * height / (size * side) * torch.exp((u[..., 0] - 0.5) * spread)  # [n,48]
        first, last = torch.log(view.z[:, 0]), torch.log(view.z[:, -1])
        k = ((torch.log(z) - first) / (last - first) * (view.depths - 1)).round().long().clamp(2, view.depths - 2)
        low, high = edge, 1.0 - edge
        c = ((low + (high - low) * u[..., 1]) * (side - 1)).long()
        b = torch.arange(len(layouts), device=u.device)[:, None]
        row = -(view.v0[:, 0] - f * (self.ground.height[b, k, c] - view.cam[:, 0]) / view.z[b, k, 0])
        lowest = 1.04 if slot >= _FIRST_TREE else 0.97  # a tree's foot may be below the picture
        inside = (row > -side * lowest) & (row < 0)
        in_view = row >= self.skyline[b, k - 1, c] - 1.5 - 0.10 * size * side
        water = self.ground.water[b, k, c]
        good = (water > 0.95 if afloat else water < 0.02) & inside & in_view
        steep = self.ground.slope[b, k, c].clamp(max=3)
        score = good.float() * 10 - steep * 2 - self.canopy.density[b, k, c] * 0.5 + layouts.spot_taste * 0.5
        best = score.argmax(1, keepdim=True)
        zb = view.z[b[:, 0], k.gather(1, best)[:, 0], 0]
        return _Found(
            ok=good.gather(1, best)[:, 0],
            x=c.gather(1, best)[:, 0].float(),
            y=-row.gather(1, best)[:, 0],
            z=zb,
            px=f[:, 0] * height[:, 0] / zb,
        )


def _building(site: _Site, ranges: SpriteRanges) -> Spot:
    layouts = site.view.layouts
    device, kind = layouts.building.device, layouts.building.clamp(min=0)
    height = torch.tensor(_BUILDING_HEIGHTS, device=device)[kind] * (layouts.camera_height / 8.0).clamp(0.45, 2.2)
    found = site.find(_BUILDING, layouts.building_size, height, 1.3, edge=0.08)
    start = torch.tensor([ranges[name][0] for name in BUILDINGS], device=device)
    count = torch.tensor([ranges[name][1] for name in BUILDINGS], device=device)
    sprite = start[kind] + layouts.building_variant % count[kind]
    return _plain_spot(found, found.ok & (layouts.building >= 0), sprite)


def _boat(site: _Site, ranges: SpriteRanges) -> Spot:
    layouts = site.view.layouts
    height = 9.0 * (layouts.camera_height / 8).clamp(0.6, 2)
    found = site.find(_BOAT, layouts.boat_size, height, 1.6, edge=0.08, afloat=True)
    return _plain_spot(found, found.ok & (layouts.boat >= 0), ranges["boat"][0] + layouts.boat.clamp(min=0))


def _plain_spot(found: _Found, ok: Tensor, sprite: Tensor) -> Spot:
    nothing = torch.zeros_like(found.z)
    return Spot(ok, found.x, found.y, found.z, found.px, sprite, nothing, sprite, nothing.bool())


def _tree(site: _Site, i: int, ranges: SpriteRanges) -> Spot:
    layouts = site.view.layouts
    height = layouts.tree_height * (layouts.camera_height / 8).clamp(0.5, 1.6)
    found = site.find(_FIRST_TREE + i, layouts.tree_size[:, i] * 1.15, height, 1.0)
    hue, variant = layouts.tree_hue[:, i], layouts.tree_variant[:, i]
    conifer = hue * 0.5 + 0.25 < layouts.conifer * 0.6 + 0.2
    leafy = torch.where(conifer, ranges["pine"][0], ranges["round"][0]) + variant % 8
    return Spot(
        ok=found.ok & (i < layouts.tree_count) & ~layouts.is_terrain("desert"),
        x=found.x,
        y=found.y,
        z=found.z,
        px=found.px,
        sprite=leafy,
        hue=hue,
        bare=ranges["bare"][0] + variant % 4,
        conifer=conifer,
    )
