"""The original's fine structure given back to an edit, in the edit's own light and colour.

Around every pixel the edit is taken for a recolouring of the original, edit = a * original + b in each channel, fitted
by ridge regression in a Gaussian window: a guided filter (He et al. 2013, IEEE TPAMI 35(6)) whose guide is the
original, with the ridge pulling towards a = 1, for a blurred edit makes slopes seem less than they are. Where the line
explains the edit, a * original + b is the edit as it would be had it kept the original's texture; what it does not
explain (a new moon) stays the edit's.

Everything is fitted small, where the model worked, and applied at the size of the output, so that a photo much larger
than that comes back sharp. The result is linear in k, and k = 0 is plain SDEdit. The constants were chosen on paired
renders (``benchmarks/edits``) and by looking.
"""

from overpaint.picture import Pixels

FIT_SIDE = 384  # pixels of the longer side at which the lines are fitted
# lengths, in parts of the longer side
WINDOW = 1 / 14  # sigma of the window: in smaller ones the edit's own blur passes for a recolouring
SOFTENED = 1 / 150  # sigma by which the original is softened for the fit: what encoding blurs is no change of contrast
NEAR = 1 / 128  # sigma over which it is judged how well the line explains the edit
# in units of the pictures, which are 0..1
FLAT = 0.01  # the variance at which a = 1 counts as much as the picture; less gains .007 of SSIM and veils snow
OWN = 0.25  # the distance from the line at which half of what is the edit's stays


def give_back(edit: Pixels, original: Pixels, k: float) -> Pixels:
    """Give ``k`` in [0, 1] of the original's detail to an edit; both [h, w, 3] float32 in 0..1, of one size."""
    if k == 0:
        return edit
    import cv2

    h, w = edit.shape[:2]
    scale = min(1.0, FIT_SIDE / max(h, w))
    size = max(1, round(w * scale)), max(1, round(h * scale))
    e, o = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (edit, original))
    o = blur(o, SOFTENED)
    slope, offset = _lines(e, o)
    share = k * _explained(e - slope * o - offset)  # [h, w, 1]
    kept, a, b = (
        cv2.resize(x, (w, h), interpolation=cv2.INTER_LINEAR) for x in (1 - share, share * slope, share * offset)
    )
    given: Pixels = (kept[..., None] * edit + a * original + b).clip(0, 1)
    return given


def blur(x: Pixels, part: float) -> Pixels:
    """Gaussian blur of [h, w, ...] with a sigma of ``part`` of the longer side."""
    import cv2

    blurred: Pixels = cv2.GaussianBlur(x, (0, 0), part * max(x.shape[:2]))
    return blurred


def _lines(e: Pixels, o: Pixels) -> tuple[Pixels, Pixels]:
    """Slope a and offset b, [h, w, 3] each, of e = a * o + b around every pixel (He et al., eqs. 5, 6 and 8)."""
    mean_e, mean_o = blur(e, WINDOW), blur(o, WINDOW)
    covariance = blur(e * o, WINDOW) - mean_e * mean_o
    variance = blur(o * o, WINDOW) - mean_o * mean_o
    a = (covariance + FLAT) / (variance + FLAT)
    return blur(a, WINDOW), blur(mean_e - a * mean_o, WINDOW)


def _explained(residual: Pixels) -> Pixels:
    """How much of the edit the lines explain, [h, w, 1] in 0..1: a Wiener filter's weight of what they do not."""
    unexplained = blur((blur(residual, NEAR) ** 2).mean(2), NEAR)
    share: Pixels = OWN**2 / (unexplained + OWN**2)
    return share[..., None]
