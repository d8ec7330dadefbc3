"""What goes back over HTTP as the guard sees it: every answer gets the same headers, is counted, and is logged once."""

import logging
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from starlette.types import Message, Scope, Send

from overpaint.recipe import plain
from overpaint.server.bodies import Body
from overpaint.server.headers import Header, answer_headers, problem_answer
from overpaint.server.problems import Problem

REQUEST_ID: ContextVar[str] = ContextVar("overpaint_request_id", default="")  # of the request at hand
ACCESS = logging.getLogger("overpaint.server.access")

CLIENT_GONE = 499  # nginx's number, seen in logs only
_HEALTH = ("/livez", "/readyz", "/metrics")  # asked every few seconds by whoever watches over a server
MAX_PATH = 300  # characters of a path in a log


class Answer:
    """The answer to one request, on its way to the client. Its end waits a while for the rest of the request's body.

    Attributes:
        extra: headers for whatever is answered, beside those that all answers have.
        status: None before it has started.
    """

    def __init__(self, send: Send, body: Body, path: str, request_id: str) -> None:
        self._send, self._body, self._path, self.request_id = send, body, path, request_id
        self.extra: list[Header] = []
        self.status: int | None = None
        self.bytes_out = 0

    async def send(self, message: Message) -> None:
        """ASGI's ``send``."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = answer_headers(message.get("headers", ()), self.request_id, self.extra)
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            self.bytes_out += len(message.get("body", b""))
            if not message.get("more_body", False) and self._body.has_rest:
                await self._send({**message, "more_body": True})  # a client that reads has all of it with this
                await self._body.drain()
                message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def tell(self, problem: Problem) -> None:
        """Answer with an error."""
        status, headers, body = problem_answer(problem, self._path, self.request_id)
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def tell_nothing(self, headers: Sequence[Header]) -> None:
        """Answer 204."""
        await self.send({"type": "http.response.start", "status": 204, "headers": list(headers)})
        await self.send({"type": "http.response.body", "body": b""})


def log_access(scope: Scope, answer: Answer, since: float, bytes_in: int, owner: str) -> None:
    """One line, and the same as fields. Neither query nor headers are in it: they may hold prompts and keys.

    ``since``: by ``time.perf_counter``, when the request's head had come. An answer that never started has status 499.
    """
    told: dict[str, Any] = {
        "method": plain(scope["method"], 20),
        "path": plain(scope["path"], MAX_PATH),
        "status": answer.status or CLIENT_GONE,
        "milliseconds": round((time.perf_counter() - since) * 1000, 1),
        "bytes_in": bytes_in,
        "bytes_out": answer.bytes_out,
        "owner": owner,
        "request_id": answer.request_id,
    }
    asked_all_the_time = told["path"] in _HEALTH and told["status"] < 400
    level = logging.DEBUG if asked_all_the_time else logging.INFO
    ACCESS.log(level, "%(method)s %(path)s %(status)d in %(milliseconds)s ms", told, extra=told)
