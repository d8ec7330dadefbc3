"""Messages between the server and its worker processes: a JSON header and raw bytes, each of a length said before.

    4 bytes magic | 4 bytes length of the header | the header, JSON | as many raw bytes as the header lets expect

Nothing here can carry code: there is no pickle, and who reads decides what to take before it reads it.
"""

import json
import struct
from collections.abc import Callable
from typing import Any

MAGIC = b"OvF1"
MAX_HEADER = 1 << 20  # bytes
_HEAD = struct.Struct(">4sI")

Fill = Callable[[memoryview], None]  # fills all of it, or raises
Send = Callable[[memoryview], None]  # sends all of it, or raises


class BrokenFrame(Exception):
    """What came is not a message, or not the one that was due."""


def send(put: Send, header: dict[str, Any], *parts: Any) -> None:
    """One message; ``parts`` are bytes or arrays that are contiguous."""
    text = json.dumps(header).encode()
    if len(text) > MAX_HEADER:
        raise BrokenFrame(f"a header of {len(text):,} bytes")
    put(memoryview(_HEAD.pack(MAGIC, len(text)) + text))
    for part in parts:
        view = memoryview(part)
        if view.nbytes:
            put(view.cast("B"))


def header(fill: Fill) -> dict[str, Any]:
    """The header of the next message."""
    magic, length = _HEAD.unpack(part(fill, _HEAD.size))
    if magic != MAGIC or length > MAX_HEADER:
        raise BrokenFrame("no message")
    try:
        told = json.loads(part(fill, length))
    except (ValueError, RecursionError) as e:
        raise BrokenFrame("a header that is not JSON") from e
    if not isinstance(told, dict):
        raise BrokenFrame("a header that is no object")
    return told


def part(fill: Fill, length: int) -> bytearray:
    """The next ``length`` bytes."""
    data = bytearray(length)
    if length:
        fill(memoryview(data))
    return data
