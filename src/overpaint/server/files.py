"""The data folder: pictures that jobs need, by the SHA-256 of their bytes, and results, by the job's id.

    FOLDER/server.lock        held by the one server that works here; says which
    FOLDER/database/          jobs.sqlite, unless the database is elsewhere
    FOLDER/inputs/<SHA-256>
    FOLDER/results/<job>.png  .jpeg, .webp

What is not exactly such a digest or id never becomes a name, nothing is read through a link, and a file is whole or
not there.
"""

import errno
import fcntl
import json
import os
import re
import socket
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from overpaint.encode import write_atomically
from overpaint.errors import FolderInUseError, OverpaintError, StoreError
from overpaint.server.records import FORMATS, FormatName

_DIGEST = re.compile("[0-9a-f]{64}")
_ID = re.compile("[0-9a-f]{32}")
_RESULT = re.compile(rf"([0-9a-f]{{32}})\.(?:{'|'.join(FORMATS)})")
_PARTIAL = re.compile(r"\.[0-9a-f]{8}\.partial")  # as `write_atomically` names them
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # without waiting for a pipe's other end

_NO_FILE = {errno.ENOENT, errno.ELOOP, errno.ENXIO}  # nothing there; a link; a socket


@dataclass(frozen=True)
class Tidied:
    """What ``Files.tidy`` removed: results by their job's id, inputs by digest."""

    results: tuple[str, ...]
    inputs: tuple[str, ...]


class Files:
    """The data folder, held by this process until it is closed. For any number of threads.

    Raises:
        FolderInUseError: another server works in it.
        StoreError: it cannot be made, read or cleaned.
        OutputError, DiskFullError: from ``put_input`` and ``put_result``, where there is no way or room to write.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder).absolute()
        self._inputs, self._results = self._folder / "inputs", self._folder / "results"
        self.database = self._folder / "database" / "jobs.sqlite"
        self._keeping = threading.Lock()  # between seeing how old an input is and removing it
        with _our_errors(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _Lock(self._folder / "server.lock")
            try:
                for own in (self._inputs, self._results, self.database.parent):
                    _make_private(own)
                self._remove_partials()
            except BaseException:
                self._lock.release()
                raise

    def close(self) -> None:
        """Leave the folder to others."""
        self._lock.release()

    def __enter__(self) -> "Files":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put_input(self, data: bytes) -> str:
        """Keep these bytes; the digest that gives them back. They count as new, if they were there or not."""
        digest = sha256(data).hexdigest()
        path = self._inputs / digest
        with _our_errors(path), self._keeping:
            there = _regular(path)
            if there is not None and there.st_size == len(data) and path.read_bytes() == data:
                os.utime(path, follow_symlinks=False)
                return digest
        write_atomically(path, data)
        return digest

    def open_input(self, digest: str) -> BinaryIO | None:
        """The file, open for reading; None where there is none."""
        return _open(self._inputs / digest) if _DIGEST.fullmatch(digest) else None

    def read_input(self, digest: str) -> bytes | None:
        """The bytes that were kept, None where there are none. Raises ``StoreError`` if they are not those any more."""
        f = self.open_input(digest)
        if f is None:
            return None
        with f, _our_errors(self._inputs / digest):
            data = f.read()
        if sha256(data).hexdigest() != digest:
            raise StoreError(f"{self._inputs / digest} is not what was written there")
        return data

    def put_result(self, job: str, format: FormatName, data: bytes) -> str:
        """Write a job's result; its SHA-256."""
        write_atomically(self._result(job, format), data)
        return sha256(data).hexdigest()

    def open_result(self, job: str, format: FormatName) -> BinaryIO | None:
        """A job's result, open for reading; None where there is none (any more)."""
        return _open(self._result(job, format)) if _ID.fullmatch(job) and format in FORMATS else None

    def remove_results(self, jobs: Iterable[str]) -> None:
        """Remove these jobs' results, where there are any."""
        with _our_errors(self._results):
            for path in (self._result(job, format) for job in jobs for format in FORMATS):
                path.unlink(missing_ok=True)

    def used(self) -> tuple[int, int]:
        """Bytes of all inputs, and of all results."""
        with _our_errors(self._folder):
            found = _listed(self._inputs, _DIGEST), _listed(self._results, _RESULT)
        inputs, results = (sum(info.st_size for _, info in files) for files in found)
        return inputs, results

    def tidy(
        self,
        older_than: float,
        most_bytes: int,
        referred: Callable[[], Set[str]],
        unfinished: Callable[[], Set[str]],
    ) -> Tidied:
        """Remove what is too old, and the oldest results where all take too much room.

        Args:
            older_than: a time: what was written before it may go.
            most_bytes: that results may take together.
            referred: tells the inputs that are needed; these stay. Asked after the folder was looked at.
            unfinished: tells the jobs whose results are not announced yet; these stay. Likewise.
        """
        with _our_errors(self._folder):
            return Tidied(
                results=tuple(self._tidy_results(older_than, most_bytes, unfinished)),
                inputs=tuple(self._tidy_inputs(older_than, referred)),
            )

    def _tidy_results(self, older_than: float, most_bytes: int, unfinished: Callable[[], Set[str]]) -> Iterator[str]:
        found = sorted(_listed(self._results, _RESULT), key=lambda entry: entry[1].st_mtime)
        room = most_bytes - sum(info.st_size for _, info in found)
        busy = unfinished()
        for path, info in found:
            if path.stem not in busy and (info.st_mtime < older_than or room < 0):
                path.unlink(missing_ok=True)
                room += info.st_size
                yield path.stem

    def _tidy_inputs(self, older_than: float, referred: Callable[[], Set[str]]) -> Iterator[str]:
        old = [path for path, info in _listed(self._inputs, _DIGEST) if info.st_mtime < older_than]
        needed = referred() if old else set()
        for path in old:
            if path.name in needed:
                continue
            with self._keeping:  # it may have been sent again meanwhile, for a job that is not stored yet
                there = _regular(path)
                if there is not None and there.st_mtime < older_than:
                    path.unlink()
                    yield path.name

    def _result(self, job: str, format: FormatName) -> Path:
        if not _ID.fullmatch(job) or format not in FORMATS:
            raise ValueError("a result is named by a job's id and its format")
        return self._results / f"{job}.{format}"

    def _remove_partials(self) -> None:
        """What a server left that was killed as it wrote: nobody else writes here while the folder is held."""
        for folder in (self._inputs, self._results):
            for path, _ in _listed(folder, _PARTIAL):
                path.unlink()


class _Lock:
    """A lock on a file that ends with its process, however that ends; the file says who holds it.

    Not passed on to programs that this process starts. A process that is only forked from it would hold it on.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(os.read(self._descriptor, 1000))
            os.close(self._descriptor)
            raise FolderInUseError(
                f"{path.parent} is in use by {holder}; give this server a folder of its own"
            ) from None
        except OSError:
            os.close(self._descriptor)
            raise
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextmanager
def _our_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OverpaintError:
        raise
    except OSError as e:
        raise StoreError(f"{path} cannot be used: {e.strerror or e}") from e


def _holder(told: bytes) -> str:
    try:
        who = json.loads(told)
        return f"the server with process id {int(who['pid'])} on {str(who['host'])[:100]!r}"
    except (KeyError, OverflowError, TypeError, ValueError):  # it has the lock, and has not written yet
        return "another server"


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode):
        raise StoreError(f"{folder} is a link or a file, must be a folder")
    if stat.S_IMODE(info.st_mode) != 0o700:
        folder.chmod(0o700)


def _regular(path: Path) -> os.stat_result | None:
    try:
        info = path.lstat()
    except FileNotFoundError:
        return None
    return info if stat.S_ISREG(info.st_mode) else None


def _open(path: Path) -> BinaryIO | None:
    try:
        descriptor = os.open(path, _READ)
    except OSError as e:
        if e.errno in _NO_FILE:
            return None
        raise StoreError(f"{path} cannot be read: {e.strerror}") from e
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def _listed(folder: Path, names: re.Pattern[str]) -> list[tuple[Path, os.stat_result]]:
    """The regular files in a folder whose whole name fits."""
    fitting = [Path(entry.path) for entry in os.scandir(folder) if names.fullmatch(entry.name)]
    return [(path, info) for path in fitting if (info := _regular(path)) is not None]
