"""The ASGI layer around everything: what is asked of a request before any route sees it, and of every answer after.

In this order: a request id, the head's size, Host, the page it comes from, the API key, the body's coding and size,
a place among those that are taken in. What fails is answered here, and what the app raises too.
"""

import base64
import binascii
import logging
import time

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overpaint.server.bodies import MEGABYTE, Body, Place, Uploads, check_head, is_announced
from overpaint.server.exchange import REQUEST_ID, Answer, log_access
from overpaint.server.headers import Header, request_id_of, values
from overpaint.server.keys import Keys
from overpaint.server.origins import Origins, is_followed_link, is_preflight, preflight_headers
from overpaint.server.problems import AUTH, INVALID, Problem, problem_of
from overpaint.server.settings import Settings

LOG = logging.getLogger("overpaint.server")

MOST_HEADERS = 100
MOST_HEAD_BYTES = 32 * 1024  # target, names and values

_CHALLENGES = 'Basic realm="overpaint", charset="UTF-8", Bearer realm="overpaint"'  # a browser asks for the first


class Guard:
    """Middleware; ``public`` are the paths that need no key, ``keys`` None means that none do; ``pages`` are those that
    a link on any website may lead to.

    The app finds in ``scope["state"]`` (``request.state``):
        request_id: as in the answer's ``x-request-id`` and in ``exchange.REQUEST_ID``.
        owner: the key's owner, "" without keys.
        body_taken(): to be called when the body is dealt with and the answer still takes long, so that its place
            goes to another; otherwise that happens when the answer starts.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        keys: Keys | None,
        public: frozenset[str],
        pages: frozenset[str] = frozenset(),
    ) -> None:
        self._app, self._settings, self._keys, self._public, self._pages = app, settings, keys, public, pages
        self._origins = Origins(settings)
        self._uploads = Uploads(settings.uploads)
        self._most_bytes = settings.body_megabytes * MEGABYTE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":  # there are none
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        since = time.perf_counter()
        headers: list[Header] = list(scope["headers"])
        body = Body(headers, receive, self._most_bytes, self._settings.body_seconds)
        answer = Answer(send, body, scope["path"], request_id_of(headers))
        state = {**scope.get("state", {}), "request_id": answer.request_id, "owner": ""}
        token = REQUEST_ID.set(answer.request_id)
        try:
            await self._answer({**scope, "headers": headers, "state": state}, body, answer)
        finally:
            REQUEST_ID.reset(token)
            log_access(scope, answer, since, body.bytes_in, state["owner"])

    async def _answer(self, scope: Scope, body: Body, answer: Answer) -> None:
        headers: list[Header] = scope["headers"]
        try:
            _check_size(scope, headers)
            host = self._origins.check_host(headers)
            followed = scope["path"] in self._pages and is_followed_link(scope["method"], headers)
            answer.extra = self._origins.check_page(headers, host, followed=followed)
            if is_preflight(scope["method"], headers, answer.extra):  # browsers ask without a key
                await answer.tell_nothing(preflight_headers(headers))
                return
            if self._keys is not None and scope["path"] not in self._public:
                scope["state"]["owner"] = _owner(self._keys, headers)
            check_head(headers, self._most_bytes)
            place = self._uploads.take() if is_announced(headers) else None
        except Problem as problem:
            await answer.tell(problem)
            return
        try:
            await _AppsAnswer(self._app, body, answer, place).run(scope)
        finally:
            if place is not None:
                place.leave()


class _AppsAnswer:
    """One call of the app. What it answers to a body that was refused is left out, and what goes with an exception:
    Starlette says 500 in its own words before it raises, so a 500 waits until the app is done."""

    def __init__(self, app: ASGIApp, body: Body, answer: Answer, place: Place | None) -> None:
        self._app, self._body, self._answer, self._place = app, body, answer, place
        self._held: list[Message] = []

    async def run(self, scope: Scope) -> None:
        """Raises nothing: an answer that broke off is not completed, and the server closes the connection on that."""
        scope["state"]["body_taken"] = self._leave
        error: Exception | None = None
        try:
            await self._app(scope, self._body.receive, self._send)
        except Exception as e:
            error = e
        if error is not None and not self._is_expected(error):
            LOG.error("a request failed", exc_info=error, extra={"request_id": self._answer.request_id})
        if self._answer.status is None:
            await self._end(error)

    async def _end(self, error: Exception | None) -> None:
        if self._body.refused is not None:
            await self._answer.tell(self._body.refused)
        elif self._body.gone:
            return
        elif error is not None:
            await self._answer.tell(problem_of(error))
        elif self._held:
            for message in self._held:
                await self._answer.send(message)
        else:
            LOG.error("a request was not answered", extra={"request_id": self._answer.request_id})
            await self._answer.tell(problem_of(RuntimeError()))

    async def _send(self, message: Message) -> None:
        if self._answer.status is None:
            if self._body.refused is not None or self._body.gone:
                return
            if self._held or message.get("status") == 500:
                self._held.append(message)
                return
            self._leave()
        await self._answer.send(message)

    def _leave(self) -> None:
        if self._place is not None:
            self._place.leave()

    def _is_expected(self, error: Exception) -> bool:
        """Whether it says nothing that the log should have: a refusal, or a client that left."""
        if self._body.refused is not None:
            return True
        if isinstance(error, ClientDisconnect):
            return self._body.gone
        return problem_of(error).status < 500 or isinstance(error, Problem)


def _check_size(scope: Scope, headers: list[Header]) -> None:
    target = len(scope.get("raw_path") or scope["path"]) + len(scope.get("query_string", b""))
    size = target + sum(len(name) + len(value) for name, value in headers)
    if len(headers) > MOST_HEADERS or size > MOST_HEAD_BYTES:
        words = f"a request may have {MOST_HEADERS} headers and a head of {MOST_HEAD_BYTES:,} bytes at most"
        raise Problem(431, INVALID, "head_too_large", words)


def _owner(keys: Keys, headers: list[Header]) -> str:
    """Of whichever key is known: a proxy in front may have credentials of its own beside ours."""
    presented = _presented(headers)
    for key in presented:
        owner = keys.owner_of(key)
        if owner is not None:
            return owner
    words = "this API key is not known" if presented else "an API key is needed: Authorization: Bearer KEY"
    code = "wrong_key" if presented else "no_key"
    raise Problem(401, AUTH, code, words, headers={"www-authenticate": _CHALLENGES})


def _presented(headers: list[Header]) -> list[str]:
    found = values(headers, b"x-api-key")
    for told in values(headers, b"authorization"):
        scheme, _, rest = told.partition(" ")
        if scheme.lower() == "bearer":
            found.append(rest.strip())
        elif scheme.lower() == "basic":
            try:
                found.append(base64.b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")[2])
            except (binascii.Error, UnicodeDecodeError):
                continue
    return [key for key in found if key]
