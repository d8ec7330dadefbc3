"""Colours by an embedded ICC profile to sRGB; without one they are sRGB (CMYK: by Pillow's plain conversion).

This is LittleCMS, which as Pillow offers it works in 8 bits; ``deep_colour`` goes the same way in 16.
"""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from overpaint.picture import Pixels

MAX_PROFILE = 16 << 20  # bytes; profiles of presses have 1 to 3 MB
ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)  # what broken profiles raise


def to_srgb(im: Image.Image, profile: Any) -> tuple[Image.Image, list[str]]:
    """An image of mode RGB, L, CMYK or LAB as RGB, and notes."""
    notes: list[str] = []
    if profile:
        try:
            im, transform = transform_of(im, profile)
            return (im if transform is None else ImageCms.applyTransform(im, transform) or im).convert("RGB"), []
        except ERRORS as e:
            notes = [unusable(e)]
    return im.convert("RGB"), notes


def unusable(e: Exception) -> str:
    return f"its colour profile cannot be used, so its colours are taken as sRGB: {e}"


def transform_of(im: Image.Image, profile: Any) -> tuple[Image.Image, ImageCms.ImageCmsTransform | None]:
    """The image in the mode that its profile is for, and the way to sRGB; None where that changes nothing."""
    if len(profile) > MAX_PROFILE:
        raise ValueError(f"it has {len(profile) / 1e6:.0f} MB, at most {MAX_PROFILE / 1e6:.0f} are read")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if im.mode == "L" and source.profile.xcolor_space.strip() == "RGB":  # common: a grey scan with a scanner's profile
        im = im.convert("RGB")
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), im.mode, "RGB")
    if im.mode in ("RGB", "L"):
        probe = ramp(im.mode) if im.mode == "L" else np.concatenate([ramp("RGB"), grid(np.arange(0, 256, 51))])
        if np.abs(apply(probe, transform, im.mode).astype(int) - probe.reshape(len(probe), -1)).max() <= 1:
            return im, None
    return im, transform


def ramp(mode: str) -> Pixels:
    """All greys: [256], or [256, 3] for RGB."""
    levels = np.arange(256, dtype=np.uint8)
    return levels if mode == "L" else np.repeat(levels[:, None], 3, axis=1)


def grid(levels: Pixels) -> Pixels:
    """[n^3, 3]: all colours of these levels, blue fastest."""
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.uint8)


def apply(colours: Pixels, transform: ImageCms.ImageCmsTransform, mode: str) -> Pixels:
    """8-bit greys [n] or colours [n, 3] to sRGB [n, 3]."""
    out = ImageCms.applyTransform(Image.fromarray(colours[None], mode), transform)
    if out is None:
        raise ValueError("it gives no colours")
    row: Pixels = np.asarray(out)[0]
    return row
