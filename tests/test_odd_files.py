"""Odd and hostile files: group I of the project's list of bad input, through the one decoder.

Every file ends in a picture or in an ``ImageError``, soon and in bounded memory; and the picture is the right one.
"""

import io
import json
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path

import corpus as files
import numpy as np
import pytest
from corpus import H, W, broken, corpus, png, refused, saved, smooth
from PIL import EpsImagePlugin, GifImagePlugin, Image, ImageFile

from overpaint.decode import load, open_header, source
from overpaint.errors import ImageError
from overpaint.maps import load_map, openai_map

LIMIT = 10  # times the second that the list allows: machines are noisy


def in_process(code: str, **given: object) -> tuple[dict[str, float], str]:
    """(what it has printed as JSON, its stderr) of code run alone; ``peak()`` there is the MB it grew by at most."""
    head = f"""
import sys, json; sys.path.insert(0, {str(Path(__file__).parent)!r})
from corpus import *
from overpaint.decode import load
from overpaint.errors import ImageError
given = json.loads({json.dumps(given)!r})
def kb(key): return int(next(x for x in open("/proc/self/status") if x.startswith(key)).split()[1])
load(corpus()["PNG RGB"]), load(corpus()["JPEG RGB"])
open("/proc/self/clear_refs", "w").write("5")
before = kb("VmRSS")
def peak(): return (kb("VmHWM") - before) / 1024
"""
    done = subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


# ---- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.case("I17", "I19", "I21", "I22", "I26", "I32")
@pytest.mark.parametrize("name", corpus())
def test_every_odd_file_becomes_a_picture(name: str) -> None:
    picture = load(corpus()[name])
    assert picture.rgb.ndim == 3
    assert picture.rgb.shape[2] == 3
    assert picture.rgb.dtype in (np.uint8, np.uint16)
    assert picture.alpha is None or picture.alpha.shape == picture.rgb.shape[:2]


@pytest.mark.case("I02", "I04", "I05", "I08", "I09", "I10", "I23", "I24", "I32")
@pytest.mark.parametrize("name", broken())
def test_every_broken_file_is_refused(name: str) -> None:
    begin = time.monotonic()
    assert len(refused(broken()[name])) > 20
    assert time.monotonic() - begin < LIMIT


LARGE = {"PNG 2^31-1 wide", "PNG 1x20000", "PNG 15000x15000", "GIF frame of 131070", "WEBP 16383x16383"}
LARGE |= {"TIFF 15000x15000"}
STRANGE = {*files.STRANGERS, "random bytes", "TIFF NEF", "TIFF DNG"}


@pytest.mark.case("I01", "I02", "I03", "I06", "I25")
def test_errors_say_for_programs_what_is_wrong() -> None:
    """And what is put before the words of one keeps that."""
    for name, data in broken().items():
        kind = "too_large" if name in LARGE else "format" if name in STRANGE else "unusable"
        for read in (load, lambda data: load_map(data, (W, H)), lambda data: openai_map(data, (W, H))):
            with pytest.raises(ImageError) as caught:
                read(data)
            assert caught.value.kind == ("empty" if name == "empty" else kind), name
    assert broken().keys() >= LARGE | STRANGE
    with pytest.raises(ImageError) as caught:
        load(np.zeros((1, 20_000, 3), np.uint8))
    assert caught.value.kind == "too_large"


@pytest.mark.case("I33")
def test_mutated_files_end_in_a_picture_or_an_image_error() -> None:
    """Ten random bytes changed, five seeds, and cut at three places: nothing else is raised, none takes long."""
    found, _ = in_process("""
import time
worst, ends, wrong = 0, {"picture": 0, "refused": 0}, []
for name, data in corpus().items():
    tries = [data[: len(data) * i // 4] for i in (1, 2, 3)]
    for seed in range(5):
        rng = np.random.default_rng(seed)
        bad = bytearray(data)
        for place in rng.integers(0, len(bad), 10):
            bad[place] ^= int(rng.integers(1, 256))
        tries.append(bytes(bad))
    for i, bad in enumerate(tries):
        begin = time.monotonic()
        try:
            assert load(bad).rgb.ndim == 3
            ends["picture"] += 1
        except ImageError:
            ends["refused"] += 1
        except Exception as e:
            wrong.append(f"{name} {i}: {type(e).__name__} {e}")
        worst = max(worst, time.monotonic() - begin)
print(json.dumps({**ends, "worst": worst, "peak": peak(), "wrong": wrong}))
""")
    print(found)
    assert not found["wrong"]
    assert found["worst"] < 5
    assert found["peak"] < 600
    assert min(found["picture"], found["refused"]) > 100  # it is a test of both


@pytest.mark.case("I32")
def test_sound_files_leave_nothing_on_standard_error() -> None:
    _, said = in_process("""
for data in corpus().values(): load(data)
print("{}")
""")
    assert said == ""


@pytest.mark.case("I34")
def test_the_same_bytes_in_many_threads_are_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    held = list(warnings.filters)
    names = ["JPEG Adobe RGB", "PNG16 P3", "moving GIF", "JPEG EXIF garbage", "tifffile < planes", "JPEG CMYK ICC"]
    once = {name: load(corpus()[name]) for name in names}
    wrong: list[str] = []

    def work() -> None:
        for name in names * 3:
            if not np.array_equal(load(corpus()[name]).pixels, once[name].pixels):
                wrong.append(name)
            with suppress(ImageError):
                load(broken()["JPEG cut at 0.9"])
                wrong.append("half a picture")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    assert list(warnings.filters) == held


# ---- what is no picture ----------------------------------------------------------------------------------------------


@pytest.mark.case("I01")
def test_nothing_at_all_is_called_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overpaint.decode.header.open_bytes", lambda *_: pytest.fail("a decoder was asked"))
    (tmp_path / "a.png").touch()
    assert "a.png is empty" in refused(tmp_path / "a.png")
    assert "is empty" in refused(b"")
    assert "already read to its end" in refused(io.BytesIO(b""))


@pytest.mark.case("I02", "I03")
@pytest.mark.parametrize("name", files.STRANGERS)
def test_strangers_are_named(name: str, tmp_path: Path) -> None:
    data, word = files.STRANGERS[name]
    (tmp_path / "a.png").write_bytes(data)
    message = refused(tmp_path / "a.png")
    assert "a.png is " in message
    assert word in message.split(";")[0]
    assert "PNG, JPEG" in message


@pytest.mark.case("I02")
def test_a_name_has_no_say(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(corpus()["PNG RGB"])
    assert np.array_equal(load(tmp_path / "a.txt").rgb, smooth())
    assert "not a picture" in refused(np.random.default_rng(1).bytes(1024))


@pytest.mark.case("I03")
def test_ghostscript_is_never_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gs").write_text(f"#!/bin/sh\necho ran > {tmp_path}/sentinel\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    eps, _ = files.STRANGERS["EPS"]
    assert "PostScript" in refused(eps)
    assert not (tmp_path / "sentinel").exists()
    with suppress(Exception):
        Image.open(io.BytesIO(eps)).load()  # the control: Pillow does start it
    assert (tmp_path / "sentinel").exists()


@pytest.mark.case("I25")
@pytest.mark.parametrize(("kind", "module"), [("HEIF", "pillow_heif"), ("JXL", "pillow_jxl")])
def test_heic_and_jpeg_xl_need_the_extra(kind: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = files.extra_file(kind, smooth())
    picture = load(data)
    assert np.abs(picture.rgb.astype(int) - smooth()).mean() < 6
    for name in [m for m in sys.modules if m.split(".")[0] == module]:
        monkeypatch.setitem(sys.modules, name, None)
    message = refused(data)
    assert {"HEIF": "HEIC", "JXL": "JPEG XL"}[kind] in message
    assert "pip install 'overpaint[formats]'" in message


@pytest.mark.case("I08", "I25")
def test_jpeg_xl_says_its_size_before_it_is_read() -> None:
    """Its decoder reads all pixels when it opens a file, so the header is read by ourselves."""
    from overpaint.decode.sniff import claimed_size

    for w, h in ((8, 8), (16, 16), (37, 23), (600, 40), (40, 600), (1200, 900), (256, 256)):
        x = np.zeros((h, w, 3), np.uint8)
        for options in ({}, {"use_container": True}):
            assert claimed_size("JXL", files.extra_file("JXL", x, effort=1, **options)) == (w, h)
    huge = b"\xff\x0a" + (0 | 3 << 1 | 29_999 << 3 | 1 << 33).to_bytes(14, "little")  # 30000 rows, as wide as high
    assert "30000x30000 = 900 megapixels" in refused(huge)


# ---- bombs and bytes -------------------------------------------------------------------------------------------------


@pytest.mark.case("I06", "I07")
@pytest.mark.parametrize("side", [30_000, 13_000])
def test_bombs_are_refused_in_little_memory(side: int, tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(files.blank_png(side, side))
    found, _ = in_process(
        """
try: load(given["path"])
except ImageError as e: message, growth = str(e), peak()
load(saved(Image.new("RGB", (4000, 4000)), "PNG"))
print(json.dumps({"message": message, "peak": growth, "of 16 megapixels": peak()}))
""",
        path=str(tmp_path / "bomb.png"),
    )
    print(found)
    assert f"{side}x{side} = {side * side / 1e6:.0f} megapixels, at most 100 are taken" in str(found["message"])
    assert found["peak"] < 50
    assert found["of 16 megapixels"] > 50  # the control: memory that is used is seen


@pytest.mark.case("I07")
def test_other_peoples_limits_neither_help_nor_hinder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert "225 megapixels" in refused(broken()["PNG 15000x15000"])
    assert "131070x131070 = 17179 megapixels" in refused(broken()["GIF frame of 131070"])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    assert np.array_equal(load(corpus()["PNG RGB"]).rgb, smooth())
    assert "PIL.Image.MAX_IMAGE_PIXELS" in refused(corpus()["TIFF RGB"])
    assert Image.MAX_IMAGE_PIXELS == 400


@pytest.mark.case("I06", "I10")
def test_blocks_that_unfold_to_much_take_little() -> None:
    found, _ = in_process("""
for name in ("PNG text bomb", "PNG ICC bomb"):
    try: load(broken()[name])
    except ImageError: pass
load(with_chunk(png(smooth(3), 2), b"eXIf", b"II*\\0\\x08\\0\\0\\0" + bytes(9 << 20)))
print(json.dumps({"peak": peak()}))
""")
    print(found)
    assert found["peak"] < 100


@pytest.mark.case("I10")
def test_a_huge_profile_is_left_out_with_a_note() -> None:
    picture = load(saved(smooth(), "TIFF", icc_profile=bytes(20 << 20)))
    assert np.array_equal(picture.rgb, smooth())
    assert "21 MB, at most 17" in picture.notes[0]


class Endless(io.RawIOBase):
    """A PNG's first bytes, and then zeros for ever."""

    def __init__(self, head: bytes) -> None:
        self.head, self.given = head, 0

    def read(self, n: int = -1) -> bytes:
        assert n > 0, "all of it was asked for at once"
        self.given += n
        piece, self.head = self.head[:n], self.head[n:]
        return piece.ljust(n, b"\0")


@pytest.mark.case("I10", "I32")
def test_no_more_than_the_stated_bytes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "sparse.png").open("wb") as f:
        f.write(corpus()["PNG RGB"])
        f.truncate(source.MAX_BYTES + 1)
    assert "larger than 1,073,741,824 bytes" in refused(tmp_path / "sparse.png")
    assert "not a picture" in refused("/dev/zero")  # by its first bytes; it has no end
    monkeypatch.setattr(source, "MAX_BYTES", 3 << 20)
    endless = Endless(corpus()["PNG RGB"])
    assert "larger than" in refused(endless)
    assert endless.given <= 5 << 20
    assert "larger than" in refused(bytes(source.MAX_BYTES + 1))
    assert "larger than" in refused(memoryview(bytearray(source.MAX_BYTES + 1)))


@pytest.mark.case("I32")
def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.png")
    assert "Is a directory" in refused(tmp_path)
    assert "null" in refused("a\0b.png")
    (tmp_path / "a.png").write_bytes(corpus()["PNG RGB"])
    with (tmp_path / "a.png").open(encoding="latin-1") as text:
        assert "open it with mode 'rb'" in refused(text)
    with (tmp_path / "a.png").open("rb") as f:
        assert np.array_equal(load(f).rgb, smooth())
        assert "already read to its end" in refused(f)
    assert "closed file" in refused(f)
    assert "not list" in refused([1, 2])
    for kind in (bytes, bytearray, memoryview):
        assert np.array_equal(load(kind(corpus()["PNG RGB"])).rgb, smooth())


# ---- cut off and broken ----------------------------------------------------------------------------------------------


@pytest.mark.case("I04")
@pytest.mark.parametrize("kind", ["JPEG RGB", "PNG RGB", "WEBP RGB", "OpenCV PNG 3x16", "JPEG progressive", "GIF L"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_never_half_a_picture(kind: str, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = corpus()[kind]
    assert "cut off" in refused(data[: int(len(data) * share)])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    if kind == "PNG RGB":  # the control: Pillow now takes it for a picture
        Image.open(io.BytesIO(data[: int(len(data) * share)])).load()


@pytest.mark.case("I04")
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_an_end_marker_does_not_hide_what_is_missing(share: float) -> None:
    """libjpeg fills up with grey and says nothing."""
    x = np.asarray(Image.fromarray(smooth()).resize((160, 120)))
    data = files.cut_scan(saved(x, "JPEG", quality=95), share)
    assert (np.asarray(Image.open(io.BytesIO(data)))[-1, -1] == 128).all()  # the control: so Pillow gives it
    assert "data end before its last pixel" in refused(data)
    grey = saved(np.full((40, 40, 3), 128, np.uint8), "JPEG")
    assert (load(grey).rgb == 128).all()  # all of it may be meant


@pytest.mark.case("I04", "I27")
@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "RGBA", "I;16"])
def test_black_rows_may_be_meant_or_missing(mode: str) -> None:
    """Pillow leaves the rows black whose data are missing; black pictures are whole."""
    black = Image.new("RGB", (W, H)).convert(mode) if mode != "I;16" else Image.new(mode, (W, H))
    assert not load(saved(black, "PNG")).rgb.any()
    rows = png(smooth(), 2, rows=H - 1)
    assert not np.asarray(Image.open(io.BytesIO(rows)))[-1].any()  # the control
    assert "data end before its last pixel" in refused(rows)


@pytest.mark.case("I27")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures_are_flat(kind: str, level: int) -> None:
    assert (load(saved(np.full((H, W, 3), level, np.uint8), kind)).rgb == level).all()


@pytest.mark.case("I05", "I04")
def test_every_interlaced_pass_is_counted() -> None:
    from overpaint.decode.whole import _passes

    for w, h in ((1, 1), (2, 3), (5, 7), (8, 8), (37, 23)):
        assert sum(columns * rows for columns, rows in _passes(w, h, 1)) == w * h


@pytest.mark.case("I09", "I22")
@pytest.mark.parametrize("name", ["text bomb", "frames"])
def test_answered_soon(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    seek = GifImagePlugin.GifImageFile._seek
    monkeypatch.setattr(
        GifImagePlugin.GifImageFile, "_seek", lambda self, n, *more: (asked.append(n), seek(self, n, *more))[1]
    )
    data = broken()["PNG text bomb"] if name == "text bomb" else files.gif(100_000)
    begin = time.monotonic()
    if name == "frames":
        assert "first frame" in load(data).notes[0]
        assert max(asked) == 1
    else:
        assert "too large" in refused(data)
    assert time.monotonic() - begin < LIMIT


@pytest.mark.case("I23")
def test_pages_in_a_ring_and_pages_beyond_the_end() -> None:
    for name in ("TIFF pages in a ring", "TIFF next page beyond"):
        picture = load(corpus()[name])
        assert np.array_equal(picture.rgb[..., 0].ravel(), np.arange(10, 22))
        assert "pages" in picture.notes[0]
    assert load(files.grey_tiff([0])).notes == ()
    missing = saved(smooth(), "PNG", save_all=True, append_images=[Image.fromarray(255 - smooth())])
    assert np.array_equal(load(missing.replace(b"fdAT", b"fdAx")).rgb, smooth())
    refused(missing.replace(b"IDAT", b"IDAx"))


@pytest.mark.case("I21")
@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF", "TIFF", "MPO"])
def test_of_several_pictures_the_first_is_read(kind: str) -> None:
    picture = load(corpus()[f"moving {kind}"])
    assert np.abs(picture.rgb.astype(int) - smooth()).mean() < 12
    assert ("pages: only the first" if kind in ("TIFF", "MPO") else "only the first frame") in picture.notes[0]
    second = Image.open(io.BytesIO(corpus()[f"moving {kind}"]))
    second.seek(1)
    picture = load(second)  # the owner has chosen
    assert np.abs(picture.rgb.astype(int) - (255 - smooth())).mean() < 12
    assert "only number 2" in picture.notes[0]
    assert second.tell() == 1


@pytest.mark.case("I24")
def test_small_and_long_sizes() -> None:
    assert load(corpus()["PNG 1x1"]).rgb.tolist() == [[[9, 8, 7]]]
    assert load(corpus()["PNG 5x7"]).size == (5, 7)
    assert "1x20000, a side may have 16384 pixels at most" in refused(broken()["PNG 1x20000"])


@pytest.mark.case("I26")
def test_what_follows_a_picture_is_not_in_it() -> None:
    assert np.array_equal(load(corpus()["JPEG+ZIP"]).rgb, load(saved(smooth(), "JPEG", quality=90)).rgb)
    assert load(corpus()["GIF+JS"]).rgb[:2, :2].tolist() == [[[255, 0, 0], [0, 255, 0]], [[0, 255, 0], [255, 0, 0]]]


# ---- what is handed in stays as it is --------------------------------------------------------------------------------


@pytest.mark.case("I32")
@pytest.mark.parametrize(
    "name", ["PNG P tRNS", "moving GIF", "JPEG turned", "JPEG Adobe RGB", "TIFF LAB", "moving WEBP"]
)
def test_the_owners_image_stays_as_it_is(name: str) -> None:
    im, twin = (Image.open(io.BytesIO(corpus()[name])) for _ in range(2))
    load(im)
    assert (im.mode, im.size, im.tobytes(), im.info) == (twin.mode, twin.size, twin.tobytes(), twin.info)
    im.paste(3, (0, 0, 9, 9)) if im.mode in ("P", "L") else im.paste((1, 2, 3), (0, 0, 9, 9))
    painted = im.tobytes()
    load(im)
    assert im.tobytes() == painted


@pytest.mark.case("I32")
def test_a_header_is_opened_without_its_pixels() -> None:
    im, data, name = open_header(corpus()["JPEG Adobe RGB"])
    assert (im.size, im.format, data, name) == ((W, H), "JPEG", corpus()["JPEG Adobe RGB"], "the picture's bytes")
    assert getattr(im, "tile", None)
    assert im.info["icc_profile"] == files.rgb_profile(files.ADOBE, 563 / 256)
