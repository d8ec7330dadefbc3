"""Requests' bodies read for the routes: in threads, with room for a job, and with pictures fetched from the web."""

from dataclasses import replace
from typing import Any

from fastapi import Request

from overpaint.errors import ParameterError
from overpaint.server.asking import AS_TEXT, REPEATED, Asking, asking_of, check_names
from overpaint.server.bodies import MEGABYTE
from overpaint.server.body import Body, from_base64, malformed, media_type, read_form, strict_json, unsupported
from overpaint.server.context import Context, check_model, context_of
from overpaint.server.extras import EXTRAS, read_extra
from overpaint.server.fetch import fetch
from overpaint.server.order import Sent
from overpaint.server.problems import INVALID, Problem


async def read_asking(request: Request, *, sweep: bool) -> Asking:
    """What a request asks for, its picture fetched where it named a URL. Refused unread where there is no room."""
    return await asking_from(request, await read_in_time(request), sweep=sweep)


async def read_in_time(request: Request, *, lists: bool = False) -> Body:
    """A body that asks for jobs; refused unread where there is no room for one. ``lists``: as ``read_form`` has it."""
    context = context_of(request)
    await context.threads.quick(context.service.room)
    return await read_body(request, lists=lists)


async def asking_from(request: Request, body: Body, *, sweep: bool) -> Asking:
    """What a body asks for, its picture fetched where it named a URL."""
    context = context_of(request)
    key = request.headers.get("idempotency-key")
    asking = await context.threads.intake(asking_of, body, sweep=sweep, key=key)
    check_model(context, asking.model)
    if asking.image_url is None:
        return asking
    image = Sent(await fetched(context, asking.image_url))
    return replace(asking, order=replace(asking.order, image=image))


async def read_body(request: Request, *, lists: bool = False) -> Body:
    """JSON or a form. Raises ``Problem``: 415 for anything else, 400 for what cannot be read."""
    kind = media_type(request)
    if kind == "multipart/form-data":
        return await read_form(request, REPEATED, AS_TEXT, lists=lists)
    if kind != "application/json":
        raise unsupported(f"the content type is {kind or 'not told'}, must be application/json or multipart/form-data")
    return Body(await read_json(request))


async def read_json(request: Request) -> dict[str, Any]:
    """The object that a body of JSON is. Raises ``Problem``: 415 for anything else, 400 for what cannot be read."""
    kind = media_type(request)
    if kind != "application/json":
        raise unsupported(f"the content type is {kind or 'not told'}, must be application/json")
    told = await context_of(request).threads.intake(strict_json, await request.body())
    if not isinstance(told, dict):
        raise malformed("invalid_json", "the body must be a JSON object")
    return told


async def read_picture(request: Request) -> bytes:
    """The bytes of the picture that a request is all about, out of a form, JSON, or the body itself.

    Raises ``Problem``: 415 for another type, 400 for what cannot be read, 422 where there is no picture.
    """
    kind = media_type(request)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return await request.body()
    if kind == "multipart/form-data":
        return _picture_in(await read_form(request))
    if kind != "application/json":
        raise unsupported(f"the content type is {kind or 'not told'}, must be image/*, multipart/form-data or JSON")
    told = await read_json(request)
    check_names(told, ("image", "image_url"))
    image, url = told.get("image"), read_extra("image_url", EXTRAS["image_url"], told.get("image_url"), typed=True)
    if image is not None and url is not None:
        raise ParameterError("image", "is given twice, as image and image_url")
    context = context_of(request)
    if url is not None:
        return await fetched(context, url)
    if image is None:
        raise _no_picture()
    if not isinstance(image, str):
        raise ParameterError("image", f"is {type(image).__name__}, must be a picture in base64")
    return await context.threads.intake(from_base64, image, "image")


def _picture_in(form: Body) -> bytes:
    for name in (*form.values, *form.files):
        if name != "image" or name not in form.files:
            raise malformed("unknown_part", "there must be one part, a file of the name 'image'", "image")
    if "image" not in form.files:
        raise _no_picture()
    return form.files["image"]


def _no_picture() -> Problem:
    return Problem(422, INVALID, "missing_parameter", "image: is missing, must be a picture", "image")


async def fetched(context: Context, url: str) -> bytes:
    """The picture behind a URL. Raises ``Problem``: 422 where this server fetches none."""
    if not context.settings.image_urls:
        words = "this server fetches no pictures; send the picture's bytes as image"
        raise Problem(422, INVALID, "image_urls_off", words, "image_url")
    most, seconds = context.settings.body_megabytes * MEGABYTE, context.settings.body_seconds
    return await context.threads.intake(fetch, url, most_bytes=most, seconds=seconds)
