"""Requests' bodies as they come in: counted, timed, so many at once, and refused where that is too much.

Nothing is buffered here. A body that is refused while the app reads it raises ``BodyRefused`` from the app's own
``receive``; what the app makes of that does not matter (FastAPI makes a 400 of it), the guard answers ``refused``.
"""

import asyncio
import contextlib

from starlette.types import Message, Receive

from overpaint.server.headers import Header, values
from overpaint.server.problems import INVALID, RETRY_SOON, SERVER, Problem

MEGABYTE = 1_000_000
LINGER = 5.0  # seconds, for the rest of a body that nobody reads to go by in


class BodyRefused(Exception):
    """Ends the app's reading. The answer is the guard's."""


class Uploads:
    """Places for requests with a body; ``most`` at once. For one event loop."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0

    def take(self) -> "Place":
        """Raises ``Problem`` 503 where there is none: nobody waits, whose body would have to be kept meanwhile."""
        if self.taken >= self.most:
            words = f"{self.most} requests with a body are being taken in, no more can be just now"
            raise Problem(503, SERVER, "too_many_uploads", words, retry_after=RETRY_SOON)
        self.taken += 1
        return Place(self)


class Place:
    """One of them, until ``leave``, which may be called again."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads: Uploads | None = uploads

    def leave(self) -> None:
        if self._uploads is not None:
            self._uploads.taken -= 1
            self._uploads = None


class Body:
    """One request's body.

    Attributes:
        bytes_in: that have come.
        refused: why it was not read to its end.
        gone: the client left.
    """

    def __init__(self, headers: list[Header], receive: Receive, most_bytes: int, seconds: float) -> None:
        self._receive, self._most, self._seconds = receive, most_bytes, seconds
        self._until = asyncio.get_running_loop().time() + seconds  # absolute: drops that keep coming do not move it
        self._ended = not is_announced(headers)
        self.bytes_in = 0
        self.refused: Problem | None = None
        self.gone = False

    async def receive(self) -> Message:
        """ASGI's ``receive``. Raises ``BodyRefused``."""
        if self.refused is not None:
            raise BodyRefused
        try:
            async with asyncio.timeout_at(None if self._ended else self._until) as limit:
                message = await self._next()
        except TimeoutError:
            if not limit.expired():
                raise
            words = f"the body did not come within {self._seconds:g} seconds"
            self.refused = Problem(408, INVALID, "too_slow", words)
            raise BodyRefused from None
        if self.bytes_in > self._most:
            self.refused = too_large(self._most)
            raise BodyRefused
        return message

    @property
    def has_rest(self) -> bool:
        """Whether the answer's end is held back for its rest: not for one that is late already."""
        return not (self._ended or self.gone or (self.refused is not None and self.refused.status == 408))

    async def drain(self) -> None:
        """Let what nobody reads go by, for some seconds. To close a connection on it could take the answer away from
        a client that looks for one only after it has sent all."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while not (self._ended or self.gone):
                    await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.gone = True
        elif message["type"] == "http.request":
            self.bytes_in += len(message.get("body", b""))
            self._ended = not message.get("more_body", False)
        return message


def is_announced(headers: list[Header]) -> bool:
    """Whether a body comes."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0") for name, value in headers
    )


def check_head(headers: list[Header], most_bytes: int) -> None:
    """What a request's headers say of its body. Raises ``Problem`` 400, 413 or 415."""
    codings = {part.strip().lower() for told in values(headers, b"content-encoding") for part in told.split(",")}
    if codings - {"", "identity"}:
        raise Problem(415, INVALID, "unsupported_encoding", "bodies are taken as they are, without Content-Encoding")
    lengths = values(headers, b"content-length")
    if not all(length.isascii() and length.isdigit() and len(length) <= 20 for length in lengths) or len(lengths) > 1:
        raise Problem(400, INVALID, "bad_length", "Content-Length must be one whole number")
    if lengths and int(lengths[0]) > most_bytes:
        raise too_large(most_bytes)


def too_large(most_bytes: int) -> Problem:
    """413."""
    words = f"the body has more than {most_bytes / MEGABYTE:g} MB, which is the most that is taken"
    return Problem(413, INVALID, "body_too_large", words)
