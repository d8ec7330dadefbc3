"""From a rendered photograph to any of the looks."""

from collections.abc import Callable

import torch
from torch import Tensor

from training.scenes.names import STYLES, Style, number_of
from training.scenes.renderer import Renderer, Shot
from training.scenes.styles.drawings import lines, pencil, sketch
from training.scenes.styles.hand import Hand
from training.scenes.styles.paintings import digital, flat, oil, pixel, vangogh, watercolor
from training.scenes.styles.photographs import degraded, photo

_LOOKS: dict[Style, Callable[[Shot, Hand], Tensor]] = {
    "photo": photo,
    "oil": oil,
    "vangogh": vangogh,
    "watercolor": watercolor,
    "pencil": pencil,
    "digital": digital,
    "pixel": pixel,
    "flat": flat,
    "sketch": sketch,
    "lines": lines,
    "degraded": degraded,
}


class Styler:
    """Paints what a renderer drew.

    Its random numbers are drawn for a whole batch: the same shot with the same seed is the same picture, but a place
    looks slightly different (other strokes, other paper) in another batch or at another position in it.
    """

    def __init__(self, renderer: Renderer) -> None:
        self._noise = renderer.noise

    @torch.no_grad()
    def __call__(self, style: Style | int, shot: Shot, seed: int = 0) -> Tensor:
        """[n,3,h,w] in 0..1."""
        look = _LOOKS[STYLES[number_of("style", STYLES, style)]]
        return look(shot, Hand(self._noise, shot.rgb, seed)).clamp(0, 1)
