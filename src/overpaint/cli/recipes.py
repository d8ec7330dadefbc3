"""``overpaint recipe`` and ``overpaint redo``: how a picture was made, and made again."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overpaint.cli.console import Report, err, out, result_facts, result_line, show_json, warn
from overpaint.cli.editing import open_editor, progress_of
from overpaint.cli.options import Choice, DeviceOption, DownloadOption, JsonOption, OverwriteOption, read_changes
from overpaint.cli.outputs import FormatOption, OutOption, Wish, deliver, plan, suffix_of
from overpaint.errors import ModelError, OverpaintError, ParameterError, RecipeError
from overpaint.params import specs
from overpaint.recipe import Recipe, plain

if TYPE_CHECKING:
    from overpaint.result import EditResult

PickOption = Annotated[int | None, typer.Option(help="Which edit of a sheet, from 1 on.")]


def recipe(
    file: Annotated[Path, typer.Argument(help="A picture; - is standard input.")],
    as_json: JsonOption = False,
) -> None:
    """How a picture was made: saved by Overpaint, or with the text that AUTOMATIC1111 and others write."""
    from overpaint.metadata import read_recipes

    recipes = read_recipes(str(file))
    if as_json:
        for one in recipes:
            show_json({**one.as_dict(), "notes": list(one.notes)})
        return
    for number, one in enumerate(recipes, 1):
        if len(recipes) > 1:
            typer.echo(f"{number} of {len(recipes)}:")
        for name, value in _lines(one):
            out.print(f"{name:17} {value}", soft_wrap=True, markup=False)
        warn(one.notes)


def redo(
    file: Annotated[Path, typer.Argument(help="A picture that was saved with its recipe.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Another value, as strength=.5; as often as there are changes.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option("--input", "-i", help="What it was made of. Left out: looked for, by its pixels.")
    ] = None,
    change_map: Annotated[
        Path | None, typer.Option("--map", help="Another change map, or one that is not in it.")
    ] = None,
    pick: PickOption = None,
    target: OutOption = None,
    suffix: FormatOption = "png",
    overwrite: OverwriteOption = False,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Left out: the one of the recipe.")] = None,
    device: DeviceOption = "auto",
    dtype: Annotated[str | None, typer.Option(help="Left out: the one of the recipe.")] = None,
    download: DownloadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a picture again from its own recipe: the same seed and options, or with other ones."""
    from overpaint.metadata import read_recipes
    from overpaint.redo import find_input, folders_of

    wanted = read_changes(changes or [])
    recipes = read_recipes(str(file))
    one = _picked(recipes, pick)
    one.changed(**wanted)
    if image is None and one.input is not None:
        with err.status("looking for its input ..."):
            image = find_input(one.input, folders_of(str(file)))
        if image is None:
            w, h = one.input.size
            raise RecipeError(f"{file}: its input, a picture of {w}x{h}, is not near it nor here; name it: --input")
    if change_map is not None:
        wanted["change_map"] = str(change_map)
    wish = Wish(target, suffix_of(suffix), overwrite=overwrite)
    path = plan(wish, [file], "{}-redo")[0].results[0]
    if image is not None and not overwrite and path.exists() and path.samefile(image):
        raise ParameterError("out", f"{path} is the input; name another output, or say --overwrite")
    report = Report(as_json, target)
    choice = Choice(_model_of(one, model), device, dtype or _dtype_of(one, device), download, _threads_of(one))
    result = _again(one, image, wanted, choice)
    deliver(result, path, wish.suffix)
    report.wrote(path, result_line(result), **result_facts(result, image))
    if not as_json:
        warn([*one.notes, *result.warnings, *_compared(one, result, file, comparable=len(recipes) == 1 and not wanted)])


def _again(one: Recipe, image: Path | None, wanted: dict[str, Any], choice: Choice) -> "EditResult":
    with open_editor(choice) as editor:
        from overpaint.redo import request_of

        with progress_of(1) as bar:
            for outcome in editor.edit_many(
                [request_of(one, None if image is None else str(image), **wanted)], on_step=bar.step
            ):
                if isinstance(outcome, OverpaintError):
                    raise outcome
                return outcome
    raise AssertionError("one request has one outcome")


def _picked(recipes: list[Recipe], pick: int | None) -> Recipe:
    if pick is None and len(recipes) > 1:
        raise ParameterError("pick", f"is needed: it is a sheet of {len(recipes)} edits; say --pick 1 or another")
    if pick is not None and not 1 <= pick <= len(recipes):
        raise ParameterError("pick", f"is {pick}, must be from 1 to {len(recipes)}")
    return recipes[(pick or 1) - 1]


def _model_of(one: Recipe, asked: str | None) -> str:
    """The recipe's model, where its name is enough to find it: the path of a folder is in no recipe."""
    from overpaint.checkpoint import EMBEDDED, inspect

    name = asked or one.model or EMBEDDED
    if asked is not None or name == EMBEDDED:
        return name
    try:
        inspect(name)
    except ModelError as e:
        raise ModelError(f"the picture was made with the model {name!r}; say where it is: --model FOLDER ({e})") from e
    return name


def _dtype_of(one: Recipe, device: str) -> str:
    told = one.made_with.get("dtype")
    return str(told) if told in ("float32", "float16", "bfloat16") and device in ("auto", "cpu") else "auto"


def _threads_of(one: Recipe) -> int | None:
    """Those of the recipe, another number gives other bytes; None where there are not so many here."""
    told = one.made_with.get("threads")
    return told if isinstance(told, int) and 1 <= told <= (os.cpu_count() or 1) else None


def _compared(one: Recipe, result: "EditResult", file: Path, comparable: bool) -> list[str]:
    """Whether the picture came out as it was, and if not, why that may be."""
    from overpaint import decode
    from overpaint.encode import WRITTEN, encode
    from overpaint.redo import differences

    told = differences(one, result.recipe)
    if not comparable or str(file) == decode.STDIN or not one.made_with:
        return told
    kind = WRITTEN.get(file.suffix.lower())
    if kind is not None and encode(result.pixels, kind, [result.recipe]) == file.read_bytes():
        return [f"the same as {file}, byte for byte"]
    if decode.load(result.pixels).digest == decode.load(str(file)).digest:
        return [*told, f"the same pixels as {file}"]
    return [*told, f"not the same pixels as {file}" + ("" if told else ", which may have been changed since")]


def _lines(one: Recipe) -> list[tuple[str, object]]:
    """A recipe as a table; a stranger wrote it, so nothing of it reaches the terminal as it is."""
    params = [(f.name, getattr(one.params, f.name)) for f, _ in specs()]
    lines: list[tuple[str, object]] = [(name, value) for name, value in params if value not in (None, "")]
    if one.maps.change is not None:
        lines += [("change_map", f"{one.maps.change['width']}x{one.maps.change['height']}")]
    lines += [(f"layer {i}", f"{x.prompt!r}, strength {x.strength}") for i, x in enumerate(one.maps.layers, 1)]
    lines += [("model", f"{one.model or 'not told'} {(one.model_hash or '')[:10]}")]
    if one.input is not None:
        lines += [("input", f"{one.input.width}x{one.input.height}, pixels {one.input.pixels[:10]}")]
    lines += list(one.made_with.items())
    return [(plain(name), plain(value, 10_000)) for name, value in lines]
