"""What an edit kept of its input, and what it changed: standard measures of two pictures, by their libraries.

All of them are taken at one size (``MEASURED_SIDE``), so that a number means the same for a photo and for its
thumbnail, on sRGB values in 0..1 over white; what is said of light and shade is measured on scikit-image's grey.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isinf
from typing import Any

import numpy as np

from overpaint.decode import Source, load
from overpaint.errors import ImageError, ParameterError
from overpaint.params import MEASURES
from overpaint.picture import Picture, Pixels, inner_size

# Pixels of the shorter side, to which larger pictures are reduced: as Wang's own ssim.m does, since what is seen of a
# picture is seen from where all of it is seen.
MEASURED_SIDE = 256
BAND_PIXELS = (2, 4, 8, 16, 32, 64, 128)  # how wide the things are that a band shows: half the wavelength in its middle
FLAT = 0.5 / 255  # what varies less (standard deviation, white is 1) shows nothing; rounding to 8 bits leaves 0.3 / 255
_COLOUR_SIDE = 16  # areas along the longer side whose mean colours are compared
_SMALLEST_BAND = 4  # samples across the shorter side that a band needs
_SSIM_WINDOW, _SSIM_SIGMA = 11, 1.5  # Wang et al. 2004, III.C


@dataclass(frozen=True)
class Fidelity:
    """How much alike two pictures are.

    Attributes:
        psnr: peak signal-to-noise ratio of the sRGB values in dB; higher is closer, inf for equal pictures.
        ssim: mean structural similarity of the grey pictures (Wang et al. 2004, eq. 13, with its Gaussian window), at
            most 1. Asks for the same contrast and texture in the same place.
        colour: how far the colours moved, in CIEDE2000 units (Sharma et al. 2005), from 0; about 1 is just visible.
            The mean difference of the mean colours of areas of 1/16 of the longer side: what is drawn inside an area
            does not count, and a thing that moves by a little hardly does.
        edges: whether edges are where they were, whatever lies between them: the correlation of the magnitudes of the
            Sobel gradient, -1..1; 0 for unrelated pictures.
        bands: the correlation, -1..1, of each band of the Laplacian pyramid (Burt & Adelson 1983), from fine to
            coarse; ``BAND_PIXELS`` says how wide the things in it are. Small pictures have fewer. Contrast, brightness
            and broad gradients do not count.

    Where neither picture has anything to compare a correlation is 1, where only one of them has, 0.
    """

    psnr: float
    ssim: float
    colour: float
    edges: float
    bands: tuple[float, ...]

    @property
    def structure(self) -> float:
        """Whether shapes are where they were, -1..1: the mean of the coarser half of the bands."""
        return float(np.mean(self.bands[-self._half :]))

    @property
    def detail(self) -> float:
        """Whether texture and fine lines are the same, -1..1: the mean of the finer half of the bands."""
        return float(np.mean(self.bands[: self._half]))

    @property
    def _half(self) -> int:
        return max(1, len(self.bands) // 2)  # the middle one of an odd number is neither fine nor coarse

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON knows it: psnr is None where the pictures are equal."""
        bands = [{"pixels": p, "kept": kept} for p, kept in zip(BAND_PIXELS, self.bands, strict=False)]
        psnr = None if isinf(self.psnr) else self.psnr
        means = {"structure": self.structure, "detail": self.detail}
        return {"psnr": psnr, "ssim": self.ssim, "colour": self.colour, "edges": self.edges, **means, "bands": bands}


def compare(before: Source, after: Source, *, side: int = MEASURED_SIDE) -> Fidelity:
    """Measure what ``after`` kept of ``before``; either may have more pixels than the other.

    Args:
        before, after: anything that ``overpaint.images.load`` takes, of one shape.
        side: pixels of the shorter side at which is measured, at least 1; smaller pictures stay as they are.

    Raises:
        ImageError: one of them cannot be read, or their shapes differ by more than rounding.
        ParameterError: ``side``.
    """
    from skimage.color import rgb2gray

    x, y = brought_together(load(before), load(after), side=side)  # [h, w, 3]
    gx, gy = rgb2gray(x), rgb2gray(y)  # [h, w]
    return Fidelity(
        psnr=_psnr(x, y), ssim=_ssim(gx, gy), colour=_colour_shift(x, y), edges=_edges(gx, gy), bands=_bands(gx, gy)
    )


def kept(fidelity: Fidelity, measure: str) -> float:
    """One of ``MEASURES``, at most 1: how much of the picture was kept."""
    if measure not in MEASURES:
        raise ParameterError("measure", f"is {measure!r}, must be one of {', '.join(MEASURES)}")
    return float(getattr(fidelity, measure))


# ---- one size for both -----------------------------------------------------------------------------------------------


def brought_together(before: Picture, after: Picture, *, side: int = MEASURED_SIDE) -> tuple[Pixels, Pixels]:
    """Both as [h, w, 3] float64 in 0..1, at the size of the smaller one, its shorter side at most ``side`` pixels."""
    if side < 1:
        raise ParameterError("side", f"is {side}, must be at least 1")
    small, large = sorted((before.size, after.size), key=lambda size: (size[0] * size[1], size))
    if max(abs(a - b) for a, b in zip(inner_size(large, small), small, strict=True)) > 1:  # 1: what rounding leaves
        sizes = " and ".join("{} x {}".format(*picture.size) for picture in (before, after))
        raise ImageError(f"the pictures are {sizes}: they must be of one shape, so crop one of them to the other's")
    scale = min(1.0, side / min(small))
    size = round(small[0] * scale), round(small[1] * scale)
    return _reduced(before, size), _reduced(after, size)


def _reduced(picture: Picture, size: tuple[int, int]) -> Pixels:
    """[h, w, 3], each pixel the mean of the area it covers."""
    return _area_means(picture.flat(), size).clip(0, 1).astype(np.float64)


def _area_means(x: Pixels, size: tuple[int, int]) -> Pixels:
    import cv2

    means: Pixels = cv2.resize(x, size, interpolation=cv2.INTER_AREA)
    return means


# ---- measures --------------------------------------------------------------------------------------------------------


def _psnr(x: Pixels, y: Pixels) -> float:
    from skimage.metrics import peak_signal_noise_ratio

    with np.errstate(divide="ignore"):  # equal pictures: inf
        return float(peak_signal_noise_ratio(x, y, data_range=1))


def _ssim(x: Pixels, y: Pixels) -> float:
    """As Wang et al. have it; below 11 pixels the window and its Gaussian shrink with the picture."""
    from skimage.metrics import structural_similarity

    window = min(_SSIM_WINDOW, *x.shape)
    sigma = _SSIM_SIGMA if window == _SSIM_WINDOW else (window - 1) // 2 / 3.5  # scikit-image's window is 3.5 sigma
    told = {"gaussian_weights": True, "sigma": sigma, "use_sample_covariance": False, "data_range": 1}
    return float(structural_similarity(x, y, **told))


def _colour_shift(x: Pixels, y: Pixels) -> float:
    from skimage.color import deltaE_ciede2000, rgb2lab

    h, w = x.shape[:2]
    size = (w, h) if max(w, h) <= _COLOUR_SIDE else inner_size((w, h), (_COLOUR_SIDE, _COLOUR_SIDE))
    areas = (rgb2lab(_area_means(z, size)) for z in (x, y))  # [~16, ~16, 3] each
    return float(deltaE_ciede2000(*areas).mean())


def _edges(x: Pixels, y: Pixels) -> float:
    from skimage.filters import sobel

    return _correlation(sobel(x), sobel(y))


def _bands(x: Pixels, y: Pixels) -> tuple[float, ...]:
    return tuple(_correlation(a, b) for a, b in zip(_pyramid(x), _pyramid(y), strict=True))


def _pyramid(x: Pixels) -> Sequence[Pixels]:
    """The Laplacian pyramid of [h, w], fine to coarse: band k is [h / 2^k, w / 2^k]. What is left over is not in it."""
    import cv2

    bands: list[Pixels] = []
    while len(bands) < len(BAND_PIXELS) and (not bands or min(x.shape) >= _SMALLEST_BAND):
        coarser = cv2.pyrDown(x)
        bands.append(x - cv2.pyrUp(coarser, dstsize=x.shape[::-1]))
        x = coarser
    return bands


def _correlation(x: Pixels, y: Pixels) -> float:
    """Pearson's, -1..1; where there is nothing to correlate, whether that is so in both."""
    flat = x.std() < FLAT, y.std() < FLAT
    if any(flat):
        return float(all(flat))
    return float(np.corrcoef(x.ravel(), y.ravel())[0, 1].clip(-1, 1))
