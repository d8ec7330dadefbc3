"""``EditResult``: what an edit comes to."""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from overpaint.encode import encode, save
from overpaint.goal import Goal
from overpaint.params import ResolvedParams
from overpaint.picture import Pixels, to_pil
from overpaint.recipe import Recipe

if TYPE_CHECKING:
    from PIL import Image

    from overpaint.maps.region import Box


@dataclass(frozen=True, eq=False)
class EditResult:
    """The picture an edit made, and all that was decided on the way.

    Attributes:
        pixels: [h, w, 3] or, with the input's alpha, [h, w, 4]; uint8 or uint16, as the input.
        params: every parameter as it was resolved.
        recipe: how it was made: the parameters, and all else that decides the bytes. ``save`` writes it into the file.
        t0: the timestep the edit started at; -1 for strength 0.
        signal: sqrt(alpha_bar) at t0: how much of the picture's amplitude was left under the noise. 0 at strength 1.
        steps_run: steps taken, of the ``params.steps`` that strength 1 takes.
        network_calls: how often the network ran; Heun and DPM2 run it about twice a step. All windows of a large
            picture count as one call.
        working_size: (width, height) the network worked at, padding included.
        seconds: from being submitted to being done.
        warnings: what is worth knowing about this result.
        region: the part that was worked on, where a map marks a small one; None for the whole picture.
        map_levels: at how many different boundaries the cells of a map were let go; 0 without one.
        goal: what was to be kept and what is, where ``keep`` was asked for.
        index: its place among the requests it was submitted with.
    """

    pixels: Pixels = field(repr=False)
    params: ResolvedParams
    recipe: Recipe
    t0: int
    signal: float
    steps_run: int
    network_calls: int
    working_size: tuple[int, int]
    seconds: float
    warnings: tuple[str, ...] = ()
    index: int = 0
    region: "Box | None" = None
    map_levels: int = 0
    goal: Goal | None = None

    @property
    def seed(self) -> int:
        """The seed that makes this picture again."""
        return self.params.seed

    @property
    def model(self) -> str:
        """The model's name."""
        return self.recipe.model or ""

    @property
    def image(self) -> "Image.Image":
        """The picture as an 8-bit PIL image."""
        return to_pil(self.pixels)

    def facts(self) -> dict[str, Any]:
        """What there is to tell of it as JSON has it, ``seconds`` to the millisecond; all but the pixels."""
        h, w = self.pixels.shape[:2]
        return {
            "width": w,
            "height": h,
            "seed": self.seed,
            "t0": self.t0,
            "signal": self.signal,
            "steps_run": self.steps_run,
            "network_calls": self.network_calls,
            "seconds": round(self.seconds, 3),
            "goal": self.goal and self.goal.as_dict(),
            "warnings": list(self.warnings),
            "recipe": self.recipe.as_dict(numbers=False),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture with its recipe: PNG, JPEG, WebP or TIFF, by the path's ending. Raises ``OutputError``."""
        save(self.pixels, path, [self.recipe])

    def _repr_png_(self) -> bytes:
        return encode(self.pixels, "PNG", [self.recipe])
