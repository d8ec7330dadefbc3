"""``overpaint submit``: what a server makes is what ``overpaint edit`` makes, and what goes wrong on the way is met."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from conftest import random_picture
from live import LiveServer
from test_server_run import wait_for, wait_until
from typer.testing import CliRunner, Result

from overpaint import Editor, images
from overpaint.cli import submitting
from overpaint.cli.app import app
from overpaint.cli.serving import EXTRA
from overpaint.errors import EditFailed, ImageError, ParameterError, ServerError
from overpaint.params import EditParams
from overpaint.remote import PATIENCE, Remote

KEY = "a-key-of-the-tests-0123456789"
HERE = ("--device", "cpu", "--dtype", "float32", "--threads", "1")
QUICK = ("--steps", "4", "--size", "64x48", "--seed", "3", "--strength", "0.5")
LONG = ("--steps", "1000", "--size", "192x192", "--strength", "1", "--seed", "3")  # many seconds
PARAMS = EditParams(prompt="a lake", steps=4, size="64x48", seed=3, strength=0.5)
PROGRAM = "from overpaint.cli import main; main()"
JOB = {"id": "abc", "state": "queued", "sweep": None, "step": None, "steps": None, "seed": 1}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all, that needs a key."""
    options = (*HERE, "--no-warm-up")
    with LiveServer(tmp_path_factory.mktemp("live"), *options, environment={"OVERPAINT_API_KEY": KEY}) as server:
        server.headers["authorization"] = f"Bearer {KEY}"
        yield server.wait_ready()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with pictures in it, a way to the server, and as many threads as before when it is left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("OVERPAINT_API_KEY", KEY)
    monkeypatch.delenv("OVERPAINT_SERVER", raising=False)
    images.save(random_picture(64, 48), tmp_path / "in.png")
    images.save(random_picture(64, 48, seed=1), tmp_path / "map.png")
    images.save(random_picture(64, 48, seed=2), tmp_path / "other.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "in.png").read_bytes()[:900])
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def run(*args: object, input: bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(a) for a in args], input=input)


def submit(server: LiveServer, *args: object, input: bytes | None = None) -> Result:
    return run("submit", *args, "--server", server.url, input=input)


def started(url: str, *args: str) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    environment = {**os.environ, "OVERPAINT_SERVER": url}
    command = [sys.executable, "-c", PROGRAM, "submit", *args]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- the same as at home ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "made"),
    [
        ((), {"in.png"}),
        (("--mask", "map.png", "--tool", "grow:3", "--layer", "other.png:snow: and ice:.7"), {"in.png"}),
        (("--map", "map.png", "--box", "4,4,24,24", "--changed-from", "other.png", "--format", "webp"), {"in.webp"}),
        (
            ("--count", 2, "--compare", "--mask", "map.png", "--soft", "--mask-by", "opacity"),
            {"in-1.png", "in-2.png", "in-compare.png"},
        ),
        (("--scribble", "map.png", "--variation", "9,.2", "--count", 2, "--format", "jpg"), {"in-1.jpg", "in-2.jpg"}),
        (("--extend", "16,0,0,0", "--preset", "extend"), {"in.png"}),
    ],
)
def test_its_files_are_those_of_edit(live: LiveServer, here: Path, args: tuple[object, ...], made: set[str]) -> None:
    both = ("in.png", "a lake", *QUICK, *args)
    local = run("edit", *both, *HERE, "-o", "edit/")
    assert local.exit_code == 0, local.output
    remote = submit(live, *both, "-o", "submit/")
    assert remote.exit_code == 0, remote.output
    assert set(files_of(here / "edit")) == made
    assert files_of(here / "submit") == files_of(here / "edit")


def test_it_tells_what_edit_tells(live: LiveServer, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = ("in.png", "a lake", *QUICK, "--preset", "style", "--strength", "0.9")
    local, remote = run("edit", *both, *HERE), submit(live, *both)
    assert "note: strength 0.9 leaves" in local.stderr
    assert remote.stderr == local.stderr
    line = local.stdout.rpartition(" steps ")[0].replace("in-edit.png", "in-edit-2.png")
    assert remote.stdout.rpartition(" steps ")[0] == line
    told = json.loads(run("edit", *both, *HERE, "--json").stdout)
    distant = json.loads(submit(live, *both, "--json").stdout)
    assert len(distant.pop("job")) == 32
    for facts in (told, distant):
        del facts["seconds"], facts["file"]
    assert distant == told


def test_standard_input_and_output(live: LiveServer, here: Path) -> None:
    data = (here / "in.png").read_bytes()
    assert submit(live, "in.png", "a lake", *QUICK, "-o", "out.png").exit_code == 0
    done = submit(live, "-", "a lake", *QUICK, "-o", "-", input=data)
    assert done.exit_code == 0, done.stderr
    assert done.stdout_bytes == (here / "out.png").read_bytes()


def test_it_needs_neither_torch_nor_what_a_server_needs(live: LiveServer, here: Path) -> None:
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({EXTRA!r}))\n"
        "from overpaint.cli.app import app\n"
        "try: app()\n"
        "finally: print([m for m in ('torch', 'diffusers', 'transformers') if m in sys.modules])"
    )
    command = [sys.executable, "-c", program, "submit", "in.png", "a lake", *QUICK, "--server", live.url]
    done = subprocess.run([*command, "--compare", "--mask", "map.png"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert (here / "in-edit-compare.png").is_file()


def test_many_pictures_of_which_one_is_broken(live: LiveServer, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "AHEAD", 1)
    names = ("in.png", "cut.png", "none.png", "map.png", "other.png")
    done = submit(live, *names, "a lake", *QUICK, "-o", "out")
    assert done.exit_code == 1
    assert set(files_of(here / "out")) == {"in.png", "map.png", "other.png"}
    assert [line.split()[1] for line in done.stderr.splitlines()] == ["cut.png", "none.png"]


def test_no_wait_leaves_the_jobs_there(live: LiveServer, here: Path) -> None:
    before = files_of(here)
    done = submit(live, "in.png", "map.png", "a lake", *QUICK, "--no-wait", "--count", 2)
    assert done.exit_code == 0, done.output
    ids = done.stdout.split()
    assert len(set(ids)) == 4
    for id in ids:
        wait_for(live, id, "done")
    told = json.loads(submit(live, "in.png", "a lake", *QUICK, "--no-wait", "--json").stdout)
    assert (told["input"], told["seed"]) == ("in.png", 3)
    wait_for(live, told["job"], "done")
    assert files_of(here) == before
    assert submit(live, "in.png", "a lake", "--no-wait", "-o", "x.png").exit_code == 2


def test_only_a_way_to_this_machine_is_without_a_proxy(
    live: LiveServer, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # where there is none
    assert submit(live, "in.png", "a lake", *QUICK).exit_code == 0
    for url, words in (
        ("http://server.invalid", "refused"),
        (live.url.replace("127.0.0.1", "localhost"), "no such job"),
    ):
        with Remote(url, KEY) as remote, pytest.raises(ServerError, match=words):
            remote.job("abc")


# ---- what is wrong with a request ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ("in.png", "a lake", "--strength", "2"),
        ("in.png", "a lake", "--tool", "box:100,100,4,4"),
        ("in.png", "a lake", "--tool", "box:1"),
        ("in.png", "a lake", "--layer", "map.png"),
        ("in.png", "a lake", "--layer", "map.png:snow:1.5"),
        ("in.png", "a lake", "--count", "1001"),
        ("in.png", "in.png"),
        ("in.png", "a lake", "-o", "in.png"),
        ("in.png", "a lake", "-o", "map.png", "--map", "map.png"),
        ("none.png", "a lake"),
        ("cut.png", "a lake"),
        ("in.png", "a lake", "--mask", "none.png"),
        ("in.png", "a lake", "--mask", "cut.png"),
        ("in.png", "a lake", "--layer", "cut.png:snow"),
        ("in.png", "a lake", "--changed-from", "cut.png"),
    ],
)
def test_it_ends_as_edit_ends(
    live: LiveServer, here: Path, args: tuple[str, ...], editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overpaint.cli.edits.open_editor", lambda choice: nullcontext(editor))
    local, remote = run("edit", *args), submit(live, *args)
    assert local.exit_code in (1, 2)
    assert (remote.exit_code, remote.stderr) == (local.exit_code, local.stderr)
    assert "Traceback" not in remote.output


def test_errors_for_scripts_are_those_of_edit(
    live: LiveServer, here: Path, editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overpaint.cli.edits.open_editor", lambda choice: nullcontext(editor))
    args = ("in.png", "a lake", "--tool", "box:1", "--json")
    assert submit(live, *args).stdout == run("edit", *args).stdout
    assert json.loads(submit(live, *args).stdout)["error"]["type"] == "ParameterError"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--tool", "sam:10,10"), 2, "error: tool: 'sam:10,10' is unknown, known are box:"),
        (("-o", "out.tif"), 2, "error: format: is tif, which no server writes; they write png, jpg, webp"),
        (("--format", "tif"), 2, "error: format: is tif"),
        (("--timeout", "-1"), 2, "error: timeout: is -1, must be"),
        (("--timeout", "nan"), 2, "error: timeout: is nan, must be"),
        (("--server", "ftp://127.0.0.1"), 2, "error: server: is 'ftp://127.0.0.1', must be as http://127.0.0.1:7860"),
        (("--server", "127.0.0.1:7860"), 2, "error: server: is '127.0.0.1:7860', must be as"),
        (("--server", "http://[::"), 2, "error: server: is 'http://[::', must be as"),
        (("--server", "http://me:secret@127.0.0.1"), 2, "error: server: must be a bare URL"),
        (("--key-file", "none"), 2, "error: key_file: none cannot be read"),
        (("--key-file", "in.png"), 2, "error: key_file: in.png"),
        (("--key-file", "two"), 2, "error: key_file: two must hold one API key"),
    ],
)
def test_what_cannot_be_asked_of_a_server(
    live: LiveServer, here: Path, args: tuple[str, ...], code: int, words: str
) -> None:
    (here / "two").write_text("a-key\nanother-key\n")
    done = run("submit", "in.png", "a lake", *QUICK, *(() if "--server" in args else ("--server", live.url)), *args)
    assert done.exit_code == code, done.output
    assert " ".join(done.stderr.split()).startswith(words)
    assert "secret" not in done.output


def test_the_key(live: LiveServer, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file = here / "key"
    key_file.write_text(f"{KEY}\n")
    for wrong in (f"{KEY}x", None):
        monkeypatch.setenv("OVERPAINT_API_KEY", wrong) if wrong else monkeypatch.delenv("OVERPAINT_API_KEY")
        done = submit(live, "in.png", "map.png", "a lake", *QUICK)
        assert done.exit_code == 1
        words = "this API key is not known" if wrong else "an API key is needed: Authorization: Bearer KEY"
        assert done.stderr == f"error: {words}\n"  # once: the second picture would fare no better
    assert submit(live, "in.png", "a lake", *QUICK, "--key-file", key_file).exit_code == 0
    with pytest.raises(ServerError) as wrong_key, Remote(live.url, "wrong-key-of-the-tests") as remote:
        remote.submit("in.png", PARAMS)
    assert (wrong_key.value.status, wrong_key.value.code, wrong_key.value.param) == (401, "wrong_key", None)
    monkeypatch.setenv("OVERPAINT_API_KEY", "with a space")
    done = submit(live, "in.png", "a lake")
    assert (done.exit_code, done.stderr.split(":")[1].strip()) == (2, "key")


# ---- what goes wrong on the way --------------------------------------------------------------------------------------


class Fake:
    """A server whose answers are told beforehand; the last one again and again.

    Attributes:
        seen: the requests, as (method and path, headers, body).
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[Callable[[BaseHTTPRequestHandler], None]]] = {}
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked = f"{self.command} {self.path}"
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                fake.seen.append((asked, {k.lower(): v for k, v in self.headers.items()}, body))
                planned = fake.answers[asked]
                (planned.pop(0) if len(planned) > 1 else planned[0])(self)

            do_POST = do_DELETE = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, address: Any) -> None:
                return  # the client went away

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def asked(self, what: str) -> int:
        return sum(one == what for one, _, _ in self.seen)


@pytest.fixture
def fake() -> Iterator[Fake]:
    with contextlib.closing(Fake()) as fake:
        fake.answers = {
            "POST /v1/edits": [says(JOB, 202)],
            "GET /v1/jobs/abc": [says({**JOB, "state": "done"})],
            "GET /v1/jobs/abc/events": [says({}, 404)],
            "DELETE /v1/jobs/abc": [says(JOB)],
        }
        yield fake


def says(told: Any, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    data = told if isinstance(told, bytes) else json.dumps(told).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"content-type": "application/json", **named, "content-length": str(len(data))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)

    return answer


def problem(status: int, code: str, message: str, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    return says({"error": {"type": "t", "code": code, "message": message, "param": None}}, status, **headers)


def hangs_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.connection.shutdown(2)


FULL = problem(429, "queue_full", "5 jobs are waiting already", retry_after="0")


def test_a_server_that_is_not_there(here: Path, fake: Fake) -> None:
    url = fake.url
    fake.close()
    began = time.monotonic()
    done = run("submit", "in.png", "map.png", "a lake", *QUICK, "--server", url)
    assert time.monotonic() - began < 5  # it is not waited for
    assert done.exit_code == 1
    words = f"error: {url} cannot be reached ([Errno 111] Connection refused); is `overpaint serve` running there?\n"
    assert done.stderr == words
    with Remote(url) as remote, pytest.raises(ServerError) as gone:
        remote.submit("in.png", PARAMS)
    assert (gone.value.status, gone.value.code) == (None, "unreachable")


def test_a_full_server_is_asked_again_and_that_is_noted_once(here: Path, fake: Fake) -> None:
    not_ready = problem(503, "not_ready", "the model is being loaded", retry_after="0")
    fake.answers["POST /v1/edits"] = [FULL, not_ready, FULL, says(JOB, 202)]
    done = run("submit", "in.png", "a lake", *QUICK, "--server", fake.url, "--no-wait")
    assert (done.exit_code, done.stdout) == (0, "abc\n")
    assert done.stderr == "note: 5 jobs are waiting already; trying again for up to 600 s\n"
    sent = [(headers["idempotency-key"], len(body)) for _, headers, body in fake.seen]
    assert len(sent) == 4
    assert len(set(sent)) == 1


def test_it_waits_as_long_as_it_is_told_to(here: Path, fake: Fake) -> None:
    soon = problem(429, "queue_full", "5 jobs are waiting already", retry_after="1")
    fake.answers["POST /v1/edits"] = [soon]
    began = time.monotonic()
    done = run("submit", "in.png", "a lake", *QUICK, "--server", fake.url, "--timeout", "1.5")
    assert 1.5 <= time.monotonic() - began < 10
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (1, "error: 5 jobs are waiting already")
    assert fake.asked("POST /v1/edits") == 3
    fake.seen.clear()
    fake.answers["POST /v1/edits"] = [problem(429, "too_many", "never again"), says(JOB, 202)]
    done = run("submit", "in.png", "a lake", *QUICK, "--server", fake.url)
    assert (done.exit_code, done.stderr) == (1, "error: never again\n")  # without a Retry-After it does not help
    assert fake.asked("POST /v1/edits") == 1


def test_a_lost_answer_is_asked_for_with_the_same_key(here: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overpaint.remote_line._AGAIN", 0.05)
    fake.answers["POST /v1/edits"] = [hangs_up, says(JOB, 202)]
    with Remote(fake.url) as remote:
        remote.submit("in.png", PARAMS)
        remote.submit("in.png", PARAMS)
    keys = [headers["idempotency-key"] for _, headers, _ in fake.seen]
    assert len(keys) == 3
    assert keys[0] == keys[1] != keys[2]


def test_a_lost_answer_makes_no_second_job(live: LiveServer, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overpaint.remote_line._AGAIN", 0.05)
    before = len(live.ask("/v1/jobs?limit=200").json()["data"])
    with Remote(live.url, KEY) as remote:
        ask, lost = remote._line.client.request, []

        def loses(*args: Any, **rest: Any) -> Any:
            answer = ask(*args, **rest)
            if not lost:
                lost.append(answer.json()["id"])
                raise httpx.ReadError("lost")
            return answer

        monkeypatch.setattr(remote._line.client, "request", loses)
        job = remote.submit("in.png", PARAMS)
        assert [job["id"]] == lost
        assert remote.follow(job)["state"] == "done"
    assert len(live.ask("/v1/jobs?limit=200").json()["data"]) == before + 1


def test_events_are_followed_and_else_it_is_looked(live: LiveServer, here: Path, fake: Fake) -> None:
    heard: list[tuple[int, int]] = []
    with Remote(live.url, KEY) as remote:
        params = EditParams(prompt="a lake", steps=20, size="64x48", seed=3, strength=1.0)
        done = remote.follow(remote.submit("in.png", params), lambda step, steps: heard.append((step, steps)))
        assert done["state"] == "done"
        assert heard
        assert heard == sorted(heard)
        assert all(0 < step <= steps == 20 for step, steps in heard)
        assert remote.result(done)[:4] == b"\x89PNG"
    heard.clear()
    running = says({**JOB, "state": "running", "step": 2, "steps": 9})
    fake.answers["GET /v1/jobs/abc"] = [running, says({**JOB, "state": "done"})]
    with Remote(fake.url) as remote:
        assert remote.follow(JOB, lambda step, steps: heard.append((step, steps)))["state"] == "done"
    assert heard == [(2, 9)]
    assert fake.asked("GET /v1/jobs/abc/events") == 1  # they did not come, and are not asked for again


@pytest.mark.parametrize(
    "garbled", [b"data: {\n\n", b"event: done\ndata: 7\n\n", b"event: done\ndata: {}", b"\xff\n\n"]
)
def test_garbled_events_do_no_harm(fake: Fake, garbled: bytes) -> None:
    events = b': here\n\nid: 1\nevent: step\ndata: {"step": 1,\ndata: "steps": 4}\n\n' + garbled
    fake.answers["GET /v1/jobs/abc/events"] = [says(events, content_type="text/event-stream")]
    heard: list[tuple[int, int]] = []
    with Remote(fake.url) as remote:
        assert remote.follow(JOB, lambda step, steps: heard.append((step, steps)))["state"] == "done"
    assert heard == [(1, 4)]


def test_a_server_that_restarts_is_waited_for(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overpaint.remote_line._AGAIN", 0.05)
    notes: list[str] = []
    ended = says({**JOB, "state": "done"})
    by_proxy = says(b"<html>", 502)
    fake.answers["GET /v1/jobs/abc"] = [hangs_up, by_proxy, ended]
    with Remote(fake.url, note=notes.append) as remote:
        remote.submit(b"GIF89a", PARAMS)
        assert remote.follow(JOB)["state"] == "done"
    assert len(notes) == 1
    assert notes[0].endswith("trying again for up to 600 s")
    fake.answers["GET /v1/jobs/abc"] = [by_proxy]
    with Remote(fake.url) as remote, pytest.raises(ServerError, match="answers as no Overpaint server does"):
        remote.job("abc")


@pytest.mark.parametrize("answer", [says(b"<html>"), says([]), says({}), says(b"", 301, location="/x"), says(b"", 500)])
def test_what_is_no_overpaint_server(fake: Fake, answer: Any) -> None:
    fake.answers["POST /v1/edits"] = fake.answers["POST /v1/sweeps"] = [answer]
    with Remote(fake.url) as remote:
        with pytest.raises(ServerError, match="answers as no Overpaint server does"):
            remote.submit(b"GIF89a", PARAMS)
        with pytest.raises(ServerError, match="answers as no Overpaint server does"):
            remote.submit_many(b"GIF89a", PARAMS, count=2)
    assert len(fake.seen) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(422, "invalid_parameter", "tool: 'x' is unknown"), ParameterError),
        (problem(422, "invalid_image", "the picture's bytes are broken"), ImageError),
        (problem(500, "edit_failed", "the numbers were not finite"), EditFailed),
        (problem(504, "deadline", "the job was not done in time"), ServerError),
    ],
)
def test_a_job_that_failed_says_why(fake: Fake, answer: Any, kind: type[Exception]) -> None:
    fake.answers["GET /v1/jobs/abc/result"] = [answer]
    with Remote(fake.url) as remote, pytest.raises(kind) as failed:
        remote.result({**JOB, "state": "failed"})
    assert type(failed.value) is kind
    assert fake.asked("GET /v1/jobs/abc/result") == 1


# ---- ending it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code", "count"), [(signal.SIGINT, 130, 2), (signal.SIGTERM, 143, 1)])
def test_ctrl_c_cancels_what_was_submitted(live: LiveServer, here: Path, number: int, code: int, count: int) -> None:
    before = files_of(here)
    known = {job["id"] for job in live.ask("/v1/jobs").json()["data"]}

    def ours() -> list[dict[str, Any]]:
        return [job for job in live.ask("/v1/jobs").json()["data"] if job["id"] not in known]

    process = started(live.url, "in.png", "map.png", "a lake", *LONG, "--count", str(count))
    wait_until(lambda: len(ours()) == 2 * count and any(job["step"] for job in ours()), seconds=60)
    process.send_signal(number)
    assert process.wait(20) == code
    _, words = process.communicate()
    assert words in ("interrupted\n", "terminated\n")
    for job in ours():
        wait_for(live, job["id"], "cancelled")
    assert files_of(here) == before


def test_ctrl_c_while_an_answer_is_on_its_way(here: Path, fake: Fake) -> None:
    go = threading.Event()

    def slow(request: BaseHTTPRequestHandler) -> None:
        go.wait(30)
        says(JOB, 202)(request)

    fake.answers["POST /v1/edits"] = [slow]
    process = started(fake.url, "in.png", "a lake", *QUICK)
    wait_until(lambda: fake.seen, seconds=30)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    go.set()
    assert process.wait(20) == 130
    process.communicate()
    assert fake.asked("DELETE /v1/jobs/abc") == 1


def test_a_result_that_cannot_be_written_ends_it_and_cancels_the_rest(
    live: LiveServer, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {job["id"] for job in live.ask("/v1/jobs").json()["data"]}
    gone = here / "out"

    def in_the_way(*args: Any) -> bytes:
        gone.write_bytes(b"")  # where the folder was to be
        return b"a result"

    monkeypatch.setattr(Remote, "result", in_the_way)
    monkeypatch.setattr(Remote, "follow", lambda self, job, on_step: job)
    done = submit(live, "in.png", "map.png", "a lake", *LONG, "-o", "out/")
    assert done.exit_code == 2, done.output
    assert "cannot be written" in done.stderr
    ours = [job["id"] for job in live.ask("/v1/jobs").json()["data"] if job["id"] not in known]
    assert len(ours) == 2
    for id in ours:
        wait_for(live, id, "cancelled")


def test_the_command_is_as_patient_as_the_library() -> None:
    assert submitting.PATIENCE == PATIENCE


def test_a_file_that_is_open_can_be_submitted(live: LiveServer, here: Path) -> None:
    with Remote(live.url, KEY) as remote:
        jobs = remote.submit_many(io.BytesIO((here / "in.png").read_bytes()), PARAMS, count=3)
        assert [job["seed"] for job in jobs] == [3, 4, 5]
        remote.cancel(*jobs)
        assert all(remote.follow(job)["state"] in ("done", "cancelled") for job in jobs)
