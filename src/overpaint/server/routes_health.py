"""Whether the server lives, whether it is ready, and its measurements. None of it waits for work."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from overpaint.server import openapi
from overpaint.server.context import context_of
from overpaint.server.problems import RETRY_SOON

router = APIRouter()

_REASONS = {
    "loading": "the model is being loaded",
    "draining": "the server is ending",
    "broken": "the engine is dead",
}


@router.get("/livez", **openapi.LIVE)
async def live(request: Request) -> Response:
    """200 as long as the server answers at all."""
    return JSONResponse({"state": context_of(request).service.state, "reason": None})


@router.get("/readyz", **openapi.READY)
async def ready(request: Request) -> Response:
    """200 while jobs are taken, else 503 with the reason."""
    state = context_of(request).service.state
    if state == "ready":
        return JSONResponse({"state": state, "reason": None})
    return JSONResponse({"state": state, "reason": _REASONS[state]}, 503, {"retry-after": str(RETRY_SOON)})


@router.get("/metrics", **openapi.METRICS)
async def metrics(request: Request) -> Response:
    """For Prometheus: jobs, network calls, answers, memory."""
    context = context_of(request)
    text, kind = await context.threads.quick(context.metrics.render)
    return Response(text, headers={"content-type": kind})
