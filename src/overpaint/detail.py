"""The original's fine structure given back to an edit (Laplacian transfer; Burt & Adelson 1983).

    blur(edit) + k * (original - blur(original))

The edit gives light and colour, the original gives its fine structure; both at the size of the output, so that a photo
much larger than the working size comes back sharp. k = 0 is plain SDEdit.
"""

from overpaint.picture import Pixels

SIGMA = 6 / 256  # of the longer side; 6 to 12 pixels at 256 differ little (measured on paired renders)
_WORKED_SIDE = 1024  # a blur this wide loses nothing at a lower resolution, and is many times faster there


def give_back(edit: Pixels, original: Pixels, k: float) -> Pixels:
    """Give ``k`` in [0, 1] of the original's detail to an edit; both [h, w, 3] float32 in 0..1, of one size."""
    if k == 0:
        return edit
    return (blur(edit) + k * (original - blur(original))).clip(0, 1)


def blur(x: Pixels) -> Pixels:
    """Gaussian blur of [h, w, 3], sigma in proportion to the longer side; large pictures at a lower resolution."""
    import cv2

    h, w = x.shape[:2]
    side = max(h, w)
    if side > 2 * _WORKED_SIDE:
        scale = _WORKED_SIDE / side
        small = cv2.resize(x, (max(1, round(w * scale)), max(1, round(h * scale))), interpolation=cv2.INTER_AREA)
        wide: Pixels = cv2.resize(blur(small), (w, h), interpolation=cv2.INTER_CUBIC)
        return wide
    blurred: Pixels = cv2.GaussianBlur(x, (0, 0), SIGMA * side)
    return blurred
