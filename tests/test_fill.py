"""What fills a hole: nothing outside it changes, and nothing of its old content is left."""

import time

import cv2
import numpy as np
import pytest
from conftest import EXAMPLES, random_picture
from PIL import Image

from overpaint.maps.fill import fill, spread
from overpaint.params import FILLS, FillName
from overpaint.picture import Pixels

MADE = [how for how in FILLS if how != "original"]


def picture(w: int = 96, h: int = 64, seed: int = 0) -> Pixels:
    return random_picture(w, h, seed).astype(np.float32) / 255


def disc(w: int = 96, h: int = 64, radius: int = 20) -> Pixels:
    y, x = np.mgrid[:h, :w]
    return (x - w // 2) ** 2 + (y - h // 2) ** 2 < radius**2


def speckled(share: float) -> Pixels:
    return np.random.default_rng(1).random((64, 96)) < share


HOLES = {
    "disc": disc(),
    "half": np.arange(96)[None].repeat(64, 0) >= 48,
    "one pixel": disc(radius=1),
    "all but one pixel": ~disc(radius=1),
    "every second row": np.arange(64)[:, None].repeat(96, 1) % 2 == 0,
    "specks": speckled(0.1),
    "nearly all": speckled(0.99),
}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("how", FILLS)
def test_outside_the_hole_nothing_changes(how: FillName, hole: Pixels) -> None:
    x = picture()
    before = x.copy()
    y = fill(x, hole, how)
    assert np.array_equal(x, before)
    assert y.dtype == np.float32
    assert np.array_equal(y[~hole], x[~hole])
    assert y.min() >= 0
    assert y.max() <= 1
    assert np.array_equal(y, x) == (how == "original")


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("how", MADE)
def test_nothing_of_the_old_content_is_left(how: FillName, hole: Pixels) -> None:
    x = picture()
    other = np.where(hole[..., None], picture(seed=1), x)
    worst = np.where(hole[..., None], np.float32(np.nan), x)
    assert not np.array_equal(fill(x, hole, "original"), fill(other, hole, "original"))
    assert np.array_equal(fill(x, hole, how), fill(other, hole, how))
    assert np.array_equal(fill(x, hole, how), fill(worst, hole, how))


@pytest.mark.parametrize("how", MADE)
def test_large_holes_leave_nothing_either(how: FillName) -> None:
    """Where telea works at a lower resolution."""
    x, hole = picture(400, 300), disc(400, 300, 110)
    near = fill(x * np.float32(0.1) + np.float32(0.6), hole, how)[hole]
    assert 0.599 < near.min() < near.max() < 0.701 or how == "noise"
    assert np.array_equal(fill(x, hole, how), fill(np.where(hole[..., None], 1, x), hole, how))


@pytest.mark.parametrize("how", FILLS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (96, 64)])
def test_a_hole_that_is_everything_is_grey(how: FillName, size: tuple[int, int]) -> None:
    x = picture(*size)
    y = fill(x, np.ones(x.shape[:2], bool), how)
    if how == "original":
        assert y is x
    elif how == "noise":
        assert x.shape[0] == 1 or x.shape[1] == 1 or abs(y.mean() - 0.5) < 0.01
        assert len(np.unique(y)) > 2
    else:
        assert (y == 0.5).all()


@pytest.mark.parametrize("how", FILLS)
def test_no_hole_is_no_change(how: FillName) -> None:
    x = picture()
    assert fill(x, np.zeros((64, 96), bool), how) is x


@pytest.mark.parametrize("how", ["blur", "colour", "telea"])
def test_a_hole_in_one_colour_gets_that_colour(how: FillName) -> None:
    x = np.full((64, 96, 3), (51 / 255, 0.6, 1), np.float32)
    broken = np.where(disc()[..., None], 0, x).astype(np.float32)
    assert np.allclose(fill(broken, disc(), how), x, atol=1e-3)


def test_blur_continues_a_gradient() -> None:
    """To the middle of a hole the surroundings come from all sides."""
    x = np.linspace(0, 1, 97, dtype=np.float32)[None, :, None].repeat(65, 0).repeat(3, 2)
    y = fill(x, disc(97, 65), "blur")
    assert y[32, 48] == pytest.approx(0.5, abs=0.02)
    assert abs(y - x).max() < 0.12  # the hole is 0.4 wide
    assert (np.diff(y[32, :, 0]) > -0.01).all()


def test_colour_is_the_mean_of_each_parts_own_ring() -> None:
    x = np.zeros((64, 192, 3), np.float32)
    x[:, 96:] = (0.25, 0.5, 1)
    hole = np.hstack([disc(), disc()])
    y = fill(x, hole, "colour")
    assert np.allclose(y[32, 48], 0)
    assert np.allclose(y[32, 144], (0.25, 0.5, 1))


def test_noise_is_like_its_surroundings_and_follows_the_seed() -> None:
    x = np.random.default_rng(5).normal(0.4, 0.1, (200, 200, 3)).astype(np.float32).clip(0, 1)
    hole = disc(200, 200, 60)
    y = fill(np.where(hole[..., None], 0, x).astype(np.float32), hole, "noise", seed=3)
    assert y[hole].mean() == pytest.approx(0.4, abs=0.01)
    assert y[hole].std() == pytest.approx(0.1, abs=0.01)
    assert np.array_equal(y, fill(x, hole, "noise", seed=3))
    assert not np.array_equal(y, fill(x, hole, "noise", seed=4))


def test_telea_is_opencvs() -> None:
    x = picture()
    planes = [np.ascontiguousarray((x[..., c] * 65535).round().astype(np.uint16)) for c in range(3)]
    theirs = np.dstack([cv2.inpaint(p, disc().astype(np.uint8), 3, cv2.INPAINT_TELEA) for p in planes])
    assert np.array_equal((fill(x, disc(), "telea") * 65535).round()[disc()], theirs[disc()])


def test_spread_keeps_the_known() -> None:
    x, weight = picture(), (~disc()).astype(np.float32)
    y = spread(x, weight)
    assert np.array_equal(y[weight == 1], x[weight == 1])
    assert x.min() - 1e-5 <= y.min() <= y.max() <= x.max() + 1e-5


@pytest.mark.parametrize("how", FILLS)
def test_half_of_a_512_picture_takes_a_moment(how: FillName) -> None:
    """Stated: below 0.3 s; measured 0.01 to 0.04. The best of three, for a machine that has other work."""
    x = np.asarray(Image.open(EXAMPLES / "castle.jpg").convert("RGB")).astype(np.float32) / 255
    hole = np.arange(512)[None].repeat(512, 0) >= 256
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        fill(x, hole, how)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.3
