"""The benchmark's curves: faithfulness falls with strength, adherence and realism rise."""

from pathlib import Path

from benchmarks.edits.report import Lines, recommended


def plot(lines: Lines, path: Path, title: str) -> None:
    """A panel for each use, with the recommended range shaded; written to ``path``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2, sharex=True)
    for axes, (use, by_strength) in zip(panels.flat, lines.items(), strict=False):
        x = list(by_strength)
        scores = list(by_strength.values())
        best, (low, high) = recommended(by_strength)
        axes.axvspan(low - 0.05, high + 0.05, color="#2e933c", alpha=0.12, linewidth=0)
        axes.axvline(best, color="#2e933c", alpha=0.5, linewidth=1)
        axes.plot(x, [s.kept for s in scores], "-o", color="#1b6ca8", label="faithful: structure of the input kept")
        axes.plot(x, [s.adherence for s in scores], "-^", color="#d1495b", label="adherent: shows what was asked for")
        axes.plot(x, [s.ssim for s in scores], "-D", color="#2e933c", label="SSIM to the truth")
        axes.axhline(scores[0].input_ssim, color="#2e933c", linestyle=":", label="the same of the unedited input")
        axes.set_title(use, fontsize="medium")
        axes.set_ylim(-0.05, 1.05)
        axes.grid(alpha=0.3)
        if all(s.realism is not None for s in scores):
            other = axes.twinx()
            other.plot(x, [s.realism for s in scores], "--s", color="#8d5a97", markersize=4)
            other.set_ylabel("unreal: KID", color="#8d5a97")
            other.set_ylim(bottom=0)
    for axes in panels[-1]:
        axes.set_xlabel("strength")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title, fontsize="medium")
    figure.savefig(path)
