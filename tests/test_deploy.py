"""What `deploy/` says about the program is so: its options exist, its times fit together, systemd takes the unit."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer
from conftest import ROOT

from overpaint.cli.app import app
from overpaint.server.run import GOODBYE
from overpaint.server.settings import Settings

DEPLOY = ROOT / "deploy"
UNIT, DOCKERFILE, README = DEPLOY / "overpaint.service", DEPLOY / "Dockerfile", DEPLOY / "README.md"
FOREIGN = {"--no-cache-dir", "--no-install-recommends", "--index-url", "--build-arg", "--stop-timeout", "--system"}
FOREIGN |= {"--create-home", "--uid", "--interval", "--timeout", "--start-period", "--retries"}


def own_options() -> set[str]:
    serve = typer.main.get_command(app).get_command(None, "serve")  # type: ignore[attr-defined]
    return {flag for parameter in serve.params for flag in parameter.opts}


def unit() -> dict[str, list[str]]:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    told: dict[str, list[str]] = {}
    for name, equals, value in (line.partition("=") for line in lines if not line.startswith(("#", "["))):
        if equals:
            told.setdefault(name, []).append(value)
    return told


@pytest.mark.parametrize("path", [UNIT, DOCKERFILE, README], ids=lambda p: p.name)
def test_every_option_exists(path: Path) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", path.read_text(encoding="utf-8"))) - FOREIGN
    assert named
    assert named <= own_options()


def test_the_unit_waits_for_what_runs() -> None:
    told = unit()
    found = re.search(r"--drain-seconds (\d+)", told["ExecStart"][0])
    assert found is not None
    assert float(told["TimeoutStopSec"][0]) > float(found[1]) + 3 * GOODBYE
    assert told["KillSignal"] == ["SIGTERM"]
    assert told["KillMode"] == ["mixed"]  # the worker processes are needed to the end


def test_the_unit_leaves_worker_processes_what_they_need() -> None:
    told = unit()
    assert set(told["RestrictNamespaces"][0].split()) == {"user", "net", "ipc"}  # confine.py makes these
    assert "landlock_restrict_self" in told["SystemCallFilter"][0]
    assert "MemoryDenyWriteExecute" not in told  # PyTorch compiles


def test_the_key_is_no_argument() -> None:
    for path in (UNIT, DOCKERFILE, README):
        text = path.read_text(encoding="utf-8")
        assert "OVERPAINT_API_KEY=" not in text
        assert "--insecure" not in text


if shutil.which("systemd-analyze"):  # elsewhere there is nothing to ask, and a skipped test would fail CI

    def test_systemd_takes_the_unit(tmp_path: Path) -> None:
        text = UNIT.read_text(encoding="utf-8")
        there = tmp_path / UNIT.name
        there.write_text(text.replace("/opt/overpaint/bin/overpaint", "/bin/true"), encoding="utf-8")
        done = subprocess.run(["systemd-analyze", "verify", str(there)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert UNIT.name not in done.stderr  # what it takes, but warns of


def test_the_image_has_what_it_copies() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    sources = [s for line in re.findall(r"(?m)^COPY (.+)$", text) for s in line.split()[:-1]]
    assert sources
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in allowed
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {needed["readme"], *needed["license-files"]} <= set(sources)
    (extras,) = re.findall(r"\.\[([a-z,]+)\]", text)
    assert set(extras.split(",")) <= set(needed["optional-dependencies"])


def test_the_image_is_checked_where_it_listens() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    port = str(Settings(folder=Path("x")).port)
    assert f"EXPOSE {port}\n" in text
    assert f'"--port", "{port}"' in text
    assert f"http://127.0.0.1:{port}/livez" in text
    assert re.search(r"(?m)^USER (?!root)", text)
