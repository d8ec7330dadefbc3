"""AUTOMATIC1111's API: pictures enlarged, what a picture's file says, and what is in a picture.

What comes is read, and pictures are written, in the sandbox; between the two numbers are resampled, by a few requests
at a time and never on the event loop.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from overpaint.recipe import plain
from overpaint.server import sdapi_extras
from overpaint.server.context import Context, body_taken, context_of, owner_of
from overpaint.server.intake import of_part
from overpaint.server.pictures import PATIENCE
from overpaint.server.problems import MISSING, Problem
from overpaint.server.reading import read_json
from overpaint.server.routes_sdapi import picture
from overpaint.server.sandbox import Sandbox
from overpaint.server.sdapi_extras import Batch, Upscaling
from overpaint.server.turns import Turns

router = APIRouter(include_in_schema=False)  # the documentation of it is that program's

_UPSCALING = Turns()  # of all of this process: what it keeps from being used up are the machine's cores and memory


# ---- enlarged --------------------------------------------------------------------------------------------------------


@router.post("/sdapi/v1/extra-single-image")
async def enlarge_picture(request: Request) -> Response:
    """One picture, resampled."""
    told = await read_json(request)
    asked = sdapi_extras.read(Upscaling, told)
    return await _enlarged(request, asked, {"image": told.get("image")}, lambda made: {"image": made[0]})


@router.post("/sdapi/v1/extra-batch-images")
async def enlarge_pictures(request: Request) -> Response:
    """Several pictures, all in the same way."""
    told = await read_json(request)
    asked, batch = sdapi_extras.read(Upscaling, told), sdapi_extras.read(Batch, told)
    pictures = {f"imageList.{i}.data": one.data for i, one in enumerate(batch.imageList)}
    return await _enlarged(request, asked, pictures, lambda made: {"images": made})


async def _enlarged(
    request: Request, asked: Upscaling, pictures: Mapping[str, Any], as_told: Callable[[list[str]], dict[str, Any]]
) -> Response:
    """The answer; ``pictures``: by the names of the fields that they came in."""
    sdapi_extras.check_upscalers(asked)
    context = context_of(request)
    files = {name: await picture(context, text, name) for name, text in pictures.items()}
    body_taken(request)

    def answer() -> Response:  # made here, since JSON of many megabytes takes a while too
        with _UPSCALING.turn(PATIENCE):
            made = _resampled(context.service.sandbox, asked, files)
        return JSONResponse({"html_info": sdapi_extras.html_info(asked), **as_told(made)})

    return await context.threads.slow(answer)


def _resampled(sandbox: Sandbox, asked: Upscaling, files: Mapping[str, bytes]) -> list[str]:
    """PNGs in base64, of one file after the other."""
    sizes: list[tuple[int, int]] = []
    made = []
    for name, data in files.items():
        with of_part(name):
            pixels = sandbox.decode(data).pixels
        sizes.append(sdapi_extras.size_after(asked, (pixels.shape[1], pixels.shape[0])))
        sdapi_extras.check_room(sizes)
        made.append(b64encode(sandbox.encode(sdapi_extras.upscaled(pixels, asked), "PNG")).decode())
    return made


# ---- what is in a file, and in a picture -----------------------------------------------------------------------------


@router.post("/sdapi/v1/png-info")
async def tell_png_info(request: Request) -> Response:
    """How a picture was made, by what its file says."""
    context = context_of(request)
    data = await picture(context, (await read_json(request)).get("image"), "image")
    body_taken(request)

    def answer() -> Response:
        return JSONResponse(vars(sdapi_extras.png_info(context.service.sandbox.texts_of(data))))

    with of_part("image"):
        return await context.threads.slow(answer)


@router.post("/sdapi/v1/interrogate")
async def interrogate(request: Request) -> Response:
    """A draft of a prompt: what our judge is sure of, nothing where it is sure of nothing."""
    told, context, owner = await read_json(request), context_of(request), owner_of(request)
    model = told.get("model", sdapi_extras.INTERROGATORS[0])
    if model not in sdapi_extras.INTERROGATORS:
        words = f"model: there is no {plain(model)!r} here, only {', '.join(sdapi_extras.INTERROGATORS)}"
        raise Problem(404, MISSING, "model_not_found", words, "model", detail="Model not found")
    data = await picture(context, told.get("image"), "image")
    body_taken(request)
    with of_part("image"):
        return JSONResponse(await context.threads.slow(_caption, context, data, owner))


def _caption(context: Context, data: bytes, owner: str) -> dict[str, str]:
    pictures = context.service.pictures
    found = pictures.describe(pictures.add(data, owner).id, owner)
    return {"caption": found["prompt"] or ""}
