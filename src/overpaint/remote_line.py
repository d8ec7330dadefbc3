"""``Line``: one server, reached over HTTP; asked again where that may help, its problems told as errors of ours."""

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx

from overpaint.errors import (
    EditCancelled,
    EditFailed,
    ImageError,
    OutputError,
    OverpaintError,
    ParameterError,
    ServerError,
)
from overpaint.version import __version__

CONNECT = 10.0  # seconds for a connection to be made in
_AGAIN = 2.0  # seconds until another try, where the server does not say
_LEAST_WAIT, _MOST_WAIT = 0.1, 60.0  # seconds, whatever it says
_QUIET = 60.0  # seconds without a sign of life; a stream of events has one every 15
_KEY = re.compile(r"[!-~]+")


class Line:
    """The way to a server. Arguments are those of ``remote.Remote``.

    Attributes:
        url: without a slash at its end.
        client: what goes this way, for requests that are made once.
        over: set when nothing is to be waited for any more.
    """

    def __init__(self, url: str, key: str | None, patience: float, note: Callable[[str], object]) -> None:
        where = _checked(url)
        if key is not None and not _KEY.fullmatch(key):
            raise ParameterError("key", "must be printable ASCII characters without spaces")
        if not 0 <= patience < math.inf:
            raise ParameterError("timeout", f"is {patience:g}, must be a number of seconds, at least 0")
        self.url = str(where).rstrip("/")
        self._patience, self._note = patience, note
        self._met = self._noted = False
        self.over = threading.Event()
        self.client = httpx.Client(
            base_url=self.url,
            headers={
                "user-agent": f"overpaint/{__version__}",
                **({} if key is None else {"authorization": f"Bearer {key}"}),
            },
            timeout=httpx.Timeout(_QUIET, connect=CONNECT),
            mounts={f"all://{where.netloc.decode()}": None} if _is_loopback(where.host) else None,
        )

    def told(self, method: str, path: str, needs: str, names: Mapping[str, str] | None = None, **request: Any) -> Any:
        """An answer's object of JSON, which has the name ``needs``."""
        answer = self.ask(method, path, names, **request)
        with suppress(ValueError):
            told = answer.json()
            if isinstance(told, dict) and needs in told:
                return told
        raise self._strange(answer)

    def ask(self, method: str, path: str, names: Mapping[str, str] | None = None, **request: Any) -> httpx.Response:
        """A good answer, asked for again where that may help.

        Args:
            names: what the files that are sent are called here, by their parts, for the server's words on them.
            request: as of ``httpx.Client.request``.
        """
        until: float | None = None
        while True:
            try:
                answer = self.client.request(method, path, **request)
            except httpx.HTTPError as e:
                error: OverpaintError = self._gone(e)
                wait = _AGAIN if self._may_come_back(e) else None
            else:
                if answer.is_success:
                    self._met = True
                    return answer
                error, wait = self._error_of(answer, names or {}), self._wait_of(answer)
            if wait is None:
                raise error
            until = until or time.monotonic() + self._patience
            left = until - time.monotonic()
            if left <= 0 or self.over.is_set():
                raise error
            self._tell(error)
            self.over.wait(min(wait, left))

    def _may_come_back(self, error: httpx.HTTPError) -> bool:
        """An answer that was lost on its way, or a server that was there before; not one that never was."""
        lost = isinstance(error, httpx.ReadError | httpx.ReadTimeout | httpx.WriteError | httpx.RemoteProtocolError)
        return lost or (self._met and isinstance(error, httpx.TransportError))

    def _wait_of(self, answer: httpx.Response) -> float | None:
        """After how many seconds to ask again; None where that does not help."""
        if answer.status_code in (429, 503) and "retry-after" in answer.headers:
            told = answer.headers["retry-after"].strip()
            seconds = float(told) if re.fullmatch(r"\d{1,9}", told) else _AGAIN  # it may be a date
            return min(max(seconds, _LEAST_WAIT), _MOST_WAIT)
        return _AGAIN if answer.status_code == 502 and self._met else None  # of a proxy before a server that restarts

    def _tell(self, error: OverpaintError) -> None:
        if not self._noted:
            self._noted = True
            self._note(f"{error}; trying again for up to {self._patience:g} s")

    def _gone(self, error: httpx.HTTPError) -> ServerError:
        why = str(error) or type(error).__name__
        words = f"{self.url} cannot be reached ({why}); is `overpaint serve` running there?"
        return ServerError(words, code="unreachable")

    def _strange(self, answer: httpx.Response) -> ServerError:
        words = f"{self.url} answers as no Overpaint server does ({answer.status_code} {answer.reason_phrase})"
        return ServerError(words, status=answer.status_code)

    def _error_of(self, answer: httpx.Response, names: Mapping[str, str]) -> OverpaintError:
        """What the server says, as the error that the library raises for the same, if there is one."""
        try:
            told = answer.json()["error"]
            message, code, param = str(told["message"]), str(told["code"]), told.get("param")
        except (ValueError, LookupError, TypeError, AttributeError):
            return self._strange(answer)
        name, colon, rest = message.partition(": ")
        if code in ("invalid_parameter", "unknown_parameter") and colon:
            return ParameterError(name, rest)
        if code == "invalid_image":
            part = re.sub(r"layers\[(\d+)\].*", lambda m: f"layer {int(m[1]) + 1}", str(param))
            return ImageError(message.replace(_UNNAMED, names.get(part, _UNNAMED), 1))
        if code in _OURS:
            return _OURS[code](message)
        return ServerError(message, status=answer.status_code, code=code, param=param)


_UNNAMED = "the picture's bytes"  # as `decode` has it, of a picture that is no file
_OURS: dict[str, type[OverpaintError]] = {
    "cannot_encode": OutputError,
    "edit_failed": EditFailed,
    "cancelled": EditCancelled,
}


def _checked(url: str) -> httpx.URL:
    try:
        where = httpx.URL(url.strip())
    except httpx.InvalidURL:
        where = httpx.URL()
    if where.scheme not in ("http", "https") or not where.host:
        raise ParameterError("server", f"is {url!r}, must be as http://127.0.0.1:7860")
    if where.userinfo or where.query or where.fragment:
        raise ParameterError("server", "must be a bare URL, without a name, password, ? or #")
    return where


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d+){3}", host) is not None
