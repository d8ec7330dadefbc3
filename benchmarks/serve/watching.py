"""What a process and its children take, as Linux tells it in /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Sample:
    """At one moment.

    Attributes:
        seconds: since watching began.
        life: which of the server's lives it was: 0, and one more after each restart.
        megabytes: resident memory of the server's own process.
        workers: of its children together.
    """

    seconds: float
    life: int
    megabytes: float
    workers: float
    files: int
    threads: int


def family(pid: int) -> list[int]:
    """A process, its children and theirs."""
    found = [pid]
    try:
        for task in (PROC / str(pid) / "task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += family(child)
    except OSError:  # it ended meanwhile
        pass
    return found


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and its children, also those that ended, have had."""
    return sum(_ticks(one) for one in family(pid)) / os.sysconf("SC_CLK_TCK")


def sample(pid: int, seconds: float, life: int) -> Sample:
    """Raises ``OSError`` if the process is gone."""
    own, *children = family(pid)
    open_files = len(os.listdir(PROC / str(own) / "fd"))
    threads = len(os.listdir(PROC / str(own) / "task"))
    return Sample(seconds, life, _megabytes(own), sum(map(_megabytes_or_0, children)), open_files, threads)


def _ticks(pid: int) -> int:
    """Its own in user and system mode, and those of its children that it has waited for."""
    try:
        after_name = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, after_name[11:15]))


def _megabytes(pid: int) -> float:
    pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _megabytes_or_0(pid: int) -> float:
    try:
        return _megabytes(pid)
    except OSError:
        return 0.0
