"""Pictures that are sent ahead of their edits: sent once, edited often; and what can be told of one without a job."""

from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from overpaint.server import openapi
from overpaint.server.asking import SPECS, check_names
from overpaint.server.context import KNOWN_QUERY, context_of, known_already, owner_of, picture_answer
from overpaint.server.extras import EXTRAS, read_extra
from overpaint.server.reading import read_json, read_picture
from overpaint.server.records import FormatName, PictureRecord

router = APIRouter(dependencies=[KNOWN_QUERY])


@router.post("/v1/pictures", **openapi.PICTURES)
async def add_picture(request: Request) -> Response:
    """Send a picture ahead of its edits. It is kept as long as results are."""
    context, owner = context_of(request), owner_of(request)
    data = await read_picture(request)
    record = await context.threads.intake(context.service.pictures.add, data, owner)
    return JSONResponse(_told(record), 201, {"location": f"/v1/pictures/{record.id}"})


def _told(record: PictureRecord) -> dict[str, Any]:
    size = {"width": record.width, "height": record.height}
    return {"id": record.id, "object": "picture", **size, "notes": list(record.notes)}


@router.get("/v1/pictures/{id}", **openapi.PICTURE)
async def show_picture(request: Request, id: str) -> Response:
    """A picture's size, and what reading it had to say."""
    context = context_of(request)
    return JSONResponse(_told(await context.threads.quick(context.service.pictures.get, id, owner_of(request))))


@router.get("/v1/pictures/{id}/view", **openapi.VIEW)
async def view_picture(request: Request, id: str) -> Response:
    """A PNG of what an edit sees, and what coordinates count on: upright, sRGB, 8 bits."""
    context = context_of(request)
    data = await context.threads.slow(context.service.pictures.view, id, owner_of(request))
    return _answer(request, data, "png", f"{id}-view")


@router.get("/v1/pictures/{id}/noised", **openapi.NOISED)
async def noised_picture(
    request: Request,
    id: str,
    strength: Annotated[float, Query(ge=0, le=1, description=SPECS["strength"].help)],
    seed: Annotated[int | None, Query(description="0 if it is left out; -1 draws one.")] = None,
    variation: Annotated[str | None, Query(description=SPECS["variation"].help)] = None,
    size: Annotated[str | None, Query(description=SPECS["size"].help)] = None,
    output_size: Annotated[str | None, Query(description="What comes back; 'working' if it is left out.")] = None,
    fit: Annotated[str | None, Query(description=SPECS["fit"].help)] = None,
    format: Annotated[FormatName, Query(description=EXTRAS["format"].help)] = "png",
) -> Response:
    """What noise leaves of a picture: what an edit of this strength starts from."""
    context = context_of(request)
    given = {"seed": seed, "variation": variation, "size": size, "output_size": output_size, "fit": fit}
    params = {name: value for name, value in given.items() if value is not None}
    noised = context.service.pictures.noised
    data, facts = await context.threads.slow(
        noised, id, owner_of(request), strength=strength, params=params, format=format
    )
    answer = _answer(request, data, format, f"{id}-noised")
    for name in ("seed", "t0", "signal", "survives"):
        answer.headers[f"x-overpaint-{name}"] = str(facts[name])
    return answer


@router.post("/v1/pictures/{id}/select", **openapi.SELECT)
async def select_in_picture(request: Request, id: str) -> Response:
    """A change map made by map tools, as a grey PNG of the picture's size, to be looked at before it is used."""
    context = context_of(request)
    told = await read_json(request)
    check_names(told, ("tools",))
    tools = read_extra("tools", EXTRAS["tools"], told.get("tools"), typed=True) or []
    data = await context.threads.slow(context.service.pictures.select, id, owner_of(request), tools)
    return picture_answer(data, "png", f"{id}-map")


@router.get("/v1/pictures/{id}/describe", **openapi.DESCRIBE)
async def describe_picture(request: Request, id: str) -> Response:
    """A draft of a prompt, and what it was made from."""
    context = context_of(request)
    return JSONResponse(await context.threads.slow(context.service.pictures.describe, id, owner_of(request)))


def _answer(request: Request, data: bytes, kind: str, name: str) -> Response:
    tag = sha256(data).hexdigest()
    return known_already(request, tag) or picture_answer(data, kind, name, tag)
