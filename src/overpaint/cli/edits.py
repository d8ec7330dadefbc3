"""``overpaint edit``, ``overpaint generate`` and ``overpaint sweep``."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overpaint.cli.options import (
    DeviceOption,
    DownloadOption,
    DtypeOption,
    ModelOption,
    err,
    read_strengths,
    warn,
    with_edit_options,
)
from overpaint.cli.outputs import plan, say, write_sheet
from overpaint.errors import ParameterError
from overpaint.params import PROMPT_ADVICE

if TYPE_CHECKING:
    from overpaint.edit_task import EditRequest
    from overpaint.editor import Editor
    from overpaint.picture import Picture
    from overpaint.result import EditResult

OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="The file to write; the ending says which format.")]
CountOption = Annotated[
    int, typer.Option("--count", "-c", min=1, max=1000, help="How many, with seeds seed, seed+1 ...")
]


@with_edit_options
def edit(
    image: Annotated[Path, typer.Argument(help="The picture to edit.")],
    prompt: Annotated[str, typer.Argument(help=f"What the result shows. {PROMPT_ADVICE}")],
    options: dict[str, Any],
    out: OutOption = None,
    count: CountOption = 1,
    compare: Annotated[bool, typer.Option("--compare", help="Also write before | after side by side.")] = False,
    model: ModelOption = "embedded",
    device: DeviceOption = "auto",
    dtype: DtypeOption = "auto",
    download: DownloadOption = False,
) -> None:
    """Edit a picture under a prompt; its structure survives as far as the strength lets it."""
    from overpaint import decode, images
    from overpaint.params import EditParams
    from overpaint.sheet import side_by_side

    EditParams(prompt=prompt, **options)  # what is wrong is told before torch is imported and a model loaded
    paths = plan(out, f"{image.stem}-edit.png", [image], count, compare)
    before = decode.load(image)
    results = _run(before, prompt, options, paths[:count], model, device, dtype, download)
    if compare:
        after = [r.image for r in results]
        shown = images.to_pil(images.fit(before, after[0].size, results[0].params.fit).pixels)
        write_sheet(side_by_side([shown, *after]), paths[-1], "before | after")


@with_edit_options
def generate(
    prompt: Annotated[str, typer.Argument(help="What the picture shows.")],
    options: dict[str, Any],
    out: OutOption = None,
    count: CountOption = 1,
    model: ModelOption = "embedded",
    device: DeviceOption = "auto",
    dtype: DtypeOption = "auto",
    download: DownloadOption = False,
) -> None:
    """Make a picture from nothing: an edit of strength 1, without an input."""
    from overpaint.params import EditParams

    EditParams(prompt=prompt, **options)
    _run(None, prompt, options, plan(out, f"{_slug(prompt)}.png", [], count), model, device, dtype, download)


@with_edit_options
def sweep(
    image: Annotated[Path, typer.Argument(help="The picture to edit.")],
    prompt: Annotated[str, typer.Argument(help=f"What the result shows. {PROMPT_ADVICE}")],
    options: dict[str, Any],
    strengths: Annotated[str, typer.Option(help="Strengths, with commas between.")] = "0.2,0.4,0.6,0.8",
    out: OutOption = None,
    model: ModelOption = "embedded",
    device: DeviceOption = "auto",
    dtype: DtypeOption = "auto",
    download: DownloadOption = False,
) -> None:
    """One edit at several strengths, in one batch: a sheet with what the model starts from above each result."""
    from overpaint import decode
    from overpaint.params import EditParams
    from overpaint.sheet import Panel, sheet

    wanted = read_strengths(strengths)
    if "strength" in options:
        raise ParameterError("strength", "does not go with a sweep; --strengths names all of them")
    EditParams(prompt=prompt, **options)
    (target,) = plan(out, f"{image.stem}-sweep.png", [image])
    picture = decode.load(image)
    with _open_editor(model, device, dtype, download) as editor, err.status("editing ..."):
        results = editor.sweep(picture, prompt, strengths=wanted, **options)
        starts = editor.noised(picture, wanted, **{**options, "seed": results[0].seed})
    above = [Panel(r.image, f"strength {r.params.strength:g}", f"{r.signal:.0%} of the picture left") for r in starts]
    below = [Panel(r.image, "edited from there") for r in results]
    write_sheet(sheet([above, below]), target, f"{len(wanted)} strengths, seed {results[0].seed}")
    warn(results[-1].warnings)


def _run(
    picture: "Picture | None",
    prompt: str,
    options: dict[str, Any],
    targets: list[Path],
    model: str,
    device: str,
    dtype: str,
    download: bool,
) -> "list[EditResult]":
    """Edit, show progress, and write each result as soon as it is done; the results in the order of their seeds."""
    from overpaint.edit_task import EditRequest

    request = EditRequest(picture, prompt, **options)
    results = []
    with _open_editor(model, device, dtype, download) as editor:
        for path, result in zip(targets, _with_progress(editor, request, len(targets)), strict=True):
            result.save(path)
            say(path, _summary(result))
            results.append(result)
    warn(results[0].warnings)
    return results


def _open_editor(model: str, device: str, dtype: str, download: bool) -> "Editor":
    with err.status("loading the model ..."):
        from overpaint.editor import Editor

        return Editor(model, device=device, dtype=dtype, download=download)  # type: ignore[arg-type]


def _with_progress(editor: "Editor", request: "EditRequest", count: int) -> "Iterator[EditResult]":
    """Run ``count`` edits in one batch under one bar of all their steps."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from overpaint.editor import seeds_of

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("steps, left"))
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as bar:
        task = bar.add_task("editing", total=None)
        jobs = [editor.submit(r) for r in seeds_of(request, count)]
        for done, job in enumerate(jobs):
            for event in job.events():
                bar.update(task, total=event.steps * count, completed=done * event.steps + event.step)
            yield editor.follow(job)


def _summary(result: "EditResult") -> str:
    h, w = result.pixels.shape[:2]
    return (
        f"{w}x{h}  seed {result.seed}  strength {result.params.strength:g} (t0 {result.t0}, "
        f"{result.signal:.0%} of the picture left)  {result.steps_run} steps  {result.seconds:.1f} s"
    )


def _slug(prompt: str) -> str:
    return "-".join(re.findall(r"\w+", prompt.lower())[:6]) or "picture"
