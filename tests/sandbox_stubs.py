"""A worker process of `sandbox` whose decoder does what it is told: decoders that hang, crash, or are taken over.

`Sandbox(module="sandbox_stubs")`: bytes that begin with "stub:" name what to do, all others are decoded as ever.
"""

import ctypes
import errno
import faulthandler
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from overpaint.server import frames, sandboxed

PREFIX = b"stub:"
UNREAD, EARLY = 3_000_001, 50_001  # lengths of requests that are not read, and answered without being read
LIBC = ctypes.CDLL(None, use_errno=True)  # looked up before the audit hook is there: this is what machine code can do
ERRNO = ctypes.get_errno


def to() -> int:
    return int(sys.argv[1])


def allocate() -> None:
    kept = []
    while True:
        kept.append(bytearray(16 << 20))


def burn() -> None:
    while True:
        pass


def flood() -> None:
    while True:
        os.write(to(), b"x" * 65536)


def hide() -> None:
    """Ends the pipe by which it is seen that the task is alive, and lives on."""
    os.closerange(to() + 1, 32)
    time.sleep(60)


DOES: dict[str, Callable[[], object]] = {
    "sleep": lambda: time.sleep(60),
    "burn": burn,
    "allocate": allocate,
    "flood": flood,
    "hide": hide,
    "abort": os.abort,
    "segfault": faulthandler._sigsegv,  # type: ignore[attr-defined]
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "CPU time": lambda: os.kill(os.getpid(), signal.SIGXCPU),
    "raise": lambda: 1 / 0,
    "recursion": lambda: DOES["recursion"](),
    "exit 0": lambda: os._exit(0),
    "exit as if done": lambda: os._exit(sandboxed.DONE),
    "garbage": lambda: (os.write(to(), b"garbage" * 99), os._exit(sandboxed.DONE)),
    "half a header": lambda: (os.write(to(), frames.MAGIC + b"\0\0\1\0{"), os._exit(sandboxed.DONE)),
    "long header": lambda: (os.write(to(), frames.MAGIC + b"\xff" * 999), os._exit(sandboxed.DONE)),
    "pickle": lambda: (os.write(to(), b"cos\nsystem\n(S'touch /tmp/owned'\ntR."), os._exit(sandboxed.DONE)),
    "no JSON": lambda: raw(b"[" * 100_000),
    "no object": lambda: raw(b"[1]"),
}


def raw(text: bytes) -> None:
    os.write(to(), frames.MAGIC + len(text).to_bytes(4, "little") + text)
    os._exit(sandboxed.DONE)


GOOD: dict[str, Any] = {"answer": "decode", "shape": [2, 3], "dtype": "uint8", "alpha": False, "notes": []}
# answers of a worker that was taken over: what is not as it should be, and the bytes that follow
FORGED: dict[str, tuple[dict[str, Any], int]] = {
    "no ticket": ({"ticket": None}, 18),
    "other answer": ({"answer": "recipes"}, 18),
    "unknown answer": ({"answer": "run"}, 18),
    "too few bytes": ({}, 17),
    "too many bytes": ({}, 19),
    "huge": ({"shape": [16000, 16000]}, 18),
    "side too long": ({"shape": [1, 20000]}, 60_000),
    "no size": ({"shape": [0, 3]}, 0),
    "negative": ({"shape": [-2, -3]}, 18),
    "size in words": ({"shape": ["2", "3"]}, 18),
    "size of floats": ({"shape": [2.0, 3.0]}, 18),
    "three sides": ({"shape": [2, 3, 3]}, 18),
    "objects": ({"dtype": "object"}, 144),
    "list as type": ({"dtype": ["uint8"]}, 18),
    "alpha in words": ({"alpha": "yes"}, 24),
    "notes no list": ({"notes": "note"}, 18),
    "notes no text": ({"notes": [1]}, 18),
    "many notes": ({"notes": [""] * 101}, 18),
    "unknown error": ({"answer": "error", "type": "KeyboardInterrupt", "text": "x"}, 0),
    "private error": ({"answer": "error", "type": "__class__", "text": "x"}, 0),
    "error without text": ({"answer": "error", "type": "ImageError", "text": None, "kind": "format"}, 0),
    "error without a kind": ({"answer": "error", "type": "ImageError", "text": "x"}, 0),
    "error of an unknown kind": ({"answer": "error", "type": "ImageError", "text": "x", "kind": "fine"}, 0),
    "kind no text": ({"answer": "error", "type": "ImageError", "text": "x", "kind": ["format"]}, 0),
}


def forge(asked: dict[str, Any], changes: dict[str, Any], count: int) -> None:
    sandboxed.answer(to(), {**GOOD, "ticket": asked["ticket"], **changes}, bytes(count))
    os._exit(sandboxed.DONE)


# ---- what a task can do ----------------------------------------------------------------------------------------------


def tried(call: Callable[[], Any]) -> str:
    """ "done", or the name of the error."""
    try:
        result = call()
    except OSError as e:
        return errno.errorcode.get(e.errno or 0, type(e).__name__)
    except Exception as e:
        return type(e).__name__
    return errno.errorcode[ERRNO()] if isinstance(result, int) and result < 0 else "done"


def probe(told: dict[str, Any]) -> dict[str, Any]:
    """What it comes to: by machine code, by Python, and what is there to be seen."""
    place, server = told["place"].encode(), told["server"]
    by_code = {
        "INET socket": lambda: LIBC.socket(2, 1, 0),
        "UNIX socket": lambda: LIBC.socket(1, 1, 0),
        "netlink socket": lambda: LIBC.socket(16, 3, 0),
        "io_uring": lambda: LIBC.syscall(425, 1, None),
        "make a file": lambda: LIBC.open(place + b"/made", os.O_CREAT | os.O_WRONLY, 0o600),
        "write a file": lambda: LIBC.open(place + b"/there", os.O_WRONLY),
        "cut a file": lambda: LIBC.truncate(place + b"/there", 0),
        "remove a file": lambda: LIBC.unlink(place + b"/there"),
        "make a folder": lambda: LIBC.mkdir(place + b"/folder", 0o700),
        "fork": LIBC.fork,
        "execute": lambda: LIBC.execv(b"/bin/true", None),
        "signal the server": lambda: LIBC.kill(server, 0),
        "trace the server": lambda: LIBC.ptrace(16, server, None, None),
        "limit the server": lambda: LIBC.prlimit(server, resource.RLIMIT_CPU, None, bytes(16)),
    }
    by_reading = {
        "read a file": lambda: LIBC.open(place + b"/there", os.O_RDONLY),
        "read the server's environment": lambda: LIBC.open(f"/proc/{server}/environ".encode(), os.O_RDONLY),
        "list a folder": lambda: LIBC.open(place, os.O_RDONLY | os.O_DIRECTORY),
    }
    by_python = {
        "socket": socket.socket,
        "program": lambda: subprocess.run(["/bin/true"], check=False),
        "fork": os.fork,
        "write": lambda: Path("/dev/null").write_text("", encoding="ascii"),
        "dlopen": lambda: ctypes.CDLL(None),
        "more memory": lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)),
        "current folder": os.getcwd,
        "file in it": lambda: LIBC.open(b"here", os.O_CREAT | os.O_WRONLY, 0o600),
    }
    return {
        "code": {name: tried(call) for name, call in by_code.items()},
        "reading": {name: tried(call) for name, call in by_reading.items()},
        "python": {name: tried(call) for name, call in by_python.items()},
        "environment": dict(os.environ),
        "files": [fd for fd in range(32) if is_open(fd)],
        "limits": {n: resource.getrlimit(getattr(resource, f"RLIMIT_{n}")) for n in ("CPU", "FSIZE", "NOFILE", "CORE")},
        "group": [os.getpgid(0), os.getppid(), os.getsid(0)],
        "modules": [m for m in ("torch", "sqlalchemy", "fastapi", "asyncio") if m in sys.modules],
    }


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


# ---- the worker ------------------------------------------------------------------------------------------------------


def decode(asked: dict[str, Any], data: bytearray) -> sandboxed.Answer:
    if not data.startswith(PREFIX):
        return sandboxed.decode_task(asked, data)
    what, _, more = data.removeprefix(PREFIX).decode().partition("\n")
    if what == "probe":
        return {**GOOD, "notes": [json.dumps(probe(json.loads(more)))]}, [bytes(18)]
    if what == "pid":
        return {**GOOD, "notes": [str(os.getpid()), str(os.getppid())]}, [bytes(18)]
    if what == "hostile text":
        return {**GOOD, "notes": ["\x1b[2J\ud800\u202e" + "x" * 9000]}, [bytes(18)]
    if what in FORGED:
        forge(asked, *FORGED[what])
    DOES[what]()
    raise AssertionError(what)


def encode(asked: dict[str, Any], data: bytearray) -> sandboxed.Answer:
    """Results that hang or crash, by their first pixel."""
    if data[0] == 1:
        DOES["sleep"]()
    if data[0] == 2:
        DOES["abort"]()
    return sandboxed.encode_task(asked, data)


def texts(asked: dict[str, Any], data: bytearray) -> sandboxed.Answer:
    """Of a worker that was taken over: whatever bytes it was given to say."""
    if not data.startswith(PREFIX):
        return sandboxed.texts_task(asked, data)
    said = bytes(data.removeprefix(PREFIX))
    return {"bytes": len(said)}, [said]


def greys(asked: dict[str, Any], data: bytearray) -> sandboxed.Answer:
    """Of a worker that was taken over: the sizes that it was given to say, and as many bytes as their sum."""
    maps = json.loads(data)
    if not maps or "sizes" not in maps[0]:
        return sandboxed.greys_task(asked, data)
    return {"sizes": maps[0]["sizes"]}, [bytes(10)]


def part(fill: frames.Fill, length: int) -> bytearray:
    if length == UNREAD:
        time.sleep(60)
    return bytearray(PREFIX + b"pid") if length == EARLY else PART(fill, length)


PART = frames.part

if __name__ == "__main__":
    frames.part = part
    sandboxed.main({**sandboxed.TASKS, "decode": decode, "encode": encode, "greys": greys, "texts": texts})
