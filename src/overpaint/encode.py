"""Pictures out: to the bytes of a file with its recipe, and to a file that is whole or not there."""

import errno
import io
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from overpaint.errors import DiskFullError, OutputError
from overpaint.metadata import SOFTWARE, Tags, with_png_chunks
from overpaint.picture import BACKGROUND, Pixels, to_pil
from overpaint.recipe import Recipe

# what a path's ending asks for, and the names that ``format`` goes by
WRITTEN = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}

_WRITE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},  # exact: colours under full transparency stay too
}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


def save(pixels: Pixels, path: str | os.PathLike[str], recipes: Sequence[Recipe] = ()) -> None:
    """Write pixels [h, w, 3 or 4] as what the path's ending says; PNG and TIFF keep 16 bits, all but JPEG keep alpha.

    Args:
        recipes: how it was made, to go into the file: one, or one for each edit on a sheet.

    Raises:
        OutputError: saying what is in the way; whatever was there under that name is still there, whole.
    """
    target = Path(path)
    kind = check_target(target)
    write_atomically(target, encode(pixels, kind, recipes))


def check_target(target: Path) -> str:
    """The format that a path's ending asks for; an ``OutputError`` if nothing can be written there."""
    kind = WRITTEN.get(target.suffix.lower())
    if kind is None:
        raise OutputError(f"{target}: {target.suffix or 'no ending'} is not written; {', '.join(WRITTEN)} are")
    folder = next((p for p in target.absolute().parents if p.exists()), target.absolute().parent)
    in_the_way = target if target.exists() and not target.is_file() else folder
    if in_the_way is target or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise OutputError(f"{target} cannot be written: {in_the_way} is in the way")
    return kind


def write_atomically(target: Path, data: bytes) -> None:
    """Write beside the target and rename: under its final name a file is whole or not there. Makes the folder.

    The order is restic's: the data is on the disk before the name is, and the name before this returns.
    """
    # short, so that any name that can be written is; of its own, so that two writers never share one
    partial = target.with_name(f".{secrets.token_hex(4)}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        partial.replace(target)
        _sync_folder(target.parent)
    except OSError as e:
        kind = DiskFullError if e.errno in _NO_ROOM else OutputError
        raise kind(f"{target} cannot be written: {e.strerror or e}") from e
    finally:
        with suppress(OSError):  # still there only if something went wrong, an interrupt too; that is what to tell
            partial.unlink()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def encode(pixels: Pixels, kind: str, recipes: Sequence[Recipe] = ()) -> bytes:
    """The bytes of a PNG, JPEG, WEBP or TIFF file; the same for the same pixels and recipes."""
    return encode_tagged(pixels, kind, Tags.of(recipes) if recipes else None)


def encode_tagged(pixels: Pixels, kind: str, tags: Tags | None) -> bytes:
    """As ``encode``, the recipes already told."""
    try:
        if kind == "PNG":
            return with_png_chunks(_png(pixels), tags.png_chunks() if tags else [])
        if kind == "TIFF":
            return _tiff(pixels, tags)
        return _by_pillow(pixels, kind, **_tagged(kind, tags))
    except ValueError as e:  # a side that is too long for the format
        h, w = pixels.shape[:2]
        raise OutputError(f"{w}x{h} pixels cannot be written as {kind}, PNG can: {e}") from e


def _tagged(kind: str, tags: Tags | None) -> dict[str, bytes]:
    if tags is None:
        return {}
    return tags.for_jpeg() if kind == "JPEG" else {"exif": tags.exif(), "xmp": tags.xmp()}


def _by_pillow(pixels: Pixels, kind: str, **options: bytes) -> bytes:
    im = to_pil(pixels)
    if kind == "JPEG" and im.mode == "RGBA":
        im = Image.alpha_composite(Image.new("RGBA", im.size, (BACKGROUND,) * 4), im).convert("RGB")
    out = io.BytesIO()
    im.save(out, kind, **_WRITE_OPTIONS.get(kind, {}), **options)
    return out.getvalue()


def _png(pixels: Pixels) -> bytes:
    if pixels.dtype != np.uint16:
        return _by_pillow(pixels, "PNG")
    import cv2  # Pillow has no 16-bit colour

    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", pixels)[1].tobytes()


def _tiff(pixels: Pixels, tags: Tags | None) -> bytes:
    import tifffile  # neither Pillow nor OpenCV writes 16-bit colour with metadata

    out = io.BytesIO()
    xmp = [] if tags is None else [(700, "B", len(packet := tags.xmp()), packet, True)]
    tifffile.imwrite(
        out,
        pixels,
        photometric="rgb",
        extrasamples=["unassalpha"] if pixels.shape[2] == 4 else None,
        compression="zlib",
        predictor=True,
        metadata=None,  # its own description, which holds the array's shape
        software=SOFTWARE,
        description=tags.parameters.encode() if tags and tags.parameters else None,
        extratags=xmp,
    )
    return out.getvalue()
