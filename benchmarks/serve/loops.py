"""Ways of asking: one after the other, by a few who each wait for their answer, by many who come when they like."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from benchmarks.serve.client import Answer, Connection
from benchmarks.serve.entrants import Entrant, check
from benchmarks.serve.mix import Wish
from benchmarks.serve.results import Load
from benchmarks.serve.watching import cpu_seconds
from tests.live import LiveServer


class Loops:
    """On one server that is ready; every answer is checked. Raises ``AssertionError`` or ``OSError`` where one is not
    what was asked for: then nothing was measured."""

    def __init__(self, entrant: Entrant, server: LiveServer) -> None:
        self._entrant, self._server, self.url, self.pid = entrant, server, server.url, server.process.pid

    def closed(self, wishes: Sequence[Wish], clients: int) -> Load:
        """``clients`` people, each of whom asks for the next edit when the last is done."""
        return self._measured(wishes, lambda: self.ask_closed(wishes, clients))

    async def ask_closed(self, wishes: Sequence[Wish], clients: int) -> list[float]:
        """The same, with other things beside it; the seconds of each."""
        requests, seen = [self._entrant.request(wish) for wish in wishes], [0.0] * len(wishes)
        left = iter(range(len(wishes)))

        async def one() -> None:
            async with Connection(self.url) as connection:
                for i in left:
                    begun = time.perf_counter()
                    answer = await connection.send(requests[i])
                    seen[i] = time.perf_counter() - begun
                    check(self._entrant, wishes[i], answer)

        await together(one() for _ in range(clients))
        return seen

    def alone(self, wishes: Sequence[Wish]) -> Load:
        """One after the other, with nobody else there."""
        return self.closed(wishes, 1)

    def opened(self, wishes: Sequence[Wish], times: Sequence[float]) -> Load:
        """Each comes at its time, in seconds from the start, on a connection of its own. It counts from then on, also
        where this process was late in sending it."""
        return self._measured(wishes, lambda: self._ask_at(wishes, times))

    async def _ask_at(self, wishes: Sequence[Wish], times: Sequence[float]) -> list[float]:
        requests, seen = [self._entrant.request(wish) for wish in wishes], [0.0] * len(wishes)
        start = time.perf_counter()

        async def one(i: int) -> None:
            due = start + times[i]
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            async with Connection(self.url) as connection:
                answer = await connection.send(requests[i])
                seen[i] = time.perf_counter() - due
            check(self._entrant, wishes[i], answer)

        await together(one(i) for i in range(len(wishes)))
        return seen

    def dtype(self, wish: Wish) -> str:
        """In which it makes this edit."""

        async def ask() -> Answer:
            async with Connection(self.url) as connection:
                return await connection.send(self._entrant.request(wish))

        answer = asyncio.run(ask())
        check(self._entrant, wish, answer)
        return self._entrant.dtype_told(self._server, answer)

    def behind(self, first: Sequence[Wish], then: Wish, lead: float) -> float:
        """Seconds of an edit that comes ``lead`` seconds after others; returns when those are done, too."""
        seen = self.opened([*first, then], [0.0] * len(first) + [lead])
        return seen.latencies[-1]

    def _measured(self, wishes: Sequence[Wish], ask: Callable[[], Coroutine[Any, Any, list[float]]]) -> Load:
        own, theirs = time.process_time(), cpu_seconds(self.pid)
        begun = time.perf_counter()
        seen = asyncio.run(ask())
        took = time.perf_counter() - begun
        own, theirs = time.process_time() - own, cpu_seconds(self.pid) - theirs
        return Load(took, tuple(seen), sum(wish.task.rows for wish in wishes), own, theirs)


async def together(many: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them; the first error ends the others, and is raised as an ``ExceptionGroup``."""
    async with asyncio.TaskGroup() as group:
        for one in many:
            group.create_task(one)
