"""The field: who takes part in an item, measured in turns, and the floor of their work."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.speed.apart import Entrant
from benchmarks.speed.entrants import Ours, contestants
from benchmarks.speed.floors import Floors
from benchmarks.speed.results import Floor, Line
from benchmarks.speed.turns import Prepare, Turns, timed
from benchmarks.speed.work import Task, edits_of_turn
from overpaint.checkpoint import locate
from overpaint.picture import Pixels


@dataclass(frozen=True)
class Field:
    """All who take part, on one model's weights; Overpaint with its defaults is the first."""

    entrants: Sequence[Entrant]
    floors: Floors
    turns: Turns

    @property
    def ours(self) -> Ours:
        first = self.entrants[0]
        assert isinstance(first, Ours)
        return first

    def contest(
        self, tasks: Sequence[Task], base: Pixels, pictures: int, beside: Mapping[str, Prepare] | None = None
    ) -> tuple[list[Line], Floor]:
        """Everybody makes all the tasks, on ``pictures`` different pictures of the size of ``base``.

        ``beside``: other work of ours that takes its turns among them; its lines come last.
        """
        measures = {entrant.name: timed(_making(entrant, tasks, base, pictures)) for entrant in self.entrants}
        measures |= {name: timed(prepare) for name, prepare in (beside or {}).items()}
        found = self.turns.of(measures)
        lines = [Line(e.name, tuple(found.pop(e.name)), e.dtype) for e in self.entrants]
        lines += [Line(name, tuple(numbers), self.ours.dtype) for name, numbers in found.items()]
        encoded = {i % pictures for i, task in enumerate(tasks) if task.strength < 1}
        return lines, self.floors.of(tasks, (base.shape[1], base.shape[0]), len(encoded))


def _making(entrant: Entrant, tasks: Sequence[Task], base: Pixels, pictures: int) -> Prepare:
    def prepare(turn: int) -> Callable[[], object]:
        edits = edits_of_turn(base, tasks, turn, pictures=pictures)
        return lambda: entrant.make(edits)

    return prepare


@contextmanager
def field_of(model: str | Path, device: Literal["cpu", "cuda"], turns: Turns) -> Iterator[Field]:
    """All of them loaded on one model's weights, as they are on this device."""
    with contestants(model, device) as entrants:
        yield Field(entrants, Floors(locate(model)[1], device, entrants[0].dtype), turns)
