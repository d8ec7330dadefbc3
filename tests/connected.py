"""A server in this process, reached over real connections: uvicorn on a thread, the service in the test's hands."""

import base64
import contextlib
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from live import Answer, LiveServer
from prometheus_client.parser import text_string_to_metric_families
from traffic import ACCEPTED, picture

from overpaint.editor import Editor
from overpaint.server.app import create_app
from overpaint.server.door import listening
from overpaint.server.files import Files
from overpaint.server.metrics import Metrics
from overpaint.server.records import ENDED, JobRecord
from overpaint.server.run import _config, _Server
from overpaint.server.sandbox import Sandbox
from overpaint.server.service import Service
from overpaint.server.settings import Settings
from overpaint.server.store import Store

PATIENCE = 120.0  # seconds that nothing takes
QUICK = {"prompt": "a lake", "strength": 0.6, "steps": 4, "size": "64x64", "seed": 1, "guidance_scale": 2.0}


def wait_until(what: Callable[[], Any], seconds: float = PATIENCE, every: float = 0.01) -> Any:
    """What it gives, once that is true."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "not in time"
        time.sleep(every)
    return found


def jobs_told(server: "LiveServer | Served") -> dict[str, float]:
    """How many jobs /metrics tells in each state. Raises what ``ask`` does."""
    text = server.ask("/metrics").body.decode()
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    start = "overpaint_jobs_"
    return {s.name.removeprefix(start).removesuffix("_total"): s.value for s in samples if s.name.startswith(start)}


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass
class Served:
    """A service, and where it is reached."""

    service: Service
    port: int

    def ask(self, path: str, told: Any = None, *, method: str | None = None, **headers: str) -> Answer:
        data = None if told is None else told if isinstance(told, bytes) else json.dumps(told).encode()
        given = {"content-type": "application/json", **{n.replace("_", "-"): v for n, v in headers.items()}}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as got:
                return Answer(got.status, {k.lower(): v for k, v in got.headers.items()}, got.read())
        except urllib.error.HTTPError as e:
            with e:
                return Answer(e.code, {k.lower(): v for k, v in e.headers.items()}, e.read())

    def submit(self, **params: Any) -> str:
        """The id of an edit of the usual picture."""
        answer = self.ask("/v1/edits", {**QUICK, "image": in_base64(picture(0)), **params})
        assert answer.status == ACCEPTED, answer
        return str(answer.json()["id"])

    def job(self, id: str) -> JobRecord:
        return self.service.job(id, "")

    def ended(self, id: str) -> JobRecord:
        wait_until(lambda: self.job(id).state in ENDED)
        return self.job(id)

    def result(self, id: str) -> bytes:
        assert self.ended(id).state == "done"
        answer = self.ask(f"/v1/jobs/{id}/result")
        assert answer.status == 200
        return answer.body

    def waiting(self, **params: Any) -> tuple[socket.socket, str]:
        """A client that has asked with ``wait=true`` and reads nothing yet; and its job's id."""
        before = {job.id for job in self.jobs()}
        body = json.dumps({**QUICK, "image": in_base64(picture(0)), "wait": True, **params}).encode()
        names = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(f"POST /v1/edits HTTP/1.1\r\n{names}\r\n\r\n".encode() + body)
        (id,) = wait_until(lambda: {job.id for job in self.jobs()} - before)
        return connection, id

    def jobs(self) -> list[JobRecord]:
        return self.service.jobs("", state=None, limit=1000, before=None)


@contextlib.contextmanager
def served(folder: Path, editor: Editor, **settings: Any) -> Iterator[Served]:
    told = Settings(folder=folder, port=0, **settings)
    with Files(folder) as files, Store(files.database) as store, Sandbox(2) as sandbox:
        service = Service(told, store, files, sandbox)
        server = _Server(_config(told, create_app(service, None, Metrics(service))))
        service.start(editor)
        with listening("127.0.0.1", 0) as sockets:
            thread = threading.Thread(target=server.run, args=(sockets,))
            thread.start()
            try:
                yield Served(service, sockets[0].getsockname()[1])
            finally:
                service.close()
                server.should_exit = True
                thread.join()
