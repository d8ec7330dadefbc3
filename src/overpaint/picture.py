"""Pictures inside the program: fitted, brought to the working size and back. ``decode`` reads, ``encode`` writes them.

A ``Picture`` is what "the original's pixels" means everywhere: upright, sRGB, 8 or 16 bits, alpha apart.
"""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from overpaint.params import FitName

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
    def nbytes(self) -> int:
        """Bytes of memory that its numbers take."""
        return self.rgb.nbytes + (0 if self.alpha is None else self.alpha.nbytes)

    @property
    def pixels(self) -> Pixels:
        """[h, w, 3], or [h, w, 4] with alpha."""
        return self.rgb if self.alpha is None else np.dstack([self.rgb, self.alpha])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of shape, type and pixels: two files with the same decoded pixels have the same."""
        x = self.pixels
        h, w, channels = x.shape
        little_endian = np.ascontiguousarray(x, x.dtype.newbyteorder("<"))
        digest = sha256(f"{w}x{h}x{channels} {x.dtype.name}\n".encode())
        digest.update(little_endian.data)
        return digest.hexdigest()

    def flat(self) -> Pixels:
        """What the model sees: [h, w, 3] float32 in 0..1, transparency over white."""
        x = self.rgb.astype(np.float32) / self.peak
        if self.alpha is not None:
            a = self.alpha.astype(np.float32)[..., None] / self.peak
            x = x * a + (BACKGROUND / 255) * (1 - a)
        return x

    def crop(self, rows: slice, columns: slice) -> "Picture":
        """A part of this picture."""
        return Picture(self.rgb[rows, columns], None if self.alpha is None else self.alpha[rows, columns], self.notes)

    @classmethod
    def of(cls, pixels: Pixels) -> "Picture":
        """[h, w, 3] or [h, w, 4] as a picture."""
        alpha = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
        return cls(np.ascontiguousarray(pixels[..., :3]), alpha)

    def pasted(self, part: "Picture", rows: slice, columns: slice) -> "Picture":
        """This picture with a part of it replaced; its alpha stays."""
        rgb = self.rgb.copy()
        rgb[rows, columns] = part.rgb
        return Picture(rgb, self.alpha, self.notes)

    def with_flat_in(self, where: Pixels, x: Pixels) -> "Picture":
        """``with_flat(x)`` where ``where`` [h, w] says so, this picture elsewhere."""
        return Picture(np.where(where[..., None], self.with_flat(x).rgb, self.rgb), self.alpha, self.notes)

    def with_flat(self, x: Pixels) -> "Picture":
        """This picture looking like ``x`` ([h, w, 3] float in 0..1) over the background; type and alpha stay.

        Undoes ``flat``: where alpha is a, the colour is what gives x when it is laid over the background with a
        (Porter & Duff 1984), so that soft edges and shadows bring no white with them onto other backgrounds.
        """
        if self.alpha is not None:
            a = self.alpha.astype(np.float32)[..., None] / self.peak
            x = np.where(a > 0, (x - (BACKGROUND / 255) * (1 - a)) / np.maximum(a, 1 / self.peak), x)
        return Picture((x.clip(0, 1) * self.peak + 0.5).astype(self.rgb.dtype), self.alpha, self.notes)


# ---- sizes -----------------------------------------------------------------------------------------------------------


def resize(x: Pixels, size: tuple[int, int]) -> Pixels:
    """[h, w, c] in any of our types to ``size`` (width, height), Lanczos.

    With alpha (c = 4) colours count by how much of them is seen, so that nothing hidden leaks into an edge.
    """
    w, h = size
    if (x.shape[1], x.shape[0]) == (w, h):
        return x
    if x.shape[2] == 4:
        return _resize_with_alpha(x, size)
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


def _resize_with_alpha(x: Pixels, size: tuple[int, int]) -> Pixels:
    peak = np.iinfo(x.dtype).max if np.issubdtype(x.dtype, np.integer) else 1
    a = x[..., 3:].astype(np.float32) / peak
    rgb = x[..., :3].astype(np.float32) / peak
    alpha = resize(a, size)
    seen = resize(rgb * a, size) / np.maximum(alpha, 1e-6)
    mixed = np.where(alpha > 1 / 510, seen, resize(rgb, size))  # where nothing is seen the hidden colours stay
    y = np.dstack([mixed.clip(0, 1), alpha])
    return (y * peak + 0.5).astype(x.dtype) if peak > 1 else y.astype(x.dtype)


def fit(picture: Picture, size: tuple[int, int], how: FitName) -> Picture:
    """Bring a picture to ``size`` (width, height): cut off (crop), fill up from the edge (pad) or distort (stretch)."""
    if picture.size == size:
        return picture
    x = fit_pixels(picture.pixels, size, how)
    alpha = np.ascontiguousarray(x[..., 3]) if x.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(x[..., :3]), alpha, picture.notes)


def fit_pixels(x: Pixels, size: tuple[int, int], how: FitName) -> Pixels:
    """``fit`` for bare pixels [h, w, c]: a map goes where its picture goes."""
    (h, w), (W, H) = x.shape[:2], size
    if how == "crop":
        keep_w, keep_h = min(w, max(1, round(h * W / H))), min(h, max(1, round(w * H / W)))
        left, top = (w - keep_w) // 2, (h - keep_h) // 2
        return resize(x[top : top + keep_h, left : left + keep_w], size)
    if how == "pad":
        return pad_from_edge(resize(x, inner_size((w, h), size)), size)
    return resize(x, size)


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


def to_pil(pixels: Pixels) -> Image.Image:
    """The 8-bit PIL view of uint8 or uint16 pixels."""
    return Image.fromarray((pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels)
