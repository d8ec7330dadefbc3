"""Change maps in: what is read as which map, and what is refused."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from corpus import blank_png, exif, exif_of, saved, tiff
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from overpaint.decode import load
from overpaint.errors import ImageError, ParameterError
from overpaint.maps.changemap import bounds, is_hard, load_map, openai_map
from overpaint.picture import Pixels

W, H = 37, 23
SIZE = (W, H)


def mask() -> Pixels:
    """A mask [H, W] of 0 and 255 that is not symmetric."""
    x = np.zeros((H, W), np.uint8)
    x[4:15, 6:29] = 255
    x[8:12, 20:29] = 0
    return x


def grey(kind: type = np.uint8) -> Pixels:
    """All levels somewhere, [H, W]."""
    peak = np.iinfo(kind).max
    return (np.arange(H * W).reshape(H, W) * 7919 % (peak + 1)).astype(kind)


def plain(source: Any, **options: Any) -> Pixels:
    m, notes = load_map(source, SIZE, **options)
    assert notes == []
    assert m.dtype == np.float32
    assert m.shape == (H, W)
    assert m.flags.c_contiguous
    return m


def palette_png(x: Pixels) -> bytes:
    """Black and white as colours 3 and 1 of a palette."""
    im = Image.fromarray(np.where(x > 0, 1, 3).astype(np.uint8), "P")
    im.putpalette([9, 9, 9, 255, 255, 255, 7, 7, 7, 0, 0, 0])
    return saved(im, "PNG")


# ---- exact values ----------------------------------------------------------------------------------------------------


def test_levels_are_exact() -> None:
    assert np.array_equal(plain(saved(grey(), "PNG")), grey().astype(np.float32) / np.float32(255))
    deep = grey(np.uint16)
    wanted = (deep / 65535).astype(np.float32)
    for source in (deep, saved(Image.fromarray(deep), "PNG"), tiff(deep, photometric="minisblack")):
        assert np.array_equal(plain(source), wanted)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (4,)])
def test_arrays_and_tensors_of_all_shapes(kind: type, shape: tuple[int, ...]) -> None:
    whole = np.issubdtype(kind, np.integer)
    x = grey(kind) if whole else (grey() / 255).astype(kind)
    wanted = (x / np.iinfo(kind).max).astype(np.float32) if whole else x.astype(np.float32)
    if shape:
        x = np.repeat(x[..., None], shape[0], axis=2)
    if shape == (4,):
        x[..., 3] = np.iinfo(kind).max if whole else 1
    assert np.array_equal(plain(x), wanted)
    channels_first = torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 0) if shape else x))
    assert np.array_equal(plain(channels_first), wanted)
    if shape:
        assert np.array_equal(plain(channels_first[None]), wanted)


def test_masks_of_bool() -> None:
    wanted = (mask() > 0).astype(np.float32)
    for source in (mask() > 0, (mask() > 0)[..., None], torch.from_numpy(mask() > 0)):
        assert np.array_equal(plain(source), wanted)


def test_brightness_is_pillows() -> None:
    x = np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)
    wanted = np.asarray(Image.fromarray(x).convert("L")) / np.float32(255)
    for source in (x, saved(x, "PNG"), Image.fromarray(x), load(x)):
        assert np.array_equal(plain(source), wanted)
    assert np.abs(plain(x / 255) - x @ [0.299, 0.587, 0.114] / 255).max() < 1e-5
    assert np.abs(plain(x.astype(np.uint16) * 257) - wanted).max() < 0.6 / 255


def test_alpha_is_laid_over_black() -> None:
    x = np.dstack([grey(), grey(), grey(), grey()[::-1]])
    for source in (x, saved(x, "PNG")):
        m, notes = load_map(source, SIZE)
        assert np.abs(m - grey() / 255 * (grey()[::-1] / 255)).max() < 1e-6
        assert notes == ["map: it has transparency, which is laid over black: transparent = keep"]
    white_strokes = np.dstack([np.full((H, W, 3), 255, np.uint8), mask()])
    assert np.array_equal(load_map(white_strokes, SIZE)[0], plain(mask()))
    m, (note,) = load_map(np.dstack([np.zeros((H, W, 3), np.uint8), mask()]), SIZE)
    assert not m.any()
    assert "nothing is left to change" in note
    assert "openai_map" in note


def test_a_mask_of_0_and_1_in_bytes_is_told() -> None:
    m, (note,) = load_map((mask() > 0).astype(np.uint8), SIZE, name="mask")
    assert m.max() == np.float32(1 / 255)
    assert note.startswith("mask: it is nearly black")
    assert load_map(np.zeros((H, W), np.uint8), SIZE)[1] == []


# ---- the cases -------------------------------------------------------------------------------------------------------


@pytest.mark.case("M01")
def test_another_size_is_resized_nearest() -> None:
    m, notes = load_map(mask(), (2 * W, 3 * H))
    assert np.array_equal(m, plain(mask()).repeat(2, axis=1).repeat(3, axis=0))
    assert notes == ["map: it is 37x23, the picture 74x69: it is resized to that, each pixel that of the nearest"]
    again, _ = load_map(m, SIZE)
    assert np.array_equal(again, plain(mask()))


@pytest.mark.case("M01")
@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 50), st.integers(1, 50))
def test_resizing_invents_nothing(w: int, h: int, W: int, H: int) -> None:
    x = np.arange(w * h, dtype=np.uint16).reshape(h, w) * 20
    m, notes = load_map(x, (W, H))
    assert m.shape == (H, W)
    assert bool(notes) == ((w, h) != (W, H) or 0 < x.max() <= 257)
    column, row = np.floor((np.arange(W) + 0.5) * w / W).astype(int), np.floor((np.arange(H) + 0.5) * h / H).astype(int)
    assert np.array_equal(m, load_map(x, (w, h))[0][np.ix_(row, column)])


@pytest.mark.case("M04")
def test_masks_of_openai_and_a1111_are_the_same_map() -> None:
    for x in (mask(), grey()):
        white_is_edit = x
        transparent_is_edit = np.dstack([np.random.default_rng(0).integers(0, 256, (H, W, 3)), 255 - x]).astype(
            np.uint8
        )
        for source in (transparent_is_edit, saved(transparent_is_edit, "PNG"), load(transparent_is_edit)):
            m, notes = openai_map(source, SIZE)
            assert notes == []
            assert np.array_equal(m, plain(white_is_edit))
    tensor = torch.from_numpy(transparent_is_edit).permute(2, 0, 1).float() / 255
    assert np.abs(openai_map(tensor, SIZE)[0] - plain(grey())).max() < 1e-6
    m, (note,) = openai_map(transparent_is_edit, (2 * W, H))
    assert np.array_equal(m, plain(grey()).repeat(2, axis=1))
    assert note.startswith("mask: it is 37x23")


@pytest.mark.case("M04")
def test_openais_mask_needs_alpha() -> None:
    for source in (mask(), saved(mask(), "PNG"), saved(mask(), "JPEG")):
        with pytest.raises(ImageError, match=r"^mask: it has no alpha channel"):
            openai_map(source, SIZE)


@pytest.mark.case("M05")
@pytest.mark.parametrize("kind", ["palette", "1 bit", "16 bits", "RGB", "RGBA", "LA", "BMP", "TIFF", "WEBP lossless"])
def test_a_mask_is_the_same_in_every_file(kind: str) -> None:
    x = mask()
    opaque = np.full_like(x, 255)
    data = {
        "palette": lambda: palette_png(x),
        "1 bit": lambda: saved(Image.fromarray(x).convert("1"), "PNG"),
        "16 bits": lambda: saved(Image.fromarray(x.astype(np.uint16) * 257), "PNG"),
        "RGB": lambda: saved(np.dstack([x, x, x]), "PNG"),
        "RGBA": lambda: saved(np.dstack([x, x, x, opaque]), "PNG"),
        "LA": lambda: saved(Image.fromarray(np.dstack([x, opaque]), "LA"), "PNG"),
        "BMP": lambda: saved(x, "BMP"),
        "TIFF": lambda: tiff(x, photometric="minisblack"),
        "WEBP lossless": lambda: saved(np.dstack([x, x, x]), "WEBP", lossless=True),
    }[kind]()
    assert np.array_equal(plain(data), plain(x))
    assert is_hard(plain(data))


@pytest.mark.case("M05")
@pytest.mark.parametrize("quality", [30, 75, 95])
def test_a_noisy_jpeg_is_made_hard(quality: int) -> None:
    data = saved(mask(), "JPEG", quality=quality)
    assert not is_hard(plain(data))
    assert np.array_equal(plain(data, hard=True), plain(mask()))


@pytest.mark.case("M05")
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_mask_is_set_upright(kind: str, orientation: int) -> None:
    turn = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # Pillow's, that undoes it
    stored = Image.fromarray(mask()) if turn is None else Image.fromarray(mask()).transpose(Image.Transpose(turn))
    data = exif_of(kind, saved(stored, kind), exif(orientation))
    assert np.array_equal(plain(data, hard=True), plain(mask()))


@pytest.mark.case("M05")
def test_the_threshold_is_at_least() -> None:
    for threshold in (0.5, 0.2, 1.0, 1 / 255):
        m = plain(grey(), hard=True, threshold=threshold)
        assert np.array_equal(m, (grey() >= round(threshold * 255 + 0.49)).astype(np.float32))
    for threshold in (0, -1, 1.1, float("nan")):
        with pytest.raises(ParameterError, match="threshold"):
            load_map(grey(), SIZE, threshold=threshold)


@pytest.mark.case("M07")
@pytest.mark.parametrize("read", [load_map, openai_map])
def test_errors_name_the_map(read: Any, tmp_path: Path) -> None:
    whole = saved(np.dstack([grey()] * 4), "PNG")
    bad = {
        "broken or cut off": whole[: len(whole) // 2],
        "megapixels, at most 100": blank_png(20_000, 20_000),
        "a side may have 16384": blank_png(1, 20_000),
        "empty": b"",
        "cannot be read": tmp_path / "none.png",
        "not ": io.StringIO("text"),
    }
    for message, source in bad.items():
        with pytest.raises(ImageError, match=rf"^inpaint_mask: .*{message}"):
            read(source, SIZE, name="inpaint_mask")
    with pytest.raises(ImageError, match=r"^m: the array is 1x16385"):
        read(
            np.zeros((16385, 1, 4), bool if read is load_map else np.uint8)[..., : 1 if read is load_map else 4],
            SIZE,
            name="m",
        )


@pytest.mark.case("M08")
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((H, W), np.nan), "851 of its values are NaN"),
        (np.full((H, W), np.inf, np.float32), "NaN or infinite"),
        (np.full((H, W), 1.5), r"span 1.5\.\.1.5, they must lie in 0\.\.1"),
        (np.full((H, W), -0.1), r"must lie in 0\.\.1"),
        (np.full((H, W), 255.0), "255"),
        (np.zeros((H, W), np.int64), "int64"),
        (np.zeros((H, W), complex), "complex128"),
        (np.zeros((H, W), object), "object"),
        (np.zeros((H, W, 3), bool), "bool"),
        (np.zeros((H, W, 2)), r"shape \(23, 37, 2\)"),
        (np.zeros((2, H, W, 3)), "shape"),
        (np.zeros(5), "shape"),
        (np.zeros((0, 4)), "shape"),
        (torch.full((H, W), float("nan")), "NaN"),
        (torch.zeros((1, H, W), dtype=torch.int32), "int32"),
        (torch.zeros((3, 3, H, W)), "shape"),
        (17, "int"),
        (None, "NoneType"),
    ],
)
def test_arrays_that_are_no_map(x: Any, message: str) -> None:
    with pytest.raises(ImageError, match=rf"^map_of_change: .*{message}") as caught:
        load_map(x, SIZE, name="map_of_change")
    assert isinstance(caught.value, ValueError)


# ---- statistics ------------------------------------------------------------------------------------------------------


def test_is_hard_and_bounds() -> None:
    assert is_hard(plain(mask()))
    assert not is_hard(plain(grey()))
    assert bounds(plain(mask())) == (6, 4, 29, 15)
    assert bounds(np.zeros((4, 5), np.float32)) is None
    assert bounds(np.ones((4, 5), np.float32)) == (0, 0, 5, 4)
    faint = np.zeros((4, 5), np.float32)
    faint[3, 1] = 1e-30
    assert bounds(faint) == (1, 3, 2, 4)


@pytest.mark.case("M05", "M06")
def test_by_opacity_is_as_automatic1111_has_it() -> None:
    """Black strokes on nothing are marked where they are opaque; what is opaque throughout is told by brightness."""
    strokes = np.zeros((H, W, 4), np.uint8)
    strokes[2:5, 3:9, 3] = 255
    m, notes = load_map(strokes, SIZE, by="opacity", hard=True)
    assert (m == (strokes[..., 3] > 128)).all()
    assert notes == []
    opaque = np.dstack([np.repeat(strokes[..., 3:], 3, axis=2), np.full((H, W), 255, np.uint8)])
    assert (load_map(opaque, SIZE, by="opacity")[0] == load_map(opaque, SIZE)[0]).all()
    assert (load_map(strokes, SIZE, by="transparency")[0] == 1 - m).all()
    with pytest.raises(ParameterError, match="by: is 'alpha', must be one of brightness, opacity, transparency"):
        load_map(strokes, SIZE, by="alpha")  # type: ignore[arg-type]
