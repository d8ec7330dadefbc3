"""Pictures in and out, as users of the library call them: ``images.load(source)``, ``images.save(pixels, path)``."""

from overpaint.decode import load
from overpaint.encode import encode, save
from overpaint.picture import Picture, Pixels, cut_middle, fit, fit_pixels, inner_size, pad_from_edge, resize, to_pil

__all__ = [
    "Picture",
    "Pixels",
    "cut_middle",
    "encode",
    "fit",
    "fit_pixels",
    "inner_size",
    "load",
    "pad_from_edge",
    "resize",
    "save",
    "to_pil",
]
