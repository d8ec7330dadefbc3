"""Large pictures: windows that cover, weights that sum to one, the same edit as without windows, and no seams."""

import threading
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from conftest import EXAMPLES, TinyCheckpoints, random_picture
from hypothesis import given
from hypothesis import strategies as st
from test_pointwise import MapEdit, Mixing, Pointwise, crowd, run
from torch import Tensor

from overpaint import decode, images, model_codecs, windows
from overpaint.card import Card
from overpaint.editor import Editor
from overpaint.engine import Engine
from overpaint.errors import EditCancelled, ParameterError
from overpaint.job import Started
from overpaint.maps.changemap import Pixels
from overpaint.model import DiffusionModel
from overpaint.model_codecs import VaeCodec
from overpaint.prepare import prepare
from overpaint.request import EditRequest
from overpaint.result import EditResult
from overpaint.windows import OVERLAP, Windows, seam_figure, starts, window_size

# ---- geometry --------------------------------------------------------------------------------------------------------


@given(st.integers(1, 600), st.integers(1, 96))
def test_windows_cover_and_overlap_enough(spare: int, side: int) -> None:
    length = side + spare
    begins = starts(length, side)
    assert (begins[0], begins[-1]) == (0, spare)
    steps = np.diff(begins)
    assert steps.min() >= 1
    assert steps.max() <= max(1, side - side * OVERLAP)
    assert steps.max() - steps.min() <= 1
    if len(begins) > 2:  # one window less would not do
        assert -(-spare // (len(begins) - 2)) > side * (1 - OVERLAP)


@given(st.tuples(st.integers(1, 150), st.integers(1, 150)), st.tuples(st.integers(1, 48), st.integers(1, 48)))
def test_weights_sum_to_exactly_one_in_every_cell(shape: tuple[int, int], size: tuple[int, int]) -> None:
    size = min(size[0], shape[0]), min(size[1], shape[1])
    covering = Windows.over(shape, size)
    total = torch.zeros(1, 1, *shape)
    for i in range(len(covering)):
        assert covering.weight(i).min() >= 0
        covering.lay(torch.ones(1, 1, *size), i, total)
    assert torch.equal(total, torch.ones(1, 1, *shape))


def test_weights_fade_towards_a_border_that_is_not_the_latents_own() -> None:
    across = Windows.over((24, 60), (24, 24)).across
    assert across.shape == (3, 24)
    first, middle, last = across
    assert torch.equal(first[:18], torch.ones(18))
    assert (first[18:].diff() < 0).all()
    assert first[-1] < 0.05
    assert middle[0] < 0.05
    assert torch.equal(middle[6:18], torch.ones(12))
    assert torch.equal(last, first.flip(0))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((100, 100), (48, 48)),
        ((49, 300), (48, 48)),
        ((300, 12), (192, 12)),  # long and thin: the area of the square
        ((12, 200), (12, 192)),
        ((7, 5000), (7, 328)),
        ((1, 90000), (1, 2304)),
    ],
)
def test_windows_of_narrow_latents_take_their_width(shape: tuple[int, int], size: tuple[int, int]) -> None:
    assert window_size(shape, 48, 4) == size
    assert size[0] * size[1] <= 48 * 48


def test_a_card_says_how_much_is_seen_at_once() -> None:
    assert Card("x", native_size=512, buckets=((512, 512), (704, 384))).largest_area == 4 * 704 * 384
    assert Card("x", native_size=512, largest_area=512 * 768).largest_area == 512 * 768
    with pytest.raises(ValueError, match="largest_area"):
        Card("x", native_size=512, largest_area=511 * 512)


# ---- the same edit as without windows --------------------------------------------------------------------------------


@dataclass(eq=False)
class Windowed(MapEdit):
    """The same edit, seen in windows."""

    size: tuple[int, int] = (4, 5)

    def start(self, model: DiffusionModel) -> Started:
        h, w = self.release.shape
        return replace(super().start(model), windows=Windows.over((h, w), self.size))


def windowed(edit: MapEdit) -> Windowed:
    return Windowed(**{f.name: getattr(edit, f.name) for f in fields(MapEdit) if f.init})


@pytest.mark.parametrize("kind", ["diffusion", "flow"])
def test_with_a_network_that_sees_single_cells_windows_change_nothing(kind: str) -> None:
    """For every sampler, with maps and layers: to the rounding of sums of weighted equal numbers."""
    whole = crowd(kind)
    model = Pointwise(kind)
    results = run([windowed(e) for e in whole], model)
    for edit, result, expected in zip(whole, results, run(whole, Pointwise(kind)), strict=True):
        assert torch.allclose(result, expected, rtol=0, atol=2e-5 * float(expected.abs().max())), edit.sampler
        never = (edit.release == edit.steps).expand(result.shape)
        assert torch.equal(result[never], edit.z0[never])


def test_with_a_network_that_mixes_cells_they_change_something() -> None:
    """The property above is the stand-in's and the engine's together: it can fail."""
    edit, model = crowd("diffusion")[0], Pointwise("diffusion")
    model._network = Mixing()
    whole, parts = run([edit], model)[0], run([windowed(edit)], model)[0]
    assert not torch.allclose(parts, whole, rtol=0, atol=2e-5 * float(whole.abs().max()))


def test_windows_share_calls_and_no_call_has_more_rows_than_there_is_room_for() -> None:
    """Beside strangers of the windows' size: the same bytes as alone, and bounded calls, whatever the size."""
    large = [windowed(e) for e in crowd("diffusion") if e.shares is None][:5]
    small = [replace(e, release=e.release[:4, :5] * 0, from_noise=None) for e in crowd("diffusion")[5:10]]
    model = Pointwise("diffusion")
    together = run([*large, *small], model)
    rows = [[round(64 * mark) for mark in call] for call in model.calls]
    assert max(map(len, rows)) <= model.row_buckets[-1]
    places = {e.place for e in large}, {e.place for e in small}
    assert any(set(call) & places[0] and set(call) & places[1] for call in rows)
    for edit, result in zip([*large, *small], together, strict=True):
        assert torch.equal(result, run([edit], Pointwise("diffusion"))[0])


def endless(cells: int) -> Windowed:
    edit = windowed(crowd("diffusion")[0])
    return replace(edit, release=torch.zeros(cells, cells, dtype=torch.int64), from_noise=None)


def test_cancelled_within_a_step() -> None:
    model, reached, go = Pointwise("diffusion"), threading.Event(), threading.Event()
    predict = model.predict

    def third_call_waits(*args: Any) -> Tensor:
        if len(model.calls) == 2:
            reached.set()
            go.wait(10)
        return predict(*args)

    model.predict = third_call_waits  # type: ignore[method-assign]
    with Engine(lambda: model) as engine:
        job = engine.submit(endless(60))
        assert reached.wait(10)
        assert job.cancel()
        go.set()
        with pytest.raises(EditCancelled, match="cancelled after 0 of"):
            job.result(timeout=10)
    assert len(model.calls) == 3


def test_a_small_edit_does_not_wait_for_a_step_of_a_large_one() -> None:
    model, reached = Pointwise("diffusion"), threading.Event()
    predict = model.predict

    def noted(*args: Any) -> Tensor:
        reached.set()
        return predict(*args)

    model.predict = noted  # type: ignore[method-assign]
    with Engine(lambda: model) as engine:
        large = engine.submit(endless(200))
        assert reached.wait(10)
        engine.submit(crowd("diffusion")[1]).result(timeout=10)
        assert not large.done()
        large.cancel()


def test_a_call_that_fails_ends_the_edit() -> None:
    model = Pointwise("diffusion")
    model.predict = lambda *_: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    with Engine(lambda: model) as engine:
        assert isinstance(engine.submit(endless(20)).exception(timeout=10), Exception)


# ---- the whole way ---------------------------------------------------------------------------------------------------


@pytest.fixture
def short_sighted(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """The embedded model as if it were at home at 64 pixels, and saw no more than 96x64 at once."""
    card = replace(editor.model.card, native_size=64, buckets=((64, 64), (96, 64)), largest_area=96 * 64)
    monkeypatch.setattr(editor.model, "card", card)
    return editor


QUICK: dict[str, Any] = {"steps": 4, "seed": 3, "size": "input", "strength": 0.6}


@pytest.mark.parametrize(
    ("size", "window"),
    [((104, 64), [64, 64]), ((101, 77), [64, 64]), ((64, 250), [64, 64]), ((700, 20), [128, 32]), ((96, 64), None)],
)
def test_any_size(short_sighted: Editor, size: tuple[int, int], window: list[int] | None) -> None:
    """Just beyond the limit, odd, long, thin; the recipe says so, and makes it again."""
    picture = random_picture(*size)
    result = short_sighted.edit(picture, "a lake", **QUICK)
    assert result.image.size == size
    assert result.recipe.made_with.get("windows") == window
    assert np.array_equal(short_sighted.redo(result.recipe, picture).pixels, result.pixels)


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_any_strength(short_sighted: Editor, strength: float) -> None:
    picture = random_picture(120, 100)
    result = short_sighted.edit(picture, "a lake", **{**QUICK, "strength": strength})
    assert np.array_equal(result.pixels, picture) == (strength == 0)
    assert ("windows" in result.recipe.made_with) == (strength > 0)
    assert any("painted by itself" in w for w in result.warnings) == (strength > 0.3)
    if strength == 1:
        other = short_sighted.edit(255 - picture, "a lake", **{**QUICK, "strength": strength})
        assert np.array_equal(other.pixels, result.pixels)


def test_the_log_says_so(short_sighted: Editor, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "overpaint"):
        short_sighted.edit(random_picture(64, 64), "a lake", **QUICK)
        assert not caplog.records
        short_sighted.edit(random_picture(120, 100), "a lake", **QUICK)
    assert caplog.messages == ["120x104 is large and worked in parts, in pixels: windows of [64, 64]"]


def test_maps_repeats_and_previews(short_sighted: Editor) -> None:
    picture = random_picture(120, 104)
    m = np.zeros((104, 120), np.float32)
    m[20:90, 15:110] = np.linspace(0, 1, 95)
    request = EditRequest(picture, "a lake", change_map=m, repeat=2, region="whole", **QUICK)
    job = short_sighted.submit(request, preview=True)
    previews = [e.preview for e in job.events()]
    assert len(previews) == 4
    assert all(p is not None and p.shape == (13, 15, 3) for p in previews)
    result = job.result()
    assert np.array_equal(result.pixels[m == 0], picture[m == 0])
    assert (result.pixels != picture).any()
    black = short_sighted.edit(picture, "a lake", change_map=m * 0, **QUICK)
    assert np.array_equal(black.pixels, picture)


def test_same_bytes_alone_and_in_a_crowd(short_sighted: Editor) -> None:
    large = EditRequest(random_picture(120, 100), "a lake", **QUICK)
    small = [EditRequest(random_picture(64, 64, seed=i), "", **{**QUICK, "seed": i}) for i in range(4)]
    results = {r.index: r for r in short_sighted.edit_many([*small[:2], large, *small[2:]])}
    alone = short_sighted.submit(large).result()
    assert isinstance(results[2], EditResult)
    assert np.array_equal(results[2].pixels, alone.pixels)


def test_an_inpainting_network_is_told_the_windows_part_of_the_mask(
    tiny: TinyCheckpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a network that looks at the cell and at what it is told of the cell: as without windows."""

    def cell_by_cell(x: Tensor, t: Any, text: Tensor, guidance: Any, extra: Tensor) -> Tensor:
        return 0.3 * x + 0.5 * extra[:, :1] + 0.1 * extra[:, 1:]

    picture, m = random_picture(150, 100), np.zeros((100, 150), np.float32)
    m[30:80, 40:120] = 1
    with Editor(tiny("inpaint"), device="cpu", dtype="float32") as own:
        assert own.model.takes_mask
        real = own.edit(picture, "a lake", change_map=m, region="whole", **QUICK)
        assert real.recipe.made_with["windows"] == [32, 32]
        assert np.array_equal(real.pixels[m == 0], picture[m == 0])
        monkeypatch.setattr(own.model, "predict", cell_by_cell)
        parts = own.edit(picture, "a lake", change_map=m, region="whole", **QUICK)
        monkeypatch.setattr(own.model, "card", replace(own.model.card, largest_area=10**6))
        whole = own.edit(picture, "a lake", change_map=m, region="whole", **QUICK)
        assert "windows" not in whole.recipe.made_with
        assert np.abs(parts.pixels.astype(int) - whole.pixels).max() <= 1


def test_a_network_in_pixels_sees_windows_of_pixels(tiny: TinyCheckpoints) -> None:
    with Editor(tiny("ddpm"), device="cpu", dtype="float32") as own:
        side = own.card.native_size
        result = own.edit(random_picture(3 * side, 2 * side), "", **QUICK)
        assert result.recipe.made_with["windows"] == [side, side]
        assert "vae_tiles" not in result.recipe.made_with


def test_there_is_a_limit(editor: Editor) -> None:
    with pytest.raises(ParameterError, match="more than the 64 megapixels"):
        prepare(EditRequest(random_picture(16, 16), "", size="8001x8000"), editor.model)


# ---- seams -----------------------------------------------------------------------------------------------------------


def test_the_seam_figure_by_hand() -> None:
    x = np.random.default_rng(0).random((90, 120, 3))
    assert seam_figure(x, [30], [40, 80]) == pytest.approx(1, abs=0.15)
    x[:, 40:] += 1
    assert seam_figure(x, [30], [40, 80]) > 1.25
    assert seam_figure(x, [30], [60, 80]) < 1.15


def worked(editor: Editor, picture: Pixels) -> tuple[Pixels, float]:
    """A night of a picture of 256 pixels, in windows of 128; how its windows' borders stand out."""
    result = editor.edit(picture, "Same scene at night, mountains", strength=0.6, steps=7, seed=1, size="input")
    assert result.recipe.made_with["windows"] == [128, 128]
    borders = sorted({8 * at for begin in starts(32, 16) for at in (begin, begin + 16)} - {0, 256})
    return result.pixels, seam_figure(result.pixels / 255, borders, borders, 8)


def test_windows_leave_no_seams(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a photo with the real weights; windows that only touch leave lines, so the figure can tell."""
    card = replace(editor.model.card, native_size=128, buckets=((128, 128),), largest_area=128 * 128)
    monkeypatch.setattr(editor.model, "card", card)
    photo = images.resize(decode.load(EXAMPLES / "mountains.jpg").rgb, (256, 256))
    _, soft = worked(editor, photo)
    monkeypatch.setattr(windows, "OVERLAP", Fraction(0))
    _, hard = worked(editor, photo)
    assert soft < 1.1
    assert hard > 1.3


def test_tiles_of_the_vae_leave_no_seams(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the untiled area a picture is encoded and decoded in parts: nearly the picture that it is whole."""
    codec = editor.model._codec
    assert isinstance(codec, VaeCodec)
    monkeypatch.setattr(model_codecs, "TILE", 256)  # smaller than those in use, which makes it harder
    photo = images.resize(decode.load(EXAMPLES / "mountains.jpg").rgb, (456, 256))
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    cutting = VaeCodec(codec._vae, codec.pixels_per_cell, largest_area=256 * 256)
    assert (codec.tiles((456, 256)), cutting.tiles((456, 256)), cutting.tiles((256, 256))) == (None, 256, None)
    borders = [96, 200, 256, 352]
    assert starts(57, 32) == (0, 12, 25)  # in cells of 8 pixels
    with torch.inference_mode():
        whole, parts = (c.decode(c.encode(pixels)[0])[0].permute(1, 2, 0).numpy() for c in (codec, cutting))
    assert 0 < np.abs(whole - parts).mean() < 0.02
    assert seam_figure(parts, [], borders, 8) < 1.1 * seam_figure(whole, [], borders, 8)
