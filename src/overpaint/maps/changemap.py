"""Change maps: pictures in 0..1, white = change. A map multiplies the strength of an edit, pixel by pixel.

Inside the program a map is float32 [h, w] in 0..1, its pixels those of the upright picture: 0 keeps the original bit
for bit, 1 changes with the full strength, grey lies in between. A mask is a map of 0 and 1. ``load_map`` makes one of
anything that is a picture or an array; ``maptools`` makes and changes them; ``select`` finds what was clicked on.
"""

from typing import TYPE_CHECKING, Literal, TypeAlias, Union, cast, get_args

import numpy as np

from overpaint.decode import Source, load
from overpaint.decode.header import check_size
from overpaint.errors import ImageError, ParameterError
from overpaint.picture import Picture, Pixels

if TYPE_CHECKING:
    from torch import Tensor

MapSource: TypeAlias = Union[Source, Pixels, "Tensor"]

ByName = Literal["brightness", "opacity", "transparency"]  # what of a map's pixels marks them
BY: tuple[ByName, ...] = get_args(ByName)

_LUMA = (19595, 38470, 7471)  # of 65536: Rec. 601 in the whole numbers that Pillow has for convert("L")


def load_map(
    source: MapSource,
    size: tuple[int, int],
    *,
    by: ByName = "brightness",
    hard: bool = False,
    threshold: float = 0.5,
    name: str = "map",
) -> tuple[Pixels, list[str]]:
    """Read a change map for a picture of ``size`` (width, height).

    What counts is brightness: of a coloured map its Rec. 601 luma, as Pillow's convert("L") has it, after its own
    colour profile if there is one. Grey k becomes exactly k/255, or k/65535 of 16 bits; floats stay as they are (those
    of a TIFF are read at 8 bits). One rule for alpha: the map is laid over black, so that transparent = keep, and a
    note says so; alpha that is opaque throughout means nothing.

    Args:
        source: what ``decode.load`` takes, or an array or tensor: uint8, uint16 or float in 0..1, of shape [h, w],
            [h, w, 1], [h, w, 3] or [h, w, 4], or bool [h, w]; tensors with channels first, also as a batch of one.
        size: another size than this is brought to it, each pixel that of the nearest, with a note.
        by: "brightness" as above. "opacity", as AUTOMATIC1111's API has it: alpha, and the colours mean nothing; of a
            map that is opaque throughout its brightness. "transparency", as OpenAI's API has it: 1 - alpha.
        hard: make a mask of it: 1 where the map is at least ``threshold``, else 0. Takes the noise of JPEG away.
        threshold: above 0, at most 1.
        name: of the argument, for messages and notes.

    Returns:
        float32 [h, w] in 0..1, and notes on what was changed.

    Raises:
        ImageError: naming ``name`` and what is wrong: a broken or huge file, NaN, values outside 0..1, a wrong shape.
    """
    if not 0 < threshold <= 1:
        raise ParameterError("threshold", f"is {threshold}, must be above 0 and at most 1")
    try:
        m, notes = _marked(source, by)
    except ImageError as e:
        raise ImageError(f"{name}: {e}", kind=e.kind) from e
    m, more = _fitted(m, size)
    if hard:
        m = (m >= threshold).astype(np.float32)
    return m, [f"{name}: {note}" for note in (*notes, *more)]


def openai_map(source: MapSource, size: tuple[int, int], *, name: str = "mask") -> tuple[Pixels, list[str]]:
    """A mask as OpenAI's API has it, transparent = change: ``load_map`` by transparency."""
    return load_map(source, size, by="transparency", name=name)


# ---- what is in a map ------------------------------------------------------------------------------------------------


def is_hard(m: Pixels) -> bool:
    """Whether a map is a mask: nothing but 0 and 1."""
    return bool(((m == 0) | (m == 1)).all())


def bounds(m: Pixels) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of what is above 0, right and bottom being the first beyond it; None if nothing is."""
    columns, rows = np.flatnonzero(m.any(axis=0)), np.flatnonzero(m.any(axis=1))
    if len(columns) == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def luma(picture: Picture) -> Pixels:
    """Rec. 601 brightness of a picture's colours, alpha aside: float32 [h, w] in 0..1, k/255 or k/65535."""
    return _share(_luma(picture.rgb), picture.peak)


def transparency(alpha: Pixels) -> Pixels:
    """1 - alpha, float32 in 0..1, of the alpha of a picture (whole numbers) or floats in 0..1."""
    peak = _peak(alpha)
    return _share(peak - alpha, peak)


# ---- reading ---------------------------------------------------------------------------------------------------------


def _marked(source: MapSource, by: ByName) -> tuple[Pixels, list[str]]:
    """float32 [h, w] of its own size, and notes."""
    if by not in BY:
        raise ParameterError("by", f"is {by!r}, must be one of {', '.join(BY)}")
    m, alpha, notes = _read(source)
    if by == "transparency":
        if alpha is None:
            raise ImageError("it has no alpha channel, whose transparent parts are what is to be changed")
        return transparency(alpha), notes
    if by == "opacity" and alpha is not None and (alpha < _peak(alpha)).any():
        return _share(alpha, _peak(alpha)), notes
    return _over_black(m, alpha, notes)


def _over_black(m: Pixels, alpha: Pixels | None, notes: list[str]) -> tuple[Pixels, list[str]]:
    if alpha is not None and (alpha < _peak(alpha)).any():
        m = m * _share(alpha, _peak(alpha))
        note = "it has transparency, which is laid over black: transparent = keep"
        if not m.any() and alpha.any():
            note += (
                "; nothing is left to change. If its alpha is what is meant, take it by `from_alpha` or `openai_map`"
            )
        notes.append(note)
    if 0 < m.max() <= np.float32(1 / 255):
        notes.append("it is nearly black, so next to nothing changes; a mask of 0 and 1 must be of bool or float")
    return m, notes


def _read(source: MapSource) -> tuple[Pixels, Pixels | None, list[str]]:
    """(brightness float32 [h, w], alpha [h, w] as it is stored or None, notes)."""
    x = _array(source)
    if x is not None:
        return *_planes(x), []
    picture = load(source)
    return luma(picture), picture.alpha, list(picture.notes)


def _planes(x: Pixels) -> tuple[Pixels, Pixels | None]:
    """(brightness float32 [h, w], alpha [h, w] of the type of ``x``) of an array, checked."""
    if x.ndim == 2:
        x = x[..., None]
    if x.ndim != 3 or x.shape[2] not in (1, 3, 4) or 0 in x.shape:
        raise ImageError(f"an array of shape {x.shape} is not a map; [h, w], [h, w, 1], [h, w, 3] or [h, w, 4] is")
    check_size((x.shape[1], x.shape[0]), "the array")
    if np.issubdtype(x.dtype, np.floating):
        if not np.isfinite(x).all():
            raise ImageError(f"{(~np.isfinite(x)).sum():,} of its values are NaN or infinite; floats must lie in 0..1")
        if x.min() < 0 or x.max() > 1:
            raise ImageError(f"its floats span {x.min():g}..{x.max():g}, they must lie in 0..1")
        x = x.astype(np.float32)
    elif x.dtype not in (np.bool_, np.uint8, np.uint16) or (x.dtype == np.bool_ and x.shape[2] > 1):
        raise ImageError(
            f"an array of {x.dtype} {x.shape} is not a map; uint8 (0..255), uint16, float (0..1) and bool [h, w] are"
        )
    alpha = x[..., 3] if x.shape[2] == 4 else None
    return _share(x[..., 0] if x.shape[2] == 1 else _luma(x[..., :3]), _peak(x)), alpha


def _is_tensor(source: object) -> bool:
    return hasattr(source, "permute") and hasattr(source, "detach")


def _array(source: MapSource) -> Pixels | None:
    """The array of an array or tensor, [h, w] or [h, w, c]; None of anything else."""
    if isinstance(source, np.ndarray):
        return source
    if not _is_tensor(source):
        return None
    x = cast("Tensor", source).detach().cpu()
    x = x.float() if x.is_floating_point() else x
    x = x[0] if x.ndim == 4 and len(x) == 1 else x
    channels_first = x.ndim == 3 and x.shape[0] in (1, 3, 4)
    return cast(Pixels, (x.permute(1, 2, 0) if channels_first else x).numpy())


def _luma(x: Pixels) -> Pixels:
    """[h, w, 3] of any type to [h, w] of the same range, whole numbers rounded; grey comes back as it is."""
    if np.issubdtype(x.dtype, np.floating):
        red, green, blue = (x[..., c] * np.float64(weight) for c, weight in enumerate(_LUMA))
        return cast(Pixels, ((red + green + blue) / 65536).astype(np.float32))  # exact for grey: 24 + 16 bits
    r, g, b = (x[..., c] * np.uint32(weight) for c, weight in enumerate(_LUMA))
    return cast(Pixels, (r + g + b + np.uint32(1 << 15)) >> np.uint32(16))  # 65535 * 65536 and a half just fit


def _peak(x: Pixels) -> int:
    """The value of white."""
    return int(np.iinfo(x.dtype).max) if np.issubdtype(x.dtype, np.integer) else 1


def _share(x: Pixels, peak: int) -> Pixels:
    """``x`` of ``peak`` as the float32 nearest to it."""
    return cast(Pixels, x.astype(np.float32) / np.float32(peak))


def _fitted(m: Pixels, size: tuple[int, int]) -> tuple[Pixels, list[str]]:
    """[h, w] brought to ``size`` (width, height): each pixel is the one whose area its centre lies in."""
    (w, h), (W, H) = (m.shape[1], m.shape[0]), size
    if (w, h) == (W, H):
        return np.ascontiguousarray(m), []
    rows, columns = (2 * np.arange(H) + 1) * h // (2 * H), (2 * np.arange(W) + 1) * w // (2 * W)
    return np.ascontiguousarray(m[rows[:, None], columns]), [
        f"it is {w}x{h}, the picture {W}x{H}: it is resized to that, each pixel that of the nearest"
    ]
