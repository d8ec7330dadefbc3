"""The service beside a plain model of it: whatever clients do, and whenever it is killed, they agree.

In one process, with the real model, store, folder and workers. A kill is a database that is cut off at some write, just
before or just after it is committed, and another service on a copy of the folder as it is then.
"""

import asyncio
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from serving import picture_bytes

from overpaint.editor import Editor
from overpaint.encode import encode
from overpaint.errors import ImageError, KeyReusedError, ParameterError, StoreError
from overpaint.server.database import Database
from overpaint.server.events import Happening
from overpaint.server.files import Files
from overpaint.server.order import Order, Sent
from overpaint.server.problems import Problem
from overpaint.server.records import ENDED, Counts, JobRecord
from overpaint.server.sandbox import Sandbox
from overpaint.server.service import Service
from overpaint.server.settings import Settings
from overpaint.server.store import MOST_ATTEMPTS, Store

T = TypeVar("T")
SMALL = {"prompt": "a lake", "size": "64x64", "guidance_scale": 1.0}
EDITS: tuple[dict[str, Any], ...] = (
    {"steps": 1, "strength": 0.5, "seed": 1},
    {"steps": 2, "strength": 0.9, "seed": 2, "sampler": "euler_a"},
    {"steps": 6, "strength": 1.0, "seed": 3},
    {"steps": 3, "strength": 0.7, "seed": -1},
    {"steps": 1, "strength": 0.0, "seed": 4},
)
WRONG: tuple[dict[str, Any], ...] = ({"strength": 2.0}, {"steps": 0}, {"sampler": "none"})
OWNERS = st.sampled_from(["", "alice"])
WHICH = st.integers(0, 30)
PATIENCE = 60.0  # seconds that nothing takes


class Plug:
    """Between a store and its database. Pulled, the process is as good as gone: nothing is written or read any more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.RLock()
        self._left: int | None = None  # writes until it is pulled
        self._committed = False  # whether the last one still is
        self.pulled = False

    def pull(self) -> None:
        """Once the write that is under way is committed."""
        with self._lock:
            self.pulled = True

    def pull_later(self, writes: int, committed: bool) -> None:
        with self._lock:
            self._left, self._committed = writes, committed

    def never(self) -> None:
        with self._lock:
            self._left = None

    @contextmanager
    def writing(self) -> Iterator[Any]:
        with self._lock:
            last = self._left == 0
            if self._left:
                self._left -= 1
            if last and not self._committed:
                self.pulled = True
            self._check()
            with self._database.writing() as c:
                yield c
            if last:
                self.pulled = True
                self._check()  # it is on the disk, and nobody was told

    def reading(self) -> AbstractContextManager[Any]:
        self._check()
        return self._database.reading()

    def hold(self) -> None:
        self._database.hold()

    def close(self) -> None:
        self._database.close()

    def _check(self) -> None:
        if self.pulled:
            raise StoreError("the plug is pulled")


@dataclass
class Job:
    """What is known of a job.

    Attributes:
        given: the fields of its order.
        seen: its state, when it was last looked at in this life of the server.
        wished: somebody asked that it is cancelled.
        hurry: its deadline is soon.
        end: the record it ended with.
    """

    given: dict[str, Any]
    owner: str
    key: str | None
    hurry: bool
    seen: str = "queued"
    wished: bool = False
    end: JobRecord | None = None


class Machine(RuleBasedStateMachine):
    """Clients of one service."""

    editor: Editor
    sandbox: Sandbox
    go: threading.Event  # cleared, the engine stops before its next network call

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="overpaint-"))
        self.lives = self.kills = 0
        self.jobs: dict[str, Job] = {}
        self.unanswered: list[Job] = []
        self._open(self.root / "0")

    def _open(self, folder: Path) -> None:
        self.folder = folder
        self.lives += 1
        self.files = Files(folder)
        self.store = Store(self.files.database)
        self.plug = Plug(self.store._database)
        self.store._database = self.plug  # type: ignore[assignment]
        self.service = Service(Settings(folder=folder, in_flight=4), self.store, self.files, type(self).sandbox)
        self.service.start(type(self).editor)
        for job in self.jobs.values():
            if job.end is None:
                job.seen = "queued"  # or whatever the present life shows

    def _leave(self) -> None:
        """End the service's threads, whatever they still try."""
        type(self).go.set()
        assert self.service._runner is not None
        if self.plug.pulled:
            self.service._runner._ending.close()  # which would try again for ever what a dead process does not
        self.service.close()
        self.store.close()
        self.files.close()

    def _kill(self) -> None:
        """The server is gone, and the next finds the folder as it is."""
        self.plug.pull()
        self.kills += 1
        folder = self.root / str(self.lives)
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("*-shm", "server.lock"))
        self._leave()
        self._open(folder)
        self._find()

    def _find(self) -> None:
        """What was sent and not answered is there once or not at all."""
        for owner in ("", "alice"):
            for record in self.service.jobs(owner, state=None, limit=1000, before=None):
                if record.id in self.jobs:
                    continue
                fitting = [job for job in self.unanswered if _fits(job, record)]
                assert fitting, f"a job that nobody asked for: {record}"
                self.unanswered.remove(fitting[0])
                self.jobs[record.id] = fitting[0]
        self.unanswered.clear()

    def _ask(self, call: Callable[[], T]) -> T | Problem | None:
        """What the service answers; None where it was killed before it could."""
        try:
            return call()
        except Problem as e:
            return e
        except StoreError:
            assert self.plug.pulled
        return None

    def _id(self, which: int) -> str:
        return list(self.jobs)[which % len(self.jobs)]

    def _see(self, id: str, record: JobRecord) -> None:
        """States go one way in one life, and an end is an end."""
        job = self.jobs[id]
        if job.end is not None:
            assert record == job.end
            return
        order = ["queued", "running", *ENDED]
        assert order.index(record.state) >= order.index(job.seen)
        job.seen = record.state
        if record.state in ENDED:
            job.end = record
            self._check_end(job, record)

    def _check_end(self, job: Job, record: JobRecord) -> None:
        possible = {"done"} | ({"cancelled"} if job.wished else set())
        if record.failure is not None:
            code = record.failure.code
            assert (code == "deadline" and job.hurry) or (code == "interrupted" and self.kills >= MOST_ATTEMPTS), record
        else:
            assert record.state in possible, record

    # ---- what clients do ---------------------------------------------------------------------------------------------

    @rule(edit=st.sampled_from(EDITS), owner=OWNERS, key=st.sampled_from([None, None, "a", "b"]), hurry=st.booleans())
    def submit(self, edit: dict[str, Any], owner: str, key: str | None, hurry: bool) -> None:
        job = Job(edit, owner, key, hurry and edit["steps"] == 6)
        known = [(id, j) for id, j in self.jobs.items() if key is not None and (j.owner, j.key) == (owner, key)]
        try:
            record = self._ask(lambda: self.service.submit(_order(job), owner))
        except KeyReusedError:
            assert known
            assert (known[0][1].given, known[0][1].hurry) != (job.given, job.hurry)
            return
        if record is None:
            if not known:
                self.unanswered.append(job)
            self._kill()
            return
        assert isinstance(record, JobRecord)
        if known:
            assert record.id == known[0][0]
            assert (known[0][1].given, known[0][1].hurry) == (job.given, job.hurry)
        else:
            assert record.id not in self.jobs
            assert record.state == "queued"
            self.jobs[record.id] = job

    @rule(owner=OWNERS, count=st.integers(1, 3))
    def submit_sweep(self, owner: str, count: int) -> None:
        edits = [{**EDITS[0], "seed": 10 + i} for i in range(count)]
        jobs = [Job(edit, owner, None, False) for edit in edits]
        records = self._ask(lambda: self.service.submit_sweep(_order(jobs[0]), owner, count=count))
        if records is None:
            self.unanswered += jobs
            self._kill()
            assert sum(job.seen == "queued" for job in jobs) in (0, count)
        else:
            assert isinstance(records, list)
            self.jobs |= {record.id: job for record, job in zip(records, jobs, strict=True)}

    @rule(wrong=st.sampled_from(WRONG), owner=OWNERS)
    def submit_what_is_wrong(self, wrong: dict[str, Any], owner: str) -> None:
        with pytest.raises((ParameterError, Problem)):
            self.service.submit(replace(_order(Job(EDITS[0], owner, None, False)), params={**SMALL, **wrong}), owner)
        with pytest.raises((ImageError, Problem)):
            self.service.submit(
                replace(_order(Job(EDITS[0], owner, None, False)), image=Sent(picture_bytes()[:200])), owner
            )

    @precondition(lambda self: self.jobs)
    @rule(which=WHICH, owner=OWNERS)
    def cancel(self, which: int, owner: str) -> None:
        id = self._id(which)
        job = self.jobs[id]
        job.wished |= owner == job.owner and job.end is None
        record = self._ask(lambda: self.service.cancel(id, owner))
        if record is None:
            self._kill()
        elif isinstance(record, Problem):
            assert record.status == (404 if owner != job.owner else 409)
        else:
            assert owner == job.owner
            self._see(id, record)

    @precondition(lambda self: self.jobs)
    @rule(which=WHICH)
    def fetch(self, which: int) -> None:
        id = self._id(which)
        job = self.jobs[id]
        got = self._ask(lambda: self.service.result(id, job.owner))
        if got is None:
            self._kill()
            return
        if isinstance(got, Problem):
            assert got.status != 410  # lost
            assert job.end is None or job.end.made is None
            return
        record, data = got
        self._see(id, record)
        assert data == _by_library(type(self).editor, *sorted(_whole(job.given, record).items()))
        assert record.made is not None
        assert sha256(data).hexdigest() == record.made.digest

    @precondition(lambda self: self.jobs)
    @rule(which=WHICH)
    def watch(self, which: int) -> None:
        """To its end."""
        id = self._id(which)
        owner = self.jobs[id].owner
        type(self).go.set()

        async def watched() -> list[Happening]:
            return [happening async for happening in self.service.watch(id, owner)]

        async def in_time() -> list[Happening]:
            return await asyncio.wait_for(watched(), 1 if self.plug.pulled else 10)

        try:
            seen = self._ask(lambda: asyncio.run(in_time()))
        except TimeoutError:
            assert self.plug.pulled
            seen = None
        if seen is None:
            self._kill()
            return
        assert isinstance(seen, list)
        assert seen[-1].is_last
        assert seen[-1].kind == self.service.job(id, owner).state

    # ---- what happens to the server ----------------------------------------------------------------------------------

    @rule()
    def pause(self) -> None:
        """The network takes long from now on."""
        type(self).go.clear()

    @rule()
    def unpause(self) -> None:
        type(self).go.set()

    @rule(seconds=st.sampled_from([0.01, 0.1]))
    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    @rule()
    def kill(self) -> None:
        self._kill()

    @rule(writes=st.integers(0, 5), committed=st.booleans())
    def kill_soon(self, writes: int, committed: bool) -> None:
        self.plug.pull_later(writes, committed)

    @rule(seconds=st.sampled_from([0.0, 0.05]))
    def restart(self, seconds: float) -> None:
        with suppress(StoreError):
            self.service.drain(seconds)
        if self.plug.pulled:
            self._kill()
            return
        self.plug.never()
        self._leave()
        self._open(self.folder)

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "service"):
            return
        counts = self._ask(self.store.counts)
        records = self._ask(lambda: {id: self.service.job(id, job.owner) for id, job in self.jobs.items()})
        if counts is None or records is None:
            self._kill()
            return
        assert isinstance(counts, Counts)
        assert isinstance(records, dict)
        assert counts.adds_up
        assert counts.accepted == len(self.jobs)
        for id, record in records.items():
            self._see(id, record)

    def teardown(self) -> None:
        if not hasattr(self, "service"):
            return
        type(self).go.set()
        try:
            until = time.monotonic() + PATIENCE
            while any(job.end is None for job in self.jobs.values()):
                assert time.monotonic() < until, [job for job in self.jobs.values() if job.end is None]
                time.sleep(0.02)
                self.agree()
            for which in range(len(self.jobs)):
                self.fetch(which)
            self.agree()
            counts = self.store.counts()
            ends = [job.seen for job in self.jobs.values()]
            assert (counts.done, counts.failed, counts.cancelled) == tuple(ends.count(state) for state in ENDED)
        finally:
            self._leave()
        kept = [path.name for sub in ("inputs", "results") for path in (self.folder / sub).iterdir()]
        assert not [name for name in kept if name.endswith(".partial")]
        shutil.rmtree(self.root)


def _order(job: Job) -> Order:
    image = Sent(picture_bytes())
    return Order(params={**SMALL, **job.given}, image=image, key=job.key, deadline_seconds=0.2 if job.hurry else None)


def _fits(job: Job, record: JobRecord) -> bool:
    same = _whole(job.given, record) == {n: record.asked.params[n] for n in {*SMALL, *job.given}}
    return same and (job.owner, job.key) == (record.owner, record.key)


def _whole(given: dict[str, Any], record: JobRecord) -> dict[str, Any]:
    """With the seed that was drawn."""
    seed = given["seed"] if given["seed"] >= 0 else record.asked.params["seed"]
    return {**SMALL, **given, "seed": seed}


@cache
def _by_library(editor: Editor, *params: tuple[str, Any]) -> bytes:
    result = editor.edit(picture_bytes(), **dict(params))
    return encode(result.pixels, "PNG", [result.recipe])


def run(editor: Editor, examples: int, steps: int) -> None:
    go, predict = threading.Event(), editor.model.predict
    go.set()

    def held(*asked: Any) -> Any:
        go.wait(PATIENCE)
        return predict(*asked)

    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    told = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=slow)
    _by_library.cache_clear()
    with pytest.MonkeyPatch.context() as patch, Sandbox(2) as sandbox:
        for edit in EDITS:
            if edit["seed"] >= 0:
                _by_library(editor, *sorted({**SMALL, **edit}.items()))
        patch.setattr(editor.model, "predict", held)
        machine = type("Machine", (Machine,), {"editor": editor, "sandbox": sandbox, "go": go})
        try:
            run_state_machine_as_test(machine, settings=told)
        finally:
            go.set()


@pytest.mark.case("S22", "S23")
def test_the_service_agrees_with_the_model(editor: Editor) -> None:
    run(editor, examples=15, steps=25)


@pytest.mark.slow
@pytest.mark.case("S22", "S23")
def test_they_agree_for_long(editor: Editor) -> None:
    run(editor, examples=150, steps=40)
