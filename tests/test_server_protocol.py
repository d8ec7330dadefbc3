"""On real sockets: who is slow, who sends nothing, and who sends what is no HTTP that anybody needs."""

import asyncio
import contextlib
import json
import logging
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from loopback import all_of, answer_of, connect, served

from overpaint.server.guard import Guard
from overpaint.server.settings import Settings

HEAD_SECONDS, BODY_SECONDS = 0.4, 0.6
SETTINGS = Settings(folder=Path("unused"), header_seconds=HEAD_SECONDS, body_seconds=BODY_SECONDS, body_megabytes=1)
LATE = 10 * BODY_SECONDS  # machines are noisy
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"


def make_app() -> FastAPI:
    app = FastAPI()

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"state": "ready"}

    @app.get("/slow")
    async def slow() -> dict[str, str]:
        await asyncio.sleep(3 * HEAD_SECONDS)
        return {"state": "slow"}

    @app.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    return app


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(Guard(make_app(), SETTINGS, None, frozenset()), SETTINGS, keep_alive=1) as port:
        yield port


def drip(connection: socket.socket, piece: bytes = b"x", pause: float = 0.05) -> float:
    """Send a piece again and again until the server closes; the seconds that took."""
    began = time.monotonic()
    connection.settimeout(pause)
    while time.monotonic() - began < LATE:
        try:
            connection.sendall(piece)
            if connection.recv(65536) == b"":
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return time.monotonic() - began


def is_served(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(GET)
        assert answer_of(connection)[0] == 200


@pytest.mark.parametrize("start", [b"", b"G", GET[:-2], POST[:-10]])
@pytest.mark.case("S20")
def test_a_head_that_does_not_come(port: int, start: bytes) -> None:
    with connect(port, LATE) as connection:
        began = time.monotonic()
        connection.sendall(start)
        assert all_of(connection) == b""
        assert HEAD_SECONDS * 0.9 < time.monotonic() - began < LATE


@pytest.mark.case("S20")
def test_a_head_that_drips(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(GET[:-2] + b"X-Slow: ")
        assert HEAD_SECONDS * 0.9 < drip(connection) < LATE


@pytest.mark.case("S20")
def test_a_second_head_that_drips(port: int) -> None:
    """uvicorn's keep-alive clock stops at the first byte; ours starts there."""
    with connect(port) as connection:
        connection.sendall(GET)
        assert answer_of(connection)[0] == 200
        connection.sendall(GET[:-2] + b"X-Slow: ")
        assert HEAD_SECONDS * 0.9 < drip(connection) < LATE


@pytest.mark.case("S20")
def test_idle_after_an_answer(port: int) -> None:
    """uvicorn's own keep-alive time holds: a second here."""
    with connect(port) as connection:
        connection.sendall(GET)
        assert answer_of(connection)[0] == 200
        began = time.monotonic()
        assert connection.recv(1) == b""
        assert 0.9 < time.monotonic() - began < LATE


@pytest.mark.case("S20")
def test_a_body_that_drips(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(POST.replace(b"4", b"900000"))
        began = time.monotonic()
        connection.settimeout(0.05)
        got = b""
        while not got and time.monotonic() - began < LATE:
            connection.sendall(b"x")
            try:
                got = connection.recv(65536)
            except TimeoutError:
                continue
        assert got.startswith(b"HTTP/1.1 408 ")
        assert BODY_SECONDS * 0.9 < time.monotonic() - began < LATE
        assert drip(connection) < LATE  # the rest of it is not waited for either


@pytest.mark.parametrize("path", [b"/nowhere", b"/livez"])
@pytest.mark.case("S20")
def test_a_body_that_drips_though_nobody_reads_it(port: int, monkeypatch: pytest.MonkeyPatch, path: bytes) -> None:
    """The answer is there at once, and who goes on dripping is closed all the same."""
    monkeypatch.setattr("overpaint.server.bodies.LINGER", 0.2)
    with connect(port) as connection:
        connection.sendall(POST.replace(b"4", b"900000").replace(b"/size", path))
        assert answer_of(connection)[0] in (404, 405)
        assert drip(connection) < LATE


@pytest.mark.case("S20")
def test_a_thousand_idle_sockets(port: int) -> None:
    """While they are there, others are served; after their time, all are closed."""
    idle: list[socket.socket] = []
    try:
        began = time.monotonic()
        for i in range(1000):
            idle.append(connect(port))
            if i % 3 == 0:
                idle[-1].sendall(GET[: i % len(GET)])
            if i % 250 == 249:
                is_served(port)
        is_served(port)
        open_still = 0
        with selectors.DefaultSelector() as selector:
            for connection in idle:
                connection.setblocking(False)
                selector.register(connection, selectors.EVENT_READ)
            open_still = len(idle)
            while open_still and time.monotonic() - began < 2 * LATE:
                for key, _ in selector.select(0.1):
                    assert isinstance(key.fileobj, socket.socket)
                    with contextlib.suppress(ConnectionResetError):
                        assert key.fileobj.recv(1) == b""
                    selector.unregister(key.fileobj)
                    open_still -= 1
        assert open_still == 0
        is_served(port)
    finally:
        for connection in idle:
            connection.close()


def test_what_takes_long_for_good_reasons_is_not_closed(port: int) -> None:
    """Work that takes longer than a head may, and a body that does."""
    with connect(port) as connection:
        connection.sendall(GET.replace(b"/livez", b"/slow"))
        assert answer_of(connection)[0] == 200
        connection.sendall(POST)  # on the same connection
        time.sleep(HEAD_SECONDS * 1.2)
        connection.sendall(b"1234")
        assert answer_of(connection)[::2] == (200, b"4")
        connection.sendall(GET.replace(b"/livez", b"/slow") + POST + b"1234")
        assert answer_of(connection)[0] == 200
        assert answer_of(connection)[::2] == (200, b"4")


def test_the_clock_is_stopped_by_each_head(port: int) -> None:
    """Ten heads in two pieces each, for longer than one may take: each has its own time."""
    with connect(port) as connection:
        for _ in range(10):
            connection.sendall(GET[:20])
            time.sleep(HEAD_SECONDS / 4)
            connection.sendall(GET[20:])
            assert answer_of(connection)[0] == 200


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (GET[:-2] + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", 431),
        (GET[:-2] + b"X: " + b"a" * 1_000_000, 431),
        (GET[:-2] + b"".join(b"X-%d: 1\r\n" % i for i in range(10_000)) + b"\r\n", 431),
        (GET[:-2] + b"X: 1\r\n" * 10_000 + b"\r\n", 431),
        (GET[:-2] + b"X: 1\r\n" * 101 + b"\r\n", 431),
        (GET[:-2] + b"Range: bytes=" + b"0-0," * 10_000 + b"\r\n\r\n", 431),
        (GET.replace(b"/livez", b"/" + b"a" * 1_000_000), 431),
        (GET.replace(b"localhost", b"a" * 20_000), 400),
        (GET.replace(b"localhost", b"a" * 300), 400),
        (GET.replace(b"localhost", b"evil.example"), 421),
        (GET.replace(b"localhost", b"local host"), 400),
        (GET.replace(b"localhost", b"localhost\r\nHost: localhost"), 400),
        (GET.replace(b"Host: localhost\r\n", b""), 400),
        (GET.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Host: localhost\r\n", b""), 400),
    ],
    ids=range(14),
)
@pytest.mark.case("X13", "X08")
def test_absurd_heads(port: int, sent: bytes, expected: int) -> None:
    with connect(port) as connection:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):  # it need not take all of that
            connection.sendall(sent)
        status, head, body = answer_of(connection)
        assert time.monotonic() - began < 2
        assert status == expected
        check_told(head, body)
    is_served(port)


def test_a_head_just_under_the_limit_in_pieces(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(GET[:-2] + b"X: " + b"a" * 16_000)
        time.sleep(0.05)
        connection.sendall(b"a" * 15_000)
        time.sleep(0.05)
        connection.sendall(b"\r\n\r\n")
        assert answer_of(connection)[0] == 200


def check_told(head: bytes, body: bytes) -> None:
    """JSON with a request id, and the headers of every answer."""
    error = json.loads(body)["error"]
    assert error["type"] == "invalid_request_error"
    assert b"x-request-id: " + error["request_id"].encode() in head
    assert b"content-type: application/json" in head
    assert b"x-content-type-options: nosniff" in head
    assert b"traceback" not in body.lower()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS
        (b"GET\r\n\r\n", 400),
        (GET.replace(b"HTTP/1.1", b"HTTP/x"), 400),
        (POST.replace(b": 4", b": -4"), 400),
        (POST.replace(b"Content-Length: 4", b"Content-Length: 4\r\nContent-Length: 5"), 400),
        (POST.replace(b"Content-Length: 4", b"Transfer-Encoding: gzip"), 501),
        (POST.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked") + b"zz\r\n", 400),
        (POST.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked") + b"f" * 40_000, 431),
    ],
)
def test_what_is_no_http(port: int, caplog: pytest.LogCaptureFixture, sent: bytes, status: int) -> None:
    with connect(port) as connection:
        connection.sendall(sent)
        got = all_of(connection)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    check_told(head.lower(), body)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_body_that_breaks_after_the_answer(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing left to answer: the connection is closed, and no error of ours is logged."""
    with connect(port) as connection:
        head = POST.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked").replace(b"/size", b"/nowhere")
        connection.sendall(head + b"1\r\na\r\n")
        assert answer_of(connection)[0] == 404
        connection.sendall(b"zz\r\n")
        assert all_of(connection) == b""
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.case("X08")
def test_no_websockets(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """An upgrade is not made: the request is looked at like any other, Host and Origin too."""
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n"
    asked: list[tuple[Callable[[bytes], bytes], int]] = [
        (lambda head: head, 200),
        (lambda head: head.replace(b"localhost", b"evil.example"), 421),
        (lambda head: head[:-2] + b"Origin: https://evil.example\r\n\r\n", 403),
    ]
    for change, status in asked:
        with connect(port) as connection:
            connection.sendall(change(GET[:-2] + upgrade))
            assert answer_of(connection)[0] == status
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
