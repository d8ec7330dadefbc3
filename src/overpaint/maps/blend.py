"""An edit laid over its original so that the original stays exact where nothing was to change, and no seam shows.

``opacity`` says how much of the edit is seen, ``match_colour`` takes the cast off it, ``composite`` lays it over, and
``seam`` measures what is left. All but ``seam`` work at the size of the output.
"""

import numpy as np

from overpaint.maps.distance import distance_to
from overpaint.maps.fill import spread
from overpaint.picture import Pixels

SOFT = 0.1  # the change at and above which the edit alone is seen
REACH = 64.0  # pixels into the hole until a matched colour is the edit's own again
BAND = 8  # pixels on both sides of a mask's edge that count as its surroundings
_RIM = 2.0  # sigma in pixels of the colours compared across the edge: an edge's texture is no cast
_WORKED_SIDE = 1024  # in pixels: the membrane is smooth and loses nothing at a lower resolution
_ALONG = 6.0  # sigma in pixels along the rim: what changes faster is content, and stays


def opacity(m: Pixels, width: float) -> Pixels:
    """How much of the edit is seen: [h, w] float32, exactly 0 where nothing was to change.

    The map is strength, not opacity: a half-changed pixel is one picture, not two mixed. So it rises to 1 by ``SOFT``;
    and the edge of a hard mask, which has one level beside black, is blended inside its white side alone.

    Args:
        m: [h, w] float32 in 0..1, the change map.
        width: of a hard mask's blend, in pixels from the nearest black one. The picture's border is no edge.
    """
    o = np.zeros(m.shape, np.float32)
    box = _box(m > 0, 1)  # with the black pixels next to it: all that a distance can be to
    if box is None:
        return o
    level = m[box]
    changed = level > 0
    o[box] = _smoothstep(level / SOFT)
    if changed.all() or level[changed].min() < level.max():
        return o
    o[box] *= _smoothstep(distance_to(~changed, width) / max(width, 1))
    return o


def composite(original: Pixels, edit: Pixels, o: Pixels) -> Pixels:
    """[h, w, c] uint8 or uint16: the original's own numbers at opacity 0, the edit's at 1, rounded mixes between."""
    box = _box(o > 0, 0)
    if box is None:
        return original
    out = original.copy()
    a, b, o = out[box], edit[box], o[box]  # `a` is a view: what is set in it is set in `out`
    alone, mixed = o >= 1, (o > 0) & (o < 1)
    a[alone] = b[alone]
    below, share = a[mixed].astype(np.float32), o[mixed][:, None]  # [n, c]
    a[mixed] = (below + share * (b[mixed] - below) + 0.5).astype(out.dtype)
    return out


# ---- colours that agree at the rim -----------------------------------------------------------------------------------


def match_colour(edit: Pixels, original: Pixels, m: Pixels, reach: float = REACH) -> Pixels:
    """The edit with its colours, where m > 0, brought to those of the original next to it: [h, w, 3] float32.

    A membrane (Perez et al. 2003, Poisson Image Editing, equation 4; Farbman et al. 2009, section 3): what the edit
    lacks at the rim of the hole is interpolated smoothly into it and added. Unlike theirs it is *local means* that are
    compared, the original's outside against the edit's inside (what was under the mask may have been anything, and
    grain is no cast), and it is gone ``reach`` pixels from the rim, so that the middle keeps its own colours.

    Args:
        edit: [h, w, 3] float32 in 0..1. Where m = 0 it is neither read nor changed.
        original: the same, of the same size. Where m > 0 it is not read.
        m: [h, w] float32 in 0..1, the change map.
        reach: in pixels.
    """

    box = _box(m > 0, round(8 * _RIM))  # the wider of the two means still sees enough
    if box is None or reach <= 0:
        return edit
    inside = m[box] > 0
    if inside.all():
        return edit
    distance = distance_to(~inside, reach)
    fading = np.where(inside, 1 - _smoothstep((distance - 1) / reach), 0)[..., None]
    matched = (edit[box] + fading * _membrane(edit[box], original[box], inside)).clip(0, 1)
    out = edit.copy()
    out[box] = np.where(fading > 0, matched, edit[box])
    return out


def _membrane(edit: Pixels, original: Pixels, inside: Pixels) -> Pixels:
    """What the edit lacks at the rim, smoothly interpolated into the hole: [h, w, 3]."""
    import cv2

    h, w = inside.shape
    if max(h, w) > 2 * _WORKED_SIDE:
        scale = _WORKED_SIDE / max(h, w)
        size = (max(1, round(w * scale)), max(1, round(h * scale)))
        share = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        small = _membrane(_shrunk(edit, inside, size), _shrunk(original, ~inside, size), share >= 0.5)
        wide: Pixels = cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)
        return wide
    rim = inside & ~cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    lacking = _at_edge(original, ~inside) - _at_edge(edit, inside)
    return spread(_mean(lacking, rim, _ALONG), rim.astype(np.float32))


def _shrunk(x: Pixels, where: Pixels, size: tuple[int, int]) -> Pixels:
    """[h, w, 3] to (width, height), each pixel the mean of what is known in it."""
    import cv2

    known = cv2.resize(np.where(where[..., None], x, 0).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(where.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    mean: Pixels = known / np.maximum(share, 1e-6)[..., None]
    return mean


def _at_edge(x: Pixels, side: Pixels) -> Pixels:
    """What [h, w, 3], known on one ``side`` of an edge, comes to at the edge: a line through two means of it.

    A mean over sigma lies about 0.8 sigma away from the edge, one over twice that twice as far.
    """
    return 2 * _mean(x, side, _RIM) - _mean(x, side, 2 * _RIM)


def _mean(x: Pixels, where: Pixels, sigma: float) -> Pixels:
    """Local mean of what is known (normalized convolution, Knutsson & Westin 1993); 0 far from all that is."""
    import cv2

    weight = where.astype(np.float32)
    known = np.where(where[..., None], x, 0).astype(np.float32)
    blurred = cv2.GaussianBlur(np.dstack([known, weight]), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    mean: Pixels = blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-6)
    return mean


# ---- the measure -----------------------------------------------------------------------------------------------------


def seam(picture: Pixels, m: Pixels) -> float:
    """How much a mask's edge stands out: the mean step across it over the mean step beside it.

    A step is the RGB distance of two neighbouring pixels. The edge is where m > 0 meets m = 0; beside it are the pairs
    that lie wholly on one side, within ``BAND`` pixels. About 1 is an edge like any other place, 1.25 is hard to see,
    3 is a line. Steps below half of an 8-bit one count as that: nobody sees them. Without an edge it is 1.

    Args:
        picture: [h, w, 3] in 0..1, or uint8 or uint16.
        m: [h, w], the change map.
    """
    import cv2

    box = _box(m > 0, BAND)
    if box is None or (m > 0).all():
        return 1.0
    inside = m[box] > 0
    x = picture[box].astype(np.float32)
    if np.issubdtype(picture.dtype, np.integer):
        x /= np.iinfo(picture.dtype).max
    sides = [cv2.distanceTransform(s.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) for s in (inside, ~inside)]
    near = np.maximum(*sides) <= BAND
    across, beside = 0.0, 0.0
    for first, second in (_LYING, _STANDING):
        step = np.linalg.norm(x[second] - x[first], axis=-1)
        crossing = inside[first] != inside[second]
        within = near[first] & near[second] & ~crossing
        if crossing.any() and within.any():  # beside counts as often as across: textures have directions
            across += float(step[crossing].sum(dtype=np.float64))
            beside += int(crossing.sum()) * max(float(step[within].mean(dtype=np.float64)), 1 / 510)
    return across / beside if beside else 1.0


_LYING = (np.s_[:, :-1], np.s_[:, 1:])
_STANDING = (np.s_[:-1], np.s_[1:])


def _smoothstep(x: Pixels) -> Pixels:
    """0 below 0, 1 above 1, 3x^2 - 2x^3 between; both ends exact."""
    x = np.clip(x, 0, 1).astype(np.float32)
    risen: Pixels = x * x * (3 - 2 * x)
    return risen


def _box(where: Pixels, margin: int) -> tuple[slice, slice] | None:
    """The rows and columns around what is True, with a margin; None where nothing is."""
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    if not rows.size:
        return None
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )
