"""Pictures out: to the bytes of a file, and to a file that is whole or not there."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from overpaint.errors import OutputError
from overpaint.picture import BACKGROUND, Pixels, to_pil

_WRITTEN = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}

_WRITE_OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}


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
