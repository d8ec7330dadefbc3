"""An ASGI app served on this machine by uvicorn, with our protocol, for tests of what happens on a socket."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from overpaint.server.protocol import make_protocol
from overpaint.server.settings import Settings


@contextmanager
def served(app: ASGIApp, settings: Settings, keep_alive: int = 5) -> Iterator[int]:
    """The port. Errors of uvicorn's own go to the log."""
    config = uvicorn.Config(
        app,
        http=make_protocol(settings),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=1,
        backlog=2048,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            deadline = time.monotonic() + 10
            while not server.started:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


def connect(port: int, seconds: float = 10) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=seconds)


def all_of(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    got = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            got += data
    return got


def answer_of(connection: socket.socket) -> tuple[int, bytes, bytes]:
    """Status, head in small letters and body of one answer that has a Content-Length; nothing of the next is read."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _some(connection, 1)
    head, body = head.lower(), b""
    length = next(int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += _some(connection, length - len(body))
    return int(head.split()[1]), head, body


def _some(connection: socket.socket, most: int) -> bytes:
    data = connection.recv(most)
    assert data, "closed too early"
    return data
