"""16-bit colours, of which Pillow gives the upper bytes only.

Its decoders unpack 16-bit samples by a "raw mode" that names their byte order and keeps the upper byte. Told the other
order, they keep the lower one; so two readings give all 16 bits, with every compression, interlacing and tiling that
Pillow knows. Grey with alpha needs one reading: its two 16-bit samples are unpacked as four of a byte.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from overpaint.decode import tiff
from overpaint.picture import Pixels

_OTHER_ORDER = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B" if sys.byteorder == "little" else ";16L"}


def is_deep(im: Image.Image, name: str) -> bool:
    """Whether Pillow would cut this image's colours down to 8 bits; known only until its pixels are read."""
    if isinstance(im, tiff.TiffFile) and (im.pairs or tiff.has_deep_planes(im, name)):
        return True
    return im.mode in ("RGB", "RGBA", "LA") and any(";16" in raw for raw in _raw_modes(im))


def is_deep_cmyk(im: Image.Image) -> bool:
    return im.mode == "CMYK" and any(";16" in raw for raw in _raw_modes(im))


def read(im: Image.Image, data: bytes, name: str, open_again: Callable[[], Image.Image]) -> Pixels:
    """uint16 [h, w, c] of a file opened as ``im``; c is 2 for grey with alpha, 3 or 4.

    Reads the pixels of ``im`` too (but for planes), by which it is known whether all are there.
    """
    if isinstance(im, tiff.TiffFile) and tiff.has_deep_planes(im, name):
        x = tiff.read_planes(data)[..., : len(im.getbands())]
        return _plain(x, tiff.premultiplied(im))
    raw_mode = _raw_modes(im)[0]
    if getattr(im, "pairs", False) or raw_mode.startswith("LA;16"):
        return _plain(_pairs(im), tiff.premultiplied(im) if isinstance(im, tiff.TiffFile) else False)
    premultiplied = raw_mode.startswith("RGBa")
    upper = _read(im, lambda raw: raw.replace("RGBa", "RGBA"))
    lower = _read(open_again(), lambda raw: raw[:-4].replace("RGBa", "RGBA") + _OTHER_ORDER[raw[-4:]])
    x = upper.astype(np.uint16) << 8
    x |= lower
    return _plain(x, premultiplied)


def _pairs(im: Any) -> Pixels:
    """Grey with alpha [h, w, 2]."""
    big_endian = im.format == "PNG" or (_by_libtiff(im) and sys.byteorder == "big")
    if im.format == "TIFF" and not _by_libtiff(im):
        big_endian = im.tag_v2.prefix == b"MM"
    im._mode = "RGBA"
    halves = _read(im, lambda _: "RGBA")
    upper, lower = (halves[..., 0::2], halves[..., 1::2]) if big_endian else (halves[..., 1::2], halves[..., 0::2])
    return upper.astype(np.uint16) << 8 | lower


def _by_libtiff(im: Any) -> bool:
    """libtiff gives the machine's order, whatever the file's is."""
    return any(tile[0] == "libtiff" for tile in im.tile)


def _raw_modes(im: Image.Image) -> list[str]:
    args = [tile[3] for tile in getattr(im, "tile", ())]
    return [str(a[0] if isinstance(a, tuple) and a else a) for a in args]


def _read(im: Image.Image, raw_mode: Callable[[str], str]) -> Pixels:
    """The bytes that come with another raw mode."""
    assert isinstance(im, ImageFile.ImageFile)
    tiles = []
    for tile in im.tile:
        first, *rest = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        tiles.append(tile._replace(args=(raw_mode(str(first)), *rest)))
    im.tile = tiles
    im.load()
    return np.asarray(im)


def _plain(x: Pixels, premultiplied: bool) -> Pixels:
    """Colours as they are before they are laid over anything."""
    x = x.astype(np.uint16)  # also from the other byte order
    if premultiplied and x.shape[2] in (2, 4):
        alpha = np.maximum(x[..., -1:].astype(np.float32), 1)
        x[..., :-1] = (x[..., :-1] * (65535 / alpha) + 0.5).clip(0, 65535)
    return x
