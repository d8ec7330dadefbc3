"""Worker processes, warm and kept at their number: one whose task is late, or not over for certain, is replaced.

Used from any threads. Processes are started by one thread of the pool's own: Linux kills a child when the thread that
started it ends, and threads that serve requests come and go.
"""

import contextlib
import queue
import threading
from collections.abc import Iterator

from overpaint.errors import SandboxError
from overpaint.server import frames
from overpaint.server.worker import Crashed, Worker

_ENDING = "the server is ending"


class Pool:
    """``count`` workers, started at once in the background."""

    def __init__(self, count: int, module: str, megabytes: int, cpu_seconds: int) -> None:
        self._arguments = (module, megabytes, cpu_seconds)
        self._idle: queue.SimpleQueue[Worker | OSError | None] = queue.SimpleQueue()
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()  # False: no more
        self._alive: set[Worker] = set()
        self._changed = threading.Condition()
        self._closed = False
        for _ in range(count):
            self._wanted.put(True)
        self._keeper = threading.Thread(target=self._keep, name="overpaint-workers", daemon=True)
        self._keeper.start()

    @contextlib.contextmanager
    def worker(self) -> Iterator[Worker]:
        """One worker for one task, waiting for it. Where the task is not over for certain, it is replaced."""
        worker = self._take()
        try:
            yield worker
        except BaseException as e:
            if isinstance(e, Crashed | frames.BrokenFrame) and worker.is_well():
                self._idle.put(worker)
            else:
                self._replace(worker)
            if self._closed:
                self._end_idle()
                raise SandboxError(_ENDING) from e
            raise
        self._idle.put(worker)
        if self._closed:
            self._end_idle()

    def _take(self) -> Worker:
        while True:
            if self._closed:
                raise SandboxError(_ENDING)
            worker = self._idle.get()
            if worker is None:
                self._idle.put(None)  # for the next that waits
            elif isinstance(worker, OSError):
                self._wanted.put(True)
                raise SandboxError(f"a worker process for pictures cannot be started: {worker.strerror}") from worker
            else:
                try:
                    if worker.is_ready():
                        return worker
                except BaseException as e:
                    self._replace(worker)
                    raise SandboxError(_ENDING) if self._closed else e from None
                self._replace(worker)

    def _replace(self, worker: Worker) -> None:
        self._wanted.put(True)
        self._end(worker)

    def _end(self, worker: Worker) -> None:
        worker.close()
        with self._changed:
            self._alive.discard(worker)
            self._changed.notify_all()

    def _keep(self) -> None:
        while self._wanted.get():
            try:
                worker = Worker(*self._arguments)
            except OSError as e:
                self._idle.put(e)
                continue
            with self._changed:
                self._alive.add(worker)
            self._idle.put(worker)

    def close(self, seconds: float = 10) -> None:
        """End all of them at once, at work or not."""
        self._closed = True
        self._wanted.put(False)
        self._keeper.join()  # from here on there are no new ones
        with self._changed:
            alive = list(self._alive)
        for worker in alive:
            worker.kill()
        self._end_idle()
        with self._changed:
            self._changed.wait_for(lambda: not self._alive, seconds)  # those at work are ended by their users

    def _end_idle(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                worker = self._idle.get_nowait()
                if isinstance(worker, Worker):
                    self._end(worker)
        self._idle.put(None)  # wakes who waits
