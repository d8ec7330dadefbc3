"""News of jobs, from the threads that work on them to those who listen in the server's event loop."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["queued", "running", "step", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Happening:
    """What there is to tell of a job now: an event of its stream."""

    kind: Kind
    data: dict[str, Any]

    @property
    def is_last(self) -> bool:
        return self.kind in ("done", "failed", "cancelled")


class Bells:
    """A bell for each listener of a job, rung when there is something new to look up.

    A bell carries nothing: who hears it asks for the job as it is by then. So a slow listener misses what is out of
    date and nothing is ever kept for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[str, set[_Bell]] = {}

    @contextmanager
    def heard(self, id: str) -> "Iterator[asyncio.Event]":
        """In the event loop: an event that is set at every ring for this job."""
        bell = _Bell(asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._heard.setdefault(id, set()).add(bell)
        try:
            yield bell.event
        finally:
            with self._lock:
                self._heard[id].discard(bell)
                if not self._heard[id]:
                    del self._heard[id]

    def ring(self, id: str) -> None:
        """From any thread."""
        with self._lock:
            bells = list(self._heard.get(id, ()))
        for bell in bells:
            bell.ring()

    def ring_all(self) -> None:
        """From any thread: the queue has moved, or the server ends."""
        with self._lock:
            bells = [bell for some in self._heard.values() for bell in some]
        for bell in bells:
            bell.ring()


@dataclass(frozen=True, eq=False)
class _Bell:
    loop: asyncio.AbstractEventLoop
    event: asyncio.Event

    def ring(self) -> None:
        try:
            self.loop.call_soon_threadsafe(self.event.set)
        except RuntimeError:  # its loop has ended meanwhile
            return
