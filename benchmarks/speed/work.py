"""What is asked for: edits whose network calls are the same in Overpaint and in diffusers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from overpaint import decode, images
from overpaint.levels import start_level, steps_run
from overpaint.picture import Pixels
from overpaint.samplers import ABOUT, SamplerName

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PICTURE, PHOTO = EXAMPLES / "castle.jpg", EXAMPLES / "summit.jpg"
PROMPT = "An oil painting in the style of Van Gogh of a castle by a mountain lake"
TIMESTEPS = 1000  # training timesteps of all models here


@dataclass(frozen=True)
class Task:
    """The numbers of an edit."""

    steps: int
    strength: float
    guidance: float
    sampler: SamplerName = "dpm++2m"
    seed: int = 7

    @property
    def calls(self) -> int:
        """Network calls by the strength law; both sides are checked against it in every run."""
        n = steps_run(self.steps, start_level(self.strength, TIMESTEPS), TIMESTEPS)
        return n if ABOUT[self.sampler].calls == 1 else 2 * n - 1  # the last step, into clean, is a single call

    @property
    def rows(self) -> int:
        """Network rows that are needed: two a call where there is guidance."""
        return self.calls * (1 if self.guidance == 1 else 2)


@dataclass(frozen=True)
class Edit:
    """One edit to be made: a picture [side, side, 3] uint8, and what to make of it at its own size."""

    picture: Pixels
    prompt: str
    task: Task


ONE = Task(30, 0.6, 3)
SWEEP = tuple(Task(30, strength, 3) for strength in (0.2, 0.4, 0.6, 0.8))
# steps x strength is a whole number in each: diffusers rounds it down, we round it
MIXED = (
    Task(30, 0.6, 3),
    Task(20, 0.4, 1, "ddim"),
    Task(50, 0.2, 7.5),
    Task(25, 0.8, 5, "euler"),
    Task(10, 1, 8),
    Task(40, 0.5, 1, "unipc"),
    Task(16, 0.5, 4, "heun"),
    Task(30, 0.7, 2, "euler_a"),
)
# Stable Diffusion 1.5's usual edit, and mixed ones of just as many network rows
SD15_ONE = Task(50, 0.6, 7.5)
SD15_MIXED = (
    Task(50, 0.6, 7.5),
    Task(40, 0.75, 3, "ddim"),
    Task(60, 0.5, 5, "euler"),
    Task(100, 0.3, 8),
    Task(75, 0.4, 2, "unipc"),
    Task(120, 0.25, 4, "euler_a"),
    Task(150, 0.2, 6),
    Task(48, 0.625, 1.5, "ddim"),
)


def square(side: int, path: Path = PICTURE) -> Pixels:
    """An example picture, [side, side, 3] uint8."""
    return images.resize(decode.load(path).rgb, (side, side))


def edits_of_turn(base: Pixels, tasks: Sequence[Task], turn: int, *, pictures: int = 1) -> list[Edit]:
    """The tasks on ``pictures`` different pictures, with pictures and words that no other turn has."""
    shifted = [np.roll(base, turn * pictures + i, axis=1) for i in range(pictures)]
    return [Edit(shifted[i % pictures], f"{PROMPT}, {turn * pictures + i % pictures}", t) for i, t in enumerate(tasks)]
