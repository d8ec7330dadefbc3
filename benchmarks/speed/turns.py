"""Measuring several competitors in turns, so that all of them see the same moods of the machine."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

Measured = TypeVar("Measured")
Prepare = Callable[[int], Callable[[], object]]  # makes the work of a turn ready, untimed, and returns it


@dataclass(frozen=True)
class Turns:
    """How often everybody is measured: ``repeat`` turns, after ``warm_up`` ones that don't count."""

    repeat: int = 5
    warm_up: int = 1

    def of(self, measures: Mapping[str, Callable[[int], Measured]]) -> dict[str, list[Measured]]:
        """What each one measured in the turns that count. Each is called with the turn's number, 0, 1, ..."""
        found: dict[str, list[Measured]] = {name: [] for name in measures}
        for turn in range(self.warm_up + self.repeat):
            for name, measure in measures.items():
                measured = measure(turn)
                if turn >= self.warm_up:
                    found[name].append(measured)
        return found


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def timed(prepare: Prepare) -> Callable[[int], float]:
    """A measure for ``Turns``: the wall time of a turn's work, without making it ready."""
    return lambda turn: seconds(prepare(turn))
