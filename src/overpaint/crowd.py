"""Jobs under way together: their steps and results as they come, each with the index it was submitted with."""

from collections.abc import Callable, Iterator
from queue import SimpleQueue

from overpaint.errors import OverpaintError
from overpaint.job import EditJob, StepEvent
from overpaint.result import EditResult

OnStep = Callable[[int, StepEvent], object]  # the index of a job, and a step of it


class Crowd:
    """Jobs that are waited for on one thread, which also hears of their steps if it gives ``on_step``."""

    def __init__(self, on_step: OnStep | None = None) -> None:
        self._on_step = on_step
        self._waiting: set[EditJob] = set()
        self._news: SimpleQueue[tuple[EditJob, int, StepEvent | None]] = SimpleQueue()  # a step, or (None) the end

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: EditJob, index: int) -> None:
        """Wait for one more."""
        self._waiting.add(job)
        if self._on_step is not None:
            job.listen(lambda event: self._news.put((job, index, event)))
        job.add_done_callback(lambda _: self._news.put((job, index, None)))

    def ended(self, block: bool) -> Iterator[EditResult | OverpaintError]:
        """Pass on what steps there are, and yield the jobs that have ended; ``block`` until there is one."""
        while block or not self._news.empty():
            job, index, event = self._news.get()
            if event is not None:
                if self._on_step is not None:
                    self._on_step(index, event)
                continue
            block = False
            self._waiting.discard(job)
            error = job.exception()
            if isinstance(error, OverpaintError):
                error.index = index
                yield error
            else:
                yield job.result()

    def cancel(self) -> None:
        """Cancel those that have not ended."""
        for job in self._waiting:
            job.cancel()
