"""Recipes: what a file says of how it was made, and that it survives, whatever is in it."""

import io
import json
import re
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import random_picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from overpaint import Editor, EditParams, ImageError, Recipe, RecipeError, infotext, read_recipe, read_recipes
from overpaint.encode import encode
from overpaint.fields import PROMPT_MAX, SEED_MAX
from overpaint.levels import SCHEDULES
from overpaint.params import FITS, PRESETS, ResolvedParams
from overpaint.recipe import Input, from_json, plain, to_json
from overpaint.samplers import SAMPLERS

PIXELS = random_picture(16, 12)
KINDS = ("PNG", "JPEG", "WEBP", "TIFF")
HOSTILE = "a\nSteps: 1, Sampler: x, CFG scale: 2, Seed: 3\nNegative prompt: <!DOCTYPE x> & \"'\\ ]]> </rdf:RDF> {}"
SIZES = st.builds(lambda w, h: f"{w}x{h}", st.integers(1, 16384), st.integers(1, 16384))


def legal(char: str) -> bool:
    try:
        EditParams(prompt=char)
    except ValueError:
        return False
    return True


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\t\n\r"), max_size=80)
PARAMS = st.builds(
    ResolvedParams,
    prompt=TEXT | st.just(HOSTILE),
    negative_prompt=TEXT,
    strength=st.floats(0, 1),
    steps=st.integers(1, 1000),
    guidance_scale=st.floats(1, 50),
    sampler=st.sampled_from(SAMPLERS),
    schedule=st.sampled_from(SCHEDULES),
    seed=st.integers(0, SEED_MAX),
    variation=st.builds(lambda seed, amount: f"{seed},{amount!r}", st.integers(0, SEED_MAX), st.floats(0, 1)),
    size=SIZES,
    output_size=SIZES,
    fit=st.sampled_from(FITS),
    detail=st.floats(0, 1),
    preset=st.sampled_from(PRESETS) | st.none(),
)
RECIPES = st.builds(
    Recipe,
    params=PARAMS,
    makes=st.sampled_from(("edit", "noised")),
    model=st.sampled_from(("embedded", 'a "model", of: mine')),
    model_hash=st.just("0123456789abcdef" * 4),
    input=st.builds(Input, st.just("f" * 64), st.integers(1, 16384), st.integers(1, 16384)) | st.none(),
    made_with=st.just({"overpaint": "0.1.0", "rows": [2], "threads": 2, "guidance_rescale": 0.7}),
)


def recipe_of(**values: Any) -> Recipe:
    whole = {
        "prompt": "a lake",
        "negative_prompt": "",
        "strength": 0.6,
        "steps": 30,
        "guidance_scale": 3.0,
        "sampler": "dpm++2m",
        "schedule": "karras",
        "seed": 7,
        "variation": "0,0",
        "size": "64x64",
        "output_size": "16x12",
        "fit": "crop",
        "detail": 0.0,
    }
    return Recipe(ResolvedParams(**{**whole, **values}), input=Input("a" * 64, 16, 12), model="embedded")


@given(RECIPES)
def test_every_parameter_survives_the_json(recipe: Recipe) -> None:
    assert from_json(to_json([recipe])) == [as_read(recipe)]


def as_read(recipe: Recipe) -> Recipe:
    """A recipe as it comes back: its parameters are no longer known to be resolved."""
    values = {name: getattr(recipe.params, name) for name in EditParams.__dataclass_fields__}
    return Recipe(
        EditParams(**values), recipe.makes, recipe.model, recipe.model_hash, recipe.input, dict(recipe.made_with)
    )


@pytest.mark.case("P03")
@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_survives_the_file(kind: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(RECIPES)
    def survives(recipe: Recipe) -> None:
        assert read_recipe(encode(PIXELS, kind, [recipe])) == as_read(recipe)

    survives()


@pytest.mark.case("P02", "P03", "P04")
@pytest.mark.parametrize("char", ["\uffff", "\U0001f3a8", "&", '"', "夜", "\u202e", "\U000e0001"])
def test_the_longest_prompts_fit_into_every_format(char: str) -> None:
    assert legal(char)
    recipe = recipe_of(prompt=char * PROMPT_MAX, negative_prompt=char * PROMPT_MAX)
    for kind in KINDS:
        assert read_recipe(encode(PIXELS, kind, [recipe])) == as_read(recipe)
    pixels16 = PIXELS.astype(np.uint16) * 257
    for kind in ("PNG", "TIFF"):
        assert read_recipe(encode(pixels16, kind, [recipe])) == as_read(recipe)


@pytest.mark.parametrize("text", ["été 🎨 夜", "👩‍👩‍👧 ZWJ", "مرحبا", "a\u0301 combining"])
@pytest.mark.case("P03")
def test_words_of_any_script_come_back(text: str) -> None:
    for kind in KINDS:
        assert read_recipe(encode(PIXELS, kind, [recipe_of(prompt=text)])).params.prompt == text


@pytest.mark.parametrize("kind", KINDS)
def test_tagged_files_hold_the_same_picture(kind: str) -> None:
    for pixels in (PIXELS, random_picture(16, 12, channels=4)):
        plain_file, tagged = (Image.open(io.BytesIO(encode(pixels, kind, r))) for r in ([], [recipe_of()]))
        assert np.array_equal(np.asarray(plain_file), np.asarray(tagged))


def test_deep_files_hold_the_same_picture() -> None:
    import cv2

    deep = np.arange(12 * 16 * 4, dtype=np.uint16).reshape(12, 16, 4) * 85
    for kind in ("PNG", "TIFF"):
        data = np.frombuffer(encode(deep, kind, [recipe_of()]), np.uint8)
        assert np.array_equal(cv2.imdecode(data, cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]], deep)


def test_a_sheet_holds_the_recipes_of_its_edits() -> None:
    recipes = [recipe_of(strength=s) for s in (0.2, 0.4, 0.6)]
    for kind in KINDS:
        sheet = encode(PIXELS, kind, recipes)
        assert read_recipes(sheet) == [as_read(r) for r in recipes]
        with pytest.raises(RecipeError, match="sheet of 3 edits"):
            read_recipe(sheet)


# ---- what other tools find -------------------------------------------------------------------------------------------

THEIRS = (
    "a lake\nSteps: 30, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 3, Seed: 7, Size: 16x12, Model: embedded, "
    "Denoising strength: 0.6, Version: Overpaint"
)


def test_other_tools_find_the_parameters_text() -> None:
    png = Image.open(io.BytesIO(encode(PIXELS, "PNG", [recipe_of()])))
    assert png.info["parameters"] == THEIRS
    for kind in ("JPEG", "WEBP"):
        exif = Image.open(io.BytesIO(encode(PIXELS, kind, [recipe_of()]))).getexif()
        comment = exif.get_ifd(0x8769)[0x9286]
        # as piexif reads it for AUTOMATIC1111: the name of the code, then UTF-16, big-endian
        assert comment[:8] == b"UNICODE\0"
        assert comment[8:].decode("utf-16-be") == THEIRS
    tiff = Image.open(io.BytesIO(encode(PIXELS, "TIFF", [recipe_of()])))
    assert tiff.tag_v2[270] == THEIRS  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "compositeWithTrainedAlgorithmicMedia"),
        ({"strength": 1}, "/trainedAlgorithmicMedia"),
        ({"strength": 0}, ""),
    ],
)
def test_digital_source_type(kind: str, changes: dict[str, Any], word: str) -> None:
    data = encode(PIXELS, kind, [recipe_of(**changes)])
    found = re.search(rb"DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype(/\w+)<", data)
    assert (found is None) == (word == "")
    assert found is None or found[1].decode().endswith(word)


def test_what_only_tells_the_parameters_text_is_read_too() -> None:
    """A file whose XMP another program threw away; and AUTOMATIC1111's own PNG."""
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", THEIRS)
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG", pnginfo=info)
    read = read_recipe(out.getvalue()).params
    assert (read.prompt, read.steps, read.sampler, read.schedule) == ("a lake", 30, "dpm++2m", "karras")
    assert (read.guidance_scale, read.seed, read.size, read.strength) == (3.0, 7, "16x12", 0.6)
    jpeg = Image.open(io.BytesIO(encode(PIXELS, "JPEG", [recipe_of()])))
    out = io.BytesIO()
    jpeg.save(out, "JPEG", exif=jpeg.getexif())
    assert read_recipe(out.getvalue()).params == read


def test_text_behind_the_pixels_is_found() -> None:
    data = encode(PIXELS, "PNG")
    body = b"parameters\0" + THEIRS.encode()
    out = io.BytesIO()
    PngImagePlugin.putchunk(out, b"tEXt", body)
    moved = data[:-12] + out.getvalue() + data[-12:]
    assert read_recipe(moved).params.seed == 7


@pytest.mark.parametrize(
    ("text", "expected", "notes"),
    [
        (
            "photo of a (cat:1.2)\nin a hat\nNegative prompt: blurry,\nugly\nSteps: 20, Sampler: DPM++ 2M Karras, "
            'CFG scale: 7, Seed: 965400086, Size: 512x768, Model hash: 6ce0161689, Model: "v1-5, pruned", '
            "Denoising strength: 0.75, Clip skip: 2, ENSD: 31337, Version: v1.6.0",
            {
                "prompt": "photo of a (cat:1.2)\nin a hat",
                "negative_prompt": "blurry,\nugly",
                "sampler": "dpm++2m",
                "schedule": "karras",
                "seed": 965400086,
                "size": "512x768",
                "strength": 0.75,
                "guidance_scale": 7.0,
            },
            ["not used here: Clip skip, ENSD"],
        ),
        (
            "x\nSteps: 4, Sampler: Restart, Schedule type: Turbo, CFG scale: 0.5, Seed: 1",
            {"steps": 4, "sampler": None, "schedule": None, "guidance_scale": None},
            ["CFG scale '0.5' is not used", "Sampler 'Restart' is not known", "Schedule type 'Turbo' is not known"],
        ),
        (
            "x\nSteps: 8, Sampler: Euler a, Schedule type: Automatic, CFG scale: 2, Seed: 1",
            {"sampler": "euler_a", "schedule": None},
            [],
        ),
        ("only a prompt, with: one colon", {"prompt": "only a prompt, with: one colon", "steps": None}, []),
        ("Negative prompt: bad\nSteps: 2, CFG scale: 3, Seed: 4", {"prompt": "", "negative_prompt": "bad"}, []),
    ],
)
def test_texts_of_automatic1111(text: str, expected: dict[str, Any], notes: list[str]) -> None:
    recipe = infotext.read(text)
    assert {name: getattr(recipe.params, name) for name in expected} == expected
    assert len(recipe.notes) == len(notes)
    assert all(note in told for note, told in zip(notes, recipe.notes, strict=True))


@given(PARAMS, st.sampled_from(("embedded", 'a "model", of: mine')))
def test_our_parameters_text_says_what_the_recipe_says(params: ResolvedParams, model: str) -> None:
    """Of a one-line prompt; numbers as they are shown, and the two names of one schedule are one."""
    one_line = ResolvedParams(**{**vars(params), "prompt": "a castle, by: a lake", "negative_prompt": "rain"})
    read = infotext.read(infotext.write(Recipe(one_line, model=model)))
    assert (read.params.prompt, read.params.negative_prompt, read.model) == ("a castle, by: a lake", "rain", model)
    assert (read.params.steps, read.params.seed, read.params.sampler) == (params.steps, params.seed, params.sampler)
    assert read.params.size == params.output_size
    assert read.params.strength == pytest.approx(params.strength, rel=1e-5)
    assert {read.params.schedule, params.schedule} in ({params.schedule}, {"trailing", "sgm_uniform"})
    assert read.notes == ()


# ---- hostile and broken metadata -------------------------------------------------------------------------------------


def png_with(**texts: str | bytes) -> bytes:
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        info.add_itxt(name, text)
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def changed(**values: Any) -> str:
    return json.dumps({**json.loads(to_json([recipe_of()])), **values})


@pytest.mark.case("Q10")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 200_000,
        '{"params": ' * 100_000,
        changed(overpaint=2),
        changed(overpaint="\x1b[31m"),
        changed(makes="coffee"),
        changed(makes="sheet"),
        changed(makes="sheet", edits=[]),
        changed(makes="sheet", edits=[3]),
        changed(params=None),
        changed(params={"prompt": "x", "__class__": "y"}),
        changed(params={"strength": float("nan")}),
        changed(params={"strength": "0.5"}),
        changed(params={"prompt": "a\x00b"}),
        changed(params={"prompt": "\ud800"}),
        changed(params={"prompt": "x" * (PROMPT_MAX + 1)}),
        changed(params={"seed": 2**60}),
        '{"overpaint": 1, "makes": "edit", "params": {"seed": ' + "9" * 5000 + "}}",
        changed(input={"pixels": "f" * 63, "width": 1, "height": 1}),
        changed(input={"pixels": "f" * 64, "width": True, "height": 1}),
        changed(input=[1]),
    ],
    ids=lambda text: text[:40].encode("unicode_escape").decode(),
)
def test_a_broken_recipe_is_an_error_that_says_so(text: str) -> None:
    with pytest.raises(RecipeError, match=r": its (recipe|sheet|metadata)"):
        read_recipe(png_with(overpaint=text))


def test_hostile_names_are_data() -> None:
    """Names, versions and hashes are shown, never used as they are."""
    text = changed(
        model={"name": "\x1b]0;x\x07" + "a" * 1000, "hash": "../../etc/passwd"},
        made_with={"threads\x1b": "2\n3", "deep": [[1]], "object": {}, "rows": [2], "big": list(range(1000))},
    )
    recipe = read_recipe(png_with(overpaint=text))
    assert recipe.model is not None
    assert "\x1b" not in recipe.model
    assert len(recipe.model) < 400
    assert recipe.model_hash is None
    assert recipe.made_with == {"threads\\x1b": "2 3", "rows": [2]}
    assert plain("a\u202eb\x9b") == "a\\u202eb\\x9b"


def test_entities_are_never_expanded() -> None:
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    packet = (
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><x xmlns:o="urn:x-overpaint:recipe:1"><o:recipe>&l9;</o:recipe></x>'
    )
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "JPEG", xmp=packet.encode())
    with pytest.raises(RecipeError, match="declares entities"):
        read_recipe(out.getvalue())
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "JPEG", xmp=b"<x urn:x-overpaint:recipe:1")
    with pytest.raises(RecipeError, match="not XML"):
        read_recipe(out.getvalue())


@pytest.mark.parametrize(
    "parameters",
    [
        "x\nSteps: " + "9" * 100_000 + ", a: b, c: d",
        'x\na: "' + '\\"' * 100_000,
        "Negative prompt:" * 50_000,
        "," * 200_000,
    ],
)
def test_hostile_parameters_texts_end_quickly(parameters: str) -> None:
    started = time.perf_counter()
    with suppress(RecipeError):
        assert infotext.read(parameters).params.steps is None
    assert time.perf_counter() - started < 5


@given(st.text(max_size=300), st.binary(max_size=300))
def test_any_text_is_a_recipe_or_an_error(text: str, data: bytes) -> None:
    for make in (from_json, infotext.read, lambda t: read_recipes(png_with(overpaint=data, parameters=data))):
        with suppress(RecipeError):
            make(text)


def test_what_is_no_picture_and_what_has_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="holds no recipe"):
        read_recipe(encode(PIXELS, "PNG"))
    with pytest.raises(ImageError):
        read_recipe(b"not a picture")
    with pytest.raises(ImageError, match=r"none\.png"):
        read_recipe(tmp_path / "none.png")


def test_a_sheet_too_large_for_a_jpeg_is_written_without_its_recipes() -> None:
    recipes = [recipe_of(prompt="夜" * PROMPT_MAX) for _ in range(6)]
    with pytest.raises(RecipeError, match="no recipe"):
        read_recipes(encode(PIXELS, "JPEG", recipes))
    assert len(read_recipes(encode(PIXELS, "PNG", recipes))) == 6


# ---- of real edits ---------------------------------------------------------------------------------------------------

QUICK: dict[str, Any] = {"steps": 4, "size": "64x64", "seed": 3, "strength": 0.5}


@pytest.mark.parametrize("kind", KINDS)
def test_equal_edits_are_equal_files(editor: Editor, tmp_path: Path, kind: str) -> None:
    """From an array or a file of any name, at any time: no time, no path, no host."""
    source = tmp_path / "some" / "where.png"
    source.parent.mkdir()
    Image.fromarray(PIXELS).save(source)
    a, b = (encode(r.pixels, kind, [r.recipe]) for r in (editor.edit(x, "a lake", **QUICK) for x in (PIXELS, source)))
    assert a == b
    other = editor.edit(PIXELS, "a lake", **{**QUICK, "seed": 4})
    assert encode(other.pixels, kind, [other.recipe]) != a


def test_a_recipe_tells_all_that_decides_the_bytes(editor: Editor) -> None:
    recipe = editor.edit(PIXELS, "a lake", **QUICK).recipe
    assert recipe.params.seed == 3
    assert (recipe.model, recipe.model_hash) == ("embedded", editor.model.hash)
    assert recipe.input is not None
    assert recipe.input.size == (16, 12)
    told = recipe.made_with
    assert {"overpaint", "torch", "diffusers", "transformers", "device", "dtype", "rows", "threads"} <= set(told)
    assert (told["dtype"], told["rows"]) == ("float32", [2])
    deep = editor.edit(PIXELS.astype(np.uint16) * 257, "a lake", **QUICK).recipe
    assert deep.input is not None
    assert deep.input.pixels != recipe.input.pixels


def test_redo_makes_the_same_picture_again(editor: Editor, tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "in.png")
    first = editor.edit(tmp_path / "in.png", "a lake", detail=0.3, **QUICK)
    saved = tmp_path / "results" / "out.jpg"
    first.save(saved)
    (tmp_path / "in.png").rename(tmp_path / "renamed.png")
    (tmp_path / "another.png").write_bytes(encode(random_picture(16, 12, seed=5), "PNG"))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    again = editor.redo(saved)  # the input is found one folder up, by its pixels
    assert np.array_equal(again.pixels, first.pixels)
    assert again.recipe == first.recipe
    stronger = editor.redo(saved, strength=0.8)
    assert stronger.params.strength == 0.8
    assert stronger.params.seed == 3
    expected = editor.edit(PIXELS, "a lake", detail=0.3, **{**QUICK, "strength": 0.8})
    assert np.array_equal(stronger.pixels, expected.pixels)
    (tmp_path / "photos").mkdir()
    (tmp_path / "renamed.png").rename(tmp_path / "photos" / "renamed.png")  # or in a folder beside that of the results
    assert np.array_equal(editor.redo(saved).pixels, first.pixels)
    (tmp_path / "photos" / "renamed.png").unlink()
    with pytest.raises(RecipeError, match="16x12, is not found"):
        editor.redo(saved)


def test_redo_on_another_picture_keeps_its_size(editor: Editor) -> None:
    recipe = editor.edit(PIXELS, "a lake", **QUICK).recipe
    assert editor.redo(recipe, random_picture(40, 20)).image.size == (40, 20)
    sized = editor.edit(PIXELS, "a lake", output_size="30x30", **QUICK).recipe
    assert editor.redo(sized, random_picture(40, 20)).image.size == (30, 30)


def test_redo_of_a_noised_and_of_a_generated_picture(editor: Editor, tmp_path: Path) -> None:
    (noised,) = editor.noised(PIXELS, [0.4], size="64x64")
    assert noised.recipe.makes == "noised"
    assert np.array_equal(editor.redo(noised.recipe, PIXELS).pixels, noised.pixels)
    made = editor.generate("a lake", steps=2, size="64x64", seed=1)
    made.save(tmp_path / "made.png")
    assert np.array_equal(editor.redo(tmp_path / "made.png").pixels, made.pixels)


def test_another_preset_decides_anew(editor: Editor) -> None:
    recipe = editor.edit(PIXELS, "a lake", preset="tweak", **{**QUICK, "strength": None}).recipe
    assert (recipe.params.strength, recipe.params.detail) == (0.25, 0.95)
    style = recipe.changed(preset="style")
    assert (style.strength, style.detail, style.seed) == (None, None, 3)
    assert recipe.changed(preset="style", strength=0.4).strength == 0.4
    with pytest.raises(TypeError, match="stength"):
        recipe.changed(stength=0.4)


@pytest.mark.case("I20", "I26")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strength", [0, 0.5])
def test_nothing_of_the_inputs_metadata_is_carried_over(editor: Editor, kind: str, strength: float) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRETMAKER"
    exif[0x8769] = {0xA431: "SECRETSERIAL"}
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.6), 29: "SECRETDATE"}
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "JPEG", exif=exif, comment=b"SECRETCOMMENT", xmp=b"<x>SECRETXMP</x>")
    source = out.getvalue() + b"PK\x03\x04SECRETZIP"
    assert source.count(b"SECRET") >= 5
    result = editor.edit(source, "a lake", **{**QUICK, "strength": strength})
    written = encode(result.pixels, kind, [result.recipe])
    assert b"SECRET" not in written
    assert 0x8825 not in Image.open(io.BytesIO(written)).getexif()


def test_chunk_order_is_legal() -> None:
    """Text stands between IHDR and IDAT, for 8 and 16 bits; every chunk's checksum is right."""
    import zlib

    check: Callable[[bytes], int] = zlib.crc32
    for pixels in (PIXELS, PIXELS.astype(np.uint16) * 257):
        data, names, place = encode(pixels, "PNG", [recipe_of()]), [], 8
        while place < len(data):
            (length,) = struct.unpack_from(">I", data, place)
            names.append(data[place + 4 : place + 8])
            body = data[place + 4 : place + 8 + length]
            assert struct.unpack_from(">I", data, place + 8 + length)[0] == check(body)
            place += 12 + length
        assert names[0] == b"IHDR"
        assert names[1:4] == [b"tEXt", b"iTXt", b"iTXt"]
        assert names[-1] == b"IEND"
