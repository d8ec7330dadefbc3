"""A long time of everything that people do to a server: edits, cancels, leaving, bad input; and it is killed.

What must hold at the end: every job that was accepted is done, failed or cancelled, and each whose id was answered is
known. What a killed server did not answer may have been accepted or not.
"""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.serve.client import Answer, Connection, Request, form, get
from benchmarks.serve.entrants import Ours, fields
from benchmarks.serve.loops import together
from benchmarks.serve.mix import SAMPLERS, SIDE, Wish, Wishes
from benchmarks.serve.results import Soak
from benchmarks.serve.watching import Sample, sample
from benchmarks.speed.work import Task

PEOPLE = 6
KILLS = (1 / 6, 1 / 3)  # of the time, when the server is killed; what is left is one long life
PICTURES = 16  # that come again and again, so that what is kept for reuse does not grow for ever
SAMPLES = 150  # of the server's process, in all the time
PATIENCE = 300.0  # seconds for all that was accepted to end in
_LOOK = 0.2  # seconds between two looks at a job
_ENDED = ("done", "failed", "cancelled")
_REFUSED = (429, 503)


def soak(entrant: Ours, minutes: float, seed: int = 0, side: int = SIDE) -> Soak:
    """Of a server that is started for it."""
    with TemporaryDirectory(prefix="overpaint-soak-") as folder:
        life = _Life(entrant, Path(folder))
        try:
            return asyncio.run(_Soaking(life, minutes, seed, side).run())
        finally:
            life.server.kill()


class _Life:
    """A server that comes back on the same folder."""

    def __init__(self, entrant: Ours, folder: Path) -> None:
        self.entrant, self._folder, self.number = entrant, folder, 0
        self.server = entrant.start(folder).wait_ready()
        self.url = self.server.url

    def again(self) -> float:
        """Kill it, and start another; seconds until that is ready."""
        self.server.kill()
        begun = time.monotonic()
        self.server = self.entrant.start(self._folder)
        self.number += 1
        self.url = self.server.wait_ready().url
        return time.monotonic() - begun


@dataclass
class _Soaking:
    life: _Life
    minutes: float
    seed: int
    side: int
    ids: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    unexpected: dict[str, None] = field(default_factory=dict)  # in the order in which they came
    restarts: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    unanswered: int = 0

    async def run(self) -> Soak:
        """Until all has ended."""
        self._rng = random.Random(self.seed)
        self._pictures = Wishes(self.seed, self.side).of(self._tasks(), masked=0.5)
        self._begun = time.monotonic()
        self._up = asyncio.Event()
        self._up.set()
        await together([self._watch(), self._kill(), *(self._person() for _ in range(PEOPLE))])
        counts = await self._settle()
        return Soak(
            self.minutes,
            restarts=tuple(self.restarts),
            acknowledged=len(self.ids),
            lost=await self._lost(),
            **{name: counts[name] for name in ("accepted", *_ENDED)},
            statuses=dict(sorted(self.statuses.items())),
            unexpected=tuple(self.unexpected),
            unanswered=self.unanswered,
            samples=tuple(self.samples),
        )

    def _tasks(self) -> list[Task]:
        """Short edits: many ends in little time."""
        return [Task(4 + i % 7, 0.25 + 0.05 * i, 1 + i % 3, SAMPLERS[i % 4], i) for i in range(PICTURES)]

    @property
    def _is_over(self) -> bool:
        return time.monotonic() - self._begun > 60 * self.minutes

    # ---- people ----------------------------------------------------------------------------------------------------

    async def _person(self) -> None:
        deeds: dict[Callable[[], Awaitable[None]], int] = {
            self._fetch: 60,
            self._cancel: 15,
            self._leave: 10,
            self._be_late: 3,
            self._send_rubbish: 12,
        }
        while not self._is_over:
            (deed,) = self._rng.choices(list(deeds), list(deeds.values()))
            try:
                await deed()
            except OSError:  # it was killed
                self.unanswered += 1
                await asyncio.sleep(0.1)
                await self._up.wait()

    async def _fetch(self) -> None:
        """Ask, look until it has ended, fetch the result."""
        id = await self._asked(self._wish())
        if id is not None and await self._ended(id) == "done":
            answer = await self._send(get(f"/v1/jobs/{id}/result"), 200)
            if answer.status == 200 and answer.body[:4] != b"\x89PNG":
                self.unexpected["a result that is no PNG"] = None

    async def _cancel(self) -> None:
        id = await self._asked(self._wish())
        await asyncio.sleep(self._rng.random())
        if id is not None:
            await self._send(Request("DELETE", f"/v1/jobs/{id}"), 200, 409)

    async def _leave(self) -> None:
        """Ask for the picture, and go away before it is there."""
        async with Connection(self.life.url) as connection:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._rng.uniform(0.1, 1)):
                    await connection.send(self.life.entrant.request(self._wish()))

    async def _be_late(self) -> None:
        """Ask for it sooner than it can be made."""
        await self._asked(self._wish(), deadline=0.01)

    async def _send_rubbish(self) -> None:
        wish = self._wish()
        told = fields(wish)
        whole = form("/v1/edits", told, {"image": wish.image})
        rubbish: Sequence[tuple[Request, int]] = (
            (form("/v1/edits", told, {"image": wish.image[: len(wish.image) // 2]}), 422),
            (form("/v1/edits", told, {"image": b"no picture"}), 415),
            (form("/v1/edits", {**told, "strength": 7}, {"image": wish.image}), 422),
            (form("/v1/edits", {**told, "strenght": 0.5}, {"image": wish.image}), 422),
            (Request("POST", "/v1/edits", whole.headers, whole.body[:-200]), 400),
            (Request("POST", "/v1/edits", {"content-type": "application/json"}, b'{"image": '), 400),
            (get("/v1/jobs/none-of-this-name"), 404),
        )
        request, status = self._rng.choice(rubbish)
        await self._send(request, status)

    def _wish(self) -> Wish:
        return self._rng.choice(self._pictures)

    async def _asked(self, wish: Wish, **more: object) -> str | None:
        """The id of the job, if it was accepted."""
        files = {"image": wish.image, **({} if wish.mask is None else {"map": wish.mask})}
        answer = await self._send(form("/v1/edits", {**fields(wish), **more}, files), 202)
        if answer.status != 202:
            return None
        self.ids.append(answer.json()["id"])
        return self.ids[-1]

    async def _ended(self, id: str) -> str:
        while not self._is_over:
            answer = await self._send(get(f"/v1/jobs/{id}"), 200)
            if answer.status == 200 and (state := answer.json()["state"]) in _ENDED:
                return str(state)
            await asyncio.sleep(_LOOK)
        return "not yet"

    async def _send(self, request: Request, *expected: int) -> Answer:
        """On a new connection, as from a new person. "Not now" is always a right answer."""
        async with Connection(self.life.url) as connection:
            answer = await connection.send(request)
        self.statuses[str(answer.status)] += 1
        if answer.status not in (*expected, *_REFUSED):
            body = re.sub(r"[\w-]{16,}", "...", answer.body[:200].decode(errors="replace"))  # ids
            self.unexpected[f"{request.method} {request.path.rpartition('/')[0]}: {answer.status}, {body}"] = None
        if answer.status in _REFUSED:
            await asyncio.sleep(0.5)
        return answer

    # ---- the server ------------------------------------------------------------------------------------------------

    async def _kill(self) -> None:
        for share in KILLS:
            await asyncio.sleep(max(0.0, self._begun + 60 * self.minutes * share - time.monotonic()))
            self._up.clear()
            try:
                self.restarts.append(await asyncio.to_thread(self.life.again))
            finally:
                self._up.set()

    async def _watch(self) -> None:
        pause = max(0.2, 60 * self.minutes / SAMPLES)
        while not self._is_over:
            if self._up.is_set():
                with suppress(OSError):  # just now killed
                    seconds = time.monotonic() - self._begun
                    self.samples.append(sample(self.life.server.process.pid, seconds, self.life.number))
            await asyncio.sleep(pause)

    async def _settle(self) -> Mapping[str, int]:
        """Wait until nothing waits or runs; the counts of the database."""
        until = time.monotonic() + PATIENCE
        while True:
            answer = await self._send(get("/metrics"), 200)
            counts = counts_of(answer.body.decode())
            if not counts["queued"] + counts["running"] or time.monotonic() > until:
                return counts
            await asyncio.sleep(_LOOK)

    async def _lost(self) -> int:
        lost = 0
        for id in self.ids:
            answer = await self._send(get(f"/v1/jobs/{id}"), 200)
            told: Any = answer.json() if answer.status == 200 else {}
            lost += told.get("state") not in _ENDED
        return lost


def counts_of(metrics: str) -> dict[str, int]:
    """Jobs by what became of them, from the text of /metrics."""
    found = re.findall(r"(?m)^overpaint_jobs_([a-z]+?)(?:_total)? ([0-9.e+]+)$", metrics)
    return {name: int(float(value)) for name, value in found}
