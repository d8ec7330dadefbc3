"""Painted looks: oil, Van Gogh, watercolour, and pictures made on a computer."""

import torch
import torch.nn.functional as F
from torch import Tensor

from training.scenes.arithmetic import blur, colour, image_grid, layer, mix, smooth, wide
from training.scenes.renderer import Shot
from training.scenes.styles.filters import contrast, edge_flow, edges, kuwahara, luminance, posterize, saturate
from training.scenes.styles.hand import Hand
from training.scenes.styles.strokes import Brush, Canvas

_BAYER = ((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5))  # ordered dither
_PIXELS = (6, 8)  # smaller squares would not survive a latent of 8 pixels


def oil(shot: Shot, hand: Hand) -> Tensor:
    """Strokes along the edges, finer ones where there is detail."""
    base = saturate(contrast(kuwahara(shot.rgb, 3), 0.25), 1.22)
    angle, clear, strong = edge_flow(shot.rgb, 3)
    calm = hand.field(60, 2) * 1.2 + 0.15  # where no edge says how to paint
    angle = torch.where(clear > 0.22, angle, calm)
    detail = smooth(0.02, 0.10, strong)
    canvas = Canvas(base, hand)
    canvas.paint(base, angle, Brush(16, 42, 14, 0.04, 0.02))
    canvas.paint(base, angle, Brush(8, 22, 7, 0.04, 0.025), 0.2, 0.35 + 0.65 * detail)
    canvas.paint(base, angle, Brush(4, 11, 3.2, 0.03, 0.02), 0.3, detail * 0.95)
    bristles = layer(hand.field(1.6))
    return saturate(canvas.finish(0.045) + bristles * 0.016, 1.08)


def vangogh(shot: Shot, hand: Hand) -> Tensor:
    """Long strokes that swirl around sun, moon and stars; ultramarine against chrome yellow."""
    x = shot.rgb
    sky = (1 - shot.cover).clamp(0, 1)
    base = contrast(kuwahara(x, 3), 0.35)
    angle, clear, _ = edge_flow(x, 4)
    swirl, rings = _swirls(shot, hand)
    on_land = torch.where(clear > 0.12, angle, swirl * 0.5)
    angle = torch.where((blur(sky, 3) > 0.5)[:, 0], swirl, on_land)
    colours = _vangogh_colours(base, sky, rings)
    canvas = Canvas(colours * 0.75, hand)
    canvas.paint(colours, angle, Brush(8, 34, 6.0, 0.09, 0.05, turn=0.12))
    canvas.paint(colours, angle, Brush(8, 28, 4.0, 0.12, 0.065, turn=0.16), 0.25)
    _, _, strong = edge_flow(x, 2)
    canvas.paint(colours, angle, Brush(4, 11, 3.0, 0.07, 0.05), 0.35, smooth(0.05, 0.16, strong) * 0.7)
    return saturate(canvas.finish(0.06), 1.12)


def _swirls(shot: Shot, hand: Hand) -> tuple[Tensor, Tensor]:
    """Angle of the strokes, and rings of light around the sun, the moon and the stars: [n,h,w] each."""
    ys, xs = image_grid(1, hand.h, hand.w, hand.device)
    ys, xs = ys / hand.h, xs / hand.w
    turbulence = hand.field(75)
    down, right = turbulence[:, 2:, 1:-1] - turbulence[:, :-2, 1:-1], turbulence[:, 1:-1, 2:] - turbulence[:, 1:-1, :-2]
    vx = F.pad(layer(down), (1,) * 4, mode="replicate")[:, 0] * 34 + 0.38
    vy = -F.pad(layer(right), (1,) * 4, mode="replicate")[:, 0] * 34
    centres = hand.uniform(4, 3)  # x, y and the direction of four swirls; the first is the sun or the moon
    first_x = torch.where(shot.moon, shot.moon_x, centres[:, 0, 0])
    first_y = torch.where(shot.moon, shot.moon_y, centres[:, 0, 1] * 0.4)
    centres[:, 0, 0] = torch.where(shot.sun, shot.sun_x, first_x)
    centres[:, 0, 1] = torch.where(shot.sun, shot.sun_y, first_y)
    centres[:, 1:, 1] *= 0.45
    rings = torch.zeros_like(vx)
    for i in range(4):
        dx, dy = xs - wide(centres[:, i, 0]), ys - wide(centres[:, i, 1])
        r2 = dx * dx + dy * dy
        r = (r2 + 1e-5).sqrt()
        direction = wide(torch.where(centres[:, i, 2] < 0.5, -1.0, 1.0))
        k = torch.exp(-r2 / (0.0115 if i else 0.028)) * 2.2 * direction
        vx, vy = vx - dy / r * k, vy + dx / r * k
        halo = torch.exp(-r2 / (0.004 if i else 0.012)) * (0.6 + 0.4 * torch.cos(r * (150 if i else 100)))
        shines = shot.night if i else shot.sun | shot.moon
        rings = rings + halo * wide(shines)
    return torch.atan2(vy, vx), rings


def _vangogh_colours(base: Tensor, sky: Tensor, rings: Tensor) -> Tensor:
    device = base.device
    vivid = saturate(base, 1.55)
    dark, pale = colour(0.05, 0.10, 0.34, device), colour(0.62, 0.80, 0.88, device)
    blue = mix(dark, pale, smooth(0.05, 0.95, luminance(base)))
    warm = smooth(0.02, 0.22, base[:, :1] - base[:, 2:])
    sky_colours = mix(mix(vivid, blue, 0.55 * (1 - warm)), vivid * colour(1.05, 1.0, 0.8, device), warm)
    land_colours = vivid * colour(1.04, 1.02, 0.92, device) + 0.03
    y = mix(land_colours, sky_colours, sky)
    yellow = colour(1.0, 0.84, 0.30, device)
    return mix(y, yellow, layer(rings.clamp(0, 1) * 0.85) * sky).clamp(0, 1)


def watercolor(shot: Shot, hand: Hand) -> Tensor:
    """Washes with dark rims on white paper."""
    x = shot.rgb
    dx, dy = hand.field(14, 3), hand.field(14, 3)
    wet = kuwahara(kuwahara(x, 4), 4)
    y = F.grid_sample(wet, hand.grid_beside(dx, dy, 0.014), padding_mode="border", align_corners=True)
    y = saturate(y, 1.18)
    y = mix(y, posterize(y, 7.0, 0.3, 0.7), 0.6)
    rims = blur(edges(luminance(y)), 1).clamp(0, 0.6)
    wash, grain = layer(hand.field(40, 3)), layer(hand.field(2.0))
    y = 1 - (1 - y) * (0.88 + 0.17 * wash + 0.06 * grain) * (1 + 0.55 * rims)
    paper = colour(0.975, 0.965, 0.94, x.device) + grain * 0.012
    y = mix(y.clamp(0, 1), paper, 0.10)
    to_rim = _distance_to_rim(hand) + 0.06 * wash + 0.03 * layer(dx)
    return mix(y, paper, smooth(0.115, 0.07, to_rim) * hand.coin(0.45).float())


def _distance_to_rim(hand: Hand) -> Tensor:
    """Of each pixel, 0 at the picture's rim and 1 in its middle: [1,1,h,w]."""
    ys, xs = torch.meshgrid(
        torch.linspace(-1, 1, hand.h, device=hand.device),
        torch.linspace(-1, 1, hand.w, device=hand.device),
        indexing="ij",
    )
    return torch.stack([xs + 1, 1 - xs, ys + 1, 1 - ys]).amin(0)[None, None]


def digital(shot: Shot, hand: Hand) -> Tensor:
    """Smooth, vivid, with blooming highlights; cool shadows and warm lights."""
    y = kuwahara(kuwahara(shot.rgb, 2), 2)
    y = saturate(contrast(y, 0.45), 1.38)
    highlights = smooth(0.62, 1.0, luminance(y)) * y
    y = 1 - (1 - y) * (1 - 0.35 * blur(highlights, 7))
    light = luminance(y)
    y = y + colour(-0.02, 0.0, 0.035, y.device) * (1 - light) + colour(0.03, 0.012, -0.02, y.device) * light
    return y + (y - blur(y, 2)) * 0.45


def pixel(shot: Shot, hand: Hand) -> Tensor:
    """Square pixels of few colours, dithered."""
    large = hand.coin(0.5)
    x = saturate(contrast(shot.rgb, 0.4), 1.3)
    small_squares, large_squares = (_squares(x, cell) for cell in _PIXELS)
    return torch.where(large, large_squares, small_squares)


def _squares(x: Tensor, cell: int) -> Tensor:
    side_h, side_w = x.shape[-2:]
    s = F.avg_pool2d(F.pad(x, (0, -side_w % cell, 0, -side_h % cell), mode="replicate"), cell)
    s = s + (s - blur(s, 1)) * 0.6
    h, w = s.shape[-2:]
    dither = torch.tensor(_BAYER, device=x.device) / 16 - 0.5  # [4,4]
    dither = dither.repeat(h // 4 + 1, w // 4 + 1)[None, None, :h, :w]
    s = ((s * 6.0 + dither * 0.16).round() / 6.0).clamp(0, 1)
    return F.interpolate(s, scale_factor=cell, mode="nearest")[..., :side_h, :side_w]


def flat(shot: Shot, hand: Hand) -> Tensor:
    """Few flat colours, no detail."""
    y = saturate(kuwahara(kuwahara(kuwahara(shot.rgb, 5), 4), 3), 1.25)
    light = luminance(y)
    y = (y + (posterize(light, 7.0, 0.42, 0.58) - light)).clamp(0, 1)
    return mix(y, posterize(y, 9.0, 0.4, 0.6), 0.6)
