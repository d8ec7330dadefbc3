"""uvicorn's HTTP/1.1 with an end to waiting: a request's head must have come in time, however slowly it drips.

uvicorn waits for ever on a connection that has sent nothing or part of a head, and stops its keep-alive clock at the
first byte. What it cannot parse is answered here like any other error.
"""

import asyncio
import sys
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol
from uvicorn.server import ServerState

from overpaint.server.guard import MOST_HEAD_BYTES
from overpaint.server.headers import answer_headers, problem_answer
from overpaint.server.problems import INVALID, Problem
from overpaint.server.records import new_id
from overpaint.server.settings import Settings

_WORDS = {
    400: ("bad_request", "this is not HTTP/1.1 that can be read"),
    431: ("head_too_large", f"a request's head may have {MOST_HEAD_BYTES:,} bytes at most"),
    501: ("unsupported_transfer", "the only Transfer-Encoding that is taken is chunked"),
}


class PromptProtocol(H11Protocol):
    """Closes what has not sent a whole head ``head_seconds`` after it connected, or after the first byte that came
    once the answer before was sent. These bytes may be the rest of a body that nobody read: they count, too."""

    head_seconds: float

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = h11.Connection(h11.SERVER, MOST_HEAD_BYTES)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_clock()
        elif self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._start_clock()

    def _start_clock(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self._too_late)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self._unset_keepalive_if_required()
        self.transport.close()

    def _should_upgrade(self) -> bool:
        """Never: there are no WebSockets here. The request is answered as if it had not asked."""
        return False

    def send_400_response(self, msg: str) -> None:
        """Called while h11's error is being handled, which knows better than 400."""
        if self.cycle is not None and not self.cycle.response_complete:  # broken off in its body
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # too late for an answer
            self.transport.close()
            return
        error = sys.exc_info()[1]
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        status = hint if hint in _WORDS else 400
        request_id = new_id()
        _, headers, body = problem_answer(Problem(status, INVALID, *_WORDS[status]), "", request_id)
        told = answer_headers([*headers, (b"connection", b"close")], request_id)
        for event in (
            h11.Response(status_code=status, headers=told, reason=STATUS_PHRASES[status]),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def make_protocol(settings: Settings) -> type[PromptProtocol]:
    """For ``uvicorn.Config(http=...)``."""
    return type("SettledProtocol", (PromptProtocol,), {"head_seconds": settings.header_seconds})
