"""A picture made again from its own recipe: the request, the input found by its pixels, and what is not as it was."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from overpaint import decode
from overpaint.decode.header import open_header
from overpaint.errors import ImageError, RecipeError
from overpaint.maps import maptext
from overpaint.picture import Pixels
from overpaint.recipe import Input, Recipe
from overpaint.request import EditRequest, Layer

MAX_SEARCHED = 2000  # pictures that are looked at in one folder
_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".jxl"}


def request_of(recipe: Recipe, image: decode.Source | None, **changes: Any) -> EditRequest:
    """The request that makes a recipe's picture again, of ``image`` (None: from nothing) and with other options.

    Where ``image`` has another size than the recipe's input had, sizes that followed from the input follow from
    ``image`` instead.
    """
    picture = None if image is None else decode.load(image)
    if picture is None and recipe.input is not None:
        w, h = recipe.input.size
        raise RecipeError(f"its input, a picture of {w}x{h}, is not found by its pixels; name it")
    if picture and recipe.input and picture.size != recipe.input.size:
        w, h = recipe.input.size
        if recipe.params.output_size == f"{w}x{h}":
            changes = {"size": None, "output_size": None, "region": None, **changes}
    change_map, layers = changes.pop("change_map", None), changes.pop("layers", None)
    if change_map is None and recipe.maps.change is not None:
        change_map = _map(recipe.maps.change)
    if layers is None:
        layers = [
            Layer(_map(told.map), told.prompt, told.strength, told.guidance_scale, told.negative_prompt)
            for told in recipe.maps.layers
        ]
    return EditRequest.of(picture, recipe.changed(**changes), recipe.makes, change_map, layers)


def _map(told: Mapping[str, Any]) -> Pixels:
    m = maptext.from_dict(told, decode.MAX_PIXELS)
    if m is None:
        w, h = told["width"], told["height"]
        raise RecipeError(f"its map of {w}x{h} has too many different numbers to be in the file; give it again")
    return m


def folders_of(source: object) -> list[Path]:
    """Where the input of a saved picture may be: beside it, one folder up, in the current folder, and in theirs."""
    beside = []
    if isinstance(source, str | os.PathLike) and str(source) != decode.STDIN:
        folder = Path(source).absolute().parent
        beside = [folder, folder.parent]
    near = [*beside, Path.cwd()]
    return near + [below for folder in near for below in sorted(folder.iterdir()) if below.is_dir()]


def find_input(wanted: Input, folders: Iterable[Path]) -> Path | None:
    """The first picture in ``folders`` (not below them) whose decoded pixels are the recipe's; None if none is."""
    for path in _files_in(folders):
        try:
            size = open_header(path)[0].size  # before orientation is applied: either way round
            if sorted(size) == sorted(wanted.size) and decode.load(path).digest == wanted.pixels:
                return path
        except ImageError:
            continue
    return None


def differences(recipe: Recipe, again: Recipe) -> list[str]:
    """In words, what decides the bytes and was not the same for ``again`` as for ``recipe``."""
    told = []
    if recipe.model_hash not in (None, again.model_hash):
        told.append(f"the model was {_model(recipe)}, here it is {_model(again)}")
    if recipe.input is not None and recipe.input != again.input:
        told.append("the input is another picture than it was")
    for name, now in again.made_with.items():
        was = recipe.made_with.get(name, now)
        if was != now:
            told.append(f"{name} was {was}, here it is {now}")
    return told


def _model(recipe: Recipe) -> str:
    return f"{recipe.model} ({(recipe.model_hash or '')[:10]})"


def _files_in(folders: Iterable[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() not in seen and os.access(folder, os.R_OK | os.X_OK):
            seen.add(folder.resolve())
            files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in _ENDINGS and path.is_file()]
            yield from files[:MAX_SEARCHED]
