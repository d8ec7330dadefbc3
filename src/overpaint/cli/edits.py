"""``overpaint edit`` and ``overpaint generate``."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overpaint.cli.console import Report, result_facts, result_line, warn
from overpaint.cli.editing import open_editor, progress_of
from overpaint.cli.maps import Marked, with_marks
from overpaint.cli.options import Choice, JsonOption, OverwriteOption, with_edit_options, with_model
from overpaint.cli.outputs import Files, FormatOption, OutOption, Wish, deliver, plan, suffix_of, write_sheet
from overpaint.errors import ImageError, OverpaintError, ParameterError
from overpaint.params import PROMPT_ADVICE, EditParams, our_default

if TYPE_CHECKING:
    from PIL import Image

    from overpaint.editor import Editor
    from overpaint.picture import Picture
    from overpaint.recipe import Recipe
    from overpaint.request import EditRequest
    from overpaint.result import EditResult

ImagesArgument = Annotated[list[Path], typer.Argument(help="The pictures to edit; - is standard input.")]
PromptArgument = Annotated[str, typer.Argument(help=f"What the result shows. {PROMPT_ADVICE}")]
CountOption = Annotated[
    int, typer.Option("--count", "-c", help="How many, with seeds seed, seed+1 ...; with --variation, its seeds.")
]
CompareOption = Annotated[bool, typer.Option("--compare", help="Also write before | after side by side.")]


@dataclass
class _Work:
    """One input, where its results go, and what of them is done."""

    name: Path | None
    files: Files
    picture: "Picture | None" = None
    ended: int = 0
    to_compare: "list[EditResult]" = field(default_factory=list)


@with_edit_options
@with_marks
@with_model
def edit(
    images: ImagesArgument,
    prompt: PromptArgument,
    options: dict[str, Any],
    marks: Marked,
    choice: Choice,
    out: OutOption = None,
    suffix: FormatOption = "png",
    count: CountOption = 1,
    compare: CompareOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Edit pictures under a prompt; their structure survives as far as the strength lets it."""
    params_of(prompt, options)  # what is wrong is told before torch is imported and a model loaded
    wish = Wish(out, suffix_of(suffix), count, compare, overwrite)
    works = [_Work(name, files) for name, files in zip(images, plan(wish, images, also_read=marks.files), strict=True)]
    report = Report(as_json, out)
    readable = _first_readable(works, report)
    if readable:
        with open_editor(choice) as editor:
            _run(editor, readable, prompt, options, wish, report, marks)
    end(report, len(images))


def params_of(prompt: str, options: dict[str, Any]) -> EditParams:
    """What edits of pictures are to be, checked."""
    if _is_file(prompt):
        raise ParameterError("prompt", f"is the file {prompt}; the prompt comes last, after the pictures")
    return EditParams(prompt=prompt, **options)


@with_edit_options
@with_model
def extend(
    image: Annotated[Path, typer.Argument(help="The picture to grow; - is standard input.")],
    prompt: Annotated[str, typer.Argument(help=f"What the whole shows. {PROMPT_ADVICE}")],
    options: dict[str, Any],
    choice: Choice,
    left: Annotated[int, typer.Option(help="By how many pixels, to the left.")] = 0,
    right: Annotated[int, typer.Option(help="To the right.")] = 0,
    top: Annotated[int, typer.Option(help="Upwards.")] = 0,
    bottom: Annotated[int, typer.Option(help="Downwards.")] = 0,
    out: OutOption = None,
    suffix: FormatOption = "png",
    count: CountOption = 1,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let a picture go on beyond its edges (outpainting); its own pixels stay exactly as they are."""
    if not any((left, top, right, bottom)):
        raise ParameterError("left", "is 0, and so are right, top and bottom: say by how much the picture is to grow")
    options = {"preset": "extend", **options, "extend": (left, top, right, bottom)}
    EditParams(prompt=prompt, **options)
    wish = Wish(out, suffix_of(suffix), count, overwrite=overwrite)
    work = _Work(image, plan(wish, [image], "{}-extended")[0])
    report = Report(as_json, out)
    if _read(work, report):
        with open_editor(choice) as editor:
            _run(editor, [work], prompt, options, wish, report)
    end(report, 1)


@with_edit_options
@with_model
def generate(
    prompt: Annotated[str, typer.Argument(help="What the picture shows.")],
    options: dict[str, Any],
    choice: Choice,
    out: OutOption = None,
    suffix: FormatOption = "png",
    count: CountOption = 1,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a picture from nothing: an edit of strength 1, without an input."""
    EditParams(prompt=prompt, **options)
    wish = Wish(out, suffix_of(suffix), count, overwrite=overwrite)
    work = _Work(None, plan(wish, [None], _slug(prompt))[0])
    report = Report(as_json, out)
    with open_editor(choice) as editor:
        _run(editor, [work], prompt, options, wish, report)
    end(report, 1)


def _first_readable(works: list[_Work], report: Report) -> list[_Work]:
    """The works from the first on whose picture can be read: if there is none, no model need be loaded."""
    for place, work in enumerate(works):
        if _read(work, report):
            return works[place:]
    return []


def _read(work: _Work, report: Report) -> bool:
    from overpaint import decode

    if work.name is None or work.picture is not None:
        return True
    try:
        work.picture = decode.load(str(work.name))  # text, for - is only standard input as text
    except ImageError as e:
        report.failed(work.name, e)
        return False
    return True


def _run(
    editor: "Editor",
    works: Sequence[_Work],
    prompt: str,
    options: dict[str, Any],
    wish: Wish,
    report: Report,
    marks: Marked | None = None,
) -> None:
    """Edit, show progress, and write each result as soon as it is done; one that fails does not touch the others."""
    from overpaint.request import EditRequest
    from overpaint.several import seeds_of

    started: list[tuple[_Work, Path]] = []  # by index

    def requests() -> "Iterator[EditRequest]":
        """Each picture is read when its turn comes."""
        for work in works:
            if _read(work, report):
                try:
                    where = {} if marks is None or work.picture is None else marks.of(work.picture)
                    many = seeds_of(EditRequest(work.picture, prompt, **options, **where), wish.count)
                except (ImageError, ParameterError) as e:  # a map that does not go with this picture
                    report.failed(work.name or Path(), e)
                    continue
                for path, request in zip(work.files.results, many, strict=True):
                    started.append((work, path))
                    yield request

    with progress_of(wish.count * len(works)) as bar:
        for outcome in editor.edit_many(requests(), on_step=bar.step):
            index = outcome.index or 0
            bar.end(index)
            work, path = started[index]
            if isinstance(outcome, OverpaintError):
                report.failed(work.name or path, outcome)
            else:
                deliver(outcome, path, wish.suffix)
                report.wrote(path, result_line(outcome), **result_facts(outcome, work.name))
                if not work.ended and not report.as_json:
                    warn(outcome.warnings)  # the same for all of an input
                if wish.compare:
                    work.to_compare.append(outcome)
            work.ended += 1
            if work.ended == wish.count:
                _finish(work, report)


def _finish(work: _Work, report: Report) -> None:
    """All of an input's edits have ended: write its sheet, if one is wanted, and let go of its pictures."""
    if work.to_compare and work.files.compare is not None and work.picture is not None:
        results = sorted(work.to_compare, key=lambda r: r.index)
        after, recipes = [r.image for r in results], [r.recipe for r in results]
        write_compared(work.picture, after, recipes, work.files.compare, report)
    work.picture = None
    work.to_compare.clear()


def write_compared(
    picture: "Picture", after: "Sequence[Image.Image]", recipes: "Sequence[Recipe]", path: Path, report: Report
) -> None:
    """Write the sheet of ``--compare``: a picture as it was edited, and what became of it."""
    from overpaint.picture import fit, to_pil
    from overpaint.sheet import side_by_side

    before = to_pil(fit(picture, after[0].size, recipes[0].params.fit or our_default("fit")).pixels)
    write_sheet(side_by_side([before, *after]), path, report, "before | after", recipes)


def end(report: Report, asked: int) -> None:
    """One picture that failed ends the command as its error does; some of several, with 1."""
    if report.failures:
        raise typer.Exit(report.failures[0].exit_code if asked == 1 else 1)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, as prompts are
        return False


def _slug(prompt: str) -> str:
    return "-".join(re.findall(r"\w+", prompt.lower())[:6]) or "picture"
