"""The benchmark's lines: one for each use and strength, as a table, as JSON, and as the recommended strengths."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from benchmarks.edits.scoring import Score, Scored, kernel_distance, mean
from overpaint.describe import Judge
from overpaint.picture import Pixels

Lines = dict[str, dict[float, Score]]  # use -> strength -> the mean over its targets and places
TIE = 0.99  # of the best quality: nobody sees the difference, so the weakest such strength is the one to start from
GOOD = 0.95  # of the best quality: strengths from here on belong to the range that works
HEADINGS = ("use", "strength", "kept", "truth: ssim", "rmse", "colour", "edges", "adherence", "sound", "KID", "quality")
LEAST_CROWD = 4  # results, below which a kernel distance says nothing


def lines_of(scored: Sequence[Scored], references: Mapping[str, Pixels]) -> Lines:
    """A score for each use and strength, with its realism."""
    lines: Lines = {}
    for name in dict.fromkeys(s.case.use.preset for s in scored):
        own = [s for s in scored if s.case.use.preset == name]
        lines[name] = {}
        for strength in dict.fromkeys(s.strength for s in own):
            some = [s for s in own if s.strength == strength]
            score = mean(s.score for s in some)
            if len(some) >= LEAST_CROWD:
                score = replace(score, realism=kernel_distance(references[name], _features(some)))
            lines[name][strength] = score
    return lines


def _features(scored: Sequence[Scored]) -> Pixels:
    return np.stack([s.features for s in scored])


def table(lines: Lines) -> str:
    """Markdown; before each use's lines, one of its unedited input."""
    rows = []
    for use, by_strength in lines.items():
        first = next(iter(by_strength.values()))
        own = (first.input_ssim, first.input_rmse, first.input_colour, first.input_edges)
        rows.append([use, "input", "1.00", *_numbers(own), "", "", "", ""])
        for strength, s in by_strength.items():
            realism = "" if s.realism is None else f"{s.realism:.3f}"
            told = [*_numbers((s.ssim, s.rmse, s.colour, s.edges)), f"{s.adherence:.2f}", f"{s.sound:.2f}", realism]
            rows.append([use, f"{strength:g}", f"{s.kept:.2f}", *told, f"{s.quality:.3f}"])
    shown = [HEADINGS, ["---"] * len(HEADINGS), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in shown)


def _numbers(of_truth: tuple[float, float, float, float]) -> list[str]:
    ssim, rmse, colour, edges = of_truth
    return [f"{ssim:.3f}", f"{rmse:.3f}", f"{colour:.1f}", f"{edges:.3f}"]


def about_the_judge(judge: Judge) -> str:
    """How far its verdicts can be trusted."""
    told = ", ".join(f"{head} {judge.facts[head].accuracy:.0%}" for head in ("style", "time", "season", "sound"))
    pictures = judge.facts["style"].pictures
    return f"The judge of adherence and soundness is itself right on {pictures} held-out renders: {told}."


def recommended(by_strength: Mapping[float, Score]) -> tuple[float, tuple[float, float]]:
    """The weakest strength of about the best quality, and the range around it that is nearly as good, without gaps."""
    strengths = sorted(by_strength)
    peak = max(score.quality for score in by_strength.values())
    good = [s for s in strengths if by_strength[s].quality >= GOOD * peak]
    low = high = strengths.index(next(s for s in strengths if by_strength[s].quality >= TIE * peak))
    best = strengths[low]
    while low > 0 and strengths[low - 1] in good:
        low -= 1
    while high + 1 < len(strengths) and strengths[high + 1] in good:
        high += 1
    return best, (strengths[low], strengths[high])


def as_card(lines: Lines) -> str:
    """The recommended strengths, as a model's card holds them."""
    parts = []
    for use, by_strength in lines.items():
        best, (low, high) = recommended(by_strength)
        parts.append(f"[presets.{use}]\nstrength = {best:g}\nrange = [{low:g}, {high:g}]")
    return "\n".join(parts)


def as_json(lines: Lines, scored: Sequence[Scored]) -> dict[str, Any]:
    """All numbers: those of each use, and those of each of its targets."""
    by_target: dict[str, Any] = {}
    for key in dict.fromkeys((s.case.use.preset, s.case.target.name, s.strength) for s in scored):
        some = [s.score for s in scored if (s.case.use.preset, s.case.target.name, s.strength) == key]
        use, target, strength = key
        by_target.setdefault(use, {}).setdefault(target, {})[f"{strength:g}"] = _rounded(mean(some))
    uses = {use: {f"{s:g}": _rounded(score) for s, score in by.items()} for use, by in lines.items()}
    return {"uses": uses, "targets": by_target}


def _rounded(score: Score) -> dict[str, float | None]:
    told = {name: None if v is None else round(v, 4) for name, v in asdict(score).items()}
    return told | {"quality": round(score.quality, 4)}
