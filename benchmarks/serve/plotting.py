"""The benchmark's chart: edits a second in the closed loop, and how many took at most how long in the open one."""

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.serve.results import Run
from benchmarks.speed.plotting import BAR, COLOURS
from benchmarks.speed.results import BEST, FLOAT32, OURS, PEER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {OURS: COLOURS[OURS], FLOAT32: "#8db6d4", PEER: COLOURS[PEER], BEST: COLOURS[BEST]}


def plot(run: Run, path: Path) -> None:
    """Written to ``path``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _speeds(left, run)
    _latencies(right, run)
    figure.suptitle(f"{run.machine['processor']}, {run.machine['threads']} threads", fontsize=9)
    figure.savefig(path)


def _speeds(axes: "Axes", run: Run) -> None:
    shown = [one for one in run.entrants if one.name in _COLOURS and one.loads("closed")]
    for y, one in enumerate(shown):
        value = median(one.edits_per_second("closed"))
        axes.barh(y, value, BAR, color=_COLOURS[one.name])
        axes.annotate(f"{value:.2f}", (value, y), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(shown)), [one.name for one in shown])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel(f"edits a second, {run.plan.clients} clients; longer is better")
    _tidy(axes, "x")


def _latencies(axes: "Axes", run: Run) -> None:
    for one in run.entrants:
        if one.name in _COLOURS and one.loads("opened"):
            for loop, style in (("alone", ":"), ("opened", "-")):
                seen = sorted(one.latencies("alone" if loop == "alone" else "opened"))
                shares = [100 * (i + 1) / len(seen) for i in range(len(seen))]
                label = one.name if loop == "opened" else None
                axes.step(seen, shares, style, where="post", color=_COLOURS[one.name], label=label)
    if axes.lines:
        axes.set_xscale("log")
        axes.legend(loc="lower right", frameon=False, fontsize=8)
    axes.set_xlabel(f"seconds at {run.rate or 0:.2f} arrivals a second\n(dotted: one at a time)")
    axes.set_ylabel("% of edits that took at most that")
    _tidy(axes, "both")


def _tidy(axes: "Axes", grid: str) -> None:
    axes.grid(axis=grid, alpha=0.3)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
