"""Headers of requests and answers: how they are read, and which ones every answer has."""

import json
import re
from collections.abc import Iterable, Sequence

from overpaint.server import dialects
from overpaint.server.problems import Problem
from overpaint.server.records import new_id

Header = tuple[bytes, bytes]

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# what a browser must not do with an answer; a route that says otherwise is believed
_SAFE: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"x-frame-options", b"DENY"),
)


def values(headers: Iterable[Header], name: bytes) -> list[str]:
    """All values of a header, in order, without blanks around them."""
    return [value.decode("latin-1").strip() for known, value in headers if known == name]


def request_id_of(headers: Iterable[Header]) -> str:
    """The client's own ``x-request-id`` if it is short and plain, else a new one."""
    told = values(headers, b"x-request-id")
    return told[0] if len(told) == 1 and _ID.fullmatch(told[0]) else new_id()


def answer_headers(headers: Iterable[Header], request_id: str, extra: Sequence[Header] = ()) -> list[Header]:
    """Those of an answer, and those that every answer has."""
    own = [(name.lower(), value) for name, value in headers]
    there = {name for name, _ in own}
    kept = [(name, value) for name, value in own if name != b"x-request-id"]
    safe = [(name, value) for name, value in _SAFE if name not in there]
    return [*kept, *safe, *extra, (b"x-request-id", request_id.encode("ascii"))]


def problem_answer(problem: Problem, path: str, request_id: str) -> tuple[int, list[Header], bytes]:
    """An error's status, headers and body, as the API of ``path`` has them."""
    status, said = dialects.said(problem, path, request_id)
    body = json.dumps(said).encode("ascii")
    told = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in problem.http_headers().items()]
    return status, [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *told], body
