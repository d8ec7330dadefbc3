"""Which way up a picture is, by its EXIF block, which may be broken: that is no reason to refuse the picture."""

import struct
from collections.abc import Callable

import numpy as np
from PIL import Image

from overpaint.picture import Pixels

_ORIENTATION, _EXIF_IFD, _GPS_IFD = 0x0112, 0x8769, 0x8825
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes of a TIFF type
_LONGS = (4, 13)

# orientation -> how an array [h, w, ...] becomes upright
_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x.swapaxes(0, 1)[::-1, ::-1],
    8: lambda x: np.rot90(x),
}


def turned(x: Pixels, orientation: int) -> Pixels:
    """[h, w] or [h, w, c] as its EXIF orientation wants it seen."""
    return np.ascontiguousarray(_TURNS[orientation](x) if orientation in _TURNS else x)


def orientation_of(im: Image.Image) -> tuple[int, list[str]]:
    """(1 to 8, notes) of an image whose pixels are read: reading turns a TIFF already, and then takes its tag away."""
    notes = _notes(im)
    if im.format == "JXL" and not getattr(im, "jpeg", False):
        return 1, notes  # its decoder has turned it, by its own header (ISO 18181-2: EXIF must not turn it again)
    try:
        found = im.getexif().get(_ORIENTATION, 1)
    except Exception as e:  # broken blocks raise nearly anything
        return 1, notes or [f"its EXIF block cannot be read, so it is taken as upright: {e or type(e).__name__}"]
    if found not in range(1, 9):
        return 1, [*notes, f"its EXIF orientation is {found!r}, not 1 to 8, so it is taken as upright"]
    return int(found), notes


def _notes(im: Image.Image) -> list[str]:
    block = im.info.get("exif")
    trouble = exif_trouble(block) if isinstance(block, bytes) and block else None
    notes = [f"its EXIF block is broken: {trouble}"] if trouble else []
    segments = [body for name, body in getattr(im, "applist", ()) if name == "APP1"]
    if sum(body.startswith((b"Exif\0\0II", b"Exif\0\0MM")) for body in segments) > 1:
        notes.append("it has several EXIF blocks; the first is read")
    return notes


def exif_trouble(block: bytes) -> str | None:
    """What is wrong with an EXIF block (CIPA DC-008: a TIFF header and directories of entries), None if nothing."""
    body = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(body[:4])
    if order is None or len(body) < 8:
        return "it does not begin as one"
    directories = [("first", *struct.unpack(order + "I", body[4:8]))]
    for name, at in directories:  # grows while it is walked, by two at most
        if at + 2 > len(body):
            return f"its {name} directory lies beyond its end"
        (count,) = struct.unpack(order + "H", body[at : at + 2])
        if at + 2 + 12 * count > len(body):
            return f"its {name} directory is cut off"
        for i in range(count):
            entry = body[at + 2 + 12 * i : at + 14 + 12 * i]
            tag, kind, length, value = struct.unpack(order + "HHII", entry)
            size = _SIZES.get(kind, 0) * length
            if kind not in _SIZES or (size > 4 and value + size > len(body)):
                return f"entry {tag:#06x} of its {name} directory has no value of its type"
            if name == "first" and tag in (_EXIF_IFD, _GPS_IFD):
                if kind not in _LONGS or length != 1:
                    return f"entry {tag:#06x} should point to a directory"
                directories.append(("GPS" if tag == _GPS_IFD else "second", value))
                if len(directories) > 3:
                    return "it has too many directories"
    return None
