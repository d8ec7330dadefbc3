"""What was measured: items, each with a line of numbers for everybody, a floor and goals; as values and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

OURS, FLOAT32, NATIVE = "overpaint", "overpaint, --dtype float32", "overpaint, native size"
PEER, BEST = "diffusers", "diffusers, its best"


@dataclass(frozen=True)
class Line:
    """One competitor's numbers, in the order of the turns.

    Attributes:
        dtype: what its networks compute in; "" where that is not the point.
        other_work: what it does otherwise, where it is shown only beside the others; "" where the work is the same.
    """

    name: str
    numbers: tuple[float, ...]
    dtype: str = ""
    other_work: str = ""

    @property
    def median(self) -> float:
        return median(self.numbers)


@dataclass(frozen=True)
class Goal:
    """Ours is at most ``most`` times the median of the line ``against``; where that is "", at most ``most`` an edit."""

    most: float
    against: str = ""


@dataclass(frozen=True)
class Floor:
    """The least that arithmetic allows: floating-point operations, over the rate of a large matrix product."""

    flops: float
    rate: float  # operations a second
    dtype: str

    @property
    def seconds(self) -> float:
        return self.flops / self.rate


@dataclass(frozen=True)
class Item:
    """One piece of work.

    Attributes:
        what: for the table: the work in words.
        edits: how many edits it is.
        unit: of all numbers, "s" or "MB".
    """

    name: str
    what: str
    lines: tuple[Line, ...]
    goals: tuple[Goal, ...] = ()
    floor: Floor | None = None
    edits: int = 1
    unit: str = "s"

    @property
    def ours(self) -> Line:
        return self.line(OURS)

    def line(self, name: str) -> Line:
        return next(line for line in self.lines if line.name == name)

    def ratio(self, name: str) -> float:
        """How many times ours a line is: above 1, ours is better."""
        return self.line(name).median / self.ours.median

    def reached(self, goal: Goal) -> bool:
        if goal.against:
            return self.ours.median <= goal.most * self.line(goal.against).median
        return self.ours.median / self.edits <= goal.most


@dataclass(frozen=True)
class Run:
    """All that one run measured, and on what.

    Attributes:
        machine: the processor, threads, device and versions, in words.
    """

    device: str
    machine: Mapping[str, str]
    repeat: int
    items: tuple[Item, ...] = field(default=())


def as_json(run: Run) -> dict[str, Any]:
    """All numbers, and for readers what they come to."""
    return {**asdict(run), "items": [{**asdict(item), "told": _told(item)} for item in run.items]}


def _told(item: Item) -> dict[str, Any]:
    """What follows from an item's numbers."""
    return {
        "medians": {line.name: line.median for line in item.lines},
        "ratios": {line.name: item.ratio(line.name) for line in item.lines if not line.other_work},
        "floor": None if item.floor is None else item.floor.seconds,
        "reached": [item.reached(goal) for goal in item.goals],
    }


def from_json(told: Mapping[str, Any]) -> Run:
    """The run that ``as_json`` told."""
    return Run(told["device"], told["machine"], told["repeat"], tuple(_item(x) for x in told["items"]))


def _item(told: Mapping[str, Any]) -> Item:
    values = {name: value for name, value in told.items() if name != "told"}
    values["lines"] = tuple(Line(**{**x, "numbers": tuple(x["numbers"])}) for x in told["lines"])
    values["goals"] = tuple(Goal(**x) for x in told["goals"])
    values["floor"] = None if told["floor"] is None else Floor(**told["floor"])
    return Item(**values)
