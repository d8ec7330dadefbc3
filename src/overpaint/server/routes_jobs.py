"""Edits, and the jobs that they are: asked for, looked at, waited for, cancelled, fetched."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from overpaint.server import openapi
from overpaint.server.context import (
    KNOWN_QUERY,
    Context,
    context_of,
    known_already,
    owner_of,
    picture_answer,
)
from overpaint.server.events import Happening
from overpaint.server.reading import read_asking
from overpaint.server.records import JobRecord, State
from overpaint.server.streams import beating
from overpaint.server.waiting import waited_for

MOST_LISTED = 200
KEEP_ALIVE = 15.0  # seconds between two signs of life in a stream of events

router = APIRouter(dependencies=[KNOWN_QUERY])


# ---- asking for it ---------------------------------------------------------------------------------------------------


@router.post("/v1/edits", **openapi.EDITS)
async def ask_for_edit(
    request: Request,
    wait: Annotated[bool, Query(description="Answer with the result, when it is done; as in the body.")] = False,
) -> Response:
    """Edit a picture, or make one from a prompt alone.

    The answer comes at once, with the job; or with `wait=true` when it is done, with the result's bytes.
    """
    context, owner = context_of(request), owner_of(request)
    asking = await read_asking(request, sweep=False)
    job = await context.threads.intake(context.service.submit, asking.order, owner)
    if wait or asking.wait:
        return await _waited_for(request, job)
    told = await context.threads.quick(context.service.view, job)
    return JSONResponse(told, 202, _at(job.id))


@router.post("/v1/sweeps", **openapi.SWEEPS)
async def ask_for_sweep(request: Request) -> Response:
    """One edit at several strengths, and against the values of another parameter: a job for each."""
    context, owner = context_of(request), owner_of(request)
    asking = await read_asking(request, sweep=True)
    submit = context.service.submit_sweep
    jobs = await context.threads.intake(
        submit, asking.order, owner, strengths=asking.strengths or (), against=asking.against, count=asking.count
    )
    id = str(jobs[0].sweep)
    return JSONResponse(await _sweep_told(context, id, jobs), 202, {"location": f"/v1/sweeps/{id}"})


def _at(id: str) -> dict[str, str]:
    return {"location": f"/v1/jobs/{id}"}


# ---- waiting for it --------------------------------------------------------------------------------------------------


async def _waited_for(request: Request, job: JobRecord) -> Response:
    """The result, when it is there."""
    context, owner = context_of(request), owner_of(request)
    await waited_for(request, [job])
    record, data = await context.threads.quick(context.service.result, job.id, owner)
    if _wants_json(request):
        return JSONResponse(await context.threads.quick(context.service.view, record))
    return _result_answer(record, data)


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "").lower()
    return "application/json" in accepted and "image/" not in accepted


@router.get("/v1/jobs/{id}/events", **openapi.EVENTS)
async def job_events(
    request: Request,
    id: str,
    preview: Annotated[bool, Query(description="Show with every step what the result would be now.")] = False,
) -> Response:
    """What happens to a job, as it happens (server-sent events), until it has ended. Leaving it cancels nothing."""
    context, owner = context_of(request), owner_of(request)
    await context.threads.quick(context.service.job, id, owner)  # a problem is told before anything streams
    told = beating(_as_event(context.service.watch(id, owner, preview=preview)), KEEP_ALIVE, b": still here\n\n")
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)


async def _as_event(happenings: AsyncIterator[Happening]) -> AsyncIterator[bytes]:
    number = 0
    async for happening in happenings:
        number += 1
        data = json.dumps(happening.data, allow_nan=False)
        yield f"id: {number}\nevent: {happening.kind}\ndata: {data}\n\n".encode()


# ---- jobs that are there ---------------------------------------------------------------------------------------------


@router.get("/v1/jobs", **openapi.JOBS)
async def list_jobs(
    request: Request,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED, description="How many at most.")] = 50,
    before: Annotated[str | None, Query(description="Only those that came before the job of this id.")] = None,
) -> Response:
    """Your jobs, newest first."""
    context, owner = context_of(request), owner_of(request)

    def told() -> dict[str, Any]:
        found = context.service.jobs(owner, state=state, limit=limit + 1, before=before)
        shown = [context.service.view(job) for job in found[:limit]]
        return {"object": "list", "data": shown, "has_more": len(found) > limit}

    return JSONResponse(await context.threads.quick(told))


@router.get("/v1/jobs/{id}", **openapi.JOB)
async def show_job(request: Request, id: str) -> Response:
    """A job: its state, and what is known of its result."""
    context, owner = context_of(request), owner_of(request)

    def told() -> dict[str, Any]:
        return context.service.view(context.service.job(id, owner))

    return JSONResponse(await context.threads.quick(told))


@router.delete("/v1/jobs/{id}", **openapi.CANCEL)
async def cancel_job(request: Request, id: str) -> Response:
    """Cancel a job that has not ended; while it runs it ends before its next step."""
    context, owner = context_of(request), owner_of(request)

    def told() -> dict[str, Any]:
        return context.service.view(context.service.cancel(id, owner))

    return JSONResponse(await context.threads.quick(told))


@router.get("/v1/jobs/{id}/result", **openapi.RESULT)
async def job_result(request: Request, id: str) -> Response:
    """The result's bytes, with its recipe inside; a failed job's own problem."""
    context, owner = context_of(request), owner_of(request)
    job = await context.threads.quick(context.service.job, id, owner)
    if job.made is not None and (same := known_already(request, job.made.digest)) is not None:
        return same
    return _result_answer(*await context.threads.quick(context.service.result, id, owner))


def _result_answer(job: JobRecord, data: bytes) -> Response:
    """A result, with what is most asked of it as headers."""
    assert job.made is not None
    answer = picture_answer(data, job.made.format, job.id, job.made.digest)
    answer.headers["x-overpaint-job"] = job.id
    for name in ("seed", "t0", "signal", "steps_run"):
        if (value := job.made.facts.get(name)) is not None:
            answer.headers[f"x-overpaint-{name.replace('_', '-')}"] = str(value)
    return answer


# ---- sweeps that are there -------------------------------------------------------------------------------------------


@router.get("/v1/sweeps/{id}", **openapi.SWEEP)
async def show_sweep(request: Request, id: str) -> Response:
    """The jobs of a sweep, row after row."""
    context, owner = context_of(request), owner_of(request)
    jobs = await context.threads.quick(context.service.sweep, id, owner)
    return JSONResponse(await _sweep_told(context, id, jobs))


@router.delete("/v1/sweeps/{id}", **openapi.CANCEL_SWEEP)
async def cancel_sweep(request: Request, id: str) -> Response:
    """Cancel those of a sweep's jobs that have not ended."""
    context, owner = context_of(request), owner_of(request)

    jobs = await context.threads.quick(context.service.cancel_sweep, id, owner)
    return JSONResponse(await _sweep_told(context, id, jobs))


async def _sweep_told(context: Context, id: str, jobs: list[JobRecord]) -> dict[str, Any]:
    shown = await context.threads.quick(lambda: [context.service.view(job) for job in jobs])
    return {"id": id, "object": "sweep", "jobs": shown}
