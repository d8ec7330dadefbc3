"""What our server takes beside the network: an edit over HTTP and without a server, and the small things of HTTP."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks.serve.client import Answer, Connection, Request, get
from benchmarks.serve.entrants import Ours, wait_policy
from benchmarks.serve.loops import Loops, together
from benchmarks.serve.mix import LONG, SIDE, Wish, Wishes, mixed_tasks
from benchmarks.serve.results import Overhead, Plan
from benchmarks.serve.traffic import served
from benchmarks.speed.apart import Apart
from benchmarks.speed.entrants import ours as in_process
from benchmarks.speed.turns import seconds
from benchmarks.speed.work import ONE, edits_of_turn, square

EDITS = 5  # of each kind in a turn
POSTS = 20  # that are stored, with nobody else there
CONNECTIONS = 4
ASKING = 3.0  # seconds of asking for a job
LOOK, POST = 0.1, 0.5  # seconds between two under load
_TINY = replace(ONE, strength=0)  # gives the picture back


def measure(entrant: Ours, plan: Plan, side: int = SIDE, tell: Callable[[str], None] = print) -> Overhead:
    """In ``plan.repeat`` turns."""
    found: dict[str, list[float]] = {}
    share: list[float] = []
    for turn in range(plan.repeat):
        tell(f"turn {turn + 1} of {plan.repeat}: overhead")
        add(found, "edit_in_process", alone_in_process(entrant, side, turn))
        with served(entrant, side) as (loops, _):
            wishes = Wishes(plan.seed + turn, side)
            add(found, "edit", loops.alone(wishes.of([ONE] * EDITS, masked=0)).latencies)
            nothing = wishes.of([_TINY] * (EDITS + POSTS), masked=0)
            add(found, "without_network", asyncio.run(_each(loops, entrant, nothing[:EDITS])))
            add(found, "accepted", asyncio.run(_accepted(loops, entrant, nothing[EDITS:])))
            asked, took = asyncio.run(_asked(loops, entrant, wishes.of([_TINY], masked=0)[0]))
            add(found, "jobs", [asked])
            share.append(took)
            _under_load(found, loops, entrant, plan, wishes)
    told = {name: tuple(values) for name, values in found.items()}
    return Overhead(**told, connections=CONNECTIONS, client_share=sum(share) / len(share))


def add(found: dict[str, list[float]], name: str, values: Sequence[float]) -> None:
    found.setdefault(name, []).extend(values)


def alone_in_process(entrant: Ours, side: int, turn: int) -> list[float]:
    """``Editor.edit`` in a process of its own, to a picture in memory, after a first one that does not count."""
    base = square(side)
    build = partial(in_process, entrant.name, entrant.model, "cpu", entrant.dtype)
    with wait_policy(entrant.policy):
        apart = Apart(build)
    with apart:
        many = [edits_of_turn(base, [ONE], turn * (EDITS + 1) + i) for i in range(EDITS + 1)]
        return [seconds(partial(apart.make, edits)) for edits in many][1:]


# ---- nobody else there -----------------------------------------------------------------------------------------------


async def _timed(connection: Connection, request: Request, status: int) -> tuple[Answer, float]:
    begun = time.perf_counter()
    answer = await connection.send(request)
    took = time.perf_counter() - begun
    assert answer.status == status, f"{request.path} is answered {answer.status}: {answer.body[:500]!r}"
    return answer, took


async def _each(loops: Loops, entrant: Ours, wishes: Sequence[Wish]) -> list[float]:
    """From asking to the result."""
    async with Connection(loops.url) as connection:
        return [(await _timed(connection, entrant.request(wish), 200))[1] for wish in wishes]


async def _accepted(loops: Loops, entrant: Ours, wishes: Sequence[Wish]) -> list[float]:
    """From asking to being accepted; each is waited for before the next is asked for."""
    found = []
    async with Connection(loops.url) as connection:
        for wish in wishes:
            answer, took = await _timed(connection, entrant.request(wish, wait=False), 202)
            found.append(took)
            await ended(connection, answer.json()["id"])
    return found


async def ended(connection: Connection, id: str) -> None:
    """Until a job has ended."""
    while (await _timed(connection, get(f"/v1/jobs/{id}"), 200))[0].json()["state"] in ("queued", "running"):
        await asyncio.sleep(0.02)


async def _asked(loops: Loops, entrant: Ours, wish: Wish) -> tuple[float, float]:
    """How often a second one can look at a job that is done, and what of a core asking takes."""
    async with Connection(loops.url) as connection:
        answer, _ = await _timed(connection, entrant.request(wish, wait=False), 202)
        await ended(connection, answer.json()["id"])
    look = get(f"/v1/jobs/{answer.json()['id']}")
    count, begun, own = 0, time.perf_counter(), time.process_time()

    async def one() -> None:
        nonlocal count
        async with Connection(loops.url) as connection:
            while time.perf_counter() - begun < ASKING:
                await _timed(connection, look, 200)
                count += 1

    await together(one() for _ in range(CONNECTIONS))
    took = time.perf_counter() - begun
    return count / took, (time.process_time() - own) / took


# ---- under load ------------------------------------------------------------------------------------------------------


def _under_load(found: dict[str, list[float]], loops: Loops, entrant: Ours, plan: Plan, wishes: Wishes) -> None:
    """Others look whether it lives, and ask for edits that they cancel at once, beside a closed loop."""
    cancelled = wishes.of([LONG], masked=0)[0]
    stop = asyncio.Event()

    async def every(pause: float, one: Callable[[Connection], Coroutine[Any, Any, float]], name: str) -> None:
        async with Connection(loops.url) as connection:
            while not stop.is_set():
                add(found, name, [await one(connection)])
                await asyncio.sleep(pause)

    async def look(connection: Connection) -> float:
        return (await _timed(connection, get("/livez"), 200))[1]

    async def post(connection: Connection) -> float:
        answer, took = await _timed(connection, entrant.request(cancelled, wait=False), 202)
        await _timed(connection, Request("DELETE", f"/v1/jobs/{answer.json()['id']}"), 200)
        return took

    async def load() -> None:
        try:
            await loops.ask_closed(wishes.of(mixed_tasks(plan.edits // 2, plan.seed)), plan.clients)
        finally:
            stop.set()

    async def all_of_it() -> None:
        await together([load(), every(LOOK, look, "livez_under_load"), every(POST, post, "accepted_under_load")])

    asyncio.run(all_of_it())
