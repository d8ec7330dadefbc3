"""Turns for work that is done beside the jobs: a few at a time, and a bounded line of those who wait."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from overpaint.server.problems import BUSY, RETRY_QUEUE, SERVER, Problem

AT_ONCE, WAITING = 2, 16  # of each kind of work, on one server
RETRY_TURN = 1  # seconds


class Turns:
    """A few at a time, the others in the order in which they came, and no more of those than may wait."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._at_once, self._waiting = at_once, waiting
        self._taken = 0
        self._line: list[object] = []
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, seconds: float, places: int = 1) -> Iterator[None]:
        """Wait for it, and hold it: one place of ``at_once``, or several.

        Raises:
            Problem: 429, too many wait already; 503, it did not come in so many seconds.
        """
        with self._changed:
            if len(self._line) >= self._waiting:
                words = f"{len(self._line)} requests of this kind wait already"
                raise Problem(429, BUSY, "too_many_waiting", words, retry_after=RETRY_TURN)
            me = object()
            self._line.append(me)
            try:
                if not self._changed.wait_for(lambda: self._is_next(me, places), seconds):
                    raise busy(seconds)
                self._taken += places
            finally:
                self._line.remove(me)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._taken -= places
                self._changed.notify_all()

    def _is_next(self, me: object, places: int) -> bool:
        return self._line[0] is me and self._taken + places <= self._at_once


def busy(seconds: float) -> Problem:
    """What who has waited for so many seconds is told."""
    words = f"the server was too busy with other requests for {seconds:g} s"
    return Problem(503, SERVER, "busy", words, retry_after=RETRY_QUEUE)
