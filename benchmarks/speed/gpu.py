"""The GPU's items: edits on the shape of Stable Diffusion 1.5 with random weights, one and saturated."""

from collections.abc import Callable
from functools import partial

from benchmarks.speed.field import Field
from benchmarks.speed.results import Goal, Item
from benchmarks.speed.work import SD15_MIXED, SD15_ONE, square

SIDE = 512


def one(field: Field, side: int = SIDE) -> Item:
    """An edit alone."""
    lines, floor = field.contest([SD15_ONE], square(side), 1)
    task = SD15_ONE
    what = f"SD 1.5's shape, one edit, {side} px, {task.steps} steps x {task.strength:g}, guidance {task.guidance:g}"
    return Item("sd15-one", what, tuple(lines), (Goal(0.2),), floor)


def mixed(field: Field, n: int, side: int = SIDE) -> Item:
    """Mixed edits that arrive together, each of as many network rows as the one alone; theirs one by one."""
    tasks = [SD15_MIXED[i % len(SD15_MIXED)] for i in range(n)]
    lines, floor = field.contest(tasks, square(side), n)
    what = f"SD 1.5's shape, {n} mixed edits, {side} px, each of {SD15_ONE.calls} guided calls"
    return Item(f"sd15-mixed-{n}", what, tuple(lines), (Goal(0.11),), floor, edits=n)


ITEMS: dict[str, Callable[[Field], Item]] = {
    "sd15-one": one,
    "sd15-mixed-8": partial(mixed, n=8),
    "sd15-mixed-16": partial(mixed, n=16),
}
