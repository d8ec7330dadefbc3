"""Which jobs belong to which call of a client that speaks AUTOMATIC1111's API, where jobs have no names.

There "progress" and "interrupt" mean whatever runs; here they mean the caller's own. Who a caller is, is told by the
API key; without keys by the address that the request came from.
"""

import itertools
from collections import OrderedDict
from dataclasses import dataclass, field

from fastapi import Request

from overpaint.server.context import owner_of
from overpaint.server.records import new_id

_KEPT = 100  # finished tasks of all callers, by whose names may still be asked
MOST_NAME = 200  # characters of a task's name


@dataclass(eq=False)
class Task:
    """One call: its jobs, in the order of their pictures; none as long as the request is taken in."""

    id: str
    caller: str
    jobs: list[str] = field(default_factory=list)
    interrupted: bool = False
    finished: bool = False
    number: int = 0


class Tasks:
    """The calls of all callers. For the event loop's thread alone."""

    def __init__(self) -> None:
        self._open: list[Task] = []
        self._finished: OrderedDict[tuple[str, str], Task] = OrderedDict()
        self._count = itertools.count(1)

    def begin(self, caller: str, id: str | None) -> Task:
        """A call has come, by whatever name it asked for."""
        task = Task(id or f"task({new_id()})", caller, number=next(self._count))
        self._open.append(task)
        return task

    def end(self, task: Task) -> None:
        """It is answered, or its client has gone away."""
        task.finished = True
        self._open.remove(task)
        self._finished[task.caller, task.id] = task
        while len(self._finished) > _KEPT:
            self._finished.popitem(last=False)

    def of(self, caller: str) -> list[Task]:
        """The calls of a caller that are not answered yet, oldest first."""
        return [task for task in self._open if task.caller == caller]

    def find(self, caller: str, id: str) -> Task | None:
        """The caller's task of this name: one that is open before one that is finished."""
        return next((task for task in self.of(caller) if task.id == id), self._finished.get((caller, id)))


def tasks_of(request: Request) -> Tasks:
    """Those of the app that a request came to."""
    tasks: Tasks = request.app.state.tasks
    return tasks


def caller_of(request: Request) -> str:
    """Whose calls they are."""
    host = request.client.host if request.client else ""
    return owner_of(request) or f"from {host}"
