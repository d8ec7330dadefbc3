"""From where a picture's bytes come: a path, standard input, an open file; never more than a stated number of them."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from overpaint.decode import sniff
from overpaint.errors import ImageError

MAX_BYTES = 1 << 30  # of a file; a device or a pipe may have no end
STDIN = "-"
_PIECE = 1 << 20


def read(source: object) -> tuple[str, bytes]:
    """(name for messages, the bytes), at least one."""
    if isinstance(source, bytes | bytearray | memoryview):
        name, size = "the picture's bytes", memoryview(source).nbytes
        _check_length(size, name)
        data = bytes(source)
    elif isinstance(source, str) and source == STDIN:
        name = "standard input"
        data = _read_all(sys.stdin.buffer.read, name)
    elif isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        data = _read_path(name)
    else:
        name, data = _read_open(source)
    if not data:
        more = ", or already read to its end" if hasattr(source, "read") else ""
        raise ImageError(f"{name} is empty{more}", kind="empty")
    return name, data


def _read_path(name: str) -> bytes:
    try:
        with Path(name).open("rb") as f:
            status = os.fstat(f.fileno())
            if stat.S_ISREG(status.st_mode):
                _check_length(status.st_size, name)
            return _read_all(f.read, name)
    except (OSError, ValueError) as e:
        if isinstance(e, ImageError):
            raise
        raise ImageError(f"{name} cannot be read: {getattr(e, 'strerror', None) or e}") from e


def _read_open(f: object) -> tuple[str, bytes]:
    read = getattr(f, "read", None)
    if not callable(read):
        raise ImageError(
            f"a picture must be a path, bytes, a binary file, a PIL image, an array or a tensor, not {type(f).__name__}"
        )
    name = str(getattr(f, "name", "the open file"))
    try:
        return name, _read_all(read, name)
    except ImageError:
        raise
    except Exception as e:  # it is anybody's object
        raise ImageError(f"{name} cannot be read: {e or type(e).__name__}") from e


def _read_all(read: Callable[[int], Any], name: str) -> bytes:
    """All that ``read`` gives; refused as soon as it cannot become a picture, by its first bytes or its length."""
    pieces: list[bytes] = []
    length = 0
    while True:
        _check_length(length, name)
        piece = read(_PIECE)
        if not isinstance(piece, bytes):
            wrong = "text; open it with mode 'rb'" if isinstance(piece, str) else type(piece).__name__
            raise ImageError(f"{name} must give bytes when it is read, not {wrong}")
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        length += len(piece)
        if len(pieces) == 1 and len(piece) >= sniff.HEAD:
            sniff.kind_of(piece[: sniff.HEAD], name)


def _check_length(length: int, name: str) -> None:
    if length > MAX_BYTES:
        words = f"{name} is larger than {MAX_BYTES:,} bytes, which is the most that is read"
        raise ImageError(words, kind="too_large")
