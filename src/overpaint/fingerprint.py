"""``Fingerprint``: the hash that says which model made a picture."""

import hashlib
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from overpaint.errors import ModelError


class Fingerprint:
    """The hash of files, made in a thread while they are loaded: hashlib and reading let other threads run.

    It is the SHA-256 of what ``sha256sum`` prints for the files, named below ``folder`` and in the order of their
    names. Leaving the ``with`` block stops the thread.
    """

    def __init__(self, folder: Path, files: Iterable[Path]) -> None:
        self._files = sorted((file.relative_to(folder).as_posix(), file) for file in files)
        self._before = [_identity(file) for _, file in self._files]
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(1, "overpaint-hash")
        self._digest = self._pool.submit(self._make)

    def __enter__(self) -> "Fingerprint":
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._pool.shutdown()

    def result(self) -> str:
        """64 hex characters; ``ModelError`` if a file is not the one it was at the start."""
        self._digest.exception()  # waits
        for (name, file), before in zip(self._files, self._before, strict=True):
            if not file.exists() or _identity(file) != before:
                raise ModelError(f"{file.parent.parent}: {name} changed while it was being read; load the model again")
        return self._digest.result()

    def _make(self) -> str:
        listing = "".join(f"{self._hash_file(file)}  {name}\n" for name, file in self._files)
        return hashlib.sha256(listing.encode()).hexdigest()

    def _hash_file(self, path: Path) -> str:
        sha, buffer = hashlib.sha256(), bytearray(2**20)
        with path.open("rb", buffering=0) as file:
            while (count := file.readinto(buffer)) and not self._stopped.is_set():
                sha.update(memoryview(buffer)[:count])
        return sha.hexdigest()


def _identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino
