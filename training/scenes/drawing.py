"""The same places in several looks: the true answers of edits."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.scenes.conditions import make_conditions
from training.scenes.layouts import Layouts
from training.scenes.names import Season, Style, Time, Weather
from training.scenes.renderer import Renderer, Shot
from training.scenes.styles.styler import Styler


@dataclass(frozen=True)
class Look:
    """When and how a place is shown."""

    time: Time = "day"
    season: Season = "summer"
    weather: Weather = "clear"
    style: Style = "photo"

    @property
    def condition(self) -> tuple[Time, Season, Weather]:
        return self.time, self.season, self.weather


def draw(
    layouts: Layouts,
    looks: Sequence[Look],
    *,
    size: int = 256,
    device: torch.device | str = "cpu",
    renderer: Renderer | None = None,
    seed: int = 3,
    style_seed: int = 1,
) -> Tensor:
    """All places in every look: [looks,n,3,size,size] in 0..1.

    The looks of a place share everything but what they name: the same clouds, the same wind (``seed``), for the same
    style the same strokes (``style_seed``). A ``renderer`` at hand decides size and device. All places are drawn
    at once, so memory grows with n.
    """
    if not looks:
        raise ValueError("no looks: give at least one Look")
    renderer = renderer or Renderer(size, device)
    styler = Styler(renderer)
    geometry = renderer.geometry(layouts)
    shots: dict[tuple[Time, Season, Weather], Shot] = {}
    pictures = []
    for look in looks:
        if look.condition not in shots:
            conditions = make_conditions(len(layouts), *look.condition, seed=seed)
            shots[look.condition] = renderer.shade(geometry, conditions)
        pictures.append(styler(look.style, shots[look.condition], style_seed))
    return torch.stack(pictures)
