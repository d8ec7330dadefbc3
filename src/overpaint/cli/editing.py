"""What commands that edit share: a loaded model, and a bar while it works."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from overpaint.cli.console import err
from overpaint.cli.options import Choice
from overpaint.uncollected import uncollected

if TYPE_CHECKING:
    from overpaint.editor import Editor
    from overpaint.job import StepEvent


def open_editor(choice: Choice) -> "Editor":
    """Load a model; a folder that is none is told before the seconds that importing torch takes."""
    with err.status("loading the model ..."), uncollected():
        from overpaint.checkpoint import inspect

        inspect(choice.model, download=choice.download)
        from overpaint.editor import Editor

        return Editor(**vars(choice))


@contextmanager
def progress_of(total: int) -> "Iterator[Progress]":
    """A bar over ``total`` edits of any length, on standard error."""
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        yield Progress(bar, bar.add_task("editing", total=total))


class Progress:
    """The share of each edit that is done, summed up."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar, self._task = bar, task
        self._shares: dict[int, float] = {}

    def step(self, index: int, event: "StepEvent") -> None:
        """An edit took a step."""
        self.far(index, event.step, event.steps)

    def far(self, index: int, step: int, steps: int) -> None:
        """An edit is so far."""
        self._set(index, step / steps)

    def end(self, index: int) -> None:
        """An edit is done, or failed."""
        self._set(index, 1.0)

    def _set(self, index: int, share: float) -> None:
        self._shares[index] = share
        self._bar.update(self._task, completed=sum(self._shares.values()))
