"""A server's life, as processes: from an open port to an exit code, by signals, faults and crashes."""

import base64
import contextlib
import http.client
import io
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, random_picture
from live import Answer, LiveServer
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from overpaint.cli import serving
from overpaint.cli.app import app
from overpaint.errors import ParameterError
from overpaint.server.door import check_door
from overpaint.server.files import Files
from overpaint.server.keys import Keys
from overpaint.server.records import JobRecord
from overpaint.server.settings import Settings
from overpaint.server.store import Store

KEY = "a-key-of-the-tests-0123456789"
QUICK = {"prompt": "a lake", "steps": 2, "size": "64x64", "seed": 1}
LONG = {**QUICK, "strength": 1.0, "steps": 1000, "size": "384x384"}  # half a minute or more
SOON = 10.0  # seconds for what takes one, on a busy machine
# one thread: several would wait for each other where other programs run, too, and make an edit ten times slower
OPTIONS = ("--device", "cpu", "--dtype", "float32", "--threads", "1", "--no-warm-up")


def picture() -> str:
    buffer = io.BytesIO()
    Image.fromarray(random_picture(64, 64)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def submit(server: LiveServer, params: dict[str, Any]) -> str:
    answer = server.ask_json("/v1/edits", {**params, "image": picture()})
    assert answer.status == 202, answer
    return str(answer.json()["id"])


def state(server: LiveServer, id: str) -> str:
    return str(server.ask(f"/v1/jobs/{id}").json()["state"])


def wait_for(server: LiveServer, id: str, *states: str) -> str:
    end = time.monotonic() + 60
    while (now := state(server, id)) not in states:
        assert time.monotonic() < end, now
        time.sleep(0.02)
    return now


def wait_until(what: Any, seconds: float = SOON) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


def stored(server: LiveServer, id: str) -> JobRecord:
    """As the next server would find it."""
    with Files(server.folder) as files, Store(files.database) as store:
        job = store.job(id)
    assert job is not None
    return job


def messages(server: LiveServer) -> list[str]:
    return [line["message"] for line in server.log()]


def children(pid: int) -> set[int]:
    """Of a process, and theirs."""
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found |= {child} | children(child)
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all that ends none."""
    with LiveServer(tmp_path_factory.mktemp("live"), *OPTIONS[:-1], environment={"OVERPAINT_API_KEY": KEY}) as server:
        server.headers["authorization"] = f"Bearer {KEY}"
        seen = [server.ask("/livez").status, server.ask("/readyz").status]
        server.wait_ready()
        assert seen == [200, 503], "the port opens before the model is there"
        yield server


# ---- starting --------------------------------------------------------------------------------------------------------


@pytest.mark.case("S04")
def test_it_is_live_before_it_is_ready(live: LiveServer) -> None:
    assert (live.ask("/livez").status, live.ask("/readyz").status) == (200, 200)
    told = {line["message"].split(" http")[0]: line for line in live.log()}
    order = ["listening on", "the model is loaded", "pictures are read in worker processes", "warmed up", "ready"]
    assert [name for name in told if name in order] == order
    assert told["listening on"]["url"] == live.url
    assert "rlimits" in told["pictures are read in worker processes"]["layers"]
    assert told["warmed up"]["seconds"] > 0


@pytest.mark.case("S04")
@pytest.mark.case("C01")
def test_a_model_that_cannot_be_loaded_ends_it(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with LiveServer(tmp_path, "--model", str(tmp_path / "model")) as server:
        assert server.wait() == 3
        assert "ready" not in messages(server)
        (fault,) = [line for line in server.log() if line["level"] == "critical"]
        assert str(tmp_path / "model") in fault["message"]
        assert "traceback" not in fault


def test_two_servers_do_not_share_a_folder(live: LiveServer, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["serve", "--port", "0", "--folder", str(live.folder)])
    assert done.exit_code == 5
    assert str(live.process.pid) in done.stderr


def test_a_port_that_is_taken_is_told(live: LiveServer, tmp_path: Path) -> None:
    port = live.url.rpartition(":")[2]
    done = CliRunner().invoke(app, ["serve", "--port", port, "--folder", str(tmp_path)])
    assert done.exit_code == 2
    assert f"port: {port} at 127.0.0.1 cannot be listened on" in done.stderr


# ---- who may reach it ------------------------------------------------------------------------------------------------


@pytest.mark.case("X10")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "server.example"])
def test_nobody_opens_it_to_everybody_by_mistake(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERPAINT_API_KEY", raising=False)
    done = CliRunner().invoke(app, ["serve", "--host", host, "--folder", str(tmp_path / "data")])
    assert done.exit_code == 2
    line = " ".join(done.stderr.split())
    assert line.startswith(f"error: host: is {host}")
    assert "--key-file" in line
    assert "--insecure" in line
    assert not (tmp_path / "data").exists()  # nothing was begun


@pytest.mark.case("X10")
def test_it_opens_with_a_key_or_by_a_persons_word(tmp_path: Path) -> None:
    everywhere = Settings(host="0.0.0.0", folder=tmp_path)
    with pytest.raises(ParameterError):
        check_door(everywhere, None, insecure=False)
    check_door(everywhere, Keys([("me", KEY)]), insecure=False)
    check_door(everywhere, None, insecure=True)
    for host in ("127.0.0.1", "::1", "localhost"):
        check_door(Settings(host=host, folder=tmp_path), None, insecure=False)


@pytest.mark.case("X10")
def test_the_key_is_nowhere_to_be_read(live: LiveServer) -> None:
    assert live.ask("/v1/jobs").status == 200
    wrong = live.ask("/v1/jobs", headers={"authorization": f"Bearer {KEY}x"})
    assert wrong.status == 401
    command = Path(f"/proc/{live.process.pid}/cmdline").read_text()
    for text in (live.said(), command, live.ask("/metrics").body.decode(), wrong.body.decode()):
        assert KEY not in text


# ---- measuring -------------------------------------------------------------------------------------------------------


def jobs_told(server: LiveServer) -> dict[str, float]:
    text = server.ask("/metrics").body.decode()
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    start = "overpaint_jobs_"
    return {s.name.removeprefix(start).removesuffix("_total"): s.value for s in samples if s.name.startswith(start)}


def adds_up(told: dict[str, float]) -> bool:
    return told["accepted"] == sum(told[s] for s in ("done", "failed", "cancelled", "queued", "running"))


@pytest.mark.case("S23")
def test_its_numbers_add_up_at_every_moment(live: LiveServer) -> None:
    before = jobs_told(live)
    ids: list[str] = []
    wrong: list[dict[str, float]] = []
    over = threading.Event()

    def scrape() -> None:
        while not over.is_set():
            if not adds_up(told := jobs_told(live)):
                wrong.append(told)

    scraping = threading.Thread(target=scrape)
    scraping.start()
    try:
        for i in range(12):
            ids.append(submit(live, {**QUICK, "seed": i}))
            if i % 3 == 0:
                live.ask(f"/v1/jobs/{ids[-1]}", method="DELETE")
        for id in ids:
            wait_for(live, id, "done", "cancelled")
    finally:
        over.set()
        scraping.join()
    assert wrong == []
    told = jobs_told(live)
    assert adds_up(told)
    assert told["accepted"] == before["accepted"] + 12
    assert told["done"] + told["cancelled"] == before["done"] + before["cancelled"] + 12
    assert told["queued"] == told["running"] == 0


@pytest.mark.case("S03")
def test_it_answers_for_itself_under_full_load(live: LiveServer) -> None:
    ids = [submit(live, {**LONG, "seed": i}) for i in range(4)]
    wait_for(live, ids[0], "running")
    slowest = {}
    try:
        for path in ("/livez", "/readyz", "/metrics") * 10:
            began = time.monotonic()
            assert live.ask(path).status == 200
            slowest[path] = max(slowest.get(path, 0.0), time.monotonic() - began)
        assert state(live, ids[0]) == "running"
    finally:
        for id in ids:
            live.ask(f"/v1/jobs/{id}", method="DELETE")
    print("slowest:", slowest)
    assert max(slowest.values()) < 2  # ten times what it is to be
    for id in ids:
        wait_for(live, id, "cancelled")


# ---- ending ----------------------------------------------------------------------------------------------------------


def events_of(server: LiveServer, id: str, heard: list[str]) -> threading.Thread:
    """The kinds of a job's events, as they come, until the stream ends."""

    def listen() -> None:
        host, port = server.url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", f"/v1/jobs/{id}/events")
            for line in connection.getresponse():
                if line.startswith(b"event: "):
                    heard.append(line.decode().split()[1])

    thread = threading.Thread(target=listen)
    thread.start()
    return thread


def idle_connection(server: LiveServer) -> socket.socket:
    """One that is kept alive, after an answer."""
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


@pytest.mark.case("S11")
def test_sigterm_lets_what_runs_be_done(tmp_path: Path) -> None:
    options = (*OPTIONS, "--in-flight", "1", "--drain-seconds", "300")
    with LiveServer(tmp_path, *options) as server, contextlib.ExitStack() as closing:
        server.wait_ready()
        running = submit(server, {**QUICK, "steps": 60, "strength": 1.0, "size": "128x128"})  # seconds
        wait_for(server, running, "running")
        waiting = submit(server, LONG)
        assert state(server, waiting) == "queued"
        heard: list[str] = []
        heard_of_waiting: list[str] = []
        listening = [events_of(server, running, heard), events_of(server, waiting, heard_of_waiting)]
        closing.enter_context(idle_connection(server))
        wait_until(lambda: heard and heard_of_waiting)
        server.signal(signal.SIGTERM)
        began = time.monotonic()
        wait_until(lambda: server.ask("/readyz").status == 503, seconds=2)
        assert server.ask("/livez").status == 200
        refused = server.ask_json("/v1/edits", {**QUICK, "image": picture()})
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) > 0
        assert state(server, running) == "running"
        assert server.wait() == 0
        print(f"drained in {time.monotonic() - began:.1f} s")
        for one in listening:
            one.join(SOON)
            assert not one.is_alive()
        assert heard[-1] == "done"
        assert set(heard_of_waiting) == {"queued"}
        said = messages(server)
        assert {"drained", "ended"} <= set(said)
        assert not any("timeout graceful shutdown exceeded" in message for message in said)  # nobody had to be cut off
    assert stored(server, running).state == "done"
    assert list((server.folder / "results").iterdir())
    assert stored(server, waiting).state == "queued"


@pytest.mark.case("S11")
def test_what_is_late_is_put_back(tmp_path: Path) -> None:
    with LiveServer(tmp_path, *OPTIONS, "--drain-seconds", "0.5") as server:
        server.wait_ready()
        answers: list[Answer] = []
        wanted = {**LONG, "image": picture(), "wait": True}
        waiting = threading.Thread(target=lambda: answers.append(server.ask_json("/v1/edits", wanted)))
        waiting.start()
        wait_until(lambda: server.ask("/v1/jobs").json()["data"])
        id = server.ask("/v1/jobs").json()["data"][0]["id"]
        wait_for(server, id, "running")
        heard: list[str] = []
        listening = events_of(server, id, heard)
        wait_until(lambda: "step" in heard, seconds=60)
        began = time.monotonic()
        server.signal(signal.SIGINT)  # as by Ctrl-C, which is no different
        assert server.wait() == 0
        print(f"ended in {time.monotonic() - began:.1f} s")
        assert time.monotonic() - began < 3 * SOON
        for one in (waiting, listening):
            one.join(SOON)
            assert not one.is_alive()
        assert heard[-1] not in ("done", "failed", "cancelled")
        (answer,) = answers  # who waits for the result is told that it does not come
        assert answer.status == 503
        assert answer.json()["error"]["type"] == "server_error"
    assert stored(server, id).state == "queued"


@pytest.mark.case("S11")
def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with LiveServer(tmp_path, *OPTIONS) as server:
        server.wait_ready()
        id = submit(server, LONG)
        wait_for(server, id, "running")
        workers = children(server.process.pid)
        server.signal(signal.SIGINT)
        wait_until(lambda: "draining" in messages(server))
        server.signal(signal.SIGTERM)
        assert server.wait(SOON) == 143
    wait_until(lambda: not any(map(is_running, workers)))
    assert stored(server, id).state == "running"  # the next start runs it again


@pytest.mark.case("S11")
def test_sigterm_while_the_model_loads(tmp_path: Path) -> None:
    with LiveServer(tmp_path, *OPTIONS) as server, idle_connection(server):
        assert server.ask("/readyz").status == 503
        assert server.stop(2 * SOON) == 0
        assert "ready" not in messages(server)


@pytest.mark.case("S12")
def test_a_killed_server_leaves_nothing_behind(tmp_path: Path) -> None:
    with LiveServer(tmp_path, *OPTIONS) as server:
        host, port = server.url.removeprefix("http://").split(":")
        wait_until(lambda: len(children(server.process.pid)) >= 2)
        workers = children(server.process.pid)
        server.kill()
    wait_until(lambda: not any(map(is_running, workers)), seconds=10)
    with socket.create_server((host, int(port))):
        pass  # the port can be had again
    with Files(server.folder):
        pass  # and the folder


@pytest.mark.case("S13")
def test_a_dead_engine_ends_the_server(tmp_path: Path) -> None:
    fatal = tmp_path / "fatal"
    environment = {
        "DYING_SERVER_FILE": str(fatal),
        "PYTHONPATH": f"{ROOT / 'tests'}:{os.environ.get('PYTHONPATH', '')}",
    }
    program = "import dying_server; dying_server.run()"
    with LiveServer(tmp_path, *OPTIONS, environment=environment, program=program) as server:
        server.wait_ready()
        id = submit(server, LONG)
        wait_for(server, id, "running")
        fatal.touch()
        assert server.wait(60) == 1
        assert any("the engine is dead" in message for message in messages(server))
    assert stored(server, id).state == "queued"


# ---- the command -----------------------------------------------------------------------------------------------------


def test_without_its_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overpaint.cli.serving.EXTRA", ("fastapi", "no_such_library"))
    done = CliRunner().invoke(app, ["serve"])
    assert done.exit_code == 2
    assert "needs no_such_library: pip install 'overpaint[server]'" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--port", "65536"), "port: is 65536, must be from 0 to 65535"),
        (("--queue", "0"), "queue: is 0, must be from 1 to 1e+06"),
        (("--drain-seconds", "nan"), "drain_seconds: is nan, must be from 0 to 3600"),
        (("--host", "no.such.name.invalid", "--insecure"), "host: is 'no.such.name.invalid', which is no address"),
        (("--key-file", "none"), "none"),
    ],
)
def test_what_is_wrong_is_told_on_one_line(
    options: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    done = CliRunner().invoke(app, ["serve", "--folder", str(tmp_path), *options])
    assert done.exit_code == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_every_setting_has_an_option() -> None:
    import typer

    from overpaint.server.settings import settings

    serve = typer.main.get_command(app).get_command(None, "serve")  # type: ignore[attr-defined]
    flags = {flag for parameter in serve.params for flag in parameter.opts}
    assert {f"--{f.name.replace('_', '-')}" for f, _ in settings()} <= flags


def test_threads_spin_briefly_unless_somebody_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    serving.spin_briefly()
    assert os.environ["GOMP_SPINCOUNT"] == serving.SPINS
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    serving.spin_briefly()
    assert "GOMP_SPINCOUNT" not in os.environ
