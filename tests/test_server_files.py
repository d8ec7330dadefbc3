"""The data folder: names, links, room and time, half-written files, and whose it is."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import hypothesis.strategies as st
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, example, given, settings

from overpaint.encode import write_atomically
from overpaint.errors import DiskFullError, FolderInUseError, OutputError, OverpaintError, StoreError
from overpaint.server.files import Files, Tidied
from overpaint.server.records import FORMATS, new_id

WORKER = ROOT / "tests" / "store_worker.py"
NONE: frozenset[str] = frozenset()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def files(data: Path) -> Iterator[Files]:
    with Files(data) as files:
        yield files


def aged(path: Path, seconds: float) -> None:
    when = time.time() - seconds
    os.utime(path, (when, when))


def test_bytes_come_back(files: Files, data: Path) -> None:
    digest = files.put_input(b"a picture")
    assert digest == sha256(b"a picture").hexdigest()
    assert files.read_input(digest) == b"a picture"
    job = new_id()
    for format in FORMATS:
        assert files.put_result(job, format, format.encode()) == sha256(format.encode()).hexdigest()
    for format in FORMATS:
        f = files.open_result(job, format)
        assert f is not None
        with f:
            assert f.read() == format.encode()
    assert files.used() == (9, sum(map(len, FORMATS)))
    files.remove_results([job, new_id()])
    assert files.open_result(job, "png") is None
    assert files.open_input("0" * 64) is None
    assert files.read_input("0" * 64) is None


def test_all_of_it_is_private(files: Files, data: Path) -> None:
    files.put_input(b"x")
    assert files.database.parent.is_dir()
    for folder in (data, *(p for p in data.iterdir() if p.is_dir())):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_was_there_stays_as_it_is(data: Path) -> None:
    """What is in ours is private even so."""
    data.mkdir(mode=0o755)
    data.chmod(0o755)
    (data / "results").mkdir()
    (data / "results").chmod(0o777)
    with Files(data):
        pass
    assert stat.S_IMODE(data.stat().st_mode) == 0o755
    assert {stat.S_IMODE(p.stat().st_mode) for p in data.iterdir() if p.is_dir()} == {0o700}


# names


NAMES = st.one_of(
    st.text(max_size=80),
    st.text("0123456789abcdef", min_size=31, max_size=33),
    st.text("0123456789abcdef", min_size=63, max_size=65),
    st.text("./\\%\0:~", max_size=40),
    st.builds(lambda a, b: a + b, st.sampled_from(["../", "%2e%2e/", "%252e", "/", "C:\\", "\\\\x\\"]), st.text()),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(name=NAMES)
@example("../secret")
@example("..")
@example("")
@example("0" * 64 + "\n")
@example("0" * 32 + "\n")
@example("A" * 32)
@example("\uff10" * 32)  # a digit, but not one of ours
@example("0" * 32 + "/../../secret")
def test_nothing_but_ids_and_digests_is_a_name(files: Files, data: Path, name: str) -> None:
    """X04"""
    (data / "secret").write_text("secret")
    assert files.open_input(name) is None
    assert files.read_input(name) is None
    for format in (*FORMATS, "../secret", ""):
        assert files.open_result(name, format) is None  # type: ignore[arg-type]
    if not re.fullmatch("[0-9a-f]{32}", name):
        with pytest.raises(ValueError, match="named by a job's id"):
            files.put_result(name, "png", b"x")
        with pytest.raises(ValueError, match="named by a job's id"):
            files.remove_results([name])
    with pytest.raises(ValueError, match="named by a job's id"):
        files.put_result("0" * 32, name, b"x")  # type: ignore[arg-type]
    assert {p.name for p in data.rglob("*")} == {"database", "inputs", "results", "secret", "server.lock"}


def test_what_only_begins_like_a_name(files: Files, data: Path) -> None:
    digest, job = files.put_input(b"x"), new_id()
    for name in (data / "inputs" / f"{digest}x", data / "results" / f"{job}x.png", data / "results" / f"{job}.pngx"):
        name.write_text("a user's")
    assert files.open_input(f"{digest}x") is None
    assert files.open_result(f"{job}x", "png") is None
    assert files.open_result(job, "pngx") is None  # type: ignore[arg-type]
    assert files.tidy(time.time() + 10, 0, set, set) == Tidied((), (digest,))


def test_no_link_is_followed(files: Files, data: Path, tmp_path: Path) -> None:
    """X04, F13: nor is a pipe or a socket waited for."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    digest, job = sha256(b"secret").hexdigest(), new_id()
    (data / "inputs" / digest).symlink_to(secret)
    (data / "results" / f"{job}.png").symlink_to(secret)
    os.mkfifo(data / "results" / f"{job}.webp")
    (data / "results" / f"{job}.jpeg").mkdir()
    assert files.open_input(digest) is None
    for format in FORMATS:
        assert files.open_result(job, format) is None
    assert files.used() == (0, 0)
    assert files.tidy(time.time() + 10, 0, set, set) == Tidied((), ())

    assert files.put_input(b"secret") == digest  # in the link's place
    files.put_result(job, "png", b"result")
    assert files.read_input(digest) == b"secret"
    assert not (data / "inputs" / digest).is_symlink()
    assert secret.read_text() == "secret"


@pytest.mark.parametrize("name", ["inputs", "results", "database"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_folders_that_are_none(data: Path, tmp_path: Path, name: str, kind: str) -> None:
    data.mkdir()
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        (data / name).symlink_to(tmp_path / "elsewhere")
    else:
        (data / name).write_text("")
    with pytest.raises(StoreError):
        Files(data)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(StoreError, match="cannot be used"):
            Files(folder)
    (tmp_path / "server.lock").symlink_to(tmp_path / "file")
    with pytest.raises(StoreError):
        Files(tmp_path)


# time and room


def test_what_is_too_old_goes(files: Files, data: Path) -> None:
    jobs = [new_id() for _ in range(4)]
    for i, job in enumerate(jobs):
        files.put_result(job, FORMATS[i % 3], b"x" * 10)
        aged(data / "results" / f"{job}.{FORMATS[i % 3]}", 100 * i)
    digests = [files.put_input(bytes([i])) for i in range(4)]
    for digest in digests[1:]:
        aged(data / "inputs" / digest, 1000)
    (data / "results" / "mine.png").write_text("a user's")
    aged(data / "results" / "mine.png", 1000)
    (data / "inputs" / "notes").write_text("a user's")
    aged(data / "inputs" / "notes", 1000)

    gone = files.tidy(time.time() - 150, 10**6, lambda: {digests[1]}, lambda: {jobs[3]})
    assert gone == Tidied((jobs[2],), gone.inputs)
    assert set(gone.inputs) == set(digests[2:])
    assert {p.stem for p in (data / "results").iterdir()} == {jobs[0], jobs[1], jobs[3], "mine"}
    assert {p.name for p in (data / "inputs").iterdir()} == {*digests[:2], "notes"}


def test_the_oldest_results_make_room(files: Files, data: Path) -> None:
    jobs = [new_id() for _ in range(5)]
    for i, job in enumerate(jobs):
        files.put_result(job, "png", b"x" * 10)
        aged(data / "results" / f"{job}.png", 100 - i)
    assert files.tidy(0, 50, set, set) == Tidied((), ())
    assert files.tidy(0, 35, set, lambda: {jobs[0]}).results == (jobs[1], jobs[2])  # 0 runs, and is not told yet
    assert files.tidy(0, 0, set, lambda: {jobs[0]}).results == (jobs[3], jobs[4])
    assert files.used() == (0, 10)


def test_an_input_that_comes_again_is_new(files: Files, data: Path) -> None:
    """Even while it is tidied: the job that needs it is about to be stored."""
    digests = [files.put_input(bytes([i])) for i in range(2)]
    for digest in digests:
        aged(data / "inputs" / digest, 1000)

    def referred() -> set[str]:
        assert files.put_input(b"\1") == digests[1]
        return set()

    assert files.tidy(time.time() - 100, 10**6, referred, set).inputs == (digests[0],)
    assert files.read_input(digests[1]) == b"\1"


def test_an_input_that_was_damaged(files: Files, data: Path) -> None:
    digest = files.put_input(b"a picture")
    (data / "inputs" / digest).write_bytes(b"b picture")
    with pytest.raises(StoreError, match="is not what was written there"):
        files.read_input(digest)
    (data / "inputs" / digest).write_bytes(b"a pic")  # cut off
    files.put_input(b"a picture")
    assert files.read_input(digest) == b"a picture"


def test_no_room(files: Files, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S25: an error of ours, nothing under the final name, and it works again when there is room."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    job = new_id()
    with monkeypatch.context() as m:
        m.setattr("overpaint.encode.os.fsync", full)
        with pytest.raises(DiskFullError):
            files.put_input(b"x")
        with pytest.raises(DiskFullError):
            files.put_result(job, "png", b"x")
    assert files.open_result(job, "png") is None
    assert [p.name for p in data.rglob("*") if p.is_file()] == ["server.lock"]
    files.put_result(job, "png", b"x")
    (data / "results" / f"{job}.png").unlink()
    (data / "results").rmdir()
    (data / "results").write_text("")
    for use in (lambda: files.put_result(job, "png", b"x"), files.used, lambda: files.tidy(0, 0, set, set)):
        with pytest.raises(OverpaintError):
            use()


def test_an_error_of_reading_is_not_a_missing_file(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """F17"""
    digest = files.put_input(b"x")

    def broken(*_: object) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as m:
        m.setattr("overpaint.server.files.os.open", broken)
        with pytest.raises(StoreError, match="Too many open files"):
            files.read_input(digest)
    assert files.read_input(digest) == b"x"


def test_half_written_files_of_a_dead_server_go(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F19: ours, and no others."""
    with Files(data) as files, monkeypatch.context() as m:
        m.setattr(Path, "unlink", lambda *_, **__: None)  # as if killed while it writes
        m.setattr(Path, "replace", lambda *_: None)
        files.put_input(b"x")
        write_atomically(data / "results" / "y", b"y")
    partial = {p.parent.name: p for p in data.rglob("*.partial")}
    assert set(partial) == {"inputs", "results"}
    others = [data / "results" / name for name in (".mine.partial", "00000000.partial", ".00000000.partial.png")]
    for other in others:
        other.write_text("a user's")
    link = data / "results" / ".00000000.partial"
    link.symlink_to(others[0])
    with Files(data):
        assert not any(p.exists() for p in partial.values())
        assert all(p.exists() for p in (*others, link))


# one server to a folder


def test_one_server_to_a_folder(data: Path) -> None:
    """F10, S22: a second one is told by whom; the lock ends with its process, killed or not."""
    process = subprocess.Popen([sys.executable, WORKER, "hold", data], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        told = f"process id {process.pid} on '{os.uname().nodename}'"
        with pytest.raises(FolderInUseError, match=told) as refused:
            Files(data)
        assert refused.value.exit_code == 5
        assert isinstance(refused.value, OutputError) is False
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert str(process.pid) in (data / "server.lock").read_text()  # dead
    with Files(data), pytest.raises(FolderInUseError, match=f"process id {os.getpid()} on"):
        Files(data)
    with Files(data):
        pass


@pytest.mark.parametrize("text", ["", "{}", "[]", "\0\xff", '{"pid": "x\\n", "host": 3}', '{"pid": 1e999, "host": ""}'])
def test_a_lock_that_says_nothing(files: Files, data: Path, text: str) -> None:
    (data / "server.lock").write_bytes(text.encode("latin-1"))
    with pytest.raises(FolderInUseError, match="another server"):
        Files(data)


def test_a_folder_that_fails_is_let_go(data: Path) -> None:
    data.mkdir()
    (data / "inputs").write_text("")
    with pytest.raises(StoreError):
        Files(data)
    (data / "inputs").unlink()
    with Files(data):
        pass
