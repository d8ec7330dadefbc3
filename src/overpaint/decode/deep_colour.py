"""16-bit colours by an embedded ICC profile to sRGB, as near to what LittleCMS does in 8 bits as 16 allow.

Nearly every profile of RGB is three curves and a matrix (ICC.1, 8.3.3): that is calculated here, against the closed
form off by 0.12 levels of 8 bits at most. For the others LittleCMS's transform is sampled at a grid of 8-bit colours,
the denser the steeper the profile is, and what lies between is interpolated. That is off by less than a level on
average, by several where a colour at the edge of sRGB is cut off; greys are taken along their curve of 256. Ramps of 16
bits stay ramps, without steps.
"""

import io
import struct
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from overpaint.decode.colour import ERRORS, apply, grid, ramp, transform_of, unusable
from overpaint.picture import Pixels

_NODES = 52
_BAND = 1 << 15  # pixels taken at once, so that their copies stay in the processor's cache
_FINE = 1 << 18  # steps of linear light; sRGB's curve begins so steeply that 16 bits of them were not enough
_Y_OF_HALF = 0.1842  # of L* 50: no black that is lighter is believed


def deep_to_srgb(x: Pixels, profile: Any) -> tuple[Pixels, list[str]]:
    """uint16 [h, w, 1] or [h, w, 3] as [h, w, 3], and notes."""
    notes: list[str] = []
    if profile:
        try:
            sample, transform = transform_of(Image.new("L" if x.shape[2] == 1 else "RGB", (1, 1)), profile)
            if transform is not None:
                return _converted(x, profile, transform, sample.mode), []
        except (*ERRORS, struct.error, IndexError) as e:
            notes = [unusable(e)]
    return (np.repeat(x, 3, axis=2) if x.shape[2] == 1 else x), notes


def _converted(x: Pixels, profile: bytes, transform: ImageCms.ImageCmsTransform, mode: str) -> Pixels:
    if mode == "L":
        return _along_curve(x, transform)
    tags = _tags(profile)
    tables = {b"A2B0", b"D2B0"} & set(tags)  # what LittleCMS prefers
    if not tables and {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"} <= set(tags):
        return _by_matrix(x, [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")], _matrix(profile))
    return _between_nodes(x, transform)


def _in_bands(x: Pixels) -> list[tuple[slice, Pixels]]:
    """(where, [k, 3]) for all pixels of [h, w, 1 or 3]."""
    flat = x.reshape(-1, x.shape[2])
    places = [slice(at, min(at + _BAND, len(flat))) for at in range(0, len(flat), _BAND)]
    return [(place, np.broadcast_to(flat[place], (place.stop - place.start, 3))) for place in places]


# ---- curves and a matrix ---------------------------------------------------------------------------------------------


def _by_matrix(x: Pixels, curves: list[Pixels], to_xyz: Pixels) -> Pixels:
    """Each channel by its curve to linear light, by the matrices to sRGB's, and by sRGB's curve back.

    LittleCMS makes the darkest colour black (black point compensation, which ICC.1 has for version 4, as its sRGB is).
    """
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    matrix = np.linalg.solve(_matrix(srgb), to_xyz).astype(np.float32)
    black = np.float32(min(to_xyz[1] @ [curve[0] for curve in curves], _Y_OF_HALF))
    v = np.arange(_FINE + 1) / _FINE
    encoded = np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    encoded = (encoded * 65535 + 0.5).astype(np.uint16)
    out = np.empty((x.shape[0] * x.shape[1], 3), np.uint16)
    for place, band in _in_bands(x):
        linear = np.stack([curve[band[:, c]] for c, curve in enumerate(curves)], axis=-1) @ matrix.T
        linear = (linear - black) / (1 - black)
        out[place] = encoded[(linear.clip(0, 1) * _FINE + np.float32(0.5)).astype(np.int32)]
    return out.reshape(*x.shape[:2], 3)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """ICC.1, 7.3: a table behind the header."""
    (count,) = struct.unpack(">I", profile[128:132])
    table = [struct.unpack(">4sII", profile[132 + 12 * i : 144 + 12 * i]) for i in range(min(count, 200))]
    return {name: profile[at : at + size] for name, at, size in table}


def _matrix(profile: bytes) -> Pixels:
    """Linear colours to XYZ under D50."""
    p = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    columns = [c[0] for c in (p.red_colorant, p.green_colorant, p.blue_colorant) if c is not None]
    return np.array(columns).T


def _curve(tag: bytes) -> Pixels:
    """Linear light of each of 65536 levels, float32 (ICC.1, 10.6 and 10.18)."""
    v: Pixels = np.arange(65536) / 65535
    if tag[:4] == b"curv":
        (count,) = struct.unpack(">I", tag[8:12])
        points = np.frombuffer(tag, ">u2", count, 12)
        y = v if count == 0 else v ** (points[0] / 256) if count == 1 else _table(v, points / 65535)
    elif tag[:4] == b"para":
        (kind,) = struct.unpack(">H", tag[8:10])
        length = (1, 3, 4, 5, 7)[kind]
        with np.errstate(all="ignore"):
            y = _parametric(v, kind, [n / 65536 for n in struct.unpack(f">{length}i", tag[12 : 12 + 4 * length])])
    else:
        raise ValueError(f"it has a curve of type {tag[:4]!r}")
    if not np.isfinite(y).all():
        raise ValueError("it has a curve without numbers")
    return y.clip(0, 1).astype(np.float32)


def _table(v: Pixels, points: Pixels) -> Pixels:
    return np.interp(v, np.linspace(0, 1, len(points)), points)


def _parametric(v: Pixels, kind: int, p: list[float]) -> Pixels:
    """``p`` is the first few of g a b c d e f: (a v + b)^g, and below a limit a line."""
    g, a, b, c, d, e, f = p + [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0][len(p) :]
    power = np.maximum(a * v + b, 0) ** g
    if kind < 3:
        return power + c  # in kind 2 c is added above and stands alone below
    return np.where(v >= d, power + e, c * v + f)


# ---- sampled ---------------------------------------------------------------------------------------------------------


def _along_curve(x: Pixels, transform: ImageCms.ImageCmsTransform) -> Pixels:
    curve = apply(ramp("L"), transform, "L") * 257.0  # [256, 3]
    levels = np.arange(65536) / 257
    table = np.stack([np.interp(levels, np.arange(256), curve[:, c]) for c in range(3)], axis=-1)
    return (table + 0.5).astype(np.uint16)[x[..., 0]]  # [h, w, 3]


def _between_nodes(x: Pixels, transform: ImageCms.ImageCmsTransform) -> Pixels:
    """[h, w, 1 or 3] uint16 to [h, w, 3]: trilinear, in float32."""
    nodes = _nodes(apply(ramp("RGB"), transform, "RGB"))
    n = len(nodes)
    table = np.zeros((n**3, 4), np.float32)  # a fourth number, so that a colour is one aligned read
    table[:, :3] = apply(grid(nodes), transform, "RGB") * np.float32(257)
    place_of = np.interp(np.arange(65536) / 257, nodes, np.arange(n)).astype(np.float32)
    below = np.minimum(place_of.astype(np.int32), n - 2)
    beyond = place_of - below
    out = np.empty((x.shape[0] * x.shape[1], 3), np.uint16)
    for place, band in _in_bands(x):
        out[place] = _trilinear(table, n, below[band], beyond[band])[:, :3] + np.float32(0.5)
    return out.reshape(*x.shape[:2], 3)


def _nodes(curve: Pixels) -> Pixels:
    """Levels 0 to 255 of the grid, the more of them the steeper the profile's curve of greys is there."""
    run = np.arange(256) + np.maximum.accumulate(curve.astype(np.float64).mean(axis=1))
    nodes = np.interp(np.linspace(run[0], run[-1], _NODES), run, np.arange(256)).round()
    return np.unique(np.concatenate([[0], nodes, [255]]).astype(np.uint8))


def _trilinear(table: Pixels, n: int, below: Pixels, beyond: Pixels) -> Pixels:
    """[k, 4]: the values at ``table``'s nodes around each colour, mixed by how far beyond the lower node it lies."""
    first = (below[:, 0] * n + below[:, 1]) * n + below[:, 2]
    r, g, b = (beyond[:, c, None] for c in range(3))

    def edge(offset: int) -> Pixels:
        return _mix(table.take(first + offset, axis=0), table.take(first + offset + 1, axis=0), b)

    def face(offset: int) -> Pixels:
        return _mix(edge(offset), edge(offset + n), g)

    return _mix(face(0), face(n * n), r)


def _mix(a: Pixels, b: Pixels, share: Pixels) -> Pixels:
    """a (1 - share) + b share, in b's place."""
    b -= a
    b *= share
    b += a
    return b
