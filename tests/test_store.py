"""The store of jobs: on SQLite and on PostgreSQL, from many threads, from two processes, and after kill -9."""

import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from postgres import Postgres
from sqlalchemy import update

from overpaint.errors import (
    FolderInUseError,
    KeyReusedError,
    ParameterError,
    QueueFullError,
    StoreError,
    StoreFullError,
)
from overpaint.params import EditParams
from overpaint.server.database import LAYOUT, totals
from overpaint.server.files import Files
from overpaint.server.records import (
    ENDED,
    LARGEST,
    STATES,
    Asked,
    AskedLayer,
    Failure,
    JobRecord,
    Made,
    PictureRecord,
    State,
    new_id,
)
from overpaint.server.store import Store

WORKER = ROOT / "tests" / "store_worker.py"
FAILURE = Failure("edit_error", "edit_failed", "the network failed", "prompt")
MADE = Made("png", "ab" * 32, 1234, {"seed": LARGEST, "t0": 599, "warnings": ["narrow"], "fidelity": {"ssim": 0.5}})
TOLD = Asked({"prompt": "a lake", "seed": LARGEST})

BOTH = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def where(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An empty database of either kind."""
    return str(tmp_path / "jobs.sqlite") if kind == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def store(where: str, clock: Clock) -> Iterator[Store]:
    with Store(where, clock) as store:
        yield store


def job(**changes: object) -> JobRecord:
    return JobRecord(**{"asked": TOLD, **changes})  # type: ignore[arg-type]


def states(store: Store) -> list[State]:
    return [record.state for record in store.jobs_of("")]


@BOTH
def test_a_job_comes_back_as_it_went_in(store: Store, clock: Clock) -> None:
    params = EditParams(prompt='say "hé"\n\U0001f3d4', strength=0.7, seed=LARGEST, variation="3,0.25", extend="1,2,3,4")
    asked = Asked.of(
        params,
        image="0" * 64,
        map="1" * 64,
        mask="3" * 64,
        tools=("grow:8", "invert"),
        soft=True,
        layers=(AskedLayer("2" * 64, "snow", 0.3), AskedLayer("1" * 64, "ice", negative_prompt="\udc80 and \0")),
        format="webp",
        fidelity=True,
    )
    sent = job(asked=asked, owner="alice", cost=LARGEST, sweep="5" * 32, deadline=2e9 + 0.5, key="k", fingerprint="f")
    stored = store.add(sent)
    assert stored == replace(sent, number=1, created=clock.now)
    assert store.get(sent.id, "alice") == store.job(sent.id) == stored
    assert stored.asked.edit_params() == params
    assert asked.digests == store.digests() == {c * 64 for c in "0123"}
    assert store.get(sent.id, "") is None
    assert store.get(sent.id, "bob") is None
    assert store.job("no such") is None


def test_one_server_works_with_a_postgresql(postgres_url: str) -> None:
    with Store(postgres_url) as first, Store(postgres_url) as second:
        first.hold()
        first.hold()
        with pytest.raises(FolderInUseError, match="another server works with postgresql"):
            second.hold()
        first.close()
        second.hold()


@BOTH
def test_every_way_through(store: Store, clock: Clock) -> None:
    done, failed, late, gone, back = (store.add(job()).id for _ in range(5))
    clock.now += 1
    assert store.claim(done)
    assert not store.claim(done)
    clock.now += 1
    assert store.finish(done, MADE)
    told = store.job(done)
    assert told is not None
    assert (told.started, told.finished, told.made) == (clock.now - 1, clock.now, MADE)

    assert store.claim(failed)
    assert store.fail(failed, FAILURE)
    assert store.fail(late, FAILURE)  # as it waits: its deadline has passed
    for id in (failed, late):
        told = store.job(id)
        assert told is not None
        assert (told.state, told.failure, told.made) == ("failed", FAILURE, None)

    assert store.claim(back)
    assert store.put_back(back)
    told = store.job(back)
    assert told is not None
    assert (told.state, told.started, told.attempts) == ("queued", None, 0)
    assert store.claim(back)
    assert store.cancel(back, "") == "asked"
    assert not store.put_back(back)  # its owner wants it ended
    assert store.cancelled(back)

    assert not store.finish(gone, MADE)  # it does not run
    assert store.cancel(gone, "") == "cancelled"
    assert store.counts().adds_up
    assert states(store) == ["cancelled", "cancelled", "failed", "failed", "done"]


@BOTH
@pytest.mark.parametrize("end", ENDED)
def test_the_end_is_the_end(store: Store, end: State) -> None:
    id = store.add(job()).id
    store.claim(id)
    ends: dict[State, Callable[[], bool]] = {
        "done": lambda: store.finish(id, MADE),
        "failed": lambda: store.fail(id, FAILURE),
        "cancelled": lambda: store.cancelled(id),
    }
    assert ends[end]()
    ended = store.job(id)
    for move in (*ends.values(), lambda: store.claim(id), lambda: store.put_back(id)):
        assert not move()
    assert store.cancel(id, "") == "ended"
    assert store.recover().queued == 0
    assert store.job(id) == ended


@BOTH
def test_who_may_cancel_what(store: Store) -> None:
    """Queued, running, finished, unknown, another owner's: five answers."""
    waits, runs = (store.add(job(owner="alice")).id for _ in range(2))
    store.claim(runs)
    for id in (waits, runs, "no such"):
        assert store.cancel(id, "bob") == "unknown"
    assert store.cancel(waits, "alice") == "cancelled"
    assert store.cancel(waits, "alice") == "ended"
    assert store.cancel(runs, "alice") == "asked"
    told = store.job(runs)
    assert told is not None
    assert (told.state, told.cancel_asked, told.finished) == ("running", True, None)
    assert store.cancel(runs, "alice") == "asked"
    assert store.finish(runs, MADE)  # it was done before the runner saw the wish
    assert store.cancel(runs, "alice") == "ended"


@BOTH
def test_the_queue_is_bounded_and_in_order(store: Store) -> None:
    ids = [store.add(job(owner="alice"), room=4, room_of_owner=3).id for _ in range(3)]
    with pytest.raises(QueueFullError, match="3 jobs of yours are waiting") as full:
        store.add(job(owner="alice"), room=4, room_of_owner=3)
    assert full.value.of_owner
    ids.append(store.add(job(owner="bob"), room=4, room_of_owner=3).id)
    with pytest.raises(QueueFullError, match="4 jobs are waiting already") as full:
        store.add(job(owner="carol"), room=4, room_of_owner=3)
    assert not full.value.of_owner
    assert store.counts().accepted == 4

    assert [record.id for record in store.queued()] == ids
    store.claim(ids[0])
    store.add(job(owner="carol"), room=4, room_of_owner=3)


@BOTH
def test_a_sweep_is_stored_whole_or_not_at_all(store: Store) -> None:
    def sweep(key: str | None = None, fingerprint: str = "f") -> list[JobRecord]:
        id = new_id()
        first = job(owner="alice", sweep=id, key=key, fingerprint=fingerprint)
        return [first, *(job(owner="alice", sweep=id) for _ in range(2))]

    stored = store.add_all(sweep("k"), room=3, room_of_owner=3)
    assert [record.number for record in stored] == [1, 2, 3]
    assert store.sweep(stored[0].sweep or "", "alice") == stored
    assert store.sweep(stored[0].sweep or "", "bob") == []
    assert store.add_all(sweep("k")) == stored  # the key is known
    with pytest.raises(KeyReusedError):
        store.add_all(sweep("k", "g"))
    for rooms in ({"room": 5}, {"room_of_owner": 5}):
        with pytest.raises(QueueFullError, match="3 jobs"):
            store.add_all(sweep(), **rooms)
    assert store.counts().accepted == 3


@BOTH
def test_a_long_queue_is_read_in_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overpaint.server.store._PAGE", 10)
    wanted = [store.add(job()) for _ in range(40)]
    assert list(store.queued()) == wanted
    seen = []
    for record in store.queued():  # and while it is worked on
        assert store.claim(record.id)
        seen.append(record)
    assert seen == wanted


@BOTH
def test_own_jobs_newest_first(store: Store) -> None:
    ids = [store.add(job(owner=owner)).id for owner in ("a", "b") * 5]
    mine = ids[::2][::-1]

    def page(**which: object) -> list[str]:
        return [record.id for record in store.jobs_of("a", **which)]  # type: ignore[arg-type]

    assert page() == mine
    assert page(limit=2) == mine[:2]
    assert page(limit=2, before=mine[1]) == mine[2:4]
    assert page(before=ids[1]) == page(before="no such") == []  # another's, nobody's
    store.claim(mine[2])
    assert page(state="running") == [mine[2]]
    assert page(state="queued", before=mine[1]) == mine[3:]


@BOTH
def test_an_idempotency_key_is_one_job(store: Store) -> None:
    first = store.add(job(owner="alice", key="again", fingerprint="one"))
    # the seed of a request without one is drawn anew each time it comes: the same request all the same
    retried = job(owner="alice", key="again", fingerprint="one", asked=Asked({"seed": 8}))
    assert store.add(retried, room=0) == first  # nothing new waits, so it needs no room
    with pytest.raises(KeyReusedError):
        store.add(job(owner="alice", key="again", fingerprint="two"))
    store.claim(first.id)
    store.finish(first.id, MADE)
    assert store.add(retried).made == MADE
    assert store.add(job(owner="bob", key="again", fingerprint="two")).id != first.id
    assert store.add(job(owner="alice")).id != store.add(job(owner="alice")).id
    assert store.counts().accepted == 4


def test_what_is_no_job() -> None:
    for key in ("", " ", "a\n", "\0", "k" * 256, "ключ"):
        with pytest.raises(ParameterError, match="idempotency_key"):
            job(key=key)
    for undrawn in ({}, {"seed": -1}, {"seed": 3, "variation": "-1,.5"}):
        with pytest.raises(ValueError, match="drawn"):
            Asked(undrawn)
    for cost in (-1, LARGEST + 1):
        with pytest.raises(ValueError, match="cost"):
            job(cost=cost)
    with pytest.raises(ValueError, match="owner"):
        job(owner="\0")
    with pytest.raises(TypeError, match="strengths"):
        Asked({"seed": 1, "strengths": 0.5}).edit_params()


@BOTH
def test_a_restart(where: str, clock: Clock) -> None:
    """What waited waits; what ran waits again, or has failed if it never gets through; what was to end has ended."""
    with Store(where, clock) as store:
        waits, runs, unwanted, fatal = (store.add(job()).id for _ in range(4))
        before = store.job(waits)
        store.claim(runs)
        store.claim(unwanted)
        store.cancel(unwanted, "")
        store.claim(fatal)
    clock.now += 100
    for attempt in (1, 2):
        with Store(where, clock) as store:
            recovered = store.recover(most_attempts=3)
            assert (recovered.queued, recovered.failed) == ((2, 0) if attempt == 1 else (1, 0))
            assert recovered.cancelled == (attempt == 1)
            assert store.job(waits) == before
            told = store.job(fatal)
            assert told is not None
            assert (told.state, told.attempts, told.started) == ("queued", attempt, None)
            if attempt == 1:
                assert store.claim(runs)
                assert store.finish(runs, MADE)
            store.claim(fatal)
    with Store(where, clock) as store:
        assert store.recover(most_attempts=3).failed == 1
        told = store.job(fatal)
        assert told is not None
        assert told.failure is not None
        assert (told.failure.code, told.attempts, told.finished) == ("interrupted", 3, clock.now)
        assert store.recover() == store.recover()
        assert store.counts().adds_up
        assert states(store) == ["failed", "cancelled", "done", "queued"]


@BOTH
def test_forgotten_jobs_stay_counted(store: Store, clock: Clock) -> None:
    ids = [store.add(job(asked=Asked({"seed": 1}, image=f"{i}" * 64))).id for i in range(5)]
    store.claim(ids[0])
    store.finish(ids[0], MADE)
    store.cancel(ids[1], "")
    clock.now += 10
    store.fail(ids[2], FAILURE)
    store.claim(ids[3])
    before = store.counts()
    assert store.forget(clock.now - 10) == []
    assert sorted(store.forget(clock.now)) == sorted(ids[:2])
    assert store.counts() == before
    assert states(store) == ["queued", "running", "failed"]
    assert store.digests() == {f"{i}" * 64 for i in (2, 3, 4)}
    assert store.unfinished() == set(ids[3:])
    clock.now += 10**9
    assert store.forget(clock.now) == [ids[2]]  # what has not ended is never forgotten
    assert store.counts() == before
    assert store.add(job()).number == 6  # and no number comes twice


@BOTH
def test_pictures(store: Store, clock: Clock) -> None:
    sent = PictureRecord(digest="a" * 64, width=3, height=4, owner="alice", notes=("turned", "\udc80"))
    stored = store.add_picture(sent)
    assert stored == replace(sent, created=clock.now)
    assert store.picture(sent.id, "alice") == stored
    assert store.picture(sent.id, "bob") is None
    assert store.picture("no such", "alice") is None
    assert store.digests() == {"a" * 64}
    assert store.forget_pictures(clock.now) == 0
    assert store.forget_pictures(clock.now + 1) == 1
    assert store.digests() == set()


@BOTH
def test_threads_race(store: Store, where: str) -> None:
    """S21: no job runs twice, no key makes two jobs, no queue overflows, no end is followed by another."""
    crowd = 8
    other = Store(where)  # half of them go through another, as if in another process
    start = threading.Barrier(crowd)

    def together(work: Callable[[int], Any]) -> list[Any]:
        def started(i: int) -> Any:
            start.wait()
            return work(i)

        with ThreadPoolExecutor(crowd) as pool:
            return list(pool.map(started, range(crowd)))

    def add_until_full(i: int) -> int:
        for n in range(20):
            try:
                (store, other)[i % 2].add(job(owner=f"{i}"), room=30)
            except QueueFullError:
                return n
        return 20

    assert sum(together(add_until_full)) == 30
    records = list(store.queued())
    assert sorted(record.number for record in records) == list(range(1, 31))
    won = together(lambda i: [r.id for r in records if (store, other)[i % 2].claim(r.id)])
    assert sorted(id for ids in won for id in ids) == sorted(r.id for r in records)

    def end(i: int) -> list[bool]:
        """Cancel or end each; how often this thread was told that it had ended a job."""
        ways = (
            lambda r: store.finish(r.id, MADE),
            lambda r: store.fail(r.id, FAILURE),
            lambda r: store.cancelled(r.id),
        )
        if i % 4 == 3:
            return [store.cancel(r.id, r.owner) == "cancelled" for r in records]
        return [ways[i % 4](r) for r in records]

    ends = together(end)
    assert [sum(told) for told in zip(*ends, strict=True)] == [1] * 30
    same = together(lambda i: store.add(job(key="same", fingerprint="1")).id)
    assert len(set(same)) == 1
    counts = store.counts()
    assert counts.adds_up
    assert (counts.accepted, counts.queued, counts.running) == (31, 1, 0)
    other.close()


@BOTH
def test_the_sum_holds_at_every_instant(store: Store, clock: Clock) -> None:
    """S23: while jobs are added, moved, ended and forgotten, no reading of the counts is ever out by one."""
    stop = threading.Event()

    def work(seed: int) -> None:
        rng = random.Random(seed)
        while not stop.is_set():
            id = store.add(job()).id
            if rng.random() < 0.7 and store.claim(id) and rng.random() < 0.7:
                store.finish(id, MADE)
            if rng.random() < 0.2:
                store.forget(clock.now + 1)

    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(work, seed) for seed in range(3)]
        counts = [store.counts() for _ in range(150)]
        stop.set()
        for future in working:
            future.result()
    assert all(c.adds_up for c in counts)
    assert counts[-1].accepted > counts[0].accepted


@BOTH
def test_two_processes_share_a_database(where: str) -> None:
    """They open the empty database at the same time, claim the same jobs, and fill the queue."""
    command = [sys.executable, WORKER, "claim", where]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    try:
        assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 2
        with Store(where) as store:
            ids = [store.add(job()).id for _ in range(60)]
            for worker in workers:
                worker.stdin.write("go\n")
                worker.stdin.flush()
            lines = [line.split() for worker in workers for line in worker.communicate(timeout=60)[0].splitlines()]
            said = {word: [id for w, id in lines if w == word] for word in ("claimed", "same", "added")}
            assert sorted(said["claimed"]) == sorted(ids)
            assert len(said["same"]) == 2
            assert len(set(said["same"])) == 1
            assert {record.id for record in store.queued()} == {*said["same"], *said["added"]}
            counts = store.counts()
            assert counts.adds_up
            assert (counts.running, counts.queued) == (60, 31)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    assert [worker.returncode for worker in workers] == [0, 0]


# what a killed process leaves


class Chaos:
    """Processes that work in one data folder and on one database, killed one after the other."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.folder = folder
        self.url = url or str(folder / "database" / "jobs.sqlite")
        self.said: dict[str, str] = {}  # of each job the last that was said: accepted, or how it ended

    def killed(self, seed: int) -> None:
        """Run one, kill it at an instant that the seed decides, and check what there is."""
        command = [sys.executable, WORKER, "chaos", self.url, self.folder, str(seed)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(random.Random(seed).uniform(0, 0.25))
            process.kill()
            rest, errors = process.communicate()
        assert first, errors
        whole = (first + rest).rsplit("\n", 1)[0]  # what was said by halves was not said
        for line in whole.splitlines():
            word, id = line.split()
            assert self.said.get(id) in (None, "accepted"), "a job ended twice"
            self.said[id] = word
        self.check()

    def check(self) -> None:
        with Files(self.folder) as files, Store(self.url) as store:
            for word, id in ((word, id) for id, word in self.said.items()):
                record = store.job(id)
                assert record is not None, f"{id} was {word} and is lost"
                assert record.state in STATES if word == "accepted" else record.state == word
            counts = store.counts()
            assert counts.adds_up
            assert counts.accepted >= len(self.said)  # one may have been stored and not said
            store.recover()
            assert store.counts().running == 0
            for record in store.jobs_of("", limit=10**6):
                self._check_files(record, files)
            assert not list(self.folder.rglob("*.partial"))

    def _check_files(self, record: JobRecord, files: Files) -> None:
        assert record.attempts <= 3
        for digest in record.asked.digests:
            assert files.read_input(digest) is not None
        if record.made is not None:
            f = files.open_result(record.id, record.made.format)
            assert f is not None
            with f:
                assert sha256(f.read()).hexdigest() == record.made.digest


def campaign(kills: int, folder: Path, url: str | None) -> None:
    chaos = Chaos(folder, url)
    for seed in range(kills):
        chaos.killed(seed)
    assert set(chaos.said.values()) == {"accepted", *ENDED}


def test_kill_9_on_sqlite(tmp_path: Path) -> None:
    """S22"""
    campaign(5, tmp_path / "data", None)
    with sqlite3.connect(tmp_path / "data" / "database" / "jobs.sqlite") as c:
        assert c.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    c.close()


def test_kill_9_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    campaign(2, tmp_path / "data", postgres_url)


@pytest.mark.slow
@BOTH
def test_kill_9_fifty_times(kind: str, where: str, tmp_path: Path) -> None:
    campaign(50, tmp_path / "data", None if kind == "sqlite" else where)


# databases that cannot be used


@BOTH
def test_another_layout_is_refused(store: Store, where: str) -> None:
    for layout, word in ((LAYOUT + 1, "newer"), (LAYOUT - 1, "older")):
        with store._database.writing() as c:
            c.execute(update(totals).values(layout=layout))
        with pytest.raises(StoreError, match=f"{word} Overpaint: its tables have layout {layout}"):
            Store(where)


def test_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, and long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        Store(tmp_path / "text")
    with pytest.raises(StoreError, match="unable to open"):
        Store(tmp_path / "nowhere" / "jobs.sqlite")
    with pytest.raises(StoreError, match="unable to open"):
        Store(tmp_path)
    for url in (
        "mysql://root:secret@localhost/x",
        "sqlite://",
        "sqlite:///:memory:",
        "://",
        "postgresql://u:p@h:port/",
    ):
        with pytest.raises(StoreError) as refused:
            Store(url)
        assert "secret" not in str(refused.value)
    with pytest.raises(StoreError, match="cannot be used") as refused:
        Store(f"postgresql://someone:secret@/x?host={tmp_path}")
    assert "secret" not in str(refused.value)


def test_a_full_disk(tmp_path: Path) -> None:
    """What does not fit is refused whole; what was accepted is there, and there is a way on."""
    with Store(tmp_path / "jobs.sqlite") as store:
        accepted = [store.add(job()).id]

        def limit(pages: int) -> None:  # of the database file, on the one connection that the pool has
            with store._database.reading() as c:
                c.exec_driver_sql(f"PRAGMA max_page_count={pages}")

        limit(1)  # no more than there are
        big = Asked({"prompt": "x" * 20_000, "seed": 1})
        for _ in range(2):
            with pytest.raises(StoreFullError, match="full") as full:
                store.add(job(asked=big))
            assert full.value.exit_code == 4
        assert {record.id for record in store.queued()} == set(accepted)
        assert store.counts().adds_up
        assert store.counts().accepted == len(accepted)
        limit(10**6)
        accepted.append(store.add(job(asked=big)).id)
        assert {record.id for record in store.queued()} == set(accepted)


def test_a_disk_that_fails(tmp_path: Path) -> None:
    """Writes fail in earnest: the system refuses to let the database's files grow."""
    with Store(tmp_path / "jobs.sqlite") as store:
        id = store.add(job()).id
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(tmp_path / "jobs.sqlite-wal"), limits[1]))
            for _ in range(2):
                with pytest.raises(StoreError, match="cannot be used"):
                    store.claim(id)
            assert states(store) == ["queued"]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert store.claim(id)
        assert states(store) == ["running"]


def test_another_process_that_never_lets_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overpaint.server.database._PATIENCE", 0.1)
    with Store(tmp_path / "jobs.sqlite") as store:
        id = store.add(job()).id
        other = sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            store.claim(id)
        assert store.counts().queued == 1  # readers do not wait
        other.close()
        assert store.claim(id)


def test_a_commit_is_synced(tmp_path: Path) -> None:
    with Store(tmp_path / "jobs.sqlite") as store, store._database.writing() as c:
        told = {name: c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}
        assert told == {"journal_mode": "wal", "synchronous": 2}  # FULL
        assert c.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_row_that_cannot_be_read(tmp_path: Path) -> None:
    with Store(tmp_path / "jobs.sqlite") as store:
        id = store.add(job()).id
        for asked in ("", "[]", "{}", json.dumps({"params": {}, "layers": []})):
            with store._database.writing() as c:
                c.exec_driver_sql("UPDATE overpaint_jobs SET asked = ?", (asked,))
            with pytest.raises(StoreError, match=f"the job {id} in the database cannot be read"):
                store.job(id)


def test_the_database_keeps_the_laws_too(tmp_path: Path) -> None:
    """A job that has ended says when and how; nothing that goes round the store can make it otherwise."""
    with Store(tmp_path / "jobs.sqlite") as store:
        store.add(job())
        for change in ("state = 'lost'", "state = 'done'", "finished = 1", "state = 'cancelled'", "made = '{}'"):
            with pytest.raises(StoreError, match="CHECK"), store._database.writing() as c:
                c.exec_driver_sql(f"UPDATE overpaint_jobs SET {change}")


def test_postgresql_goes_down_and_comes_back(postgres_server: Postgres, postgres_url: str) -> None:
    with Store(postgres_url) as store:
        id = store.add(job()).id
        postgres_server.stop("immediate")
        try:
            for _ in range(2):
                with pytest.raises(StoreError, match="cannot be used"):
                    store.claim(id)
        finally:
            postgres_server.start()
        assert store.claim(id)
        assert states(store) == ["running"]
