"""What travels between those who ask and the engine: a task, its start, the job that waits for it, and its events."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from overpaint.errors import EditCancelled
from overpaint.model import DiffusionModel
from overpaint.trajectory import Trajectory
from overpaint.windows import Windows


@dataclass(frozen=True)
class Conditioning:
    """What the network is told beside x and t: text states [1, tokens, width] for and against, and how to guide.

    Attributes:
        uncond: None: guidance is off, one row a call instead of two.
        weight: how much of D comes from this prompt, [1, 1, h, w]; those of all layers sum to 1. None: all of it.
    """

    cond: Tensor
    uncond: Tensor | None
    guidance_scale: float
    rescale: float = 0.0
    weight: Tensor | None = None

    @property
    def rows(self) -> int:
        """Network rows a call."""
        return 1 if self.uncond is None else 2


@dataclass
class Started:
    """What a task hands the engine: the edit in flight, and its prompts: one, or one for each layer.

    ``extra``: what an inpainting network is told in every row, [1, 5, h, w]. ``windows``: how the network sees a latent
    that is too large to be seen at once; None: all of it.
    """

    trajectory: Trajectory
    conditionings: tuple[Conditioning, ...]
    extra: Tensor | None = None
    windows: Windows | None = None


class Task(Protocol):
    """One piece of work. All that needs the model is done on the engine's thread."""

    def start(self, model: DiffusionModel) -> Started:
        """Encode words and picture, draw the start noise."""

    def finish(self, model: DiffusionModel, trajectory: Trajectory) -> Callable[[], Any]:
        """Decode a trajectory that is done. The rest, which makes the result, is called elsewhere, without a model."""


@dataclass(frozen=True)
class StepEvent:
    """One step of an edit was taken.

    Attributes:
        step: steps taken so far, 1..steps; a step may take two network calls.
        steps: all that this edit takes.
        t: the timestep the step started at.
        preview: what the result would be now, [h, w, 3] uint8, a pixel for each latent cell; None unless asked for.
    """

    step: int
    steps: int
    t: float
    preview: np.ndarray[Any, np.dtype[np.uint8]] | None = None


class EditJob(Future[Any]):
    """An edit on its way: a ``Future`` with ``events()`` and a ``cancel()`` that works while it runs.

    Attributes:
        preview: whether each step is to show a small picture. May be set at any time, for the steps from then on.
    """

    preview = False

    def __init__(self) -> None:
        super().__init__()
        self.cancel_asked = False
        self._claimed = False  # by who will end it, the engine as a rule, or by a cancel that came first
        self._settled = False
        self._events: list[StepEvent] = []
        self._listeners: list[Callable[[StepEvent], object]] = []
        self._news = threading.Condition()
        self.add_done_callback(lambda _: self.tell(None))

    def cancel(self) -> bool:
        """End the edit as ``EditCancelled``: at once while it waits, else before its next network call.

        False if it is already done.
        """
        with self._news:
            if self.done() or self._settled:
                return False
            self.cancel_asked = True
        if self.claim():
            self.set_exception(EditCancelled("cancelled before it was started"))
        return True

    def claim(self) -> bool:
        """The engine's: whoever is the first to claim a job is the one to end it."""
        with self._news:
            first, self._claimed = not self._claimed, True
        return first

    def events(self) -> Iterator[StepEvent]:
        """All steps from the first on, as they are taken; ends when the edit does."""
        seen = 0
        while True:
            with self._news:
                while len(self._events) == seen and not self.done():
                    self._news.wait()
                fresh = self._events[seen:]
            yield from fresh
            seen += len(fresh)
            if not fresh and self.done():
                return

    def listen(self, call: Callable[[StepEvent], object]) -> None:
        """Have every step told to ``call``, those of before first; later ones come on the engine's thread."""
        with self._news:
            for event in self._events:
                call(event)
            self._listeners.append(call)

    def settle(self) -> bool:
        """The engine's: from here on the job ends with its result; False if its cancelling was promised before."""
        with self._news:
            self._settled = not self.cancel_asked
        return self._settled

    def tell(self, event: StepEvent | None) -> None:
        """The engine's: report a step, or (None) that the job has ended."""
        with self._news:
            if event is not None:
                self._events.append(event)
                for call in self._listeners:
                    call(event)
            self._news.notify_all()


class TaskJob(EditJob):
    """The job of one task."""

    def __init__(self, task: Task, preview: bool = False) -> None:
        super().__init__()
        self.task = task
        self.preview = preview
