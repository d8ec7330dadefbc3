"""``overpaint demo``: the shipped pictures and what the presets make of them, on one labelled sheet."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from overpaint.cli.console import Report, err
from overpaint.cli.outputs import write_sheet
from overpaint.params import PresetName

if TYPE_CHECKING:
    from overpaint.result import EditResult

SEED = 7


@dataclass(frozen=True)
class Example:
    """One edit of the demo."""

    picture: str
    title: str
    preset: PresetName
    prompt: str

    @property
    def command(self) -> str:
        """What a user types for the same result."""
        return f'overpaint edit examples/{self.picture} "{self.prompt}" --preset {self.preset} --seed {SEED}'


EXAMPLES = (
    Example(
        "mountains.jpg",
        "scene: night",
        "scene",
        "Same scene at night with stars, mountains with snow and a green meadow",
    ),
    Example("mountains.jpg", "scene: sunset", "scene", "Same scene at sunset, mountains with snow and a green meadow"),
    Example("mountains.jpg", "style", "style", "An oil painting in the style of Van Gogh of mountains"),
    Example(
        "mountains.jpg", "tweak", "tweak", "A photo of mountains with snow and a green meadow in warm evening light"
    ),
    Example("castle.jpg", "scene: night", "scene", "Same scene at night with stars, a castle by a mountain lake"),
    Example("castle.jpg", "style", "style", "An oil painting in the style of Van Gogh of a castle by a mountain lake"),
    Example("castle.jpg", "enhance", "enhance", "a castle by a mountain lake"),
    Example("sketch.jpg", "sketch", "sketch", "a lighthouse on a cliff by the sea, mountains behind"),
    Example("sketch.jpg", "style", "style", "A watercolor painting of a lighthouse on a cliff by the sea"),
    Example("sketch.jpg", "scene: sunset", "scene", "Same scene at sunset, a lighthouse on a cliff by the sea"),
)
_ORIGINALS = {
    "mountains.jpg": "Picos de Europa, photo by Aitzol Berasategi, CC BY 4.0",
    "castle.jpg": "a render",
    "sketch.jpg": "a rough colour sketch, rendered",
}


def example_picture(name: str) -> Path:
    """The path of a picture that ships with the package."""
    return Path(str(files("overpaint.examples").joinpath(name)))


def demo(
    sheet_file: Annotated[Path, typer.Option("--out", "-o", help="The sheet to write.")] = Path("overpaint-demo.png"),
) -> None:
    """Edit the shipped pictures with the embedded model, one labelled sheet; a minute on two cores."""
    from rich.progress import Progress

    from overpaint.editor import Editor
    from overpaint.encode import check_target
    from overpaint.request import EditRequest

    check_target(sheet_file)
    with err.status("loading the embedded model ..."):
        editor = Editor()
    requests = [EditRequest(example_picture(e.picture), e.prompt, preset=e.preset, seed=SEED) for e in EXAMPLES]
    night_file = sheet_file.with_stem(f"{sheet_file.stem}-night")
    results: dict[int, EditResult] = {}
    report = Report(as_json=False)
    with editor, Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("editing", total=len(requests))
        for outcome in editor.edit_many(requests):
            if isinstance(outcome, Exception):
                raise outcome
            results[outcome.index] = outcome
            if outcome.index == 0:  # the first to be done: something to look at while the others are made
                outcome.save(night_file)
                report.wrote(night_file, "a photo turned to night, at its own size")
            bar.advance(task)
    _sheet(results, sheet_file, report)


def _sheet(results: "dict[int, EditResult]", target: Path, report: Report) -> None:
    from PIL import Image

    from overpaint.sheet import Panel, sheet

    rows: list[list[Panel]] = []
    for name, words in _ORIGINALS.items():
        row = [Panel(Image.open(example_picture(name)), f"examples/{name}", words)]
        for i, example in enumerate(EXAMPLES):
            if example.picture == name:
                title = f"{example.title}, strength {results[i].params.strength:g}"
                row.append(Panel(results[i].image, title, example.command))
        rows.append(row)
    recipes = [results[i].recipe for i in sorted(results)]
    write_sheet(sheet(rows, width=400), target, report, f"{len(results)} edits, each with its command", recipes)
