"""Pictures inside the program: fitted, brought to the working size and back, written. ``decode`` reads them.

A ``Picture`` is what "the original's pixels" means everywhere: upright, sRGB, 8 or 16 bits, alpha apart.
"""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image

from overpaint.errors import OutputError
from overpaint.params import FitName

if TYPE_CHECKING:
    pass

Pixels: TypeAlias = np.ndarray[Any, np.dtype[Any]]

BACKGROUND = 255  # what the model sees through transparent pixels: white


@dataclass(frozen=True)
class Picture:
    """An upright picture.

    Attributes:
        rgb: [h, w, 3], uint8 or uint16.
        alpha: [h, w] of the same type, or None where there is none.
        notes: what was lost or changed when it was read.
    """

    rgb: Pixels
    alpha: Pixels | None = None
    notes: tuple[str, ...] = ()

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
        return Picture((x.clip(0, 1) * self.peak + 0.5).astype(self.rgb.dtype), self.alpha, self.notes)


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
    alpha = np.ascontiguousarray(x[..., 3]) if x.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(x[..., :3]), alpha, picture.notes)


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
    write_atomically(target, encode(pixels, kind))


def write_atomically(target: Path, data: bytes) -> None:
    """Write beside the target and rename: under its final name a file is whole or not there. Makes the folder."""
    partial = target.with_name(f".{os.getpid()}.partial")  # short, so that any name that can be written is
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        partial.replace(target)
    except OSError as e:
        partial.unlink(missing_ok=True)
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
