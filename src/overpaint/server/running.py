"""A job while it runs, and how long what runs and waits will take."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from overpaint import encode
from overpaint.job import EditJob, StepEvent
from overpaint.picture import Picture
from overpaint.server.records import JobRecord

# why a job is ended before it is done: its owner's wish, its time is up, the server stops and runs it again later
Reason = Literal["cancelled", "deadline", "stopped"]

_FORGETTING = 0.9  # of what was learnt of the pace, at the end of each job


@dataclass(eq=False)
class Running:
    """A job from being claimed to being stored as ended."""

    record: JobRecord
    picture: Picture | None = None
    notes: tuple[str, ...] = ()
    job: EditJob | None = None  # None while its pictures are read
    step: StepEvent | None = None
    t0: int | None = None  # the timestep that it started at
    reason: Reason | None = None
    preview: bool = False  # somebody looks on
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """The work that is left of it."""
        done = self.step.step / self.step.steps if self.step else 0.0
        return self.record.cost * (1 - done)

    def look_on(self) -> None:
        """Have every step show a preview from now on."""
        self.preview = True
        if self.job is not None:
            self.job.preview = True

    def preview_png(self) -> bytes | None:
        """What the result would be now, a pixel for each latent cell."""
        seen = None if self.step is None else self.step.preview
        return None if seen is None else encode.encode(seen, "PNG")


class Pace:
    """Seconds that a unit of work takes, learnt from the jobs that ended lately."""

    def __init__(self) -> None:
        self._work = self._seconds = 0.0
        self._since: float | None = None  # when there was last something new to count, None while nothing runs

    def began(self) -> None:
        """A job begins."""
        if self._since is None:
            self._since = time.monotonic()

    def ended(self, work: float, others: bool) -> None:
        """A job has ended after so much work; ``others`` still run."""
        now = time.monotonic()
        busy = 0.0 if self._since is None else now - self._since
        self._work = self._work * _FORGETTING + work
        self._seconds = self._seconds * _FORGETTING + busy
        self._since = now if others else None

    def seconds(self, work: float) -> float | None:
        """How long so much work takes; None as long as nothing is known."""
        return work * self._seconds / self._work if self._work > 0 else None


def left_before(mine: Running, all_running: Iterable[Running]) -> float:
    """The work until a job is done, its own and what the engine does first: the shorter ones."""
    return sum(min(other.left, mine.left) for other in all_running)
