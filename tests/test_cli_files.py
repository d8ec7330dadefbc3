"""The command line never loses work: several pictures, names, standard input and output, ends by force, full disks."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import random_picture
from PIL import PngImagePlugin
from test_cli import QUICK, here, pixels_of, run
from typer.testing import CliRunner

from overpaint import Editor, EditParams, decode, images, read_recipe, read_recipes
from overpaint.cli.app import app
from overpaint.presets import foreign_syntax, resolve

__all__ = ["here"]  # a fixture
OVERPAINT = Path(sys.executable).with_name("overpaint")
SMALL = ("--steps", "2", "--size", "64x48", "--strength", "0.5")


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


# ---- several pictures, and names -------------------------------------------------------------------------------------


def test_one_bad_among_several_is_told_and_the_rest_are_done(here: Path, editor: Editor) -> None:
    (here / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    images.save(random_picture(40, 30, seed=2), here / "b.jpg")
    done = run("edit", "none.png", "in.png", "bad.png", "b.jpg", "a lake", "-o", "out/", *QUICK)
    assert done.exit_code == 1
    assert names(here / "out") == {"in.png", "b.png"}
    assert "error: none.png cannot be read" in done.output
    assert "error: bad.png is" in done.output
    assert np.array_equal(
        pixels_of("out/in.png"), editor.edit("in.png", "a lake", steps=4, size="64x48", seed=3, strength=0.5).pixels
    )


def test_nothing_readable_ends_before_a_model_is_loaded(here: Path) -> None:
    started = time.monotonic()
    code = "import sys; from overpaint.cli.app import app\n"
    code += "try: app(['edit', 'a.png', 'b.png', 'x', '-o', 'out/'])\n"
    code += "except SystemExit as e: print(e.code, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 False"
    assert done.stderr.count("cannot be read") == 2
    assert time.monotonic() - started < 20


def test_twins_in_a_folder_get_names_of_their_own(here: Path) -> None:
    images.save(random_picture(32, 32, seed=2), here / "in.jpg")
    (here / "out").mkdir()
    (here / "out" / "in.png").write_bytes(b"mine")
    assert run("edit", "in.png", "in.jpg", "x", "-o", "out", "--count", 2, "--compare", *QUICK).exit_code == 0
    assert (here / "out" / "in.png").read_bytes() == b"mine"
    expected = {f"{stem}{end}.png" for stem in ("in", "in-2") for end in ("-1", "-2", "-compare")}
    assert names(here / "out") == {"in.png", *expected}
    assert len(read_recipes(here / "out" / "in-compare.png")) == 2


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("edit", "in.png", "in.png", "x", "-o", "a.png"), 2, "name a folder"),
        (("edit", "in.png", "x", "-o", "./in.png"), 2, "is the input; name another output, or say --overwrite"),
        (("edit", "in.png", "x", "-o", "link.png"), 2, "is the input"),
        (("edit", "in.png", "x", "-o", "-", "--count", 2), 2, "takes one picture"),
        (("edit", "in.png", "x", "--format", "gif"), 2, "must be one of png, jpg, webp, tif"),
        (("edit", "in.png", "other.png"), 2, "the prompt comes last"),
        (("redo", "in.png"), 1, "holds no recipe"),
        (("redo", "none.png"), 1, "cannot be read"),
        (("recipe", "other.png"), 1, "error: other.png"),
        (("redo", "in.png", "--set", "stength=1"), 2, "must be NAME=VALUE with a name of prompt"),
        (("redo", "in.png", "--set", "strength=2"), 2, "strength: is 2.0"),
        (("sweep", "in.png", "x", "-o", "out"), 2, "no ending is not written"),
    ],
)
def test_refused_before_anything_is_done(here: Path, args: tuple[object, ...], code: int, words: str) -> None:
    (here / "link.png").symlink_to(here / "in.png")
    (here / "other.png").write_bytes(b"not a picture")
    there = names(here)
    done = run(*args)
    assert done.exit_code == code, done.output
    assert words in " ".join(done.output.split())
    assert names(here) == there


def test_overwrite_is_what_it_takes_to_write_over_the_input(here: Path) -> None:
    before = (here / "in.png").read_bytes()
    assert run("edit", "in.png", "x", "-o", "in.png", *QUICK).exit_code == 2
    assert (here / "in.png").read_bytes() == before
    assert run("edit", "in.png", "x", "-o", "in.png", "--overwrite", *QUICK).exit_code == 0
    assert (here / "in.png").read_bytes() != before
    assert read_recipe(here / "in.png").input is not None


def test_overwrite_never_reaches_another_input(here: Path) -> None:
    """With both in one folder, what in.jpg becomes must not land on in.png before that is read."""
    images.save(random_picture(32, 32, seed=2), here / "in.jpg")
    before = (here / "in.png").read_bytes()
    assert run("edit", "in.jpg", "in.png", "x", "-o", ".", "--overwrite", *QUICK).exit_code == 0
    assert names(here) == {"in.jpg", "in.png", "in-2.png"}
    assert (here / "in.png").read_bytes() != before


def test_names_of_any_bytes(here: Path) -> None:
    """Not UTF-8, a newline, a leading dash, steering the terminal: edited, and shown spelt out."""
    data = (here / "in.png").read_bytes()
    odd = [b"\xff\xfe.png", b"new\nline.png", b"-dash.png", b"\x1b[31mred.png", b"per%cent and space.png"]
    for name in odd:
        (here / os.fsdecode(name)).write_bytes(data)
    done = run("edit", *SMALL, "-o", "out/", "--", *map(os.fsdecode, odd), "a lake")
    assert done.exit_code == 0, done.output
    assert {os.fsencode(p) for p in os.listdir(here / "out")} == set(odd)
    assert "\x1b" not in done.stdout
    assert done.stdout.count("\n") == len(odd)


# ---- standard input and output, and scripts --------------------------------------------------------------------------


def test_from_standard_input_to_standard_output(here: Path, editor: Editor) -> None:
    data = (here / "in.png").read_bytes()
    args = ("edit", "-", "a lake", "-o", "-", "--format", "webp", *SMALL, "--seed", "3")
    done = CliRunner().invoke(app, args, input=data)
    expected = editor.edit("in.png", "a lake", steps=2, size="64x48", strength=0.5, seed=3)
    assert np.array_equal(decode.load(done.stdout_bytes).pixels, expected.pixels)
    assert read_recipe(done.stdout_bytes).params.seed == 3
    assert "standard output  64x48" in done.stderr
    named = CliRunner().invoke(app, ["edit", "-", "x", *SMALL], input=data)
    assert named.stdout.startswith("picture-edit.png")


def test_json_for_scripts(here: Path) -> None:
    (here / "bad.png").write_bytes(b"")
    done = run("edit", "in.png", "bad.png", "a lake", "-o", "out/", "--json", *QUICK)
    assert done.exit_code == 1
    told = {str(line["input"]): line for line in lines(done.stdout)}
    assert told["bad.png"]["error"] == {
        "type": "ImageError",
        "message": "bad.png is empty",
        "exit_code": 1,
    }
    good = told["in.png"]
    assert (good["file"], good["width"], good["height"], good["t0"]) == ("out/in.png", 64, 48, 499)
    assert good["recipe"] == read_recipe("out/in.png").as_dict()
    (error,) = lines(run("edit", "in.png", "x", "--strength", 2, "--json").stdout)
    assert error["error"] == {
        "type": "ParameterError",
        "message": "strength: is 2.0, must be from 0 to 1",
        "exit_code": 2,
    }


def test_json_of_the_lists(here: Path) -> None:
    (samplers,) = lines(run("samplers", "--json").stdout)
    assert samplers["samplers"][0]["name"] == "ddim"  # type: ignore[index]
    (presets,) = lines(run("presets", "--json").stdout)
    assert presets["presets"][0]["range"] == [0.4, 0.8]  # type: ignore[index]
    assert json.loads(run("models", "--json").stdout)[0]["name"] == "embedded"
    assert json.loads(run("noise", "--json", "--strengths", ".6").stdout)[0]["t"] == 599
    (sweep,) = lines(
        run("sweep", "in.png", "x", "--strengths", ".3,.7", "--steps", 2, "--size", "64x48", "--json").stdout
    )
    assert [edit["params"]["strength"] for edit in sweep["sheet"]] == [0.3, 0.7]  # type: ignore[attr-defined]


def test_colours_only_for_a_terminal_that_wants_them(here: Path) -> None:
    def stderr(**env: str) -> bytes:
        command = [OVERPAINT, "recipe", "none.png"]
        return subprocess.run(command, capture_output=True, env={**os.environ, **env}, check=False).stderr

    assert b"\x1b" not in stderr()
    assert b"\x1b[31m" in stderr(FORCE_COLOR="1")
    assert b"\x1b[31m" not in stderr(FORCE_COLOR="1", NO_COLOR="1")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("edit a.png x --sampler dpm++2", "dpm++2m_sde"),
        ("redo a.png --o", "--overwrite"),
        ("edit --preset s", "sketch"),
    ],
)
def test_shell_completion(words: str, expected: str) -> None:
    line = f"overpaint {words}"
    env = {**os.environ, "_OVERPAINT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = subprocess.run([OVERPAINT], capture_output=True, text=True, env=env, check=False)
    assert expected in done.stdout.split()


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = subprocess.run(f"{OVERPAINT} presets | head -c 1", shell=True, capture_output=True, check=False)
    assert done.stderr == b""


def test_debug_shows_the_traceback(here: Path) -> None:
    for args in (["--debug", "recipe", "in.png"], ["recipe", "in.png", "--debug"]):
        done = subprocess.run([OVERPAINT, *args], capture_output=True, text=True, check=False)
        assert "Traceback" in done.stderr
        assert "RecipeError" in done.stderr


# ---- recipe and redo -------------------------------------------------------------------------------------------------


@pytest.mark.case("P01", "P03")
@pytest.mark.parametrize("prompt", ["", "été 🎨 夜 👩‍👩‍👧 مرحبا", "a\nb\tc"])
def test_a_prompt_comes_back_from_the_file(here: Path, prompt: str) -> None:
    assert run("edit", "in.png", prompt, "-o", "out.jpg", *QUICK).exit_code == 0
    (told,) = lines(run("recipe", "out.jpg", "--json").stdout)
    assert told["params"]["prompt"] == prompt  # type: ignore[index]


def test_recipe_for_people(here: Path) -> None:
    assert run("edit", "in.png", "a [red]lake[/red]", "-o", "out.png", *QUICK).exit_code == 0
    shown = run("recipe", "out.png").output
    assert re.search(r"prompt +a \[red\]lake\[/red\]", shown)
    assert re.search(r"strength +0\.5", shown)
    assert re.search(r"input +64x48, pixels [0-9a-f]{10}", shown)


def test_redo(here: Path) -> None:
    assert run("edit", "in.png", "a lake", "-o", "results/out.png", "--detail", 0.2, *QUICK).exit_code == 0
    same = run("redo", "results/out.png")
    assert same.exit_code == 0, same.output
    assert "the same as results/out.png, byte for byte" in same.output
    assert (here / "out-redo.png").read_bytes() == (here / "results" / "out.png").read_bytes()
    assert run("edit", "in.png", "a lake", "-o", "lossy.jpg", *QUICK).exit_code == 0
    assert "the same as lossy.jpg, byte for byte" in run("redo", "lossy.jpg").output
    images.save(pixels_of("results/out.png"), here / "stripped.tif", [read_recipe("results/out.png")])
    (here / "stripped.tif").rename(here / "stripped.png")  # another file, the same pixels
    assert "the same pixels as stripped.png" in run("redo", "stripped.png").output
    assert run("redo", "results/out.png", "--set", "strength=.8", "--set", "seed=9", "-o", "b.webp").exit_code == 0
    params = read_recipe("b.webp").params
    assert (params.strength, params.seed, params.detail, params.prompt) == (0.8, 9, 0.2, "a lake")
    (here / "in.png").unlink()
    lost = run("redo", "results/out.png")
    assert lost.exit_code == 1
    assert "its input, a picture of 64x48, is not near it nor here; name it: --input" in " ".join(lost.output.split())
    images.save(random_picture(50, 40, seed=8), here / "other.png")
    other = run("redo", "results/out.png", "--input", "other.png", "-o", "c.png")
    assert "the input is another picture" in other.output
    assert pixels_of("c.png").shape == (40, 50, 3)


def test_redo_says_what_is_not_as_it_was(here: Path, editor: Editor) -> None:
    result = editor.edit("in.png", "a lake", steps=4, size="64x48", seed=3, strength=0.5)
    made_with = {**result.recipe.made_with, "torch": "1.0"}
    other = type(result.recipe)(result.params, "edit", "embedded", "0" * 64, result.recipe.input, made_with)
    images.save(255 - result.pixels, "out.png", [other])
    told = " ".join(run("redo", "out.png").output.split())
    assert "torch was 1.0, here it is" in told
    assert "the model was embedded (0000000000), here it is embedded" in told
    assert "not the same pixels as out.png" in told


def test_redo_of_one_edit_of_a_sheet(here: Path, editor: Editor) -> None:
    args = ("--strengths", ".3,.7", "--steps", 4, "--size", "64x48", "--seed", 3)
    assert run("sweep", "in.png", "a lake", "-o", "sheet.jpg", *args).exit_code == 0
    assert "--pick" in run("redo", "sheet.jpg").output
    assert run("redo", "sheet.jpg", "--pick", 3).exit_code == 2
    assert run("redo", "sheet.jpg", "--pick", 2, "-o", "second.png").exit_code == 0
    expected = editor.edit("in.png", "a lake", strength=0.7, steps=4, size="64x48", seed=3)
    assert np.array_equal(pixels_of("second.png"), expected.pixels)
    assert "pixels as" not in run("redo", "sheet.jpg", "--pick", 1).output  # a sheet is not its first edit


def test_redo_from_another_programs_text(here: Path) -> None:
    text = (
        "a lake\nSteps: 4, Sampler: Euler a, CFG scale: 3, Seed: 5, Size: 64x48, Denoising strength: 0.5, Model: other"
    )
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", text)
    images.to_pil(random_picture(8, 8)).save(here / "theirs.png", pnginfo=info)
    assert "without a picture" in run("redo", "theirs.png", "--model", "embedded").output
    assert "made with the model 'other'" in " ".join(run("redo", "theirs.png", "-i", "in.png").output.split())
    assert run("redo", "theirs.png", "-i", "in.png", "-m", "embedded", "-o", "ours.png").exit_code == 0
    params = read_recipe("ours.png").params
    assert (params.sampler, params.seed, params.strength, params.output_size) == ("euler_a", 5, 0.5, "64x48")


# ---- ends by force, and full disks -----------------------------------------------------------------------------------


def start_many(here: Path, count: int = 200) -> "subprocess.Popen[bytes]":
    command = [OVERPAINT, "edit", "in.png", "x", "-o", "out/", "--count", str(count), *SMALL]
    process = subprocess.Popen(command, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not list((here / "out").glob("*.png")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    return process


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, b"interrupted"),
        (signal.SIGTERM, 143, b"terminated"),
        (signal.SIGKILL, -9, b""),
    ],
)
def test_what_was_finished_stays_and_nothing_is_broken(here: Path, number: int, code: int, words: bytes) -> None:
    process = start_many(here)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert words in stderr
    assert b"Traceback" not in stderr
    whole = list((here / "out").glob("*.png"))
    assert 1 <= len(whole) < 200
    for path in whole:
        assert decode.load(path).size == (64, 48)
    if number != signal.SIGKILL:
        assert names(here / "out") == {p.name for p in whole}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for 128 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_with_4_and_breaks_nothing(here: Path, small_disk: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)  # 68 KB, whatever the format
    images.save(noise, here / "noisy.png")
    (small_disk / "old.png").write_bytes(b"x" * 30_000)
    done = run("edit", "noisy.png", "x", "-s", 0, "--count", 3, "-o", small_disk, "--json")
    assert done.exit_code == 4
    assert "No space left on device" in done.output
    assert names(small_disk) == {"old.png", "noisy-1.png"}
    assert np.array_equal(pixels_of(small_disk / "noisy-1.png"), noise)
    over = run("edit", "noisy.png", "x", "-s", 0, "-o", small_disk / "old.png")
    assert over.exit_code == 4
    assert (small_disk / "old.png").read_bytes() == b"x" * 30_000


# ---- bad values ------------------------------------------------------------------------------------------------------


@pytest.mark.case("Q01", "Q02", "Q04", "Q05", "Q06", "Q07", "Q08")
@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--steps", "0", "steps: is 0, must be from 1 to 1000"),
        ("--steps", "-1", "steps: is -1, must be from 1 to 1000"),
        ("--steps", "1000000000", "must be from 1 to 1000"),
        ("--steps", "20.5", "steps: is '20.5', must be a whole number from 1 to 1000"),
        ("--steps", "9" * 5000, "must be a whole number"),
        ("--steps", "true", "must be a whole number"),
        ("--strength", "-0.1", "strength: is -0.1, must be from 0 to 1"),
        ("--strength", "1.01", "must be from 0 to 1"),
        ("--strength", "nan", "must be from 0 to 1"),
        ("--strength", "inf", "must be from 0 to 1"),
        ("--strength", "half", "strength: is 'half', must be a number from 0 to 1"),
        ("--guidance-scale", "nan", "guidance_scale: is nan, must be from 1 to 50"),
        ("--guidance-scale", "1e9", "must be from 1 to 50"),
        ("--guidance-scale", "-1", "must be from 1 to 50"),
        ("--seed", "9007199254740992", "must be from -1 to 9007199254740991"),
        ("--seed", "-2", "must be from -1 to 9007199254740991"),
        ("--seed", "1.5", "must be a whole number from -1 to 9007199254740991"),
        ("--seed", "abc", "must be a whole number"),
        ("--count", "0", "count: is 0, must be from 1 to 1000"),
        ("--count", "1000000", "count: is 1000000, must be from 1 to 1000"),
        ("--size", "0x7", "each side must be from 1 to 16384"),
        ("--size", "100000x8", "each side must be from 1 to 16384"),
        ("--output-size", "64", "must be 'working' or WIDTHxHEIGHT"),
        ("--output-size", "16384x16384", "at most 100,000,000 pixels are made"),
        ("--sampler", "best", "must be one of ddim, ddpm"),
        ("--schedule", "best", "must be one of trailing, karras"),
        ("--preset", "best", "must be one of style, sketch"),
        ("--fit", "best", "must be one of crop, pad"),
    ],
)
def test_values_out_of_range_are_told_their_range(here: Path, option: str, value: str, words: str) -> None:
    done = run("edit", "in.png", "x", option, value)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())
    assert names(here) == {"in.png"}


@pytest.mark.case("Q02", "Q03")
def test_the_least_strength_takes_a_step_and_0_is_the_picture(here: Path) -> None:
    """Ten steps at .05 are half a step, which other programs make none of; the law makes it one."""
    done = run("edit", "in.png", "x", "-o", "out.png", "--steps", 10, "-s", 0.05, "--size", "64x48")
    assert "(t0 49, " in done.output
    assert "  1 steps  " in done.output
    assert run("edit", "in.png", "x", "-o", "same.png", "-s", 0).exit_code == 0
    assert np.array_equal(pixels_of("same.png"), pixels_of("in.png"))


@pytest.mark.case("P02", "P04", "P05")
@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (b"a\x1b[31mb", "holds the control character U+001B at place 1; remove it"),
        (b"a\xffb", "holds the control character U+DCFF at place 1"),
        (b"x" * 100_000, "has 100,000 characters, at most 5,000 are taken"),
        (b"(" * 20_000, "at most 5,000"),
    ],
)
def test_prompts_that_are_not_taken(here: Path, prompt: bytes, words: str) -> None:
    done = subprocess.run([OVERPAINT, "edit", "in.png", prompt], capture_output=True, check=False)
    assert done.returncode == 2
    assert words in done.stderr.decode()
    assert b"\x1b" not in done.stderr


@pytest.mark.case("P05", "P06")
@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("<lora:../../etc/passwd:1> a lake", "<lora:...> tags"),
        ("a __../../wild__ lake", "__wildcards__"),
        ("a (blue:1000000000) [a:b:0.5] lake", "weights like (word:1.2)"),
    ],
)
def test_the_syntax_of_other_programs_is_words_here(here: Path, editor: Editor, prompt: str, words: str) -> None:
    result = editor.edit("in.png", prompt, steps=2, size="64x48", strength=0.5)
    assert [w for w in result.warnings if "not read here but taken as words" in w and words in w]
    assert result.params.prompt == prompt
    unchanged = editor.edit("in.png", "a lake (by night), 1:2", steps=2, size="64x48", strength=0.5)
    assert not unchanged.warnings


@pytest.mark.case("P05")
@pytest.mark.parametrize(
    "prompt", ["(" * 5000, "((a:" * 1250, "[a:b:nan]" * 500, "_" * 5000, "<lora:" * 800, "(a" * 2500]
)
def test_hostile_prompts_take_no_time(editor: Editor, prompt: str) -> None:
    params = resolve(EditParams(prompt=prompt), editor.card, size="64x64", output_size="64x64")
    started = time.perf_counter()
    foreign_syntax(params)
    editor.model.encode_text(prompt)
    assert time.perf_counter() - started < 1


@pytest.mark.case("C01")
@pytest.mark.parametrize("model", ["nothing", "file", "empty"])
def test_no_model_is_exit_3_before_torch_is_imported(here: Path, model: str) -> None:
    (here / "file").write_bytes(b"x")
    (here / "empty").mkdir()
    code = "import sys; from overpaint.cli.app import app\n"
    code += f"try: app(['edit', 'in.png', 'x', '--model', './{model}'])\n"
    code += "except SystemExit as e: print(e.code, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "3 False"
    assert done.stderr.startswith("error: ")
    assert model in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.case("I32")
def test_odd_and_broken_files_through_the_command_line(here: Path) -> None:
    """One command over the whole corpus at strength 0: every file is a picture or a line that says why not."""
    from corpus import broken, corpus

    files = [*corpus().values(), *broken().values()]
    (here / "files").mkdir()
    for number, data in enumerate(files):
        (here / "files" / str(number)).write_bytes(data)
    done = run("edit", *sorted((here / "files").iterdir()), "x", "-s", 0, "-o", "out/", "--json")
    assert done.exit_code == 1
    told = [line for line in lines(done.stdout) if "input" in line]
    assert len(told) == len(files)
    failed = {int(Path(str(line["input"])).name) for line in told if "error" in line}
    assert failed == set(range(len(corpus()), len(files)))
    assert all(line["error"]["type"] == "ImageError" for line in told if "error" in line)  # type: ignore[index]
    for line in told:
        if "file" in line:
            assert decode.load(str(line["file"])).size == (line["width"], line["height"])
