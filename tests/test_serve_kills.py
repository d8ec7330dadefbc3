"""A real server is killed again and again while clients send it mixed traffic. What it said it had taken, it does."""

import contextlib
import hashlib
import json
import random
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from connected import jobs_told, wait_until
from live import Answer, LiveServer
from traffic import ACCEPTED, LOST, Wish, traffic

from overpaint.editor import Editor
from overpaint.server.records import ENDED

CLIENTS = 3
SECONDS = 300.0  # until all that is left is done, however busy the machine is
KEPT = re.compile(r"[0-9a-f]{64}|[0-9a-f]{32}\.(png|jpeg|webp)")  # names of whole files
OFTEN = 3  # a job that was interrupted so often is given up


@dataclass
class Job:
    """What a client knows of a job that was accepted."""

    wish: Wish
    id: str
    life: int  # of the server, in which it was
    promised: bool = False  # that it is cancelled
    end: dict[str, Any] | None = None  # as it was first seen ended


@dataclass
class Campaign:
    """Clients and one data folder; servers come and go.

    Attributes:
        options: of all servers.
        most_steps: of one edit.
        faults: what must not have happened.
    """

    folder: Path
    seed: int
    options: tuple[str, ...]
    most_steps: int = 30
    jobs: dict[str, Job] = field(default_factory=dict)  # by idempotency key
    faults: list[str] = field(default_factory=list)
    lives: int = 0
    killed_busy: int = 0  # servers that were killed while jobs of theirs had not ended

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self._fresh = traffic(self.seed, most_steps=self.most_steps)
        self._open: list[Wish] = []  # sent, and never answered
        self._answered = 0
        self._lock = threading.Lock()

    def run(self, kills: int, most: int) -> None:
        """So many lives that are cut off, each some instant after 1 to ``most`` requests were answered."""
        for _ in range(kills):
            with self._server() as server:
                if self.rng.random() < 0.2:  # as it starts, or takes up what was left
                    time.sleep(self.rng.uniform(0, 6))
                else:
                    server.wait_ready()
                    with self._clients(server):
                        enough = self._answered + self.rng.randint(1, most)
                        wait_until(lambda enough=enough: self._answered >= enough or self.faults, every=0.001)
                        time.sleep(self.rng.uniform(0, 0.2))
                        self._kill(server)
        assert self.faults == []

    def _kill(self, server: LiveServer) -> None:
        with contextlib.suppress(*LOST):
            told = jobs_told(server)
            self.killed_busy += told["queued"] + told["running"] > 0
        server.kill()

    @contextlib.contextmanager
    def _server(self) -> Iterator[LiveServer]:
        self.lives += 1
        with LiveServer(self.folder, *self.options) as server:
            yield server

    @contextlib.contextmanager
    def _clients(self, server: LiveServer) -> Iterator[None]:
        over = threading.Event()
        seeds = [self.rng.random() for _ in range(CLIENTS)]
        threads = [threading.Thread(target=self._client, args=(server, over, random.Random(s))) for s in seeds]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    # ---- one client --------------------------------------------------------------------------------------------------

    def _client(self, server: LiveServer, over: threading.Event, rng: random.Random) -> None:
        """Sends one request after another, and looks at a job in between, until the server is gone."""
        try:
            while not over.is_set():
                self.send(server, self._next(rng))
                self._look(server, rng)
                over.wait(rng.expovariate(20))
        except LOST:
            return
        except Exception as e:
            self.faults.append(f"a client: {e!r}")

    def _next(self, rng: random.Random) -> Wish:
        with self._lock:
            if self._open and rng.random() < 0.5:
                return self._open.pop()
            if self.jobs and rng.random() < 0.1:
                return self.jobs[rng.choice(list(self.jobs))].wish
            return next(self._fresh)

    def send(self, server: LiveServer, wish: Wish) -> None:
        """Until it is answered; what is not answered is sent again later. Raises what ``LOST`` has."""
        try:
            answer = server.ask("/v1/edits", wish.body(), wish.headers())
        except LOST:
            with self._lock:
                self._open.append(wish)
            raise
        with self._lock:
            self._answered += 1
        if answer.status != wish.status:
            self.faults.append(f"{answer.status} for {wish}: {answer.body[:300]!r}")
        elif answer.status == ACCEPTED:
            self._accepted(server, wish, answer)
        elif wish.key in self.jobs:
            self.faults.append(f"accepted and refused: {wish}")

    def _accepted(self, server: LiveServer, wish: Wish, answer: Answer) -> None:
        told = answer.json()
        with self._lock:
            job = self.jobs.setdefault(wish.key, Job(wish, told["id"], self.lives))
        if job.id != told["id"]:
            self.faults.append(f"two jobs of one key: {wish}")
        self._seen(job, told)
        if wish.given_up_after is not None and told["state"] not in ENDED:
            time.sleep(wish.given_up_after)
            self._cancel(server, job)

    def _cancel(self, server: LiveServer, job: Job) -> None:
        answer = server.ask(f"/v1/jobs/{job.id}", method="DELETE")
        if answer.status == 200:
            self._seen(job, answer.json())
            job.promised |= answer.json()["state"] == "cancelled"
        elif answer.status != 409:
            self.faults.append(f"{answer.status} for a cancel of {job}")

    def _look(self, server: LiveServer, rng: random.Random) -> None:
        with self._lock:
            jobs = list(self.jobs.values())
        if jobs:
            self.look(server, rng.choice(jobs))

    def look(self, server: LiveServer, job: Job) -> dict[str, Any]:
        """The job as the server tells it now."""
        answer = server.ask(f"/v1/jobs/{job.id}")
        if answer.status != 200:
            self.faults.append(f"{answer.status} for {job}: lost")
            return {"state": "lost"}
        told = answer.json()
        self._seen(job, told)
        return dict(told)

    def _seen(self, job: Job, told: dict[str, Any]) -> None:
        """A job that has ended stays as it ended, whatever happens to the server. Nothing but time moves it on."""
        if told["state"] not in ENDED:
            if job.end is not None:
                self.faults.append(f"it had ended: {job}, and is {told['state']}")
            return
        shown = {name: told[name] for name in ("id", "state", "finished", "seed", "facts", "error", "result")}
        with self._lock:
            first = job.end = job.end or shown
        if shown != first:
            self.faults.append(f"it ended twice: {first}, {shown}")

    # ---- at the end --------------------------------------------------------------------------------------------------

    def settle(self, editor: Editor, checked: int) -> None:
        """One more server, which does all that was left; then everything is looked at.

        Args:
            checked: how many results are made by the library again.
        """
        with self._server() as server:
            server.wait_ready()
            while self._open:
                self.send(server, self._open.pop())
            wait_until(
                lambda: all(self.look(server, job)["state"] in (*ENDED, "lost") for job in self._unended()),
                SECONDS,
                every=0.1,
            )
            assert self.faults == []
            self._check_ends()
            self._check_counts(server)
            for job in list(self.jobs.values()):
                self.send(server, job.wish)  # with its key, which gives the same job
            assert self.faults == []
            done = [job for job in self.jobs.values() if job.end and job.end["state"] == "done"]
            results = {job.id: self._result(server, job) for job in done}
        self._check_folder()
        assert len(done) >= checked, "too few for a test"
        for job in self.rng.sample(done, checked):
            assert results[job.id] == job.wish.by_library(editor), job

    def _unended(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.end is None]

    def _check_ends(self) -> None:
        for job in self.jobs.values():
            assert job.end is not None
            state, error = job.end["state"], job.end["error"]
            if job.promised:
                assert state == "cancelled", job
            if job.wish.given_up_after is None:
                assert state != "cancelled", job
            if state == "failed":
                assert error["code"] == "interrupted", job
                assert self.lives - job.life >= OFTEN, job

    def _check_counts(self, server: LiveServer) -> None:
        told = jobs_told(server)
        ends = [job.end["state"] for job in self.jobs.values() if job.end]
        wanted = {state: ends.count(state) for state in ENDED}
        assert told == {"accepted": len(ends), "queued": 0, "running": 0, **wanted}
        assert len({job.id for job in self.jobs.values()}) == len(self.jobs)

    def _result(self, server: LiveServer, job: Job) -> bytes:
        answer = server.ask(f"/v1/jobs/{job.id}/result")
        assert answer.status == 200, job
        assert answer.headers["etag"] == f'"{hashlib.sha256(answer.body).hexdigest()}"'
        return answer.body

    def _check_folder(self) -> None:
        """Whole files, none of a stranger's, and no result is missing."""
        kept = {path.name for sub in ("inputs", "results") for path in (self.folder / "data" / sub).iterdir()}
        assert [name for name in kept if not KEPT.fullmatch(name)] == []
        results = {name.partition(".")[0] for name in kept if "." in name}
        assert results <= {job.id for job in self.jobs.values()}
        assert results >= {job.id for job in self.jobs.values() if job.end and job.end["state"] == "done"}


def campaign(
    folder: Path, editor: Editor, *, seed: int, kills: int, most: int, most_steps: int = 30, database: str = ""
) -> None:
    # as many threads as in this process: the bytes of a result depend on that
    options = ["--device", "cpu", "--dtype", "float32", "--threads", str(torch.get_num_threads()), "--no-warm-up"]
    told = Campaign(folder, seed, (*options, *(["--database", database] if database else [])), most_steps)
    told.run(kills, most)
    told.settle(editor, checked=6)
    ends = [job.end["state"] for job in told.jobs.values() if job.end]
    counts = {state: ends.count(state) for state in ENDED}
    print(json.dumps({"jobs": len(told.jobs), **counts, "kills": kills, "of busy servers": told.killed_busy}))
    assert told.killed_busy > 0


@pytest.mark.case("S22", "S23")
def test_killed_five_times(tmp_path: Path, editor: Editor) -> None:
    campaign(tmp_path, editor, seed=1, kills=5, most=20, most_steps=20)


@pytest.mark.case("S22")
def test_killed_with_postgresql(tmp_path: Path, editor: Editor, postgres_url: str) -> None:
    campaign(tmp_path, editor, seed=2, kills=2, most=12, most_steps=12, database=postgres_url)


@pytest.mark.slow
@pytest.mark.case("S22", "S23")
@pytest.mark.parametrize("seed", [3, 4])
def test_killed_fifty_times(tmp_path: Path, editor: Editor, seed: int) -> None:
    campaign(tmp_path, editor, seed=seed, kills=25, most=80)


@pytest.mark.slow
@pytest.mark.case("S22", "S23")
def test_killed_often_with_postgresql(tmp_path: Path, editor: Editor, postgres_url: str) -> None:
    campaign(tmp_path, editor, seed=5, kills=15, most=80, database=postgres_url)
