"""A server as people run it: the command ``overpaint serve`` (or ``studio``) as a process of its own, on a free port.

    with LiveServer(folder, "--threads", "1") as server:
        server.wait_ready()
        urllib.request.urlopen(server.url + "/readyz")

For tests and benchmarks. What the server says is in ``FOLDER/log``; its jobs are in ``FOLDER/data``, and a second
server on the same folder finds them there.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 120.0  # seconds that nothing takes, however busy the machine is
PROGRAM = "from overpaint.cli import main; main()"


@dataclass(frozen=True)
class Answer:
    """What the server answers."""

    status: int
    headers: Mapping[str, str]  # by their names in small letters
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class LiveServer:
    """Started at once; ``url`` waits for its port.

    Args:
        folder: of what it keeps, says, and writes; made if it is not there.
        options: of the command, beside those that say where it keeps things and which port it takes.
        environment: variables beside this process's own.
        program: Python code that runs the command line; for one that has a fault.
        command: of Overpaint; one with the options of ``serve``.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        environment: Mapping[str, str] | None = None,
        program: str = PROGRAM,
        command: str = "serve",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._port_file, self._log_file, self.folder = folder / "port", folder / "log", folder / "data"
        self._port_file.unlink(missing_ok=True)
        own = ("--port", "0", "--port-file", str(self._port_file), "--folder", str(self.folder), "--log-format", "json")
        self.headers: dict[str, str] = {}  # of every request, as a key
        self.started = time.monotonic()
        with self._log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, command, *own, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )

    def __enter__(self) -> "LiveServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """Waits for the port to be open. Raises ``AssertionError`` with the log if the server ends instead."""
        self._wait(self._port_file.exists, "the port is open")
        return f"http://127.0.0.1:{int(self._port_file.read_text())}"

    def wait_ready(self) -> "LiveServer":
        """Until jobs are run. Raises ``AssertionError`` with the log if the server ends instead."""
        url = self.url
        self._wait(lambda: self._get_or_none(f"{url}/readyz") == 200, "it is ready")
        return self

    def ask(
        self,
        path: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
        seconds: float = PATIENCE,
    ) -> Answer:
        """One request with the server's ``headers`` and these; any status is an answer. Raises ``OSError`` where there
        is none."""
        request = urllib.request.Request(self.url + path, data, {**self.headers, **(headers or {})}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=seconds) as got:
                return Answer(got.status, {k.lower(): v for k, v in got.headers.items()}, got.read())
        except urllib.error.HTTPError as e:
            with e:
                return Answer(e.code, {k.lower(): v for k, v in e.headers.items()}, e.read())

    def ask_json(self, path: str, told: Any) -> Answer:
        """POST as JSON."""
        return self.ask(path, json.dumps(told).encode(), {"content-type": "application/json"})

    def log(self) -> list[dict[str, Any]]:
        """What it has said, line by line; a line that is no JSON is an error of the server."""
        return [json.loads(line) for line in self._log_file.read_text(encoding="utf-8").splitlines()]

    def said(self) -> str:
        """The log as it stands."""
        return self._log_file.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Until it has ended; its exit code."""
        return self.process.wait(seconds)

    def stop(self, seconds: float = PATIENCE) -> int:
        """SIGTERM, and wait; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self) -> None:
        """SIGKILL, and wait. Nothing happens if it has ended."""
        self.process.kill()
        self.process.wait()

    def _get_or_none(self, url: str) -> int | None:
        try:
            with urllib.request.urlopen(url, timeout=5) as got:
                return int(got.status)
        except urllib.error.HTTPError as e:
            e.close()
            return e.code
        except OSError:
            return None

    def _wait(self, until: Any, what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not until():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.said()}"
            assert time.monotonic() < end, f"not after {PATIENCE:g} s: {what}\n{self.said()}"
            time.sleep(0.02)
