"""Brush strokes: one for each cell of a grid, its colour picked up from the picture below it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.scenes.arithmetic import blur, layer, mix
from training.scenes.styles.filters import emboss
from training.scenes.styles.hand import Hand

_REACH = 2  # cells that a stroke may reach into on each side


@dataclass(frozen=True)
class Brush:
    """Lengths in pixels."""

    cell: int
    length: float
    width: float
    jitter: float  # of the brightness, in 0..1
    hue_jitter: float  # of each colour channel
    turn: float = 0.35  # of the direction, radians


@dataclass(frozen=True, eq=False)
class Strokes:
    rgb: Tensor  # [n,3,h,w]
    cover: Tensor  # [n,1,h,w] 0 or 1
    height: Tensor  # [n,1,h,w] of the paint, about 0..1


class Canvas:
    """Layers of strokes over a first picture."""

    def __init__(self, ground: Tensor, hand: Hand) -> None:
        self._rgb = ground
        self._height: Tensor | None = None
        self._hand = hand

    def paint(
        self, colours: Tensor, angle: Tensor, brush: Brush, raised: float = 0.0, keep: Tensor | None = None
    ) -> None:
        """One more layer; it lies ``raised`` above the ones before it."""
        strokes = lay_strokes(colours, angle, brush, self._hand, keep)
        self._rgb = mix(self._rgb, strokes.rgb, strokes.cover)
        if self._height is None:
            self._height = strokes.height
        else:
            self._height = mix(self._height, strokes.height + raised, strokes.cover)

    def finish(self, relief: float) -> Tensor:
        """The painting, with light on its relief."""
        assert self._height is not None, "nothing was painted"
        return self._rgb + emboss(self._height, relief)


def lay_strokes(x: Tensor, angle: Tensor, brush: Brush, hand: Hand, keep: Tensor | None = None) -> Strokes:
    """One layer of strokes in the colours of ``x`` [n,3,h,w], along ``angle`` [n,h,w].

    ``keep`` [n,h,w] in 0..1 is how likely a stroke is there at all. h and w are multiples of the brush's cell.
    """
    n, _, h, w = x.shape
    gy, gx, cell = h // brush.cell, w // brush.cell, brush.cell
    plan = F.pad(_plan(x, angle, brush, hand, keep), (_REACH,) * 4, mode="replicate")  # [n,9,gy+4,gx+4]
    py = torch.arange(h, device=x.device).float().view(1, gy, cell, 1, 1)
    px = torch.arange(w, device=x.device).float().view(1, 1, 1, gx, cell)
    top = torch.full((n, gy, cell, gx, cell), -1.0, device=x.device)  # rank of the uppermost stroke so far
    height = torch.zeros_like(top)
    rgb = torch.zeros(n, 3, gy, cell, gx, cell, device=x.device)
    for oy in range(2 * _REACH + 1):
        for ox in range(2 * _REACH + 1):
            near = plan[:, :, oy : oy + gy, ox : ox + gx]
            cx, cy, cos, sin, rank, there = (p.view(n, gy, 1, gx, 1) for p in near[:, :6].unbind(1))
            dx, dy = px - cx, py - cy
            u = (dx * cos + dy * sin) / (brush.length / 2)
            v = (dy * cos - dx * sin) / (brush.width / 2)
            inside = (u.pow(4) + v.square() < 1) & (there > 0) & (rank > top)
            top = torch.where(inside, rank, top)
            height = torch.where(inside, 1 - v.square() * 0.8 - 0.2 * u, height)
            rgb = torch.where(layer(inside), near[:, 6:9].view(n, 3, gy, 1, gx, 1), rgb)
    cover = (top > -1).float().view(n, 1, h, w)
    return Strokes(rgb.view(n, 3, h, w), cover, height.view(n, 1, h, w))


def _plan(x: Tensor, angle: Tensor, brush: Brush, hand: Hand, keep: Tensor | None) -> Tensor:
    """For every cell a stroke's centre x and y, cosine and sine, rank, whether it is there, and colour: [n,9,gy,gx]."""
    n, _, h, w = x.shape
    gy, gx, cell = h // brush.cell, w // brush.cell, brush.cell
    off = (hand.uniform(2, gy, gx) - 0.5) * 0.95
    cy = (torch.arange(gy, device=x.device).view(1, -1, 1) + 0.5 + off[:, 0]) * cell
    cx = (torch.arange(gx, device=x.device).view(1, 1, -1) + 0.5 + off[:, 1]) * cell
    pixel = (cy.long().clamp(0, h - 1) * w + cx.long().clamp(0, w - 1)).view(n, -1)  # below the centre

    soft = blur(x, max(1, cell // 6))
    rgb = soft.reshape(n, 3, -1).gather(2, pixel[:, None].expand(-1, 3, -1)).view(n, 3, gy, gx)
    brighter = (hand.uniform(1, gy, gx) - 0.5) * 2 * brush.jitter
    rgb = rgb + brighter + (hand.uniform(3, gy, gx) - 0.5) * 2 * brush.hue_jitter
    turned = angle.reshape(n, -1).gather(1, pixel).view(n, gy, gx) + (hand.uniform(gy, gx) - 0.5) * brush.turn
    rank = hand.uniform(gy, gx)
    there = torch.ones_like(rank)
    if keep is not None:
        there = (keep.reshape(n, -1).gather(1, pixel).view(n, gy, gx) > hand.uniform(gy, gx)).float()
    return torch.cat([torch.stack([cx, cy, turned.cos(), turned.sin(), rank, there], 1), rgb], 1)
