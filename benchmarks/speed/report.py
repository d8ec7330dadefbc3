"""A run as people read it: a Markdown table, its place in a page, and what it was measured on."""

import platform
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.speed.results import OURS, Goal, Item, Run
from overpaint.model_loading import device_of, device_words, versions

HEADINGS = ("work", "who", "median", "range", "x ours", "goal")


def machine(device: str) -> dict[str, str]:
    """What speed depends on beside the program."""
    told = {
        "processor": _processor(),
        "threads": str(torch.get_num_threads()),
        "device": device_words(device_of(device)),
    }
    return {**told, "python": platform.python_version(), **versions()}


def _processor() -> str:
    """As Linux names it, with what it has for bfloat16; elsewhere as Python knows it."""
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return platform.processor() or platform.machine()
    lines = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines())
    told = {key.strip(): value.strip() for key, _, value in lines}
    extra = [flag for flag in ("avx512_bf16", "amx_bf16") if flag in told.get("flags", "").split()]
    return " ".join([told.get("model name", platform.machine()), *extra])


def about(run: Run) -> str:
    """One line: the machine, and how often it was measured."""
    told = [f"{name} {value}" for name, value in run.machine.items()]
    return f"Medians of {run.repeat} turns. {', '.join(told)}."


def table(items: Sequence[Item]) -> str:
    """Markdown: a line for everybody, and for the floor; times are of the whole item."""
    rows = [row for item in items for row in rows_of(item)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [HEADINGS, ("---",) * len(HEADINGS), *rows])


def rows_of(item: Item) -> list[tuple[str, ...]]:
    """An item's lines of the table."""
    rows = []
    for line in item.lines:
        dtype = "" if line.dtype in line.name else line.dtype
        who = ", ".join(part for part in (line.name, dtype, line.other_work) if part)
        ratio = "" if line.other_work or line.name == OURS else f"{item.ratio(line.name):.2f}"
        goals = [words(goal, item) for goal in item.goals if (goal.against or OURS) == line.name]
        span = f"{_number(min(line.numbers), item)} to {_number(max(line.numbers), item)}"
        rows.append((who, f"{_number(line.median, item)} {item.unit}", span, ratio, "; ".join(goals)))
    if item.floor is not None:
        floor = item.floor
        who = f"floor: {floor.flops / 1e9:.0f} GFLOP at {floor.rate / 1e9:.0f} GFLOP/s, {floor.dtype}"
        share = f"{floor.seconds / item.ours.median:.2f}"
        rows.append((who, f"{_number(floor.seconds, item)} s", "", share, ""))
    return [(item.what if i == 0 else "", *row) for i, row in enumerate(rows)]


def words(goal: Goal, item: Item) -> str:
    """A goal, and whether it is reached."""
    if not goal.against:
        told = f"at most {1000 * goal.most:g} ms an edit ({1000 * item.ours.median / item.edits:.0f})"
    elif goal.most < 1:
        told = f"at least {1 / goal.most:.3g}"
    else:
        told = f"ours within {goal.most:g}x"
    return f"{told}: {'reached' if item.reached(goal) else 'missed'}"


def _number(value: float, item: Item) -> str:
    return f"{value:.0f}" if item.unit == "MB" else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def summary(run: Run) -> str:
    """The machine and the table, as they stand in a page."""
    return f"{about(run)}\n\n{table(run.items)}\n"


def put(page: str, run: Run) -> str:
    """The page's text with this run in the place for its device, which must be there."""
    start, end = f"<!-- measured: {run.device} -->\n", "<!-- measured end -->"
    before, found, rest = page.partition(start)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"the page has no place for this run: a line {start.strip()!r}, and below it {end!r}")
    return f"{before}{start}{summary(run)}{end}{after}"
