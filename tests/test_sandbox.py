"""Worker processes for pictures: the same results as without them, and no picture that harms more than itself."""

import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus import P3 as P3_PRIMARIES
from corpus import broken, corpus, deep, extra_file, png, rgb_profile, saved, smooth, with_chunk, zlib
from PIL import Image, PngImagePlugin
from sandbox_stubs import EARLY, FORGED, PREFIX, UNREAD, tried

from overpaint.decode import load
from overpaint.encode import encode
from overpaint.errors import ImageError, OutputError, RecipeError, SandboxError
from overpaint.maps import maptext
from overpaint.metadata import Texts, read_recipes, read_texts
from overpaint.params import ResolvedParams
from overpaint.picture import Picture
from overpaint.recipe import Input, Recipe, to_json
from overpaint.server import frames
from overpaint.server.sandbox import MAX_MAPS, Sandbox
from overpaint.server.sandboxed import Named

SECRET = "a secret of the server"


def stub(what: str, more: str = "") -> bytes:
    return PREFIX + f"{what}\n{more}".encode() if more else PREFIX + what.encode()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def odd() -> Iterator[Sandbox]:
    """Of decoders that do what they are told; a second and a half each, and little memory."""
    os.environ["OVERPAINT_API_KEY"] = SECRET
    try:
        with Sandbox(seconds=1.5, encode_seconds=1.5, megabytes=300, module="sandbox_stubs") as sandbox:
            yield sandbox
    finally:
        del os.environ["OVERPAINT_API_KEY"]


def refused(sandbox: Sandbox, data: bytes, name: str | None = None) -> str:
    with pytest.raises(ImageError) as caught:
        sandbox.decode(data, name)
    return str(caught.value)


def outcome(call: Callable[[], Picture]) -> Picture | str:
    try:
        return call()
    except ImageError as e:
        return str(e)


def assert_same(a: Picture | str, b: Picture | str) -> None:
    if isinstance(a, str) or isinstance(b, str):
        assert a == b
        return
    assert a.notes == b.notes
    assert (a.rgb.dtype, a.rgb.shape) == (b.rgb.dtype, b.rgb.shape)
    assert np.array_equal(a.rgb, b.rgb)
    assert (a.alpha is None) == (b.alpha is None)
    if a.alpha is not None and b.alpha is not None:
        assert a.alpha.dtype == b.alpha.dtype
        assert np.array_equal(a.alpha, b.alpha)


# ---- the same results ------------------------------------------------------------------------------------------------


def test_pictures_and_refusals_are_those_of_the_decoder(sandbox: Sandbox) -> None:
    files = {**corpus(), **broken()}
    ends = [outcome(lambda data=data: sandbox.decode(data)) for data in files.values()]  # type: ignore[misc]
    for data, end in zip(files.values(), ends, strict=True):
        assert_same(end, outcome(lambda data=data: load(data)))  # type: ignore[misc]
    assert len(broken()) == sum(isinstance(end, str) for end in ends)  # it is a test of both


def test_heic_and_jpeg_xl_are_read_too(sandbox: Sandbox) -> None:
    for kind in ("HEIF", "JXL"):
        data = extra_file(kind, smooth())
        assert_same(sandbox.decode(data), load(data))


def test_large_pictures_with_colours_to_convert_are_the_same(sandbox: Sandbox) -> None:
    """Where matrices are multiplied, by other numbers of threads than here; more bytes than a pipe holds."""
    x = np.random.default_rng(0).integers(0, 65536, (700, 900, 3), dtype=np.uint16)
    profile = b"x\0\0" + zlib.compress(rgb_profile(P3_PRIMARIES, None))
    data = with_chunk(png(x, 2), b"iCCP", profile)
    assert len(data) > 3_000_000
    assert_same(sandbox.decode(data), load(data))
    avif = saved(Image.fromarray((x >> 8).astype(np.uint8)), "AVIF")  # its decoder has threads
    assert_same(sandbox.decode(avif), load(avif))


def test_messages_name_the_file_as_the_decoder_does(sandbox: Sandbox) -> None:
    for name in ("PNG bad data", "empty", "PDF", "JPEG without end"):
        data = broken()[name]
        assert refused(sandbox, data, "mask") == outcome(lambda data=data: load(Named(data, "mask")))  # type: ignore


@pytest.mark.parametrize(
    ("name", "kind"),
    [("empty", "empty"), ("SVG", "format"), ("PNG 15000x15000", "too_large"), ("JPEG cut at 0.5", "unusable")],
)
def test_refusals_are_of_the_decoders_kind(sandbox: Sandbox, name: str, kind: str) -> None:
    with pytest.raises(ImageError) as here:
        load(broken()[name])
    for ask in (sandbox.decode, sandbox.recipes_of):
        with pytest.raises(ImageError) as there:
            ask(broken()[name])
        assert (str(there.value), there.value.kind) == (str(here.value), kind)
    assert here.value.kind == kind


def a_recipe(**values: Any) -> Recipe:
    whole = {
        "prompt": 'a lake <b> & "so" — 湖',
        "negative_prompt": "",
        "strength": 0.6,
        "steps": 30,
        "guidance_scale": 3.0,
        "sampler": "dpm++2m",
        "schedule": "karras",
        "seed": 7,
        "variation": "0,0",
        "size": "64x64",
        "output_size": "37x23",
        "fit": "crop",
        "detail": 0.0,
    }
    return Recipe(ResolvedParams(**{**whole, **values}), input=Input("a" * 64, 16, 12), model="embedded")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_files_are_those_of_the_encoder(sandbox: Sandbox, kind: str) -> None:
    sheet = [a_recipe(), a_recipe(seed=8)]
    for pixels in (smooth(3), smooth(4), deep(3), deep(4), smooth(4)[::-1, ::2]):
        for recipes in ([], [a_recipe()], sheet):
            data = sandbox.encode(pixels, kind, recipes)
            assert data == encode(np.ascontiguousarray(pixels), kind, recipes)
    assert sandbox.recipes_of(data) == read_recipes(data)


def test_what_cannot_be_encoded_is_refused_with_the_same_words(sandbox: Sandbox) -> None:
    x = np.zeros((1, 17_000, 3), np.uint8)
    with pytest.raises(OutputError) as here:
        encode(x, "WEBP")
    with pytest.raises(OutputError) as there:
        sandbox.encode(x, "WEBP")
    assert str(here.value) == str(there.value)


def end_of(read: Callable[[bytes], list[Recipe]], data: bytes) -> list[Recipe] | str:
    try:
        return read(data)
    except RecipeError as e:
        return str(e)


@pytest.mark.case("X14")
def test_hostile_metadata_are_data(sandbox: Sandbox) -> None:
    for text in (
        "a lake\nSteps: 30, Sampler: DPM++ 2M, CFG scale: 7, Seed: 1, Size: 512x512, Model: __import__('os')",
        "<script>alert(1)</script> {}\nSteps: 1, Sampler: \x1b[2J, CFG scale: 2, Seed: 3, Lora hashes: x",
        '"' * 50_000 + "Steps: 1",
    ):
        info = PngImagePlugin.PngInfo()
        info.add_text("parameters", text)
        data = saved(smooth(), "PNG", pnginfo=info)
        assert end_of(sandbox.recipes_of, data) == end_of(read_recipes, data)
    with pytest.raises(RecipeError, match="holds no recipe"):
        sandbox.recipes_of(corpus()["PNG RGB"])
    with pytest.raises(ImageError, match="is text; PNG, JPEG"):
        sandbox.recipes_of(b"nothing")


def test_texts_are_those_of_the_file(sandbox: Sandbox) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("workflow", "湖 \x00\x1b[2J\u202e")
    info.add_text("parameters", "a lake\nSteps: 1")
    for kind, options in (("PNG", {"pnginfo": info}), ("GIF", {"comment": b"by hand"}), ("JPEG", {}), ("TIFF", {})):
        data = saved(smooth(), kind, **options)
        assert sandbox.texts_of(data) == read_texts(data)
    data = sandbox.encode(smooth(), "PNG", [a_recipe()])
    assert sandbox.texts_of(data) == read_texts(data)
    assert sandbox.texts_of(data).items["overpaint"] == to_json([a_recipe()])
    with pytest.raises(ImageError, match="mask is text; PNG, JPEG"):
        sandbox.texts_of(b"nothing", "mask")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[1]",
        b"{}",
        b"[" * 100_000,
        b"\xff",
        b'{"parameters": null, "items": []}',
        b'{"parameters": 1, "items": {}}',
        b'{"parameters": null, "items": {"a": 1}}',
        b'{"parameters": null, "items": {"a": {"b": "c"}}}',
        json.dumps({"parameters": None, "items": {str(i): "" for i in range(101)}}).encode(),
    ],
)
def test_texts_that_are_none_are_no_answer(odd: Sandbox, said: bytes) -> None:
    with pytest.raises(ImageError, match="its answer makes no sense"):
        odd.texts_of(PREFIX + said)


def test_texts_are_unicode_whatever_a_worker_says(odd: Sandbox) -> None:
    texts = odd.texts_of(PREFIX + rb'{"parameters": "\ud800", "items": {"\udfff": "\ud800x"}}')
    assert texts == Texts("?", {"?": "?x"})


def test_maps_of_recipes_as_pictures(sandbox: Sandbox) -> None:
    ramp = np.tile(np.linspace(0, 1, 33, dtype=np.float32), (7, 1))
    eight, sixteen = (np.round(ramp * top).astype(kind) for top, kind in ((255, np.uint8), (65535, np.uint16)))
    maps = [eight / np.float32(255), sixteen / np.float32(65535), ramp, np.zeros((3, 2), np.float32)]
    told = [maptext.to_dict(m.astype(np.float32)) for m in maps]
    assert [m["kind"] for m in told] == ["u1", "u2", "f4", "u1"]
    seen = [np.asarray(Image.open(io.BytesIO(png))) for png in sandbox.greys_of(told) if png is not None]
    for found, expected in zip(seen, (eight, sixteen, sixteen, np.zeros((3, 2))), strict=True):
        assert np.array_equal(found, expected)
    only_hash = {name: told[0][name] for name in ("width", "height", "pixels")}
    assert sandbox.greys_of([only_hash, told[3]])[0] is None
    with pytest.raises(RecipeError, match="map that cannot be read"):
        sandbox.greys_of([told[0], {**told[0], "deflated": "AAAA"}])
    assert len(sandbox.greys_of([told[3]] * (MAX_MAPS + 1))) == MAX_MAPS


@pytest.mark.parametrize("sizes", [None, 3, [True], [-1], ["x"], [0], [1 << 40], [1 << 25] * 3, [1] * 201])
def test_maps_that_are_none_are_no_answer(odd: Sandbox, sizes: Any) -> None:
    with pytest.raises(ImageError, match="its answer makes no sense"):
        odd.greys_of([{"sizes": sizes}])


@pytest.mark.case("I34")
def test_many_threads_get_their_own_pictures(sandbox: Sandbox) -> None:
    names = ["JPEG Adobe RGB", "PNG16 P3", "moving GIF", "JPEG cut at 0.9", "tifffile < planes"]
    files = [{**corpus(), **broken()}[name] for name in names]
    once = [outcome(lambda data=data: load(data)) for data in files]  # type: ignore[misc]
    ends: dict[int, list[Picture | str]] = {}

    def work(i: int) -> None:
        ends[i] = [outcome(lambda data=data: sandbox.decode(data)) for data in files * 2]  # type: ignore[misc]

    in_threads(*[lambda i=i: work(i) for i in range(8)])  # type: ignore[misc]
    for i in range(8):
        for a, b in zip(ends[i], once * 2, strict=True):
            assert_same(a, b)


def in_threads(*work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=w) for w in work]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


# ---- decoders that fail ----------------------------------------------------------------------------------------------


@pytest.mark.case("I28")
@pytest.mark.parametrize("what", ["sleep", "burn", "hide"])
def test_a_decoder_that_takes_too_long_is_ended(odd: Sandbox, what: str) -> None:
    """And nobody else waits for it."""
    others: list[float] = []

    def work() -> None:
        while len(others) < 5:
            begin = time.monotonic()
            assert_same(odd.decode(corpus()["PNG RGB"]), load(corpus()["PNG RGB"]))
            others.append(time.monotonic() - begin)

    odd.layers()
    begin = time.monotonic()
    thread = threading.Thread(target=work)
    thread.start()
    assert refused(odd, stub(what), "image") == "image: decode timed out after 1.5 s"
    assert time.monotonic() - begin < 10
    thread.join()
    assert max(others) < 1.5


@pytest.mark.case("I29")
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("abort", "crashed: SIGABRT"),
        ("segfault", "crashed: SIGSEGV"),
        ("killed", "crashed: SIGKILL, perhaps for want of memory"),
        ("CPU time", "crashed: SIGXCPU, its CPU time is used up"),
        ("allocate", "needs more memory than there is"),
        ("exit 0", "crashed: it ended with exit code 0"),
        ("exit as if done", "crashed: "),
        ("raise", "crashed: it ended with exit code 1"),
        ("recursion", "crashed: it ended with exit code 1"),
    ],
)
def test_a_decoder_that_crashes_fails_alone(odd: Sandbox, what: str, words: str) -> None:
    assert words in refused(odd, stub(what))
    in_threads(*[lambda: assert_same(odd.decode(corpus()["PNG RGBA"]), load(corpus()["PNG RGBA"]))] * 3)


@pytest.mark.case("I29", "X15")
@pytest.mark.parametrize(
    "what", ["flood", "garbage", "half a header", "long header", "pickle", "no JSON", "no object", *FORGED]
)
def test_a_decoder_that_was_taken_over_answers_nothing(odd: Sandbox, what: str) -> None:
    assert ": decode crashed: " in refused(odd, stub(what))
    assert_same(odd.decode(corpus()["PNG RGB"]), load(corpus()["PNG RGB"]))


def test_texts_of_a_worker_are_plain(odd: Sandbox) -> None:
    (note,) = odd.decode(stub("hostile text")).notes
    assert note.startswith("\\x1b[2J\\ud800\\u202e")
    assert len(note) < 9000


def test_a_result_whose_encoder_hangs_or_crashes(odd: Sandbox) -> None:
    for first, words in ((1, "the result: encode timed out after 1.5 s"), (2, "the result: encode crashed: SIGABRT")):
        with pytest.raises(OutputError) as caught:
            odd.encode(np.full((2, 2, 3), first, np.uint8), "PNG")
        assert str(caught.value) == words
    assert odd.encode(smooth(), "PNG") == encode(smooth(), "PNG")


def test_no_two_pictures_meet_in_a_process(odd: Sandbox) -> None:
    pids = [odd.decode(stub("pid")).notes for _ in range(6)]
    assert len({pid for pid, _ in pids}) == 6
    assert len({waiting for _, waiting in pids}) <= 2  # these stay


def test_bytes_that_nobody_reads_hold_nobody_up() -> None:
    with Sandbox(1, seconds=1, most_bytes=5_000_000, module="sandbox_stubs") as sandbox:
        sandbox.layers()
        begin = time.monotonic()
        assert "timed out after 1 s" in refused(sandbox, bytes(UNREAD))
        assert time.monotonic() - begin < 10
        with pytest.raises(ImageError, match=r"^the picture's bytes is larger than 5,000,000 bytes") as caught:
            sandbox.decode(bytes(5_000_001))
        assert caught.value.kind == "too_large"


def test_what_a_task_left_unread_is_no_request() -> None:
    """A picture whose decoder was taken over answers before it has read all: the rest is a request of its own."""
    wanted = corpus()["PNG RGB"]
    header = {"do": "decode", "name": None, "bytes": len(corpus()["PNG 5x7"]), "ticket": "x"}
    forged = bytearray()
    frames.send(forged.extend, header, corpus()["PNG 5x7"])
    with Sandbox(1, seconds=5, module="sandbox_stubs") as sandbox:
        for _ in range(3):
            outcome(lambda: sandbox.decode(bytes(forged) + bytes(EARLY - len(forged))))
            assert_same(sandbox.decode(wanted), load(wanted))


# ---- what a task can do ----------------------------------------------------------------------------------------------


@pytest.mark.case("X15")
def test_a_task_can_do_nothing_but_calculate(odd: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("kept", encoding="ascii")
    layers = odd.layers()
    asked = json.dumps({"place": str(tmp_path), "server": os.getpid()})
    begin = time.monotonic()
    found = json.loads(odd.decode(stub("probe", asked)).notes[0])
    assert time.monotonic() - begin < 1.5
    assert "rlimits" in layers
    if "seccomp" in layers:
        assert set(found["code"].values()) == {"EPERM"}, found["code"]
    if "landlock" in layers:
        assert set(found["reading"].values()) == {"EACCES"}, found["reading"]
    expected = {"more memory": "ValueError", "current folder": "ENOENT"}
    assert found["python"] == {name: expected.get(name, "EPERM") for name in found["python"]}
    assert [p.name for p in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_text(encoding="ascii") == "kept"
    assert SECRET in os.environ.values()  # the control
    assert SECRET not in str(found["environment"])
    assert set(found["environment"]) <= {
        *("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "TMPDIR", "HOME", "LC_CTYPE", "LD_LIBRARY_PATH"),
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    }
    assert not Path(found["environment"]["TMPDIR"]).exists()
    assert len(found["files"]) <= 5  # the three standard ones, the pipe for answers, the one that tells of its end
    assert found["limits"] == {"CPU": [3, 3], "FSIZE": [0, 0], "NOFILE": [32, 32], "CORE": [0, 0]}
    group, waiting, session = found["group"]
    assert group == waiting == session != os.getpgid(0)
    assert found["modules"] == []


def test_the_same_can_be_done_outside(tmp_path: Path) -> None:
    """The control of the test above: these fail by the sandbox."""
    import sandbox_stubs

    for what in (
        lambda: sandbox_stubs.LIBC.close(sandbox_stubs.LIBC.socket(1, 1, 0)),
        lambda: sandbox_stubs.LIBC.close(sandbox_stubs.LIBC.open(bytes(tmp_path), os.O_RDONLY | os.O_DIRECTORY)),
        lambda: sandbox_stubs.LIBC.mkdir(bytes(tmp_path / "folder"), 0o700),
        lambda: sandbox_stubs.LIBC.kill(os.getppid(), 0),
    ):
        assert tried(what) == "done"


# ---- ends ------------------------------------------------------------------------------------------------------------


def descendants(of: int) -> set[int]:
    found: set[int] = set()
    for task in Path(f"/proc/{of}/task").iterdir():
        try:
            children = {int(pid) for pid in (task / "children").read_text(encoding="ascii").split()}
        except FileNotFoundError:
            continue
        found |= children.union(*(descendants(child) for child in children if Path(f"/proc/{child}/task").exists()))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(what: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.case("X15")
def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    children, threads = descendants(os.getpid()), set(threading.enumerate())
    files = len(os.listdir("/proc/self/fd"))
    with Sandbox(seconds=0.3, module="sandbox_stubs") as sandbox:
        for what in ("sleep", "abort", "garbage", "exit 0", "hide"):
            refused(sandbox, stub(what))
        sandbox.decode(corpus()["PNG RGB"])
        assert list(tmp_path.iterdir()) == []
    assert descendants(os.getpid()) == children  # zombies would be among them
    assert set(threading.enumerate()) == threads
    assert len(os.listdir("/proc/self/fd")) == files
    with pytest.raises(SandboxError, match="is ending"):
        sandbox.decode(corpus()["PNG RGB"])


def test_closing_ends_what_is_under_way() -> None:
    sandbox = Sandbox(2, seconds=60, module="sandbox_stubs")
    ends: list[str] = []

    def work() -> None:
        with pytest.raises(SandboxError) as caught:
            sandbox.decode(stub("sleep"))
        ends.append(str(caught.value))

    threads = [threading.Thread(target=work) for _ in range(4)]  # two at work, two waiting
    for t in threads:
        t.start()
    assert wait_until(lambda: len(descendants(os.getpid())) >= 4)
    begin = time.monotonic()
    sandbox.close()
    for t in threads:
        t.join()
    assert time.monotonic() - begin < 5
    assert ends == ["the server is ending"] * 4


def test_workers_that_do_not_start_are_no_fault_of_a_picture() -> None:
    with Sandbox(1, module="overpaint.server.nothing") as sandbox:
        for _ in range(2):
            with pytest.raises(SandboxError, match="does not start"):
                sandbox.decode(corpus()["PNG RGB"])


def test_an_idle_worker_that_died_is_replaced(sandbox: Sandbox) -> None:
    sandbox.layers()
    ours = [pid for pid in descendants(os.getpid()) if b"overpaint.server.sandboxed" in command_of(pid)]
    assert ours
    for pid in ours:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not any(is_alive(pid) for pid in ours))
    for _ in range(4):
        assert_same(sandbox.decode(corpus()["PNG RGB"]), load(corpus()["PNG RGB"]))


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


@pytest.mark.case("X15")
def test_workers_die_with_the_server(tmp_path: Path) -> None:
    code = f"""
import sys, threading, time; sys.path.insert(0, {str(Path(__file__).parent)!r})
from overpaint.server.sandbox import MAX_MAPS, Sandbox
sandbox = Sandbox(2, seconds=60, module="sandbox_stubs")
for what in (b"stub:sleep", b"stub:burn"):
    threading.Thread(target=sandbox.decode, args=(what,)).start()
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}) as server:
        assert wait_until(lambda: len(descendants(server.pid)) == 4)  # two that wait, two at work
        theirs = descendants(server.pid)
        server.kill()
        server.wait()
    assert wait_until(lambda: not any(is_alive(pid) for pid in theirs)), "workers outlive the server"
    assert list(tmp_path.iterdir()) == []


def test_frames_are_what_they_say() -> None:
    sent = bytearray()
    frames.send(sent.extend, {"a": [1, "ü"]}, b"", smooth(), b"end")
    rest = memoryview(bytes(sent))

    def fill(view: memoryview) -> None:
        nonlocal rest
        if len(view) > len(rest):
            raise EOFError
        view[:], rest = rest[: len(view)], rest[len(view) :]

    assert frames.header(fill) == {"a": [1, "ü"]}
    assert frames.part(fill, smooth().nbytes + 3) == smooth().tobytes() + b"end"
    for wrong in (b"", b"OvF1", b"OvF2\0\0\0\0", struct.pack("<4sI", b"OvF1", frames.MAX_HEADER + 1)):
        rest = memoryview(wrong)
        with pytest.raises((EOFError, frames.BrokenFrame)):
            frames.header(fill)
