"""What clients do to one another, over real connections: they fill the queue, go away, are killed, come in crowds."""

import hashlib
import itertools
import json
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from connected import PATIENCE, QUICK, in_base64, jobs_told, served, wait_until
from live import LiveServer
from traffic import ACCEPTED, LOST, Wish, picture, traffic

from overpaint.editor import Editor
from overpaint.params import SAMPLERS
from overpaint.server.records import ENDED

LONG = {**QUICK, "strength": 1.0, "steps": 900, "repeat": 20}  # minutes
OPTIONS = ("--device", "cpu", "--dtype", "float32", "--threads", "1", "--no-warm-up")


# ---- the model, watched and held ----------------------------------------------------------------------------------


@dataclass
class Engine:
    """What the network is asked, and a gate before it.

    Attributes:
        rows: of each network call, as it begins.
    """

    rows: list[int] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    def calls_of(self, rows: int) -> int:
        """How many had so many rows: one for each edit without guidance, two for one with it, and two at most."""
        return self.rows.count(rows)


@pytest.fixture
def engine(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    told, predict = Engine(), editor.model.predict
    told.go.set()

    def watched(x: torch.Tensor, *rest: Any) -> Any:
        told.rows.append(len(x))
        told.go.wait(PATIENCE)
        return predict(x, *rest)

    monkeypatch.setattr(editor.model, "predict", watched)
    yield told
    told.go.set()


def _leave(connection: socket.socket, how: str) -> None:
    if how == "resets":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# ---- a full queue, and clients that go away --------------------------------------------------------------------------


@pytest.mark.case("S01", "S02")
def test_who_wants_a_stream_hears_of_a_full_queue_too(tmp_path: Path, editor: Editor, engine: Engine) -> None:
    with served(tmp_path, editor, in_flight=1, queue=2) as server:
        engine.go.clear()
        running = server.submit()
        wait_until(lambda: server.job(running).state == "running")
        waiting = [server.submit(seed=i) for i in range(2)]
        ways: list[dict[str, str]] = [{}, {"accept": "text/event-stream"}, {"accept": "image/png"}]
        for wait, headers in itertools.product((False, True), ways):
            began = time.monotonic()
            answer = server.ask("/v1/edits", {**QUICK, "image": in_base64(picture(0)), "wait": wait}, **headers)
            assert time.monotonic() - began < 0.5  # ten times what it may take
            assert answer.status == 429
            assert answer.headers["content-type"] == "application/json"
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["error"]["code"] == "queue_full"
        assert server.ask("/v1/jobs/" + "0" * 32 + "/events").status == 404
        engine.go.set()
        assert [server.ended(id).state for id in (running, *waiting)] == ["done"] * 3
        for i in range(4):  # one after the other there is always room
            assert server.ask("/v1/edits", {**QUICK, "strength": 1, "seed": i, "wait": True}).status == 200


@pytest.mark.case("S05")
@pytest.mark.parametrize("how", ["closes", "resets"])
def test_who_goes_away_in_the_queue_never_reaches_the_model(
    tmp_path: Path, editor: Editor, engine: Engine, how: str
) -> None:
    with served(tmp_path, editor, in_flight=1) as server:
        engine.go.clear()
        running = server.submit()
        wait_until(lambda: server.job(running).state == "running")
        connection, id = server.waiting(guidance_scale=1.0)
        assert server.job(id).state == "queued"
        _leave(connection, how)
        job = server.ended(id)
        engine.go.set()
        assert (job.state, job.started) == ("cancelled", None)
        assert server.ended(running).state == "done"
        assert server.ended(server.submit(seed=2)).state == "done"
        assert engine.calls_of(1) == 0
        counts = server.service.store.counts()
        assert (counts.done, counts.cancelled, counts.accepted) == (2, 1, 3)


@pytest.mark.case("S06")
@pytest.mark.parametrize("how", ["closes", "resets"])
def test_who_goes_away_halfway_takes_no_more_of_the_model(
    tmp_path: Path, editor: Editor, engine: Engine, how: str
) -> None:
    with served(tmp_path, editor, in_flight=2) as server:
        engine.go.clear()
        companion = server.submit(steps=80, guidance_scale=1.0)
        connection, id = server.waiting(steps=400, guidance_scale=1.0)
        wait_until(lambda: all(server.job(one).state == "running" for one in (companion, id)))
        engine.go.set()
        wait_until(lambda: engine.calls_of(2) > 2)  # they share their calls
        engine.go.clear()
        _leave(connection, how)
        wait_until(lambda: server.job(id).cancel_asked)
        taken = engine.calls_of(2)
        assert taken < 40
        engine.go.set()
        assert server.ended(id).state == "cancelled"
        assert server.ended(companion).state == "done"
        assert engine.calls_of(2) <= taken + 1  # it may have begun just before the engine was told
        assert engine.calls_of(1) > 0
        after = server.submit(seed=9)
        for one, params in ((companion, {"steps": 80, "guidance_scale": 1.0}), (after, {"seed": 9})):
            assert server.result(one) == Wish("", {**QUICK, **params}, {"image": picture(0)}).by_library(editor)


# ---- crowds ----------------------------------------------------------------------------------------------------------


@pytest.mark.case("S17", "S18", "S19")
def test_the_same_bytes_alone_and_in_a_crowd(tmp_path: Path, editor: Editor) -> None:
    """Every sampler, those with noise of their own too; strangers of two sizes come, and some go again."""
    edits = [{"sampler": sampler, "seed": i, "strength": 0.7, "steps": 5} for i, sampler in enumerate(SAMPLERS)]
    with served(tmp_path, editor) as server:
        alone = [server.result(server.submit(**edit)) for edit in edits]
        assert len({hashlib.sha256(data).digest() for data in alone}) == len(edits)
        strangers = itertools.islice(traffic(5, most_steps=10, given_up=0.3, wrong=0), 24)
        crowd_of = [replace(w, params={**w.params, "size": "96x64"}) if i % 3 else w for i, w in enumerate(strangers)]

        def come(wish: Wish) -> str:
            answer = server.ask("/v1/edits", wish.body())
            id = str(answer.json()["id"])
            if wish.given_up_after is not None:
                time.sleep(wish.given_up_after / 4)
                server.ask(f"/v1/jobs/{id}", method="DELETE")
            return id

        with ThreadPoolExecutor(4) as pool:
            crowd = pool.map(come, crowd_of)
            ids = list(pool.map(lambda edit: server.submit(**edit), edits))
        assert [server.result(id) for id in ids] == alone
        assert {server.ended(id).state for id in crowd} == {"done", "cancelled"}


@pytest.mark.case("S19")
def test_long_ones_and_short_ones_wait_for_each_other_no_longer_than_is_said(
    tmp_path: Path, editor: Editor, engine: Engine
) -> None:
    """An edit waits at most for as many rows of others as it has itself (`engine`)."""
    with served(tmp_path, editor) as server:
        long = server.submit(steps=100, strength=1.0)
        wait_until(lambda: len(engine.rows) > 2)
        began, short = len(engine.rows), list[str]()

        def stream(i: int) -> None:
            """Short ones, one after the other, for as long as the long one takes."""
            while server.job(long).state not in ENDED:
                short.append(server.submit(strength=1.0, seed=i))
                server.ended(short[-1])

        with ThreadPoolExecutor(8) as pool:  # more than fit beside one another into a call
            streams = pool.map(stream, range(8))
            assert server.ended(long).state == "done"
            calls = len(engine.rows) - began
            list(streams)
        finished = server.job(long).finished
        assert finished is not None
        print(f"{calls} calls, {len(short)} short ones")
        assert sum((server.job(id).finished or finished) < finished for id in short) >= 10
        # 100 of its own; and calls without it, of at least two rows, until others were given its 200; and those that
        # were made while its result was written
        assert calls < 100 + 200 / 2 + 100
        wish = Wish("", {**QUICK, "steps": 100, "strength": 1.0}, {"image": picture(0)})
        assert server.result(long) == wish.by_library(editor)


# ---- client processes that are killed --------------------------------------------------------------------------------

CLIENT = """
import socket, sys, threading, urllib.request
url, port, watched = sys.argv[1], int(sys.argv[2]), sys.argv[3]
body = sys.stdin.buffer.read()

def waits():
    headers = {"content-type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url + "/v1/edits", body, headers), timeout=300).read()

def listens():
    urllib.request.urlopen(url + "/v1/jobs/" + watched + "/events?preview=true", timeout=300).read()

def drips():
    with socket.create_connection(("127.0.0.1", port)) as s:
        head = "POST /v1/edits HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Type: application/json\\r\\n"
        s.sendall(head.encode() + b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body[: len(body) // 2])
        s.recv(1)

for do in [waits] * 8 + [listens] * 4 + [drips] * 4:
    threading.Thread(target=do, daemon=True).start()
print("all", flush=True)
threading.Event().wait()
"""


@dataclass(frozen=True)
class Use:
    """What a process uses."""

    threads: int
    descriptors: int
    megabytes: float

    @classmethod
    def of(cls, pid: int) -> "Use":
        told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        return cls(int(told["Threads"]), descriptors, int(told["VmRSS"].split()[0]) / 1024)


def kill_clients(server: LiveServer, rounds: int, seed: int) -> None:
    """So many processes of 16 threads that wait, listen or send are killed on the way."""
    rng = random.Random(seed)
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    body = json.dumps({**LONG, "image": in_base64(_png(noise)), "wait": True}).encode()
    watched = server.ask_json("/v1/edits", LONG).json()["id"]
    port = server.url.rpartition(":")[2]
    for _ in range(rounds):
        before = jobs_told(server)["accepted"]
        command = [sys.executable, "-c", CLIENT, server.url, port, watched]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            assert client.stdin is not None
            client.stdin.write(body)
            client.stdin.close()
            wait_until(lambda before=before: jobs_told(server)["accepted"] > before)
            time.sleep(rng.uniform(0, 0.4))
            client.kill()
        wait_until(lambda: jobs_told(server)["queued"] + jobs_told(server)["running"] <= 1)  # the one to listen to
    server.ask(f"/v1/jobs/{watched}", method="DELETE")
    wait_until(lambda: jobs_told(server)["queued"] + jobs_told(server)["running"] == 0)


def _png(pixels: Any) -> bytes:
    from overpaint.encode import encode

    return encode(pixels, "PNG")


def killed_clients(folder: Path, rounds: int) -> None:
    with LiveServer(folder, *OPTIONS, "--in-flight", "4", "--log-format", "json") as server:
        server.wait_ready()
        kill_clients(server, 4, seed=0)
        baseline = Use.of(server.process.pid)
        kill_clients(server, rounds, seed=1)
        # connections to the database and threads are kept for use again, of threads as many as ever waited at
        # once: 16 more are no leak, and one for each request that was cut off would be 16 a round
        most = 16

        def settled() -> bool:
            jobs_told(server)  # threads that idle for long end when there is something to do
            now = Use.of(server.process.pid)
            return now.descriptors < baseline.descriptors + most and now.threads < baseline.threads + most

        wait_until(settled, 30)
        after = Use.of(server.process.pid)
        print(baseline, after)
        assert after.megabytes < baseline.megabytes + 50
        told = jobs_told(server)
        assert told["cancelled"] == told["accepted"]
        quick = server.ask_json("/v1/edits", {**QUICK, "strength": 1, "wait": True})
        assert (quick.status, quick.headers["content-type"]) == (200, "image/png")
        assert [line for line in server.log() if line["level"] not in ("info", "warning")] == []


@pytest.mark.case("S07")
def test_clients_that_are_killed_leave_nothing_behind(tmp_path: Path) -> None:
    killed_clients(tmp_path, 6)


@pytest.mark.slow
@pytest.mark.case("S07")
def test_twenty_clients_that_are_killed_leave_nothing_behind(tmp_path: Path) -> None:
    killed_clients(tmp_path, 20)


# ---- a long time -----------------------------------------------------------------------------------------------------

SOAK = 300.0  # seconds
HOURS, GIGABYTES = 0.01, 0.002  # that results are kept, and may take


@pytest.mark.slow
@pytest.mark.case("S24", "S23")
def test_a_soak(tmp_path: Path) -> None:
    """Thousands of tiny jobs; some are cancelled, some are wrong. Nothing grows."""
    kept = ("--result-hours", str(HOURS), "--result-gigabytes", str(GIGABYTES))
    with LiveServer(tmp_path, *OPTIONS, *kept) as server:
        server.wait_ready()
        fresh, lock = traffic(7, most_steps=3, given_up=0.1, wrong=0.05), threading.Lock()
        end = time.monotonic() + SOAK
        faults, accepted = list[str](), list[str]()

        def client(_: int) -> None:
            while time.monotonic() < end and not faults:
                with lock:
                    wish = next(fresh)
                try:
                    _one(server, wish, accepted, faults)
                except LOST as e:
                    faults.append(repr(e))

        uses = list[Use]()
        with ThreadPoolExecutor(12) as pool:
            clients = pool.map(client, range(12))
            while time.monotonic() < end and not faults:
                time.sleep(SOAK / 60)
                uses.append(Use.of(server.process.pid))
            list(clients)
        assert faults == []
        wait_until(lambda: jobs_told(server)["queued"] + jobs_told(server)["running"] == 0)
        told = jobs_told(server)
        print(told, uses[0], uses[20], uses[-1])
        assert told["accepted"] == len(accepted) == told["done"] + told["cancelled"]
        _check_flat(uses[20:])
        results = tmp_path / "data" / "results"
        wait_until(lambda: sum(path.stat().st_size for path in results.iterdir()) <= GIGABYTES * 1e9)
        wait_until(lambda: server.ask("/v1/jobs").json()["data"] == [], 200)
        kept_at = [tmp_path / "data" / sub for sub in ("inputs", "results")]
        wait_until(lambda: not any(list(folder.iterdir()) for folder in kept_at))
        assert jobs_told(server) == told  # what is forgotten stays counted
        assert [line for line in server.log() if line["level"] not in ("info", "warning")] == []


def _one(server: LiveServer, wish: Wish, accepted: list[str], faults: list[str]) -> None:
    """Ask for it, and look at it until it has ended."""
    answer = server.ask("/v1/edits", wish.body(), wish.headers())
    if answer.status != wish.status:
        faults.append(f"{answer.status} for {wish}: {answer.body[:200]!r}")
    if answer.status != ACCEPTED:
        return
    id = answer.json()["id"]
    accepted.append(id)
    if wish.given_up_after is not None:
        server.ask(f"/v1/jobs/{id}", method="DELETE")
    while (state := server.ask(f"/v1/jobs/{id}").json()["state"]) not in ENDED:
        time.sleep(0.15)
    if state == "done" and server.ask(f"/v1/jobs/{id}/result").status not in (200, 410):  # 410: past the size cap
        faults.append(f"no result of {wish}")


def _check_flat(uses: list[Use]) -> None:
    """No trend that would matter within a day. At an instant more or fewer connections may be open."""
    half = len(uses) // 2
    for name in ("threads", "descriptors"):
        seen = [getattr(use, name) for use in uses]
        assert statistics.median(seen[half:]) <= statistics.median(seen[:half]) + 3, seen
    slope = np.polyfit(np.arange(len(uses)), [use.megabytes for use in uses], 1)[0]
    assert slope * len(uses) < 25, [round(use.megabytes) for use in uses]
