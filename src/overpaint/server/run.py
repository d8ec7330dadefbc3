"""``serve``: a server's whole life, from an open port to an exit code.

    listening   the port is open: /livez answers, /readyz says 503
    loading     the model is read and tried out, on a thread
    ready       jobs are accepted and run
    draining    after SIGTERM or SIGINT: nothing new; what runs is finished, as far as there is time
    ended       what did not get done waits in the database for the next start

The main thread serves HTTP; a thread of its own leads from one to the next, by what it hears: the model is loaded, or
cannot be; a signal; the engine is dead. A second signal ends the process where it stands, which loses nothing that was
accepted: it is as safe as a crash.
"""

import gc
import logging
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from overpaint.encode import write_atomically
from overpaint.errors import OverpaintError
from overpaint.server import logs
from overpaint.server.app import create_app
from overpaint.server.door import BACKLOG, check_door, listening, url_of
from overpaint.server.files import Files
from overpaint.server.keys import Keys
from overpaint.server.metrics import Metrics
from overpaint.server.protocol import make_protocol
from overpaint.server.sandbox import Sandbox
from overpaint.server.service import Service
from overpaint.server.settings import Settings
from overpaint.server.store import Store
from overpaint.version import __version__

if TYPE_CHECKING:
    from overpaint.editor import Editor

KEEP_ALIVE = 5  # seconds that an idle connection is kept
GOODBYE = 5  # seconds for the last answers to be sent in, once all work is over
_LOOK = 0.5  # seconds between two looks at the engine
_ENDED_BY = 128  # plus the signal's number: the exit code of a process that a signal ended
_FAILED = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Signal:
    """Somebody wants the server to end."""

    number: int


@dataclass(frozen=True)
class _Loaded:
    """The model is there and has made an edit."""

    editor: "Editor"


@dataclass(frozen=True)
class _Failed:
    """The model is not to be had, or does not work."""

    error: BaseException


class _Ended:
    """No more HTTP."""


_News = _Signal | _Loaded | _Failed | _Ended


def serve(
    settings: Settings,
    make_editor: "Callable[[], Editor]",
    keys: Keys | None = None,
    log_format: logs.LogFormat | None = None,
    *,
    warm_up: bool = True,
    insecure: bool = False,
    port_file: Path | None = None,
    on_open: Callable[[int], None] | None = None,
) -> int:
    """Serve until a signal says to end. For the main thread.

    Args:
        make_editor: loads the model; called on a thread once the port is open.
        keys: of who may use it; None for everybody.
        log_format: None: text on a terminal, else JSON.
        warm_up: make one edit before the first that is asked for, which is slower than others.
        insecure: everybody may use it though it listens to more than this machine.
        port_file: gets the port that was taken, once it is.
        on_open: is told it then; must not take long.

    Returns:
        The exit code: 0 after a signal, 3 if the model cannot be loaded, 1 if its engine died.

    Raises:
        ParameterError: it would be open to everybody; it cannot listen there.
        FolderInUseError, StoreError: the data folder or the database cannot be used.
    """
    check_door(settings, keys, insecure)
    news: queue.SimpleQueue[_News] = queue.SimpleQueue()
    with _signals(news), ExitStack() as closing:
        files = closing.enter_context(Files(settings.folder))
        store = closing.enter_context(Store(settings.database or files.database))
        sockets = closing.enter_context(listening(settings.host, settings.port))
        logs.configure(log_format)  # from here on it is a server; what was wrong before is a command's error
        sandbox = closing.enter_context(_sandbox(settings))
        service = Service(settings, store, files, sandbox, on_end=lambda job: metrics.ended(job))
        metrics = Metrics(service)
        server = _Server(_config(settings, create_app(service, keys, metrics)))
        life = _Life(service, metrics, server, news)
        closing.callback(life.close)
        port = sockets[0].getsockname()[1]
        _announce(settings, port, keys, port_file)
        if on_open is not None:
            on_open(port)
        return life.lead(sockets, make_editor, warm_up)


class _Life:
    """One server from loading to its end."""

    def __init__(self, service: Service, metrics: Metrics, server: "_Server", news: "queue.SimpleQueue[_News]") -> None:
        self._service, self._metrics, self._server, self._news = service, metrics, server, news
        self._code = _FAILED

    def lead(self, sockets: list[socket.socket], make_editor: "Callable[[], Editor]", warm_up: bool) -> int:
        """Serve on this thread until it is over; the exit code."""
        loading = threading.Thread(target=self._load, args=(make_editor, warm_up), name="overpaint-load", daemon=True)
        leading = threading.Thread(target=self._lead, name="overpaint-life", daemon=True)
        loading.start()
        leading.start()
        try:
            self._server.run(sockets)
        finally:
            self._news.put(_Ended())
        leading.join()
        return self._code

    def close(self) -> None:
        """What runs is put back into the queue, and the engine ended; a network call that takes long is not waited
        for, since the process is about to end."""
        self._service.close()
        if (editor := self._service.editor) is not None:
            closing = threading.Thread(target=editor.close, name="overpaint-close", daemon=True)
            closing.start()
            closing.join(GOODBYE)
        log.info("ended", extra={"exit_code": self._code})

    def _load(self, make_editor: "Callable[[], Editor]", warm_up: bool) -> None:
        try:
            started = time.monotonic()
            editor = make_editor()
            facts = {"model": editor.card.name, "device": str(editor.model.device)}
            log.info("the model is loaded", extra={**facts, "seconds": round(time.monotonic() - started, 3)})
            log.info("pictures are read in worker processes", extra={"layers": self._service.sandbox.layers()})
            if warm_up:
                _warm_up(editor)
            gc.collect()
            gc.freeze()  # the libraries: going through them all takes .3 s, in which nobody is answered
        except BaseException as e:  # whatever it is, the server must not wait for a model that never comes
            self._news.put(_Failed(e))
        else:
            self._news.put(_Loaded(editor))

    def _lead(self) -> None:
        try:
            self._code = self._follow()
        except Exception as e:
            self._code = _told(e)
        finally:
            self._server.should_exit = True

    def _follow(self) -> int:
        """From one state to the next; the exit code."""
        while True:
            try:
                heard = self._news.get(timeout=_LOOK)
            except queue.Empty:
                if self._service.state == "broken":
                    log.critical("the engine is dead: the server ends, and what was accepted waits for the next start")
                    return _FAILED
                continue
            if isinstance(heard, _Loaded):
                heard.editor.watch(self._metrics.called)
                self._service.start(heard.editor)
                log.info("ready")
            elif isinstance(heard, _Failed):
                return _told(heard.error)
            elif isinstance(heard, _Signal):
                return self._drain(heard.number)
            else:
                return _FAILED  # HTTP ended, and nobody wanted that

    def _drain(self, number: int) -> int:
        seconds = self._service.settings.drain_seconds
        log.info("draining", extra={"signal": signal.Signals(number).name, "seconds": seconds})
        if self._service.drain(seconds):
            log.info("drained")
        else:
            log.warning("not all jobs were done in time; they run again after the next start")
        return 0


class _Server(uvicorn.Server):
    """uvicorn without its own handling of signals: these are ours."""

    def capture_signals(self) -> Any:
        return nullcontext()


def _config(settings: Settings, app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=make_protocol(settings),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GOODBYE,
        backlog=BACKLOG,
    )


def _sandbox(settings: Settings) -> Sandbox:
    return Sandbox(
        settings.decoders,
        seconds=settings.decode_seconds,
        encode_seconds=settings.encode_seconds,
        megabytes=settings.decode_megabytes,
    )


def _told(error: BaseException) -> int:
    """Why it cannot serve, on one line if it is an error of ours; the exit code."""
    if isinstance(error, OverpaintError):
        log.critical("the server ends: %s", error)
        return error.exit_code
    log.critical("the server ends", exc_info=error)
    return _FAILED


def _warm_up(editor: "Editor") -> None:
    """One edit of two steps, so that what is made at first use is there: kernels, packed weights, memory. A GPU makes
    it anew for each size, so there it has the size that most edits have."""
    import numpy as np

    started = time.monotonic()
    native = editor.card.native_size
    side = min(native, 64) if editor.model.device.type == "cpu" else native
    grey = np.full((side, side, 3), 128, np.uint8)
    editor.edit(grey, "", strength=0.5, steps=4, seed=0, size=(side, side))
    log.info("warmed up", extra={"seconds": round(time.monotonic() - started, 3)})


def _announce(settings: Settings, port: int, keys: Keys | None, port_file: Path | None) -> None:
    url = url_of(settings.host, port)
    log.info("listening on %s", url, extra={"url": url, "version": __version__, "pid": os.getpid()})
    if keys is None and not settings.is_loopback:
        log.warning("everybody who reaches this machine can use this server")
    if port_file is not None:
        write_atomically(port_file, f"{port}\n".encode())


@contextmanager
def _signals(news: "queue.SimpleQueue[_News]") -> Iterator[None]:
    """The first SIGTERM or SIGINT is news; the second ends the process."""
    heard = False

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            os._exit(_ENDED_BY + number)  # worker processes die with this one
        heard = True
        news.put(_Signal(number))  # which may be done inside a signal's handler, where little else may

    before = {number: signal.signal(number, hear) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
