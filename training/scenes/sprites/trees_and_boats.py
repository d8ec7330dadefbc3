"""Sprites of trees and boats."""

import math

from torch import Tensor

from training.scenes.sprites.canvas import Canvas


def pine(seed: int) -> Tensor:
    c = Canvas(seed)
    c.bar((0.5, 0), (0.5, 0.3), 0.022, 0.016, (70, 50, 36))
    tiers = c.rng.randint(9, 13)
    width = c.rng.uniform(0.2, 0.31)
    bottom = c.rng.uniform(0.07, 0.16)
    for tier in range(tiers):
        f = tier / tiers
        y0 = bottom + (1 - bottom) * f * 0.97
        y1 = min(1.0, y0 + (1 - bottom) * 2.3 / tiers)
        w = width * (1 - f) ** 0.85 + 0.012
        for side in (-1, 1):
            _pine_branch(c, side, y0, y1, w)
    return c.tensor()


def _pine_branch(c: Canvas, side: int, y0: float, y1: float, w: float) -> None:
    points = [(0.5, y1)]
    teeth = 6
    for i in range(teeth + 1):
        u = 1 - i / teeth
        x = 0.5 + side * w * u * c.rng.uniform(0.82, 1.1)
        y = y0 + (y1 - y0) * 0.30 * (1 - u) + c.rng.uniform(-0.012, 0.012) - (0.022 if i % 2 else 0)
        points.append((x, y))
    g = c.rng.uniform(0.75, 1.15)
    c.polygon(points, (46 * g, 84 * g, 52 * g), facing=0.75 * side, snow=0.15)
    upper_edge = [
        (0.5, y1),
        (0.5 + side * w * 0.92, y0 + 0.014),
        (0.5 + side * w * 0.62, y0 + 0.012 + (y1 - y0) * 0.16),
        (0.5 + side * w * 0.3, y0 + (y1 - y0) * 0.30),
    ]
    c.polygon(upper_edge, (66 * g, 108 * g, 62 * g), facing=0.85 * side, snow=0.95)


def round_tree(seed: int) -> Tensor:
    c = Canvas(seed)
    rng = c.rng
    cx, cy = 0.5, rng.uniform(0.58, 0.64)
    rx, ry = rng.uniform(0.3, 0.4), rng.uniform(0.29, 0.35)
    c.bar((0.5, 0), (0.5, cy), 0.034, 0.018, (86, 64, 48), facing=-0.1)
    for _ in range(5):
        a = rng.uniform(-1, 1)
        low, high = rng.uniform(0.25, 0.35), rng.uniform(-0.02, 0.15)
        c.bar((0.5, low), (0.5 + a * 0.2, cy + high), 0.014, 0.006, (80, 60, 44))
    tufts = []
    for _ in range(90):
        a, d = rng.uniform(0, 2 * math.pi), math.sqrt(rng.random())
        tufts.append((cx + rx * d * math.cos(a), cy + ry * d * math.sin(a), d))
    tufts.sort(key=lambda tuft: tuft[1] * 0.6 - 0.3 * (1 - tuft[2]))
    for x, y, _ in tufts:
        s = rng.uniform(0.045, 0.085)
        up = (y - (cy - ry)) / (2 * ry)
        facing = max(-1, min(1, (x - cx) / rx * 0.9))
        for q in range(3):  # ever smaller and brighter, towards the light
            g = (0.55 + 0.6 * up + 0.12 * q) * rng.uniform(0.85, 1.1)
            k = s * (1 - 0.28 * q)
            dx, dy = 0.012 * q * (1 if x > cx else -1) * 0.3, 0.014 * q
            snow = 0.25 + 0.5 * (up > 0.6) * (q == 2)
            c.disc(x + dx, y + dy, k, k * 0.85, (72 * g, 116 * g, 48 * g), facing=facing, foliage=1, snow=snow)
    return c.tensor()


def bare_tree(seed: int) -> Tensor:
    c = Canvas(seed)
    angle = math.pi / 2 + c.rng.uniform(-0.05, 0.05)
    _branch(c, 0.5, 0, angle, c.rng.uniform(0.22, 0.26), 0.03, 6)
    return c.tensor()


def _branch(c: Canvas, x: float, y: float, angle: float, length: float, w: float, forks: int) -> None:
    x1, y1 = x + math.cos(angle) * length, y + math.sin(angle) * length
    c.bar((x, y), (x1, y1), w, w * 0.62, (74, 58, 48), facing=-0.2, snow=0.1)
    if abs(math.cos(angle)) > 0.45 and forks < 5:
        c.bar((x, y + w * 0.7), (x1, y1 + w * 0.5), w * 0.4, w * 0.3, (92, 74, 62), snow=1)
    if forks == 0:
        return
    for _ in range(c.rng.randint(2, 3)):
        turn, shorter = c.rng.uniform(-0.72, 0.72), c.rng.uniform(0.66, 0.84)
        _branch(c, x1, y1, angle + turn, length * shorter, w * 0.6, forks - 1)


def boat(seed: int) -> Tensor:
    c = Canvas(seed)
    hull = [(150, 54, 44), (240, 238, 232), (54, 80, 120), (110, 74, 48)][seed % 4]
    if seed % 4 == 3:  # a rowing boat
        c.polygon([(0.1, 0.16), (0.22, 0), (0.8, 0), (0.93, 0.18)], hull, facing=0.2)
        c.polygon([(0.12, 0.15), (0.9, 0.165), (0.82, 0.115), (0.2, 0.105)], (70, 48, 34))
        c.bar((0.4, 0.12), (0.16, 0.02), 0.008, 0.008, (190, 160, 120))
        return c.tensor()
    c.bar((0.5, 0.1), (0.5, 0.97), 0.009, 0.006, (100, 76, 56))
    c.polygon([(0.52, 0.16), (0.52, 0.94), (0.86, 0.18)], (246, 242, 230), facing=0.6)
    c.polygon([(0.485, 0.18), (0.485, 0.86), (0.2, 0.2)], (232, 226, 212), facing=-0.5)
    c.polygon([(0.12, 0.13), (0.24, 0), (0.78, 0), (0.92, 0.14)], hull, facing=0.2)
    c.rectangle(0.14, 0.115, 0.9, 0.14, (240, 236, 226))
    return c.tensor()
