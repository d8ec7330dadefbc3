"""Whether all of a picture is there: what decoders take without a word, and would leave grey or black.

libjpeg fills what is missing before an end marker with mid-grey, Pillow's PNG decoder leaves rows black when their data
end early. Both are looked for only where the last pixels have that colour, so that sound files pay nothing.
"""

import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

_END = b"\xff\xd9"
_FILLER = bytes(range(1, 128)) * 2


def missing(im: Image.Image, data: bytes, open_again: Callable[[bytes], Image.Image]) -> str | None:
    """What is missing of a file whose pixels were read to ``im``, not yet turned or converted."""
    if im.format in ("JPEG", "MPO"):
        return _missing_of_jpeg(im, data, open_again)
    if im.format == "PNG":
        return _missing_of_png(im, data)
    return None


def _missing_of_jpeg(im: Image.Image, data: bytes, open_again: Callable[[bytes], Image.Image]) -> str | None:
    end = data.find(_END, _first_scan(data))
    if end < 0:
        return "its end marker is missing"
    last = np.asarray(im.crop((im.width - 1, im.height - 1, im.width, im.height)), np.float32)
    if np.abs(last - 127.5).max() > 0.5:
        return None
    longer = open_again(data[:end] + _FILLER + data[end:])
    longer.load()  # what is whole has no use for more data, and comes out the same
    same = np.array_equal(np.asarray(longer), np.asarray(im))
    return None if same else "its data end before its last pixel"


def _first_scan(data: bytes) -> int:
    """Where the first scan begins (ITU T.81, B.1.1): thumbnails in the segments before it have end markers too."""
    at = 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xFF:
            at += 1
        elif marker == 0xDA:
            return at
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    return len(data)


def _missing_of_png(im: Image.Image, data: bytes) -> str | None:
    rows = np.asarray(im.crop((0, max(0, im.height - 2), im.width, im.height)))
    if rows.reshape(len(rows), -1).any(axis=1).all():
        return None  # interlaced or not, what comes last in the file is in one of the last two rows
    w, h, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    wanted = sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in _passes(w, h, interlaced) if columns)
    return None if _inflated(data, wanted) >= wanted else "its data end before its last pixel"


def _passes(w: int, h: int, interlaced: int) -> list[tuple[int, int]]:
    """(columns, rows) of each pass (PNG, 8.2)."""
    if not interlaced:
        return [(w, h)]
    grid = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    return [(-(-(w - x) // dx) if w > x else 0, -(-(h - y) // dy) if h > y else 0) for x, y, dx, dy in grid]


def _inflated(data: bytes, enough: int) -> int:
    """How many bytes the picture's data unfold to, counted until there are ``enough``; never many of them at once."""
    unfold = zlib.decompressobj()
    count, at = 0, 8
    while at + 8 <= len(data) and count < enough and not unfold.eof:
        size, name = struct.unpack(">I4s", data[at : at + 8])
        piece = data[at + 8 : at + 8 + size] if name == b"IDAT" else b""
        while piece and count < enough and not unfold.eof:
            count += len(unfold.decompress(piece, 1 << 20))
            piece = unfold.unconsumed_tail
        at += 12 + size
    return count
