"""What is painted in the Studio is what is sent, pixel for pixel: its map code in a real browser, against NumPy."""

import base64
import functools
import io
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
import pytest
from browser import Visit, visit
from conftest import random_picture
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from overpaint.maps import maptools

Bytes = NDArray[np.uint8]
SIZE = (301, 173)  # odd, and no multiple of anything
BLANK = "<!doctype html><title>maps</title><link rel=icon href=data:,>"


class _Files(SimpleHTTPRequestHandler):
    """The page's files, as the server serves them, and an empty page at /blank."""

    def do_GET(self) -> None:
        if self.path != "/blank":
            self.path = self.path.removeprefix("/studio")
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(BLANK.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    handler = functools.partial(_Files, directory=str(files("overpaint.studio")))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


TOOLS = """
const names = ["map", "map-png", "map-shapes", "map-feather", "map-fill", "sweep", "view", "strokes"];
window.m = Object.assign({}, ...await Promise.all(names.map((name) => import(`/studio/${name}.js`))));
window.b64 = (bytes) => { let s = ""; for (const b of bytes) s += String.fromCharCode(b); return btoa(s); };
window.bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
"""


@pytest.fixture(scope="module")
def blank(chromium: Browser, site: str) -> Iterator[Page]:
    """An empty page with the map code as ``m``."""
    with visit(chromium, f"{site}/blank") as seen:
        seen.page.evaluate(f"async () => {{ {TOOLS} }}")
        yield seen.page


def changed(page: Page, before: Bytes, call: str, *args: Any) -> tuple[Bytes, list[int] | None]:
    """What ``call``, JavaScript that changes ``map`` by ``a``, makes of a map, and the rectangle that it tells."""
    height, width = before.shape
    code = f"""([w, h, data, a]) => {{
        const map = new m.ChangeMap(w, h, bytes(data)), rect = {call};
        return [b64(map.data), rect && [rect.x, rect.y, rect.w, rect.h]];
    }}"""
    data, rect = page.evaluate(code, [width, height, base64.b64encode(before.tobytes()).decode(), list(args)])
    after = np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width)
    assert_only_in(before, after, rect)
    return after, rect


def assert_only_in(before: Bytes, after: Bytes, rect: list[int] | None) -> None:
    """Nothing is changed outside the rectangle, which lies in the map: undo and drawing go by that."""
    same = before == after
    if rect is not None:
        x, y, w, h = rect
        assert x >= 0
        assert y >= 0
        assert w > 0
        assert h > 0
        assert x + w <= before.shape[1]
        assert y + h <= before.shape[0]
        same = same.copy()
        same[y : y + h, x : x + w] = True
    assert same.all()


def empty(size: tuple[int, int] = SIZE) -> Bytes:
    return np.zeros(size[::-1], np.uint8)


def noise(size: tuple[int, int] = SIZE, seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, size[::-1], np.uint8)


def blob(size: tuple[int, int] = SIZE) -> Bytes:
    """A grey thing on black that touches the upper edge."""
    small = np.zeros((7, 9), np.uint8)
    small[:4, 2:6] = np.random.default_rng(1).integers(60, 256, (4, 4), np.uint8)
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.NEAREST))


# ---- the brush -------------------------------------------------------------------------------------------------------


def swept(size: tuple[int, int], stops: list[tuple[float, float]], radius: float, hardness: float, value: int) -> Bytes:
    """The slow way: each pixel by its distance to each whole line, no cutting into pieces."""
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    distance = np.full(size[::-1], np.inf)
    for (ax, ay), (bx, by) in zip(stops, stops[1:] or stops, strict=False):
        dx, dy = bx - ax, by - ay
        square = dx * dx + dy * dy
        t = ((x - ax) * dx + (y - ay) * dy).clip(0, square) / square if square else np.zeros_like(x)
        distance = np.minimum(distance, np.hypot(x - ax - t * dx, y - ay - t * dy))
    share = ((radius + 0.5 - distance) / (1 + (1 - hardness) * (radius - 0.5))).clip(0, 1)
    got: Bytes = np.floor(value * share * share * (3 - 2 * share) + 0.5).astype(np.uint8)
    return got


STROKE = """(() => { let rect = null; const [stops, hardness, value, away] = a;
    for (let i = 0; i < stops.length; i += 1) {
        const [x, y, r] = stops[Math.max(i - 1, 0)], [u, v, q] = stops[i];
        rect = m.united(rect, m.sweep(map, { x, y, r }, { x: u, y: v, r: q }, hardness, value, away));
    }
    return rect; })()"""

sizes = st.tuples(st.integers(1, 60), st.integers(1, 60))
places = st.tuples(st.floats(-20, 80), st.floats(-20, 80))


@settings(max_examples=40)
@given(
    size=sizes,
    stops=st.lists(places, min_size=1, max_size=4),
    radius=st.floats(0.5, 30),
    hardness=st.floats(0, 1),
    value=st.integers(0, 255),
)
def test_a_stroke_is_the_most_that_the_brush_covers(
    blank: Page, size: tuple[int, int], stops: list[tuple[float, float]], radius: float, hardness: float, value: int
) -> None:
    got, _ = changed(blank, empty(size), STROKE, [(*stop, radius) for stop in stops], hardness, value, False)
    want = swept(size, stops, radius, hardness, value)
    assert np.abs(got.astype(int) - want).max() <= 1  # rounding alone
    assert got.max() <= value  # a stroke adds up to no more than its strength


@settings(max_examples=15)
@given(stops=st.lists(st.tuples(places, st.floats(0.5, 30)), min_size=2, max_size=2))
def test_a_pens_pressure_is_as_many_discs(blank: Page, stops: list[tuple[tuple[float, float], float]]) -> None:
    (start, a), (end, b) = stops
    got, _ = changed(blank, empty((60, 50)), STROKE, [(*start, a), (*end, b)], 1, 255, False)
    y, x = np.mgrid[:50, :60] + 0.5
    within = np.full((50, 60), -np.inf)
    for t in np.linspace(0, 1, 800):
        (u, v), radius = np.array(start) * (1 - t) + np.array(end) * t, a * (1 - t) + b * t
        within = np.maximum(within, radius + 0.5 - np.hypot(x - u, y - v))
    share = within.clip(0, 1)
    assert np.abs(got - 255 * share * share * (3 - 2 * share)).max() < 2


def test_a_stroke_over_paint_takes_the_larger_and_the_eraser_is_its_mirror(blank: Page) -> None:
    stops, before = [(10.2, 20.7, 9), (300, 150, 14), (-5, 172, 3)], noise()
    alone, _ = changed(blank, empty(), STROKE, stops, 0.4, 200, False)
    brushed, _ = changed(blank, before, STROKE, stops, 0.4, 200, False)
    erased, _ = changed(blank, before, STROKE, stops, 0.4, 200, True)
    assert np.array_equal(brushed, np.maximum(before, alone))
    assert np.array_equal(erased, np.minimum(before, 255 - alone))
    again, _ = changed(blank, brushed, STROKE, stops, 0.4, 200, False)
    assert np.array_equal(again, brushed)


def test_a_stroke_does_not_depend_on_how_often_the_pointer_tells(blank: Page) -> None:
    ends = ((12.5, 9.25, 6.0), (280.0, 160.5, 6.0))
    fine = [tuple(np.array(ends[0]) * (1 - t) + np.array(ends[1]) * t) for t in np.linspace(0, 1, 57)]
    once, _ = changed(blank, empty(), STROKE, ends, 0.8, 255, False)
    often, _ = changed(blank, empty(), STROKE, fine, 0.8, 255, False)
    assert np.abs(once.astype(int) - often).max() <= 1


def test_the_smallest_brush_marks_single_pixels(blank: Page) -> None:
    for x, y in ((0, 0), (300, 172), (150, 80)):
        got, _ = changed(blank, empty(), STROKE, [(x + 0.5, y + 0.5, 0.5)], 1, 255, False)
        assert got[y, x] == 255
        assert np.count_nonzero(got) == 1


def test_off_the_picture_nothing_is_painted(blank: Page) -> None:
    got, rect = changed(blank, empty(), STROKE, [(-40, -40, 12), (-40, 400, 12)], 0.5, 255, False)
    assert rect is None
    assert not got.any()


# ---- shapes and changes of a whole map -------------------------------------------------------------------------------


def test_box(blank: Page) -> None:
    before = noise()
    want = before.copy()
    want[10:41, 20:32] = np.maximum(want[10:41, 20:32], 90)
    for start, end in (((20.3, 10.9), (31, 40.2)), ((31.99, 10.1), (20, 40.99))):
        call = "m.box(map, a[0], a[1], 90)"
        got, _ = changed(blank, before, call, *({"x": x, "y": y} for x, y in (start, end)))
        assert np.array_equal(got, want)
    call = "m.box(map, { x: -50, y: -3 }, { x: 1000, y: 1000 }, 255, true)"
    assert not changed(blank, before, call)[0].any()
    assert changed(blank, before, "m.box(map, { x: -9, y: -9 }, { x: -1, y: 500 }, 255)")[1] is None


@pytest.mark.parametrize(("start", "end"), [((20, 100), (250, 30)), ((0, 0), (0, 172)), ((299, 5), (1, 5))])
def test_gradient_is_the_servers(blank: Page, start: tuple[int, int], end: tuple[int, int]) -> None:
    points = [{"x": x + 0.5, "y": y + 0.5} for x, y in (start, end)]  # the middles of these pixels
    got, _ = changed(blank, empty(), "m.gradient(map, a[0], a[1], 255)", *points)
    want = maptools.linear_gradient(SIZE, start, end) * 255
    assert np.abs(got - want).max() < 0.51
    before = noise()
    away, _ = changed(blank, before, "m.gradient(map, a[0], a[1], 200, true)", *points)
    more, _ = changed(blank, empty(), "m.gradient(map, a[0], a[1], 200)", *points)
    assert np.array_equal(away, np.minimum(before, 255 - more))


@pytest.mark.parametrize("pixels", [1, 3, 8, -1, -5, -400])
@pytest.mark.parametrize("before", [blob(), noise((23, 9)), (noise((40, 31), 2) > 250).astype(np.uint8) * 255])
def test_grow_and_shrink_are_the_servers(blank: Page, before: Bytes, pixels: int) -> None:
    got, _ = changed(blank, before, "m.grow(map, a[0])", pixels)
    want = maptools.grow(before.astype(np.float32) / 255, pixels) * 255
    assert np.array_equal(got, np.rint(want))


@pytest.mark.parametrize("pixels", [1, 2, 9, 40, 700])
def test_feather(blank: Page, pixels: int) -> None:
    before = blob()
    got, _ = changed(blank, before, "m.feather(map, a[0])", pixels)
    want, rest = before.astype(float), round(pixels / 2 + 1e-9)
    reach = rest
    for left in (3, 2, 1):
        radius = int(rest / left + 0.5)
        rest -= radius
        want = cv2.blur(want, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REPLICATE)
    if pixels < 100:  # wider than the map, how the edge goes on is told in passes
        assert np.abs(got - want).max() < 0.6
    far = maptools.grow((before > 0).astype(np.float32), reach * 1.5) == 0
    assert not got[far].any()
    flat, _ = changed(blank, np.full((9, 5), 77, np.uint8), "m.feather(map, a[0])", pixels)
    assert (flat == 77).all()


def test_fill_stays_in_its_walls_and_leaves_no_rim(blank: Page) -> None:
    ring = [(100 + 60 * np.cos(t), 80 + 60 * np.sin(t), 4) for t in np.linspace(0, 2 * np.pi, 90)]
    wall, _ = changed(blank, empty(), STROKE, ring, 1, 255, False)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    inside = np.hypot(x - 100, y - 80) < 60
    got, _ = changed(blank, wall, "m.flood(map, { x: 100.2, y: 80.9 }, 255)")
    assert (got[inside] == 255).all()
    assert np.array_equal(got[~inside], wall[~inside])
    emptied, _ = changed(blank, got, "m.flood(map, { x: 100, y: 80 }, 0)")
    assert not emptied.any()
    assert changed(blank, wall, "m.flood(map, { x: -1, y: 5 }, 255)")[1] is None


@settings(max_examples=25)
@given(seed=st.integers(0, 999), size=sizes)
def test_fill_is_the_flood_of_opencv(blank: Page, seed: int, size: tuple[int, int]) -> None:
    before = (noise(size, seed) > 110).astype(np.uint8) * 255
    x, y = size[0] // 2, size[1] // 2
    got, _ = changed(blank, before, "m.flood(map, { x: a[0], y: a[1] }, 100)", x, y)
    want = before.copy()
    cv2.floodFill(want, None, (x, y), (100,), flags=4)
    assert np.array_equal(got, want)


def test_whole_maps(blank: Page) -> None:
    before, other = noise(), blob()
    assert np.array_equal(changed(blank, before, "m.invert(map)")[0], 255 - before)
    assert (changed(blank, before, "m.fillAll(map, 33)")[0] == 33).all()
    call = "m.join(map, new m.ChangeMap(map.width, map.height, bytes(a[0])), a[1])"
    more = base64.b64encode(other.tobytes()).decode()
    assert np.array_equal(changed(blank, before, call, more, False)[0], np.maximum(before, other))
    assert np.array_equal(changed(blank, before, call, more, True)[0], np.minimum(before, 255 - other))
    _, bounds = changed(blank, other, "map.bounds()")
    rows, columns = np.nonzero(other)
    assert bounds == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    assert changed(blank, empty(), "map.bounds()")[1] is None


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before", [noise(), np.arange(256, dtype=np.uint8)[None], np.arange(7, dtype=np.uint8)[:, None]]
)
def test_a_map_and_its_png_are_one(blank: Page, before: Bytes) -> None:
    height, width = before.shape
    code = """async ([w, h, data]) => {
        const blob = await m.toPng(new m.ChangeMap(w, h, bytes(data))), back = await m.fromPng(blob);
        return [b64(new Uint8Array(await blob.arrayBuffer())), b64(back.data), back.width, back.height];
    }"""
    png, back, *size = blank.evaluate(code, [width, height, base64.b64encode(before.tobytes()).decode()])
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), before)
    assert size == [width, height]
    assert base64.b64decode(back) == before.tobytes()


def test_strokes_over_a_picture_change_no_other_pixel(blank: Page) -> None:
    rgb = np.random.default_rng(3).integers(0, 256, (*SIZE[::-1], 3), np.uint8)
    code = """async ([picture, w, h]) => {
        const bitmap = await createImageBitmap(new Blob([bytes(picture)]), { colorSpaceConversion: "none" });
        const strokes = new m.Strokes(w, h), ink = new m.Ink(strokes, "#12ab9f", false);
        ink.changed(m.sweep(ink.cover, { x: 50, y: 50, r: 20 }, { x: 200, y: 90, r: 20 }, 1, 255));
        const before = b64(strokes.pixels(m.wholeOf(strokes)).data);
        const more = new m.Ink(strokes, "#ffffff", true);
        more.changed(m.sweep(more.cover, { x: 0, y: 60, r: 30 }, { x: 300, y: 60, r: 30 }, 0.3, 180));
        more.undo();
        const again = await m.Strokes.fromPng(await strokes.toPng());
        return [await strokes.over(bitmap), await again.over(bitmap), b64(strokes.toMap().data), strokes.isEmpty(),
            before === b64(strokes.pixels(m.wholeOf(strokes)).data)];
    }"""
    told = code.replace(
        "await strokes.over(bitmap)", "b64(new Uint8Array(await (await strokes.over(bitmap)).arrayBuffer()))"
    )
    told = told.replace(
        "await again.over(bitmap)", "b64(new Uint8Array(await (await again.over(bitmap)).arrayBuffer()))"
    )
    over, again, covered, is_empty, restored = blank.evaluate(told, [_png(rgb), *SIZE])
    got = _pixels(over)
    mask = np.frombuffer(base64.b64decode(covered), np.uint8).reshape(SIZE[::-1])
    assert np.array_equal(got[mask == 0], rgb[mask == 0])
    assert (got[55, 60] == (0x12, 0xAB, 0x9F)).all()
    assert mask[55, 60] == 255
    assert np.array_equal(_pixels(again), got)
    assert not is_empty
    assert restored


def _png(rgb: NDArray[np.uint8]) -> str:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def _pixels(data: str) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.asarray(image.convert("RGB"))


# ---- the view --------------------------------------------------------------------------------------------------------


def test_views_go_to_and_fro(blank: Page) -> None:
    code = """() => {
        const area = { w: 1003.5, h: 611 }, rect = { x: -8, y: 0, w: 309, h: 173 };
        const first = m.fit(area, rect), out = { fits: [], back: 0, stays: 0, limits: [] };
        const a = m.toStage(first, rect.x, rect.y), b = m.toStage(first, rect.x + rect.w, rect.y + rect.h);
        out.fits = [a.x, a.y, area.w - b.x, area.h - b.y];
        let view = first;
        for (const scale of [0.37, 1, 2, 3.3, 17, 64]) {
            view = m.scaledAt(view, scale, 400.25, 300.75);
            const p = m.toPicture(view, 400.25, 300.75), q = m.toPicture(first, 400.25, 300.75);
            out.stays = Math.max(out.stays, Math.abs(p.x - q.x), Math.abs(p.y - q.y));
            for (const [x, y] of [[0, 0], [300.5, 172.5], [-4, 999]]) {
                const s = m.toStage(view, x, y), r = m.toPicture(view, s.x, s.y);
                out.back = Math.max(out.back, Math.abs(r.x - x), Math.abs(r.y - y));
            }
        }
        for (const [scale, x, y] of [[1e6, 0, 0], [1e-9, 0, 0], [1, 1e6, -1e6], [1, -1e6, 1e6]]) {
            out.limits.push(m.limited({ scale, x, y }, area, rect));
        }
        const fingers = [[100, 100], [200, 100], [60, 140], [260, 140]].map(([x, y]) => ({ x, y }));
        out.touched = m.toPicture(m.pinched(first, fingers.slice(0, 2), fingers.slice(2)), 60, 140);
        out.was = m.toPicture(first, 100, 100);
        return out;
    }"""
    out = blank.evaluate(code)
    left, top, right, bottom = out["fits"]
    assert left == pytest.approx(right)
    assert top == pytest.approx(bottom)
    assert min(left, top) >= 34
    assert out["back"] < 1e-9
    assert out["stays"] < 1e-9
    near, far, east, west = out["limits"]
    assert near["scale"] == 64
    assert 0.1 < far["scale"] <= 1
    for view in (east, west):  # 48 pixels of the picture stay on the stage
        assert -309 + 8 + 48 <= view["x"] <= 1003.5 - 48 + 8
        assert -173 + 48 <= view["y"] <= 611 - 48
    assert out["touched"] == pytest.approx(out["was"])


# ---- the whole page --------------------------------------------------------------------------------------------------


def _api(route: Route) -> None:
    """A server with one picture, as far as opening and painting need one."""
    path = route.request.url.split("/v1/")[1]
    if path == "pictures":
        told = {"id": "p1", "object": "picture", "width": SIZE[0], "height": SIZE[1], "notes": []}
        route.fulfill(status=201, json=told)
    elif path == "pictures/p1/view":
        out = io.BytesIO()
        Image.fromarray(random_picture(*SIZE)).save(out, "PNG")
        route.fulfill(body=out.getvalue(), content_type="image/png")
    elif path == "pictures/p1/select":
        out = io.BytesIO()
        Image.fromarray(np.where(blob(), 255, 0).astype(np.uint8)).save(out, "PNG")
        route.fulfill(body=out.getvalue(), content_type="image/png")
    else:
        route.fulfill(json={"data": [], "bands": [], "advice": "", "schedules": [], "jobs": []})


SHELL = """<!doctype html><link rel=icon href=data:,><link rel=stylesheet href=/studio/style.css>
<ov-notice></ov-notice><main class=desk><ov-tools class=rail></ov-tools><section class=middle><ov-stage></ov-stage>
</section></main>"""


def _shell(route: Route) -> None:
    route.fulfill(body=SHELL, content_type="text/html")


@pytest.fixture
def stage(chromium: Browser, site: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """The stage and the tools alone, with a picture open; a parameter is the device pixel ratio."""
    ratio = getattr(request, "param", 1)
    with visit(chromium, f"{site}/blank", device_scale_factor=ratio) as seen:
        page = seen.page
        page.context.route("**/v1/**", _api)
        page.context.route("**/shell", _shell)
        page.goto(f"{site}/shell")
        page.evaluate(
            """async () => {
                await Promise.all(["notice", "stage", "tools"].map((name) => import(`/studio/${name}.js`)));
                const { openPicture } = await import("/studio/open.js");
                const { store } = await import("/studio/store.js");
                const viewport = await import("/studio/viewport.js");
                Object.assign(window, { store, viewport });
                await openPicture(new Blob([new Uint8Array(8)]), "odd.png");
            }"""
        )
        yield seen


def marked(page: Page) -> Bytes:
    """The base map, which is there."""
    found = base_map(page)
    assert found is not None
    return found


def base_map(page: Page) -> Bytes | None:
    data = page.evaluate("store.state.marks.base && btoa(String.fromCharCode(...store.state.marks.base.data))")
    return None if data is None else np.frombuffer(base64.b64decode(data), np.uint8).reshape(SIZE[::-1])


def drag(page: Page, stops: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Drag the mouse over places in the picture; where it went, in the picture, as the mouse knows whole pixels."""
    box = page.locator(".stage-canvas").bounding_box()
    view = page.evaluate("viewport.currentView()")
    assert box is not None
    went = []
    for i, (x, y) in enumerate(stops):
        sx = round(box["x"] + x * view["scale"] + view["x"])
        sy = round(box["y"] + y * view["scale"] + view["y"])
        page.mouse.move(sx, sy)
        if i == 0:
            page.mouse.down()
        went.append(((sx - box["x"] - view["x"]) / view["scale"], (sy - box["y"] - view["y"]) / view["scale"]))
    page.mouse.up()
    return went


@pytest.mark.parametrize(("stage", "zoom"), [(1, 2.7), (1.5, 0.6), (3, 9)], indirect=["stage"])
def test_what_is_painted_is_what_is_marked(stage: Visit, zoom: float) -> None:
    page = stage.page
    page.evaluate(f"viewport.zoom({zoom})")
    page.evaluate("store.set({ tool: { ...store.state.tool, size: 11, hardness: 0.5, strength: 0.7 } })")
    first = drag(page, [(135, 75), (160, 90), (165, 100)])
    value = 179  # 0.7 of 255
    want = swept(SIZE, first, 5.5, 0.5, value)
    got = marked(page)
    assert np.abs(got.astype(int) - want).max() <= 1
    assert got.max() == value

    second = drag(page, [(150, 72), (130, 98)])
    both = marked(page)
    more = np.maximum(want, swept(SIZE, second, 5.5, 0.5, value))
    assert np.abs(both.astype(int) - more).max() <= 1

    page.keyboard.press("Control+z")
    assert np.array_equal(marked(page), got)
    page.keyboard.press("Control+z")
    assert base_map(page) is None  # everything changes, as before
    page.keyboard.press("Control+Shift+Z")
    assert np.array_equal(marked(page), got)
    page.keyboard.press("Control+Shift+Z")
    assert np.array_equal(marked(page), both)


def test_tools_keys_and_undo(stage: Visit) -> None:
    page = stage.page
    page.keyboard.press("e")
    drag(page, [(20, 20), (40, 20)])
    erased = marked(page)  # without a map everything changes: what is erased is all that is kept
    assert erased[20, 30] == 0
    assert erased[100, 200] == 255
    page.get_by_role("button", name="Invert the map").click()
    assert np.array_equal(marked(page), 255 - erased)
    page.get_by_role("button", name="Clear the map").click()
    assert base_map(page) is None

    page.keyboard.press("s")
    drag(page, [(50, 50)])
    page.wait_for_function("store.state.marks.base !== null")
    assert np.array_equal(marked(page), np.where(blob(), 255, 0))
    page.keyboard.down("Alt")
    drag(page, [(50, 50)])
    page.keyboard.up("Alt")
    page.wait_for_function("store.state.marks.base.isEmpty()")

    page.keyboard.press("r")
    drag(page, [(30.5, 40.5), (60.5, 50.5)])
    got = marked(page)
    rows, columns = np.nonzero(got)
    assert abs(columns.min() - 30) <= 1
    assert abs(rows.max() - 50) <= 1
    assert (got[rows.min() : rows.max() + 1, 40] == 255).all()

    page.keyboard.press("c")
    drag(page, [(30, 30), (90, 90)])
    assert page.evaluate("store.state.strokes.isEmpty()") is False
    assert np.array_equal(marked(page), got)
    page.keyboard.press("e")
    page.evaluate("store.set({ tool: { ...store.state.tool, size: 60, hardness: 1, strength: 1 } })")
    drag(page, [(30, 30), (90, 90)])  # colour was painted last, so that is what goes
    assert page.evaluate("store.state.strokes.isEmpty()") is True
    for _ in range(8):
        page.keyboard.press("Control+z")
    assert page.evaluate("store.state.strokes") is None
    assert base_map(page) is None
    for _ in range(8):
        page.keyboard.press("Control+Shift+z")
    assert np.array_equal(marked(page), got)


def test_by_keyboard_alone(stage: Visit) -> None:
    page = stage.page
    page.evaluate("store.set({ tool: { ...store.state.tool, size: 9, hardness: 1 } })")
    page.locator(".stage-canvas").focus()
    for key in ("Enter", "Enter", "ArrowRight", "ArrowRight", "Enter", "Escape"):
        page.keyboard.press(key)
    got = marked(page)
    scale = page.evaluate("viewport.currentView().scale")
    _, columns = np.nonzero(got)
    assert abs(np.ptp(columns) - (9 + 32 / scale)) <= 2

    handle = page.get_by_role("slider", name="Extend to the right")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert page.evaluate("store.state.params.extend") == "0,0,72,0"
    expect(handle).to_have_attribute("aria-valuenow", "72")
    page.keyboard.press("Home")
    assert page.evaluate("store.state.params.extend") is None
