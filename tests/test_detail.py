"""Detail given back: the original's texture in the edit's light, without halos, and with what only the edit has."""

import cv2
import numpy as np
import pytest
from conftest import EXAMPLES

from overpaint import decode, detail
from overpaint.fidelity import compare
from overpaint.picture import Picture, Pixels


def blurred(x: Pixels, sigma: float) -> Pixels:
    return cv2.GaussianBlur(x, (0, 0), sigma)


def as_picture(x: Pixels) -> Picture:
    return Picture((x.clip(0, 1) * 255 + 0.5).astype(np.uint8))


@pytest.fixture(scope="module")
def castle() -> Pixels:
    x = decode.load(EXAMPLES / "castle.jpg").flat()
    return cv2.resize(x, (384, 384), interpolation=cv2.INTER_AREA)


def test_none_is_the_edit_itself_and_little_changes_little(castle: Pixels) -> None:
    edit = blurred(castle, 3) * np.float32(0.5)
    assert detail.give_back(edit, castle, 0) is edit
    moved = [np.abs(detail.give_back(edit, castle, k) - edit).max() for k in (0.01, 0.1, 0.2)]
    assert moved[0] < 0.01
    assert moved[1:] == pytest.approx([10 * moved[0], 20 * moved[0]], rel=0.02)  # nothing is cut off here


@pytest.mark.parametrize(("a", "b"), [(1.0, 0.0), (0.5, 0.05), (0.7, 0.25), ((0.3, 0.35, 0.6), (0.0, 0.02, 0.1))])
def test_a_softened_recolouring_gets_its_texture_back(castle: Pixels, a: object, b: object) -> None:
    """What a network makes of light and colour, as if it had lost no texture."""
    sharp = castle * np.asarray(a, np.float32) + np.asarray(b, np.float32)
    soft = blurred(sharp, 2.5)
    out = detail.give_back(soft, castle, 1)
    before, after = (compare(as_picture(sharp), as_picture(x)) for x in (soft, out))
    assert after.ssim > before.ssim + 0.05
    assert min(after.ssim, after.edges, after.detail) > 0.85


def test_the_mean_colour_is_the_edits(castle: Pixels) -> None:
    edit = blurred(castle, 3) * np.array([0.3, 0.35, 0.6], np.float32)
    out = detail.give_back(edit, castle, 0.85)
    assert np.allclose(out.mean((0, 1)), edit.mean((0, 1)), atol=0.01)


def test_what_only_the_edit_has_stays(castle: Pixels) -> None:
    """A moon that the edit painted into an even sky."""
    night = blurred(castle, 3) * np.float32(0.3)
    with_moon = night.copy()
    cv2.circle(with_moon, (300, 60), 12, (0.9, 0.9, 0.8), -1)
    painted = (with_moon - night)[55:66, 295:306].mean()
    kept = (detail.give_back(with_moon, castle, 0.85) - detail.give_back(night, castle, 0.85))[55:66, 295:306].mean()
    assert kept > 0.6 * painted


def test_no_halo_at_a_skyline() -> None:
    """Bright sky over dark land becomes a dark sky over dark land: nothing glows along the edge."""
    noise = np.random.default_rng(0).normal(0, 0.01, (384, 384, 3)).astype(np.float32)
    original = np.full((384, 384, 3), 0.25, np.float32) + noise
    original[:190] += 0.6
    edit = np.full_like(original, 0.1)
    edit[:190] = 0.15
    edit = blurred(edit, 3)
    sky = detail.give_back(edit, original, 0.85)[150:188].mean((1, 2))  # rows above the edge
    sigma = 6 / 256 * 384
    laplacian = blurred(edit, sigma) + 0.85 * (original - blurred(original, sigma))  # Burt & Adelson's, as a control
    glow = np.abs(sky - 0.15).max()
    assert glow < 0.05
    assert np.abs(laplacian[150:188].mean((1, 2)) - 0.15).max() > 4 * glow


def test_a_large_picture_gets_what_a_small_one_gets(castle: Pixels) -> None:
    """Lines are fitted at one size, so that the look does not depend on the output's."""
    edit = blurred(castle, 3) * np.float32(0.5)
    large = [cv2.resize(x, (1152, 1152), interpolation=cv2.INTER_CUBIC) for x in (edit, castle)]
    out = cv2.resize(detail.give_back(*large, 0.85), (384, 384), interpolation=cv2.INTER_AREA)
    assert np.abs(out - detail.give_back(edit, castle, 0.85)).mean() < 0.005


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (5, 3), (1, 500), (2000, 3)])
def test_any_size(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    edit, original = (rng.random((size[1], size[0], 3), np.float32) for _ in range(2))
    out = detail.give_back(edit, original, 0.7)
    assert out.shape == edit.shape
    assert out.dtype == np.float32
    assert 0 <= out.min() <= out.max() <= 1


def test_flat_pictures_keep_the_edits_colour() -> None:
    edit, original = np.full((64, 64, 3), 0.2, np.float32), np.full((64, 64, 3), 0.8, np.float32)
    assert np.allclose(detail.give_back(edit, original, 1), edit, atol=1e-3)
