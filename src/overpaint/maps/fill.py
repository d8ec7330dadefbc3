"""What fills the hole before a picture is encoded, so that nothing of its old content leaks into the edit.

A network's cells see beyond themselves: what lies under the mask is smeared into its surroundings by the encoder, and
is what an edit of strength below 1 starts from. Every filling but ``original`` is made of known pixels alone.
"""

import numpy as np

from overpaint.params import FillName
from overpaint.picture import Pixels

GREY = 0.5  # where nothing is known
_GREY_DEVIATION = 0.25  # of noise where nothing is known: about a photo's
_RING = 1 / 16  # of the longer side: how far "the surroundings" reach, at least _RING_MIN pixels
_RING_MIN = 4.0
_TELEA_RADIUS = 3  # pixels
_TELEA_PIXELS = 20_000  # more are filled at a lower resolution: the time grows with the hole, what is seen does not


def fill(x: Pixels, hole: Pixels, how: FillName, seed: int = 0) -> Pixels:
    """Fill a hole; outside it the result is ``x`` bit for bit.

    Args:
        x: [h, w, 3] float32 in 0..1.
        hole: [h, w] bool, what is to be filled. Where it is everything, ``original`` is still x and ``noise`` still
            noise; the others are mid grey.
        how: "original": x itself. "noise": random colours with the mean and deviation of the surroundings.
            "blur": the surroundings smeared in. "colour": the mean colour of a ring around each part of the hole.
            "telea": edges continued inwards (Telea 2004), which suits narrow holes.
        seed: of the noise.
    """
    if how == "original" or not hole.any():
        return x
    if how == "noise":
        return _with(x, hole, _noise(x, hole, seed))
    if hole.all():
        return np.full_like(x, GREY)
    if how == "blur":
        return np.where(hole[..., None], spread(x, (~hole).astype(np.float32)).clip(0, 1), x)
    if how == "colour":
        return _with(x, hole, _ring_colours(x, hole))
    return _telea(x, hole)


def spread(x: Pixels, weight: Pixels) -> Pixels:
    """Known values smoothly interpolated into the unknown: pull-push (Gortler et al. 1996, The Lumigraph, 3.4).

    Args:
        x: [h, w, 3] float32; what it holds where the weight is 0 has no influence.
        weight: [h, w] float32 in 0..1: 1 is known and kept, 0 is to be found. It must not be 0 everywhere.
    """
    import cv2

    h, w = weight.shape
    known = weight[..., None]
    weighted = np.where(known > 0, x * known, 0).astype(np.float32)
    if h == w == 1 or weight.min() >= 1:
        return weighted / np.maximum(known, 1e-6)
    pulled = cv2.pyrDown(np.dstack([weighted, weight]))  # [ceil(h/2), ceil(w/2), 4]
    seen = pulled[..., 3]
    # times 4: a quarter of the pixels known is as much as a coarse pixel needs to be known itself
    coarse = spread(pulled[..., :3] / np.maximum(seen, 1e-6)[..., None], np.minimum(4 * seen, 1))
    pushed = cv2.pyrUp(coarse, dstsize=(w, h))
    found: Pixels = weighted + (1 - known) * pushed
    return found


def _with(x: Pixels, hole: Pixels, colours: Pixels) -> Pixels:
    """``x`` with ``colours`` [n, 3] at the n pixels of the hole."""
    filled = x.copy()
    filled[hole] = colours.clip(0, 1)
    return filled


def _noise(x: Pixels, hole: Pixels, seed: int) -> Pixels:
    """[n, 3] for the n pixels of the hole, independent of one another."""
    mean, deviation = np.full(3, GREY, np.float32), np.full(3, _GREY_DEVIATION, np.float32)
    if not hole.all():
        near = x[_surroundings(hole)[0]]  # [n, 3]
        mean, deviation = near.mean(0), near.std(0)
    noise: Pixels = np.random.default_rng(seed).standard_normal((int(hole.sum()), 3), np.float32)
    return mean + deviation * noise


def _surroundings(hole: Pixels) -> tuple[Pixels, Pixels]:
    """The ring of known pixels around a hole, [h, w] bool, and each pixel's nearest part of the hole, [h, w] from 1."""
    import cv2

    reach = max(_RING_MIN, _RING * max(hole.shape))
    distance, part = cv2.distanceTransformWithLabels(
        (~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
    )
    return ~hole & (distance <= reach), part


def _ring_colours(x: Pixels, hole: Pixels) -> Pixels:
    """The mean colour around its own part of the hole, for each of the hole's pixels: [n, 3]."""
    ring, part = _surroundings(hole)
    owners = part[ring]
    parts = int(part.max()) + 1
    count = np.bincount(owners, minlength=parts)
    sums = np.stack([np.bincount(owners, x[ring][:, c], parts) for c in range(3)], 1)  # [parts, 3] float64
    # a part whose whole ring is nearer to other parts has the mean of all rings
    means = np.where(count[:, None] > 0, sums / np.maximum(count, 1)[:, None], sums.sum(0) / count.sum())
    return means[part[hole]].astype(np.float32)


def _telea(x: Pixels, hole: Pixels) -> Pixels:
    """Large holes at a lower resolution, and one 16-bit plane after another: OpenCV rounds up at each pixel inwards.

    In 8 bits the middle of a grey hole comes out 4 % too bright; its float planes are of no use (seen in 5.0).
    """
    import cv2

    h, w = hole.shape
    known = np.where(hole[..., None], 0, x).astype(np.float32)
    scale = (_TELEA_PIXELS / max(int(hole.sum()), _TELEA_PIXELS)) ** 0.5
    missing = hole
    if scale < 1:
        size = (max(1, round(w * scale)), max(1, round(h * scale)))
        seen = cv2.resize((~hole).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        known = cv2.resize(known, size, interpolation=cv2.INTER_AREA) / np.maximum(seen, 1e-6)[..., None]
        missing = seen == 0
    planes = np.moveaxis((known.clip(0, 1) * 65535 + 0.5).astype(np.uint16), 2, 0)  # [3, h, w]
    holes = missing.astype(np.uint8)
    painted = np.dstack([cv2.inpaint(p.copy(), holes, _TELEA_RADIUS, cv2.INPAINT_TELEA) for p in planes])
    painted = cv2.resize(painted.astype(np.float32) / 65535, (w, h), interpolation=cv2.INTER_LINEAR)
    return np.where(hole[..., None], painted, x)
