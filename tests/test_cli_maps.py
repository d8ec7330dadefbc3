"""Maps, masks, tools, layers and growing on the command line: the same pixels as the library's."""

from pathlib import Path

import numpy as np
import pytest
from conftest import random_picture
from test_cli import QUICK, here, pixels_of, run
from test_cli_files import lines

from overpaint import Editor, Layer, images, read_recipe
from overpaint.maps import TOOLS

__all__ = ["here"]  # a fixture
SAME = {"steps": 4, "size": "64x48", "seed": 3, "strength": 0.5}


def grey(m: np.ndarray, path: Path | str) -> None:
    images.save((m * 255).astype(np.uint8)[..., None].repeat(3, 2), path)


def box(x: int, y: int, w: int, h: int) -> np.ndarray:
    m = np.zeros((48, 64), np.float32)
    m[y : y + h, x : x + w] = 1
    return m


def test_map_mask_and_box_are_one(here: Path, editor: Editor) -> None:
    grey(box(10, 8, 20, 16), "m.png")
    expected = editor.edit("in.png", "a lake", change_map=box(10, 8, 20, 16), **SAME).pixels
    for number, options in enumerate(
        [("--map", "m.png"), ("--mask", "m.png"), ("--box", "10,8,20,16"), ("--tool", "box:10,8,20,16")]
    ):
        assert run("edit", "in.png", "a lake", "-o", f"{number}.png", *options, *QUICK).exit_code == 0
        assert np.array_equal(pixels_of(f"{number}.png"), expected)
    before = pixels_of("in.png")
    assert np.array_equal(expected[box(10, 8, 20, 16) == 0], before[box(10, 8, 20, 16) == 0])


def test_a_mask_is_hard_and_a_map_is_not(here: Path, editor: Editor) -> None:
    soft = np.round(np.linspace(0, 1, 64, dtype=np.float32) * 255)[None].repeat(48, 0) / np.float32(255)
    grey(soft, "m.png")
    holes = np.uint8(np.round((1 - soft) * 255))
    images.save(np.dstack([np.zeros((48, 64, 3), np.uint8), holes]), "holes.png")
    for options, m in (
        (("--mask", "m.png"), (soft >= 0.5).astype(np.float32)),
        (("--mask", "m.png", "--soft"), soft),
        (("--map", "m.png"), soft),
        (("--mask", "holes.png", "--mask-by", "transparency"), (soft >= 0.5).astype(np.float32)),
    ):
        assert run("edit", "in.png", "a lake", "-o", "out.png", *options, *QUICK).exit_code == 0
        assert np.array_equal(pixels_of("out.png"), editor.edit("in.png", "a lake", change_map=m, **SAME).pixels)


def test_tools_are_used_in_their_order(here: Path, editor: Editor) -> None:
    args = ("--box", "20,16,10,10", "--tool", "grow:4", "--tool", "without:box:0,0,64,20", "--tool", "invert")
    assert run("edit", "in.png", "a lake", "-o", "out.png", *args, *QUICK).exit_code == 0
    from overpaint.decode import load
    from overpaint.maps import apply_tool

    m, picture = None, load("in.png")
    for text in ("box:20,16,10,10", "grow:4", "without:box:0,0,64,20", "invert"):
        m = apply_tool(m, picture, text)
    assert np.array_equal(pixels_of("out.png"), editor.edit("in.png", "a lake", change_map=m, **SAME).pixels)


def test_several_pictures_with_one_select(here: Path) -> None:
    """What a point lies on is found in each picture; one whose size the point does not fit fails alone."""
    images.save(random_picture(64, 48, seed=4), here / "b.png")
    images.save(random_picture(16, 16, seed=5), here / "tiny.png")
    done = run("edit", "in.png", "tiny.png", "b.png", "x", "-o", "out/", "--select", "30,20", *QUICK, "--json")
    assert done.exit_code == 1
    told = {str(line["input"]): line for line in lines(done.stdout)}
    assert "error" in told["tiny.png"]
    assert {p.name for p in (here / "out").iterdir()} == {"in.png", "b.png"}


def test_what_differs_from_another_picture(here: Path) -> None:
    painted = pixels_of("in.png").copy()
    painted[10:20, 20:40] = (200, 30, 30)
    images.save(painted, "painted.png")
    args = ("--changed-from", "in.png")
    assert run("edit", "painted.png", "a red boat on a lake", "-o", "out.png", *args, *QUICK).exit_code == 0
    out, outside = pixels_of("out.png"), (painted == pixels_of("in.png")).all(axis=2)
    assert np.array_equal(out[outside], painted[outside])
    assert not np.array_equal(out, painted)


def test_what_a_scribble_lies_on(here: Path, editor: Editor) -> None:
    from overpaint.decode import load
    from overpaint.maps import select_scribble

    strokes = box(20, 10, 12, 3)
    grey(strokes, "strokes.png")
    assert run("edit", "in.png", "x", "-o", "out.png", "--scribble", "strokes.png", *QUICK).exit_code == 0
    m = select_scribble(load("in.png"), strokes)
    assert np.array_equal(pixels_of("out.png"), editor.edit("in.png", "x", change_map=m, **SAME).pixels)


def test_layers(here: Path, editor: Editor) -> None:
    left = box(0, 0, 32, 48)
    grey(left, "left.png")
    args = ("--layer", "left.png:sunset: red clouds:.8", "--layer", "left.png:a castle")
    assert run("edit", "in.png", "night", "-o", "out.png", *args, *QUICK).exit_code == 0
    layers = [Layer(left, "sunset: red clouds", 0.8), Layer(left, "a castle")]
    assert np.array_equal(pixels_of("out.png"), editor.edit("in.png", "night", layers=layers, **SAME).pixels)
    assert run("edit", "in.png", "x", "--layer", "left.png").exit_code == 2
    assert run("edit", "in.png", "x", "--layer", "left.png:x:7").exit_code == 2


def test_redo_repeats_a_painted_edit(here: Path) -> None:
    grey(box(10, 8, 20, 16), "m.png")
    args = ("--map", "m.png", "--layer", "m.png:a castle:.9", "--tool", "feather:6")
    assert run("edit", "in.png", "a lake", "-o", "first.png", *args, *QUICK).exit_code == 0
    (here / "m.png").unlink()
    assert "the same as first.png, byte for byte" in run("redo", "first.png").output
    assert "change_map" in run("recipe", "first.png").output
    assert run("redo", "first.png", "--set", "strength=.9", "-o", "second.png").exit_code == 0
    assert read_recipe("second.png").maps == read_recipe("first.png").maps


def test_extend(here: Path) -> None:
    args = ("--left", 8, "--bottom", 16, "--steps", 4, "--size", "64x64", "--seed", 3)
    done = run("extend", "in.png", "a lake", "-o", "out.png", *args)
    assert done.exit_code == 0, done.output
    out = pixels_of("out.png")
    assert out.shape == (64, 72, 3)
    assert np.array_equal(out[:48, 8:], pixels_of("in.png"))
    assert "the same as out.png, byte for byte" in run("redo", "out.png").output
    assert run("extend", "in.png", "a lake").exit_code == 2
    assert run("extend", "in.png", "a lake", "--left", -1).exit_code == 2


def test_a_map_is_never_written_over(here: Path) -> None:
    grey(box(10, 8, 20, 16), "m.png")
    before = Path("m.png").read_bytes()
    for args in (("--map", "m.png"), ("--layer", "m.png:a castle")):
        assert run("edit", "in.png", "x", "-o", "m.png", *args, *QUICK).exit_code == 2
    assert run("sweep", "in.png", "x", "-o", "m.png", "--map", "m.png").exit_code == 2
    assert Path("m.png").read_bytes() == before


def test_tools_are_listed(here: Path) -> None:
    shown = run("tools").output
    assert all(tool.name in shown for tool in TOOLS)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--map", "none.png"), 1, "map: none.png cannot be read"),
        (("--mask", "broken.png"), 1, "mask: broken.png is"),
        (("--tool", "grow:4"), 2, "has no map to change"),
        (("--tool", "paint:4"), 2, "is unknown, known are box"),
        (("--tool", "sam:3,4"), 3, "hf download facebook/sam-vit-base"),
        (("--box", "1,2,3"), 2, "must be of the form box:x,y,w,h"),
        (("--fill", "sand"), 2, "must be one of original, noise"),
        (("--region", "half"), 2, "must be one of auto, whole, mask"),
        (("--extend", "1,2"), 2, "must be LEFT,TOP,RIGHT,BOTTOM"),
        (("--repeat", "0"), 2, "repeat: is 0, must be from 1 to 20"),
        (("--match", "2"), 2, "match: is 2.0, must be from 0 to 1"),
    ],
)
def test_what_is_wrong_with_a_map_is_told(here: Path, args: tuple[str, ...], code: int, words: str) -> None:
    (here / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = run("edit", "in.png", "x", "-o", "out.png", *args, *QUICK)
    assert done.exit_code == code, done.output
    assert words in " ".join(done.output.split())
    assert not (here / "out.png").exists()


def test_notes_on_a_map_are_told_once_and_before_what_is_wrong(here: Path) -> None:
    grey(np.ones((24, 32), np.float32), "small.png")
    note = "note: map: it is 32x24, the picture 64x48: it is resized"
    for more, code, after in ((("--tool", "paint:4"), 2, "is unknown"), (("--layer", "small.png"), 2, "must be MAP")):
        done = run("edit", "in.png", "x", "-o", "out.png", "--map", "small.png", *more, *QUICK)
        said = " ".join(done.output.split())
        assert done.exit_code == code
        assert said.count(note) == 1
        assert said.index(note) < said.index(after)
    done = run("edit", "in.png", "x", "-o", "out.png", "--map", "small.png", *QUICK)
    assert done.exit_code == 0
    assert " ".join(done.output.split()).count(note) == 1
