"""The part of a picture that is worked on, and the canvas that grows beyond it."""

import numpy as np
import pytest
from conftest import random_picture
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from overpaint.card import Card
from overpaint.decode import load
from overpaint.errors import ParameterError
from overpaint.maps import growing as extending
from overpaint.maps.growing import EXTENDS, ExtendName, extend
from overpaint.maps.region import PADDING_MIN, Box, region_of
from overpaint.picture import Picture, Pixels

CARD = Card("test", native_size=64, size_multiple=16)
BIG = Card("test", native_size=512)


def mask(w: int, h: int, *boxes: tuple[int, int, int, int]) -> Pixels:
    """Black with white boxes (left, top, width, height)."""
    m = np.zeros((h, w), np.float32)
    for box in boxes:
        m[Box(*box).slices] = 0.5
    return m


@st.composite
def masks(draw: st.DrawFn) -> Pixels:
    w, h = draw(st.integers(1, 700)), draw(st.integers(1, 700))
    left, top = draw(st.integers(0, w - 1)), draw(st.integers(0, h - 1))
    return mask(w, h, (left, top, draw(st.integers(1, w - left)), draw(st.integers(1, h - top))))


@settings(max_examples=200, deadline=None)
@given(masks(), st.sampled_from(["auto", "mask"]), st.integers(0, 400))
def test_a_region_lies_inside_and_holds_all_that_changes(m: Pixels, mode: str, padding: int) -> None:
    box = region_of(m, mode, CARD.bucket_for, padding)  # type: ignore[arg-type]
    if box is None:
        return
    h, w = m.shape
    assert box.left >= 0
    assert box.top >= 0
    assert box.left + box.width <= w
    assert box.top + box.height <= h
    assert box.size != (w, h)
    assert m[box.slices].sum() == m.sum()


@settings(max_examples=200, deadline=None)
@given(masks(), st.integers(0, 400))
def test_a_region_has_its_buckets_shape_where_there_is_room(m: Pixels, padding: int) -> None:
    box = region_of(m, "mask", CARD.bucket_for, padding)
    assume(box is not None)
    assert box is not None
    h, w = m.shape
    bw, bh = CARD.bucket_for(*box.size)
    if box.width < w and box.height < h:
        assert abs(box.width * bh - box.height * bw) <= max(bw, bh)  # a pixel at most
        assert box.width >= bw
        assert box.height >= bh


@settings(max_examples=200, deadline=None)
@given(masks())
def test_a_region_has_its_padding_where_there_is_room(m: Pixels) -> None:
    box = region_of(m, "mask", CARD.bucket_for)
    assume(box is not None)
    assert box is not None
    h, w = m.shape
    rows, columns = np.flatnonzero(m.any(1)), np.flatnonzero(m.any(0))
    each = max(PADDING_MIN, round(0.25 * max(len(rows), len(columns))))
    if box.width < w and box.height < h:
        assert rows[0] - box.top >= min(each, rows[0])
        assert columns[0] - box.left >= min(each, columns[0])
        assert box.top + box.height - 1 - rows[-1] >= min(each, h - 1 - rows[-1])
        assert box.left + box.width - 1 - columns[-1] >= min(each, w - 1 - columns[-1])


def test_a_tiny_mask_is_worked_at_one_to_one() -> None:
    m = mask(4000, 3000, (2000, 1000, 10, 10))
    assert region_of(m, "auto", BIG.bucket_for) == Box(1749, 749, 512, 512)
    assert region_of(mask(4000, 3000, (0, 2990, 10, 10)), "auto", BIG.bucket_for) == Box(0, 2488, 512, 512)


def test_a_larger_mask_gets_a_quarter_around_it() -> None:
    m = mask(4000, 3000, (1000, 1000, 800, 800))
    assert region_of(m, "mask", BIG.bucket_for) == Box(800, 800, 1200, 1200)
    assert region_of(m, "mask", BIG.bucket_for, padding=800) == Box(200, 200, 2400, 2400)
    assert region_of(m, "mask", BIG.bucket_for, padding=0) == Box(1000, 1000, 800, 800)


def test_padding_gives_way_before_shape() -> None:
    m = mask(4000, 1000, (1000, 50, 900, 900))
    assert region_of(m, "mask", lambda w, h: (512, 512)) == Box(950, 0, 1000, 1000)


def test_auto_takes_the_whole_where_a_crop_gains_little() -> None:
    bucket_for = BIG.bucket_for
    small, half, most = ((10, 10, 40, 40), (100, 100, 800, 800), (20, 20, 1500, 1200))
    assert region_of(mask(2000, 1600, small), "auto", bucket_for) is not None
    assert region_of(mask(2000, 1600, half), "auto", bucket_for) is not None
    assert region_of(mask(2000, 1600, most), "auto", bucket_for) is None
    assert region_of(mask(2000, 1600, most), "mask", bucket_for) is not None
    assert region_of(mask(512, 512, small), "auto", bucket_for) is None  # no larger than the working size
    assert region_of(mask(2000, 1600, small, (1900, 1500, 40, 40)), "auto", bucket_for) is None


def test_whole_and_nothing_are_none() -> None:
    assert region_of(mask(2000, 1600, (10, 10, 40, 40)), "whole", BIG.bucket_for) is None
    assert region_of(mask(2000, 1600), "mask", BIG.bucket_for) is None
    assert region_of(np.ones((1600, 2000), np.float32), "mask", BIG.bucket_for) is None


# ---- the canvas of outpainting ---------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.tuples(*[st.integers(0, 70)] * 4).filter(any),
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.sampled_from(EXTENDS),
    st.sampled_from([3, 4]),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(0, 40),
)
def test_a_grown_picture_keeps_its_pixels(
    grow: tuple[int, ...], size: tuple[int, int], how: ExtendName, channels: int, kind: type, overlap: int
) -> None:
    pixels = random_picture(*size, channels=channels).astype(kind)
    picture = load(pixels * 257 if kind == np.uint16 else pixels)
    (w, h), (left, top, right, bottom) = size, grow
    grown, m = extend(picture, left, top, right, bottom, how, overlap)
    inner = Box(left, top, w, h).slices
    assert grown.size == (w + left + right, h + top + bottom)
    assert grown.rgb.dtype == kind
    assert np.array_equal(grown.pixels[inner], picture.pixels)
    assert m.shape == grown.rgb.shape[:2]
    assert m.dtype == np.float32
    new = np.ones(m.shape, bool)
    new[inner] = False
    assert (m[new] == 1).all()
    assert (m[~new] < 1).all()
    if overlap == 0:
        assert (m[~new] == 0).all()
    if grown.alpha is not None:
        assert (grown.alpha[new] == grown.peak).all()


def test_the_overlap_is_a_smoothstep_into_the_original() -> None:
    _, m = extend(Picture(random_picture(40, 30)), right=10, overlap=9)
    d = np.arange(1, 10) / 10
    assert np.allclose(m[:, 39:30:-1], 1 - (3 * d**2 - 2 * d**3), atol=1e-6)
    assert (m[:, :31] == 0).all()
    _, m = extend(Picture(random_picture(40, 30)), left=5, top=5, overlap=3)
    assert m[5 + 20, 5 + 1] == m[5 + 1, 5 + 20] == m[5 + 1, 5 + 1]
    assert (m[8:, 8:] == 0).all()


def test_reflection_is_repeated() -> None:
    picture = Picture(np.arange(4, dtype=np.uint8)[None, :, None].repeat(2, 0).repeat(3, 2))
    grown, _ = extend(picture, left=2, right=8)
    assert grown.rgb[0, :, 0].tolist() == [2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1]


def test_smearing_draws_the_edge_on_with_growing_blur() -> None:
    x = np.random.default_rng(0).integers(0, 256, (200, 8, 3), np.uint8)
    grown, _ = extend(Picture(x), right=128, how="smear")
    rough = grown.rgb[:, 8:].astype(float).std((0, 2))
    assert abs(grown.rgb[:, 8].astype(int) - x[:, -1]).max() < 80
    assert (np.diff(rough) < 0.2).all()
    assert rough[-1] < 20 < 50 < rough[0]
    flat = Picture(np.full((5, 6, 3), (3, 200, 255), np.uint8))
    assert np.array_equal(np.unique(extend(flat, 9, 9, 9, 9, "smear")[0].rgb.reshape(-1, 3), axis=0), [[3, 200, 255]])


def test_new_pixels_show_what_was_seen_through_transparency() -> None:
    hidden = Picture(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8))
    grown, _ = extend(hidden, left=3)
    assert (grown.pixels[:, :3] == 255).all()
    assert (grown.pixels[:, 3:] == 0).all()


@pytest.mark.parametrize(
    ("sides", "name", "says"),
    [
        ({"left": -1}, "left", "-1"),
        ({"top": 1.5}, "top", "whole"),
        ({"bottom": True}, "bottom", "whole"),
        ({}, "left", "above 0"),
        ({"left": 5, "right": 16384}, "right", "16384"),
        ({"top": 16400}, "top", "16384"),
        ({"left": 9000, "bottom": 12000}, "bottom", "100,000,000"),
        ({"left": 1, "overlap": -2}, "overlap", "-2"),
        ({"left": 1, "how": "mirror"}, "how", "reflect"),
    ],
)
def test_what_cannot_be_grown(sides: dict[str, int], name: str, says: str) -> None:
    with pytest.raises(ParameterError, match=says) as error:
        extend(Picture(random_picture(8, 8)), **sides)  # type: ignore[arg-type]
    assert error.value.name == name


def test_the_largest_picture_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extending, "MAX_PIXELS", 100)
    assert extend(Picture(random_picture(5, 5)), right=5, bottom=5)[0].size == (10, 10)
    with pytest.raises(ParameterError, match="100"):
        extend(Picture(random_picture(5, 5)), right=5, bottom=6)
