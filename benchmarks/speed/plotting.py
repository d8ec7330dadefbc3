"""The benchmark's chart: seconds of each item, for everybody, with a tick at the floor."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speed.results import BEST, NATIVE, OURS, PEER, Item, Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# those of overpaint/plot.py, which colour-blind people tell apart
FLOOR = "floor"
COLOURS = {OURS: "#1b6ca8", NATIVE: "#8db6d4", PEER: "#d1495b", BEST: "#e08e1b", FLOOR: "#3c3c3c"}
BAR = 0.8  # of the room for one


def plot(run: Run, path: Path) -> None:
    """Written to ``path``. Items that are not in seconds are left out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    items = [item for item in run.items if item.unit == "s"]
    rows = sum(len(_shown(item)) + 1 for item in items)
    figure = Figure(figsize=(9, 1.1 + 0.24 * rows), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    drawn = _draw(axes, items)
    names = [name for name in COLOURS if name in drawn]
    axes.set_xlabel("seconds, median; shorter is better")
    axes.set_title(f"{run.machine['processor']}, {run.machine['threads']} threads, {run.machine['device']}", fontsize=9)
    figure.legend(
        [drawn[name] for name in names], names, loc="outside lower center", ncols=5, frameon=False, fontsize=9
    )
    figure.savefig(path)


def _draw(axes: "Axes", items: Sequence[Item]) -> dict[str, Any]:
    """From top to bottom, with a row of room between items. Returns what the legend names."""
    y, ticks = 0.0, []
    drawn: dict[str, Any] = {}
    for item in items:
        top = y
        for name in _shown(item):
            value = item.line(name).median
            drawn[name] = axes.barh(y, value, BAR, color=COLOURS[name])
            axes.annotate(f"{value:.2f}", (value, y), (4, 0), textcoords="offset points", va="center", fontsize=8)
            y += 1
        if item.floor is not None:
            drawn[FLOOR] = axes.vlines(item.floor.seconds, top - 0.5, y - 0.5, color=COLOURS[FLOOR], linewidth=2)
        ticks.append(((top + y - 1) / 2, item.name))
        y += 1
    axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(y - 1, -1)
    axes.margins(x=0.08)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return drawn


def _shown(item: Item) -> list[str]:
    return [name for name in COLOURS if any(line.name == name for line in item.lines)]
