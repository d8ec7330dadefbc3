"""The traffic: mixed edits as a seed decides them, as bytes to send, and the times at which people come."""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.speed.work import PROMPT, Task, square
from overpaint.picture import Pixels
from overpaint.samplers import SamplerName

SIDE = 256
SAMPLERS: tuple[SamplerName, ...] = ("dpm++2m", "ddim", "euler", "unipc")  # one call a step, and both have them
GUIDANCE = tuple(range(1, 11))
# steps x strength is a whole number in each: diffusers rounds it down, we round it
PACES = tuple((n, k / 20) for n in range(10, 51) for k in range(4, 21) if n * k % 20 == 0)
SHORT, LONG = Task(5, 1, 3), Task(50, 1, 3)
EVERY_KIND = tuple(replace(Task(4, 0.5, guidance), sampler=s) for s in SAMPLERS for guidance in (1, 3))  # to warm up


@dataclass(frozen=True)
class Wish:
    """An edit that somebody asks for.

    Attributes:
        image: a PNG.
        mask: a PNG in black and white, white is to change; None for the whole picture.
    """

    task: Task
    prompt: str
    image: bytes = field(repr=False)
    mask: bytes | None = field(repr=False, default=None)


def mixed_tasks(n: int, seed: int) -> list[Task]:
    """Strengths .2 to 1, 10 to 50 steps, guidance 1 to 10, four samplers."""
    rng = random.Random(seed)
    drawn = ((rng.choice(PACES), rng.choice(GUIDANCE), rng.choice(SAMPLERS), rng.randrange(2**31)) for _ in range(n))
    return [Task(steps, strength, g, sampler, seed) for (steps, strength), g, sampler, seed in drawn]


class Wishes:
    """Makes them; no two have the same picture or words, so that what is kept of one makes none quicker.

    Args:
        first: the number of the first one's picture and words; those of warming up have numbers of their own.
    """

    def __init__(self, seed: int, side: int = SIDE, first: int = 0) -> None:
        self._rng, self._base, self._made = random.Random(seed), square(side), first

    def of(self, tasks: Sequence[Task], masked: float = 0.5) -> list[Wish]:
        """One for each task; the share ``masked`` of them, drawn, with a mask over a part of the picture."""
        flags = [i < round(masked * len(tasks)) for i in range(len(tasks))]
        self._rng.shuffle(flags)
        return [self._one(task, flag) for task, flag in zip(tasks, flags, strict=True)]

    def _one(self, task: Task, masked: bool) -> Wish:
        i, side = self._made, len(self._base)
        self._made += 1
        picture = np.roll(self._base, (i // side, i % side), axis=(0, 1))
        return Wish(task, f"{PROMPT}, {i}", png(picture), png(self._mask(side)) if masked else None)

    def _mask(self, side: int) -> npt.NDArray[np.uint8]:
        """A box with sides of half to three quarters of the picture's, somewhere in it."""
        w, h = (self._rng.randint(side // 2, side * 3 // 4) for _ in range(2))
        x, y = self._rng.randint(0, side - w), self._rng.randint(0, side - h)
        mask = np.zeros((side, side), np.uint8)
        mask[y : y + h, x : x + w] = 255
        return mask


def png(pixels: Pixels | npt.NDArray[np.uint8]) -> bytes:
    """As a file, [h, w] or [h, w, 3] uint8."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def arrivals(n: int, rate: float, seed: int) -> list[float]:
    """Seconds from the start at which ``n`` people come who know nothing of each other, ``rate`` a second: Poisson."""
    rng, now, times = random.Random(seed), 0.0, []
    for _ in range(n):
        now += rng.expovariate(rate)
        times.append(now)
    return times
