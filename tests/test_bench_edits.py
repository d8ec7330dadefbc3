"""The paired-truth benchmark: it tells good editors from broken ones, and says the same for the same seed."""

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.edits import __main__ as command
from benchmarks.edits.editors import Edits, Ours, noise, unmoved
from benchmarks.edits.places import Case, cases
from benchmarks.edits.report import about_the_judge, as_card, as_json, lines_of, recommended, table
from benchmarks.edits.scoring import Score, kernel_distance, mean, scored
from benchmarks.edits.uses import USES, Target, Use
from overpaint.card import read_card
from overpaint.describe import Judge
from overpaint.editor import Editor
from overpaint.picture import Pixels
from overpaint.presets import presets_for
from training.scenes import Look

SIDE, PLACES = 128, 3
QUICK: dict[str, Any] = {"steps": 8, "size": (SIDE, SIDE)}


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load()


@pytest.fixture(scope="module")
def drawn() -> list[Case]:
    return cases(PLACES, SIDE)


def only(drawn: list[Case], *targets: str) -> list[Case]:
    return [case for case in drawn if case.target.name in targets]


def score_of(cases: list[Case], edits: Edits, judge: Judge, strength: float = 0.6) -> Score:
    return mean(s.score for s in scored(cases, [strength], edits, judge))


def test_the_truth_is_another_look_of_the_same_place(drawn: list[Case], judge: Judge) -> None:
    assert len(drawn) == PLACES * sum(len(use.targets) for use in USES)
    for case in drawn:
        assert case.given.shape == case.truth.shape == (SIDE, SIDE, 3)
        assert not np.array_equal(case.given, case.truth)
        assert "{" not in case.prompt
    perfect = scored(drawn, [0.5], lambda cases, _: [case.truth for case in cases], judge)
    best = mean(s.score for s in perfect)
    assert (best.ssim, best.structure) == (pytest.approx(1), pytest.approx(1))
    assert best.adherence > 0.6  # the judge is not always right
    assert best.quality > 0.7


@pytest.mark.parametrize("targets", [("night", "sunset"), ("oil", "watercolor")], ids=["scene", "style"])
def test_broken_editors_score_badly(drawn: list[Case], judge: Judge, editor: Editor, targets: tuple[str, ...]) -> None:
    """The negative control: one that returns its input, one that returns noise, one that is deaf to the prompt."""
    some = only(drawn, *targets)
    real = score_of(some, Ours(editor, 0, QUICK), judge)
    assert real.quality > 0.5
    for broken in (unmoved, noise, Ours(editor, 0, QUICK, deaf=True)):
        assert score_of(some, broken, judge).quality < 0.6 * real.quality
    assert score_of(some, noise, judge).sound < 0.5 < real.sound


def test_the_same_seed_gives_the_same_table(drawn: list[Case], judge: Judge, editor: Editor) -> None:
    some = only(drawn, "night")
    references = {"scene": np.random.default_rng(0).random((8, 128)).astype(np.float32)}

    def run(seed: int) -> str:
        found = scored(some, [0.3, 0.8], Ours(editor, seed, QUICK), judge)
        lines = lines_of(found, references)
        return table(lines) + json.dumps(as_json(lines, found))

    first = run(0)
    assert run(0) == first
    assert run(5) != first


@pytest.mark.parametrize("name", ["enhance", "scene"])
def test_a_presets_own_detail_never_takes_it_from_the_truth(
    drawn: list[Case], judge: Judge, editor: Editor, name: str
) -> None:
    """In the mean of each target's places, at the preset's own strength."""
    preset = presets_for(editor.card)[name]  # type: ignore[index]
    assert preset.detail > 0
    for target in next(use for use in USES if use.preset == name).targets:
        some = only(drawn, target.name)
        plain, own = (
            score_of(some, Ours(editor, 0, options), judge, preset.strength)
            for options in (QUICK | {"detail": 0}, QUICK)
        )
        assert own.ssim >= plain.ssim
        assert own.rmse <= plain.rmse


def test_the_detail_of_a_tweak_keeps_what_should_stay(drawn: list[Case], judge: Judge, editor: Editor) -> None:
    """Asked for what is there already, the truth is the input."""
    same = Use("tweak", Look(), (Target("same", "A photo of {subject}", Look(), "style", "photo"),))
    some = [
        replace(case, use=same, target=same.targets[0], prompt="A photo of a landscape", truth=case.given)
        for case in only(drawn, "night")
    ]
    plain, own = (score_of(some, Ours(editor, 0, o), judge, 0.25) for o in (QUICK | {"detail": 0}, QUICK))
    assert own.ssim > max(plain.ssim, 0.95)
    assert own.rmse < 0.5 * plain.rmse


def test_kernel_distance() -> None:
    rng = np.random.default_rng(0)
    real, same, other = (rng.normal(mean, 1, (40, 16)).astype(np.float32) for mean in (0, 0, 1.5))
    near, far = kernel_distance(real, same), kernel_distance(real, other)
    assert abs(near) < 0.2 * far
    assert kernel_distance(real, other[:10]) > 0.5 * far
    assert kernel_distance(real, other) == far  # the same draws every time


def line(quality: float) -> Score:
    same = {"ssim": 0.5, "input_ssim": 0.5}
    rest = dict.fromkeys(("rmse", "colour", "edges", "input_rmse", "input_colour", "input_edges"), 0.0)
    return Score(**same, **rest, kept=quality, structure=quality, adherence=quality, sound=1.0)


def test_recommended_strength_and_range() -> None:
    qualities = {0.2: 0.3, 0.3: 0.79, 0.4: 0.5, 0.5: 0.77, 0.6: 0.8, 0.7: 0.78, 0.8: 0.2}
    by_strength = {s: line(q) for s, q in qualities.items()}
    assert recommended(by_strength) == (0.6, (0.5, 0.7))  # .3 is as good, but beyond a gap
    assert recommended({0.4: line(0.798), 0.6: line(0.8), 0.8: line(0.7)})[0] == 0.4  # a tie goes to the weaker one
    assert line(0.5).quality == 0.5
    assert replace(line(0.5), ssim=0.4).quality < 0.45 < replace(line(0.5), ssim=0.9).quality == 0.5
    assert replace(line(0.9), adherence=0.0).quality == 0
    assert replace(line(0.9), structure=-0.2).quality == 0


def test_the_recommendation_is_a_card(tmp_path: Path) -> None:
    lines = {name: {0.4: line(0.8), 0.6: line(0.7)} for name in ("style", "scene")}
    (tmp_path / "overpaint.toml").write_text(as_card(lines))
    card = read_card(tmp_path, name="mine")
    assert card.presets["scene"] == {"strength": 0.4, "range": [0.4, 0.4]}


def test_the_judges_own_accuracy_is_told(judge: Judge) -> None:
    assert f"style {judge.facts['style'].accuracy:.0%}" in about_the_judge(judge)


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def few(judge: Judge) -> dict[str, Pixels]:
        return {use.preset: np.random.default_rng(1).random((6, 128)).astype(np.float32) for use in USES}

    monkeypatch.setattr(command, "reference_features", few)
    monkeypatch.setattr(command, "STRENGTHS", (0.5, 1.0))
    options = {"model": "embedded", "places": 2, "size": 64, "steps": 2, "seed": 0, "detail": "preset"}
    command.run(Namespace(**options, broken="unmoved", out=tmp_path))
    page = (tmp_path / "table.md").read_text()
    assert page == capsys.readouterr().out
    assert "| scene | 0.5 |" in page
    assert "right on" in page
    assert "[presets.sketch]" in page
    assert json.loads((tmp_path / "table.json").read_text())["targets"]["scene"]["night"]["0.5"]["kept"] == 1
    assert (tmp_path / "table.png").stat().st_size > 10_000
