"""``overpaint compare``, run as its users run it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import EXAMPLES, random_picture
from typer.testing import CliRunner, Result

from overpaint import images
from overpaint.cli.app import app
from overpaint.cli.comparing import _COLOUR_WORDS, _WORDS
from overpaint.errors import ModelError
from overpaint.fidelity import BAND_PIXELS, compare


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a photo and a blurred copy of it, and with neither CLIP nor LPIPS."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("overpaint.model_lpips.find_spec", lambda name: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    photo = images.load(EXAMPLES / "castle.jpg").rgb
    images.save(photo, tmp_path / "in.png")
    images.save(cv2.GaussianBlur(photo, (0, 0), 3), tmp_path / "blurred.png")
    images.save(photo.repeat(2, 0).repeat(2, 1), tmp_path / "doubled.png")
    images.save(random_picture(64, 48), tmp_path / "wide.png")
    return tmp_path


def run(*args: object) -> Result:
    return CliRunner().invoke(app, ["compare", *(str(a) for a in args)])


def lines_of(done: Result) -> dict[str, tuple[str, str]]:
    """{measure: (value, words)}"""
    assert done.exit_code == 0, done.output
    return {m[1]: (m[2], m[3]) for m in re.finditer(r"(?m)^ (\d+ px|\w+) +(\S+(?: dB)?)  (.*?) *$", done.stdout)}


def test_the_table_tells_the_librarys_numbers(here: Path) -> None:
    lines = lines_of(run("in.png", "blurred.png"))
    f = compare("in.png", "blurred.png")
    assert list(lines) == [
        *("measure", "structure", "detail", "edges", "colour", "ssim", "psnr"),
        *(f"{pixels} px" for pixels in BAND_PIXELS),
    ]
    for name, value in (("structure", f.structure), ("detail", f.detail), ("edges", f.edges)):
        assert lines[name][0] == f"{value:.2f}"
    assert lines["structure"][1] == "shapes are where they were"
    assert "texture" in lines["detail"][1]
    assert lines["psnr"][0] == f"{f.psnr:.1f} dB"
    assert [lines[f"{p} px"] for p in BAND_PIXELS] == [
        (f"{max(b, 0):.2f}", "#" * round(20 * max(b, 0))) for b in f.bands
    ]


def test_equal_pictures_of_other_resolution(here: Path) -> None:
    done = run("in.png", "in.png")
    assert lines_of(done)["psnr"] == ("inf dB", "equal at the size of the comparison")
    assert lines_of(run("in.png", "doubled.png"))["ssim"] == ("1.000", "can hardly be told apart")


def test_json_is_one_object_without_infinity(here: Path) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is no JSON")

    for after in ("in.png", "blurred.png"):
        done = run("in.png", after, "--json", "--prompt", "a castle")
        assert done.exit_code == 0, done.output
        facts = json.loads(done.stdout, parse_constant=refuse)
        missing = facts.pop("not_measured")
        assert facts == {"before": "in.png", "after": after, "measured_side": 256} | compare("in.png", after).as_dict()
        assert (facts["psnr"] is None) == (after == "in.png")
        assert list(missing) == ["lpips", "clip_score"]
        assert [band["pixels"] for band in facts["bands"]] == list(BAND_PIXELS)


def test_what_is_not_installed_is_a_line_each(here: Path) -> None:
    done = run("in.png", "blurred.png")
    assert "no lpips: LPIPS needs the packages lpips and torchvision" in done.stdout
    assert "clip" not in done.stdout.lower()
    done = run("in.png", "blurred.png", "--prompt", "a castle")
    assert done.exit_code == 0
    assert re.search(r"(?m)^no clip_score: openai/.*`hf download .*` fetches it$", done.stdout)


def test_what_is_installed_is_measured(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def score(picture: images.Picture, prompt: str) -> float:
        asked.append((picture.digest, prompt))
        return 27.26

    monkeypatch.setattr("overpaint.model_lpips.lpips", lambda before, after: 0.1234)
    monkeypatch.setattr("overpaint.model_clip.clip_score", score)
    done = run("in.png", "blurred.png", "--prompt", "a castle")
    assert re.search(r"(?m)^ lpips +0\.123 +how different", done.stdout)
    assert re.search(r"(?m)^ clip score +27\.3 +how well AFTER", done.stdout)
    assert asked == [(images.load("blurred.png").digest, "a castle")]
    facts = json.loads(run("in.png", "blurred.png", "--prompt", "a castle", "--json").stdout)
    assert (facts["lpips"], facts["clip_score"], facts["not_measured"]) == (0.1234, 27.26, {})


def test_a_broken_network_does_not_hide_the_rest(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise ModelError("[red]damaged[/red]")

    monkeypatch.setattr("overpaint.model_lpips.lpips", broken)
    done = run("in.png", "blurred.png")
    assert "no lpips: [red]damaged[/red]" in done.stdout
    assert "structure" in lines_of(done)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("none.png", "in.png"), 1, "error: none.png cannot be read"),
        (("in.png", "wide.png"), 1, "512 x 512 and 64 x 48: they must be of one shape"),
        (("in.png", "in.png", "--prompt", " "), 2, "error: prompt: is empty"),
        (("in.png",), 2, "Missing argument"),
    ],
)
def test_errors(here: Path, args: tuple[str, ...], code: int, words: str) -> None:
    done = run(*args)
    assert done.exit_code == code
    assert words in " ".join(done.stderr.split())
    if code == 1:
        facts = json.loads(run(*args, "--json").stdout)
        assert words.removeprefix("error: ") in facts["error"]["message"]


def test_tiny_and_unlike_pictures(here: Path) -> None:
    images.save(np.zeros((1, 1, 3), np.uint8), here / "dot.png")
    assert lines_of(run("dot.png", "dot.png"))["2 px"] == ("1.00", "#" * 20)
    photo = images.load("in.png").rgb
    images.save(255 - photo, here / "negative.png")
    lines = lines_of(run("in.png", "negative.png"))
    assert lines["64 px"] == ("-1.00", "")
    assert lines["structure"][1] == "another layout"


def test_words_are_ordered() -> None:
    """Of two rows the one that asks for more is looked at first."""
    for words in (*_WORDS.values(), _COLOUR_WORDS):
        bounds = [least for least, _ in words]
        assert bounds == sorted(set(bounds), reverse=True)


def test_torch_stays_out(here: Path) -> None:
    """Comparing takes no network's library where there is none."""
    code = """
import sys
from overpaint.cli.app import app
app(["compare", "in.png", "blurred.png"], standalone_mode=False)
print([m for m in ("torch", "diffusers", "transformers", "lpips", "matplotlib") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
