"""What a command says: lines for people, or with ``--json`` one JSON object a line on standard output."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from overpaint.errors import OverpaintError
from overpaint.recipe import plain

if TYPE_CHECKING:
    from overpaint.result import EditResult

STDOUT = "-"  # as --out: the picture goes to standard output, and every word to standard error

LINE = 4000  # characters of one message

# colours are rich's to decide: none where NO_COLOR is set or the output is no terminal
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def show_error(error: Exception) -> None:
    """One line on standard error."""
    err.print(f"[red]error:[/red] {escape(plain(error, LINE))}", soft_wrap=True)


def warn(texts: Sequence[str]) -> None:
    """Warnings, a line each, on standard error."""
    for text in texts:
        err.print(f"[yellow]note:[/yellow] {escape(plain(text, LINE))}", soft_wrap=True)


def show_json(value: Any) -> None:
    """One JSON object or list on a line of its own, in ASCII so that any terminal or pipe takes it."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def show_table(headings: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()) -> None:
    """A table of words; columns in ``right`` are of numbers."""
    table = Table(box=None, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    out.print(table)


class Report:
    """What happened to each picture, told as it happens."""

    def __init__(self, as_json: bool, target: str | None = None) -> None:
        self.as_json = as_json
        self._words = err if target == STDOUT else out
        self.failures: list[OverpaintError] = []

    def wrote(self, path: Path, words: str, **facts: Any) -> None:
        """A file was written."""
        if self.as_json and self._words is out:
            show_json({"file": str(path), **facts})
        else:
            name = "standard output" if str(path) == STDOUT else plain(path, LINE)
            self._words.print(f"{name}  {words}", soft_wrap=True, markup=False)

    def failed(self, name: Path, error: OverpaintError) -> None:
        """A picture was not edited; the others go on."""
        self.failures.append(error)
        if self.as_json:
            show_json({"input": str(name), "error": error_facts(error)})
        show_error(error)


def error_facts(error: OverpaintError) -> dict[str, Any]:
    """An error for scripts."""
    return {"type": type(error).__name__, "message": str(error), "exit_code": error.exit_code}


def result_facts(result: "EditResult", name: Path | None) -> dict[str, Any]:
    """A result for scripts."""
    return {**({} if name is None else {"input": str(name)}), **result.facts()}


def result_line(result: "EditResult") -> str:
    """A result for people."""
    return line_of(result.facts())


def line_of(facts: Mapping[str, Any]) -> str:
    """The same of its facts alone."""
    return (
        f"{facts['width']}x{facts['height']}  seed {facts['seed']}  "
        f"strength {facts['recipe']['params']['strength']:g} (t0 {facts['t0']}, "
        f"{facts['signal']:.0%} of the picture left)  {facts['steps_run']} steps  {facts['seconds']:.1f} s"
    )


def facts_of(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Mapping[str, Any]]:
    """A table for scripts."""
    return [dict(zip(names, row, strict=True)) for row in rows]
