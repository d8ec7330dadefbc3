"""AUTOMATIC1111's API: how edits are doing, and to stop them.

What a caller may see and stop are the jobs of its own calls (``tasks``), never those of others, nor its own that came
through another API. Where that program has one job at a time, here a caller may have several calls at once: progress
is that of the oldest, interrupt and skip mean all of them.
"""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from overpaint.errors import ParameterError
from overpaint.recipe import plain
from overpaint.server.context import Context, context_of, owner_of
from overpaint.server.events import Happening
from overpaint.server.problems import Problem
from overpaint.server.reading import read_json
from overpaint.server.tasks import MOST_NAME, Task, caller_of, tasks_of
from overpaint.server.waiting import cancel_jobs

router = APIRouter(include_in_schema=False)


@router.get("/sdapi/v1/progress")
async def progress(request: Request) -> Response:
    """How far the caller's oldest call is; without one, nothing is on its way."""
    context, tasks = context_of(request), tasks_of(request).of(caller_of(request))
    wants_preview = request.query_params.get("skip_current_image", "false").lower() not in ("true", "1")
    task = tasks[0] if tasks else None
    far = _Far()
    if task is not None:
        far = await context.threads.quick(_far, context, owner_of(request), task, wants_preview)
    state = {
        "skipped": False,
        "interrupted": task is not None and task.interrupted,
        "stopping_generation": False,
        "job": task.id if task else "",
        "job_count": max(1, len(task.jobs)) if task else 0,  # clients wait for 0
        "job_timestamp": str(task.number) if task else "0",
        "job_no": far.ended,
        "sampling_step": far.step,
        "sampling_steps": far.steps,
    }
    preview = far.preview and far.preview.partition(",")[2]  # without the head of a data URL
    told = {"progress": far.share, "eta_relative": far.eta, "state": state, "current_image": preview}
    return JSONResponse({**told, "textinfo": far.words})


@router.post("/internal/progress")
async def task_progress(request: Request) -> Response:
    """How far one of the caller's calls is, by the name that it was given as ``force_task_id``."""
    context, told = context_of(request), await read_json(request)
    id = told.get("id_task")
    if not isinstance(id, str):
        raise ParameterError("id_task", "must be the force_task_id of a call")
    task = tasks_of(request).find(caller_of(request), plain(id, MOST_NAME))
    done = task is not None and task.finished
    answer: dict[str, Any] = {"active": False, "queued": False, "completed": done, "id_live_preview": -1}
    answer |= {"progress": None, "eta": None, "live_preview": None, "textinfo": None}
    if task is None or done:
        return JSONResponse({**answer, "textinfo": None if done else "Waiting..."})
    wants_preview = told.get("live_preview") is not False
    far = await context.threads.quick(_far, context, owner_of(request), task, wants_preview)
    active = far.step > 0 or far.ended > 0
    answer |= {"active": active, "queued": not active, "progress": far.share, "eta": far.eta, "textinfo": far.words}
    if far.preview is not None and far.step != told.get("id_live_preview"):
        answer |= {"live_preview": far.preview, "id_live_preview": far.step}
    return JSONResponse(answer)


@router.get("/internal/pending-tasks")
async def pending_tasks(request: Request) -> Response:
    """The names of the caller's calls that are not answered yet."""
    ids = [task.id for task in tasks_of(request).of(caller_of(request))]
    return JSONResponse({"size": len(ids), "tasks": ids})


@router.post("/sdapi/v1/interrupt")
async def interrupt(request: Request) -> Response:
    """End the caller's calls: they are answered with the pictures that are done."""
    context, owner = context_of(request), owner_of(request)
    for task in tasks_of(request).of(caller_of(request)):
        task.interrupted = True
        await cancel_jobs(context, owner, task.jobs)
    return JSONResponse({})


@router.post("/sdapi/v1/skip")
async def skip(request: Request) -> Response:
    """Leave out the pictures of the caller's calls that are being worked on."""
    context, owner = context_of(request), owner_of(request)
    for task in tasks_of(request).of(caller_of(request)):
        running = await context.threads.quick(_running, context, owner, task)
        await cancel_jobs(context, owner, running)
    return JSONResponse(None)


# ---- how far ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Far:
    """How far a call is.

    Attributes:
        share: of all its work, in [0, 1].
        eta: seconds, as far as that can be told.
        ended: pictures that are done.
        step, steps: of the picture that is worked on.
        preview: of it, as a data URL.
        words: its place in the queue, where it waits.
    """

    share: float = 0.0
    eta: float = 0.0
    ended: int = 0
    step: int = 0
    steps: int = 0
    preview: str | None = None
    words: str | None = None


def _far(context: Context, owner: str, task: Task, wants_preview: bool) -> _Far:
    if not task.jobs:
        return _Far(words="In queue...")
    all_now = _happenings(context, owner, task, wants_preview)
    ended = sum(now.is_last for now in all_now)
    at_work: list[dict[str, Any]] = [now.data for now in all_now if now.kind == "step"]
    places = [now.data["place"] for now in all_now if now.kind == "queued" and now.data.get("place")]
    etas = [now.data["eta"] for now in all_now if now.data.get("eta") and not now.is_last]
    parts = sum(step["step"] / step["steps"] for step in at_work)
    first = at_work[0] if at_work else {}
    waits = not at_work and not ended and places
    return _Far(
        share=(ended + parts) / len(all_now) if all_now else 1.0,
        eta=max(etas, default=0.0),
        ended=ended,
        step=first.get("step", 0),
        steps=first.get("steps", 0),
        preview=first.get("preview"),
        words=f"In queue: {min(places)}" if waits else None,
    )


def _running(context: Context, owner: str, task: Task) -> list[str]:
    now = zip(task.jobs, _happenings(context, owner, task, False), strict=True)
    return [id for id, happening in now if happening.kind in ("running", "step")]


def _happenings(context: Context, owner: str, task: Task, wants_preview: bool) -> list[Happening]:
    """Of each job of a call; one that is forgotten by now has ended."""
    found = []
    for id in task.jobs:
        try:
            found.append(context.service.happening(id, owner, preview=wants_preview))
        except Problem:
            found.append(Happening("cancelled", {}))
    return found
