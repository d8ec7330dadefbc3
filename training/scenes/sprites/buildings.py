"""Sprites of buildings."""

import math
from collections.abc import Sequence

from torch import Tensor

from training.scenes.arithmetic import Colour
from training.scenes.sprites.canvas import Canvas, shade


def house(seed: int) -> Tensor:
    c = Canvas(seed)
    walls = [(226, 214, 190), (205, 92, 72), (238, 236, 228), (196, 160, 110), (150, 170, 178)]
    roofs = [(150, 66, 48), (88, 78, 78), (120, 72, 50), (70, 82, 96)]
    wall, roof = walls[seed % 5], roofs[seed % 4]
    x0, xm, x1 = 0.08, 0.46, 0.92  # gable wall from x0 to xm, long wall from xm to x1
    eaves, ridge = c.rng.uniform(0.40, 0.46), c.rng.uniform(0.72, 0.82)
    peak = (x0 + xm) / 2
    c.rectangle(xm, 0, x1, eaves, wall, facing=0.75)
    c.polygon([(x0, 0), (xm, 0), (xm, eaves), (peak, ridge), (x0, eaves)], shade(wall, 0.82), facing=-0.75)
    if seed % 2 == 0:
        c.rectangle(0.72, ridge - 0.12, 0.79, ridge + 0.12, (140, 96, 80), facing=0.4)
    far_end = x1 - (xm - peak) * 0.25
    corners = [(xm - 0.02, eaves - 0.03), (peak, ridge + 0.02), (far_end, ridge + 0.02), (x1 + 0.04, eaves - 0.03)]
    c.polygon(corners, roof, facing=0.5, snow=1)
    verge = (x0 - 0.03, eaves - 0.05)
    c.bar((peak, ridge + 0.02), verge, 0.016, 0.016, shade(roof, 0.8), facing=-0.6, snow=0.9)
    for q in range(1, 5):
        y = eaves - 0.03 + (ridge - eaves + 0.05) * q / 5
        left, right = xm + (peak - xm) * q / 5, x1 + 0.03 - 0.1 * q / 5
        c.bar((left, y), (right, y), 0.004, 0.004, shade(roof, 0.8), facing=0.5, snow=1)
    _windows(c, [0.56, 0.82], [0.17], 0.045, 0.13, facing=0.75)
    c.rectangle(0.66, 0, 0.735, 0.25, (96, 62, 44), facing=0.75)
    _windows(c, [peak], [0.2, 0.48], 0.04, 0.11, facing=-0.75)
    return c.tensor()


def cabin(seed: int) -> Tensor:
    c = Canvas(seed)
    eaves, ridge = 0.34, 0.74
    c.rectangle(0.12, 0, 0.88, eaves, (132, 90, 56), facing=0.2)
    for i in range(7):
        c.rectangle(0.12, i * 0.05, 0.88, i * 0.05 + 0.012, (92, 60, 38), facing=0.2)
    roof = (86, 62, 48) if seed % 2 else (104, 62, 46)
    corners = [(0.02, eaves - 0.04), (0.3, ridge), (0.74, ridge), (0.98, eaves - 0.04)]
    c.polygon(corners, roof, facing=0.1, snow=1)
    for i in range(1, 5):
        y = eaves - 0.04 + (ridge - eaves) * i / 5
        c.rectangle(0.02 + 0.28 * i / 5, y, 0.98 - 0.24 * i / 5, y + 0.01, (66, 48, 38), facing=0.1, snow=0.9)
    c.rectangle(0.66, ridge - 0.12, 0.74, ridge + 0.16, (120, 112, 108), facing=0.3)
    c.rectangle(0.655, ridge + 0.14, 0.745, ridge + 0.18, (150, 142, 138), snow=1)
    _windows(c, [0.27, 0.74], [0.1], 0.06, 0.14, frame=(186, 150, 104))
    c.rectangle(0.45, 0, 0.56, 0.26, (80, 50, 32))
    return c.tensor()


def church(seed: int) -> Tensor:
    c = Canvas(seed)
    wall = [(238, 234, 224), (200, 186, 164)][seed % 2]
    roof = [(92, 84, 88), (150, 70, 52)][seed % 2]
    c.rectangle(0.40, 0, 0.90, 0.30, wall, facing=0.7)
    c.polygon([(0.38, 0.28), (0.46, 0.50), (0.86, 0.50), (0.93, 0.28)], roof, facing=0.5, snow=1)
    c.rectangle(0.18, 0, 0.42, 0.58, shade(wall, 0.9), facing=-0.5)
    c.rectangle(0.30, 0, 0.42, 0.58, wall, facing=0.5)
    c.polygon([(0.15, 0.57), (0.30, 0.99), (0.45, 0.57)], roof, facing=-0.3, snow=0.8)
    c.polygon([(0.30, 0.57), (0.30, 0.99), (0.45, 0.57)], shade(roof, 1.1), facing=0.6, snow=0.8)
    _windows(c, [0.54, 0.67, 0.8], [0.08], 0.028, 0.13, facing=0.7)
    _windows(c, [0.30], [0.36], 0.03, 0.11)
    c.rectangle(0.26, 0, 0.34, 0.16, (84, 56, 40))
    return c.tensor()


def castle(seed: int) -> Tensor:
    c = Canvas(seed)
    stone = [(178, 168, 152), (150, 148, 150), (200, 184, 150)][seed % 3]
    cone = [(96, 84, 110), (160, 78, 58), (84, 100, 122)][seed % 3]
    frame = shade(stone, 0.75)
    _tower(c, 0.5, 0.12, 0.66, stone, cone)
    c.rectangle(0.14, 0, 0.86, 0.30, stone, facing=0.1)
    for i in range(10):
        c.rectangle(0.14 + i * 0.075, 0.30, 0.18 + i * 0.075, 0.345, stone, snow=0.8)
    _tower(c, 0.30, 0.065, 0.52, stone, cone)
    _tower(c, 0.70, 0.075, 0.60, stone, cone)
    _tower(c, 0.12, 0.08, 0.42, stone, cone if seed % 2 == 0 else None)
    _tower(c, 0.88, 0.08, 0.46, stone, cone)
    c.rectangle(0.45, 0, 0.55, 0.15, (60, 48, 40))
    _windows(c, [0.22, 0.38, 0.62, 0.78], [0.14], 0.014, 0.06, frame=frame)
    return c.tensor()


def _tower(c: Canvas, x: float, w: float, h: float, stone: Colour, cone: Colour | None) -> None:
    """A round tower with a pointed roof, or with battlements where there is no ``cone``."""
    for q in range(6):  # flat faces around it
        u0, u1 = q / 6, (q + 1) / 6
        facing = (u0 + u1) - 1
        paint = shade(stone, 1 - 0.1 * abs(facing))
        c.rectangle(x - w + 2 * w * u0, 0, x - w + 2 * w * u1 + 0.002, h, paint, facing=facing)
    c.rectangle(x - w - 0.012, h - 0.02, x + w + 0.012, h + 0.015, shade(stone, 0.9), snow=0.6)
    if cone:
        tip = (x, h + w * 3.6)
        c.polygon([(x - w - 0.02, h), tip, (x + w + 0.02, h)], cone, facing=-0.5, snow=0.7)
        c.polygon([(x, h), tip, (x + w + 0.02, h)], shade(cone, 1.12), facing=0.6, snow=0.7)
    else:
        for i in range(4):
            left = x - w + i * w * 0.56
            c.rectangle(left, h, left + w * 0.3, h + 0.04, stone, snow=0.8)
    _windows(c, [x], [h * 0.72, h * 0.42], 0.014, 0.05, frame=shade(stone, 0.75))


def lighthouse(seed: int) -> Tensor:
    c = Canvas(seed)
    paint = [(206, 58, 48), (52, 84, 140), (210, 120, 50)][seed % 3]
    for i in range(6):  # rings
        y0, y1 = i * 0.125, (i + 1) * 0.125 + 0.003
        w0, w1 = 0.115 - 0.05 * y0 / 0.75, 0.115 - 0.05 * y1 / 0.75
        ring = (244, 242, 236) if i % 2 == 0 else paint
        _tapering(c, 0.42, (y0, y1), (w0, w1), 5, ring)
    c.rectangle(0.33, 0.75, 0.51, 0.775, (60, 60, 66))
    c.rectangle(0.365, 0.775, 0.475, 0.87, (250, 236, 170), lamp=1)
    c.rectangle(0.415, 0.775, 0.425, 0.87, (60, 60, 66))
    c.polygon([(0.345, 0.865), (0.42, 0.97), (0.495, 0.865)], paint, snow=0.6)
    c.rectangle(0.56, 0, 0.9, 0.17, (238, 234, 226), facing=0.5)
    c.polygon([(0.54, 0.165), (0.62, 0.28), (0.84, 0.28), (0.93, 0.165)], (150, 66, 50), facing=0.4, snow=1)
    _windows(c, [0.66, 0.8], [0.05], 0.03, 0.07, facing=0.5)
    return c.tensor()


def windmill(seed: int) -> Tensor:
    c = Canvas(seed)
    body = [(214, 196, 166), (120, 84, 60), (236, 230, 220)][seed % 3]
    _tapering(c, 0.5, (0, 0.52), (0.18, 0.1), 6, body)
    c.polygon([(0.385, 0.51), (0.44, 0.66), (0.56, 0.66), (0.615, 0.51)], (110, 62, 48), snow=0.9)
    first = c.rng.uniform(0.3, 1.2)
    for i in range(4):
        a = first + i * math.pi / 2
        x, y = 0.5 + 0.36 * math.cos(a), 0.58 + 0.36 * math.sin(a)
        c.bar((0.5, 0.58), (x, y), 0.009, 0.007, (84, 62, 48), snow=0.3)
        dx, dy = -math.sin(a) * 0.075, math.cos(a) * 0.075
        root = (0.5 + 0.1 * math.cos(a), 0.58 + 0.1 * math.sin(a))
        sail = [root, (x, y), (x + dx, y + dy), (root[0] + dx, root[1] + dy)]
        c.polygon(sail, (232, 222, 202), facing=0.2, snow=0.2)
    _windows(c, [0.5], [0.12, 0.32], 0.028, 0.07)
    return c.tensor()


def _tapering(c: Canvas, x: float, ys: tuple[float, float], ws: tuple[float, float], faces: int, paint: Colour) -> None:
    """A round wall from the lower to the upper of two heights, with half widths ``ws`` there."""
    (y0, y1), (w0, w1) = ys, ws
    for q in range(faces):
        u0, u1 = q / faces * 2 - 1, (q + 1) / faces * 2 - 1
        corners = [(x + w0 * u0, y0), (x + w0 * u1 + 0.002, y0), (x + w1 * u1 + 0.002, y1), (x + w1 * u0, y1)]
        c.polygon(corners, paint, facing=(u0 + u1) / 2)


def _windows(
    c: Canvas,
    xs: Sequence[float],
    ys: Sequence[float],
    w: float,
    h: float,
    frame: Colour = (235, 230, 220),
    facing: float = 0.0,
) -> None:
    """Lit windows 2w wide and h high, centred on each of ``xs`` and standing on each of ``ys``."""
    for x in xs:
        for y in ys:
            c.rectangle(x - w - 0.008, y - 0.008, x + w + 0.008, y + h + 0.008, frame, facing=facing)
            c.rectangle(x - w, y, x + w, y + h, (70, 90, 115), facing=facing, lamp=1)
            c.rectangle(x - 0.004, y, x + 0.004, y + h, frame, facing=facing)
