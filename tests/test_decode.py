"""The one decoder: what is read, what it becomes, and what is refused."""

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_picture
from corpus import blank_png, with_chunk
from PIL import Image, ImageCms

from overpaint import images
from overpaint.decode import load
from overpaint.errors import ImageError

RGB = random_picture(37, 23)
RGBA = random_picture(37, 23, channels=4)


def png(pixels: images.Pixels) -> bytes:
    return images.encode(pixels, "PNG")


def saved(im: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    im.save(out, kind, **options)
    return out.getvalue()


def test_every_kind_of_source_is_the_same_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(RGB))
    tensor = torch.from_numpy(RGB).permute(2, 0, 1)
    assert np.array_equal(load(tensor[None]).pixels, RGB)
    assert np.array_equal(load(tensor.permute(1, 2, 0)).pixels, RGB)
    assert np.abs(load((tensor / 255).bfloat16()).rgb.astype(int) - RGB).max() <= 1
    sources = [
        path,
        str(path),
        png(RGB),
        Image.fromarray(RGB),
        RGB,
        tensor,
        RGB / 255,
        tensor / 255,
        RGB.astype("f4") / 255,
    ]
    for source in sources:
        assert np.array_equal(load(source).pixels, RGB)


def test_upright_and_alpha_kept() -> None:
    im = Image.fromarray(RGB)
    exif = im.getexif()
    exif[0x0112] = 6  # turn by 90 degrees
    out = io.BytesIO()
    im.save(out, "PNG", exif=exif)
    assert np.array_equal(load(out.getvalue()).rgb, np.rot90(RGB, -1))
    assert np.array_equal(load(png(RGBA)).pixels, RGBA)


def test_transparency_is_seen_over_white() -> None:
    clear = np.dstack([RGB, np.zeros((23, 37), np.uint8)])
    assert (load(clear).flat() == 1).all()
    assert np.allclose(load(np.dstack([RGB, np.full((23, 37), 255, np.uint8)])).flat(), RGB / 255)


def test_grey_and_16_bit() -> None:
    assert load(RGB[..., 0]).pixels.shape == (23, 37, 3)
    deep = (RGB.astype(np.uint16) << 8) + 77
    picture = load(deep)
    assert picture.peak == 65535
    assert np.array_equal(picture.pixels, deep)
    assert np.array_equal(load(Image.fromarray(deep[..., 0])).rgb[..., 1], deep[..., 0])


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"not a picture",
        np.zeros((3, 4, 5, 6), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.int64),
        np.full((4, 4, 3), 1.5),
        np.full((4, 4, 3), -0.1),
        np.full((4, 4, 3), np.nan),
        "no/such/file.png",
        png(random_picture(300, 300))[:2000],
        12,
    ],
)
def test_what_is_not_a_picture_is_an_image_error(source: object) -> None:
    with pytest.raises(ImageError):
        load(source)  # type: ignore[arg-type]


@pytest.mark.case("I07")
@pytest.mark.parametrize(("side", "megapixels"), [(11000, 121), (15000, 225)])
def test_bombs_are_refused_before_pixels_are_read(side: int, megapixels: int) -> None:
    """At 179 megapixels an error of Pillow's own would begin, which does not say the size."""
    with pytest.raises(ImageError, match=f"{side}x{side} = {megapixels} megapixels, at most 100 are taken"):
        load(blank_png(side, side))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "deep"])
def test_all_eight_orientations_come_out_upright(orientation: int, kind: str) -> None:
    """What is stored turned is read upright; 16-bit colour takes another path and comes to the same."""
    turn = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}[orientation]  # Pillow's Transpose that undoes it
    stored = Image.fromarray(RGB)
    if turn is not None:
        inverse = {2: 4, 4: 2}.get(turn, turn)
        stored = stored.transpose(Image.Transpose(inverse))
    exif = Image.Exif()
    exif[0x0112] = orientation
    if kind == "deep":
        deep = np.asarray(stored).astype(np.uint16) * 257
        data = with_chunk(png(deep), b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
        assert np.array_equal(load(data).rgb, RGB.astype(np.uint16) * 257)
    else:
        assert np.array_equal(load(saved(stored, kind, exif=exif)).rgb, RGB)


def test_profiles_are_applied() -> None:
    """A profile whose red and green primaries are exchanged exchanges the channels: the closed form of its sRGB."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    places = {name: profile.index(name, 128) for name in (b"rXYZ", b"gXYZ")}
    swapped = bytearray(profile.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")))
    for a, b in ((b"rXYZ", b"gXYZ"), (b"gXYZ", b"rXYZ")):
        swapped[places[a] + 4 : places[a] + 8] = profile[places[b] + 4 : places[b] + 8]
    picture = load(saved(Image.fromarray(RGB), "PNG", icc_profile=bytes(swapped)))
    assert np.abs(picture.rgb.astype(int) - RGB[..., [1, 0, 2]]).max() <= 2
    assert picture.notes == ()
    clear = load(saved(Image.fromarray(RGBA), "PNG", icc_profile=bytes(swapped)))
    assert np.array_equal(clear.alpha, RGBA[..., 3])
    same = load(saved(Image.fromarray(RGB), "PNG", icc_profile=profile))
    assert np.array_equal(same.rgb, RGB)


def test_what_changed_on_the_way_is_noted() -> None:
    broken = load(saved(Image.fromarray(RGB), "PNG", icc_profile=b"nonsense" * 20))
    assert np.array_equal(broken.rgb, RGB)
    assert "colour profile cannot be used" in broken.notes[0]
    frames = [Image.fromarray(x) for x in (RGB, 255 - RGB)]
    animated = load(saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    assert np.array_equal(animated.rgb, RGB)
    assert "first frame" in animated.notes[0]


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB", "LA", "RGBA", "PA", "I;16"])
def test_every_mode_becomes_colour(mode: str) -> None:
    im = Image.new(mode, (8, 6)) if mode in ("PA", "I;16") else Image.fromarray(RGBA).convert("RGB").convert(mode)
    assert load(im).rgb.shape[2] == 3


def test_float_pictures_lie_in_0_to_1() -> None:
    x = RGB[..., 0].astype(np.float32) / 255
    assert np.array_equal(load(Image.fromarray(x)).rgb[..., 1], RGB[..., 0])
    with pytest.raises(ImageError, match=r"0\.\.1"):
        load(Image.fromarray(x * 255))
    with pytest.raises(ImageError, match="no pixels"):
        load(Image.new("RGB", (0, 5)))


def test_cmyk_is_not_inverted() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    r, g, b = load(saved(red, "JPEG")).rgb[8, 8]
    assert (r > 200, g < 60, b < 60) == (True, True, True)


def test_open_files_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(png(RGB))
    with (tmp_path / "a.png").open("rb") as f:
        assert np.array_equal(load(f).rgb, RGB)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(png(RGB))))
    assert np.array_equal(load("-").rgb, RGB)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_flipped_bytes_end_in_a_picture_or_an_image_error(kind: str) -> None:
    """Ten random bytes flipped, five seeds: nothing else is ever raised."""
    data = saved(Image.fromarray(RGB), kind)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        bad = bytearray(data)
        for place in rng.integers(0, len(bad), 10):
            bad[place] ^= int(rng.integers(1, 256))
        for source in (bytes(bad), data[: len(data) * (seed + 1) // 7]):
            with suppress(ImageError):
                assert load(source).rgb.ndim == 3
