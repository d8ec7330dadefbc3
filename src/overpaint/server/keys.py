"""API keys: who may use the server, as names and SHA-256 digests. The keys themselves are not kept in memory."""

import os
import re
import stat
from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import NoReturn, Self

from overpaint.errors import ParameterError

VARIABLE = "OVERPAINT_API_KEY"  # the environment's one key
DEFAULT_OWNER = "default"  # whose it is
MOST_BYTES = 1_000_000  # of a file of keys

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = re.compile(r"[!-~]{16,200}")
_FORM = "a key must be 16 to 200 printable ASCII characters without spaces"


class Keys:
    """The owners of keys by their keys' digests.

    A digest without salt or stretching is enough: keys are long and random, nobody's password.
    Neither errors nor ``repr`` show a key, or a line that may hold one.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Of (owner's name, key). Raises ``ParameterError`` unless there are some, well formed, each there once."""
        self._digests: list[tuple[str, bytes]] = []
        for number, (name, key) in enumerate(pairs, 1):
            self._add(name, key, f"key {number}")
        if not self._digests:
            _refuse("there is no key in it")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Of a file with a line ``name:key`` for each; empty lines and those that start with ``#`` are passed over.

        Raises ``ParameterError`` where it cannot be read, others than its owner may read it, or a line is not right.
        """
        keys = cls.__new__(cls)
        keys._digests = []
        for number, line in enumerate(_text_of(path).splitlines(), 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            name, colon, key = line.partition(":")
            if not colon:
                _refuse(f"line {number} must be NAME:KEY")
            keys._add(name.strip(), key.strip(), f"line {number}")
        if not keys._digests:
            _refuse(f"there is no key in {path}")
        return keys

    @classmethod
    def from_environment(cls) -> Self | None:
        """Of ``OVERPAINT_API_KEY``, whose owner is called "default"; None where it is not set.

        Set but empty raises ``ParameterError``, like any malformed key: whoever wrote it meant there to be one.
        """
        key = os.environ.get(VARIABLE)
        if key is None:
            return None
        if not _KEY.fullmatch(key):
            raise ParameterError(VARIABLE, _FORM)
        return cls([(DEFAULT_OWNER, key)])

    def owner_of(self, presented: str) -> str | None:
        """The name of the key's owner; None: nobody's. Takes as long whichever it is, and whether it is one at all."""
        digest = sha256(presented.encode("utf-8", "surrogatepass")).digest()
        owner = None
        for name, known in self._digests:
            if compare_digest(digest, known):
                owner = name  # and on: an early end would tell by its time which one it is
        return owner

    def __len__(self) -> int:
        return len(self._digests)

    def __repr__(self) -> str:
        return f"<Keys of {len(self)}>"

    def _add(self, name: str, key: str, where: str) -> None:
        if not _NAME.fullmatch(name):
            _refuse(f"{where}: a name must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")
        if not _KEY.fullmatch(key):
            _refuse(f"{where}: {_FORM}")
        digest = sha256(key.encode("ascii")).digest()
        if any(name == other for other, _ in self._digests):
            _refuse(f"{where}: the name {name} was there before")
        if any(digest == known for _, known in self._digests):
            _refuse(f"{where}: its key was there before, under another name")
        self._digests.append((name, digest))


_OTHERS = 0o027  # a group may read it: so systemd's credentials and the secrets of containers come


def _text_of(path: Path) -> str:
    """Of a file that is not open to everybody; checked on what was opened, which cannot be exchanged meanwhile."""
    try:
        with open(path, "rb", opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                _refuse(f"{path} is not a file")
            if status.st_mode & _OTHERS:
                _refuse(f"{path} can be read by everybody, or written by its group: chmod 600 {path}")
            data = file.read(MOST_BYTES + 1)
    except OSError as e:
        _refuse(f"{path} cannot be read: {e.strerror}")
    if len(data) > MOST_BYTES:
        _refuse(f"{path} has more than {MOST_BYTES:,} bytes")
    return data.decode("utf-8-sig", "replace")  # comments may be in any language; keys are checked to be ASCII


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a FIFO must not hold up the start


def _refuse(message: str) -> NoReturn:
    raise ParameterError("key_file", message)
