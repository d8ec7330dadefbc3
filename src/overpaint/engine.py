"""The engine: the one denoising loop. It advances every active edit one network call at a time, in shared calls.

    step():  choose who is next  ->  one network call  ->  advance, finish, report

One thread steps; any thread may submit, listen and cancel. What the engine runs is a ``Task``: something that can start
a ``Trajectory`` and finish it. The engine knows nothing of pictures.

Who is next is one policy: the edit with the least work left (in network rows), less the rows that others were given
while it waited. So short edits don't queue behind long ones, and none starves: once an edit has waited for as many rows
as it has left, whatever arrives later comes after it. Edits of one latent size share a call while there is room in it.
At most ``MAX_ACTIVE`` edits are in flight; beyond that they are taken in the order in which they came.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overpaint.errors import EditCancelled, EditFailed, OverpaintError, as_ours
from overpaint.job import Conditioning, StepEvent, Task, TaskJob
from overpaint.model import DiffusionModel, guide
from overpaint.trajectory import Trajectory

MAX_ACTIVE = 16  # edits with latents in memory; more wait in line


@dataclass(eq=False)
class _Active:
    """An edit in flight, and what the policy must know of it."""

    job: TaskJob
    trajectory: Trajectory
    conditionings: tuple[Conditioning, ...]
    extra: Tensor | None = None
    waited: int = 0  # network rows given to others since it was admitted
    steps_taken: int = 0
    t: float = 0.0  # where the current step started
    steps: int = field(init=False)

    def __post_init__(self) -> None:
        self.steps = self.trajectory.steps

    @property
    def rows(self) -> int:
        return sum(c.rows for c in self.conditionings)

    @property
    def key(self) -> tuple[Any, ...]:
        """What must be equal to share a network call: the latent's and the text's shape."""
        return tuple(self.trajectory.x.shape), tuple(self.conditionings[0].cond.shape)

    @property
    def priority(self) -> int:
        return self.rows * self.trajectory.calls_left - self.waited


class Engine:
    """Runs tasks on one model. ``submit`` from any thread; ``close`` when done (or use ``with``)."""

    def __init__(self, model: DiffusionModel) -> None:
        self.model = model
        self._arrivals: queue.SimpleQueue[TaskJob | None] = queue.SimpleQueue()
        self._active: list[_Active] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._ended = threading.Event()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def submit(self, task: Task, *, preview: bool = False) -> TaskJob:
        """Queue a task. ``preview``: make a small picture of every step, for who listens to ``events()``."""
        return self.submit_all([task], preview=preview)[0]

    def submit_all(self, tasks: Sequence[Task], *, preview: bool = False) -> list[TaskJob]:
        """Queue tasks that arrive together."""
        jobs = [TaskJob(task, preview) for task in tasks]
        with self._lock:
            if self._closed:
                raise EditFailed("this editor is closed; make a new one")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="overpaint-engine", daemon=True)
                self._thread.start()
            for job in jobs:
                self._arrivals.put(job)
        return jobs

    def close(self) -> None:
        """Cancel what is not done and end the thread. Safe to call again, also after an interrupted call."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._arrivals.put(None)
            if thread is not threading.current_thread():  # an editor may be collected on the engine's own thread
                self._ended.wait()  # not join: Python 3.11 takes a thread for ended when Ctrl-C interrupts that

    # ---- everything below runs on the engine's thread --------------------------------------------------------------

    def _run(self) -> None:
        while self._admit():
            self.step()
        for item in self._active:
            item.job.set_exception(EditCancelled("the editor was closed before this edit was done"))
        self._active.clear()
        while not self._arrivals.empty():
            if (job := self._arrivals.get()) is not None and job.claim():
                job.set_exception(EditCancelled("the editor was closed before this edit was started"))
        self._ended.set()

    def _admit(self) -> bool:
        """Take in what has arrived while there is room, waiting if there is nothing to do; False once closed."""
        while len(self._active) < MAX_ACTIVE and not self._closed:
            try:
                job = self._arrivals.get(block=not self._active)
            except queue.Empty:
                break
            if job is not None:  # None only wakes a waiting engine up, to see that it is closed
                self._start(job)
        return not self._closed

    def _start(self, job: TaskJob) -> None:
        if not job.claim():
            return
        job.set_running_or_notify_cancel()
        try:
            started = job.task.start(self.model)
        except Exception as e:  # whatever goes wrong belongs to this edit, not to the engine
            job.set_exception(as_ours(e))
            return
        item = _Active(job, started.trajectory, started.conditionings, started.extra)
        self._active.append(item)
        self._after(item)  # a task may want no network call at all

    def step(self) -> None:
        """One network call for those who are next, or none if there was only cancelling to do."""
        self._drop_cancelled()
        group = self._choose()
        if not group:
            return
        self._forward(group)
        rows = sum(item.rows for item in group)
        for item in self._active:
            if item not in group:
                item.waited += rows
        for item in group:
            self._after(item)

    def _drop_cancelled(self) -> None:
        for item in [i for i in self._active if i.job.cancel_asked]:
            self._end(item, EditCancelled(f"cancelled after {item.steps_taken} of {item.steps} steps"))

    def _choose(self) -> list[_Active]:
        """The first by priority, and whoever has an equal key and fits beside it, in the order of priority."""
        order = sorted(self._active, key=lambda item: item.priority)
        group: list[_Active] = []
        room = self.model.row_buckets[-1]
        for item in order:
            if not group or (item.key == group[0].key and item.rows <= room):
                group.append(item)
                room -= item.rows
        return group

    def _forward(self, group: list[_Active]) -> None:
        """Advance a group by one call. If it fails, each is tried alone, so that only the one at fault ends."""
        try:
            outs = self._predict(group)
        except Exception as e:
            if len(group) == 1:
                self._end(group[0], as_ours(e))
            else:
                for item in group:
                    self._forward([item])
            return
        for item, out in zip(group, outs, strict=True):
            try:
                self._advance(item, out)
            except Exception as e:
                self._end(item, as_ours(e))

    def _advance(self, item: _Active, out: Tensor) -> None:
        """Take the row, and say so where it ends a step."""
        trajectory = item.trajectory
        row = trajectory.rows[trajectory.position]
        if row.boundary:
            item.t = row.level.t
        trajectory.advance(self.model.denoised(trajectory.x, out, row.level))
        if trajectory.done or trajectory.rows[trajectory.position].boundary:
            item.steps_taken += 1
            item.job.tell(StepEvent(item.steps_taken, item.steps, item.t, self._preview(item)))

    def _predict(self, group: list[_Active]) -> list[Tensor]:
        """One network output for each of the group: guided, and mixed of its layers."""
        x, t, text, guidance, extra = [], [], [], [], []
        for item in group:
            for c in item.conditionings:
                for states in [c.cond] if c.uncond is None else [c.uncond, c.cond]:
                    x.append(item.trajectory.x)
                    t.append(item.trajectory.level.t)
                    text.append(states)
                    guidance.append(c.guidance_scale)
                    if item.extra is not None:
                        extra.append(item.extra)
        out = self.model.predict(torch.cat(x), t, torch.cat(text), guidance, *([torch.cat(extra)] if extra else []))
        rows = iter(torch.split(out, 1))  # each [1, C, h, w]
        return [_mixed([_guided(c, rows) for c in item.conditionings], item.conditionings) for item in group]

    def _after(self, item: _Active) -> None:
        """Finish what is done."""
        if item not in self._active or not item.trajectory.done:
            return
        try:
            if not bool(torch.isfinite(item.trajectory.x).all()):
                raise EditFailed("the network's numbers are not finite; try dtype='float32'")
            result = item.job.task.finish(self.model, item.trajectory)
        except Exception as e:
            self._end(item, as_ours(e))
        else:
            if not item.job.settle():
                self._end(item, EditCancelled("cancelled after its last step"))
                return
            self._active.remove(item)
            item.job.set_result(result)

    def _end(self, item: _Active, error: OverpaintError) -> None:
        self._active.remove(item)
        item.job.set_exception(error)

    def _preview(self, item: _Active) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
        if not item.job.preview or item.trajectory.denoised is None:
            return None
        rgb = self.model.preview(item.trajectory.denoised)  # [h, w, 3]
        return (rgb * 255 + 0.5).to(torch.uint8).cpu().numpy()


def _guided(c: Conditioning, rows: Iterator[Tensor]) -> Tensor:
    """The next one or two of a call's rows as one output [1, C, h, w]."""
    if c.uncond is None:
        return next(rows)
    uncond = next(rows)
    return guide(next(rows), uncond, c.guidance_scale, c.rescale)


def _mixed(outs: list[Tensor], conditionings: tuple[Conditioning, ...]) -> Tensor:
    """Layers by their weights. D is linear in the output, so mixing outputs mixes D."""
    if len(outs) == 1:
        return outs[0]
    mixed = torch.zeros_like(outs[0])
    for c, out in zip(conditionings, outs, strict=True):
        mixed = mixed + (out if c.weight is None else c.weight * out)
    return mixed
