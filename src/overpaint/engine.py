"""The engine: the one denoising loop. It advances every active edit one network call at a time, in shared calls.

    step():  choose who is next  ->  one network call  ->  advance, finish, report

One thread steps; any thread may submit, listen and cancel. What the engine runs is a ``Task``: something that can start
a ``Trajectory`` and finish it. The engine knows nothing of pictures.

Who is next is one policy: the edit with the least work left (in network rows), less the rows that others were given
while it waited. So short edits don't queue behind long ones, and none starves: once an edit has waited for as many rows
as it has left, whatever arrives later comes after it. Edits of one latent size share a call while there is room in it.
A large edit is many windows of an ordinary one's size: it takes part with as many as there is room for, a call at a
time, and is advanced when the last of them was seen; so it neither fills the memory nor holds up the others.
At most ``MAX_ACTIVE`` edits are in flight; beyond that they are taken in the order in which they came.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overpaint.errors import EditCancelled, EditFailed, OverpaintError, as_ours, is_out_of_memory
from overpaint.in_flight import Active, Turn, answers, questions
from overpaint.job import StepEvent, Task, TaskJob
from overpaint.model import DiffusionModel
from overpaint.windows import Windows

MAX_ACTIVE = 32  # edits with latents in memory; more wait in line
FINISHERS = 2  # threads that enlarge, composite and measure results while the network works on

# (rows, capacity, seconds) of a network call that did not fail: the rows that edits had in it, how many there is room
# for, and how long it took by the clock. Layers may make one edit's rows more than there is room for; the several calls
# that this takes count as one. On a GPU it is the time until the call is handed over, for the engine waits for none.
Watcher = Callable[[int, int, float], object]


class Engine:
    """Runs tasks on one model. ``submit`` from any thread; ``close`` when done (or use ``with``).

    Args:
        load: gives the model; called on the engine's thread, and waited for. OpenMP keeps a team of threads for every
            thread that ever computed something large, and once there are more of them than cores each puts its own to
            sleep between two pieces of work: a model loaded elsewhere makes edits a quarter slower on two cores.
    """

    model: DiffusionModel

    def __init__(self, load: Callable[[], DiffusionModel]) -> None:
        self._arrivals: queue.SimpleQueue[TaskJob | None] = queue.SimpleQueue()
        self._active: list[Active] = []
        self._watchers: tuple[Watcher, ...] = ()
        self._lock = threading.Lock()
        self._closed = False
        self._broken: BaseException | None = None  # what ended the thread, if it was not `close`
        self._ended = threading.Event()
        own: set[threading.Thread] = set()
        self._own_threads = own  # the engine's and those that finish
        name, enter = "overpaint-finish", lambda: own.add(threading.current_thread())
        self._finishers = ThreadPoolExecutor(FINISHERS, thread_name_prefix=name, initializer=enter)
        loaded: Future[DiffusionModel] = Future()
        threading.Thread(target=self._run, args=(load, loaded), name="overpaint-engine", daemon=True).start()
        try:
            self.model = loaded.result()
        except BaseException:  # Ctrl-C too
            self._closed = True
            self._arrivals.put(None)
            raise

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
            if self._broken is not None:
                raise self._ended_by(self._broken)
            if self._closed:
                raise EditFailed("this editor is closed; make a new one")
            for job in jobs:
                self._arrivals.put(job)
        return jobs

    def watch(self, call: Watcher) -> None:
        """Have ``call`` called on the engine's thread after each network call, from now on.

        It must be quick, and must not raise: the edits of that call would fail by it.
        """
        with self._lock:
            self._watchers += (call,)

    @property
    def alive(self) -> bool:
        """Whether tasks are still taken and run: False once closed, or after an error that ended the thread."""
        return not self._closed

    def close(self) -> None:
        """Cancel what is not done and end the thread. Safe to call again, also after an interrupted call."""
        with self._lock:
            self._closed = True
        self._arrivals.put(None)
        if threading.current_thread() not in self._own_threads:  # where an editor may be collected too
            self._ended.wait()  # not join: Python 3.11 takes a thread for ended when Ctrl-C interrupts that

    # ---- everything below runs on the engine's thread --------------------------------------------------------------

    def _run(self, load: Callable[[], DiffusionModel], loaded: "Future[DiffusionModel]") -> None:
        self._own_threads.add(threading.current_thread())
        try:
            self.model = load()
        except BaseException as e:  # whoever waits for the model is to hear of it, whatever it is
            loaded.set_exception(e)
            return
        loaded.set_result(self.model)
        try:
            while self._admit():
                self.step()
        except BaseException as e:  # a fault of ours, or an exit that somebody called for: nobody is to wait for ever
            with self._lock:
                self._closed, self._broken = True, e
            raise
        finally:
            self._end_all()
            self._finishers.shutdown()
            self._ended.set()

    def _end_all(self) -> None:
        """End what is under way and what waits; nothing more can arrive."""
        ending = [(item.job, "done") for item in self._active]
        self._active.clear()
        while not self._arrivals.empty():
            if (job := self._arrivals.get()) is not None and job.claim():
                ending.append((job, "started"))
        for job, what in ending:
            with suppress(BaseException):  # it has just ended; or what its owner wants called at its end raises
                job.set_exception(self._end_words(what))

    def _end_words(self, what: str) -> OverpaintError:
        if self._broken is not None:
            return self._ended_by(self._broken)
        return EditCancelled(f"the editor was closed before this edit was {what}")

    @staticmethod
    def _ended_by(error: BaseException) -> EditFailed:
        failed = EditFailed(f"the engine has ended by an error ({type(error).__name__}: {error}); make a new editor")
        failed.__cause__ = error
        return failed

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
            windows = started.windows or Windows.whole(started.trajectory.x)
            item = Active(job, started.trajectory, started.conditionings, windows, started.extra)
        except BaseException as e:
            job.set_exception(as_ours(e))
            if isinstance(e, Exception):  # whatever goes wrong belongs to this edit, not to the engine
                return
            raise
        self._active.append(item)
        self._after(item)  # a task may want no network call at all

    def step(self) -> None:
        """One network call for those who are next, or none if there was only cancelling to do."""
        self._drop_cancelled()
        group = self._choose()
        if not group:
            return
        self._forward(group)
        items, rows = [turn.item for turn in group], sum(turn.rows for turn in group)
        for item in self._active:
            if item not in items:
                item.waited += rows
        for item in items:
            self._after(item)

    def _drop_cancelled(self) -> None:
        for item in [i for i in self._active if i.job.cancel_asked]:
            self._end(item, EditCancelled(f"cancelled after {item.steps_taken} of {item.steps} steps"))

    def _choose(self) -> list[Turn]:
        """The first by priority, and whoever has an equal key and fits beside it, in the order of priority."""
        order = sorted(self._active, key=lambda item: item.priority)
        group: list[Turn] = []
        room = self.model.row_buckets[-1]
        for item in order:
            if not group or (item.key == group[0].item.key and item.rows <= room):
                group.append(item.turn(room))
                room -= group[-1].rows
        return group

    def _forward(self, group: list[Turn]) -> None:
        """Advance a group by one call. If it fails, each is tried alone, so that only the one at fault ends."""
        try:
            outs = answers(group, self._ask(group))
        except Exception as e:
            if is_out_of_memory(e):
                self.model.free_memory()
            smaller = _smaller(group, e)
            if not smaller:
                self._end(group[0].item, self._failure(e, group[0].item))
            for part in smaller:
                if part[0].item in self._active:  # a window before may have ended it
                    self._forward(part)
            return
        for turn, windows in zip(group, outs, strict=True):
            try:
                if (out := turn.item.take(turn, windows)) is not None:
                    self._advance(turn.item, out)
            except Exception as e:
                self._end(turn.item, as_ours(e))

    def _ask(self, group: list[Turn]) -> Tensor:
        """The network call, told to those who watch."""
        asked = questions(group)
        began = time.perf_counter()
        out = self.model.predict(*asked)
        seconds = time.perf_counter() - began
        for call in self._watchers:
            call(sum(turn.rows for turn in group), self.model.row_buckets[-1], seconds)
        return out

    def _advance(self, item: Active, out: Tensor) -> None:
        """Take the row, and say so where it ends a step."""
        trajectory = item.trajectory
        row = trajectory.rows[trajectory.position]
        if row.boundary:
            item.t = row.level.t
        trajectory.advance(self.model.denoised(trajectory.x, out, row.level))
        if trajectory.done or trajectory.rows[trajectory.position].boundary:
            item.steps_taken += 1
            item.job.tell(StepEvent(item.steps_taken, item.steps, item.t, self._preview(item)))

    def _after(self, item: Active) -> None:
        """Finish what is done: with the model here, without it on a thread of those that finish."""
        if item not in self._active or not item.trajectory.done:
            return
        try:
            if not bool(torch.isfinite(item.trajectory.x).all()):
                raise EditFailed("the network's numbers are not finite; try dtype='float32'")
            rest = item.job.task.finish(self.model, item.trajectory)
        except Exception as e:
            self._end(item, self._failure(e, item))
        else:
            try:
                self._finishers.submit(_deliver, item.job, rest)
            except RuntimeError:  # the interpreter is ending, and its pools before our thread
                _deliver(item.job, rest)
            self._active.remove(item)

    def _failure(self, e: Exception, item: Active) -> OverpaintError:
        if not is_out_of_memory(e):
            return as_ours(e)
        h, w = (side * self.model.pixels_per_cell for side in item.trajectory.x.shape[-2:])
        told = " ".join(str(e).split())
        return EditFailed(f"not enough memory for an edit at {w}x{h}; a smaller size= needs less ({told:.200})")

    def _end(self, item: Active, error: OverpaintError) -> None:
        self._active.remove(item)
        item.job.set_exception(error)

    def _preview(self, item: Active) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
        if not item.job.preview or item.trajectory.denoised is None:
            return None
        rgb = self.model.preview(item.trajectory.denoised)  # [h, w, 3]
        return (rgb * 255 + 0.5).to(torch.uint8).cpu().numpy()


def _smaller(group: list[Turn], e: Exception) -> list[list[Turn]]:
    """A call that failed as smaller ones: each edit alone, or each window where memory was short; [] if it is one."""
    if len(group) > 1:
        return [[turn] for turn in group]
    if is_out_of_memory(e) and len(group[0].windows) > 1:
        return [[Turn(group[0].item, range(i, i + 1))] for i in group[0].windows]
    return []


def _deliver(job: TaskJob, rest: Callable[[], Any]) -> None:
    """End a job with what ``rest`` makes, unless it was cancelled meanwhile."""
    try:
        result = rest()
    except BaseException as e:  # an exit too: the pool would keep it to itself, and the job wait for ever
        job.set_exception(as_ours(e))
        return
    if job.settle():
        job.set_result(result)
    else:
        job.set_exception(EditCancelled("cancelled after its last step"))
