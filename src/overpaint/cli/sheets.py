"""``overpaint sweep`` and ``overpaint noise``: what a strength means, on a sheet."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overpaint.cli.console import Report, err, facts_of, result_facts, show_json, show_table, warn
from overpaint.cli.editing import open_editor
from overpaint.cli.maps import Marked, with_marks
from overpaint.cli.options import (
    Choice,
    DownloadOption,
    JsonOption,
    ModelOption,
    OverwriteOption,
    SheetOption,
    read_against,
    read_strengths,
    with_edit_options,
    with_model,
)
from overpaint.cli.outputs import Wish, plan, write_sheet
from overpaint.errors import OutputError, ParameterError
from overpaint.params import PROMPT_ADVICE, EditParams

if TYPE_CHECKING:
    from overpaint.levels import Survival

PANELS_A_ROW = 6
DEFAULT_STRENGTHS = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1"
SURVIVAL_COLUMNS = ("strength", "t", "alpha_bar", "sqrt", "SNR dB", "smallest feature", "what survives")


@with_edit_options
@with_marks
@with_model
def sweep(
    image: Annotated[Path, typer.Argument(help="The picture to edit.")],
    prompt: Annotated[str, typer.Argument(help=f"What the result shows. {PROMPT_ADVICE}")],
    options: dict[str, Any],
    marks: Marked,
    choice: Choice,
    strengths: Annotated[str, typer.Option(help="Strengths, with commas between.")] = "0.2,0.4,0.6,0.8",
    against: Annotated[
        str | None,
        typer.Option(
            help="A row for each value of another option: seed=1,2,3 or guidance-scale=1,3 or 'prompt=a lake | a sea'."
        ),
    ] = None,
    out: SheetOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Edits of many strengths to choose from, on one sheet, with what each keeps of the picture."""
    from overpaint import decode

    wanted = read_strengths(strengths)
    rows = None if against is None else read_against(against)
    for name in ("strength", "keep"):
        if name in options:
            raise ParameterError(name, "does not go with a sweep; --strengths names all of them")
    EditParams(prompt=prompt, **options)
    target = _sheet_file(out, image, "{}-sweep", overwrite, marks.files)
    picture = decode.load(str(image))
    options |= marks.of(picture)
    with open_editor(choice) as editor, err.status("editing ..."):
        swept = editor.sweep(picture, prompt, strengths=wanted, against=rows, starts=True, **options)
    words = f"{len(wanted)} strengths, " + (f"seed {swept[0].seed}" if swept.by is None else f"against {swept.by}")
    edits = [result_facts(r, image) | {"kept": f and f.as_dict()} for r, f in zip(swept, swept.fidelity, strict=True)]
    write_sheet(swept.sheet(), target, Report(as_json), words, [r.recipe for r in swept], edits=edits)
    warn(swept[-1].warnings)


def noise(
    model: ModelOption = "embedded",
    strengths: Annotated[str, typer.Option(help="Strengths, with commas between.")] = DEFAULT_STRENGTHS,
    image: Annotated[Path | None, typer.Option(help="A picture to show noised to these strengths.")] = None,
    out: SheetOption = None,
    overwrite: OverwriteOption = False,
    download: DownloadOption = False,
    as_json: JsonOption = False,
) -> None:
    """What survives of a picture at each strength, by the noise of the loaded model."""
    from overpaint.checkpoint import inspect
    from overpaint.levels import survival
    from overpaint.model_loading import training_noise

    wanted = read_strengths(strengths)
    checkpoint = inspect(model, download=download)
    trained = training_noise(checkpoint)
    lines = [survival(s, trained, checkpoint.pixels_per_cell) for s in wanted]
    if as_json:
        show_json(facts_of(lines[0]._fields, lines))
    else:
        show_table(SURVIVAL_COLUMNS, [survival_row(s) for s in lines], right=SURVIVAL_COLUMNS[:-1])
    if image is not None:
        _noised_strip(model, image, wanted, _sheet_file(out, image, "{}-noise", overwrite), Report(as_json))


def survival_row(s: "Survival") -> tuple[str, ...]:
    """A strength as the table shows it."""
    numbers = f"{s.strength:g}", str(s.t), f"{s.alpha_bar:.3f}", f"{s.signal:.3f}", f"{s.snr_db:.1f}"
    return *numbers, f"{s.smallest_feature:.1f} px", s.words


def _noised_strip(model: str, image: Path, strengths: list[float], target: Path, report: Report) -> None:
    from overpaint import decode
    from overpaint.picture import to_pil
    from overpaint.sheet import Panel, sheet

    before = decode.load(str(image))
    with open_editor(Choice(model, "auto", "auto", False)) as editor:
        noised = editor.noised(before, strengths)
    panels = [Panel(to_pil(before.pixels), "the picture")]
    panels += [Panel(r.image, f"{r.params.strength:g}", f"{r.signal:.0%} left") for r in noised]
    rows = [panels[i : i + PANELS_A_ROW] for i in range(0, len(panels), PANELS_A_ROW)]
    page = sheet(rows, width=256)
    write_sheet(page, target, report, "noised to each strength and decoded", [r.recipe for r in noised])


def _sheet_file(out: Path | None, image: Path, name_as: str, overwrite: bool, also_read: Sequence[Path] = ()) -> Path:
    if out is not None and out.is_dir():
        raise OutputError(f"{out} is a folder; a sheet is one file")
    return plan(Wish(None if out is None else str(out), overwrite=overwrite), [image], name_as, also_read)[0].results[0]
