"""Who is next in the queue, fair to the owners of jobs and quick to short ones.

Between owners: the one that was given the least work so far, where an owner who comes (back) starts level with those
who wait (start-time fair queueing, Goyal, Vin and Cheng 1996, with work in network rows x pixels for length). So 500
jobs of one do not delay another's one by more than what is running.

Among an owner's own: the job with the least work, less the work that the owner was given while it waited. That is the
engine's policy too, and none starves: once as much was given to others as it needs itself, it comes before whatever
arrives later.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class _Owner:
    given: int  # work, in virtual time: comparable between owners
    taken: int = 0  # work of its own that was given to it since it last had none waiting
    waiting: list[tuple[int, int, str]] = field(default_factory=list)  # heap of (work + taken at arrival, turn, id)


class Fair:
    """The waiting jobs. For one thread, or under a lock."""

    def __init__(self) -> None:
        self._owners: dict[str, _Owner] = {}
        self._jobs: dict[str, tuple[str, int]] = {}  # id: owner, work
        self._now = 0  # virtual time: what the owner that was served last had been given before
        self._turns = 0
        self._order: list[str] | None = None

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, id: str) -> bool:
        return id in self._jobs

    def add(self, id: str, owner: str, work: int) -> None:
        """A job arrives."""
        whose = self._owners.setdefault(owner, _Owner(self._now))
        self._turns += 1
        heapq.heappush(whose.waiting, (work + whose.taken, self._turns, id))
        self._jobs[id] = owner, work
        self._order = None

    def discard(self, *ids: str) -> None:
        """Jobs are not to be run any more."""
        gone = {id: self._jobs.pop(id)[0] for id in ids if id in self._jobs}
        for owner in set(gone.values()):
            whose = self._owners[owner]
            whose.waiting = [entry for entry in whose.waiting if entry[2] not in gone]
            heapq.heapify(whose.waiting)
        self._forget_idle()
        self._order = None

    def next(self, may: Callable[[str], bool] = lambda owner: True) -> str | None:
        """Take out the job that is next, of an owner who ``may`` have one more; None if there is none."""
        waiting = ((whose, name) for name, whose in self._owners.items() if whose.waiting)
        ready = [(whose.given, whose.waiting[0][1], name) for whose, name in waiting if may(name)]
        if not ready:
            return None
        given, _, name = min(ready)
        whose = self._owners[name]
        _, _, id = heapq.heappop(whose.waiting)
        _, work = self._jobs.pop(id)
        self._now = given
        whose.given += work
        whose.taken += work
        self._forget_idle()
        self._order = None
        return id

    def order(self) -> list[str]:
        """The ids as they would be taken if nothing more came, the first first."""
        if self._order is None:
            self._order = list(_simulated(self))
        return self._order

    def _forget_idle(self) -> None:
        """An owner without waiting jobs is remembered only while it was given more than those who wait."""
        idle = [name for name, whose in self._owners.items() if not whose.waiting and whose.given <= self._now]
        for name in idle:
            del self._owners[name]


def _simulated(queue: Fair) -> list[str]:
    copy = Fair()
    copy._jobs, copy._now = dict(queue._jobs), queue._now
    copy._owners = {name: _Owner(o.given, o.taken, list(o.waiting)) for name, o in queue._owners.items()}
    found: list[str] = []
    while (id := copy.next()) is not None:
        found.append(id)
    return found
