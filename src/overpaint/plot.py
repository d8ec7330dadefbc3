"""Curves drawn as pictures, by Matplotlib."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

DPI = 100
COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#8d5a97", "#e08e1b", "#3c3c3c")  # told apart by colour-blind people too
MARKS = "osD^vP"  # and in black and white


def curves(
    x: Sequence[float],
    lines: Mapping[str, "np.ndarray[Any, np.dtype[np.float64]]"],
    x_label: str,
    title: str,
    width: int,
    height: int,
) -> "Image.Image":
    """Lines over ``x``, each [repeats, len(x)] of at most 1: their mean and range, on ``width`` x ``height`` pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    order = np.argsort(x)
    at = np.asarray(x)[order]
    for (label, y), colour, mark in zip(lines.items(), COLOURS, MARKS, strict=False):
        y = y[:, order]  # [repeats, strengths]
        axes.plot(at, y.mean(0), color=colour, marker=mark, markersize=5, label=label)
        if len(y) > 1:
            axes.fill_between(at, y.min(0), y.max(0), color=colour, alpha=0.15, linewidth=0)
    axes.set_ylim(min(0, *(y.min() for y in lines.values())), 1.02)
    axes.set_xlabel(x_label)
    axes.set_title(title, fontsize="medium")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    canvas.draw()  # type: ignore[no-untyped-call]
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])  # type: ignore[no-untyped-call]
