"""An edit laid over its original: exact where nothing was to change, and without a seam."""

import time

import cv2
import numpy as np
import pytest
from conftest import EXAMPLES, random_picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from overpaint.maps.blend import composite, match_colour, opacity, seam
from overpaint.picture import Pixels

CASTLE = np.asarray(Image.open(EXAMPLES / "castle.jpg").convert("RGB"))
Y, X = np.mgrid[:512, :512]
DISC = ((Y - 200) ** 2 + (X - 260) ** 2 < 110**2).astype(np.float32)
CORNER = ((Y > 300) & (X < 220)).astype(np.float32)
FRAME = 1 - ((Y > 90) & (Y < 430) & (X > 80) & (X < 440)).astype(np.float32)
MASKS = {"disc": DISC, "corner": CORNER, "frame": FRAME, "two": np.maximum(DISC, CORNER)}


def textured(seed: int = 0) -> Pixels:
    rng = np.random.default_rng(seed)
    return (random_picture(512, 512, seed) / 255 * 0.4 + 0.2 + rng.normal(0, 0.03, (512, 512, 3))).astype(np.float32)


def offset(x: Pixels, m: Pixels, by: float = 0.15) -> Pixels:
    return np.where(m[..., None] > 0, (x + by).clip(0, 1), x).astype(np.float32)


# ---- opacity ---------------------------------------------------------------------------------------------------------


def test_a_soft_map_is_strength_not_opacity() -> None:
    m = np.linspace(0, 1, 101, dtype=np.float32)[None].repeat(7, 0)
    o = opacity(m, 8)
    assert o.dtype == np.float32
    assert (o[:, 0] == 0).all()
    assert o[0, 5] == pytest.approx(0.5)
    assert (o[:, 10:] == 1).all()
    assert (np.diff(o[0, :11]) > 0).all()


@pytest.mark.parametrize("width", [1, 4, 16.5])
def test_a_hard_mask_is_blended_inside_its_white_side(width: float) -> None:
    m = np.zeros((40, 100), np.float32)
    m[:, 30:] = 1  # touches three of the picture's borders, which are no edges
    o = opacity(m, width)
    d = (np.arange(30, 100) - 29) / width
    expected = np.where(d < 1, 3 * d**2 - 2 * d**3, 1)
    assert (o[:, :30] == 0).all()
    assert np.allclose(o[:, 30:], expected, atol=1e-6)
    assert (o[:, 30:][:, d >= 1] == 1).all()


def test_distance_is_euclidean() -> None:
    m = np.ones((41, 41), np.float32)
    m[20, 20] = 0
    o = opacity(m, 10)
    assert o[23, 24] == pytest.approx(0.5, abs=1e-6)  # 3, 4, 5
    assert o[0, 0] == 1


def test_without_an_edge_all_or_nothing_is_seen() -> None:
    assert (opacity(np.ones((5, 9), np.float32), 8) == 1).all()
    assert (opacity(np.zeros((5, 9), np.float32), 8) == 0).all()
    assert np.array_equal(opacity(DISC, 0), DISC)


def test_a_hard_mask_in_grey_is_a_hard_mask() -> None:
    assert np.array_equal(opacity(DISC * np.float32(0.5), 8), opacity(DISC, 8))


# ---- composite -------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.sampled_from([np.uint8, np.uint16]), st.sampled_from([3, 4]), st.integers(0, 2**32 - 1))
def test_composite_is_the_rounded_mix(kind: type, channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    peak = np.iinfo(kind).max
    a, b = (rng.integers(0, peak, (9, 13, channels), kind, endpoint=True) for _ in range(2))
    o = (rng.integers(-2, 7, (9, 13)) / 4).clip(0, 1).astype(np.float32)
    before = a.copy()
    out = composite(a, b, o)
    mix = a + o[..., None].astype(np.float64) * (b.astype(np.float64) - a)
    assert out.dtype == kind
    assert np.array_equal(a, before)
    assert np.array_equal(out, np.floor(mix + 0.5).astype(kind))


def test_composite_keeps_the_original_exact() -> None:
    o = opacity(DISC, 12)
    out = composite(CASTLE, 255 - CASTLE, o)
    assert np.array_equal(out[DISC == 0], CASTLE[DISC == 0])
    assert np.array_equal(out[o == 1], 255 - CASTLE[o == 1])
    assert composite(CASTLE, 255 - CASTLE, np.zeros_like(o)) is CASTLE


# ---- colours and seams -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("by", [0.15, -0.15])
def test_a_cast_leaves_no_seam(m: Pixels, by: float) -> None:
    for x in (textured(), CASTLE.astype(np.float32) / 255):
        edit = offset(x, m, by)
        matched = match_colour(edit, x, m)
        assert seam(x, m) == pytest.approx(1, abs=0.2)
        assert seam(edit, m) > 1.8
        assert seam(matched, m) <= 1.25
        assert matched.dtype == np.float32
        assert np.array_equal(matched[m == 0], edit[m == 0])


def test_a_cast_that_changes_along_the_rim_leaves_no_seam() -> None:
    x = textured()
    cast = (0.35 * np.sin(X / 60) * np.cos(Y / 60))[..., None] * np.float32([1, -1, 0.5])
    edit = np.where(DISC[..., None] > 0, x + cast, x).clip(0, 1).astype(np.float32)
    assert seam(edit, DISC) > 1.5
    assert seam(match_colour(edit, x, DISC), DISC) <= 1.25


def test_the_middle_keeps_its_own_colours() -> None:
    x = textured()
    edit = offset(x, DISC)
    deep = (Y - 200) ** 2 + (X - 260) ** 2 < 70**2  # 40 from the rim
    assert np.array_equal(match_colour(edit, x, DISC, reach=38)[deep], edit[deep])
    assert not np.allclose(match_colour(edit, x, DISC, reach=80)[deep], edit[deep], atol=0.02)
    near = (DISC > 0) & ((Y - 200) ** 2 + (X - 260) ** 2 > 108**2)
    assert np.mean(match_colour(edit, x, DISC, reach=38)[near] - x[near]) == pytest.approx(0, abs=0.01)


def test_matching_reads_neither_the_old_content_nor_the_edit_outside() -> None:
    x = textured()
    edit = offset(x, DISC)
    hole = DISC[..., None] > 0
    plain = match_colour(edit, x, DISC)
    assert np.array_equal(plain, match_colour(edit, np.where(hole, 0.9, x).astype(np.float32), DISC))
    elsewhere = match_colour(np.where(hole, edit, 0.9).astype(np.float32), x, DISC)
    assert np.array_equal(plain[DISC > 0], elsewhere[DISC > 0])


def test_an_edit_that_fits_is_left_nearly_alone() -> None:
    """On a ramp too: the two sides' means lie a few pixels apart, and are drawn on to the edge."""
    ramp = (X / 600)[..., None].repeat(3, 2).astype(np.float32)
    assert abs(match_colour(ramp, ramp, DISC) - ramp).max() < 0.5 / 255
    x = textured()
    assert np.sqrt(np.mean((match_colour(x, x, DISC) - x)[DISC > 0] ** 2)) < 0.01


def test_nothing_to_match() -> None:
    x = textured()
    for m in (np.zeros_like(DISC), np.ones_like(DISC)):
        assert match_colour(x, x, m) is x
        assert seam(x, m) == 1
    assert match_colour(x, x, DISC, reach=0) is x


def test_seam_measures_the_step() -> None:
    """On a checkerboard whose every step is 0.1 an edge of 0.3 is three times as much, whatever the type."""
    board = (np.indices((64, 64)).sum(0) % 2 * 0.1)[..., None].repeat(3, 2)
    m = np.zeros((64, 64), np.float32)
    m[:, 32:] = 1
    x = (board + 0.2 * m[..., None]).astype(np.float32)
    assert seam(x, m) == pytest.approx((0.3 + 0.1) / 2 / 0.1)
    assert seam((x * 65535).round().astype(np.uint16), m) == pytest.approx(2, abs=1e-3)
    assert seam(np.full((64, 64, 3), 200, np.uint8), m) == 0


def test_twelve_megapixels_with_a_small_mask_are_quick() -> None:
    """Measured about 0.4 s; only the mask's surroundings are worked on. The best of three."""
    x = np.zeros((3000, 4000, 3), np.float32)
    m = np.zeros((3000, 4000), np.float32)
    m[1000:1600, 2000:2600] = 1
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        match_colour(x, x, m)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1.5


def test_large_holes_are_matched_at_a_lower_resolution() -> None:
    x = cv2.resize(textured(), (2200, 700), interpolation=cv2.INTER_CUBIC)
    x = (x + np.random.default_rng(0).normal(0, 0.03, x.shape)).astype(np.float32)
    m = np.zeros((700, 2200), np.float32)
    m[100:600, 40:2160] = 1
    edit = offset(x, m)
    assert seam(edit, m) > 1.8
    assert seam(match_colour(edit, x, m), m) <= 1.25
