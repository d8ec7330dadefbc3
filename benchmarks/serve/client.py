"""A light HTTP/1.1 client on asyncio, for servers that say how long their answers are.

What it takes of the processor is missing to the server that it measures, so it does nothing that is not needed.
"""

import asyncio
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 900.0  # seconds for one answer


@dataclass(frozen=True)
class Request:
    """What to send."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(repr=False, default=b"")


@dataclass(frozen=True)
class Answer:
    """What comes back; names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        return json.loads(self.body)


def get(path: str) -> Request:
    return Request("GET", path)


def form(path: str, fields: Mapping[str, object], files: Mapping[str, bytes]) -> Request:
    """POST as multipart/form-data."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for name, data in files.items():
        head = f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"; filename="{name}.png"\r\n'
        parts.append(head.encode() + b"content-type: image/png\r\n\r\n" + data + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return Request("POST", path, {"content-type": f"multipart/form-data; boundary={boundary}"}, body)


class Connection:
    """One connection to a server, opened when it is needed and kept. One request at a time. A context manager.

    Raises ``OSError`` where the server cannot be reached, or goes away before its answer is whole.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: Request) -> Answer:
        """The answer, whatever its status. A kept connection that the server has closed meanwhile is opened anew."""
        kept = self._streams is not None
        try:
            return await self._sent(request)
        except (asyncio.IncompleteReadError, ConnectionError) as e:
            self._close()
            unanswered = not isinstance(e, asyncio.IncompleteReadError) or not e.partial
            if kept and unanswered:
                return await self.send(request)
            raise ConnectionError(f"the server went away: {e}") from e
        except BaseException:
            self._close()
            raise

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave; what was asked for is not waited for."""
        if self._streams is not None:
            writer = self._streams[1]
            self._close()
            with suppress(OSError):  # that it was broken has been told
                await writer.wait_closed()

    def _close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _sent(self, request: Request) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        lines = [f"{request.method} {request.path} HTTP/1.1", f"host: {self._host}:{self._port}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        lines += [f"content-length: {len(request.body)}", "", ""]
        writer.write("\r\n".join(lines).encode() + request.body)
        async with asyncio.timeout(PATIENCE):
            answer = await _read(reader)
        if answer.headers.get("connection", "").lower() == "close":
            self._close()
        return answer


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Answer(int(head[0].split(" ", 2)[1]), headers, body)
