"""Timing several pieces of work in turns, so that all of them see the same moods of the machine."""

import time
from collections.abc import Callable, Mapping


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(work: Mapping[str, Callable[[], object]], repeat: int) -> dict[str, list[float]]:
    """Wall times of ``repeat`` runs of each, after one that warms up."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(repeat + 1):
        for name, run in work.items():
            taken = seconds(run)
            if turn:
                times[name].append(taken)
    return times
