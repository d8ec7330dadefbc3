"""One worker process, seen from the server: its pipes, its start and its end."""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from overpaint.errors import SandboxError
from overpaint.server import frames
from overpaint.server.sandboxed import DONE, ENDED

_START = 60.0  # seconds to import the decoders in, on a busy machine
_STOP = 2.0  # seconds to end by itself in
_AFTER = 0.1  # seconds for a task to be gone in, after an answer that makes no sense
_PASSED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")  # of the environment: what Python may need to start
_PIECE = 1 << 20  # bytes in a pipe, where the system lets us say so


class Late(Exception):
    """The time for a task is over."""


class Crashed(Exception):
    """A task, or its worker, ended without having answered; says how."""


class Worker:
    """One worker process and its pipes, for one thread at a time."""

    def __init__(self, module: str, megabytes: int, cpu_seconds: int) -> None:
        self._deadline = time.monotonic() + _START
        self.layers: list[str] | None = None  # None until it is ready
        answers, answers_in = os.pipe()
        control, control_in = os.pipe()
        arguments = [str(n) for n in (answers_in, control_in, megabytes, cpu_seconds, os.getpid())]
        folder = tempfile.mkdtemp(prefix="overpaint-")  # of mode 0700
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,  # libraries may talk
                stderr=subprocess.DEVNULL,
                pass_fds=(answers_in, control_in),
                env=_environment(folder),
                cwd=folder,
                start_new_session=True,
            )
        except BaseException:
            os.close(answers)
            os.close(control)
            raise
        finally:
            os.close(answers_in)
            os.close(control_in)
            os.rmdir(folder)  # it stays the worker's current folder: one in which nothing can ever be made
        assert self._process.stdin is not None
        self._requests, self._answers, self._control = self._process.stdin.fileno(), answers, control
        for pipe in (self._requests, answers, control):
            os.set_blocking(pipe, False)
        for pipe in (self._requests, answers):
            with contextlib.suppress(AttributeError, OSError):  # Linux: fewer turns for large pictures
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIECE)
        self._sent = self._ended = False  # of the task at hand: all of it sent, its process gone
        self._over = False
        self._lock = threading.Lock()

    def is_ready(self) -> bool:
        """Waits for it to be. False if an idle one has died meanwhile, or has something to say unasked."""
        if self.layers is None:
            try:
                told = frames.header(self._fill_from_control)
            except (Crashed, Late, frames.BrokenFrame) as e:
                raise SandboxError(f"a worker process for pictures does not start: {e or type(e).__name__}") from e
            self.layers = [str(layer) for layer in told["ready"]]
            return True
        return not _ready({self._control: select.POLLIN, self._answers: select.POLLIN}, 0)

    def ask(self, seconds: float, header: dict[str, Any], *parts: Any) -> None:
        """Send a task, whose answer is to be there in so many seconds."""
        self._deadline = time.monotonic() + seconds
        self._sent = self._ended = False
        frames.send(self._put, header, *parts)
        self._sent = True

    def _put(self, view: memoryview) -> None:
        while view:
            ready = _ready({self._control: select.POLLIN, self._requests: select.POLLOUT}, self._left())
            if self._control in ready:
                raise Crashed(self._status())
            if not ready:
                raise Late
            try:
                view = view[os.write(self._requests, view[:_PIECE]) :]
            except BlockingIOError:  # room, but for fewer bytes than are written at once
                time.sleep(0.001)
            except BrokenPipeError as e:
                raise Crashed("its process is gone") from e

    def fill(self, view: memoryview) -> None:
        """Of what a task answers."""
        while view:
            ready = _ready({self._answers: select.POLLIN, self._control: select.POLLIN}, self._left())
            if self._answers in ready and (count := os.readv(self._answers, [view])):
                view = view[count:]
            elif ready:  # it has ended, and what it wrote is read
                raise Crashed(self._status())
            else:
                raise Late

    def finish(self) -> None:
        """Wait for the task's process to be gone; it must have answered once and no more."""
        status = self._status()
        if status != _FINE:
            raise Crashed(status)
        if _ready({self._answers: select.POLLIN}, 0):
            raise frames.BrokenFrame("more than an answer")

    def is_well(self) -> bool:
        """After a task that failed: whether it is gone and nothing of it is left in the pipes."""
        try:
            self._deadline = time.monotonic() + _AFTER
            if not self._sent or not (self._ended or self._status()):
                return False
            while _ready({self._answers: select.POLLIN}, 0):
                if not os.read(self._answers, _PIECE):
                    return False
        except (Crashed, Late):
            return False
        return True

    def kill(self) -> None:
        """From any thread; whoever uses it finds it gone."""
        with self._lock:
            if not self._over:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it and wait for that. By its only user."""
        assert self._process.stdin is not None
        self._process.stdin.close()  # it ends its task and then itself
        try:
            self._process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        with self._lock:
            self._over = True
        os.close(self._answers)
        os.close(self._control)

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _fill_from_control(self, view: memoryview) -> None:
        while view:
            if not _ready({self._control: select.POLLIN}, self._left()):
                raise Late
            count = os.readv(self._control, [view])
            if count == 0:
                raise Crashed("its process is gone")
            view = view[count:]

    def _status(self) -> str:
        """How a task ended, in words."""
        (status,) = ENDED.unpack(frames.part(self._fill_from_control, ENDED.size))
        self._ended = True
        if status == DONE:
            return _FINE
        if status >= 0:
            return f"it ended with exit code {status}"
        by = -status
        name = signal.Signals(by).name if by in set(signal.Signals) else f"signal {by}"
        why = {"SIGKILL": ", perhaps for want of memory", "SIGXCPU": ", its CPU time is used up"}
        return f"{name}{why.get(name, '')}"


_FINE = "it ended well"  # which is no answer by itself


def _ready(wanted: dict[int, int], seconds: float) -> set[int]:
    """Those of the pipes that can be read or written, or have ended, waiting for the first."""
    poll = select.poll()
    for pipe, events in wanted.items():
        poll.register(pipe, events)
    return {pipe for pipe, _ in poll.poll(seconds * 1000)}


def _environment(folder: str) -> dict[str, str]:
    """None of the server's own but what finds the same modules."""
    kept = {name: os.environ[name] for name in _PASSED if name in os.environ}
    path = os.pathsep.join(os.path.abspath(place) for place in sys.path)
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **one_thread, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": folder, "HOME": folder}
