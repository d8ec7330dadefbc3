"""Drawn looks: pencil, ink lines, and a quick colour sketch."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from training.scenes.arithmetic import blur, colour, image_grid, layer, mix, smooth
from training.scenes.renderer import Shot
from training.scenes.styles.filters import contrast, edges, kuwahara, luminance, saturate
from training.scenes.styles.hand import Hand

_HATCHING = ((0.8, 0.80, 0.25), (2.3, 0.55, 0.1), (0.2, 0.36, 0.0))  # angle; brightness where it begins and is full


def _outlines(shot: Shot, hand: Hand, wobble: float) -> tuple[Tensor, Tensor]:
    """Ink where depth or brightness jumps [n,1,h,w], and the wobbly grid it was drawn on [n,h,w,2]."""
    by_depth = smooth(0.12, 0.5, edges(blur(shot.depth, 1)))
    by_kind = smooth(0.12, 0.5, edges(blur(shot.water + 0.8 * shot.trees, 1)))
    by_light = smooth(0.16, 0.45, edges(luminance(kuwahara(shot.rgb, 3))))
    ink = torch.maximum(torch.maximum(by_depth, by_light), by_kind * 0.8)
    grid = hand.grid_beside(hand.field(16, 2), hand.field(16, 2), wobble)
    return F.grid_sample(ink, grid, padding_mode="border", align_corners=True), grid


def pencil(shot: Shot, hand: Hand) -> Tensor:
    """Outlines and three layers of hatching, grey on paper."""
    outlines, _ = _outlines(shot, hand, 0.006)
    light = luminance(kuwahara(shot.rgb, 2))
    low, high = light.amin((2, 3), keepdim=True), light.amax((2, 3), keepdim=True)
    light = ((light - low) / (high - low + 1e-3)).clamp(0, 1).pow(0.8)
    ys, xs = image_grid(1, hand.h, hand.w, hand.device)
    bend = hand.field(30, 2)
    hatching = torch.zeros_like(light)
    for angle, begin, full in _HATCHING:
        cos, sin = math.cos(angle), math.sin(angle)
        along, across = xs * cos + ys * sin, ys * cos - xs * sin
        strokes = layer(hand.noise(along / 26 + bend * 2, across / 1.7 + bend * 3 + angle * 5, 0))
        hatching = hatching + smooth(begin, full, light) * smooth(-0.45, 0.55, strokes) * 0.42
    grain = layer(hand.field(1.5))
    graphite = (hatching * (0.85 + 0.3 * grain) + outlines * (0.62 + 0.25 * grain)).clamp(0, 0.93)
    paper = colour(0.96, 0.95, 0.925, hand.device) + 0.010 * grain
    return mix(paper, colour(0.17, 0.17, 0.185, hand.device), graphite)


def lines(shot: Shot, hand: Hand) -> Tensor:
    """Outlines in ink, thin or thick."""
    ink, _ = _outlines(shot, hand, 0.010)
    ink = mix(ink, (blur(ink, 1) * 1.9).clamp(0, 1), hand.coin(0.4).float())
    yellowed, pale, strong = hand.numbers(3)
    paper = 1 - 0.06 * yellowed * colour(0.3, 0.6, 1.0, hand.device)
    black = 0.05 + 0.2 * pale * torch.ones_like(shot.rgb)
    return mix(paper.expand_as(shot.rgb), black, ink * (0.75 + 0.25 * strong))


def sketch(shot: Shot, hand: Hand) -> Tensor:
    """A quick marker or crayon sketch: blobs of colour, wobbly outlines, bare paper."""
    x = shot.rgb
    outlines, grid = _outlines(shot, hand, 0.022)
    blobs = F.avg_pool2d(kuwahara(kuwahara(x, 7), 6), 8)
    blobs = F.interpolate(blobs, size=(hand.h, hand.w), mode="bilinear", align_corners=False)
    blobs = F.grid_sample(kuwahara(blobs, 6), grid, padding_mode="border", align_corners=True)
    blobs = saturate(contrast(blobs, 0.3), 1.35)
    blobs = (blobs * 4.0).round() / 4.0 * 0.75 + 0.25 * blobs
    ys, xs = image_grid(1, hand.h, hand.w, hand.device)
    bend = hand.field(40, 2)
    angle = 0.3 + 2.2 * hand.uniform(1, 1)
    along, across = xs * angle.cos() + ys * angle.sin(), ys * angle.cos() - xs * angle.sin()
    strokes = layer(hand.noise(along / 42 + bend, across / 3.2 + bend * 2, 1))
    left_white, outlined, *_ = hand.numbers(4)
    bare = smooth(0.1, 0.8, strokes) * 0.38 * (left_white < 0.4)
    y = mix(blobs, torch.full_like(blobs, 0.97), bare)
    ink = (blur(outlines, 1) * 1.6).clamp(0, 1) * (outlined < 0.7)
    return mix(y, 0.12 + 0.1 * blobs, ink * 0.8)
