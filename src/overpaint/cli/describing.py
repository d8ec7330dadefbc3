"""``overpaint describe``: a draft of a prompt that names what is in a picture."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from overpaint.cli.console import LINE, Report, err, out, show_json
from overpaint.cli.options import DownloadOption, JsonOption
from overpaint.errors import OverpaintError, ParameterError
from overpaint.recipe import plain

if TYPE_CHECKING:
    from overpaint.describe import Description
    from overpaint.picture import Picture

    Look = Callable[[Picture], tuple[dict[str, Any], list[str]]]  # facts for scripts, lines for people

JUDGE, BLIP_WORD = "judge", "blip"
WithOption = Annotated[
    str,
    typer.Option(
        "--with",
        help="Who looks: 'judge', the shipped classifier of landscapes; 'blip', BLIP if it is installed; "
        "or the folder or hub id of a BLIP.",
    ),
]


def describe(
    images: Annotated[list[Path], typer.Argument(help="Pictures; - is standard input.")],
    captioner: WithOption = JUDGE,
    download: DownloadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draft a prompt for a picture: prompts work best when they name what is in it."""
    if not captioner.strip():
        raise ParameterError("with", f"is empty, must be {JUDGE!r}, {BLIP_WORD!r}, or a BLIP's folder or hub id")
    by_judge = captioner == JUDGE
    if by_judge and download:
        raise ParameterError("download", "the judge is part of the package; --download goes with --with blip")
    look = _judged if by_judge else _captioned(captioner, download)
    report = Report(as_json)
    for image in images:
        _tell(image, look, report, several=len(images) > 1)
    if by_judge and not as_json:
        err.print(f"[dim]{escape(_about())}[/dim]", soft_wrap=True)
    if report.failures:
        raise typer.Exit(report.failures[0].exit_code if len(images) == 1 else 1)


def _tell(image: Path, look: "Look", report: Report, several: bool) -> None:
    from overpaint.decode import load

    try:
        facts, lines = look(load(str(image)))
    except OverpaintError as e:
        report.failed(image, e)
        return
    if report.as_json:
        show_json({"input": str(image), **facts})
        return
    if several:
        out.print(f"{plain(image, LINE)}:", soft_wrap=True, markup=False)
    for line in lines:
        out.print(line, soft_wrap=True, markup=False)


def _judged(picture: "Picture") -> tuple[dict[str, Any], list[str]]:
    from overpaint.describe import describe as draft
    from overpaint.describe import tell

    found = draft(picture)
    return tell(found), _lines(found)


def _lines(found: "Description") -> list[str]:
    if not found.prompt:
        why = "it looks broken, or like no landscape" if found.sound < 0.5 else "of nothing sure enough to name it"
        return [f"(no draft: {why}; intact {found.sound:.0%})"]
    told = [f"{p.head} {p.name} {p.probability:.0%}" for p in found.parts if p.sure]
    unsure = [f"{p.head} {p.name} {p.probability:.0%}" for p in found.parts if not p.sure]
    lines = [found.prompt, f"  sure: {', '.join(told)}"]
    return [*lines, f"  not sure: {', '.join(unsure)}"] if unsure else lines


def _about() -> str:
    from overpaint.describe.judge import shipped

    facts = shipped().facts
    right = ", ".join(
        f"{head} {facts[head].accuracy:.0%}" for head in ("terrain", "time", "season", "weather", "style")
    )
    return f"by a small classifier of landscapes, trained on renders; right on held-out renders: {right}"


def _captioned(name: str, download: bool) -> "Look":
    from overpaint.model_blip import BLIP, caption_by_blip

    model = BLIP if name == BLIP_WORD else name

    def look(picture: "Picture") -> tuple[dict[str, Any], list[str]]:
        words = caption_by_blip(picture, model, download=download)
        return {"prompt": words or None, "by": model}, [words or "(no caption)"]

    return look
