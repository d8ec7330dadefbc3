"""How a picture was made, read from its file, so that it can be made again or changed from there."""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from overpaint.errors import RecipeError
from overpaint.recipe import Recipe
from overpaint.server import openapi
from overpaint.server.context import KNOWN_QUERY, context_of
from overpaint.server.problems import problem_of
from overpaint.server.reading import read_picture
from overpaint.server.sandbox import Sandbox

router = APIRouter(dependencies=[KNOWN_QUERY])


@router.post("/v1/recipes", **openapi.RECIPES)
async def read_recipes(request: Request) -> Response:
    """The recipes that a picture's file holds, ours or other programs'; maps come as pictures. Nothing is kept."""
    context = context_of(request)
    data = await read_picture(request)
    text = await context.threads.intake(_answer, context.service.sandbox, data)
    return Response(text, media_type="application/json")


def _answer(sandbox: Sandbox, data: bytes) -> str:
    """The answer's JSON, written here and not on the event loop: with maps it may be tens of megabytes."""
    try:
        recipes = sandbox.recipes_of(data)
        told = [_told(recipe) for recipe in recipes]
        _put_pictures(sandbox, recipes, told)
    except RecipeError as e:
        raise problem_of(e, "image") from e
    return json.dumps({"object": "list", "data": told})


def _told(recipe: Recipe) -> dict[str, Any]:
    """With every name that there is, whether it says something or not."""
    told = {"change_map": None, "layers": [], **recipe.as_dict(numbers=False), "notes": list(recipe.notes)}
    for m in _maps_of(told):
        m["map_png"] = None
    return told


def _put_pictures(sandbox: Sandbox, recipes: Sequence[Recipe], told: Sequence[dict[str, Any]]) -> None:
    """Give each map in ``told`` its numbers, as a grey PNG."""
    with_numbers = [m for recipe in recipes for m in _maps_of(recipe.as_dict())]
    if not with_numbers:
        return
    places = [m for one in told for m in _maps_of(one)]
    for place, png in zip(places, sandbox.greys_of(with_numbers), strict=False):  # the first of very many
        place["map_png"] = None if png is None else base64.b64encode(png).decode()


def _maps_of(told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The maps of one recipe as its JSON has them."""
    if told.get("change_map") is not None:
        yield told["change_map"]
    for layer in told.get("layers", ()):
        yield layer["map"]
