"""Pictures in and out of the program: read, fitted, brought to the working size and back, saved.

A ``Picture`` is what "the original's pixels" means everywhere: upright, RGB, 8 or 16 bits, alpha apart.
"""

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
from PIL import Image, ImageOps

from overpaint.errors import ImageError, OutputError
from overpaint.params import SIDE_MAX, FitName

if TYPE_CHECKING:
    from torch import Tensor

Pixels: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Source: TypeAlias = Union[str, os.PathLike[str], bytes, Image.Image, Pixels, "Tensor"]

BACKGROUND = 255  # what the model sees through transparent pixels: white
READ_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_PIXELS = 100_000_000  # a header may claim any size; refuse before pixels are read


@dataclass(frozen=True)
class Picture:
    """An upright picture.

    Attributes:
        rgb: [h, w, 3], uint8 or uint16.
        alpha: [h, w] of the same type, or None where there is none.
    """

    rgb: Pixels
    alpha: Pixels | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return self.rgb.shape[1], self.rgb.shape[0]

    @property
    def peak(self) -> int:
        """The value of white: 255 or 65535."""
        return int(np.iinfo(self.rgb.dtype).max)

    @property
    def pixels(self) -> Pixels:
        """[h, w, 3], or [h, w, 4] with alpha."""
        return self.rgb if self.alpha is None else np.dstack([self.rgb, self.alpha])

    def flat(self) -> Pixels:
        """What the model sees: [h, w, 3] float32 in 0..1, transparency over white."""
        x = self.rgb.astype(np.float32) / self.peak
        if self.alpha is not None:
            a = self.alpha.astype(np.float32)[..., None] / self.peak
            x = x * a + (BACKGROUND / 255) * (1 - a)
        return x

    def with_rgb(self, x: Pixels) -> "Picture":
        """This picture with other colours, [h, w, 3] float in 0..1; type and alpha stay."""
        return Picture((x.clip(0, 1) * self.peak + 0.5).astype(self.rgb.dtype), self.alpha)


def load(source: Source) -> Picture:
    """Read a picture.

    Args:
        source: a path, the bytes of a file, a PIL image, or an array or tensor: uint8 (0..255), uint16 (0..65535) or
            float (0..1), [h, w], [h, w, 1], [h, w, 3], [h, w, 4], or (tensors) the same with channels first.

    Raises:
        ImageError: saying what is wrong with the picture.
    """
    if isinstance(source, Image.Image):
        return _from_pil(source, "the picture")
    if isinstance(source, str | os.PathLike | bytes | bytearray):
        return _from_file(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if hasattr(source, "detach") and hasattr(source, "permute"):
        x = source.detach().cpu()
        return _from_array((x.permute(1, 2, 0) if x.ndim == 3 else x).numpy())
    raise ImageError(f"a picture must be a path, bytes, a PIL image, an array or a tensor, not {type(source).__name__}")


def _from_file(source: "str | os.PathLike[str] | bytes | bytearray") -> Picture:
    name = "the picture's bytes" if isinstance(source, bytes | bytearray) else os.fspath(source)
    if isinstance(source, bytes | bytearray):
        data: bytes = bytes(source)
    else:
        try:
            data = Path(source).read_bytes()
        except OSError as e:
            raise ImageError(f"{name} cannot be read: {e.strerror or e}") from e
    if not data:
        raise ImageError(f"{name} is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own warnings of size and metadata; our cap is below
            im = Image.open(io.BytesIO(data), formats=READ_FORMATS)
            _check_size(im.size, name)
            return _from_pil(im, name)
    except ImageError:
        raise
    except Image.DecompressionBombError as e:
        raise ImageError(f"{name} is too large, at most {MAX_PIXELS / 1e6:.0f} megapixels are taken: {e}") from e
    except Exception as e:  # broken files raise nearly anything in a decoder
        raise ImageError(f"{name} is not a picture that can be read ({', '.join(READ_FORMATS)}): {e}") from e


def _check_size(size: tuple[int, int], name: str) -> None:
    w, h = size
    if w * h > MAX_PIXELS:
        raise ImageError(f"{name} is {w}x{h} = {w * h / 1e6:.0f} megapixels, at most {MAX_PIXELS / 1e6:.0f} are taken")
    if max(w, h) > SIDE_MAX:
        raise ImageError(f"{name} is {w}x{h}, a side may have {SIDE_MAX} pixels at most")


def _from_pil(im: Image.Image, name: str) -> Picture:
    _check_size(im.size, name)
    im = ImageOps.exif_transpose(im)
    if im.mode.startswith("I;16") or im.mode == "I":
        grey = np.asarray(im).astype(np.uint16)
        return Picture(np.dstack([grey] * 3))
    if im.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in im.info:
        pixels = np.asarray(im.convert("RGBA"))
        return Picture(np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3]))
    return Picture(np.asarray(im.convert("RGB")))


def _from_array(x: Pixels) -> Picture:
    if x.ndim == 2:
        x = x[..., None]
    if x.ndim != 3 or x.shape[2] not in (1, 3, 4) or 0 in x.shape:
        raise ImageError(f"an array of shape {x.shape} is not a picture; [h, w, 3], [h, w, 4] or [h, w] is")
    _check_size((x.shape[1], x.shape[0]), "the array")
    if np.issubdtype(x.dtype, np.floating):
        if not np.isfinite(x).all() or x.min() < 0 or x.max() > 1:
            raise ImageError(f"a float array must lie in 0..1, this one spans {x.min():g}..{x.max():g}")
        x = (x * 255 + 0.5).astype(np.uint8)
    elif x.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"an array of {x.dtype} is not a picture; uint8 (0..255), uint16 or float (0..1) is")
    rgb = np.repeat(x, 3, axis=2) if x.shape[2] == 1 else x[..., :3]
    return Picture(np.ascontiguousarray(rgb), np.ascontiguousarray(x[..., 3]) if x.shape[2] == 4 else None)


# ---- sizes -----------------------------------------------------------------------------------------------------------


def resize(x: Pixels, size: tuple[int, int]) -> Pixels:
    """[h, w, c] in any of our types to ``size`` (width, height), Lanczos."""
    w, h = size
    if (x.shape[1], x.shape[0]) == (w, h):
        return x
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(x[..., c], np.float32)).resize((w, h), Image.Resampling.LANCZOS)
        )
        for c in range(x.shape[2])
    ]
    y = np.dstack(planes)
    if np.issubdtype(x.dtype, np.integer):
        return (y.clip(0, np.iinfo(x.dtype).max) + 0.5).astype(x.dtype)
    return y.clip(0, 1)


def fit(picture: Picture, size: tuple[int, int], how: FitName) -> Picture:
    """Bring a picture to ``size`` (width, height): cut off (crop), fill up from the edge (pad) or distort (stretch)."""
    w, h = picture.size
    W, H = size
    if (w, h) == (W, H):
        return picture
    x = picture.pixels
    if how == "crop":
        keep_w, keep_h = min(w, max(1, round(h * W / H))), min(h, max(1, round(w * H / W)))
        left, top = (w - keep_w) // 2, (h - keep_h) // 2
        x = resize(x[top : top + keep_h, left : left + keep_w], size)
    elif how == "pad":
        inner = inner_size((w, h), size)
        x = pad_from_edge(resize(x, inner), size)
    else:
        x = resize(x, size)
    return Picture(np.ascontiguousarray(x[..., :3]), np.ascontiguousarray(x[..., 3]) if x.shape[2] == 4 else None)


def inner_size(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """The largest size of the same shape that fits into ``box``."""
    (w, h), (W, H) = size, box
    scale = min(W / w, H / h)
    return min(W, max(1, round(w * scale))), min(H, max(1, round(h * scale)))


def pad_from_edge(x: Pixels, size: tuple[int, int]) -> Pixels:
    """Fill [h, w, c] up to ``size`` (width, height) with copies of its edge, the picture in the middle."""
    (W, H), (h, w) = size, x.shape[:2]
    left, top = (W - w) // 2, (H - h) // 2
    return np.pad(x, ((top, H - h - top), (left, W - w - left), (0, 0)), mode="edge")


def cut_middle(x: Pixels, size: tuple[int, int]) -> Pixels:
    """The middle ``size`` (width, height) of [h, w, c]: undoes ``pad_from_edge``."""
    (w, h), (H, W) = size, x.shape[:2]
    left, top = (W - w) // 2, (H - h) // 2
    return x[top : top + h, left : left + w]


# ---- out -------------------------------------------------------------------------------------------------------------

_WRITTEN = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}

_WRITE_OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}


def to_pil(pixels: Pixels) -> Image.Image:
    """The 8-bit PIL view of uint8 or uint16 pixels."""
    return Image.fromarray((pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels)


def check_target(target: Path) -> str:
    """The format that a path's ending asks for; an ``OutputError`` if nothing can be written there."""
    kind = _WRITTEN.get(target.suffix.lower())
    if kind is None:
        raise OutputError(f"{target}: {target.suffix or 'no ending'} is not written; {', '.join(_WRITTEN)} are")
    folder = next((p for p in target.absolute().parents if p.exists()), target.absolute().parent)
    if target.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise OutputError(f"{target} cannot be written: {target if target.is_dir() else folder} is in the way")
    return kind


def save(pixels: Pixels, path: str | os.PathLike[str]) -> None:
    """Write pixels [h, w, 3 or 4] as what the path's ending says; PNG and TIFF keep 16 bits and alpha."""
    target = Path(path)
    kind = check_target(target)
    try:
        target.write_bytes(encode(pixels, kind))
    except OSError as e:
        raise OutputError(f"{target} cannot be written: {e.strerror or e}") from e


def encode(pixels: Pixels, kind: str) -> bytes:
    """The bytes of a PNG, JPEG, WEBP or TIFF file."""
    if pixels.dtype == np.uint16 and kind in ("PNG", "TIFF"):  # Pillow has no 16-bit colour
        import cv2

        swapped = cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR)
        return cv2.imencode("." + kind.lower(), swapped)[1].tobytes()
    im = to_pil(pixels)
    if kind == "JPEG" and im.mode == "RGBA":
        im = Image.alpha_composite(Image.new("RGBA", im.size, (BACKGROUND,) * 4), im).convert("RGB")
    out = io.BytesIO()
    im.save(out, kind, **_WRITE_OPTIONS.get(kind, {}))
    return out.getvalue()
