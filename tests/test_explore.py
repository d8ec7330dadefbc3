"""Sweeps: strengths against seeds, guidance, prompts or anything else, what each edit kept, and the sheet of it all."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_cli import run

from overpaint.editor import Editor
from overpaint.errors import ParameterError
from overpaint.explore import Sweep, fidelity_of
from overpaint.fidelity import compare
from overpaint.metadata import read_recipes
from overpaint.picture import Picture
from overpaint.plot import curves

PICTURE = np.random.default_rng(5).integers(0, 256, (6, 8, 3), np.uint8).repeat(16, 0).repeat(16, 1)
QUICK = {"size": "64x48", "steps": 4}


def test_rows_of_seeds_are_their_edits_alone(editor: Editor) -> None:
    swept = editor.sweep(PICTURE, "a lake", strengths=[0.3, 0.7], against={"seed": [4, 9]}, **QUICK)  # type: ignore[arg-type]
    assert [(r.params.seed, r.params.strength) for r in swept] == [(4, 0.3), (4, 0.7), (9, 0.3), (9, 0.7)]
    assert [len(row) for row in swept.rows] == [2, 2]
    alone = editor.edit(PICTURE, "a lake", strength=0.7, seed=9, **QUICK)  # type: ignore[arg-type]
    assert np.array_equal(swept[3].pixels, alone.pixels)


@pytest.mark.parametrize(
    ("name", "values"),
    [("guidance_scale", [1, 4]), ("prompt", ["a lake", "a sea, at night"]), ("sampler", ["ddim", "heun"])],
)
def test_rows_of_anything(editor: Editor, name: str, values: list[object]) -> None:
    swept = editor.sweep(PICTURE, "a lake", strengths=[0.5], against={name: values}, seed=2, **QUICK)  # type: ignore[arg-type]
    assert [swept.value_of(r) for r in swept] == values
    assert {r.params.seed for r in swept} == {2}
    assert not np.array_equal(swept[0].pixels, swept[1].pixels)


def test_what_the_edits_start_from(editor: Editor) -> None:
    swept = editor.sweep(PICTURE, "a lake", strengths=[0.2, 0.8], starts=True, seed=3, **QUICK)  # type: ignore[arg-type]
    noised = editor.noised(PICTURE, [0.2, 0.8], seed=3, **QUICK)  # type: ignore[arg-type]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(swept.starts, noised, strict=True))


def test_fidelity_is_that_of_each_result(editor: Editor) -> None:
    swept = editor.sweep(PICTURE, "a lake", strengths=[0, 0.2, 1], seed=3, **QUICK)  # type: ignore[arg-type]
    told = [f.ssim for f in swept.fidelity if f is not None]
    assert told[0] == 1
    assert told[0] > told[1] > told[2]
    assert swept.fidelity[1] == compare(PICTURE, swept[1].pixels)
    assert swept.curves()["SSIM"].tolist() == [told]


def test_fidelity_of_other_sizes_and_shapes(editor: Editor) -> None:
    """What is cut to another shape is compared with what was left of it; what grew has no such part."""
    cut = editor.edit(PICTURE, "a lake", strength=0.2, seed=3, output_size="96x96", **QUICK)  # type: ignore[arg-type]
    own = compare(np.ascontiguousarray(PICTURE[:, 16:112]), cut.pixels)
    assert fidelity_of(cut, Picture(PICTURE)) == own
    grown = editor.sweep(PICTURE, "a lake", strengths=[0.5], extend=(16, 0, 0, 0), seed=1, **QUICK)  # type: ignore[arg-type]
    assert grown.fidelity == (None,)
    assert grown.curves() == {}
    assert grown.sheet(100).height < 200


def test_sheet(editor: Editor) -> None:
    options = {"strengths": [0.2, 0.8], "seed": 3, **QUICK}
    alone: Sweep = editor.sweep(PICTURE, "a lake", **options)  # type: ignore[arg-type]
    with_starts = editor.sweep(PICTURE, "a lake", starts=True, **options)  # type: ignore[arg-type]
    sheets = [sweep.sheet(100) for sweep in (alone, with_starts)]
    assert sheets[0].width == sheets[1].width
    assert sheets[1].height - sheets[0].height > 75  # a row of panels
    assert np.asarray(sheets[0])[-300:].std() > 10  # the curves


def test_curves_show_mean_and_range() -> None:
    lines = {"one": np.array([[0.9, 0.1]]), "two": np.array([[0.2, 0.6], [0.4, 0.8]])}
    picture = curves([0.8, 0.2], lines, "strength", "kept", 600, 300)
    assert picture.size == (600, 300)
    assert picture.tobytes() == curves([0.8, 0.2], lines, "strength", "kept", 600, 300).tobytes()
    assert picture.tobytes() != curves([0.2, 0.8], lines, "strength", "kept", 600, 300).tobytes()


@pytest.mark.parametrize(
    ("against", "words"),
    [
        ({"strength": [0.1]}, "names strength, must name one of"),
        ({"seed": [1], "steps": [2]}, "names seed, steps, must name one of"),
        ({}, "names nothing"),
        ({"prompt": "a lake"}, "needs a list of values for prompt"),
        ({"seed": []}, "needs a list of values for seed"),
        ({"steps": [0]}, "steps: is 0"),
        ({"seed": range(600)}, "at most 1000"),
    ],
)
def test_what_cannot_be_swept(editor: Editor, against: dict[str, list[object]], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        editor.sweep(PICTURE, "a lake", strengths=[0.2, 0.4], against=against)


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PICTURE).save("in.png")
    args = ("sweep", "in.png", "a lake", "--strengths", ".3,.7", "--steps", 2, "--size", "64x48", "--seed", 5)
    done = run(*args, "--against", "prompt=a lake, blue | a sea", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    shown = [(e["recipe"]["params"]["prompt"], e["recipe"]["params"]["strength"]) for e in told["edits"]]
    assert shown == [(p, s) for p in ("a lake, blue", "a sea") for s in (0.3, 0.7)]
    assert all(-1 <= e["kept"]["structure"] <= 1 for e in told["edits"])
    assert [r.params.prompt for r in read_recipes("in-sweep.png")] == [p for p, _ in shown]
    assert "against guidance_scale" in run(*args, "--against", "guidance-scale=1,3").output
    for bad in ("seed", "noise=1,2", "strength=.1", "steps=1,x"):
        assert run(*args, "--against", bad).exit_code == 2


def test_command_of_a_goal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PICTURE).save("in.png")
    done = run("edit", "in.png", "a lake", "--keep", 0.5, "--steps", 3, "--size", "128x96", "--seed", 5, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["goal"]["strength"] == told["recipe"]["params"]["strength"]
    assert len(told["goal"]["trials"]) >= 4
    assert run("edit", "in.png", "a lake", "--keep", 0.5, "-s", 0.5).exit_code == 2
    assert run("sweep", "in.png", "a lake", "--keep", 0.5).exit_code == 2
