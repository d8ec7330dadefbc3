"""Files opened, their pixels not yet read: by the formats listed in ``sniff``, under our own limits of size."""

import importlib
import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

from PIL import Image, ImageFile

from overpaint.decode import sniff, tiff
from overpaint.decode.source import read
from overpaint.errors import ImageError
from overpaint.fields import SIDE_MAX

MAX_PIXELS = 100_000_000  # a header may claim any size; refused before pixels are read

Opener = Callable[[io.BytesIO, str], Image.Image]
_PLUGINS = {  # the module, and what opens a file in it
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "JPEG": ("PIL.JpegImagePlugin", "jpeg_factory"),  # also MPO, which is several JPEGs
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("overpaint.decode.tiff", "TiffFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
    "JXL": ("pillow_jxl.JpegXLImagePlugin", "JXLImageFile"),
}
_EXTRAS = {"HEIF": "HEIC", "JXL": "JPEG XL"}  # come with the extra `formats`


def open_header(source: object) -> tuple[Image.Image, bytes, str]:
    """Open a path, bytes or a binary file: (image whose pixels are not read yet, the file's bytes, name for messages).

    Raises:
        ImageError: it cannot be read, is no picture of a format that is read, or is too large.
    """
    name, data = read(source)
    return open_bytes(data, name), data, name


def open_bytes(data: bytes, name: str) -> Image.Image:
    """As ``open_header``, the bytes of a file."""
    kind = sniff.kind_of(data[: sniff.HEAD], name)
    size = sniff.claimed_size(kind, data)
    if size is not None:
        check_size(size, name)
    opener = _opener(kind, name)
    with calm(), refusing(name, f"a broken or cut off {kind} file"):
        # Not by Image.open: that has a limit of its own, which neither says the size nor belongs to us.
        im = opener(io.BytesIO(data), "")
    if isinstance(im, tiff.TiffFile):
        tiff.refuse_raw(im, name)
    check_size(im.size, name)
    return im


def _opener(kind: str, name: str) -> Opener:
    module, opener = _PLUGINS[kind]
    try:
        return cast(Opener, getattr(importlib.import_module(module), opener))
    except ImportError as e:
        if kind not in _EXTRAS:
            raise
        words = f"{name} is {_EXTRAS[kind]}, which needs another package: pip install 'overpaint[formats]'"
        raise ImageError(words, kind="format") from e


@contextmanager
def refusing(name: str, what: str) -> Iterator[None]:
    """Whatever a decoder raises, broken files being able to make it raise nearly anything, as an ``ImageError``."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as e:  # a frame larger than the picture, or a limit that somebody else set
        found = re.search(r"\((\d+) pixels\)", str(e))
        pixels = int(found[1]) if found else 0
        words = f"{name} is too large: {pixels / 1e6:.0f} megapixels, at most {MAX_PIXELS / 1e6:.0f} are taken"
        if pixels <= MAX_PIXELS:
            words = f"{name} is more than PIL.Image.MAX_IMAGE_PIXELS allows, which was set here: {e}"
        raise ImageError(words, kind="too_large") from e
    except MemoryError as e:
        raise ImageError(f"{name} needs more memory than there is") from e
    except Exception as e:
        raise ImageError(f"{name} is {what}: {e or type(e).__name__}") from e


def check_size(size: tuple[int, int], name: str) -> None:
    """Refuse what is too large to be edited; ``size`` is (width, height)."""
    w, h = size
    if w * h == 0:
        raise ImageError(f"{name} is {w}x{h}: it has no pixels")
    if w * h > MAX_PIXELS:
        words = f"{name} is {w}x{h} = {w * h / 1e6:.0f} megapixels, at most {MAX_PIXELS / 1e6:.0f} are taken"
        raise ImageError(words, kind="too_large")
    if max(w, h) > SIDE_MAX:
        raise ImageError(f"{name} is {w}x{h}, a side may have {SIDE_MAX} pixels at most", kind="too_large")


# ---- Pillow's globals ------------------------------------------------------------------------------------------------

_lock = threading.Lock()
_inside = 0  # how many decodes are under way
_truncated_was = False
_QUIET = ("ignore", None, Warning, re.compile(r"PIL\b|pillow_"), 0)


@contextmanager
def calm() -> Iterator[None]:
    """Pillow neither warning nor giving half a picture, whatever others have set in this process.

    ``ImageFile.LOAD_TRUNCATED_IMAGES``, which makes Pillow return what it has of a file that is cut off, is one switch
    for the whole process, and so are the filters of warnings. The first decode that begins sets both and the last that
    ends puts them back, so that decodes run side by side in several threads.
    """
    global _inside, _truncated_was
    filters = cast(list[Any], warnings.filters)
    with _lock:
        _inside += 1
        if _inside == 1:
            _truncated_was, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
            filters.insert(0, _QUIET)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES or _truncated_was
                for held in (filters, cast(list[Any], warnings.filters)):
                    with suppress(ValueError):  # another thread may have put other filters in their place
                        held.remove(_QUIET)
