"""AUTOMATIC1111's API: pictures.

A call becomes an ``Order`` for each picture, and these go the way of all orders; it is answered when they are done.
"""

from base64 import b64encode
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from overpaint.errors import OverpaintError
from overpaint.recipe import plain
from overpaint.server import sdapi, sdapi_orders
from overpaint.server.body import from_base64
from overpaint.server.context import Context, context_of, editor_of, owner_of
from overpaint.server.order import Sent
from overpaint.server.problems import INVALID, Problem, in_words_of, problem_of_failure
from overpaint.server.reading import fetched, read_json
from overpaint.server.records import JobRecord
from overpaint.server.sdapi import What
from overpaint.server.tasks import MOST_NAME, Task, caller_of, tasks_of
from overpaint.server.waiting import cancel_jobs, waited_for

router = APIRouter(include_in_schema=False)  # the documentation of it is that program's

_OF_URLS = {"image_urls_off": "Requests not allowed", "url_refused": "Request to local resource not allowed"}


@router.post("/sdapi/v1/img2img")
async def img2img(request: Request) -> Response:
    """Edit pictures."""
    return await _made(request, "img2img")


@router.post("/sdapi/v1/txt2img")
async def txt2img(request: Request) -> Response:
    """Make pictures from a prompt alone."""
    return await _made(request, "txt2img")


async def _made(request: Request, what: What) -> Response:
    context = context_of(request)
    await context.threads.quick(context.service.room)
    told = await read_json(request)
    id = plain(told.get("force_task_id") or "", MOST_NAME)
    task = tasks_of(request).begin(caller_of(request), id)
    try:
        return await _answered(request, what, told, task)
    except OverpaintError as e:
        raise in_words_of(e, sdapi.THEIRS) from e
    finally:
        tasks_of(request).end(task)


async def _answered(request: Request, what: What, told: dict[str, Any], task: Task) -> Response:
    context, owner, model = context_of(request), owner_of(request), editor_of(context_of(request)).model
    v, warnings = sdapi.checked(told, what)
    format, more = sdapi_orders.check_settings(v, model)
    pictures = await _pictures(context, v) if what == "img2img" else sdapi_orders.Pictures()
    orders, still_more = sdapi_orders.orders_of(v, what, pictures, format)
    jobs = await context.threads.intake(context.service.submit_all, orders, owner)
    task.jobs += [job.id for job in jobs]
    if task.interrupted:  # while the request was taken in
        await cancel_jobs(context, owner, task.jobs)
    jobs = await waited_for(request, jobs)
    for job in jobs:
        if job.failure is not None:
            raise problem_of_failure(job.failure)
    made = [job for job in jobs if job.made is not None]
    warnings = [*warnings, *more, *still_more, *sdapi_orders.warnings_of(made)]
    if len(made) < len(jobs):
        warnings.append(f"interrupted: {len(made)} of {len(jobs)} pictures were made")

    def answer() -> Response:  # made here, since JSON of many megabytes takes a while
        images = [_in_base64(context, job, owner) for job in made] if v["send_images"] else []
        info = sdapi_orders.info_of(v, made, model, warnings)
        said = {"images": images, "parameters": sdapi_orders.echo_of(v), "info": info, "warnings": warnings}
        return JSONResponse(said)

    return await context.threads.slow(answer)


def _in_base64(context: Context, job: JobRecord, owner: str) -> str:
    return b64encode(context.service.result(job.id, owner)[1]).decode()


async def _pictures(context: Context, v: dict[str, Any]) -> sdapi_orders.Pictures:
    images = [await picture(context, one, "init_images") for one in v["init_images"] or ()]
    mask = Sent(await picture(context, v["mask"], "mask")) if v["mask"] else None
    return sdapi_orders.Pictures(tuple(map(Sent, images)), mask)


async def picture(context: Context, text: Any, name: str) -> bytes:
    """A picture's file as that program's requests tell it: base64, a data URL, or a URL. Raises ``Problem`` 400."""
    if not isinstance(text, str):
        words = f"{name}: is {type(text).__name__}, must be a picture in base64"
        raise Problem(400, INVALID, "invalid_base64", words, name, detail="Invalid encoded image")
    if text.lstrip().lower().startswith(("http://", "https://")):
        try:
            return await fetched(context, text.strip())
        except Problem as e:
            raise replace(e, detail=_OF_URLS.get(e.code, "Invalid image url"), param=name) from e
    try:
        return await context.threads.intake(from_base64, text, name)
    except Problem as e:
        raise replace(e, detail="Invalid encoded image") from e
