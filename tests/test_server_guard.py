"""The layer around the app: who is let in, how much, and what goes back whatever the app does."""

import asyncio
import base64
import json
import logging
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Form, Request, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from loopback import all_of, answer_of, connect, served
from starlette.types import Message, Receive, Scope, Send

from overpaint.errors import ParameterError, StoreError
from overpaint.server import bodies
from overpaint.server.exchange import REQUEST_ID
from overpaint.server.guard import Guard
from overpaint.server.keys import Keys
from overpaint.server.problems import Problem, not_found
from overpaint.server.settings import Settings

KEY, OTHER = "key-of-anna-0123456789", "key-of-bob-0123456789"
KEYS = Keys([("anna", KEY), ("bob", OTHER)])
SECRET = "a secret path /srv/overpaint"
LIMIT = 1_000_000  # bytes, the smallest that can be set
SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "x-frame-options": "DENY",
}


class Routes:
    """An app as it might be behind the guard, and what reached it."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.reached = 0
        self.go_on = threading.Event()
        self._reading()
        self._failing()

        @self.app.api_route("/who", methods=["GET", "POST", "DELETE", "OPTIONS"])
        async def who(request: Request) -> dict[str, Any]:
            self.reached += 1
            state = request.state
            return {"owner": state.owner, "request_id": state.request_id, "context": REQUEST_ID.get()}

        @self.app.get("/livez")
        def livez() -> dict[str, str]:
            return {"state": "ready"}

        @self.app.get("/own")
        def own() -> PlainTextResponse:
            told = {
                "Cache-Control": "max-age=5",
                "Content-Security-Policy": "default-src 'self'",
                "X-Request-Id": "app's",
            }
            return PlainTextResponse("x", headers=told)

    def _reading(self) -> None:
        @self.app.post("/form")
        async def form(image: UploadFile, prompt: Annotated[str, Form()]) -> dict[str, Any]:
            return {"size": image.size, "prompt": prompt}

        @self.app.post("/json")
        async def read_json(request: Request) -> dict[str, Any]:
            return {"size": len(json.dumps(await request.json()))}

        @self.app.post("/model")
        async def model(body: dict[str, Any]) -> dict[str, Any]:
            return {"size": len(body)}

        @self.app.post("/stream")
        async def stream(request: Request) -> dict[str, Any]:
            return {"size": sum([len(part) async for part in request.stream()])}

        @self.app.post("/stubborn")
        async def stubborn(request: Request) -> dict[str, Any]:
            try:
                await request.body()
            except Exception:
                return {"size": -1}  # as if nothing had been
            return {"size": 0}

        @self.app.post("/hold")
        async def hold(request: Request) -> dict[str, Any]:
            await request.body()
            if "early" in request.query_params:
                request.state.body_taken()
            while not self.go_on.is_set():
                await asyncio.sleep(0.01)
            return {}

        @self.app.post("/listen")
        async def listen(request: Request) -> dict[str, Any]:
            await request.body()
            try:
                return {"heard": (await asyncio.wait_for(request.receive(), 0.4))["type"]}
            except TimeoutError:
                return {"heard": None}

        @self.app.post("/events")
        async def events(request: Request) -> StreamingResponse:
            await request.body()

            async def parts() -> AsyncIterator[bytes]:
                yield b"begun "
                while not self.go_on.is_set():
                    await asyncio.sleep(0.01)
                yield b"ended"

            return StreamingResponse(parts())

    def _failing(self) -> None:
        @self.app.get("/boom")
        def boom() -> None:
            raise RuntimeError(SECRET)

        @self.app.get("/missing")
        def missing() -> None:
            raise not_found("job")

        @self.app.get("/range")
        def out_of_range() -> None:
            raise ParameterError("steps", "is 0, must be from 1 to 1000")

        @self.app.get("/store")
        def store() -> None:
            raise StoreError(SECRET)

        @self.app.get("/failed")
        def failed() -> JSONResponse:
            return JSONResponse({"error": "the job's own"}, 500)

        @self.app.get("/half")
        def half() -> StreamingResponse:
            def parts() -> Iterator[bytes]:
                yield b"half of it"
                raise RuntimeError(SECRET)

            return StreamingResponse(parts())


@pytest.fixture
def routes() -> Routes:
    return Routes()


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LINGER", 0.3)


def settings(tmp_path: Path = Path("unused"), **more: Any) -> Settings:
    return Settings(folder=tmp_path, body_megabytes=1, **more)


def guarded(routes: Routes, keys: Keys | None = None, **more: Any) -> Guard:
    return Guard(routes.app, settings(**more), keys, frozenset({"/livez"}))


def ask(app: Guard, path: str, method: str = "GET", host: str = "127.0.0.1:7860", **more: Any) -> httpx.Response:
    async def one() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as client:
            headers = {"Host": host, **more.pop("headers", {})}
            return await client.request(method, path, headers=headers, **more)

    return asyncio.run(one())


def called(app: Any, scope: dict[str, Any], messages: list[Message]) -> list[Message]:
    """What the app sends to what comes in; nothing more comes after it."""
    sent: list[Message] = []

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    whole = {"type": "http", "method": "GET", "path": "/", "query_string": b"", **scope}
    asyncio.run(asyncio.wait_for(app(whole, receive, send), 5))
    return sent


def error_of(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert set(error) == {"type", "code", "message", "param", "request_id"}
    assert error["request_id"] == response.headers["x-request-id"]
    return dict(error)


def check_safe(response: httpx.Response) -> None:
    assert {name: response.headers.get(name) for name in SAFE} == SAFE
    assert "access-control-allow-origin" not in response.headers


# --- request ids and headers


def test_a_request_id_in_app_context_and_answer(routes: Routes) -> None:
    app = guarded(routes)
    mine = ask(app, "/who", headers={"X-Request-Id": "A-z_0.9"})
    assert mine.headers["x-request-id"] == "A-z_0.9"
    assert mine.json() == {"owner": "", "request_id": "A-z_0.9", "context": "A-z_0.9"}
    ids = set()
    for bad in ("", "x" * 65, "a b", "a/b", "é", "a\x1b[31m"):
        answer = ask(app, "/who", headers={"X-Request-Id": bad.encode("latin-1")})
        own = answer.headers["x-request-id"]
        assert own == answer.json()["context"] != bad
        ids.add(own)
    assert len(ids) == 6
    assert REQUEST_ID.get() == ""


def test_every_answer_has_the_headers(routes: Routes) -> None:
    app = guarded(routes)
    for path in ("/who", "/nowhere", "/boom", "/failed", "/missing"):
        check_safe(ask(app, path))
    check_safe(ask(app, "/who", host="evil.example"))
    own = ask(app, "/own").headers
    assert own["cache-control"] == "max-age=5"
    assert own["content-security-policy"] == "default-src 'self'"
    assert own["x-frame-options"] == "DENY"
    assert own.get_list("x-request-id") != ["app's"]
    assert len(own.get_list("x-request-id")) == len(own.get_list("cache-control")) == 1


# --- Host


@pytest.mark.parametrize(
    ("more", "host", "status"),
    [
        *(({}, host, 200) for host in ("127.0.0.1", "localhost:1", "LOCALHOST:65535", "[::1]", "[0:0::0:1]:80")),
        *(({}, host, 421) for host in ("evil.example", "127.0.0.1.evil.example:7860", "localhost.evil.example")),
        *(
            ({}, host, 421)
            for host in ("192.168.1.5", "0.0.0.0:7860", "[fe80::1]", "2130706433", "127.1", "localhost.")
        ),
        *(({}, host, 400) for host in ("", " ", "a b", "a/b", "u@localhost", "localhost:", "localhost:65536", "[::1")),
        *(
            ({}, host, 400)
            for host in ("localhost:-1", "x" * 254, "[zz::]", "é.example", "http://localhost", "a,b", "*")
        ),
        ({"allowed_hosts": ("edit.example", "192.168.1.5")}, "Edit.Example:8443", 200),
        ({"allowed_hosts": ("edit.example", "192.168.1.5")}, "192.168.1.5:7860", 200),
        ({"allowed_hosts": ("edit.example",)}, "other.edit.example", 421),
        ({"host": "0.0.0.0"}, "192.168.1.5:7860", 200),
        ({"host": "::"}, "[fe80::1]:7860", 200),
        ({"host": "0.0.0.0"}, "evil.example", 421),
        ({"host": "0.0.0.0", "allowed_hosts": ("edit.example",)}, "192.168.1.5", 421),
        ({"host": "0.0.0.0", "allowed_hosts": ("edit.example",)}, "0.0.0.0", 421),
        ({"host": "192.168.1.5", "allowed_hosts": ("edit.example",)}, "192.168.1.5", 200),
    ],
)
@pytest.mark.case("X08", "X13")
def test_names_by_which_it_is_reached(routes: Routes, more: dict[str, Any], host: str, status: int) -> None:
    response = ask(guarded(routes, **more), "/who", host=host.encode("latin-1"))  # type: ignore[arg-type]
    assert response.status_code == status
    if status != 200:
        assert error_of(response)["code"] == {400: "bad_host", 421: "wrong_host"}[status]
    assert routes.reached == (status == 200)


@pytest.mark.case("X08")
def test_no_host_two_hosts_and_websockets(routes: Routes) -> None:
    app = guarded(routes)
    for headers in ([], [(b"host", b"localhost"), (b"host", b"evil.example")]):
        assert called(app, {"path": "/who", "headers": headers}, [])[0]["status"] == 400
    socket_scope = {"type": "websocket", "path": "/who", "headers": [(b"host", b"localhost")]}
    assert called(app, socket_scope, [{"type": "websocket.connect"}]) == [{"type": "websocket.close", "code": 1008}]
    assert routes.reached == 0


# --- pages


OWN, FOREIGN = "http://127.0.0.1:7860", "https://evil.example"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": OWN}, 200),
        ({"Origin": OWN, "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://127.0.0.1:7860"}, 200),  # a proxy with TLS is in front
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": FOREIGN}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://127.0.0.1:3000"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://localhost:7860"}, 403),
        ({"Origin": "http://127.0.0.1:7860.evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:7860@evil.example"}, 403),
        ({"Origin": "file://127.0.0.1:7860"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": OWN, "Sec-Fetch-Site": "Cross-Site"}, 403),
    ],
)
@pytest.mark.case("X07")
def test_pages_that_may_use_it(routes: Routes, method: str, headers: dict[str, str], status: int) -> None:
    sent = {"Content-Type": "text/plain", **headers}
    response = ask(guarded(routes), "/who", method, headers=sent, content=b"x" if method == "POST" else None)
    assert response.status_code == status
    check_safe(response)
    if status == 403:
        assert error_of(response)["code"] == "cross_origin"
    assert routes.reached == (status == 200)


@pytest.mark.case("X07")
def test_the_port_that_goes_without_saying(routes: Routes) -> None:
    app = guarded(routes, allowed_hosts=("edit.example",))
    for host, origin, status in (
        ("edit.example", "https://edit.example", 200),
        ("edit.example:443", "https://edit.example", 200),
        ("edit.example", "http://edit.example:80", 200),
        ("edit.example:8443", "https://edit.example", 403),
    ):
        assert ask(app, "/who", host=host, headers={"Origin": origin}).status_code == status


@pytest.mark.case("X07")
def test_two_origins_are_none(routes: Routes) -> None:
    headers = [(b"host", b"127.0.0.1:7860"), (b"origin", OWN.encode()), (b"origin", FOREIGN.encode())]
    assert called(guarded(routes), {"path": "/who", "headers": headers}, [])[0]["status"] == 403


@pytest.mark.case("X07")
def test_pages_that_are_allowed(routes: Routes) -> None:
    app = guarded(routes, KEYS, allowed_origins=("https://Friend.example:443", "http://lab.example:3000"))
    page = {"Origin": "https://friend.example", "Sec-Fetch-Site": "cross-site"}
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}
    before = ask(app, "/who", "OPTIONS", headers={**page, **asks})
    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == "https://friend.example"
    assert before.headers["access-control-allow-headers"] == "authorization, content-type"
    assert "POST" in before.headers["access-control-allow-methods"]
    assert before.headers["vary"] == "origin"
    assert routes.reached == 0
    odd = ask(app, "/who", "OPTIONS", headers={**page, **asks, "Access-Control-Request-Headers": "a\tb; c"})
    assert "access-control-allow-headers" not in odd.headers
    for key, status in ((KEY, 200), ("wrong", 401)):
        answer = ask(app, "/who", "POST", headers={**page, "X-API-Key": key})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "https://friend.example"
        assert answer.headers["vary"] == "origin"
    others = ask(app, "/who", "OPTIONS", headers={"Origin": FOREIGN, **asks})
    assert others.status_code == 403
    assert "access-control-allow-origin" not in others.headers
    none = ask(app, "/livez")
    assert none.headers["vary"] == "origin"  # a cache must not keep this one for the page
    assert "access-control-allow-origin" not in none.headers


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("allowed_origins", value) for value in ("*", "null", "friend.example", "https://a/", "https://u@a", "")),
        *(("allowed_hosts", value) for value in ("*", "*.example", "a:80", "http://a", "a b", "")),
        ("host", "a b"),
    ],
)
def test_settings_that_name_nothing(routes: Routes, setting: str, value: str) -> None:
    changed: Any = value if setting == "host" else (value,)
    with pytest.raises(ParameterError) as caught:
        guarded(routes, None, **{setting: changed})
    assert caught.value.name == setting


# --- keys


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("headers", "owner"),
    [
        ({"Authorization": f"Bearer {KEY}"}, "anna"),
        ({"Authorization": f"bEARER   {OTHER}"}, "bob"),
        ({"X-API-Key": OTHER}, "bob"),
        ({"Authorization": basic(f"whoever:{KEY}")}, "anna"),
        ({"Authorization": basic("proxy:its own password"), "X-API-Key": KEY}, "anna"),
        ({}, None),
        ({"Authorization": KEY}, None),
        ({"Authorization": f"Digest {KEY}"}, None),
        ({"Authorization": "Bearer"}, None),
        ({"Authorization": "Bearer wrong-0123456789abcdef"}, None),
        ({"Authorization": basic(KEY)}, None),
        ({"Authorization": "Basic ?"}, None),
        ({"Authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()}, None),
        ({"X-API-Key": ""}, None),
        ({"X-API-Key": KEY[:-1]}, None),
        ({"Cookie": f"key={KEY}"}, None),
    ],
)
def test_keys(routes: Routes, headers: dict[str, str], owner: str | None) -> None:
    app = guarded(routes, KEYS)
    response = ask(app, "/who", headers=headers)
    if owner is None:
        assert response.status_code == 401
        assert error_of(response)["code"] in ("no_key", "wrong_key")
        assert "Bearer" in response.headers["www-authenticate"]
        assert "Basic" in response.headers["www-authenticate"]
    else:
        assert response.json()["owner"] == owner
    assert routes.reached == (owner is not None)


def test_public_paths_and_only_these(routes: Routes) -> None:
    app = guarded(routes, KEYS)
    assert ask(app, "/livez").status_code == 200
    for path in ("/livez/", "/livez/../who", "/livez%2f..%2fwho", "//livez", "/LIVEZ", "/who", "/nowhere", "/docs"):
        assert ask(app, path).status_code == 401
    assert ask(app, f"/who?api_key={KEY}").status_code == 401  # queries end up in logs of others
    assert routes.reached == 0


@pytest.mark.case("X10", "X11")
def test_keys_queries_and_words_are_in_no_log_and_no_answer(routes: Routes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    app = guarded(routes, KEYS)
    hidden = [KEY, "wrong-key-0123456789", "a-red-barn"]
    answers = [
        ask(app, "/json?prompt=a-red-barn", "POST", headers={"X-API-Key": key}, content=b'{"prompt": "a-red-barn"}')
        for key in hidden[:2]
    ]
    answers.append(ask(app, "/boom?prompt=a-red-barn", headers={"Authorization": f"Bearer {KEY}"}))
    assert [answer.status_code for answer in answers] == [200, 401, 500]
    mine = [record for record in caplog.records if record.name.startswith("overpaint")]
    assert len(mine) == 4
    for text in (*(str(vars(record)) + caplog.handler.format(record) for record in mine), *(a.text for a in answers)):
        assert not [word for word in hidden if word in text]


# --- the head's size, the body's coding


@pytest.mark.case("X13")
def test_heads_that_are_too_large(routes: Routes) -> None:
    app = guarded(routes)
    assert ask(app, "/who", headers={f"x-{i}": "1" for i in range(90)}).status_code == 200
    assert ask(app, "/who", headers={"x": "1" * 31_000}).status_code == 200
    for headers in ({f"x-{i}": "1" for i in range(100)}, {"x": "1" * 33_000}, {"Range": "bytes=" + "0-0," * 10_000}):
        assert error_of(ask(app, "/who", headers=headers))["code"] == "head_too_large"
        assert ask(app, "/who", headers=headers).status_code == 431
    assert ask(app, "/who?" + "x" * 33_000).status_code == 431


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "GZIP", "x"])
def test_no_codings(routes: Routes, coding: str) -> None:
    app = guarded(routes)
    response = ask(app, "/json", "POST", headers={"Content-Encoding": coding}, content=b"{}")
    assert response.status_code == 415
    assert ask(app, "/json", "POST", headers={"Content-Encoding": "Identity"}, content=b"{}").status_code == 200


def test_lengths_that_are_none(routes: Routes) -> None:
    for lengths in ([b"-1"], [b"1", b"1"], [b"1_0"], ["²".encode("latin-1")], [b"9" * 30], [b""]):
        headers = [(b"host", b"localhost"), *((b"content-length", length) for length in lengths)]
        scope = {"method": "POST", "path": "/json", "headers": headers}
        messages: list[Message] = [{"type": "http.request", "body": b"{}"}]
        assert called(guarded(routes), scope, messages)[0]["status"] == 400


# --- bodies over the limit


async def parts(count: int, size: int, start: bytes = b"") -> AsyncIterator[bytes]:
    if start:
        yield start
    for _ in range(count):
        yield b"a" * size


BOUNDARY = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n'
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
READERS = [
    ("/form", BOUNDARY, FORM),
    ("/form", BOUNDARY.replace(b'; filename="x.png"', b""), FORM),
    ("/json", b'{"a": "', {}),
    ("/model", b'{"a": "', {"Content-Type": "application/json"}),
    ("/stream", b"", {}),
    ("/stubborn", b"", {}),
]


@pytest.mark.parametrize(("path", "start", "headers"), READERS)
@pytest.mark.case("I31")
def test_a_chunked_body_over_the_limit(routes: Routes, path: str, start: bytes, headers: dict[str, str]) -> None:
    response = ask(guarded(routes), path, "POST", headers=headers, content=parts(40, 50_000, start))
    assert response.status_code == 413
    assert error_of(response)["code"] == "body_too_large"
    assert "1 MB" in response.text


@pytest.mark.parametrize("path", ["/stream", "/json", "/form"])
@pytest.mark.case("I31")
def test_lengths_that_lie(routes: Routes, path: str) -> None:
    """More comes than was said: not with our own protocol, but nothing here relies on that."""
    parts = [BOUNDARY, *[b"a" * 100_000] * 12]
    messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    headers = [(b"host", b"localhost"), (b"content-length", b"10"), (b"content-type", FORM["Content-Type"].encode())]
    sent = called(guarded(routes), {"method": "POST", "path": path, "headers": headers}, messages)
    assert [m["status"] for m in sent if m["type"] == "http.response.start"] == [413]


@pytest.mark.case("I31")
def test_a_length_over_the_limit_is_refused_at_once(routes: Routes) -> None:
    """The whole answer is there before anything of the body is looked at."""
    order: list[str] = []

    async def receive() -> Message:
        order.append("receive")
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        order.append(str(message.get("status") or len(message["body"]) > 0))

    headers = [(b"host", b"localhost"), (b"content-length", b"1000001")]
    scope: Scope = {"type": "http", "method": "POST", "path": "/stream", "headers": headers}
    asyncio.run(guarded(routes)(scope, receive, send))
    assert order == ["413", "True", "receive", "False"]


@pytest.mark.case("I31")
def test_at_the_limit_all_is_well(routes: Routes) -> None:
    app = guarded(routes)
    assert ask(app, "/stream", "POST", content=b"a" * LIMIT).json() == {"size": LIMIT}
    assert ask(app, "/stream", "POST", content=parts(10, 100_000)).json() == {"size": LIMIT}
    assert ask(app, "/stream", "POST", content=parts(1, LIMIT + 1)).status_code == 413
    sent = ask(app, "/form", "POST", files={"image": b"a" * 900_000}, data={"prompt": "x"})
    assert sent.json() == {"size": 900_000, "prompt": "x"}


@pytest.mark.case("I31")
def test_never_kept_whole_on_a_socket(routes: Routes) -> None:
    """30 MB in chunks, by a client that looks for an answer only when all is sent: it gets 413 on the same connection,
    and what it sent was let go by."""
    with served(guarded(routes), settings()) as port, connect(port) as connection:
        connection.sendall(b"POST /stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"%x\r\n%s\r\n" % (LIMIT, b"a" * LIMIT)
        tracemalloc.start()
        try:
            for _ in range(30):
                connection.sendall(chunk)
            connection.sendall(b"0\r\n\r\n")
            assert answer_of(connection)[0] == 413
            assert tracemalloc.get_traced_memory()[1] < 8_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("path", ["/form", "/nowhere"])
@pytest.mark.case("I31")
def test_a_client_that_closes_still_hears_of_it(routes: Routes, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """urllib says ``Connection: close`` and reads nothing before it has sent all."""
    monkeypatch.setattr(bodies, "LINGER", 10)
    with served(guarded(routes), settings()) as port, connect(port) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 20000000\r\n\r\n"
        connection.sendall(head.encode() + b"a" * 20_000_000)
        assert all_of(connection).startswith(b"HTTP/1.1 413 ")


# --- bodies that are late, and too many at once


async def slowly(pause: float, start: bytes = b"") -> AsyncIterator[bytes]:
    yield start
    for _ in range(100):
        await asyncio.sleep(pause)
        yield b"a"


@pytest.mark.parametrize(("path", "start", "headers"), READERS)
@pytest.mark.case("S20")
def test_a_body_that_drips(routes: Routes, path: str, start: bytes, headers: dict[str, str]) -> None:
    began = time.monotonic()
    app = guarded(routes, body_seconds=0.3)
    response = ask(app, path, "POST", headers=headers, content=slowly(0.05, start))
    assert response.status_code == 408
    assert error_of(response)["code"] == "too_slow"
    assert response.headers["x-should-retry"] == "false"
    assert 0.25 < time.monotonic() - began < 3


def test_the_clock_stops_with_the_body(routes: Routes) -> None:
    """The answer may take longer than the body may, and the app may listen for the client's leaving meanwhile."""
    response = ask(guarded(routes, body_seconds=0.1), "/listen", "POST", content=b"x")
    assert response.status_code == 200
    assert response.json() == {"heard": None}


def test_so_many_bodies_at_once(routes: Routes) -> None:
    app = guarded(routes, uploads=2)

    async def all_at_once() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            two = [asyncio.create_task(client.post("/hold", content=b"x")) for _ in range(2)]
            await asyncio.sleep(0.1)
            refused = await asyncio.wait_for(client.post("/stream", content=b"x"), 2)
            assert refused.status_code == 503
            assert refused.headers["retry-after"].isdigit()
            assert refused.json()["error"]["code"] == "too_many_uploads"
            assert (await client.get("/livez")).status_code == 200  # has no body
            assert (await client.post("/stream")).status_code == 200
            routes.go_on.set()
            assert [(await task).status_code for task in two] == [200, 200]
            for _ in range(5):  # the places are free again, whatever became of the request
                assert (await client.post("/stream", content=b"x")).status_code == 200
                assert (await client.post("/stream", content=parts(2, LIMIT))).status_code == 413
                assert (await client.post("/boom", content=b"x")).status_code == 405

    asyncio.run(all_at_once())


def test_a_place_that_is_left_early(routes: Routes) -> None:
    app = guarded(routes, uploads=1)

    async def two_at_once() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            waiting = asyncio.create_task(client.post("/hold?early=1", content=b"x"))
            await asyncio.sleep(0.1)
            assert (await client.post("/stream", content=b"x")).status_code == 200
            routes.go_on.set()
            assert (await waiting).status_code == 200
            again = asyncio.create_task(client.post("/hold", content=b"x"))  # left twice, it counts once
            routes.go_on.clear()
            await asyncio.sleep(0.1)
            assert (await client.post("/stream", content=b"x")).status_code == 503
            routes.go_on.set()
            assert (await again).status_code == 200

    asyncio.run(two_at_once())


def test_a_place_is_left_when_the_answer_starts(routes: Routes) -> None:
    app = guarded(routes, uploads=1)

    async def two_at_once() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            streaming = asyncio.create_task(client.post("/events", content=b"x"))
            await asyncio.sleep(0.1)
            assert (await client.post("/stream", content=b"x")).status_code == 200
            assert not streaming.done()
            routes.go_on.set()
            assert (await streaming).text == "begun ended"

    asyncio.run(two_at_once())


# --- what the app raises


@pytest.mark.parametrize(
    ("path", "status", "code", "logged"),
    [
        ("/boom", 500, "internal", True),
        ("/store", 503, "storage_unavailable", True),
        ("/missing", 404, "not_found", False),
        ("/range", 422, "invalid_parameter", False),
    ],
)
@pytest.mark.case("X11")
def test_exceptions(
    routes: Routes, caplog: pytest.LogCaptureFixture, path: str, status: int, code: str, logged: bool
) -> None:
    response = ask(guarded(routes), path, headers={"X-Request-Id": "r-1"})
    assert response.status_code == status
    assert error_of(response)["code"] == code
    assert SECRET not in response.text
    assert "Traceback" not in response.text
    errors = [record for record in caplog.records if record.name == "overpaint.server"]
    assert len(errors) == logged
    for record in errors:
        assert vars(record)["request_id"] == "r-1"
        assert SECRET in caplog.handler.format(record)
        assert "Traceback" in caplog.handler.format(record)


def test_a_500_that_the_app_means(routes: Routes) -> None:
    response = ask(guarded(routes), "/failed")
    assert response.status_code == 500
    assert response.json() == {"error": "the job's own"}


def test_no_answer_is_an_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    response = ask(Guard(silent, settings(), None, frozenset()), "/")
    assert response.status_code == 500
    assert error_of(response)["code"] == "internal"
    assert "not answered" in caplog.text


@pytest.mark.case("X11")
def test_an_answer_that_breaks_off(routes: Routes, caplog: pytest.LogCaptureFixture) -> None:
    """Cannot be taken for a whole one: the connection is closed before its end."""
    with served(guarded(routes), settings()) as port, connect(port) as connection:
        connection.sendall(b"GET /half HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = all_of(connection)
    assert b"half of it" in got
    assert not got.endswith(b"0\r\n\r\n")
    assert SECRET.encode() not in got
    assert "a request failed" in caplog.text


def test_lifespan_passes_through(routes: Routes) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    called(Guard(app, settings(), None, frozenset()), {"type": "lifespan"}, [])
    assert seen == ["lifespan"]


# --- the log


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    caplog.set_level(logging.INFO, "overpaint.server.access")
    return lambda: [vars(record) for record in caplog.records if record.name == "overpaint.server.access"]


def test_a_line_for_every_request(routes: Routes, lines: Callable[[], list[dict[str, Any]]]) -> None:
    app = guarded(routes, KEYS)
    key = {"X-API-Key": KEY}
    ask(app, "/stream?prompt=x", "POST", headers=key, content=b"12345")
    ask(app, "/a%1b%5b31m%0ab%C2%9b?q=1", headers=key)
    ask(app, "/who", host="evil.example")
    ask(app, "/livez")  # asked all the time, and not worth a line
    told = [(r["method"], r["path"], r["status"], r["owner"], r["bytes_in"]) for r in lines()]
    assert told == [
        ("POST", "/stream", 200, "anna", 5),
        ("GET", "/a\\x1b[31m b\\x9b", 404, "anna", 0),
        ("GET", "/who", 421, "", 0),
    ]
    for line in lines():
        assert line["milliseconds"] >= 0
        assert line["bytes_out"] >= len('{"size":5}')
        assert len(line["request_id"]) == 32
        assert line["levelno"] == logging.INFO


@pytest.mark.parametrize("path", ["/stream", "/form", "/json"])
def test_a_client_that_left_before_the_answer(
    routes: Routes, lines: Callable[[], list[dict[str, Any]]], caplog: pytest.LogCaptureFixture, path: str
) -> None:
    app = guarded(routes, uploads=1)
    with served(app, settings()) as port:
        for _ in range(2):  # and it left its place
            seen = len(lines())
            with connect(port) as connection:
                head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\nContent-Type: "
                connection.sendall(head.encode() + b"multipart/form-data; boundary=b\r\n\r\n--b\r\n")
                time.sleep(0.1)
            deadline = time.monotonic() + 5
            while len(lines()) == seen and time.monotonic() < deadline:
                time.sleep(0.01)
    assert [(line["status"], line["bytes_in"]) for line in lines()] == [(499, 5)] * 2
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_problems_of_the_app_keep_their_headers(routes: Routes) -> None:
    @routes.app.get("/full")
    def full() -> None:
        raise Problem(429, "rate_limit_error", "queue_full", "später", retry_after=7)

    response = ask(guarded(routes), "/full")
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert error_of(response)["message"] == "später"
