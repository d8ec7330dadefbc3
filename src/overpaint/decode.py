"""The one decoder: any source to a ``Picture`` that is upright, RGB in sRGB, 8 or 16 bits, alpha apart.

What a file is, its content says, not its name; only the formats listed here are ever opened. What was lost or changed
on the way stands in ``Picture.notes``.
"""

import io
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, Union, cast

import numpy as np
from PIL import Image, ImageCms, ImageOps

from overpaint.errors import ImageError
from overpaint.params import SIDE_MAX
from overpaint.picture import Picture, Pixels

if TYPE_CHECKING:
    from torch import Tensor

Source: TypeAlias = Union[str, os.PathLike[str], bytes, BinaryIO, Image.Image, Pixels, "Tensor", Picture]

READ_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO")
MAX_PIXELS = 100_000_000  # a header may claim any size; refused before pixels are read
STDIN = "-"


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
        return _guarded(source, "the picture")
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if hasattr(source, "permute") and hasattr(source, "detach"):
        return _from_tensor(cast("Tensor", source))
    name, data = _read(source)
    if not data:
        raise ImageError(f"{name} is empty")
    return _from_bytes(data, name)


def _read(source: object) -> tuple[str, bytes]:
    if isinstance(source, bytes | bytearray):
        return "the picture's bytes", bytes(source)
    if source == STDIN:
        return "standard input", sys.stdin.buffer.read()
    if isinstance(source, str | os.PathLike):
        try:
            return os.fspath(source), Path(source).read_bytes()
        except (OSError, ValueError) as e:
            raise ImageError(f"{os.fspath(source)!s} cannot be read: {getattr(e, 'strerror', None) or e}") from e
    read = getattr(source, "read", None)
    data = read() if callable(read) else None
    if not isinstance(data, bytes):
        raise ImageError(
            "a picture must be a path, bytes, a binary file, a PIL image, an array or a tensor, "
            f"not {type(source).__name__}"
        )
    return str(getattr(source, "name", "the open file")), data


def _from_bytes(data: bytes, name: str) -> Picture:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own of size and metadata; our cap is below
            im = Image.open(io.BytesIO(data), formats=READ_FORMATS)
    except Image.DecompressionBombError as e:
        raise ImageError(f"{name} is too large, at most {MAX_PIXELS / 1e6:.0f} megapixels are taken: {e}") from e
    except Exception as e:  # broken files raise nearly anything in a decoder
        raise ImageError(f"{name} is not a picture that can be read ({', '.join(READ_FORMATS)}): {e}") from e
    check_size(im.size, name)
    if _has_16_bit_colour(im):
        return _deep(data, im, name)
    return _guarded(im, name)


def _guarded(im: Image.Image, name: str) -> Picture:
    check_size(im.size, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _from_pil(im)
    except ImageError:
        raise
    except Exception as e:
        raise ImageError(f"{name} is broken or cut off ({im.format or im.mode}): {e}") from e


def check_size(size: tuple[int, int], name: str) -> None:
    """Refuse what is too large to be edited; ``size`` is (width, height)."""
    w, h = size
    if w * h == 0:
        raise ImageError(f"{name} is {w}x{h}: it has no pixels")
    if w * h > MAX_PIXELS:
        raise ImageError(f"{name} is {w}x{h} = {w * h / 1e6:.0f} megapixels, at most {MAX_PIXELS / 1e6:.0f} are taken")
    if max(w, h) > SIDE_MAX:
        raise ImageError(f"{name} is {w}x{h}, a side may have {SIDE_MAX} pixels at most")


def _from_pil(im: Image.Image) -> Picture:
    notes = ["animated: only the first frame is edited"] if getattr(im, "is_animated", False) else []
    im.load()
    im, note = _upright(im)
    notes += note
    if im.mode == "F":
        return _from_array(np.asarray(im))
    if im.mode.startswith("I"):  # 16-bit grey
        grey = np.asarray(im).clip(0, 65535).astype(np.uint16)
        return Picture(np.dstack([grey] * 3), notes=tuple(notes))
    profile = im.info.get("icc_profile")
    if im.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in im.info:
        im = im.convert("RGBA")
    elif im.mode not in ("RGB", "L", "CMYK", "LAB"):
        im = im.convert("RGB")
    im, note = _to_srgb(im, profile)
    notes += note
    x = np.array(im)
    if im.mode == "RGBA":
        return Picture(np.ascontiguousarray(x[..., :3]), np.ascontiguousarray(x[..., 3]), tuple(notes))
    return Picture(x, notes=tuple(notes))


def _upright(im: Image.Image) -> tuple[Image.Image, list[str]]:
    """Turned as its EXIF orientation says; a broken EXIF block is no reason to refuse a picture."""
    try:
        return ImageOps.exif_transpose(im), []
    except Exception as e:
        return im, [f"its EXIF block cannot be read, so it is taken as upright: {e}"]


def _to_srgb(im: Image.Image, profile: bytes | None) -> tuple[Image.Image, list[str]]:
    """Colours by the embedded profile to sRGB; without one they are sRGB (CMYK: by Pillow's plain conversion)."""
    wanted = "RGBA" if im.mode == "RGBA" else "RGB"
    notes: list[str] = []
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if im.mode == wanted and _is_srgb(source):
                return im, []
            converted = ImageCms.profileToProfile(im, source, ImageCms.createProfile("sRGB"), outputMode=wanted)
            if converted is not None:
                return converted, []
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as e:
            notes = [f"its colour profile cannot be used, so its colours are taken as sRGB: {e}"]
    return im.convert(wanted), notes


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    return str(ImageCms.getProfileDescription(profile)).strip().startswith("sRGB")


def _has_16_bit_colour(im: Image.Image) -> bool:
    """Whether Pillow would cut colours of 16 bits down to 8; it reads 16-bit grey as it is."""
    if im.format == "PNG":
        # (raw mode of the decoder, from IHDR): "RGB;16B", "RGBA;16B", "LA;16B"
        return any(";16B" in str(tile[3]) for tile in getattr(im, "tile", ())) and not im.mode.startswith("I")
    if im.format == "TIFF":
        bits = im.tag_v2.get(258, ())  # type: ignore[attr-defined]
        return len(bits) >= 3 and max(bits) == 16
    return False


def _deep(data: bytes, im: Image.Image, name: str) -> Picture:
    """16-bit colour, through OpenCV; it applies neither orientation nor profile."""
    import cv2

    x = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if x is None or x.dtype != np.uint16 or x.ndim != 3 or (x.shape[1], x.shape[0]) != im.size:
        raise ImageError(f"{name} has 16-bit colours that cannot be decoded; it may be broken or cut off")
    x = cv2.cvtColor(x, cv2.COLOR_BGRA2RGBA if x.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    notes = []
    profile = im.info.get("icc_profile")
    if profile:
        notes = ["its colour profile is not applied to 16-bit colours: they are taken as sRGB"]
    turned = _TURNS.get(im.getexif().get(0x0112, 1))
    if turned is not None:
        x = turned(x)
    return _split(np.ascontiguousarray(x), tuple(notes))


# EXIF orientation -> how an array [h, w, c] becomes upright
_TURNS = {
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda x: np.rot90(x),
}


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
        if not np.isfinite(x).all() or x.min() < 0 or x.max() > 1:
            raise ImageError(f"a float array must lie in 0..1, this one spans {x.min():g}..{x.max():g}")
        x = (x * 255 + 0.5).astype(np.uint8)
    elif x.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"an array of {x.dtype} is not a picture; uint8 (0..255), uint16 or float (0..1) is")
    return _split(np.repeat(x, 3, axis=2) if x.shape[2] == 1 else x, ())


def _split(x: Pixels, notes: tuple[str, ...]) -> Picture:
    """[h, w, 3] or [h, w, 4] as a picture with its alpha apart; copies, so the caller may go on using the array."""
    alpha = np.array(x[..., 3], order="C") if x.shape[2] == 4 else None
    return Picture(np.array(x[..., :3], order="C"), alpha, notes)
