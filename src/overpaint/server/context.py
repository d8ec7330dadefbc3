"""What every route needs: the service, threads to call it on, who asks, and what answers have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Request
from fastapi.responses import JSONResponse, Response

from overpaint.errors import OverpaintError
from overpaint.server import dialects
from overpaint.server.asking import check_names
from overpaint.server.metrics import Metrics
from overpaint.server.problems import INVALID, RETRY_SOON, SERVER, Problem, problem_of
from overpaint.server.service import Service
from overpaint.server.settings import Settings

if TYPE_CHECKING:
    from overpaint.editor import Editor

_QUICK, _SLOW = 16, 80  # threads; `Pictures` itself holds back those that ask it
LEFT = 499  # as nginx logs it: the client went away before it was answered

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Threads:
    """Threads for calls that block. Three kinds, so that none of them waits for slower ones.

    Args:
        uploads: how many pictures may be taken in at once.
    """

    def __init__(self, uploads: int) -> None:
        self._quick = anyio.CapacityLimiter(_QUICK)
        self._intake = anyio.CapacityLimiter(uploads)
        self._slow = anyio.CapacityLimiter(_SLOW)

    async def quick(self, call: Callable[_P, _T], *args: _P.args, **rest: _P.kwargs) -> _T:
        """What asks the database or reads a file: milliseconds."""
        return await anyio.to_thread.run_sync(partial(call, *args, **rest), limiter=self._quick)

    async def intake(self, call: Callable[_P, _T], *args: _P.args, **rest: _P.kwargs) -> _T:
        """What decodes or fetches what a request brought: seconds, for big pictures."""
        return await anyio.to_thread.run_sync(partial(call, *args, **rest), limiter=self._intake)

    async def slow(self, call: Callable[_P, _T], *args: _P.args, **rest: _P.kwargs) -> _T:
        """What is not quick, and brings no body: what is told of a picture that is there, or done to many jobs."""
        return await anyio.to_thread.run_sync(partial(call, *args, **rest), limiter=self._slow)


@dataclass(frozen=True)
class Context:
    """What the routes of one app share."""

    service: Service
    metrics: Metrics
    settings: Settings
    started: float
    threads: Threads = field(repr=False)


def context_of(request: Request) -> Context:
    """The context of the app that a request came to."""
    context: Context = request.app.state.context
    return context


def owner_of(request: Request) -> str:
    """The name of the API key that the guard found with a request; "" where none is needed."""
    return str(request.scope.get("state", {}).get("owner", ""))


def request_id_of(request: Request) -> str:
    """As the guard chose it."""
    return str(request.scope.get("state", {}).get("request_id", ""))


async def _known_query(request: Request) -> None:
    """Raises ``Problem`` 422 for a parameter of the URL that its route does not have."""
    route = request.scope["route"]
    known = [field.alias for field in route.dependant.query_params]
    check_names(request.query_params, known)


KNOWN_QUERY = Depends(_known_query)


def body_taken(request: Request) -> None:
    """Tell the guard that the body is dealt with, where the answer takes longer: its place goes to another."""
    taken = request.scope.get("state", {}).get("body_taken")
    if taken is not None:
        taken()


def editor_of(context: Context) -> "Editor":
    """The editor. Raises ``Problem`` 503 where the model is not there (yet)."""
    editor: Editor | None = context.service.editor
    if editor is None:
        raise Problem(503, SERVER, "not_ready", f"the server is {context.service.state}", retry_after=RETRY_SOON)
    return editor


def check_model(context: Context, asked: str | None) -> None:
    """Raises ``Problem`` 404 for another model than the one that is served."""
    served = editor_of(context).model.name
    if asked not in (None, served):
        words = f"there is no such model here; the one that is served is {served!r}"
        raise Problem(404, INVALID, "model_not_found", words, "model")


def problem_answer(request: Request, error: BaseException) -> Response:
    """An error of ours as an answer."""
    problem = problem_of(error)
    status, said = dialects.said(problem, request.url.path, request_id_of(request))
    return JSONResponse(said, status, problem.http_headers())


def left() -> OverpaintError:
    """For the log: nobody hears it any more."""
    return Problem(LEFT, INVALID, "client_left", "the client went away before it was answered")


def picture_answer(data: bytes, kind: str, name: str, tag: str | None = None) -> Response:
    """The bytes of a picture, as one that runs nothing wherever it is opened.

    Args:
        kind: "png", "jpeg" or "webp"; what we wrote, never what a client said.
        name: of the file, for who saves it; made of an id.
        tag: changes with the bytes.
    """
    headers = {
        "content-disposition": f'inline; filename="{name}.{kind}"',
        "content-security-policy": "default-src 'none'; sandbox",
    }
    return Response(data, media_type=f"image/{kind}", headers=headers | ({} if tag is None else _tagged(tag)))


def known_already(request: Request, tag: str) -> Response | None:
    """304 where the client says that it has these bytes."""
    return Response(status_code=304, headers=_tagged(tag)) if has_already(request, tag) else None


def has_already(request: Request, tag: str) -> bool:
    """Whether the client says that it has the bytes of this tag."""
    told: Sequence[str] = request.headers.get("if-none-match", "").split(",")
    known = {one.strip().removeprefix("W/") for one in told}
    return bool(known & {f'"{tag}"', "*"})


def _tagged(tag: str) -> dict[str, str]:
    return {"etag": f'"{tag}"', "cache-control": "private, no-cache"}
