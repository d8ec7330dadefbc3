"""The server's HTTP as one ASGI app: routes, errors in one form, and the guard around all of it."""

import time
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overpaint.errors import OverpaintError
from overpaint.recipe import plain
from overpaint.server import (
    openapi,
    routes_health,
    routes_jobs,
    routes_lists,
    routes_openai,
    routes_pictures,
    routes_recipes,
    routes_sdapi,
    routes_sdapi_extras,
    routes_sdapi_lists,
    routes_sdapi_progress,
    routes_studio,
)
from overpaint.server.context import LEFT, Context, Threads, context_of, problem_answer
from overpaint.server.guard import Guard
from overpaint.server.keys import Keys
from overpaint.server.metrics import Metrics
from overpaint.server.problems import INVALID, Problem, not_found
from overpaint.server.service import Service
from overpaint.server.settings import Settings
from overpaint.server.tasks import Tasks
from overpaint.version import __version__

# the only paths that need no key: health, what there is, and each file of the page by its name
PUBLIC = frozenset({"/livez", "/readyz", "/openapi.json"}) | routes_studio.PATHS
PARTS = (
    routes_jobs,
    routes_pictures,
    routes_recipes,
    routes_lists,
    routes_health,
    routes_openai,
    routes_sdapi,
    routes_sdapi_extras,
    routes_sdapi_lists,
    routes_sdapi_progress,
    routes_studio,
)

_TOLD = "overpaint.told"  # in a scope's state: what is found out inside and wanted outside


def create_app(service: Service, keys: Keys | None, metrics: Metrics, settings: Settings | None = None) -> ASGIApp:
    """The app of a service.

    Args:
        keys: of who may use it; None for everybody.
        settings: the service's own, if nothing is said.
    """
    settings = settings or service.settings
    api = make_api(service, keys, metrics, settings)
    return Measured(Guard(Noted(api), settings, keys, PUBLIC, frozenset({routes_studio.PAGE})), metrics)


def make_api(service: Service, keys: Keys | None, metrics: Metrics, settings: Settings) -> FastAPI:
    """The routes, without the guard."""
    api = FastAPI(
        title="Overpaint",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        exception_handlers={
            OverpaintError: _our_error,
            HTTPException: _http_error,
            RequestValidationError: _query_error,
        },
    )
    for part in PARTS:
        api.include_router(part.router)
    api.add_api_route("/openapi.json", _openapi, include_in_schema=False)
    api.state.context = Context(service, metrics, settings, time.time(), Threads(settings.uploads))
    api.state.tasks = Tasks()
    api.state.needs_key = keys is not None
    api.state.document = None
    return api


async def _openapi(request: Request) -> Response:
    """The OpenAPI document."""
    api: FastAPI = request.app
    if api.state.document is None:
        made = context_of(request).threads.quick(openapi.document, api, PUBLIC, api.state.needs_key)
        api.state.document = await made
    return JSONResponse(api.state.document)


# ---- errors ----------------------------------------------------------------------------------------------------------


async def _our_error(request: Request, error: Exception) -> Response:
    return problem_answer(request, error)


async def _http_error(request: Request, error: Exception) -> Response:
    """What Starlette says by itself: there is no such path, or no such method of it."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return problem_answer(request, not_found("path"))
    code = {405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    words = f"{request.method} is not taken here" if error.status_code == 405 else str(error.detail)
    return problem_answer(request, Problem(error.status_code, INVALID, code, plain(words), headers=headers))


async def _query_error(request: Request, error: Exception) -> Response:
    """A parameter of the URL that is not taken."""
    assert isinstance(error, RequestValidationError)
    first: dict[str, Any] = dict(error.errors()[0])
    name = plain(".".join(str(part) for part in first["loc"][1:]))
    return problem_answer(request, Problem(422, INVALID, "invalid_parameter", plain(f"{name}: {first['msg']}"), name))


# ---- what is measured ------------------------------------------------------------------------------------------------


class Measured:
    """Outermost: counts every answer, the guard's own too, by the template of its path."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        since, status = time.perf_counter(), LEFT
        told: dict[str, Any] = {}

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app({**scope, "state": {**scope.get("state", {}), _TOLD: told}}, receive, sending)
        finally:
            self._metrics.answered(told.get("route"), scope["method"], status, time.perf_counter() - since)


class Noted:
    """Innermost: notes which route it was, which only its own scope tells."""

    def __init__(self, api: FastAPI) -> None:
        self.api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.api(scope, receive, send)
        finally:
            told: dict[str, Any] = scope.get("state", {}).get(_TOLD, {})
            told["route"] = getattr(scope.get("route"), "path", None)
