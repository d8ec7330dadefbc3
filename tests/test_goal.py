"""Strength by goal: ``keep`` finds the strength whose result keeps that much of the picture."""

import math
import threading
from collections.abc import Callable

import numpy as np
import pytest
from conftest import EXAMPLES

from overpaint import decode
from overpaint.editor import Editor
from overpaint.errors import EditCancelled, ParameterError
from overpaint.fidelity import compare, kept
from overpaint.goal import LEAST, ROUNDS, TOLERANCE, Goal
from overpaint.job import StepEvent
from overpaint.params import MEASURES, EditParams, MeasureName
from overpaint.picture import Picture, resize
from overpaint.request import EditRequest
from overpaint.search import PER_ROUND

QUICK = {"size": "192x144", "steps": 6, "seed": 1, "guidance_scale": 2}
PROMPT = "an oil painting of a castle above a lake"


@pytest.fixture(scope="module")
def castle() -> Picture:
    small = resize(decode.load(EXAMPLES / "castle.jpg").flat(), (192, 144))
    return Picture((small * 255 + 0.5).astype(np.uint8))


def searched(keep: float, law: Callable[[float], float]) -> tuple[Goal, int]:
    """A search among results that keep what ``law`` says; with the rounds it took."""
    goal, rounds = Goal(keep, "ssim", {}), 0
    while goal.next and rounds < ROUNDS:
        goal, rounds = goal.with_trials({s: law(s) for s in goal.next}), rounds + 1
    return goal, rounds


@pytest.mark.parametrize("keep", [0.3, 0.45, 0.6, 0.75])
@pytest.mark.parametrize(
    "law",
    [
        lambda s: 0.85 - 0.75 * s,
        lambda s: 0.85 * math.exp(-2.5 * s),
        lambda s: 0.85 / (1 + math.exp(9 * (s - 0.55))),
        lambda s: 0.85 - 0.75 * s + 0.01 * math.sin(40 * s),
    ],
    ids=["line", "exponential", "steep", "wavy"],
)
def test_any_falling_law_is_met_in_three_rounds(keep: float, law: Callable[[float], float]) -> None:
    goal, _ = searched(keep, law)
    assert goal.reached, goal
    assert abs(law(goal.strength) - keep) <= TOLERANCE
    assert len(goal.trials) <= 10


def test_no_more_is_tried_than_needed() -> None:
    goal, rounds = searched(0.7, lambda s: 0.9 - s)  # .2 is it
    assert (rounds, goal.strength) == (1, 0.2)


def test_what_cannot_be_kept_is_said() -> None:
    goal, _ = searched(0.95, lambda s: 0.8 - 0.5 * s)
    assert not goal.reached
    assert goal.strength == LEAST
    assert "encoding and decoding lose the rest" in goal.note


def test_what_nothing_loses_is_said() -> None:
    goal, _ = searched(0.1, lambda s: 0.9 - 0.5 * s)
    assert not goal.reached
    assert goal.strength == 1
    assert "nothing keeps less" in goal.note


def test_a_jump_is_said() -> None:
    goal, _ = searched(0.5, lambda s: 0.8 if s < 0.47 else 0.2)
    assert not goal.reached
    assert "strengths were tried" in goal.note


@pytest.mark.parametrize(("measure", "keep"), [*zip(MEASURES, (0.5, 0.4, 0.9), strict=True)])
def test_it_lands_within_tolerance(editor: Editor, castle: Picture, measure: MeasureName, keep: float) -> None:
    result = editor.edit(castle.pixels, PROMPT, keep=keep, keep_measure=measure, **QUICK)  # type: ignore[arg-type]
    assert result.goal is not None
    assert result.goal.reached
    found = kept(compare(castle, Picture.of(result.pixels)), measure)
    assert found == pytest.approx(result.goal.kept, abs=1e-6)
    assert found == pytest.approx(keep, abs=TOLERANCE)
    assert any(f"({measure}) at strength" in note for note in result.warnings)


def test_the_found_strength_is_in_the_recipe(editor: Editor, castle: Picture) -> None:
    found = editor.edit(castle.pixels, PROMPT, keep=0.5, **QUICK)  # type: ignore[arg-type]
    assert found.params.strength == found.goal.strength  # type: ignore[union-attr]
    assert found.params.keep is None
    again = editor.redo(found.recipe, castle.pixels)
    assert again.goal is None  # no search
    assert np.array_equal(again.pixels, found.pixels)
    plain = editor.edit(castle.pixels, PROMPT, strength=found.params.strength, **QUICK)  # type: ignore[arg-type]
    assert np.array_equal(plain.pixels, found.pixels)
    other = editor.redo(found.recipe, castle.pixels, keep=0.4)
    assert other.goal is not None
    assert other.params.strength > found.params.strength


def test_progress_and_cancelling(editor: Editor, castle: Picture) -> None:
    steps: list[StepEvent] = []

    def stop_late(event: StepEvent) -> None:
        steps.append(event)
        if len(steps) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        editor.edit(castle.pixels, PROMPT, keep=0.5, on_step=stop_late, **QUICK)  # type: ignore[arg-type]
    assert [e.step for e in steps] == sorted({e.step for e in steps})
    assert all(0 < e.step <= e.steps and e.preview is not None for e in steps)
    job = editor.submit(EditRequest(castle.pixels, PROMPT, keep=0.5, **QUICK))  # type: ignore[arg-type]
    assert job.cancel()
    with pytest.raises(EditCancelled):
        job.result(timeout=30)


def test_previews_turned_on_reach_all_trials(editor: Editor, castle: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    predict, go = editor.model.predict, threading.Event()
    monkeypatch.setattr(editor.model, "predict", lambda *args: go.wait(60) and predict(*args))
    job = editor.submit(EditRequest(castle.pixels, PROMPT, keep=0.47, **QUICK))  # type: ignore[arg-type]
    steps: list[StepEvent] = []

    def show(event: StepEvent) -> None:
        steps.append(event)
        job.preview = True

    job.listen(show)
    go.set()
    job.result()
    assert job.preview
    assert steps[0].preview is None
    assert steps[-1].step > PER_ROUND  # there was another round
    assert any(event.preview is not None for event in steps if event.step <= PER_ROUND)
    assert all(event.preview is not None for event in steps if event.step > PER_ROUND)


def test_searches_share_the_engine_with_edits(editor: Editor, castle: Picture) -> None:
    requests = [
        EditRequest(castle.pixels, PROMPT, **{**QUICK, "keep": 0.5}),  # type: ignore[arg-type]
        EditRequest(castle.pixels, PROMPT, **{**QUICK, "strength": 0.5}),  # type: ignore[arg-type]
    ]
    outcomes = {r.index: r for r in editor.edit_many(requests) if not isinstance(r, Exception)}
    assert outcomes[0].goal.reached  # type: ignore[union-attr]
    alone = editor.edit(castle.pixels, PROMPT, keep=0.5, **QUICK)  # type: ignore[arg-type]
    assert np.array_equal(alone.pixels, outcomes[0].pixels)
    assert not any(t.name == "overpaint-search" for t in threading.enumerate())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": 0.5, "strength": 0.5}, "does not go with a strength"),
        ({"keep": 1.5}, "must be from 0 to 1"),
        ({"keep": 0.5, "keep_measure": "looks"}, "must be one of ssim, edges, structure"),
    ],
)
def test_bad_goals(options: dict[str, object], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        EditParams(**options)  # type: ignore[arg-type]


def test_goals_that_mean_nothing(editor: Editor, castle: Picture) -> None:
    with pytest.raises(ParameterError, match="needs a picture"):
        editor.generate("a lake", keep=0.5)
    with pytest.raises(ParameterError, match="own shape"):
        editor.edit(castle.pixels, PROMPT, keep=0.5, extend=(8, 0, 0, 0))
    with pytest.raises(ParameterError, match="does not go with a strength"):
        editor.sweep(castle.pixels, PROMPT, keep=0.5)
    with pytest.raises(ParameterError, match="guidance_scale"):
        editor.edit(castle.pixels, PROMPT, keep=0.5, guidance_scale=0)
