"""The one decoder: any source to a ``Picture`` that is upright, RGB in sRGB, 8 or 16 bits, alpha apart.

What a file is, its content says, not its name; only the formats listed in ``sniff`` are ever opened. What was lost or
changed on the way stands in ``Picture.notes``.
"""

import os
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, Union, cast

import numpy as np
from PIL import Image, ImageChops

from overpaint.decode import deep, whole
from overpaint.decode.colour import to_srgb
from overpaint.decode.deep_colour import deep_to_srgb
from overpaint.decode.header import calm, check_size, open_bytes, open_header, refusing
from overpaint.decode.upright import orientation_of, turned
from overpaint.errors import ImageError
from overpaint.picture import Picture, Pixels

if TYPE_CHECKING:
    from torch import Tensor

Source: TypeAlias = Union[
    str, os.PathLike[str], bytes, bytearray, memoryview, BinaryIO, Image.Image, Pixels, "Tensor", Picture
]


def load(source: Source) -> Picture:
    """Read a picture.

    Args:
        source: a path ("-" is standard input), the bytes of a file, an open binary file, a PIL image, a ``Picture`` (as
            it is), or an array or tensor: uint8 (0..255), uint16 (0..65535) or float (0..1), of shape [h, w],
            [h, w, 1], [h, w, 3] or [h, w, 4]; tensors with channels first, also as a batch of one.

    Raises:
        ImageError: saying what is wrong with the picture.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, Image.Image):
        return _from_pil(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if hasattr(source, "permute") and hasattr(source, "detach"):
        return _from_tensor(cast("Tensor", source))
    im, data, name = open_header(source)
    with calm(), refusing(name, f"broken or cut off ({im.format})"):
        return _from_file(im, data, name)


# ---- files and PIL images --------------------------------------------------------------------------------------------


def _from_file(im: Image.Image, data: bytes, name: str) -> Picture:
    notes = _several(im)
    if deep.is_deep(im, name):
        x = deep.read(im, data, name, lambda: open_bytes(data, name))
        _check_whole(im, data, name)
        colour, alpha = _apart(x, im.info.get("transparency"))
        return _finished(im, colour, alpha, notes)
    if deep.is_deep_cmyk(im):
        notes.append("its 16-bit CMYK colours are read at 8 bits")
    im.load()
    _check_whole(im, data, name)
    return _finished(im, *_planes(im, name), notes)


def _from_pil(im: Image.Image) -> Picture:
    """Pillow reads an image's pixels when they are first asked for; apart from that it stays as it is."""
    name = "the picture"
    check_size(im.size, name)
    with calm(), refusing(name, f"broken or cut off ({im.format or im.mode})"):
        notes = _several(im)
        if deep.is_deep(im, name):
            notes.append("it was opened by Pillow, at 8 bits; give its path or bytes to keep 16")
        im.load()
        return _finished(im, *_planes(im, name), notes)


def _several(im: Image.Image) -> list[str]:
    """What is left out of a file that holds more than one picture; they are never counted, which would read them."""
    if im.format == "GIF" and not getattr(im, "tile", ()) and "is_animated" not in vars(im):
        return []  # asking would go to the next frame and back, and so lose what the owner has painted on this one
    try:
        several = bool(getattr(im, "is_animated", False))
    except Exception as e:
        return [f"what follows its first frame is broken: {e or type(e).__name__}"]
    if not several:
        return []
    place = im.tell()
    which = "the first" if place == 0 else f"number {place + 1}"
    if im.format in ("MPO", "TIFF", "HEIF"):
        return [f"it holds several pictures or pages: only {which} is read"]
    return [f"animated: only {which} frame is edited"]


def _check_whole(im: Image.Image, data: bytes, name: str) -> None:
    missing = whole.missing(im, data, lambda longer: open_bytes(longer, name))
    if missing:
        raise ImageError(f"{name} is broken or cut off ({im.format}): {missing}")


def _planes(im: Image.Image, name: str) -> tuple[Image.Image | Pixels, Pixels | None]:
    """(colours: an image of mode RGB, L, CMYK or LAB, or uint16 [h, w, 1]; alpha) of an image whose pixels are read."""
    clear = im.info.get("transparency")
    if im.mode == "F":
        return Image.fromarray(_from_floats(np.asarray(im), name)), None
    if im.mode.startswith("I"):
        grey = np.asarray(im)
        if grey.min() < 0 or grey.max() > 65535:
            raise ImageError(f"{name}: grey values must lie in 0..65535, these span {grey.min()}..{grey.max()}")
        return _apart(grey.astype(np.uint16)[..., None], clear)
    if im.mode == "CMYK":
        # Pillow takes every CMYK JPEG for one with Adobe's marker, whose values mean how much ink is missing.
        inverted = im.format in ("JPEG", "MPO") and "adobe" not in im.info
        return (ImageChops.invert(im) if inverted else im), None
    if im.mode in ("P", "PA", "RGBa") and (im.mode != "P" or clear is not None):
        im = im.convert("RGBA")
    elif im.mode == "La":
        im = im.convert("LA")
    if im.mode in ("RGBA", "LA"):
        return im.convert(im.mode[:-1]), np.asarray(im.getchannel("A"))
    im = im.convert("L") if im.mode == "1" else im if im.mode in ("RGB", "L", "LAB") else im.convert("RGB")
    if clear is None:
        return im, None
    return im, _apart(np.asarray(im).reshape(im.height, im.width, -1), clear)[1]


def _apart(x: Pixels, clear: object) -> tuple[Pixels, Pixels | None]:
    """(colours [h, w, 1 or 3], alpha) of [h, w, 1 to 4], where a colour may stand for transparency."""
    if x.shape[2] in (2, 4):
        return x[..., :-1], np.ascontiguousarray(x[..., -1])
    wanted = clear if isinstance(clear, tuple) else (clear,)
    if len(wanted) != x.shape[2] or not all(isinstance(c, int) for c in wanted):
        return x, None
    return x, np.where((x == np.array(wanted)).all(axis=2), 0, np.iinfo(x.dtype).max).astype(x.dtype)


def _finished(im: Image.Image, colour: Image.Image | Pixels, alpha: Pixels | None, notes: list[str]) -> Picture:
    """Colours to sRGB and the right way up."""
    orientation, found = orientation_of(im)
    profile = im.info.get("icc_profile")
    if isinstance(colour, Image.Image):
        converted, more = to_srgb(colour, profile)
        rgb = np.asarray(converted)
    else:
        rgb, more = deep_to_srgb(colour, profile)
    upright = None if alpha is None else turned(alpha, orientation)
    return Picture(np.array(turned(rgb, orientation)), upright, (*notes, *found, *more))


# ---- arrays ----------------------------------------------------------------------------------------------------------


def _from_tensor(x: "Tensor") -> Picture:
    """[c, h, w], a batch of one of these, [h, w], or, where it can only be meant so, [h, w, c]."""
    x = x.detach().cpu()
    x = x.float() if x.is_floating_point() else x
    x = x[0] if x.ndim == 4 and len(x) == 1 else x
    channels_first = x.ndim == 3 and x.shape[0] in (1, 3, 4)
    return _from_array((x.permute(1, 2, 0) if channels_first else x).numpy())


def _from_array(x: Pixels) -> Picture:
    if x.ndim == 2:
        x = x[..., None]
    if x.ndim != 3 or x.shape[2] not in (1, 3, 4) or 0 in x.shape:
        raise ImageError(f"an array of shape {x.shape} is not a picture; [h, w, 3], [h, w, 4] or [h, w] is")
    check_size((x.shape[1], x.shape[0]), "the array")
    if np.issubdtype(x.dtype, np.floating):
        x = _from_floats(x, "the array")
    elif x.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"an array of {x.dtype} is not a picture; uint8 (0..255), uint16 or float (0..1) is")
    x = np.repeat(x, 3, axis=2) if x.shape[2] == 1 else x
    alpha = np.array(x[..., 3], order="C") if x.shape[2] == 4 else None
    return Picture(np.array(x[..., :3], order="C"), alpha)  # copies, so the caller may go on using the array


def _from_floats(x: Pixels, name: str) -> Pixels:
    if not np.isfinite(x).all() or x.min() < 0 or x.max() > 1:
        raise ImageError(f"{name}: floats must lie in 0..1, these span {x.min():g}..{x.max():g}")
    return (x * 255 + 0.5).astype(np.uint8)
