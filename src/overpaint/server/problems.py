"""Errors as HTTP tells them: one table from ours to a status, and one body, ``{"error": {type, code, message, ...}}``.

A client hears what it did wrong in the words of the library. What went wrong on our side it hears without paths,
tracebacks and internals; the log has them, under the request's id.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from overpaint.errors import (
    DiskFullError,
    EditCancelled,
    EditFailed,
    ImageError,
    KeyReusedError,
    OutputError,
    OverpaintError,
    ParameterError,
    QueueFullError,
    RecipeError,
    SandboxError,
    StoreError,
    StoreFullError,
)
from overpaint.recipe import plain
from overpaint.server.records import Failure

INVALID, SERVER, BUSY = "invalid_request_error", "server_error", "rate_limit_error"
AUTH, MISSING = "authentication_error", "not_found_error"

MAX_MESSAGE = 2000  # characters
RETRY_QUEUE, RETRY_SOON = 5, 2  # seconds that a client is asked to wait, where nothing better is known

# how a stored failure's code reads as a status, for who waited for the result; any other is 500
_STATUS_OF_FAILURE = {
    "invalid_parameter": 422,
    "invalid_image": 422,
    "cannot_encode": 422,
    "deadline": 504,
    "cancelled": 409,
    "storage_full": 507,
    "not_ready": 503,
}
_STATUS_OF_IMAGE = {"empty": 415, "format": 415, "too_large": 413}


@dataclass(eq=False)
class Problem(OverpaintError):
    """An answer other than success.

    Attributes:
        status: of HTTP.
        type, code: for programs; ``code`` is stable.
        message: for people: what was wrong, where, and what would be right.
        param: the parameter or part at fault.
        detail: another server's own words for it, where clients of that one look for them; None: there are none.
        retry_after: whole seconds, where trying again may help; None: it does not, and the answer says so.
    """

    status: int
    type: str
    code: str
    message: str
    param: str | None = None
    retry_after: int | None = None
    headers: Mapping[str, str] | None = None
    detail: str | None = None

    def __str__(self) -> str:
        return self.message

    def body(self, request_id: str) -> dict[str, Any]:
        """What is sent as JSON."""
        names = ("type", "code", "message", "param")
        return {"error": {**{name: getattr(self, name) for name in names}, "request_id": request_id}}

    def http_headers(self) -> dict[str, str]:
        """Clients in OpenAI's manner retry 408, 409, 429 and 5xx by themselves unless they are told not to."""
        told = dict(self.headers or {})
        if self.retry_after is not None:
            told["retry-after"] = str(self.retry_after)
        elif self.status in (408, 409) or self.status >= 500:
            told["x-should-retry"] = "false"
        return told


def not_found(what: str, param: str | None = None) -> Problem:
    """404: unknown, forgotten, or another's; who asks cannot tell which."""
    return Problem(404, MISSING, "not_found", f"there is no such {what}", param)


def problem_of(error: BaseException, param: str | None = None) -> Problem:
    """Any error as what a client may hear of it; ``param``: the part of the request that it came from."""
    if isinstance(error, Problem):
        return error
    said = plain(error, MAX_MESSAGE)
    if isinstance(error, ParameterError):
        return Problem(422, INVALID, "invalid_parameter", said, error.name)
    if isinstance(error, ImageError):
        kind = error.kind
        return Problem(_STATUS_OF_IMAGE.get(kind, 422), INVALID, "invalid_image", said, param or "image")
    if isinstance(error, RecipeError):
        return Problem(422, INVALID, "invalid_recipe", said, param)
    if isinstance(error, KeyReusedError):
        return Problem(409, INVALID, "idempotency_key_reused", said, "idempotency_key")
    if isinstance(error, QueueFullError):
        code = "too_many_of_yours" if error.of_owner else "queue_full"
        return Problem(429, BUSY, code, said, retry_after=RETRY_QUEUE)
    if isinstance(error, EditCancelled):
        return Problem(409, INVALID, "cancelled", said)
    return _ours(error, said)


def _ours(error: BaseException, said: str) -> Problem:
    """What is not the client's fault."""
    if isinstance(error, StoreFullError | DiskFullError):
        return Problem(507, SERVER, "storage_full", "the server has no room left to keep jobs or results")
    if isinstance(error, StoreError | OutputError):
        words = "the server's database or folder cannot be used just now"
        return Problem(503, SERVER, "storage_unavailable", words, retry_after=RETRY_SOON)
    if isinstance(error, SandboxError):
        words = "the server has no worker process for pictures just now"
        return Problem(503, SERVER, "no_worker", words, retry_after=RETRY_SOON)
    if isinstance(error, EditFailed) and error.__cause__ is None:  # our own words
        return Problem(500, SERVER, "edit_failed", said)
    return Problem(500, SERVER, "internal", "something went wrong inside the server; its log has more by this id")


def in_words_of(error: OverpaintError, names: Mapping[str, str]) -> Problem:
    """An error for a client of another API, where a parameter of ours has another name."""
    problem = problem_of(error)
    ours = problem.param or ""
    if ours not in names:
        return problem
    message = problem.message
    if message.startswith(f"{ours}:"):
        message = names[ours] + message.removeprefix(ours)
    return replace(problem, param=names[ours], message=message)


def failure_of(error: BaseException) -> Failure:
    """As it is stored with a job."""
    p = problem_of(error)
    return Failure(p.type, p.code, p.message, p.param)


def problem_of_failure(failure: Failure) -> Problem:
    """What who waited for a job hears of its failure; trying again would fail again."""
    status = _STATUS_OF_FAILURE.get(failure.code, 500)
    return Problem(status, failure.type, failure.code, failure.message, failure.param)
