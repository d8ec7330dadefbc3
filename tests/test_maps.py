"""Change maps: strength by the pixel, exactness outside, layers, regions, extension, repeats, and their recipes."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLES, TinyCheckpoints, random_picture
from PIL import Image

from overpaint import Editor, EditRequest, EditResult, ImageError, Layer, ParameterError, RecipeError, decode, images
from overpaint.encode import encode
from overpaint.levels import DiffusionNoise, levels_for
from overpaint.maps.release import Grid, release_of
from overpaint.metadata import read_recipe

PICTURE = random_picture(64, 64)
QUICK: dict[str, Any] = {"steps": 5, "size": "64x64", "seed": 3}


def mask(w: int = 64, h: int = 64, left: int = 20, top: int = 16, width: int = 24, height: int = 30) -> np.ndarray:
    m = np.zeros((h, w), np.float32)
    m[top : top + height, left : left + width] = 1
    return m


def run(editor: Editor, picture: Any = PICTURE, prompt: str = "a lake", **options: Any) -> EditResult:
    return editor.edit(picture, prompt, **{**QUICK, **options})


# ---- maps that come to a number --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["ddim", "euler_a", "dpm++2m", "unipc", "heun"])
@pytest.mark.parametrize(("m", "strength"), [(0.5, 0.6), (0.35, 0.73), (0.1, 1.0), (128 / 255, 0.9)])
def test_a_uniform_map_is_the_number(editor: Editor, sampler: str, m: float, strength: float) -> None:
    """The map as it was written, .35 of .73, is the number .2555, whatever float32 makes of it."""
    from decimal import Decimal

    flat = np.full((64, 64), m, np.float32)
    number = float(Decimal(str(strength)) * Decimal(str(np.float32(m))))
    a = run(editor, sampler=sampler, strength=strength, change_map=flat)
    b = run(editor, sampler=sampler, strength=number)
    assert np.array_equal(a.pixels, b.pixels)
    assert (a.t0, a.steps_run) == (b.t0, b.steps_run)


@pytest.mark.case("M03")
@pytest.mark.parametrize("strength", [0.4, 1.0])
def test_a_white_map_is_no_map(editor: Editor, strength: float) -> None:
    for white in (np.ones((64, 64), np.float32), np.full((64, 64), 255, np.uint8), np.full((30, 20), True)):
        a = run(editor, strength=strength, change_map=white, match=0.5, fill="blur" if strength == 1 else "original")
        assert np.array_equal(a.pixels, run(editor, strength=strength).pixels)


@pytest.mark.case("M02")
def test_a_black_map_is_the_input_without_the_model(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("predict", "encode_text", "encode_picture", "decode"):
        monkeypatch.setattr(editor.model, name, None)
    result = run(editor, change_map=np.zeros((64, 64), np.uint8))
    assert np.array_equal(result.pixels, PICTURE)
    assert (result.network_calls, result.steps_run) == (0, 0)
    assert any("nothing is to be changed" in w for w in result.warnings)


# ---- outside nothing changes -----------------------------------------------------------------------------------------


@pytest.mark.case("M06")
@pytest.mark.parametrize("kind", ["8 bit", "16 bit", "alpha", "16 bit alpha", "odd", "turned"])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_black_pixels_are_the_originals_own(editor: Editor, kind: str, soft: bool, strength: float) -> None:
    w, h = (513, 77) if kind == "odd" else (96, 64)
    picture = random_picture(w, h, channels=4 if "alpha" in kind else 3)
    if "16" in kind:
        picture = picture.astype(np.uint16) * 251 + 3
    source: Any = encode(picture, "PNG")
    if kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        out = io.BytesIO()
        Image.fromarray(picture).save(out, "JPEG", exif=exif, quality=95)
        source = out.getvalue()
    original = decode.load(source).pixels
    h, w = original.shape[:2]
    m = mask(w, h, w // 4, h // 4, w // 3, h // 3)
    if soft:
        m = np.clip(np.linspace(-0.5, 1, w, dtype=np.float32), 0, 1)[None].repeat(h, 0)
    result = run(editor, source, change_map=m, strength=strength, match=1.0, detail=0.3)
    assert result.pixels.dtype == original.dtype
    assert np.array_equal(result.pixels[m == 0], original[m == 0])
    assert not np.array_equal(result.pixels[m == 1], original[m == 1])
    if "alpha" in kind:
        assert np.array_equal(result.pixels[..., 3], original[..., 3])
    again = decode.load(encode(result.pixels, "PNG", [result.recipe])).pixels
    assert np.array_equal(again[m == 0], original[m == 0])


def test_what_lies_under_full_white_has_no_say(editor: Editor) -> None:
    """At local strength 1: two pictures that differ only there give equal pixels, blended edge and detail included."""
    m = mask()
    other = PICTURE.copy()
    other[m == 1] = random_picture(64, 64, seed=9)[m == 1]
    for fill in ("original", "noise", "blur", "colour", "telea"):
        results = [run(editor, p, strength=1, change_map=m, fill=fill, detail=0.5, match=1.0) for p in (PICTURE, other)]
        assert np.array_equal(results[0].pixels, results[1].pixels)
    weaker = [run(editor, p, strength=0.5, change_map=m) for p in (PICTURE, other)]
    assert not np.array_equal(weaker[0].pixels, weaker[1].pixels)


def test_variations_and_sweeps_take_maps(editor: Editor) -> None:
    """Also from an open file, which can be read once; each result equals its edit alone."""
    m = mask()
    options: dict[str, Any] = {"steps": 4, "size": "64x64"}

    def opened() -> io.BytesIO:
        return io.BytesIO(encode((m * 255).astype(np.uint8)[..., None].repeat(3, 2), "PNG"))

    two = editor.variations(PICTURE, "a lake", n=2, seed=5, strength=0.6, change_map=opened(), **options)
    swept = editor.sweep(PICTURE, "a lake", strengths=[0.3, 0.6], seed=6, change_map=opened(), **options)
    alone = editor.edit(PICTURE, "a lake", strength=0.6, seed=6, change_map=m, **options)
    assert np.array_equal(two[1].pixels, alone.pixels)
    assert np.array_equal(swept[1].pixels, alone.pixels)
    noised = editor.noised(PICTURE, [0.5], change_map=m, size="64x64")[0]
    assert np.array_equal(noised.pixels[m == 0], PICTURE[m == 0])


def test_a_map_edit_is_the_same_in_a_crowd(editor: Editor) -> None:
    grey = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(64, 0)
    options = {**QUICK, "strength": 0.8, "sampler": "dpm++2m_sde"}
    requests = [
        EditRequest(PICTURE, "a lake", change_map=grey, **options),
        EditRequest(PICTURE, "a castle", steps=7, size="64x64", seed=1, strength=1),
        EditRequest(PICTURE, "a wood", change_map=mask(), guidance_scale=1, steps=9, size="64x64", seed=2),
        EditRequest(PICTURE, "a hut", steps=3, size="64x96", seed=2, strength=0.3),
    ]
    crowd = {r.index: r for r in editor.edit_many(requests)}
    alone = editor.edit(PICTURE, "a lake", change_map=grey, **options)
    assert isinstance(crowd[0], EditResult)
    assert np.array_equal(crowd[0].pixels, alone.pixels)


def test_maps_of_any_form_are_the_same_map(editor: Editor, tmp_path: Path) -> None:
    m = mask()
    images.save((m * 255).astype(np.uint8)[..., None].repeat(3, 2), tmp_path / "m.png")
    expected = run(editor, change_map=m).pixels
    for form in (tmp_path / "m.png", (m * 255).astype(np.uint8), m > 0, Image.fromarray((m * 255).astype(np.uint8))):
        assert np.array_equal(run(editor, change_map=form).pixels, expected)
    larger = run(editor, change_map=m.repeat(2, 0).repeat(2, 1))
    assert np.array_equal(larger.pixels, expected)
    assert any("128x128" in w and "64x64" in w for w in larger.warnings)
    with pytest.raises(ImageError, match="change_map"):
        run(editor, change_map=m * 2)
    with pytest.raises(ImageError, match="needs a picture"):
        editor.generate("a lake", change_map=m)


# ---- release of cells ------------------------------------------------------------------------------------------------

NOISE = DiffusionNoise([1 - (i + 1) / 1001 for i in range(1000)])


def test_cells_take_the_largest_of_their_footprint() -> None:
    """By hand, for a picture that neither fills its canvas nor is a whole number of cells."""
    rng = np.random.default_rng(0)
    m = rng.random((70, 101)).astype(np.float32)
    grid = Grid(size=(101, 70), inner=(50, 35), working=(64, 48), cell=8)
    most, mean = grid.most(m), grid.mean(m)
    assert most.shape == (6, 8)
    for i in range(6):
        for j in range(8):
            top, left = i * 8 - 6, j * 8 - 7  # the padding before: (48 - 35) // 2, (64 - 50) // 2
            rows = slice(max(int(np.floor(top * 2)), 0), min(int(np.ceil((top + 8) * 2)), 70))
            columns = slice(max(int(np.floor(left * 2.02)), 0), min(int(np.ceil((left + 8) * 2.02)), 101))
            part = m[rows, columns]
            if part.size:
                assert most[i, j] == part.max()
                assert mean[i, j] == pytest.approx(part.mean(), rel=1e-5)
    assert grid.most(np.ones((70, 101), np.float32)).min() == 1


def test_constant_areas_start_at_the_first_level_at_or_below_their_own() -> None:
    levels = levels_for(0.8, 10, "trailing", NOISE)
    cells = np.repeat(np.array([0, 0.001, 0.2, 0.35, 0.799, 0.8]), 3)[None].repeat(3, 0)
    release = release_of(cells, levels, 1000)
    for value, found in zip(cells[1, 1::3], release[1, 1::3], strict=True):
        wanted = max(int(value * 1000 + 0.5), 1) - 1 if value else -1
        expected = next(k for k, t in enumerate([*(level.t for level in levels[:-1]), -1]) if t <= wanted)
        assert found == expected
    assert np.array_equal(release[0], release[1])


def test_long_gradients_show_no_bands() -> None:
    """The share of an edit that is let go, averaged over the width, follows the gradient instead of a staircase."""
    levels = levels_for(0.8, 8, "trailing", NOISE)
    steps = len(levels) - 1
    ramp = np.linspace(0, 0.8, 256)[:, None].repeat(64, 1)
    dithered = release_of(ramp, levels, 1000).mean(axis=1)
    undithered = np.array([release_of(np.full((1, 1), v), levels, 1000)[0, 0] for v in ramp[:, 0]])
    straight = steps * (1 - np.linspace(0, 1, 256))
    banding, without = (np.abs(r[8:-8] - straight[8:-8]).max() for r in (dithered, undithered))
    assert without > 0.9
    assert banding < 0.35


def test_a_map_without_slopes_is_not_dithered() -> None:
    levels = levels_for(0.8, 8, "trailing", NOISE)
    cells = np.zeros((8, 8))
    cells[2:6, 2:6] = 0.37
    release = release_of(cells, levels, 1000)
    assert len(np.unique(release[2:6, 2:6])) == 1
    assert (release[cells == 0] == len(levels) - 1).all()


def test_grey_maps_report_their_levels(editor: Editor) -> None:
    grey = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(64, 0)
    result = run(editor, strength=0.8, change_map=grey)
    assert 2 < result.map_levels <= result.steps_run + 1
    assert run(editor, strength=0.8, change_map=mask()).map_levels == 2
    assert run(editor, strength=0.8).map_levels == 0


# ---- regions ---------------------------------------------------------------------------------------------------------


def test_only_where_it_matters(editor: Editor) -> None:
    """A small mask in a large picture is worked at its own size, and costs what a small picture costs."""
    large = random_picture(900, 600)
    m = mask(900, 600, 400, 300, 60, 40)
    result = editor.edit(large, "a lake", change_map=m, steps=3, size="96x96", seed=1)
    assert result.region is not None
    assert max(result.region.size) < 200
    assert not any("enlarged" in w for w in result.warnings)
    assert np.array_equal(result.pixels[m == 0], large[m == 0])
    assert not np.array_equal(result.pixels[m == 1], large[m == 1])
    whole = editor.edit(large, "a lake", change_map=m, steps=3, size="96x96", seed=1, region="whole")
    assert whole.region is None
    assert np.array_equal(whole.pixels[m == 0], large[m == 0])


def test_the_output_may_have_another_size(editor: Editor) -> None:
    m = mask()
    result = run(editor, change_map=m, output_size=(128, 128))
    assert result.image.size == (128, 128)
    resized = images.resize(PICTURE, (128, 128))
    outside = images.fit_pixels(m[..., None], (128, 128), "crop")[..., 0] < 0.01
    assert np.array_equal(result.pixels[outside], resized[outside])
    assert run(editor, change_map=m, output_size="working", size="32x32").image.size == (32, 32)


# ---- layers ----------------------------------------------------------------------------------------------------------


def test_one_layer_over_white_is_the_plain_edit(editor: Editor) -> None:
    white = np.ones((64, 64), np.float32)
    for strength in (0.5, 1.0):
        layered = run(editor, prompt="ignored", strength=strength, layers=[Layer(white, "a castle")])
        assert np.array_equal(layered.pixels, run(editor, prompt="a castle", strength=strength).pixels)
    weaker = run(editor, prompt="ignored", strength=0.9, layers=[Layer(white, "a castle", 0.5, guidance_scale=2.0)])
    assert np.array_equal(weaker.pixels, run(editor, prompt="a castle", strength=0.5, guidance_scale=2.0).pixels)


def test_layers_differ_where_they_lie(editor: Editor) -> None:
    left = np.zeros((64, 64), np.float32)
    left[:, :32] = 1
    both = run(editor, prompt="night", strength=0.8, layers=[Layer(left, "sunset")])
    night, sunset = run(editor, prompt="night", strength=0.8), run(editor, prompt="sunset", strength=0.8)

    def distance(a: EditResult, b: EditResult, columns: slice) -> float:
        return float(np.abs(a.pixels[:, columns].astype(int) - b.pixels[:, columns]).mean())

    assert distance(both, sunset, slice(0, 16)) < distance(both, night, slice(0, 16))
    assert distance(both, night, slice(48, 64)) < distance(both, sunset, slice(48, 64))
    assert both.network_calls == night.network_calls


def test_layers_may_leave_the_rest_alone(editor: Editor) -> None:
    m = mask()
    result = run(editor, strength=0, layers=[Layer(m, "a castle", 0.7)])
    assert result.t0 == 699
    assert np.array_equal(result.pixels[m == 0], PICTURE[m == 0])
    assert not np.array_equal(result.pixels, PICTURE)
    with pytest.raises(ParameterError, match="strength"):
        Layer(m, "x", 2.0)


# ---- growing, repeating ----------------------------------------------------------------------------------------------


def test_extend_keeps_every_pixel(editor: Editor) -> None:
    result = run(editor, preset="extend", extend=(10, 0, 22, 7))
    assert result.image.size == (96, 71)
    assert np.array_equal(result.pixels[:64, 10:74], PICTURE)
    assert np.array_equal(editor.redo(result.recipe, PICTURE).pixels, result.pixels)
    with pytest.raises(ParameterError, match="extend"):
        run(editor, extend=(1, 2, 3))


def test_repeat_starts_from_the_last_result(editor: Editor) -> None:
    once, twice = run(editor, strength=0.4), run(editor, strength=0.4, repeat=2)
    assert (once.steps_run, twice.steps_run) == (2, 4)
    seen: list[int] = []
    run(editor, strength=0.4, repeat=3, on_step=lambda e: seen.append(e.step * 100 + e.steps))
    assert seen == [106, 206, 306, 406, 506, 606]
    far, near = (np.abs(r.pixels.astype(int) - PICTURE).mean() for r in (twice, once))
    assert far > near
    assert run(editor, strength=1, repeat=3).steps_run == 5
    masked = run(editor, strength=0.4, repeat=3, change_map=mask())
    assert np.array_equal(masked.pixels[mask() == 0], PICTURE[mask() == 0])


# ---- recipes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_painted_edits_are_made_again_from_their_recipe(editor: Editor, kind: str) -> None:
    soft = np.round(np.linspace(0, 1, 64, dtype=np.float32) * 255).astype(np.uint8)[None].repeat(64, 0)
    first = run(editor, change_map=soft, strength=0.7, layers=[Layer(mask(), "a castle", 0.5, 2.0, "rain")])
    recipe = read_recipe(encode(first.pixels, kind, [first.recipe]))
    again = editor.redo(recipe, PICTURE)
    assert np.array_equal(again.pixels, first.pixels)
    assert again.recipe == first.recipe
    stronger = editor.redo(recipe, PICTURE, strength=0.9)
    assert not np.array_equal(stronger.pixels, first.pixels)


def test_a_map_that_is_too_large_is_told_by_its_hash(editor: Editor) -> None:
    m = np.random.default_rng(0).random((700, 700)).astype(np.float32)
    large = random_picture(700, 700)
    result = editor.edit(large, "a lake", change_map=m, steps=1, size="64x64", seed=1)
    assert "deflated" not in result.recipe.as_dict()["change_map"]
    with pytest.raises(RecipeError, match="give it again"):
        editor.redo(result.recipe, large)
    again = editor.redo(result.recipe, large, change_map=m)
    assert np.array_equal(again.pixels, result.pixels)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0},
        {"width": 10**9},
        {"height": 65},
        {"kind": "u3"},
        {"deflated": "!!"},
        {"deflated": "AAAA"},
        {"kind": "f4"},
        {"pixels": 3},
    ],
)
def test_forged_maps_are_refused(editor: Editor, change: dict[str, Any]) -> None:
    recipe = run(editor, change_map=mask()).recipe
    told = recipe.as_dict()
    told["change_map"] |= change
    import json

    from overpaint.recipe import from_json

    with pytest.raises(RecipeError):
        editor.redo(from_json(json.dumps(told))[0], PICTURE)


# ---- other families --------------------------------------------------------------------------------------------------


def test_an_inpainting_network_is_told_the_mask(tiny: TinyCheckpoints) -> None:
    """Equal to diffusers' own pipeline outside of what is composited, through the library; a soft map works on top."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline

    folder = tiny("inpaint")
    pipe = StableDiffusionInpaintPipeline.from_pretrained(folder, safety_checker=None, requires_safety_checker=False)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    pipe.set_progress_bar_config(disable=True)
    m = mask()
    theirs = pipe(
        "a lake",
        image=Image.fromarray(PICTURE),
        mask_image=Image.fromarray((m * 255).astype(np.uint8)),
        height=64,
        width=64,
        strength=0.6,
        num_inference_steps=10,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(3),
        output_type="np",
    ).images[0]
    with Editor(folder, device="cpu", dtype="float32") as editor:
        options: dict[str, Any] = {"steps": 10, "size": "64x64", "seed": 3, "sampler": "ddim", "guidance_scale": 5.0}
        ours = editor.edit(PICTURE, "a lake", strength=0.6, change_map=m, blend=0, **options)
        assert np.abs(ours.pixels[m == 1] / 255 - theirs[m == 1]).max() < 1.5 / 255
        assert np.array_equal(ours.pixels[m == 0], PICTURE[m == 0])
        plain = editor.edit(PICTURE, "a lake", strength=0.6, **options)
        soft = editor.edit(PICTURE, "a lake", strength=0.6, change_map=m * 0.5, **options)
        assert not np.array_equal(plain.pixels, soft.pixels)
        assert editor.generate("a lake", steps=2, size="64x64", seed=1).pixels.shape == (64, 64, 3)


def test_a_model_of_pixels_reads_no_words(tiny: TinyCheckpoints) -> None:
    with Editor(tiny("ddpm"), device="cpu", dtype="float32") as editor:
        side = editor.card.native_size
        picture = random_picture(side, side)
        result = editor.edit(picture, "a lake", strength=0.3, steps=5, guidance_scale=5.0, seed=1)
        assert any("reads no words" in w for w in result.warnings)
        assert np.array_equal(editor.edit(picture, "", strength=0.3, steps=5, seed=1).pixels, result.pixels)
        m = mask(side, side, 2, 2, side // 2, side // 2)
        masked = editor.edit(picture, "", strength=0.5, steps=5, seed=1, change_map=m)
        assert np.array_equal(masked.pixels[m == 0], picture[m == 0])


# ---- looks -----------------------------------------------------------------------------------------------------------


def test_matched_colours_leave_no_seam(editor: Editor) -> None:
    from overpaint.maps.blend import seam

    castle = images.resize(decode.load(EXAMPLES / "castle.jpg").rgb, (128, 128))
    m = mask(128, 128, 40, 70, 40, 40)
    options: dict[str, Any] = {"steps": 12, "size": "128x128", "seed": 3, "strength": 0.6, "change_map": m}
    matched = editor.edit(castle, "a blue lake", match=1.0, **options)
    assert seam(matched.pixels / np.float32(255), m) <= 1.25
