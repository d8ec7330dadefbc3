"""Only where it matters: the crop of a large picture that an edit with a small change map works on.

Without it a face of 200 pixels in a photo of 4000 is worked at 25; with it the model sees it at its native size.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from overpaint.maps.changemap import bounds
from overpaint.params import RegionName
from overpaint.picture import Pixels

PADDING = 0.25  # of the longer side of what is changed, on every side of it: what the model sees around its work
PADDING_MIN = 32  # pixels
AUTO_SHARE = Fraction(1, 2)  # of the picture's pixels: a larger crop gains little over the whole

BucketFor = Callable[[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Box:
    """A part of a picture, in whole pixels; ``bucket`` is the working size (width, height) that suits it."""

    left: int
    top: int
    width: int
    height: int
    bucket: tuple[int, int] = field(default=(0, 0), compare=False)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return self.width, self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """``picture[box.slices]`` is the part: rows, columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def region_of(m: Pixels, mode: RegionName, bucket_for: BucketFor, padding: int | None = None) -> Box | None:
    """The part of a picture that is worked on; None is the whole picture.

    It holds all that is above 0 in the map and ``padding`` around it, has the shape of the bucket that suits that, and
    no fewer pixels than this bucket (so that nothing is enlarged for the model that need not be): all this as far as
    the picture has room, padding giving way before shape.

    Args:
        m: [h, w], the change map.
        mode: "mask": that crop. "whole": None. "auto": the crop where it has at most half of the picture's pixels and
            the picture more than its own bucket, else None.
        bucket_for: ``Card.bucket_for``: the working size (width, height) for the shape of a picture.
        padding: pixels; None for a quarter of the longer side of what is changed, and at least 32.
    """
    h, w = m.shape
    changed = _bounds(m)
    if mode == "whole" or changed is None:
        return None
    if padding is None:
        padding = max(PADDING_MIN, round(PADDING * max(changed.size)))
    bucket = bucket_for(*_padded(changed, (w, h), padding))
    box = _place(changed, _grown(changed, (w, h), bucket, padding), (w, h))
    if box.size == (w, h):
        return None
    if mode == "auto":
        own = bucket_for(w, h)
        if box.width * box.height > AUTO_SHARE * w * h or w * h <= own[0] * own[1]:
            return None
    return replace(box, bucket=bucket)


def _bounds(m: Pixels) -> Box | None:
    """The smallest box around what is above 0; None where nothing is."""
    found = bounds(m)
    if found is None:
        return None
    left, top, right, bottom = found
    return Box(left, top, right - left, bottom - top)


def _padded(changed: Box, picture: tuple[int, int], padding: int) -> tuple[int, int]:
    """(width, height) with the padding, no more than the picture's."""
    return min(picture[0], changed.width + 2 * padding), min(picture[1], changed.height + 2 * padding)


def _grown(changed: Box, picture: tuple[int, int], bucket: tuple[int, int], padding: int) -> tuple[int, int]:
    """(width, height): the bucket's, times what makes it hold the padding; in fractions, so that it holds exactly."""

    def times_to_hold(size: tuple[int, int]) -> Fraction:
        return max(Fraction(1), *(Fraction(side, b) for side, b in zip(size, bucket, strict=True)))

    room = min(Fraction(side, b) for side, b in zip(picture, bucket, strict=True))
    times = times_to_hold(_padded(changed, picture, padding))
    if times_to_hold(changed.size) <= room < times:
        times = room
    w, h = (min(side, -(-times.numerator * b // times.denominator)) for side, b in zip(picture, bucket, strict=True))
    return w, h


def _place(changed: Box, size: tuple[int, int], picture: tuple[int, int]) -> Box:
    """A box of this size with what is changed in its middle, moved as far as it must to lie inside the picture."""
    (w, h), (W, H) = size, picture
    left = min(max(0, (2 * changed.left + changed.width - w) // 2), W - w)
    top = min(max(0, (2 * changed.top + changed.height - h) // 2), H - h)
    return Box(left, top, w, h)
