"""Tools for change maps: small pure functions on float32 [h, w] in 0..1, white = change.

Makers give a map (a box, a colour, a gradient); changers take one and give another. ``toolbox`` has their text form. A
point (x, y) in pixels means the pixel in column x and row y, (0, 0) being the upper left one.
"""

import math
import re
from typing import Literal, TypeAlias, cast, get_args

import numpy as np

from overpaint.errors import ImageError, ParameterError
from overpaint.fields import SIDE_MAX
from overpaint.maps.changemap import is_hard, luma, transparency
from overpaint.maps.distance import distance_to
from overpaint.picture import Picture, Pixels

Side = Literal["inside", "outside", "both"]
SIDES: tuple[Side, ...] = get_args(Side)
Colour: TypeAlias = str | tuple[int, int, int]

_ROUNDING = 1e-3  # Delta E: of one colour, by how much two places in OpenCV's code may differ

# ---- changers --------------------------------------------------------------------------------------------------------


def invert(m: Pixels) -> Pixels:
    """1 - m: what was to change is kept."""
    return 1 - m


def grow(m: Pixels, pixels: float) -> Pixels:
    """Let white grow by ``pixels`` in all directions, or shrink where that is negative.

    Each pixel becomes the largest (smallest) of those at most ``pixels`` away: grey morphology with a disc
    {dx^2 + dy^2 <= pixels^2}. Beyond the picture's edge there is nothing, neither white nor black. Of a mask the time
    does not depend on ``pixels``; of a grey map it grows with it.
    """
    r = float(np.float32(_within("pixels", abs(pixels), 0, SIDE_MAX)))
    if r < 1:
        return m
    if pixels < 0:
        return 1 - grow(1 - m, r) if is_hard(m) else -_largest_in_disc(-m, r)
    if is_hard(m):  # squares of distances are whole numbers: compared as such, both ways give the same disc
        return cast(Pixels, (np.rint(distance_to(m > 0, r) ** 2) <= r * r).astype(np.float32))
    return _largest_in_disc(m, r)


def feather(m: Pixels, pixels: float, side: Side = "both") -> Pixels:
    """Make the border of what is above 0 soft: a ramp of the width ``pixels`` by the distance to it.

    "inside": nothing that was 0 gets above 0. "outside": nothing falls below what it was. "both": half on each side.
    With s the distance of a pixel's centre to the border (which lies half-way between the centres; s < 0 outside) and
    w = ``pixels`` a mask becomes t^2 (3 - 2t), t = s/w + (0 inside, 1/2 both, 1 outside) cut to 0..1. A grey map is
    multiplied by that, and goes on outside with the value of the nearest pixel. The picture's edge is no border.
    """
    w = _within("pixels", pixels, 0, SIDE_MAX)
    if side not in SIDES:
        raise ParameterError("side", f"is {side!r}, must be one of {', '.join(SIDES)}")
    white = m > 0
    if w == 0 or not white.any():
        return m
    w = max(w, 1e-3)  # less is no ramp any more, and may be too little to divide by
    t = np.full(m.shape, {"inside": 0.0, "both": 0.5, "outside": 1.0}[side], np.float32)
    if side != "outside":
        t += np.maximum(distance_to(~white, w + 1) - np.float32(0.5), 0) / np.float32(w)
    if side != "inside":
        t -= np.maximum(distance_to(white, w + 1) - np.float32(0.5), 0) / np.float32(w)
    t = t.clip(0, 1)
    t *= t * (3 - 2 * t)
    return t if is_hard(m) else t * _continued(m, white)


def _largest_in_disc(m: Pixels, r: float) -> Pixels:
    """Row by row of the disc, from the outermost: each chord is the one before it made wider, so it takes r passes."""
    import cv2

    out, chord, reach = m.copy(), m, 0
    for dy in range(min(int(r), len(m) - 1), -1, -1):
        half = min(int(math.sqrt(r * r - dy * dy)), m.shape[1] - 1)
        if half > reach:
            chord, reach = cv2.dilate(chord, np.ones((1, 2 * (half - reach) + 1), np.uint8)), half
        np.maximum(out[dy:], chord[: len(m) - dy], out=out[dy:])
        np.maximum(out[: len(m) - dy], chord[dy:], out=out[: len(m) - dy])
    return out


def _continued(m: Pixels, white: Pixels) -> Pixels:
    """``m``, with the value of the nearest pixel that is ``white`` where it is not."""
    import cv2

    _, label = cv2.distanceTransformWithLabels(
        (~white).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    value = np.zeros(int(label.max()) + 1, np.float32)
    value[label[white]] = m[white]
    return cast(Pixels, value[label])


# ---- of two maps -----------------------------------------------------------------------------------------------------


def union(a: Pixels, b: Pixels) -> Pixels:
    """The larger of both, pixel by pixel."""
    _check_same(a, b)
    return np.maximum(a, b)


def intersect(a: Pixels, b: Pixels) -> Pixels:
    """The smaller of both, pixel by pixel."""
    _check_same(a, b)
    return np.minimum(a, b)


def subtract(a: Pixels, b: Pixels) -> Pixels:
    """``a`` without ``b``: the smaller of a and 1 - b."""
    _check_same(a, b)
    return cast(Pixels, np.minimum(a, 1 - b))


def _check_same(a: Pixels, b: Pixels) -> None:
    if a.shape != b.shape:
        (ha, wa), (hb, wb) = a.shape[:2], b.shape[:2]
        raise ImageError(f"two maps must be of one size, these are {wa}x{ha} and {wb}x{hb}")


# ---- makers ----------------------------------------------------------------------------------------------------------


def box(size: tuple[int, int], x: float, y: float, w: float, h: float) -> Pixels:
    """1 in the columns from x to x + w - 1 and the rows from y to y + h - 1, as far as they lie in the picture.

    Of fractions those pixels count whose place x' has x <= x' < x + w.
    """
    rows, columns = _places(size)
    m: Pixels = (columns >= x) & (columns < x + w) & (rows >= y) & (rows < y + h)
    if not m.any():
        raise ParameterError("box", f"{x:g},{y:g},{w:g},{h:g} holds no pixel of the picture, which is {_times(size)}")
    return m.astype(np.float32)


def from_alpha(picture: Picture) -> Pixels:
    """1 - alpha: what is transparent is changed."""
    if picture.alpha is None:
        raise ImageError("the picture has no alpha channel, so nothing of it is transparent")
    return transparency(picture.alpha)


def by_colour(picture: Picture, colour: Colour, tolerance: float, softness: float = 0) -> Pixels:
    """1 where the colour is at most ``tolerance`` away, falling to 0 over another ``softness``.

    Distances are Delta E 1976 in CIELAB (D65): 2 is hardly seen, 20 a shade, 100 is black from white.

    Args:
        colour: "#rrggbb" or (red, green, blue) of 0..255 in sRGB.
    """
    _within("tolerance", tolerance, 0, 500)
    _within("softness", softness, 0, 500)
    lab = _lab(picture.rgb) - _lab(np.array([[_colour(colour)]], np.uint8))
    beyond = np.sqrt(np.einsum("hwc,hwc->hw", lab, lab)) - np.float32(tolerance + _ROUNDING)
    if softness == 0:
        return cast(Pixels, (beyond <= 0).astype(np.float32))
    return cast(Pixels, (1 - beyond / np.float32(softness)).clip(0, 1))


def _lab(rgb: Pixels) -> Pixels:
    """uint8 or uint16 sRGB [h, w, 3] to CIELAB, float32; from linear light, as OpenCV is off by 0.5 from sRGB."""
    import cv2

    v = np.linspace(0, 1, np.iinfo(rgb.dtype).max + 1)
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)  # IEC 61966-2-1
    return cast(Pixels, cv2.cvtColor(linear[rgb], cv2.COLOR_LRGB2LAB))


def by_brightness(picture: Picture, low: float, high: float) -> Pixels:
    """1 where the brightness (Rec. 601 luma in 0..1) is from ``low`` to ``high``, both included."""
    _within("low", low, 0, 1)
    _within("high", high, low, 1)
    y = luma(picture)
    return ((y >= np.float32(low)) & (y <= np.float32(high))).astype(np.float32)


def linear_gradient(size: tuple[int, int], start: tuple[float, float], end: tuple[float, float]) -> Pixels:
    """1 at the point ``start`` and before it, falling evenly to 0 at the point ``end`` and beyond."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    if not 0 < dx * dx + dy * dy < math.inf:
        raise ParameterError("linear", f"starts at {start} and ends at {end}; these must be two different points")
    rows, columns = _places(size)
    along = ((columns - start[0]) * dx + (rows - start[1]) * dy) / (dx * dx + dy * dy)
    return cast(Pixels, (1 - along).clip(0, 1).astype(np.float32))


def radial_gradient(size: tuple[int, int], centre: tuple[float, float], radius: float) -> Pixels:
    """1 at the point ``centre``, falling evenly to 0 at ``radius`` pixels from it and beyond."""
    if not 0 < radius < math.inf:
        raise ParameterError("radius", f"is {radius:g}, must be above 0")
    rows, columns = _places(size)
    return cast(Pixels, (1 - np.hypot(columns - centre[0], rows - centre[1]) / radius).clip(0, 1).astype(np.float32))


def difference(a: Picture, b: Picture, tolerance: float = 0) -> Pixels:
    """1 where two pictures of one size differ: any channel (alpha too) by more than ``tolerance``, in 0..1."""
    _within("tolerance", tolerance, 0, 1)
    if a.size != b.size:
        raise ImageError(f"two pictures must be of one size, these are {_times(a.size)} and {_times(b.size)}")
    differs = np.zeros(a.rgb.shape[:2], bool)
    for channel in range(4):
        differs |= np.abs(_share(a, channel) - _share(b, channel)) > np.float32(tolerance)
    return differs.astype(np.float32)


def _share(picture: Picture, channel: int) -> Pixels:
    """A channel of red, green, blue, alpha as float32 in 0..1, [h, w] or, opaque throughout, [1, 1]."""
    if channel == 3 and picture.alpha is None:
        return np.ones((1, 1), np.float32)
    x = picture.rgb[..., channel] if channel < 3 else picture.alpha
    return cast(Pixels, np.asarray(x, np.float32) / np.float32(picture.peak))


def _places(size: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """Rows [h, 1] and columns [1, w]."""
    rows, columns = np.ogrid[: size[1], : size[0]]
    return rows, columns


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _colour(colour: Colour) -> tuple[int, int, int]:
    if isinstance(colour, str):
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
            raise ParameterError("colour", f"is {colour!r}, must be of the form #rrggbb, such as #3060a0")
        return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
    if len(colour) != 3 or not all(0 <= c <= 255 for c in colour):
        raise ParameterError("colour", f"is {colour!r}, must be three numbers from 0 to 255")
    return colour


def _within(name: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:  # false for NaN too
        raise ParameterError(name, f"is {value:g}, must be from {low:g} to {high:g}")
    return value
