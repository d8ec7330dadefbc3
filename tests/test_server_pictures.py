"""Pictures sent ahead: whose they are, and that what is told of them is what the library says, to the byte."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from conftest import random_picture
from typer.testing import CliRunner

from overpaint import decode
from overpaint.cli.app import app
from overpaint.describe import describe, tell
from overpaint.editor import Editor
from overpaint.encode import encode
from overpaint.errors import EditCancelled, ImageError, OverpaintError, ParameterError
from overpaint.job import EditJob
from overpaint.levels import survives
from overpaint.maps.toolbox import TOOLS, apply_tool
from overpaint.metadata import read_recipe
from overpaint.picture import Picture, Pixels
from overpaint.request import EditRequest
from overpaint.result import EditResult
from overpaint.server import pictures as module
from overpaint.server.decoded import Decoded
from overpaint.server.files import Files
from overpaint.server.intake import MAX_TOOLS
from overpaint.server.kept import Kept
from overpaint.server.pictures import LARGE, Pictures
from overpaint.server.problems import Problem
from overpaint.server.records import new_id
from overpaint.server.sandbox import Sandbox
from overpaint.server.store import Store
from overpaint.server.turns import AT_ONCE, WAITING, Turns

ME, OTHER = "me", "somebody else"
SMALL = {"size": "64x64"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(2) as sandbox:
        yield sandbox


@pytest.fixture
def decoded(tmp_path: Path, sandbox: Sandbox) -> Iterator[Decoded]:
    with Files(tmp_path / "data") as files:
        yield Decoded(sandbox, files, 64 << 20)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "jobs.sqlite") as store:
        yield store


@pytest.fixture
def pictures(store: Store, decoded: Decoded, sandbox: Sandbox, editor: Editor) -> Pictures:
    return Pictures(store, decoded, sandbox, lambda: editor)


class Counting:
    """An editor that counts what it is asked for, and may answer only when it is told to."""

    def __init__(self, editor: Editor) -> None:
        self._editor, self.card = editor, editor.card
        self.asked, self.go = 0, threading.Event()
        self.go.set()

    def submit(self, request: EditRequest) -> EditJob:
        self.asked += 1
        self.go.wait(20)
        return self._editor.submit(request)


@pytest.fixture
def counting(editor: Editor) -> Counting:
    return Counting(editor)


@pytest.fixture
def counted(store: Store, decoded: Decoded, sandbox: Sandbox, counting: Counting) -> Pictures:
    """Pictures with the counting editor."""
    return Pictures(store, decoded, sandbox, lambda: cast(Editor, counting))


def png(width: int = 96, height: int = 64, seed: int = 0, channels: int = 3) -> bytes:
    return encode(random_picture(width, height, seed, channels), "PNG")


def deep(width: int = 96, height: int = 64) -> Pixels:
    """16 bits, of which the lower ones count too."""
    x = random_picture(width, height).astype(np.uint16)
    return x * 257 - (x > 0) * np.uint16(100)


def turned(data: Pixels) -> bytes:
    """A JPEG that is to be shown turned by a quarter."""
    import io

    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.fromarray(data).save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


def wait_until(what: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.002)


def made_by(result: EditResult) -> bytes:
    return encode(result.pixels, "PNG", [result.recipe])


def problem(call: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as e:
        call()
    return e.value


# ---- the picture -----------------------------------------------------------------------------------------------------


def test_a_picture_comes_back_upright(pictures: Pictures, store: Store) -> None:
    data = turned(random_picture(96, 64))
    record = pictures.add(data, ME)
    picture = decode.load(data)
    assert (record.width, record.height) == picture.size == (64, 96)
    assert (record.owner, record.notes) == (ME, picture.notes)
    assert pictures.get(record.id, ME) == record == store.picture(record.id, ME)
    assert np.array_equal(pictures.picture(record.id, ME).pixels, picture.pixels)
    assert record.digest in store.digests()  # so that the file is not tidied away
    again = pictures.add(data, OTHER)
    assert again.digest == record.digest
    assert again.id != record.id


def test_what_was_lost_in_reading_is_told(pictures: Pictures) -> None:
    import io

    from PIL import Image

    out = io.BytesIO()
    frames = [Image.fromarray(random_picture(8, 8, seed)) for seed in (1, 2)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    record = pictures.add(out.getvalue(), ME)
    assert record.notes == decode.load(out.getvalue()).notes != ()


def test_what_is_no_picture_is_not_kept(pictures: Pictures, store: Store) -> None:
    for data in (b"", b"no picture", png()[:60]):
        with pytest.raises(ImageError):
            pictures.add(data, ME)
    assert store.digests() == set()


@pytest.mark.case("X04")
def test_owners_are_apart(pictures: Pictures) -> None:
    id = pictures.add(png(), ME).id
    calls: list[Callable[[str, str], object]] = [
        pictures.get,
        pictures.picture,
        pictures.view,
        pictures.describe,
        lambda id, owner: pictures.noised(id, owner, strength=0.5, params=SMALL),
        lambda id, owner: pictures.select(id, owner, ["invert"]),
    ]
    for call in calls:
        told = {str(problem(lambda: call(i, o))) for i, o in ((id, OTHER), (id, ""), (new_id(), ME))}  # noqa: B023
        told |= {str(problem(lambda: call(odd, ME))) for odd in ("", "\0", "../x", id.upper() + "A", "é")}  # noqa: B023
        assert told == {"there is no such picture"}
    assert problem(lambda: pictures.get(id, OTHER)).status == 404


def test_a_picture_whose_file_is_gone(pictures: Pictures, store: Store, sandbox: Sandbox, tmp_path: Path) -> None:
    record = pictures.add(png(), ME)
    (tmp_path / "data" / "inputs" / record.digest).unlink()
    with Files(tmp_path / "elsewhere") as files:
        fresh = Pictures(store, Decoded(sandbox, files, 1 << 20), sandbox, lambda: cast(Editor, None))
        with pytest.raises(ImageError, match="send it again"):
            fresh.view(record.id, ME)


# ---- the view --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [3, 4])
def test_the_view_is_what_was_decoded(pictures: Pictures, channels: int) -> None:
    data = png(channels=channels)
    id = pictures.add(data, ME).id
    picture = decode.load(data)
    assert pictures.view(id, ME) == encode(picture.pixels, "PNG")
    assert np.array_equal(decode.load(pictures.view(id, ME)).pixels, picture.pixels)


def test_the_view_is_of_8_bits_and_upright(pictures: Pictures) -> None:
    id = pictures.add(encode(deep(), "PNG"), ME).id
    seen = decode.load(pictures.view(id, ME)).rgb
    assert seen.dtype == np.uint8
    assert np.array_equal(seen, (deep() >> 8).astype(np.uint8))
    id = pictures.add(turned(random_picture(96, 64)), ME).id
    seen = decode.load(pictures.view(id, ME)).rgb
    assert np.array_equal(seen, decode.load(turned(random_picture(96, 64))).rgb)


@pytest.mark.case("I34")
def test_a_view_is_made_once(pictures: Pictures, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    encode_apart = sandbox.encode

    def count(pixels: Pixels, kind: str, *rest: Any) -> bytes:
        made.append(kind)
        return encode_apart(pixels, kind, *rest)

    monkeypatch.setattr(sandbox, "encode", count)
    id, twin = pictures.add(png(), ME).id, pictures.add(png(), OTHER).id
    with ThreadPoolExecutor(8) as pool:
        views = set(pool.map(lambda _: pictures.view(id, ME), range(8)))
    assert views == {pictures.view(twin, OTHER)}
    assert made == ["PNG"]


# ---- noised ----------------------------------------------------------------------------------------------------------

OF_ALL_KINDS: dict[str, Callable[[], bytes]] = {
    "colours": png,
    "odd shape": lambda: png(301, 97),
    "a photo": lambda: turned(random_picture(1200, 900)),
    "alpha": lambda: png(channels=4),
    "16 bits": lambda: encode(deep(), "PNG"),
}


@pytest.mark.parametrize("kind", OF_ALL_KINDS)
def test_noised_is_the_librarys(pictures: Pictures, editor: Editor, kind: str) -> None:
    data = OF_ALL_KINDS[kind]()
    id = pictures.add(data, ME).id
    for strength in (0.3, 0.8):  # the second is made of what the first left
        (result,) = editor.noised(data, [strength], output_size="working", **SMALL)  # type: ignore[arg-type]
        got, facts = pictures.noised(id, ME, strength=strength, params=SMALL)
        assert got == made_by(result)
        assert read_recipe(got).input == result.recipe.input
        h, w = result.pixels.shape[:2]
        assert facts == {
            "strength": strength,
            "seed": 0,
            "t0": result.t0,
            "signal": result.signal,
            "survives": survives(result.signal),
            "width": w,
            "height": h,
            "warnings": result.warnings,
        }
        json.dumps(facts, allow_nan=False)


def test_noised_at_the_models_own_size(pictures: Pictures, editor: Editor) -> None:
    data = png(300, 200)
    id = pictures.add(data, ME).id
    (result,) = editor.noised(data, [0.4], output_size="working")
    assert pictures.noised(id, ME, strength=0.4)[0] == made_by(result)
    assert result.working_size == editor.card.bucket_for(300, 200)


@pytest.mark.parametrize(
    "params",
    [
        {"seed": 7},
        {"seed": 2**53 - 1, "variation": "5,0.5"},
        {"size": "96x64"},
        {"size": "input"},
        {"size": "input", "output_size": "64x96", "fit": "crop"},
        {"output_size": "100x70", "fit": "pad"},
        {"output_size": "64x64", "fit": "stretch"},
        {"output_size": "working", "seed": None, "fit": None},
    ],
)
def test_noised_with_parameters(pictures: Pictures, editor: Editor, params: dict[str, Any]) -> None:
    data = png(101, 64)
    id = pictures.add(data, ME).id
    params = {"size": "64x64", **params}
    alike = {"output_size": "working", **params, "seed": params.get("seed") or 0}
    (result,) = editor.noised(data, [0.5], **cast(Any, alike))
    assert pictures.noised(id, ME, strength=0.5, params=params)[0] == made_by(result)


@pytest.mark.parametrize("strength", [0, 1])
def test_noised_at_both_ends(pictures: Pictures, editor: Editor, strength: float) -> None:
    id = pictures.add(png(), ME).id
    (result,) = editor.noised(png(), [strength], output_size="working", size="64x64")
    got, facts = pictures.noised(id, ME, strength=strength, params=SMALL)
    assert got == made_by(result)
    told = {0: (-1, 1.0, "everything"), 1: (999, 0.0, "almost nothing")}[int(strength)]
    assert (facts["t0"], facts["signal"], facts["survives"]) == told


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_noised_in_other_formats(pictures: Pictures, editor: Editor, format: Any) -> None:
    id = pictures.add(png(), ME).id
    (result,) = editor.noised(png(), [0.5], output_size="working", size="64x64")
    got, _ = pictures.noised(id, ME, strength=0.5, params=SMALL, format=format)
    assert got == encode(result.pixels, format.upper(), [result.recipe])


@pytest.mark.parametrize(
    ("name", "strength", "params"),
    [
        ("strength", 1.5, {}),
        ("strength", float("nan"), {}),
        ("seed", 0.5, {"seed": 2**53}),
        ("seed", 0.5, {"seed": "one"}),
        ("fit", 0.5, {"fit": "somehow"}),
        ("size", 0.5, {"size": "4096x4096"}),
        ("size", 0.5, {"size": "input", "output_size": "2000x2000"}),
        ("output_size", 0.5, {"output_size": "2001x2000"}),
        ("prompt", 0.5, {"prompt": "a lake"}),
        ("steps", 0.5, {"steps": 10}),
        ("strength", 0.5, {"strength": 0.2}),
        ("nonsense", 0.5, {"nonsense": 1}),
    ],
)
def test_noised_refuses(counted: Pictures, counting: Counting, name: str, strength: float, params: Any) -> None:
    id = counted.add(png(), ME).id
    with pytest.raises(ParameterError) as e:
        counted.noised(id, ME, strength=strength, params=params)
    assert e.value.name == name
    with pytest.raises(ParameterError, match="format: is 'tiff'"):
        counted.noised(id, ME, strength=0.5, format=cast(Any, "tiff"))
    assert counting.asked == 0


def test_a_photo_larger_than_the_network_sees_is_no_input_size(pictures: Pictures) -> None:
    id = pictures.add(png(1000, 700), ME).id
    with pytest.raises(ParameterError, match="size: 1000x700 is more than"):
        pictures.noised(id, ME, strength=0.5, params={"size": "input"})


def test_noised_is_made_once(counted: Pictures, counting: Counting) -> None:
    id, twin = counted.add(png(), ME).id, counted.add(png(), OTHER).id
    first = counted.noised(id, ME, strength=0.5, params=SMALL)
    first[1]["warnings"] = "whoever gets them may do with them what he likes"
    again = counted.noised(twin, OTHER, strength=0.50, params={**SMALL, "seed": 0, "output_size": "working"})
    assert again[0] == first[0]
    assert again[1]["warnings"] != first[1]["warnings"]
    assert counting.asked == 1
    others: list[dict[str, Any]] = [{"strength": 0.6}, {"params": {**SMALL, "seed": 1}}, {"format": "jpeg"}]
    for other in others:
        counted.noised(id, ME, **{"strength": 0.5, "params": SMALL, **other})
    assert counting.asked == 4
    drawn = [counted.noised(id, ME, strength=0.5, params={**SMALL, "seed": -1})[1]["seed"] for _ in range(2)]
    assert drawn[0] != drawn[1]
    assert -1 not in drawn


def test_what_is_kept_is_bounded(store: Store, decoded: Decoded, sandbox: Sandbox, counting: Counting) -> None:
    few = Pictures(store, decoded, sandbox, lambda: cast(Editor, counting), most_bytes=40_000)
    noise = np.random.default_rng(0).integers(0, 256, (8, 64, 96, 3), np.uint8)  # 18 kB as PNG
    for i, pixels in enumerate(noise):
        id = few.add(encode(pixels, "PNG"), ME).id
        few.view(id, ME)
        few.noised(id, ME, strength=0.1 * i, params=SMALL)
        for kept in (few._noised, few._views, few._seen):
            assert 0 < kept.used <= 40_000
            assert 0 < len(kept) <= i + 1
    for kept in (few._noised, few._views, few._seen):
        assert 0 < len(kept) < 8


def test_kept_forgets_what_was_asked_for_least() -> None:
    kept: Kept[str, bytes] = Kept(10, len)
    for name in "abc":
        kept.put(name, b"...")
    assert kept.get("a") == b"..."
    kept.put("d", b"....")  # b has to go
    assert [kept.get(name) is None for name in "abcd"] == [False, True, False, False]
    assert (kept.used, len(kept)) == (10, 3)
    kept.put("a", b".")  # in another's place
    assert kept.used == 8
    kept.put("e", b"." * 11)
    assert (kept.used, len(kept), kept.get("e")) == (0, 0, None)


# ---- turns -----------------------------------------------------------------------------------------------------------


def test_a_few_at_a_time_and_the_rest_in_line(counted: Pictures, counting: Counting) -> None:
    id = counted.add(png(), ME).id
    expected = [counted.noised(id, ME, strength=0.01 * i, params=SMALL)[0] for i in range(20)]
    fresh = {**SMALL, "variation": "0,0"}  # the same picture, not known yet
    counting.asked = 0
    counting.go.clear()
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(counted.noised, id, ME, strength=0.01 * i, params=fresh) for i in range(AT_ONCE + WAITING)]
        wait_until(lambda: len(counted._noising._line) == WAITING and counting.asked == AT_ONCE)
        refused = problem(lambda: counted.noised(id, ME, strength=0.99, params=fresh))
        assert (refused.status, refused.retry_after, refused.code) == (429, 1, "too_many_waiting")
        assert counted.noised(id, ME, strength=0.01, params=SMALL)[0] == expected[1]  # what is known needs no turn
        assert counting.asked == AT_ONCE
        counting.go.set()
        got = [decode.load(one.result()[0]).pixels for one in asked]
    assert all(np.array_equal(a, decode.load(b).pixels) for a, b in zip(got, expected, strict=False))
    assert counted._noising._taken == 0


def test_turns_come_in_order_and_end() -> None:
    turns, order = Turns(2, 10), list[int]()
    inside = most = 0
    lock, gate = threading.Lock(), threading.Event()

    def work(i: int, places: int) -> None:
        nonlocal inside, most
        with turns.turn(20, places):
            with lock:
                inside += places
                most = max(most, inside)
                order.append(i)
            gate.wait(20)
            with lock:
                inside -= places

    threads = []
    for i in range(8):
        threads.append(threading.Thread(target=work, args=(i, 2 if i in (2, 5) else 1)))
        threads[-1].start()
        wait_until(lambda n=i: len(order) + len(turns._line) == n + 1)  # type: ignore[misc]
    assert sorted(order) == [0, 1]
    late = problem(lambda: turns.turn(0.01).__enter__())
    assert (late.status, late.retry_after) == (503, 5)
    assert len(turns._line) == 6
    gate.set()
    for thread in threads:
        thread.join(20)
    assert most == 2
    assert order[2] == 2  # a large one is not passed by small ones for ever
    assert set(order[3:5]) == {3, 4}
    assert order[5] == 5
    with pytest.raises(ZeroDivisionError), turns.turn(1):
        1 / 0  # noqa: B018
    assert (turns._taken, turns._line) == (0, [])


def test_an_engine_that_does_not_answer(counted: Pictures, counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    id, job = counted.add(png(), ME).id, EditJob()
    monkeypatch.setattr(counting, "submit", lambda request: job)
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    late = problem(lambda: counted.noised(id, ME, strength=0.5))
    assert (late.status, late.code, late.retry_after) == (503, "busy", 5)
    assert isinstance(job.exception(0), EditCancelled)
    assert counted._noising._taken == 0


def test_without_an_editor_there_is_the_rest(store: Store, decoded: Decoded, sandbox: Sandbox) -> None:
    def loading() -> Editor:
        raise Problem(503, "server_error", "not_ready", "the model is loading", retry_after=2)

    pictures = Pictures(store, decoded, sandbox, loading)
    id = pictures.add(png(), ME).id
    assert problem(lambda: pictures.noised(id, ME, strength=0.5)).code == "not_ready"
    assert pictures.view(id, ME)
    assert pictures.select(id, ME, ["box:1,1,5,5"])
    assert pictures.describe(id, ME)


def test_an_edit_goes_on_meanwhile(pictures: Pictures, editor: Editor) -> None:
    data = png(64, 64)
    id = pictures.add(data, ME).id
    options: dict[str, Any] = {"strength": 1, "steps": 1000, "size": "64x64", "seed": 3}
    job = editor.submit(EditRequest(data, "a lake", **options))
    steps: list[int] = []
    job.listen(lambda event: steps.append(event.step))
    wait_until(lambda: bool(steps))
    (result,) = editor.noised(data, [0.6], size="64x64", output_size="working")
    assert pictures.noised(id, ME, strength=0.6, params=SMALL)[0] == made_by(result)
    assert not job.done()
    seen = len(steps)
    wait_until(lambda: len(steps) > seen)
    job.cancel()


# ---- select ----------------------------------------------------------------------------------------------------------


def by_hand(picture: Picture, tools: list[str], m: Pixels | None = None) -> Pixels:
    for tool in tools:
        m = apply_tool(m, picture, tool, TOOLS)
    assert m is not None
    return m


def grey_of(data: bytes) -> Pixels:
    picture = decode.load(data)
    assert picture.alpha is None
    assert (picture.rgb == picture.rgb[..., :1]).all()
    return picture.rgb[..., 0]


@pytest.mark.parametrize(
    "tools",
    [
        ["box:10,10,30,20"],
        ["select:40,30,5,5", "grow:3", "feather:4"],
        ["linear:0,0,95,0", "without:box:0,0,20,20", "invert"],
        ["colour:#808080,30", "brightness:.5,1"],
        ["alpha", "within:radial:50,30,40"],
    ],
)
def test_a_map_is_the_toolboxs(pictures: Pictures, tools: list[str]) -> None:
    data = png(channels=4)
    id = pictures.add(data, ME).id
    m = by_hand(decode.load(data), tools)
    got = pictures.select(id, ME, tools)
    assert abs(grey_of(got) / 255 - m).max() <= 1 / 510 + 1e-6
    assert got == encode((m * np.float32(255) + np.float32(0.5)).astype(np.uint8), "PNG")


def test_a_maps_pixels_are_those_of_the_view(pictures: Pictures) -> None:
    id = pictures.add(turned(random_picture(96, 64)), ME).id
    seen = decode.load(pictures.view(id, ME))
    grey = grey_of(pictures.select(id, ME, ["box:60,90,4,6"]))  # inside of the upright picture only
    assert grey.shape == seen.rgb.shape[:2] == (96, 64)
    assert (grey[90:, 60:] == 255).all()
    assert grey.sum() == 255 * 24


def test_a_map_to_begin_with(pictures: Pictures) -> None:
    id = pictures.add(png(), ME).id
    base = np.linspace(0, 1, 96 * 64, dtype=np.float32).reshape(64, 96)
    before = base.copy()
    got = grey_of(pictures.select(id, ME, ["invert"], base))
    assert np.array_equal(got, ((1 - base) * np.float32(255) + np.float32(0.5)).astype(np.uint8))
    assert np.array_equal(grey_of(pictures.select(id, ME, [], base)), (base * 255 + 0.5).astype(np.uint8))
    assert np.array_equal(base, before)
    with pytest.raises(ImageError, match="shape"):
        pictures.select(id, ME, [], base.T)


def test_maps_that_cannot_be_made(pictures: Pictures) -> None:
    id = pictures.add(png(), ME).id
    odd = ["", ":", "box", "box:1", "box:nan,1,1,1", "box:1e9,1,1,1", "grow:3", "within:", "within:grow:1", "alpha"]
    odd += ["sam:10,10", "select:95.6,10", "select:-1,0", "colour:red,3", "feather:-1", "x" * 100_000, "\0", "radial:1"]
    for tool in odd:
        with pytest.raises(OverpaintError) as e:
            pictures.select(id, ME, [tool])
        assert isinstance(e.value, ParameterError | ImageError), tool
        assert len(str(e.value)) < 2000
    for tools in ([], ["invert"] * (MAX_TOOLS + 1)):
        with pytest.raises(ParameterError, match="must be 1 to 64"):
            pictures.select(id, ME, tools)
    assert pictures.select(id, ME, ["box:0,0,9,9"] * MAX_TOOLS)


def test_tools_end_in_time(pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    id = pictures.add(png(), ME).id
    done: list[str] = []

    def slow(m: Pixels | None, picture: Picture, tool: str, tools: Any) -> Pixels:
        done.append(tool)
        time.sleep(0.03)
        return apply_tool(m, picture, tool, tools)

    monkeypatch.setattr(module, "apply_tool", slow)
    monkeypatch.setattr(module, "SELECT_SECONDS", 0.1)
    late = problem(lambda: pictures.select(id, ME, ["box:0,0,9,9"] * 60))
    assert (late.status, late.code, late.param) == (504, "deadline", "tools")
    assert 1 <= len(done) <= 5
    assert pictures._selecting._taken == 0


def test_large_pictures_are_selected_in_alone(
    pictures: Pictures, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = pictures.add(png(), ME)
    places: list[int] = []
    turn = pictures._selecting.turn

    def seen(seconds: float, places_: int = 1, **more: int) -> Any:
        places.append(more.get("places", places_))
        return turn(seconds, places[-1])

    monkeypatch.setattr(pictures._selecting, "turn", seen)
    pictures.select(record.id, ME, ["box:0,0,9,9"])
    large = replace(record, width=LARGE, height=2)
    monkeypatch.setattr(store, "picture", lambda id, owner: large)
    pictures.select(record.id, ME, ["box:0,0,9,9"])
    assert places == [1, AT_ONCE]


# ---- describe --------------------------------------------------------------------------------------------------------


def test_a_description_is_the_librarys_and_the_command_lines(pictures: Pictures, tmp_path: Path) -> None:
    data = png(300, 200)
    got = pictures.describe(pictures.add(data, ME).id, ME)
    assert got == tell(describe(data))
    (tmp_path / "p.png").write_bytes(data)
    told = CliRunner().invoke(app, ["describe", "--json", str(tmp_path / "p.png")])
    assert json.loads(told.stdout) == {"input": str(tmp_path / "p.png"), **json.loads(json.dumps(got))}
    assert got["by"] == "judge"
    assert 0 < got["accuracy"]["terrain"]["right"] <= 1


def test_a_picture_is_described_once_and_on_no_lasting_thread(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def by(picture: Picture) -> Any:
        threads.append(threading.current_thread())
        return describe(picture)

    monkeypatch.setattr(module, "describe", by)
    id = pictures.add(png(), ME).id
    got = pictures.describe(id, ME)
    got["parts"].clear()
    assert pictures.describe(id, ME)["parts"]
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()
    assert not threads[0].is_alive()
