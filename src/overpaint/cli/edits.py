"""``overpaint edit`` and ``overpaint generate``."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overpaint.cli.options import (
    DeviceOption,
    DownloadOption,
    DtypeOption,
    ModelOption,
    err,
    out,
    warn,
    with_edit_options,
)
from overpaint.errors import OutputError
from overpaint.params import PROMPT_ADVICE

if TYPE_CHECKING:
    from overpaint.edit_task import EditRequest
    from overpaint.editor import Editor
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
    from overpaint.edit_task import EditRequest

    target = out or _free_name(Path(f"{image.stem}-edit.png"))
    if target.resolve() == image.resolve():
        raise OutputError(f"{target} is the input; name another output")
    request = EditRequest(image, prompt, **options)
    paths = _run(request, target, count, model, device, dtype, download)
    if compare:
        _compare(image, paths)


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
    from overpaint.edit_task import EditRequest

    target = out or _free_name(Path(f"{_slug(prompt)}.png"))
    _run(EditRequest(None, prompt, **options), target, count, model, device, dtype, download)


def _run(
    request: "EditRequest", target: Path, count: int, model: str, device: str, dtype: str, download: bool
) -> list[Path]:
    """Edit, show progress, write; the paths written, in the order of their seeds."""
    from overpaint import images

    images.check_target(target)
    if request.image is not None:
        images.load(request.image)  # a bad input is told before a model is loaded
    targets = [target] if count == 1 else [target.with_stem(f"{target.stem}-{i + 1}") for i in range(count)]
    with _open_editor(model, device, dtype, download) as editor:
        results = _with_progress(editor, request, count)
        for path, result in zip(targets, results, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            result.save(path)
            out.print(_summary(path, result), soft_wrap=True, markup=False)
    warn(results[0].warnings)
    return targets


def _open_editor(model: str, device: str, dtype: str, download: bool) -> "Editor":
    with err.status("loading the model ..."):
        from overpaint.editor import Editor

        return Editor(model, device=device, dtype=dtype, download=download)  # type: ignore[arg-type]


def _with_progress(editor: "Editor", request: "EditRequest", count: int) -> "list[EditResult]":
    """Run ``count`` edits in one batch under one bar of all their steps."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from overpaint.editor import seeds_of

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("steps, left"))
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as bar:
        task = bar.add_task("editing")
        jobs = [editor.submit(r) for r in seeds_of(request, count)]
        for done, job in enumerate(jobs):
            for event in job.events():
                bar.update(task, total=event.steps * count, completed=done * event.steps + event.step)
        return [editor.follow(job) for job in jobs]


def _summary(path: Path, result: "EditResult") -> str:
    h, w = result.pixels.shape[:2]
    return (
        f"{path}  {w}x{h}  seed {result.seed}  strength {result.params.strength:g} (t0 {result.t0}, "
        f"{result.signal:.0%} of the picture left)  {result.steps_run} steps  {result.seconds:.1f} s"
    )


def _compare(image: Path, paths: list[Path]) -> None:
    from overpaint import images
    from overpaint.sheet import side_by_side

    results = [images.to_pil(images.load(p).pixels) for p in paths]
    before = images.to_pil(images.fit(images.load(image), results[0].size, "crop").pixels)
    target = paths[0].with_stem(f"{paths[0].stem}-compare")
    side_by_side([before, *results]).save(target)
    out.print(f"{target}  before | after", soft_wrap=True, markup=False)


def _free_name(path: Path) -> Path:
    """``path``, or with a number behind it the first that is not there yet: a default name never overwrites."""
    number = 2
    free = path
    while free.exists():
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free


def _slug(prompt: str) -> str:
    return "-".join(re.findall(r"\w+", prompt.lower())[:6]) or "picture"
