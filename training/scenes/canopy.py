"""Forests: every cell of a grid on the ground may hold one tree."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.scenes.arithmetic import mix, smooth, wide
from training.scenes.ground import Ground
from training.scenes.noise import NoiseField
from training.scenes.view import View


@dataclass(frozen=True, eq=False)
class Canopy:
    """On the grid of a View, [n,depths,side] unless said otherwise."""

    density: Tensor  # of the forest, 0..1
    top: Tensor  # height of the trees over the ground, metres
    tint: Tensor  # 0..1, one for each tree
    conifer: Tensor  # 0 or 1
    across: Tensor  # -1 left edge of the crown .. 1 right edge
    usual: Tensor  # [n,1,1] the usual height of a tree, metres


def build_canopy(noise: NoiseField, view: View, ground: Ground) -> Canopy:
    usual = wide(view.layouts.tree_height) * (view.cam / 8.0).clamp(0.5, 1.6)
    density = _density(noise, view, ground)
    finest = usual * 0.42
    cell = finest * torch.exp2((torch.log2(view.z * 0.022 / finest)).clamp(min=0).ceil())  # coarser with distance
    cx, cz = view.x / cell, view.zz / cell
    ix, iz = cx.floor(), cz.floor()
    r = noise.hash[_cell_number(ix, iz, view)]  # [n,depths,side,4]
    shift = cx - ix - 0.5 - (r[..., 0] - 0.5) * 0.5
    off = shift.abs() / 0.5
    conifer = (r[..., 1] < wide(view.layouts.conifer)).float()
    round_crown = (1 - off.square()).clamp(min=0).sqrt() * 0.45 + 0.35 * (off < 0.95)
    profile = mix(round_crown, (1 - off).clamp(min=0), conifer)
    profile = profile * (0.62 + 0.55 * r[..., 2])
    stands = (r[..., 3] < 0.35 + 0.65 * density).float()
    top = usual * profile * density * stands * (1 - 0.6 * smooth(2500, 9000, view.z))
    top = torch.where(density > 0.02, top, torch.zeros_like(top))
    tint = r[..., 2] * 0.6 + r[..., 0] * 0.4
    return Canopy(density, top, tint, conifer, off * torch.sign(shift), usual)


def _density(noise: NoiseField, view: View, ground: Ground) -> Tensor:
    """Woods in patches, not on steep or high ground, dunes, water, or right before the camera."""
    layouts, cam, z = view.layouts, view.cam, view.z
    s0, s1, s2, s3 = view.s
    patches = (
        noise.octaves(view.x / (cam * 12 + z * 0.12) + s3, view.zz / (cam * 30) + s2, 3, 1) * 0.75
        + noise.octaves(view.column * 4 + s1, view.log_z * 4 + s0, 3) * 0.5
    )
    tree_line = wide(layouts.mountain_slope) * wide(layouts.mountain_distance) * 0.55 + cam * 6
    density = smooth(0.0, 0.10, wide(layouts.forest) - 0.42 + patches * 0.85) * smooth(1.25, 0.7, ground.slope)
    density = density * (1 - ground.water) * smooth(7.0, 14.0, view.zc)
    return density * smooth(1.15, 0.75, ground.height / tree_line) * (1 - wide(layouts.dune_slope).sign())


def _cell_number(ix: Tensor, iz: Tensor, view: View) -> Tensor:
    """A cell's row in the hash table."""
    low = torch.remainder(ix * 37 + view.s[0].floor() * 11, 256)
    return (low + 256 * torch.remainder(iz * 91 + ix * 17, 256)).long().clamp(0, 65535)
