"""Pictures in and out: what is read, how it is fitted, what is written."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import random_picture
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from overpaint import images
from overpaint.decode import load
from overpaint.errors import DiskFullError, OutputError
from overpaint.images import Picture
from overpaint.params import FITS
from overpaint.sheet import Panel, sheet, side_by_side

RGB = random_picture(37, 23)
RGBA = random_picture(37, 23, channels=4)


def png(pixels: images.Pixels) -> bytes:
    return images.encode(pixels, "PNG")


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.sampled_from(FITS))
def test_fit_has_the_size_asked_for(w: int, h: int, W: int, H: int, how: str) -> None:
    picture = load(random_picture(w, h, channels=4))
    fitted = images.fit(picture, (W, H), how)  # type: ignore[arg-type]
    assert fitted.size == (W, H)
    assert fitted.rgb.dtype == np.uint8
    assert fitted.alpha is not None
    assert fitted.alpha.shape == (H, W)


def test_fit_crop_keeps_the_middle_and_pad_repeats_the_edge() -> None:
    picture = Picture(np.repeat(np.arange(30, dtype=np.uint8)[None, :, None], 10, 0).repeat(3, 2))  # 30 x 10
    assert images.fit(picture, (10, 10), "crop").rgb[0, :, 0].tolist() == list(range(10, 20))
    padded = images.fit(picture, (30, 20), "pad").rgb[..., 0]
    assert (padded[0] == padded[5]).all()
    assert images.fit(picture, (30, 10), "crop") is picture


@given(st.integers(1, 99), st.integers(1, 99), st.integers(8, 99), st.integers(8, 99))
def test_padding_is_undone(w: int, h: int, W: int, H: int) -> None:
    inner = images.inner_size((w, h), (W, H))
    assert inner[0] <= W
    assert inner[1] <= H
    assert inner[0] == W or inner[1] == H
    x = random_picture(*inner)
    assert np.array_equal(images.cut_middle(images.pad_from_edge(x, (W, H)), inner), x)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tiff"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_save_and_read_again(tmp_path: Path, name: str, channels: int, kind: type) -> None:
    pixels = random_picture(20, 10, channels=channels).astype(kind) * (257 if kind is np.uint16 else 1)
    images.save(pixels, tmp_path / name)
    with Image.open(tmp_path / name) as im:
        again = np.asarray(im)
    assert again.shape[:2] == (10, 20)
    if not name.endswith("jpg"):
        assert np.array_equal(again.astype(int), pixels >> 8 if kind is np.uint16 else pixels)
        assert again.shape[2] == channels


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.png"
    images.save(RGB, target)
    before = target.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFullError, match="No space left on device"):
        images.save(255 - RGB, target)
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_the_name_is_given_when_the_data_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync of the file, rename, fsync of its folder: in this order (restic's)."""
    seen: list[tuple[str, str]] = []
    fsync, replace = os.fsync, Path.replace
    target = tmp_path / "a.png"

    def told_fsync(descriptor: int) -> None:
        seen.append(("fsync", "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"))
        assert target.exists() == (len(seen) == 3)
        fsync(descriptor)

    def told_replace(self: Path, to: Path) -> Path:
        seen.append(("rename", to.name))
        assert self.parent == to.parent
        return replace(self, to)

    monkeypatch.setattr("os.fsync", told_fsync)
    monkeypatch.setattr(Path, "replace", told_replace)
    images.save(RGB, target)
    assert seen == [("fsync", "file"), ("rename", "a.png"), ("fsync", "folder")]


def test_an_interrupt_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        images.save(RGB, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_many_writers_in_one_folder(tmp_path: Path) -> None:
    names = [f"{i % 5}.png" for i in range(60)]  # twelve writers of each name
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: images.save(RGB, tmp_path / name), names))
    assert {p.name for p in tmp_path.iterdir()} == set(names)
    assert all(np.array_equal(load(p).rgb, RGB) for p in tmp_path.iterdir())


def test_permissions_are_the_umasks(tmp_path: Path) -> None:
    was = os.umask(0o027)
    try:
        images.save(RGB, tmp_path / "a.png")
    finally:
        os.umask(was)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o640


def test_only_plain_files_are_written_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png"):
        with pytest.raises(OutputError, match="is in the way"):
            images.save(RGB, tmp_path / name)


def test_a_side_too_long_for_a_format_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="16384x1 pixels cannot be written as WEBP, PNG can"):
        images.save(np.zeros((1, 16384, 3), np.uint8), tmp_path / "a.webp")


def test_soft_alpha_brings_no_fringe() -> None:
    """What is laid over white and taken apart again is what it was, where it can be seen; nothing hidden leaks."""
    clear = random_picture(40, 30, channels=4)
    picture = load(clear)
    again = picture.with_flat(picture.flat())
    seen = clear[..., 3] > 0
    error = np.abs(again.rgb.astype(int) - picture.rgb)[seen] * (clear[seen][:, 3:] / 255)
    assert error.max() <= 1
    shadow = load(np.full((4, 4, 4), (0, 0, 0, 77), np.uint8))  # black, three tenths opaque
    assert shadow.with_flat(shadow.flat()).rgb.max() <= 1
    hidden = np.zeros((20, 20, 4), np.uint8)
    hidden[:, :10] = (255, 0, 0, 0)  # red that is not seen
    hidden[:, 10:] = (0, 0, 255, 255)
    small = images.fit(load(hidden), (7, 7), "stretch")
    assert small.alpha is not None
    assert small.rgb[..., 0][small.alpha > 2].max() <= 1


def test_digests_tell_pixels_apart() -> None:
    digests = [
        load(x).digest
        for x in (RGB, RGB[::-1], RGB.transpose(1, 0, 2), RGBA, RGB.astype(np.uint16), RGB.astype(np.uint16) * 257)
    ]
    assert len(set(digests)) == 6
    assert load(png(RGB)).digest == digests[0]
    assert load(np.asfortranarray(RGB)).digest == digests[0]


def test_16_bit_png_keeps_all_bits(tmp_path: Path) -> None:
    import cv2

    deep = np.arange(20 * 10 * 3, dtype=np.uint16).reshape(10, 20, 3) * 109
    images.save(deep, tmp_path / "deep.png")
    again = cv2.imread(str(tmp_path / "deep.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(again[..., ::-1], deep)


@pytest.mark.parametrize("name", ["a.gif", "a", "missing/\0/a.png"])
def test_what_cannot_be_written_is_an_output_error(tmp_path: Path, name: str) -> None:
    with pytest.raises((OutputError, ValueError)):
        images.save(RGB, tmp_path / name)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        images.save(RGB, tmp_path / "file" / "a.png")


def test_sheets_hold_their_pictures() -> None:
    red, blue = (Image.new("RGB", (64, 32), c) for c in ("red", "blue"))
    page = sheet([[Panel(red, "red", "a note that is long enough to be wrapped"), Panel(blue, "blue")]], width=64)
    assert page.getpixel((20, 20)) == (255, 0, 0)
    assert page.getpixel((100, 20)) == (0, 0, 255)
    assert side_by_side([red, blue]).size == (138, 32)
