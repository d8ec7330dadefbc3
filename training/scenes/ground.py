"""The bare ground: its height at every depth and column, where water lies on it, and how steep it is."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.scenes.arithmetic import mix, smooth, wide
from training.scenes.noise import NoiseField
from training.scenes.view import View


@dataclass(frozen=True, eq=False)
class Ground:
    """On the grid of a View, all [n,depths,side]."""

    height: Tensor  # metres over the water; water is at 0
    water: Tensor  # 0..1
    hx: Tensor  # slope to the right
    hz: Tensor  # slope away from the camera

    @property
    def slope(self) -> Tensor:
        return (self.hx.square() + self.hz.square()).sqrt()


@dataclass(frozen=True, eq=False)
class _Stream:
    distance: Tensor  # [n,depths,side] metres from the middle of the stream
    width: Tensor  # [n,1,1] half of it, metres


def build_ground(noise: NoiseField, view: View) -> Ground:
    """The terrain kinds one after the other; each is there only where its layout says so."""
    layouts = view.layouts
    stream = _stream(view)
    mountains, foothills = _mountains(noise, view)
    h = _hills(noise, view)
    h = _valley(h, stream, view)
    h = h + _dunes(noise, view)
    h = h + _mesas(noise, view) * wide(layouts.mesa)
    h = h + mountains + foothills * 0.6
    h = _flood(h, mountains, stream, noise, view)
    dry = layouts.has_water("dry").view(-1, 1, 1)
    h = torch.where(dry, h.clamp(min=-view.cam * 0.5) + 0.001, h)
    h = _below_camera(h, view)
    water = torch.where(dry, torch.zeros_like(h), smooth(0.0, -0.02, h / view.cam))
    height = torch.where(dry, h, h.clamp(min=0))
    hx, hz = _slopes(height, view)
    return Ground(height, water, hx, hz)


def _hills(noise: NoiseField, view: View) -> Tensor:
    """Rolling ground at three wave lengths, so that it looks alike near and far."""
    s0, s1, _, _ = view.s
    hill = torch.zeros_like(view.x)
    for i, (lam, low, high) in enumerate(((28.0, 5.0, 60.0), (190.0, 30.0, 500.0), (1300.0, 200.0, 5000.0))):
        width = lam * (view.cam / 6.0).clamp(0.7, 3) * wide(view.layouts.hill_width)
        a = width * wide(view.layouts.hill_slope) * 3.2
        n = noise.octaves(view.x / width + s0 + i * 17, view.zz / width + s1, 4, i)
        hill = hill + a * n * smooth(low * 0.3, high * 0.3, view.z) * (1.25 if i else 0.6)
    return hill


def _stream(view: View) -> _Stream:
    """A winding stream that leaves the picture in the distance."""
    drift, swing, phase, width = (wide(v) for v in view.layouts.river.unbind(1))
    z, cam = view.z, view.cam
    winding = torch.sin(z / (cam * 4.2) + phase) + 0.6 * torch.sin(z / (cam * 9.5) + phase * 2)
    middle = z * drift * 0.25 * torch.exp(-z / (cam * 60)) + cam * swing * 1.6 * winding * smooth(2, 14, view.zc)
    return _Stream((view.x - middle).abs(), cam * 0.17 * width / 5.0)


def _valley(h: Tensor, stream: _Stream, view: View) -> Tensor:
    """Flat ground along the stream, in a river valley rising to both sides."""
    d, width = stream.distance, stream.width
    bank = smooth(width * 1.05, width * 7.0, d)
    rising = h + (d - width * 3).clamp(min=0) * 0.10 * wide(view.layouts.is_terrain("river_valley"))
    return mix(h, mix(h * 0.12 + (0.03 * view.cam), rising, bank), wide(view.layouts.has_water("river")))


def _dunes(noise: NoiseField, view: View) -> Tensor:
    """Sand with sharp crests, at three sizes."""
    _, _, s2, s3 = view.s
    lam = 36.0 * (view.cam / 6.0).clamp(0.8, 3)
    bend = noise(view.x / lam * 0.5 + s2, view.zz / lam * 0.5 + s3, 1) * 0.8
    dune = torch.zeros_like(view.x)
    for i, scale in enumerate((1.0, 4.3, 17.0)):
        width = lam * scale
        q = noise(view.x / width * 0.7 + bend + s2 + 5 * i, view.zz / width * 1.1 + 0.6 * bend + s3, i)
        crest = (1 - q.abs()).clamp(min=0).pow(1.6) * scale * lam * wide(view.layouts.dune_slope)
        dune = dune + crest * smooth(width * 0.15, width * 1.2, view.z) * (1 if i else 0.5)
    return dune


def _mesas(noise: NoiseField, view: View) -> Tensor:
    """Table mountains and canyon walls: heights in steps."""
    _, s1, s2, _ = view.s
    cam = view.cam
    field = noise.octaves(view.x / (cam * 14) + s1, view.zz / (cam * 14) + s2, 5, 2)
    m = smooth(0.02, 0.42, field) * cam * 3.2 * smooth(6.0, 22.0, view.zc)
    step = cam * 0.62
    steps = m / step
    return (steps.floor() + smooth(0.45, 0.62, steps - steps.floor())) * step


def _mountains(noise: NoiseField, view: View) -> tuple[Tensor, Tensor]:
    """Mountains and their foothills; they grow with the distance, so that they fill the same share of the picture."""
    layouts, x, z = view.layouts, view.x, view.z
    s0, _, s2, s3 = view.s
    slope, distance = wide(layouts.mountain_slope), wide(layouts.mountain_distance)
    lam = distance * wide(layouts.mountain_width) * 2.1
    pixel = z * 0.016  # detail finer than this would only flicker
    strengths = [((lam / 2**i) / (pixel * 2) - 0.5).clamp(0, 1) for i in range(7)]
    ridges = noise.ridges(x / lam + s2, view.zz / lam + s0, strengths)
    start = smooth(0.35, 1.5, z / distance)
    gap = 1 - wide(layouts.gap_depth) * torch.exp(-((view.column - wide(layouts.gap_place) * 0.5) / 0.22).square())
    mountains = slope * ridges * torch.minimum(z, 2.4 * distance) * start * gap * 1.25
    rough = (noise.octaves(x / (lam * 0.35) + s3, view.zz / (lam * 0.35), 4) + 0.5).clamp(min=0)
    foothills = slope * 0.16 * rough * z.clamp(max=9000.0) * smooth(0.12, 0.6, z / distance)
    return mountains, foothills


def _cliffs(noise: NoiseField, view: View) -> Tensor:
    """Cliffs on one side of a coast."""
    layouts, z, cam = view.layouts, view.z, view.cam
    s0, s1, _, s3 = view.s
    edge = noise.octaves(view.log_z * 2.2 + s0, s1, 3)
    angle = view.column * wide(layouts.side) - wide(layouts.cliff_place) + 0.22 * edge
    inside = smooth(0, 0.10, angle) * smooth(9.0, 14.0, view.zc) * (1 - smooth(120.0, 500.0, view.zc) * 0.6)
    rough = 0.75 + 0.5 * noise.octaves(view.x / (cam * 6) + s3, view.zz / (cam * 6), 4)
    return wide(layouts.cliff_slope) * (z.clamp(max=2500.0)) * rough * inside


def _flood(h: Tensor, mountains: Tensor, stream: _Stream, noise: NoiseField, view: View) -> Tensor:
    """Lakes, the sea and rivers push the ground under zero."""
    layouts, cam, zc = view.layouts, view.cam, view.zc
    s0, s1, s2, s3 = view.s
    wobble = noise.octaves(view.x / (cam * 9) + s1, view.log_z * 3 + s3, 4)
    near = wide(layouts.shore_near) * (1 + 0.55 * wobble + view.column * wide(layouts.side) * 1.1)
    far_wobble = noise.octaves(view.column * 3 + s2, view.log_z * 1.2 + s0, 3)
    far = wide(layouts.shore_far) * (1 + 0.6 * far_wobble + 0.25 * wobble)
    rise = cam * 0.05 + 0.02 * cam * wobble

    basin = smooth(0.9, 1.25, zc / near.clamp(min=0.2)) * (1 - smooth(0.75, 1.25, zc / far))
    h = mix(h, (h + rise) * (1 - basin) - basin * cam * 0.5, wide(layouts.has_water("lake")))

    islands = (mountains - 0.05 * view.z) * 0.6 * (wide(layouts.mountain_slope) > 0)
    bottom = -cam * 0.5 + _cliffs(noise, view) * 1.6 + islands
    sea = mix(h + rise, bottom, smooth(0.85, 1.35, zc / near.clamp(min=0.2)))
    h = mix(h, sea, wide(layouts.has_water("sea")))

    bed = torch.where(stream.distance < stream.width, -cam * 0.1, h + 0.05 * cam)
    return mix(h, bed, wide(layouts.has_water("river")))


def _below_camera(h: Tensor, view: View) -> Tensor:
    """Keep the camera out of the ground, and hills from hiding everything behind them."""
    cam, z, zc = view.cam, view.z, view.zc
    limit = cam * (0.30 + 0.55 * smooth(2.0, 9.0, zc)) + z * 0.35 * smooth(6.0, 26.0, zc) + z * smooth(20.0, 60.0, zc)
    return torch.where(h > limit, limit + (h - limit) * 0.08, h)


def _slopes(height: Tensor, view: View) -> tuple[Tensor, Tensor]:
    """Central differences to the right and, corrected for the fan of the columns, away from the camera."""
    hx = F.pad((height[:, :, 2:] - height[:, :, :-2]), (1, 1), mode="replicate") / (2 * (view.z / view.f))
    hk = F.pad((height[:, 2:] - height[:, :-2]).transpose(1, 2), (1, 1), mode="replicate").transpose(1, 2)
    return hx, hk / view.step - view.column * hx
