"""What odd files look like when they are read: colours, 16 bits, transparency, which way up (test_odd_files.py)."""

import io
import zlib
from collections.abc import Callable

import corpus as files
import numpy as np
import pytest
from corpus import H, W, corpus, deep, png, refused, saved, smooth
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from overpaint.decode import load
from overpaint.images import Pixels
from overpaint.picture import Picture, to_pil

# ---- colour ----------------------------------------------------------------------------------------------------------


def colours(n: int = 24) -> Pixels:
    """[n, n * n, 3]: a cube of colours at 16 bits."""
    levels = np.linspace(0, 65535, n).round()
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(n, n * n, 3).astype(np.uint16)


def closed_form(x: Pixels, primaries: tuple[tuple[float, float], ...], decoded: Callable[[Pixels], Pixels]) -> Pixels:
    """0..1 in a colour space under D65 to sRGB."""
    matrix = np.linalg.solve(files.to_xyz(files.SRGB), files.to_xyz(primaries))
    return files.srgb_encoded(decoded(x) @ matrix.T)


SPACES = {
    "Display P3": (files.P3, None, files.srgb_decoded),
    "Adobe RGB": (files.ADOBE, 563 / 256, lambda v: v ** (563 / 256)),
    "linear": (files.SRGB, 1.0, lambda v: v),
}


@pytest.mark.case("I12", "I15")
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("space", SPACES)
def test_wide_colours_become_srgb(space: str, bits: int) -> None:
    primaries, gamma, decoded = SPACES[space]
    x = colours() if bits == 16 else (colours() >> 8).astype(np.uint8)
    block = b"x\0\0" + zlib.compress(files.rgb_profile(primaries, gamma))
    picture = load(files.with_chunk(png(x, 2), b"iCCP", block))
    assert picture.rgb.dtype == x.dtype
    assert picture.notes == ()
    wanted = closed_form(x / picture.peak, primaries, decoded)
    off = np.linalg.norm(files.to_lab(picture.rgb / picture.peak) - files.to_lab(wanted), axis=-1)
    levels = np.abs(picture.rgb / picture.peak - wanted) * 255
    print(f"{space} {bits}: dE {off.mean():.3f} (max {off.max():.2f}), levels {levels.mean():.3f} ({levels.max():.2f})")
    assert off.mean() < 0.5
    assert levels.max() < 2.5
    as_it_is = files.to_lab(x / picture.peak) - files.to_lab(wanted)
    assert np.linalg.norm(as_it_is, axis=-1).mean() > 2  # the control: doing nothing would not pass


@pytest.mark.case("I12", "I15")
def test_16_bits_and_8_bits_go_the_same_way() -> None:
    block = b"x\0\0" + zlib.compress(files.rgb_profile(files.P3, None))
    shallow = load(files.with_chunk(png(smooth(), 2), b"iCCP", block)).rgb
    fine = load(files.with_chunk(png(smooth().astype(np.uint16) * 257, 2), b"iCCP", block)).rgb
    assert np.abs(fine / 257 - shallow).max() <= 1


CURVES: dict[str, float | bytes | None] = {
    "power": 1.8,
    "no curve": b"curv" + bytes(8),
    "para 0": files.parametric(0, 2.2),
    "para 1": files.parametric(1, 2.4, 1.1, -0.1),
    "para 2": files.parametric(2, 2.0, 1.04, -0.05, 0.02),
    "para 3": files.parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "para 4": files.parametric(4, 2.4, 0.9, 0.08, 0.1, 0.04, 1 - 0.98**2.4, 0.0),
}


@pytest.mark.case("I12", "I15")
@pytest.mark.parametrize("name", [*CURVES, "table"])
def test_every_kind_of_profile_does_in_16_bits_what_it_does_in_8(name: str) -> None:
    if name == "table":
        profile = files.table_profile(b"RGB ", 3, lambda x: 0.1 + 0.7 * x[..., [1, 2, 0]])
    else:
        profile = files.rgb_profile(files.P3, CURVES[name])
    block = b"x\0\0" + zlib.compress(profile)
    x = (colours(18) >> 8).astype(np.uint8)
    shallow = load(files.with_chunk(png(x, 2), b"iCCP", block))
    fine = load(files.with_chunk(png(x.astype(np.uint16) * 257, 2), b"iCCP", block))
    assert shallow.notes == fine.notes == ()
    assert not np.array_equal(shallow.rgb, x)
    off = np.abs(fine.rgb / 257 - shallow.rgb)
    print(f"{name}: {off.mean():.3f} levels on average, {off.max():.2f} at most")
    # where black is not 0 (para 2), LittleCMS itself goes by a table, which is coarse at the edge of sRGB
    assert off.max() <= {"table": 3, "para 2": 12}.get(name, 1)
    assert np.quantile(off, 0.98) < 1
    assert off.mean() < 0.5


@pytest.mark.case("I12", "I14")
@pytest.mark.parametrize("channels", [1, 3])
def test_deep_ramps_have_no_steps(channels: int) -> None:
    ramp = np.repeat(np.arange(65536, dtype=np.uint16).reshape(256, 256, 1), channels, axis=2)
    profile = files.grey_profile(1.8) if channels == 1 else files.rgb_profile(files.ADOBE, 1.8)
    data = files.with_chunk(png(ramp, 0 if channels == 1 else 2), b"iCCP", b"x\0\0" + zlib.compress(profile))
    got = load(data).rgb[..., 1].ravel().astype(int)
    assert (np.diff(got) >= 0).all()
    assert len(np.unique(got)) > 30_000  # 256 if it had gone through 8 bits
    wanted = files.srgb_encoded((np.arange(65536) / 65535) ** 1.8) * 65535
    assert np.abs(got - wanted).max() < 2 * 257


@pytest.mark.case("I12")
def test_grey_with_any_profile() -> None:
    grey = np.repeat(smooth(1), 3, axis=2)
    gamma = 461 / 256
    wanted = files.srgb_encoded((grey / 255) ** gamma) * 255
    for profile in (files.grey_profile(gamma), files.rgb_profile(files.SRGB, gamma)):
        for kind in ("PNG", "JPEG", "TIFF"):
            picture = load(saved(Image.fromarray(smooth(1)[..., 0]), kind, icc_profile=profile))
            assert picture.notes == ()
            assert np.abs(picture.rgb - wanted).mean() < 3
        both = Image.fromarray(np.dstack([smooth(1)[..., 0], smooth(4)[..., 3]]), "LA")
        picture = load(saved(both, "PNG", icc_profile=profile))
        assert np.abs(picture.rgb - wanted).max() <= 1.5
        assert np.array_equal(picture.alpha, smooth(4)[..., 3])


@pytest.mark.case("I11")
@pytest.mark.parametrize("bits", [8, 16])
def test_profiles_that_cannot_be_used_are_noted(bits: int) -> None:
    x, colour = (smooth(), 2) if bits == 8 else (deep(), 2)
    whole = files.rgb_profile(files.P3, None)
    for profile in (
        b"nonsense" * 30,
        whole[:200],
        files.cmyk_profile(),
        files.grey_profile(1.8),
        whole[:128] + bytes(99),
    ):
        picture = load(files.with_chunk(png(x, colour), b"iCCP", b"x\0\0" + zlib.compress(profile)))
        assert np.array_equal(picture.rgb, x)
        assert "colour profile cannot be used" in picture.notes[0]


INKS = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]], np.uint8)


def inks(kind: str, profile: bytes | None, adobe: bool = True) -> Pixels:
    """[6, 3]: how patches of these inks are read back."""
    x = np.repeat(np.repeat(INKS[None] * np.uint8(255), 16, axis=0), 16, axis=1)
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    if profile:
        options["icc_profile"] = profile  # type: ignore[assignment]
    data = saved(Image.fromarray(x if adobe else 255 - x, "CMYK"), kind, **options)
    return load(data if adobe else files.without_segment(data, 0xEE)).rgb[8, 8::16].astype(float)


@pytest.mark.case("I13")
@pytest.mark.parametrize(("kind", "adobe"), [("JPEG", True), ("JPEG", False), ("TIFF", True)])
def test_cmyk_is_not_inverted(kind: str, adobe: bool) -> None:
    plain = (1 - INKS[:, :3].astype(float)) * (1 - INKS[:, 3:]) * 255
    assert np.abs(inks(kind, None, adobe) - plain).max() < 8
    managed = files.ink_colours(INKS.astype(float)) * 255
    assert np.abs(managed - plain).max() > 20
    assert np.abs(inks(kind, files.cmyk_profile(), adobe) - managed).max() < 8


@pytest.mark.case("I13", "I15")
def test_cmyk_of_16_bits_is_not_taken_for_alpha() -> None:
    x = np.repeat(np.repeat(INKS[None] * np.uint16(65535), 16, axis=0), 16, axis=1)
    picture = load(files.tiff(x, photometric="separated"))
    assert picture.alpha is None
    assert np.array_equal(picture.rgb[8, 8::16], (1 - INKS[:, :3]) * (1 - INKS[:, 3:]) * 255)
    assert "16-bit CMYK" in picture.notes[0]


# ---- 16 bits ---------------------------------------------------------------------------------------------------------


@pytest.mark.case("I14")
def test_a_deep_grey_ramp_keeps_all_levels() -> None:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    for data in (saved(Image.fromarray(ramp), "PNG"), saved(Image.fromarray(ramp), "TIFF"), png(ramp[..., None], 0)):
        picture = load(data)
        assert picture.rgb.dtype == np.uint16
        assert all(np.array_equal(picture.rgb[..., c], ramp) for c in range(3))
        assert np.array_equal(np.asarray(to_pil(picture.rgb))[..., 0], ramp >> 8)


DEEP = [n for n in corpus() if n.startswith(("OpenCV", "tifffile", "PNG LA16")) and "CMYK" not in n]


@pytest.mark.case("I15")
@pytest.mark.parametrize("name", DEEP)
def test_deep_files_are_read_as_they_were_written(name: str) -> None:
    picture = load(corpus()[name])
    if "LA16" in name or "grey alpha" in name:
        wanted = deep(2)[..., [0, 0, 0, 1]]
    elif "1x16" in name:
        wanted = np.repeat(deep(1), 3, axis=2)
    elif "RGBX" in name:
        wanted = deep(4)[..., :3]
    else:
        wanted = deep(4) if "4x16" in name or "RGBA" in name or "RGBa" in name else deep(3)
    if "RGBa" in name:  # stored laid over black
        a = wanted[..., 3:].astype(float)
        colour = np.minimum(np.floor(wanted[..., :3] * 65535.0 / np.maximum(a, 1) + 0.5), 65535)
        wanted = np.dstack([colour, a])
        assert np.abs(picture.pixels - wanted).max() <= 1
    else:
        assert np.array_equal(picture.pixels, wanted)


@pytest.mark.case("I15", "I16")
@pytest.mark.parametrize(("name", "channels"), [("PNG RGB16 tRNS", 3), ("PNG L16 tRNS", 1)])
def test_a_transparent_deep_colour_is_kept(name: str, channels: int) -> None:
    picture = load(corpus()[name])
    clear = (deep(channels) == deep(channels)[0, 0]).all(axis=2)
    assert 0 < clear.sum() < clear.size
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, clear)
    assert (picture.alpha[~clear] == 65535).all()


@pytest.mark.case("I15")
def test_images_that_pillow_opened_at_8_bits_are_noted() -> None:
    for name in ("OpenCV PNG 3x16", "OpenCV TIFF 4x16 5"):
        picture = load(Image.open(io.BytesIO(corpus()[name])))
        assert "give its path or bytes to keep 16" in picture.notes[0]
        assert picture.rgb.dtype == np.uint8
    assert load(Image.open(io.BytesIO(corpus()["PNG RGB"]))).notes == ()
    assert load(Image.open(io.BytesIO(corpus()["OpenCV PNG 1x16"]))).rgb.dtype == np.uint16


# ---- transparency ----------------------------------------------------------------------------------------------------


def seen(picture: Picture) -> Pixels:
    return (picture.flat() * 255 + 0.5).astype(np.uint8)


CLEAR = [
    *(("PNG", mode) for mode in ("1", "L", "P", "RGB", "LA", "RGBA")),
    *(("GIF", mode) for mode in ("1", "L", "P", "RGBA")),
    *(("TIFF", mode) for mode in ("LA", "PA", "RGBA")),
    *(("WEBP", mode) for mode in ("LA", "RGBA")),
]


@pytest.mark.case("I16")
@pytest.mark.parametrize(("kind", "mode"), CLEAR)
def test_hidden_colours_are_never_seen(kind: str, mode: str) -> None:
    """Black is written, and said to be clear: white is seen."""
    if "A" in mode:
        im, options = Image.new("RGBA", (W, H), (0, 0, 0, 0)).convert(mode), {"exact": True, "lossless": True}
    else:
        im, options = Image.new(mode, (W, H)), {"transparency": (0, 0, 0) if mode == "RGB" else 0}
    data = saved(im, kind, **(options if kind != "TIFF" else {}))
    assert not np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).any()  # the control: so Pillow shows it
    assert (seen(load(data)) == 255).all()
    assert (seen(load(Image.open(io.BytesIO(data)))) == 255).all()


@pytest.mark.case("I16", "I17")
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA"])
def test_every_mode_is_a_picture_or_an_image_error(mode: str) -> None:
    im = Image.new(mode, (5, 4)) if mode in ("LAB", "PA") else Image.fromarray(smooth()).convert(mode)
    if mode == "F":
        assert "0..1" in refused(im)
        return
    assert load(im).rgb.shape == (im.height, im.width, 3)
    if mode in ("CMYK", "YCbCr", "HSV"):
        assert np.abs(load(im).rgb.astype(int) - smooth()).max() < 8
    assert "span -5..7" in refused(Image.fromarray(np.array([[-5, 7]], np.int32)))


# ---- orientation -----------------------------------------------------------------------------------------------------

# orientation -> how an upright picture is stored, by Pillow's names
STORED = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}


def stored(x: Pixels, orientation: int) -> Pixels:
    """Upright pixels [h, w, c] as a camera held that way stores them."""
    turn = STORED[orientation]
    planes = [Image.fromarray(np.ascontiguousarray(x[..., c])) for c in range(x.shape[2])]
    if turn is not None:
        planes = [p.transpose(Image.Transpose(turn)) for p in planes]
    return np.dstack([np.asarray(p) for p in planes])


@pytest.mark.case("I18")
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "AVIF", "TIFF", "TIFF lzw", "MPO", "HEIF", "JXL"])
def test_eight_orientations_are_one_picture(kind: str) -> None:
    name, *how = kind.split()
    for orientation in range(1, 9):
        x, block = stored(smooth(), orientation), files.exif(orientation)
        options: dict[str, object] = (
            {"compression": "tiff_lzw"} if how else {"lossless": True} if kind == "WEBP" else {}
        )
        if kind in ("HEIF", "JXL"):
            data = files.extra_file(kind, x, exif=block[6:] if kind == "JXL" else block)
        elif kind == "MPO":
            data = saved(x, kind, exif=block, save_all=True, append_images=[Image.fromarray(x)])
        elif name == "TIFF":
            tags = ImageFileDirectory_v2()
            tags[0x0112] = orientation
            data = saved(x, name, tiffinfo=tags, **options)
        else:
            data = saved(x, name, exif=block, **options)
        if kind == "JXL":  # by its standard EXIF does not turn it
            assert np.abs(load(data).rgb.astype(int) - x).mean() < 6
            continue
        picture = load(data)
        assert picture.notes[: kind != "MPO"] == ()
        assert picture.size == (W, H)
        assert np.abs(picture.rgb.astype(int) - smooth()).mean() < 6
        for other in range(1, 9):  # the control: no other way up would pass
            if other != orientation and STORED[other] in (0, 1, 3):
                assert np.abs(stored(smooth(), other).astype(int) - smooth()).mean() > 12


@pytest.mark.case("I15", "I18")
@pytest.mark.parametrize("kind", ["PNG", "PNG LA", "TIFF", "TIFF tiles", "TIFF deflate", "TIFF planes", "TIFF LA"])
def test_deep_pictures_are_turned_too(kind: str) -> None:
    channels = 2 if "LA" in kind else 3
    for orientation in range(1, 9):
        x = stored(deep(channels), orientation)
        if kind.startswith("PNG"):
            data = files.exif_of("PNG", png(x, 4 if channels == 2 else 2), files.exif(orientation))
        else:
            options: dict[str, object] = {"extratags": [(274, 3, 1, orientation, True)]}
            options |= {"photometric": "minisblack", "extrasamples": ("unassalpha",)} if channels == 2 else {}
            options |= {"TIFF tiles": {"tile": (16, 16)}, "TIFF deflate": {"compression": "zlib"}}.get(kind, {})
            if kind == "TIFF planes":
                x, options = np.ascontiguousarray(x.transpose(2, 0, 1)), options | {"planarconfig": "separate"}
            data = files.tiff(x, **options)
        wanted = deep(2)[..., [0, 0, 0, 1]] if channels == 2 else deep(3)
        assert np.array_equal(load(data).pixels, wanted)


@pytest.mark.case("I19")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "PIL"])
@pytest.mark.parametrize("name", files.BAD_EXIF)
def test_broken_exif_is_noted_and_the_picture_read(name: str, kind: str) -> None:
    data = saved(smooth(), "PNG" if kind == "PIL" else kind, **({"lossless": True} if kind == "WEBP" else {}))
    if kind == "WEBP":
        data = saved(smooth(), kind, exif=files.BAD_EXIF[name], lossless=True)
    else:
        data = files.exif_of("JPEG" if kind == "JPEG" else "PNG", data, files.BAD_EXIF[name])
    picture = load(Image.open(io.BytesIO(data)) if kind == "PIL" else data)
    assert picture.size == (W, H)
    assert np.abs(picture.rgb.astype(int) - smooth()).mean() < 6
    assert "EXIF" in picture.notes[0]


@pytest.mark.case("I19")
def test_of_two_exif_blocks_the_first_counts() -> None:
    jpeg = saved(stored(smooth(), 6), "JPEG", quality=95)
    twice = files.with_segment(files.with_segment(jpeg, 0xE1, files.exif(3)), 0xE1, files.exif(6))
    picture = load(twice)
    assert picture.size == (W, H)
    assert "several EXIF blocks" in picture.notes[0]
