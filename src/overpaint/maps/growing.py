"""The canvas of outpainting: a picture grown beyond its borders, and the change map that says what is new."""

from typing import Literal, get_args

import numpy as np

from overpaint.decode import MAX_PIXELS
from overpaint.errors import ParameterError
from overpaint.fields import SIDE_MAX
from overpaint.picture import Picture, Pixels

ExtendName = Literal["reflect", "smear"]
EXTENDS: tuple[ExtendName, ...] = get_args(ExtendName)

_SMEAR = 0.5  # sigma of the blur along the edge, in pixels for each pixel away from it


def extend(
    picture: Picture,
    left: int = 0,
    top: int = 0,
    right: int = 0,
    bottom: int = 0,
    how: ExtendName = "reflect",
    overlap: int = 0,
) -> tuple[Picture, Pixels]:
    """Grow a picture; its own pixels stay exact and its alpha is kept, the new area is opaque.

    Args:
        left, top, right, bottom: by how many pixels.
        how: the new area is "reflect": the picture mirrored, again and again where it is larger than the picture.
            "smear": the edge drawn outwards with a blur that grows.
        overlap: over how many pixels the change reaches into the original. 0 keeps every one of its pixels.

    Returns:
        The grown picture, and its change map [h, w] float32: 1 in the new area, 0 in the original, and in the overlap a
        smoothstep between them.

    Raises ``ParameterError`` naming the side where one is below 0, none is above 0, or the result would be too large.
    """
    sides = {"left": left, "top": top, "right": right, "bottom": bottom}
    _check(picture.size, sides, how, overlap)
    grow = ((top, bottom), (left, right))
    seen = picture.rgb
    if picture.alpha is not None:  # new pixels are opaque: they show what was seen, not what alpha hid
        seen = (picture.flat() * picture.peak + 0.5).astype(picture.rgb.dtype)
    rgb = np.pad(seen, (*grow, (0, 0)), mode="reflect") if how == "reflect" else _smear(seen, grow)
    h, w = picture.rgb.shape[:2]
    inner = np.s_[top : top + h, left : left + w]
    rgb[inner] = picture.rgb
    alpha = picture.alpha
    if alpha is not None:
        alpha = np.pad(alpha, grow, constant_values=picture.peak)
    return Picture(rgb, alpha, picture.notes), _change_map((w, h), grow, overlap)


Growth = tuple[tuple[int, int], tuple[int, int]]  # (top, bottom), (left, right), as numpy's pad takes it


def _check(size: tuple[int, int], sides: dict[str, int], how: str, overlap: int) -> None:
    for name, pixels in (*sides.items(), ("overlap", overlap)):
        if isinstance(pixels, bool) or not isinstance(pixels, int) or pixels < 0:
            raise ParameterError(name, f"is {pixels!r}, must be a whole number of pixels, 0 or more")
    if how not in EXTENDS:
        raise ParameterError("how", f"is {how!r}, must be one of {', '.join(EXTENDS)}")
    if not any(sides.values()):
        raise ParameterError("left", "is 0, and so are top, right and bottom: at least one of them must be above 0")
    w, h = size[0] + sides["left"] + sides["right"], size[1] + sides["top"] + sides["bottom"]
    for side, what, pair in ((w, "wide", ("left", "right")), (h, "high", ("top", "bottom"))):
        if side > SIDE_MAX:
            name = max(pair, key=sides.__getitem__)
            raise ParameterError(name, f"is {sides[name]}, makes it {side} pixels {what}, at most {SIDE_MAX} are made")
    if w * h > MAX_PIXELS:
        name = max(sides, key=sides.__getitem__)
        raise ParameterError(name, f"is {sides[name]}, makes it {w}x{h}, at most {MAX_PIXELS:,} pixels are made")


def _smear(x: Pixels, grow: Growth) -> Pixels:
    """[h, w, 3] grown, sideways first: corners are the new edges drawn on."""
    (top, bottom), (left, right) = grow
    sideways = x.swapaxes(0, 1)
    x = np.vstack([_drawn(sideways[0], left)[::-1], sideways, _drawn(sideways[-1], right)]).swapaxes(0, 1)
    return np.vstack([_drawn(x[0], top)[::-1], x, _drawn(x[-1], bottom)])


def _drawn(edge: Pixels, depth: int) -> Pixels:
    """An edge [n, 3] drawn outwards: [depth, n, 3], line d - 1 blurred as suits d pixels away.

    Blurs double in width from one to the next, and lines between two of them are mixed.
    """
    import cv2

    out = np.empty((depth, *edge.shape), edge.dtype)
    near, start, reach = edge.astype(np.float32), 0, 1
    while start < depth:
        far = cv2.GaussianBlur(edge[None].astype(np.float32), (0, 0), _SMEAR * reach, borderType=cv2.BORDER_REPLICATE)[
            0
        ]
        d = np.arange(start, min(depth, reach), dtype=np.float32)
        share = ((d + 1 - start) / (reach - start))[:, None, None]
        out[start : start + len(d)] = near + share * (far - near) + 0.5
        near, start, reach = far, reach, 2 * reach
    return out


def _change_map(size: tuple[int, int], grow: Growth, overlap: int) -> Pixels:
    """1 where new; in the original, d pixels from the nearest new one, 1 - smoothstep(d / (overlap + 1))."""
    w, h = size
    rows, columns = _depth(h, *grow[0]), _depth(w, *grow[1])
    x = np.minimum.outer(rows, columns).clip(0, overlap + 1) / np.float32(overlap + 1)
    m: Pixels = 1 - x * x * (3 - 2 * x)
    return m


def _depth(n: int, before: int, after: int) -> Pixels:
    """How deep each of n pixels lies inside, from the sides that grow: [before + n + after] float32, 0 where new."""
    inside, far = np.arange(1, n + 1, dtype=np.float32), np.float32(n + SIDE_MAX)
    first = inside if before else np.full(n, far)
    last = inside[::-1] if after else np.full(n, far)
    return np.pad(np.minimum(first, last), (before, after))
