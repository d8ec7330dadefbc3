"""A PostgreSQL of the tests' own: a real server on a socket in a folder of its own, on no port; databases from it.

    def test_something(postgres_url: str) -> None: ...

The fixtures are known to all tests by `conftest.py`. Without PostgreSQL on the machine, what needs it is skipped.
"""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_DEBIANS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)  # not on its PATH
NAMES = itertools.count()


class Postgres:
    """A server; ``database()`` is the URL of a new and empty database in it."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder = binaries, folder
        # root may not run it; then it runs as the user that Debian's package makes for it
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "--no-sync", "-A", "trust", "-U", "overpaint", "-E", "UTF8", "--locale", "C")
        self.start()

    def start(self) -> None:
        # nothing is lost where only a process dies, so there is nothing to sync in a test
        options = f"-c listen_addresses='' -c unix_socket_directories='{self._folder}' -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-l", f"{self._folder}/log", "-o", options)

    def stop(self, how: str = "fast") -> None:
        """Down; "immediate" is as by a crash."""
        self._run("pg_ctl", "stop", "-w", "-m", how)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://overpaint@/{database}?host={self._folder}"

    def database(self) -> str:
        import psycopg

        name = f"test{next(NAMES)}"
        with psycopg.connect(host=str(self._folder), user="overpaint", dbname="postgres", autocommit=True) as c:
            c.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._binaries / program, "-D", self._folder / "data", *arguments]
        with (self._folder / "said").open("wb") as said:  # not a pipe: the server would hold it open
            done = subprocess.run(
                command, user=self._user, group=self._user, cwd="/", stdout=said, stderr=said, check=False
            )
        assert done.returncode == 0, (self._folder / "said").read_text()


def _binaries() -> Path | None:
    on_path = shutil.which("initdb")
    candidates = ([Path(on_path).resolve().parent] if on_path else []) + _DEBIANS
    return next((p for p in candidates if (p / "pg_ctl").exists()), None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not on this machine")
    folder = Path(tempfile.mkdtemp(prefix="overpaint-pg-"))  # short: a socket's path has 107 characters at most
    try:
        server = Postgres(binaries, folder)
        yield server
        server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> str:
    """An empty database."""
    return postgres_server.database()
