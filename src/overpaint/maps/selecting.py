"""Smart select: what was clicked on, or scribbled over, as a mask. Nothing is downloaded, nothing is learnt.

``flood`` takes what is connected to the point and of its colour. ``grabcut`` begins with that and lets GrabCut (Rother,
Kolmogorov & Blake 2004, from OpenCV) find the border: mixtures of colours of inside and outside in turns with the cut
that lies on edges. Both give 1 at the points and 0 at the points to keep, always, and the same mask each time. What
else finds things, as a network, is handed in as a ``Finder``.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeAlias, cast, get_args

import numpy as np

from overpaint.errors import ImageError, ParameterError
from overpaint.maps.distance import distance_to
from overpaint.picture import Picture, Pixels

SelectMethod = Literal["grabcut", "flood"]
METHODS: tuple[SelectMethod, ...] = get_args(SelectMethod)
Point: TypeAlias = tuple[float, float]
# (picture, points, points to keep) -> bool [h, w]
Finder: TypeAlias = Callable[[Picture, Sequence[Point], Sequence[Point]], Pixels]

TOLERANCE = 16.0  # Delta E in CIELAB: shades of one surface, not yet another thing
_WORKED_PIXELS = 1 << 19  # GrabCut's time grows with them; a border is found as well at this size
_DISC = 1 / 128  # of the longer side: the radius of what a point stands for
_SMOOTH = 1 / 256  # of the longer side: colours are compared with the texture blurred by this
_FAR = 3  # x tolerance: colours that far off are outside for sure; else a mixture grows over all that is near
_ROUNDS = 3
_PALETTE = 24  # colours at most that a scribble stands for
_STEP = 6.0  # Delta E: colours nearer than this are one of the palette


def select(
    picture: Picture,
    points: Sequence[Point],
    *,
    keep: Sequence[Point] = (),
    method: SelectMethod | Finder = "grabcut",
    tolerance: float = TOLERANCE,
) -> Pixels:
    """Select what the points lie on.

    Args:
        points: (x, y) in pixels of the upright picture, from 0 to width - 1 and height - 1; at least one.
        keep: points that are not part of it.
        method: "grabcut" finds borders in texture, "flood" takes all that is connected and of one colour; or a
            function that finds it.
        tolerance: above 0: how far in CIELAB (Delta E 1976) a colour may be from that of a point to be alike; a
            function has its own.

    Returns:
        float32 [h, w] of 0 and 1: 1 is selected.

    Raises:
        ParameterError: a point outside the picture, none at all, one that is to be both, an unknown method.
    """
    size = picture.size
    if not points:
        raise ParameterError("points", "are none, at least one is needed")
    inside, outside = _pixels("points", points, size), _pixels("keep", keep, size)
    if both := sorted(set(inside) & set(outside)):
        raise ParameterError("keep", f"holds {both[0]}, which is one of the points to select too")
    if not callable(method) and method not in METHODS:
        raise ParameterError("method", f"is {method!r}, must be one of {', '.join(METHODS)}, or a function")
    _check_tolerance(tolerance)
    chosen, kept = _drawn(inside, size), _drawn(outside, size)
    if callable(method):
        found = method(picture, points, keep)
    elif method == "flood":
        found = _alike(_lab(picture.flat()), chosen, kept, tolerance)
    else:
        found = _cut(picture, chosen, kept, tolerance, _DISC)
    return (found & ~kept | chosen).astype(np.float32)


def select_scribble(picture: Picture, scribble: Pixels, *, tolerance: float = TOLERANCE) -> Pixels:
    """Select what is scribbled over.

    Args:
        scribble: [h, w] in 0..1 of the picture's size; what is above 0.5 is part of what is selected.
        tolerance: as in ``select``.

    Returns:
        float32 [h, w] of 0 and 1: 1 is selected, the scribble with it.
    """
    w, h = picture.size
    if scribble.shape != (h, w):
        raise ImageError(f"scribble: has the shape {scribble.shape}, must be {(h, w)} like the picture")
    _check_tolerance(tolerance)
    drawn = scribble > 0.5
    if not drawn.any():
        raise ImageError("scribble: is empty: no pixel is above 0.5")
    return (_cut(picture, drawn, np.zeros_like(drawn), tolerance, 0) | drawn).astype(np.float32)


# ---- points ----------------------------------------------------------------------------------------------------------


def _pixels(name: str, points: Sequence[Point], size: tuple[int, int]) -> list[tuple[int, int]]:
    w, h = size
    found = []
    for x, y in points:
        if not (-0.5 <= x < w - 0.5 and -0.5 <= y < h - 0.5):  # false for NaN too
            raise ParameterError(
                name, f"({x:g}, {y:g}) lies outside the picture: x must be from 0 to {w - 1}, y from 0 to {h - 1}"
            )
        found.append((int(np.floor(x + 0.5)), int(np.floor(y + 0.5))))
    return found


def _check_tolerance(tolerance: float) -> None:
    if not 0 < tolerance <= 500:
        raise ParameterError("tolerance", f"is {tolerance}, must be above 0 and at most 500")


def _drawn(points: list[tuple[int, int]], size: tuple[int, int]) -> Pixels:
    """bool [h, w]"""
    drawn = np.zeros(size[::-1], bool)
    x, y = np.array(points, int).reshape(-1, 2).T
    drawn[y, x] = True
    return drawn


# ---- colour and connection -------------------------------------------------------------------------------------------


def _alike(lab: Pixels, chosen: Pixels, kept: Pixels, tolerance: float) -> Pixels:
    """bool [h, w]: what touches ``chosen`` (bool [h, w]) and has its colours, unless those of ``kept`` are nearer."""
    distance = _distance(lab, lab[chosen])
    near = distance <= tolerance
    if kept.any():
        near &= distance < _distance(lab, lab[kept])
    return _touching(near, chosen)


def _lab(x: Pixels) -> Pixels:
    """sRGB [h, w, 3] float32 in 0..1 to CIELAB under D65."""
    import cv2

    return cast(Pixels, cv2.cvtColor(x, cv2.COLOR_RGB2LAB))


def _distance(lab: Pixels, colours: Pixels) -> Pixels:
    """[h, w]: Delta E 1976 to the nearest of some colours [n, 3], which are thinned out to a palette first."""
    squared = np.full(lab.shape[:2], np.inf, np.float32)
    for colour in _palette(colours):
        difference = lab - colour
        np.minimum(squared, np.einsum("hwc,hwc->hw", difference, difference), out=squared)
    return cast(Pixels, np.sqrt(squared))


def _palette(colours: Pixels) -> Pixels:
    """The means [k, 3] of the fullest cells of a grid of ``_STEP``, k at most ``_PALETTE``."""
    _, cell, count = np.unique(np.floor(colours / _STEP), axis=0, return_inverse=True, return_counts=True)
    cell = cell.reshape(-1)
    sums = np.stack([np.bincount(cell, colours[:, c]) for c in range(3)], axis=-1)
    fullest = np.argsort(-count, kind="stable")[:_PALETTE]
    return (sums[fullest] / count[fullest, None]).astype(np.float32)


def _touching(region: Pixels, chosen: Pixels) -> Pixels:
    """The connected parts of ``region`` that meet ``chosen``; both bool [h, w], as is the result."""
    import cv2

    _, label = cv2.connectedComponents((region | chosen).astype(np.uint8), connectivity=4)
    wanted = np.zeros(int(label.max()) + 1, bool)
    wanted[label[chosen]] = True
    return cast(Pixels, wanted[label])


# ---- GrabCut ---------------------------------------------------------------------------------------------------------


def _cut(picture: Picture, chosen: Pixels, kept: Pixels, tolerance: float, disc: float) -> Pixels:
    """bool [h, w] by GrabCut; at most ``_WORKED_PIXELS`` are looked at, and the border is brought back to full size.

    ``chosen`` and ``kept`` (bool [h, w]) stand for discs around them, of the radius ``disc`` x the longer side.
    """
    import cv2

    x, size = picture.flat(), picture.size
    scale = min(1.0, (_WORKED_PIXELS / (size[0] * size[1])) ** 0.5)
    if scale < 1:
        w, h = (max(1, round(side * scale)) for side in size)
        x = cv2.resize(x, (w, h), interpolation=cv2.INTER_AREA)
    inside, outside = _seeds(chosen, x.shape), _seeds(kept, x.shape)
    found = _cut_small(x, inside, outside & ~inside, tolerance, disc)
    if scale < 1:
        found = cv2.resize(found.astype(np.float32), size, interpolation=cv2.INTER_CUBIC) >= 0.5
    return _touching(found & ~kept, chosen)


def _seeds(drawn: Pixels, shape: tuple[int, ...]) -> Pixels:
    """bool [h, w] at another size, where nothing that is drawn gets lost."""
    small = np.zeros(shape[:2], bool)
    y, x = np.nonzero(drawn)
    small[y * shape[0] // drawn.shape[0], x * shape[1] // drawn.shape[1]] = True
    return small


def _cut_small(x: Pixels, chosen: Pixels, kept: Pixels, tolerance: float, disc: float) -> Pixels:
    import cv2

    side = max(x.shape)
    lab = _lab(x)
    smooth = cv2.GaussianBlur(lab, (0, 0), side * _SMOOTH) if side * _SMOOTH >= 0.5 else lab
    inside = _disc_around(chosen, smooth, side * disc, tolerance) & ~kept
    outside = _disc_around(kept, smooth, side * disc, tolerance) & ~inside
    labels = np.full(x.shape[:2], cv2.GC_PR_BGD, np.uint8)
    labels[_distance(smooth, smooth[inside]) > _FAR * tolerance] = cv2.GC_BGD
    labels[_alike(smooth, inside, outside, tolerance)] = cv2.GC_PR_FGD
    labels[outside], labels[inside] = cv2.GC_BGD, cv2.GC_FGD
    foreground = cast(Pixels, (labels == cv2.GC_PR_FGD) | inside)
    if foreground.all():
        return foreground  # all is alike: there is nothing to tell it from
    bgr = np.ascontiguousarray((x[..., ::-1] * 255 + 0.5).astype(np.uint8))
    labels = _by_itself(lambda: cv2.grabCut(bgr, labels, None, None, None, _ROUNDS, cv2.GC_INIT_WITH_MASK)[0])
    return cast(Pixels, (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))


def _disc_around(drawn: Pixels, smooth: Pixels, radius: float, tolerance: float) -> Pixels:
    """bool [h, w]: discs around what is drawn, without what is of another colour there."""
    if radius < 1 or not drawn.any():
        return drawn
    near = distance_to(drawn, radius) <= radius
    return cast(Pixels, near & (_distance(smooth, smooth[drawn]) <= tolerance) | drawn)


def _by_itself(work: Callable[[], Pixels]) -> Pixels:
    """Run in a thread of its own: OpenCV's random numbers, which GrabCut draws from, are one stream a thread.

    So a new thread begins them anew: the result depends on nothing that ran before, and the caller's stream stays.
    """
    import cv2

    with ThreadPoolExecutor(1, initializer=cv2.setRNGSeed, initargs=(0,)) as thread:
        found: Pixels = thread.submit(work).result()
        return found
