"""The store beside a plain model of it: whatever is done in whatever order, killed servers included, they agree."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from postgres import Postgres

from overpaint.errors import KeyReusedError, QueueFullError
from overpaint.server.records import ENDED, Asked, Cancelling, Counts, Failure, JobRecord, Made, State
from overpaint.server.store import Store

MOST_ATTEMPTS = 3
OWNERS = st.sampled_from(["", "alice"])
WHICH = st.integers(0, 30)  # of the jobs there are; some have been forgotten
FAILURE = Failure("edit_error", "edit_failed", "the network failed")


class Machine(RuleBasedStateMachine):
    """Jobs as a dict; a crash keeps what is on the disk and nothing else."""

    open: Callable[[], "Database"]

    @initialize()
    def begin(self) -> None:
        self.now = 1000.0
        self.database = type(self).open()
        self.store = self._opened()
        self.jobs: dict[str, JobRecord] = {}
        self.ids: list[str] = []  # of all that ever were
        self.forgotten = dict.fromkeys(ENDED, 0)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.database.remove()

    def _opened(self) -> Store:
        return Store(self.database.where, lambda: self.now)

    def _id(self, which: int) -> str:
        return self.ids[which % len(self.ids)]

    def _move(self, id: str, before: set[State], **after: Any) -> bool:
        """What a transition comes to, in the model."""
        job = self.jobs.get(id)
        if job is None or job.state not in before:
            return False
        self.jobs[id] = replace(job, **after)
        return True

    @rule(owner=OWNERS, key=st.sampled_from([None, "a", "b"]), print=st.sampled_from("xy"))
    def submit(self, owner: str, key: str | None, print: str) -> None:
        asked = Asked({"seed": len(self.ids)}, image=f"{len(self.ids) % 3}" * 64)
        sent = JobRecord(asked=asked, owner=owner, key=key, fingerprint=print)
        known = [j for j in self.jobs.values() if key is not None and (j.owner, j.key) == (owner, key)]
        waiting = sum(j.state == "queued" for j in self.jobs.values())
        try:
            got = self.store.add(sent, room=4)
        except KeyReusedError:
            assert known
            assert known[0].fingerprint != print
        except QueueFullError:
            assert not known
            assert waiting >= 4
        else:
            if known:
                assert known[0].fingerprint == print
                assert got == known[0]
            else:
                assert waiting < 4
                assert got == replace(sent, number=len(self.ids) + 1, created=self.now)
                self.ids.append(got.id)
                self.jobs[got.id] = got

    @precondition(lambda self: self.ids)
    @rule(which=WHICH)
    def claim(self, which: int) -> None:
        id = self._id(which)
        assert self.store.claim(id) == self._move(id, {"queued"}, state="running", started=self.now)

    @precondition(lambda self: self.ids)
    @rule(which=WHICH)
    def finish(self, which: int) -> None:
        id = self._id(which)
        made = Made("png", "0" * 64, 10, {"seed": which})
        wanted = self._move(id, {"running"}, state="done", finished=self.now, made=made)
        assert self.store.finish(id, made) == wanted

    @precondition(lambda self: self.ids)
    @rule(which=WHICH)
    def fail(self, which: int) -> None:
        id = self._id(which)
        wanted = self._move(id, {"queued", "running"}, state="failed", finished=self.now, failure=FAILURE)
        assert self.store.fail(id, FAILURE) == wanted

    @precondition(lambda self: self.ids)
    @rule(which=WHICH)
    def let_go(self, which: int) -> None:
        id = self._id(which)
        wanted = self._move(id, {"queued", "running"}, state="cancelled", finished=self.now)
        assert self.store.cancelled(id) == wanted

    @precondition(lambda self: self.ids)
    @rule(which=WHICH)
    def put_back(self, which: int) -> None:
        id = self._id(which)
        wished = id in self.jobs and self.jobs[id].cancel_asked
        wanted = not wished and self._move(id, {"running"}, state="queued", started=None)
        assert self.store.put_back(id) == wanted

    @precondition(lambda self: self.ids)
    @rule(which=WHICH, owner=OWNERS)
    def cancel(self, which: int, owner: str) -> None:
        id = self._id(which)
        wanted: Cancelling = "ended"
        if id not in self.jobs or self.jobs[id].owner != owner:
            wanted = "unknown"
        elif self._move(id, {"queued"}, state="cancelled", finished=self.now, cancel_asked=True):
            wanted = "cancelled"
        elif self._move(id, {"running"}, cancel_asked=True):
            wanted = "asked"
        assert self.store.cancel(id, owner) == wanted

    @rule(seconds=st.sampled_from([1, 100]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def forget(self) -> None:
        gone = [j for j in self.jobs.values() if j.finished is not None and j.finished < self.now - 50]
        assert set(self.store.forget(self.now - 50)) == {j.id for j in gone}
        for job in gone:
            self.forgotten[job.state] += 1
            del self.jobs[job.id]

    @rule()
    def restart(self) -> None:
        self.store.close()
        self._start_again()

    @rule()
    def crash(self) -> None:
        """The server is no more; another finds the database's files as they are at this instant."""
        before = self.store
        self.database.crash()
        self._start_again()
        before.close()

    def _start_again(self) -> None:
        self.store = self._opened()
        recovered = self.store.recover(MOST_ATTEMPTS)
        cancelled = failed = queued = 0
        for job in [j for j in self.jobs.values() if j.state == "running"]:
            if job.cancel_asked:
                cancelled += self._move(job.id, {"running"}, state="cancelled", finished=self.now)
            elif job.attempts + 1 >= MOST_ATTEMPTS:
                told = self.store.job(job.id)
                assert told is not None
                after = {"failure": told.failure, "attempts": MOST_ATTEMPTS}
                failed += self._move(job.id, {"running"}, state="failed", finished=self.now, **after)
            else:
                after = {"attempts": job.attempts + 1, "started": None}
                queued += self._move(job.id, {"running"}, state="queued", **after)
        assert (recovered.queued, recovered.failed, recovered.cancelled) == (queued, failed, cancelled)

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "store"):
            return
        jobs = list(self.jobs.values())
        for owner in ("", "alice"):
            assert self.store.jobs_of(owner, limit=1000) == [j for j in reversed(jobs) if j.owner == owner]
        now = {s: sum(j.state == s for j in jobs) for s in ("queued", "running")}
        ended = {s: sum(j.state == s for j in jobs) + self.forgotten[s] for s in ENDED}
        counts = self.store.counts()
        assert counts == Counts(len(self.ids), **now, **ended)
        assert counts.adds_up
        queue = sorted((j for j in jobs if j.state == "queued"), key=lambda j: j.number)
        assert list(self.store.queued()) == queue
        assert self.store.digests() == {d for j in jobs for d in j.asked.digests}
        assert self.store.unfinished() == {j.id for j in jobs if j.state not in ENDED}


class Database:
    """An empty SQLite database in a folder that is copied as it is, while it is open, for a crash."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="overpaint-"))
        self._lives = 0

    @property
    def where(self) -> str:
        return str(self._folder / f"{self._lives}.sqlite")

    def crash(self) -> None:
        before = self._lives
        self._lives += 1
        for file in self._folder.glob(f"{before}.sqlite*"):
            if not file.name.endswith("-shm"):  # memory that the processes share; it ends with them
                shutil.copy(file, self._folder / file.name.replace(str(before), str(self._lives), 1))

    def remove(self) -> None:
        shutil.rmtree(self._folder)


class PostgresDatabase(Database):
    """PostgreSQL's own crashes are its own matter: here only the program that uses it goes away."""

    def __init__(self, server: Postgres) -> None:
        self._url = server.database()

    @property
    def where(self) -> str:
        return self._url

    def crash(self) -> None:
        pass

    def remove(self) -> None:
        pass


def run(open: Callable[[], Database], examples: int) -> None:
    machine = type("Machine", (Machine,), {"open": staticmethod(open)})
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=slow),
    )


def test_sqlite_agrees_with_the_model() -> None:
    run(Database, 12)


def test_postgresql_agrees_with_the_model(postgres_server: Postgres) -> None:
    run(lambda: PostgresDatabase(postgres_server), 6)


@pytest.mark.slow
def test_they_agree_for_long(postgres_server: Postgres) -> None:
    run(Database, 120)
    run(lambda: PostgresDatabase(postgres_server), 60)
