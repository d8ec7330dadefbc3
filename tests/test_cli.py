"""The command line, run as its users run it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLES, random_picture
from typer.testing import CliRunner, Result

from overpaint import Editor, decode, images
from overpaint.cli.app import app
from overpaint.cli.demo import EXAMPLES as DEMO
from overpaint.cli.demo import example_picture
from overpaint.levels import SCHEDULES
from overpaint.params import specs
from overpaint.presets import presets
from overpaint.samplers import ABOUT, SAMPLERS


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with one small picture in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    images.save(random_picture(64, 48), tmp_path / "in.png")
    return tmp_path


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in args])


def pixels_of(path: str | Path) -> images.Pixels:
    return decode.load(path).pixels


QUICK = ("--steps", 4, "--size", "64x48", "--seed", 3, "--strength", 0.5)


def test_edit_writes_what_the_library_makes(here: Path, editor: Editor) -> None:
    done = run("edit", "in.png", "a lake", "-o", "deep/out.png", *QUICK, "--sampler", "euler_a", "--detail", 0.2)
    assert done.exit_code == 0, done.output
    expected = editor.edit(
        "in.png", "a lake", steps=4, size="64x48", seed=3, strength=0.5, sampler="euler_a", detail=0.2
    )
    assert np.array_equal(pixels_of("deep/out.png"), expected.pixels)
    assert re.search(
        r"deep/out.png +64x48 +seed 3 +strength 0.5 \(t0 499, 53% of the picture left\) +2 steps", done.output
    )


def test_count_and_compare(here: Path) -> None:
    done = run("edit", "in.png", "a lake", "--count", 2, "--compare", *QUICK)
    assert done.exit_code == 0, done.output
    assert {p.name for p in here.iterdir()} == {"in.png", "in-edit-1.png", "in-edit-2.png", "in-edit-compare.png"}
    assert pixels_of("in-edit-compare.png").shape[1] > 3 * 64
    assert not np.array_equal(pixels_of("in-edit-1.png"), pixels_of("in-edit-2.png"))


def test_default_names_never_overwrite(here: Path) -> None:
    for _ in range(2):
        assert run("edit", "in.png", "a lake", *QUICK).exit_code == 0
    assert {p.name for p in here.iterdir()} == {"in.png", "in-edit.png", "in-edit-2.png"}


def test_generate(here: Path) -> None:
    done = run("generate", "A lake, at night!", "--steps", 2, "--size", "64x64", "--seed", 1)
    assert done.exit_code == 0, done.output
    assert pixels_of("a-lake-at-night.png").shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("edit", "none.png", "x"), 1, "error: none.png cannot be read"),
        (("edit", "in.png", "x", "--strength", 2), 2, "error: strength: is 2.0, must be from 0 to 1"),
        (("edit", "in.png", "x", "--sampler", "best"), 2, "must be one of ddim"),
        (("edit", "in.png", "x", "--steps", "many"), 2, "steps"),
        (("edit", "in.png", "x", "--preset", "none"), 2, "must be one of style"),
        (("edit", "in.png", "x", "-o", "in.png"), 2, "is the input"),
        (("edit", "in.png", "x", "-o", "out.gif"), 2, "gif is not written"),
        (("edit", "in.png", "x", "-o", "in.png/out.png"), 2, "cannot be written"),
        (("edit", "in.png", "x", "--model", "nothing/here/at/all"), 3, "no such folder"),
        (("edit", "in.png", "x", "--device", "tpu"), 2, "device"),
        (("noise", "--strengths", "a,b"), 2, "must be numbers"),
        (("noise", "--strengths", "0"), 2, "above 0"),
        (("edit",), 2, "Missing argument"),
        (("nothing",), 2, "No such command"),
    ],
)
def test_errors_are_one_line_with_their_exit_code(here: Path, args: tuple[object, ...], code: int, words: str) -> None:
    done = run(*args)
    assert done.exit_code == code, done.output
    assert words in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert {p.name for p in here.iterdir()} == {"in.png"}


def test_warnings_are_shown(here: Path) -> None:
    done = run("edit", "in.png", "x", "--steps", 2, "--size", "64x48", "--strength", 0.9, "--preset", "style")
    assert "note: strength 0.9 leaves 12% of the picture" in done.output


def test_noise_table_and_strip(here: Path) -> None:
    done = run("noise", "--strengths", ".3,.6", "--image", "in.png", "-o", "strip.png")
    assert done.exit_code == 0, done.output
    assert re.search(r"0\.6 +599 +0\.162 +0\.402 +-7\.1 +18\.2 px +rough layout only", done.output)
    assert pixels_of("strip.png").shape[1] > 3 * 192


def test_sweep(here: Path) -> None:
    done = run("sweep", "in.png", "a lake", "--strengths", ".3,.7", "--steps", 4, "--size", "64x48", "--seed", 3)
    assert done.exit_code == 0, done.output
    assert "2 strengths, seed 3" in done.output
    height, width, _ = pixels_of("in-sweep.png").shape
    assert width > 2 * 320
    assert height > 2 * 240
    assert run("sweep", "in.png", "a lake", "-s", 0.5).exit_code == 2


def test_lists(here: Path) -> None:
    samplers = run("samplers").output
    assert all(name in samplers for name in (*SAMPLERS, *SCHEDULES))
    assert set(ABOUT) == set(SAMPLERS)
    shown = run("presets").output
    assert all(name in shown for name in presets())
    assert "almost pure generation" in shown
    assert "Name what you want" in shown
    assert "embedded" in run("models").output


def test_every_field_is_an_option() -> None:
    shown = run("edit", "--help").output
    for f, _ in specs():
        if f.name != "prompt":
            assert f"--{f.name.replace('_', '-')}" in shown


def test_help_is_light() -> None:
    code = "import sys; from overpaint.cli.app import app; app(['--help'], standalone_mode=False); "
    code += "assert not {'torch', 'diffusers', 'cv2', 'scipy'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "generate" in done.stdout


def test_entry_point_and_version() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("overpaint"), "--version"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", done.stdout)


def test_demo_shows_every_preset_of_whole_pictures() -> None:
    """The demo itself takes a minute; `make demo` and the slow tests run it."""
    of_maps = {"remove", "replace", "add", "repair", "extend"}
    assert {e.preset for e in DEMO} == set(presets()) - of_maps
    assert DEMO[0].title == "scene: night"
    for example in DEMO:
        assert example_picture(example.picture).read_bytes() == (EXAMPLES / example.picture).read_bytes()


@pytest.mark.slow
def test_demo(here: Path) -> None:
    done = run("demo")
    assert done.exit_code == 0, done.output
    assert pixels_of("overpaint-demo.png").shape[1] > 1200
    assert pixels_of("overpaint-demo-night.png").shape == pixels_of(example_picture("mountains.jpg")).shape


IMPATIENT = """
import os, signal, threading, time
def interrupt():
    while not any(t.name == "overpaint-engine" for t in threading.enumerate()):
        time.sleep(0.1)
    for _ in range(2):
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
from overpaint.cli.app import app
app(["edit", "in.png", "x", "--steps", "1000", "-s", "1"])
"""


def test_interrupted_is_130_and_leaves_nothing_broken(here: Path) -> None:
    """Ctrl-C while an edit runs, pressed twice by somebody impatient."""
    done = subprocess.run([sys.executable, "-c", IMPATIENT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 130
    assert done.stderr.strip() == "interrupted"
    assert {p.name for p in here.iterdir()} == {"in.png"}


def test_no_command_writes_over_its_input_or_over_earlier_results(here: Path) -> None:
    picture = (here / "in.png").read_bytes()
    for name in ("in-noise.png", "in-sweep.png", "a-1.png", "in-edit-2.png"):
        (here / name).write_bytes(picture)
    assert run("edit", "a-1.png", "x", "-o", "a.png", "--count", 2, *QUICK).exit_code == 2
    assert run("noise", "--image", "in-noise.png", "-o", "in-noise.png").exit_code == 2
    assert run("noise", "--strengths", ".5", "--image", "in.png").exit_code == 0
    assert run("edit", "in.png", "x", "--count", 2, *QUICK).exit_code == 0
    assert all((here / name).read_bytes() == picture for name in ("in.png", "in-noise.png", "in-sweep.png", "a-1.png"))
    assert (here / "in-edit-2.png").read_bytes() == picture
    assert {p.name for p in here.glob("in-edit*")} == {"in-edit-2.png", "in-edit-2-1.png", "in-edit-2-2.png"}
    assert (here / "in-noise-2.png").exists()


def test_long_prompts_make_names_that_can_be_written(here: Path) -> None:
    done = run("generate", "夜" * 300, "--steps", 1, "--size", "64x64")
    assert done.exit_code == 0, done.output


def test_the_end_is_quick_and_its_code_is_kept(here: Path) -> None:
    """With torch loaded the process ends without Python's own end; what it said and its exit code are there."""
    code = "import sys, torch; from overpaint.cli import main; print('said', end=''); sys.argv[1:] = {}; main()"
    for arguments, expected in (
        (["samplers"], 0),
        (["edit", "missing.png", "a lake"], 1),
        (["edit", "in.png", "a lake", "-s", "7"], 2),
    ):
        done = subprocess.run([sys.executable, "-c", code.format(arguments)], capture_output=True, text=True)
        assert done.returncode == expected, done.stderr
        assert done.stdout.startswith("said")
        assert "Traceback" not in done.stderr
