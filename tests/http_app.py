"""The server's app in this process, and a client for it: what its tests share."""

import asyncio
import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from conftest import random_picture
from PIL import Image

from overpaint.editor import Editor
from overpaint.server import answers
from overpaint.server.app import create_app
from overpaint.server.files import Files
from overpaint.server.keys import Keys
from overpaint.server.metrics import Metrics
from overpaint.server.sandbox import Sandbox
from overpaint.server.service import Service
from overpaint.server.settings import Settings
from overpaint.server.store import Store

UNKNOWN = "0" * 32  # an id that nothing has
SMALL = {"size": "64x64", "steps": 3, "seed": 7}
# keeps the engine busy for minutes, and ends within a step when it is cancelled
LONG = {"prompt": "a lake", "strength": 1.0, "size": "64x64", "steps": 1000, "repeat": 20}


class Http:
    """A client of an ASGI app, on an event loop of its own in a thread: one loop, as in a server."""

    def __init__(self, app: Any, **headers: str) -> None:
        self.app = app
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
        self._client = httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", headers=headers, timeout=60, follow_redirects=False
        )

    def run(self, coroutine: Any, seconds: float = 60) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        response: httpx.Response = self.run(self._client.request(method, path, **options))
        return response

    def later(self, method: str, path: str, **options: Any) -> "Future[httpx.Response]":
        """The same, while this thread goes on."""
        return asyncio.run_coroutine_threadsafe(self._client.request(method, path, **options), self.loop)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self("POST", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self("DELETE", path, **options)

    def close(self) -> None:
        self.run(self._client.aclose())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@dataclass
class Server:
    """A service with the embedded model, and its app."""

    service: Service
    metrics: Metrics
    http: Http

    def with_keys(self, *names: str) -> tuple[Any, dict[str, dict[str, str]]]:
        """An app of the same service that wants keys; and the headers of each owner."""
        keys = {name: f"{name}-" + "k" * 20 for name in names}
        app = create_app(self.service, Keys(list(keys.items())), self.metrics)
        return app, {name: {"authorization": f"Bearer {key}"} for name, key in keys.items()}


@contextmanager
def server(folder: Path, editor: Editor | None, **settings: Any) -> Iterator[Server]:
    """A server; without an editor it is still loading."""
    told = Settings(folder=folder, **{"in_flight": 1, **settings})
    with Files(folder) as files, Store(files.database) as store, Sandbox(1) as sandbox:
        service = Service(told, store, files, sandbox)
        metrics = Metrics(service)
        http = Http(create_app(service, None, metrics))
        try:
            if editor is not None:
                service.start(editor)
            yield Server(service, metrics, http)
        finally:
            http.close()
            service.close()


def file_of(pixels: Any, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def picture(width: int = 64, height: int = 64, seed: int = 0) -> bytes:
    """A PNG of smooth random colours."""
    return file_of(random_picture(width, height, seed))


def grey_map(width: int = 64, height: int = 64) -> bytes:
    """A PNG: black on the left, white on the right, a ramp between them."""
    return file_of(np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1)))


def edited(http: Http, **fields: Any) -> dict[str, Any]:
    """A job that is done."""
    answer = http.post("/v1/edits", json={**SMALL, "wait": True, **fields}, headers={"accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def error_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The error that an answer tells, in the one form that there is."""
    assert answer.status_code == status, answer.text
    error = dict(answers.ErrorAnswer.model_validate(answer.json()).model_dump()["error"])
    assert error["request_id"] == answer.headers["x-request-id"]
    assert set(answer.json()["error"]) == {"type", "code", "message", "param", "request_id"}
    return error


def ended(http: Http, id: str, seconds: float = 30) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while True:
        job = http.get(f"/v1/jobs/{id}").json()
        if job["state"] in ("done", "failed", "cancelled"):
            return dict(job)
        assert time.monotonic() < until, job
        time.sleep(0.02)


def long_job(http: Http) -> str:
    """The id of a job that keeps an owner busy until it is cancelled."""
    return str(http.post("/v1/edits", json=LONG).json()["id"])


class Raw:
    """A request whose client may go away."""

    def __init__(self, http: Http, method: str, path: str, body: bytes = b"") -> None:
        self.sent: list[dict[str, Any]] = []
        self._gone = asyncio.Event()
        self._messages = [{"type": "http.request", "body": body, "more_body": False}]
        self._http = http
        headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
        headers.append((b"content-length", str(len(body)).encode()))
        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b""}
        scope |= {"headers": headers, "http_version": "1.1", "scheme": "http", "root_path": ""}
        scope |= {"asgi": {"version": "3.0", "spec_version": "2.3"}, "client": ("127.0.0.1", 1)}
        scope |= {"server": ("127.0.0.1", 80)}
        self.task = asyncio.run_coroutine_threadsafe(http.app(scope, self._receive, self._send), http.loop)

    async def _receive(self) -> dict[str, Any]:
        if self._messages:
            return self._messages.pop(0)
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(dict(message))

    def leave(self) -> None:
        self._http.loop.call_soon_threadsafe(self._gone.set)
        self.task.result(20)


def eventually(found: Callable[[], Any], seconds: float = 20) -> Any:
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return value


def jobs_in(http: Http, state: str) -> set[str]:
    """The ids of the jobs in a state."""
    return {job["id"] for job in http.get(f"/v1/jobs?state={state}").json()["data"]}
