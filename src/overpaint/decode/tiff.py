"""TIFF where Pillow alone does not do: grey with alpha at 16 bits, planes at 16 bits, camera raw files."""

import io
from typing import Any

import numpy as np
from PIL.TiffImagePlugin import TiffImageFile

from overpaint.errors import ImageError
from overpaint.picture import Pixels

_SUBFILE_TYPE, _BITS, _PHOTOMETRIC, _SAMPLES, _PLANAR, _SUB_IFDS, _EXTRA = 254, 258, 262, 277, 284, 330, 338
_DNG_VERSION = 50706
_RGB = 2


class TiffFile(TiffImageFile):
    """Pillow's reader, which also opens 16-bit grey with alpha: as four channels of a byte, taken apart later.

    ``pairs`` is whether the channels of its pixels are such halves of 16-bit numbers.
    """

    pairs = False

    def _setup(self) -> None:
        tags: Any = self.tag_v2
        found = {tag: tags.get(tag) for tag in (_BITS, _PHOTOMETRIC, _SAMPLES, _EXTRA)}
        self.pairs = (
            found[_BITS] == (16, 16)
            and found[_PHOTOMETRIC] == 1
            and found[_EXTRA] in ((1,), (2,))
            and tags.get(_PLANAR, 1) == 1
        )
        if self.pairs:
            tags[_BITS], tags[_PHOTOMETRIC], tags[_SAMPLES], tags[_EXTRA] = (8, 8, 8, 8), _RGB, 4, (2,)
        try:
            super()._setup()
        except SyntaxError as e:
            kind = f"{tags.get(_BITS)} bits a channel, photometric interpretation {tags.get(_PHOTOMETRIC)}"
            raise SyntaxError(f"{e} ({kind}); whole numbers of 1, 8 or 16 bits are read, and grey as floats") from e
        if self.pairs:
            for tag, value in found.items():
                tags[tag] = value


def refuse_raw(im: TiffImageFile, name: str) -> None:
    """Raw files of many cameras are TIFFs whose first page is a thumbnail; that is not the picture that was meant."""
    tags = im.tag_v2
    if _DNG_VERSION in tags or (_SUB_IFDS in tags and _number(tags.get(_SUBFILE_TYPE)) & 1):
        words = f"{name} is a camera raw file (DNG, NEF, ...); develop it to a TIFF or PNG first"
        raise ImageError(words, kind="format")


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def has_deep_planes(im: TiffImageFile, name: str) -> bool:
    """Whether the channels lie one behind the other at 16 bits, which Pillow takes for 8."""
    tags = im.tag_v2
    bits = tags.get(_BITS, ())
    if tags.get(_PLANAR, 1) != 2 or not isinstance(bits, tuple) or len(bits) < 2 or max(bits) <= 8:
        return False
    if tags.get(_PHOTOMETRIC) != _RGB or set(bits) != {16}:
        raise ImageError(f"{name} has its channels apart at {max(bits)} bits, read only for RGB at 16; interleave them")
    return True


def premultiplied(im: TiffImageFile) -> bool:
    return bool(im.tag_v2.get(_EXTRA, ()) == (1,))


def read_planes(data: bytes) -> Pixels:
    """[h, w, c] of the first page as it is stored: neither turned nor converted."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        x = file.pages[0].asarray(maxworkers=1)
    return np.moveaxis(x, 0, -1)  # [c, h, w] -> [h, w, c]
