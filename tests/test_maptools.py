"""Tools for change maps against closed forms and brute force; smart select against pictures whose answer is known."""

from typing import Any

import cv2
import numpy as np
import pytest
from conftest import EXAMPLES, random_picture
from corpus import srgb_decoded
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from overpaint.decode import load
from overpaint.errors import ImageError, ParameterError
from overpaint.maps import maptools
from overpaint.maps.changemap import bounds, is_hard, load_map, luma
from overpaint.maps.maptools import feather, grow, invert
from overpaint.maps.selecting import METHODS, select, select_scribble
from overpaint.maps.toolbox import TOOLS, apply_tool
from overpaint.picture import Picture, Pixels

SIZE = (61, 47)
maps = arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 255)).map(
    lambda x: x / np.float32(255)
)
masks = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))).map(lambda x: x.astype(np.float32))


def disc(size: tuple[int, int] = SIZE, centre: tuple[float, float] = (30, 22), radius: float = 15) -> Pixels:
    y, x = np.ogrid[: size[1], : size[0]]
    return ((x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2).astype(np.float32)


def picture(channels: int = 3) -> Picture:
    return load(random_picture(*SIZE, channels=channels))


def smoothstep(t: Pixels) -> Pixels:
    t = t.clip(0, 1)
    return t * t * (3 - 2 * t)


# ---- changers --------------------------------------------------------------------------------------------------------


@given(masks)
def test_invert_twice_is_nothing(m: Pixels) -> None:
    assert np.array_equal(invert(invert(m)), m)


@given(maps)
def test_invert_of_levels(m: Pixels) -> None:
    assert np.abs(invert(invert(m)) - m).max() <= 2**-24
    assert np.array_equal(invert(m)[m == 0.0], np.ones((m == 0).sum()))


@given(st.one_of(maps, masks), st.floats(-8, 8))
@example(np.array([[0, 1, 1]], np.float32) / np.float32(255), -1.9999999999999991)
@example(np.array([[0, 0], [0, 1]], np.float32), float(np.float32(2**0.5)))
@example(np.array([[0, 0.5], [0, 1]], np.float32), float(np.float32(2**0.5)))
def test_grow_is_the_largest_of_a_disc(m: Pixels, pixels: float) -> None:
    h, w = m.shape
    y, x = np.mgrid[:h, :w]
    pick = np.max if pixels > 0 else np.min
    near = (y[..., None, None] - y) ** 2 + (x[..., None, None] - x) ** 2 <= float(np.float32(abs(pixels))) ** 2
    wanted = np.array([[pick(m[near[i, j]]) for j in range(w)] for i in range(h)])
    assert np.array_equal(grow(m, pixels), wanted)


@pytest.mark.parametrize("grey", [1, np.float32(0.5)])
def test_big_shapes_grow_and_shrink_to_themselves(grey: float) -> None:
    m = disc((200, 150), (100, 70), 40) * np.float32(grey)
    grown = grow(m, 20)
    assert np.array_equal(grow(grown, -20), m)
    assert np.abs(grown.sum() / grey - np.pi * 60**2) < 0.01 * np.pi * 60**2
    box = maptools.box((200, 150), 50, 40, 70, 60)
    assert np.array_equal(grow(grow(box, -9), 9)[49:91, 50:120], box[49:91, 50:120])
    assert np.array_equal(grow(m, 0), m)


def test_grow_at_the_edge_of_the_picture() -> None:
    white, black = np.ones((5, 6), np.float32), np.zeros((5, 6), np.float32)
    for pixels in (-100, -2, 2, 100):
        assert np.array_equal(grow(white, pixels), white)
        assert np.array_equal(grow(black, pixels), black)
    with pytest.raises(ParameterError, match="pixels: is nan"):
        grow(white, float("nan"))


@pytest.mark.parametrize(("side", "shift"), [("inside", 0), ("both", 0.5), ("outside", 1)])
@pytest.mark.parametrize("width", [1, 6, 12.5])
def test_feather_of_a_half_plane(side: Any, shift: float, width: float) -> None:
    m = np.zeros((9, 60), np.float32)
    m[:, 30:] = 1
    s = np.arange(60) - 29.5  # the border lies half-way between columns 29 and 30
    assert np.abs(feather(m, width, side) - smoothstep(s / width + shift)).max() < 1e-6


@given(st.one_of(maps, masks), st.floats(0, 9))
def test_feather_leaves_its_other_side_alone(m: Pixels, pixels: float) -> None:
    inside, outside, both = (feather(m, pixels, side) for side in maptools.SIDES)
    assert not inside[m == 0].any()
    assert np.array_equal(outside[m > 0], m[m > 0])
    for x in (inside, outside, both):
        assert x.dtype == np.float32
        assert x.min() >= 0
        assert x.max() <= m.max()
    assert (inside <= both).all()
    if is_hard(m):
        assert (both <= outside).all()
    assert np.array_equal(feather(m, 0), m)


def test_feather_by_distance() -> None:
    m = disc()
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    white = np.stack([y, x], -1)[m > 0]
    d = np.sqrt(((np.stack([y, x], -1)[:, :, None] - white) ** 2).sum(-1).min(-1))
    wanted = smoothstep(1 - np.maximum(d - 0.5, 0) / 7)
    assert np.abs(feather(m, 7, "outside") - wanted).max() < 1e-6
    half = feather(m * np.float32(0.5), 7, "outside")
    assert np.abs(half - wanted / 2).max() < 1e-6


@pytest.mark.parametrize("width", [7, 30.5, 3000])
def test_the_same_bytes_wherever_they_lie(width: float) -> None:
    """OpenCV's distances differ in the last bit by where its arrays lie in memory; ours must not."""
    m = disc((300, 200), (150, 90), 50)
    first = [feather(m, width), grow(m, width / 2)]
    for i in range(40):
        _ = np.ones(1000 + 37 * i)
        again = [feather(m.copy(), width), grow(m.copy(), width / 2)]
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    y, x = np.mgrid[:200, :300]
    exact = np.sqrt(np.float32(np.maximum((x - 150) ** 2 + (y - 90) ** 2, 0)))
    point = maptools.box((300, 200), 150, 90, 1, 1)
    assert np.array_equal(grow(point, width), exact <= np.float32(width))


def test_feather_refuses() -> None:
    with pytest.raises(ParameterError, match="inside, outside, both"):
        feather(disc(), 3, "left")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="pixels: is -3, must be from 0"):
        feather(disc(), -3)


# ---- makers and joiners ----------------------------------------------------------------------------------------------


@given(*[st.integers(-20, 80)] * 2, *[st.integers(1, 90)] * 2)
def test_box(x: int, y: int, w: int, h: int) -> None:
    left, top, right, bottom = max(0, x), max(0, y), min(SIZE[0], x + w), min(SIZE[1], y + h)
    if left >= right or top >= bottom:
        with pytest.raises(ParameterError, match="holds no pixel of the picture, which is 61x47"):
            maptools.box(SIZE, x, y, w, h)
    else:
        m = maptools.box(SIZE, x, y, w, h)
        assert bounds(m) == (left, top, right, bottom)
        assert m.sum() == (right - left) * (bottom - top)


def test_from_alpha() -> None:
    p = picture(4)
    assert p.alpha is not None
    assert np.array_equal(maptools.from_alpha(p), (255 - p.alpha) / np.float32(255))
    with pytest.raises(ImageError, match="no alpha"):
        maptools.from_alpha(picture())


def lab(rgb: Pixels) -> Pixels:
    """CIELAB under D65 (IEC 61966-2-1, CIE 15) of sRGB in 0..1."""
    to_xyz = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
    t = srgb_decoded(rgb) @ to_xyz.T / to_xyz.sum(axis=1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_by_colour_is_delta_e(kind: type) -> None:
    x = random_picture(*SIZE)
    p = load(x.astype(kind) * (257 if kind is np.uint16 else 1))
    distance = np.linalg.norm(lab(x / 255) - lab(np.array([0x30, 0x60, 0xA0]) / 255), axis=-1)
    soft = maptools.by_colour(p, "#3060A0", 20, 30)
    assert np.abs(soft - (1 - (distance - 20) / 30).clip(0, 1)).max() < 1e-4
    hard = maptools.by_colour(p, (0x30, 0x60, 0xA0), 40)
    sure = np.abs(distance - 40) > 1e-3
    assert np.array_equal(hard[sure], (distance <= 40)[sure])
    assert 0 < hard.mean() < 1
    own = tuple(int(c) for c in x[5, 5])
    assert maptools.by_colour(load(x), own, 0)[5, 5] == 1  # type: ignore[arg-type]


def test_by_brightness_includes_its_ends() -> None:
    ramp = load(np.arange(256, dtype=np.uint8)[None])
    assert bounds(maptools.by_brightness(ramp, 0.6, 1)) == (153, 0, 256, 1)
    assert bounds(maptools.by_brightness(ramp, 51 / 255, 0.6)) == (51, 0, 154, 1)
    with pytest.raises(ParameterError, match=r"high: is 0\.2, must be from 0\.6 to 1"):
        maptools.by_brightness(ramp, 0.6, 0.2)


def test_gradients() -> None:
    m = maptools.linear_gradient((11, 3), (2, 0), (7, 0))
    assert np.abs(m - (1 - (np.arange(11) - 2) / 5).clip(0, 1)).max() < 1e-6
    assert (m[:, :3] == 1).all()
    assert (m[:, 7:] == 0).all()
    slanted = maptools.linear_gradient(SIZE, (0, 0), (60, 46))
    assert slanted[0, 0] == 1
    assert slanted[46, 60] == 0
    assert slanted[23, 30] == 0.5
    m = maptools.radial_gradient(SIZE, (30, 20), 8)
    assert m[20, 30] == 1
    assert m[20, 34] == m[16, 30] == 0.5
    assert m[20, 38] == 0
    assert bounds(m) == (23, 13, 38, 28)
    for make in (
        lambda: maptools.linear_gradient(SIZE, (3, 3), (3, 3)),
        lambda: maptools.radial_gradient(SIZE, (0, 0), 0),
    ):
        with pytest.raises(ParameterError):
            make()


def test_difference() -> None:
    p, x = picture(), picture().rgb.copy()
    assert not maptools.difference(p, p).any()
    x[3:9, 4:20, 1] ^= 16
    assert np.array_equal(maptools.difference(p, load(x)), maptools.box(SIZE, 4, 3, 16, 6))
    assert maptools.difference(p, load(x), 15 / 255).any()
    assert not maptools.difference(p, load(x), 16.01 / 255).any()
    assert not maptools.difference(p, load(p.rgb.astype(np.uint16) * 257)).any()
    assert not maptools.difference(p, Picture(p.rgb, np.full(p.rgb.shape[:2], 255, np.uint8))).any()
    assert maptools.difference(p, Picture(p.rgb, np.full(p.rgb.shape[:2], 254, np.uint8))).all()
    with pytest.raises(ImageError, match="61x47 and 3x3"):
        maptools.difference(p, load(np.zeros((3, 3), np.uint8)))


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(*[arrays(np.bool_, (n, n))] * 2)))
def test_joiners_are_logic(pair: tuple[Pixels, Pixels]) -> None:
    a, b = pair
    f, g = a.astype(np.float32), b.astype(np.float32)
    assert np.array_equal(maptools.union(f, g), a | b)
    assert np.array_equal(maptools.intersect(f, g), a & b)
    assert np.array_equal(maptools.subtract(f, g), a & ~b)


def test_joiners_want_one_size() -> None:
    for join in (maptools.union, maptools.intersect, maptools.subtract):
        with pytest.raises(ImageError, match="61x47 and 5x4"):
            join(disc(), np.zeros((4, 5), np.float32))


# ---- text ------------------------------------------------------------------------------------------------------------

TEXTS = {
    "box:10,5,20,12": lambda p, m: maptools.box(SIZE, 10, 5, 20, 12),
    "alpha": lambda p, m: maptools.from_alpha(p),
    "colour:#806040,30": lambda p, m: maptools.by_colour(p, "#806040", 30),
    "colour:#806040,30,10": lambda p, m: maptools.by_colour(p, "#806040", 30, 10),
    "brightness:.4,1": lambda p, m: maptools.by_brightness(p, 0.4, 1),
    "linear:0,0,60,46": lambda p, m: maptools.linear_gradient(SIZE, (0, 0), (60, 46)),
    "radial:30,20,12.5": lambda p, m: maptools.radial_gradient(SIZE, (30, 20), 12.5),
    "select:5,5,50,40": lambda p, m: select(p, [(5, 5), (50, 40)]),
    "invert": lambda p, m: invert(m),
    " grow : 3 ": lambda p, m: grow(m, 3),
    "shrink:4": lambda p, m: grow(m, -4),
    "feather:6": lambda p, m: feather(m, 6, "both"),
    "feather-in:6": lambda p, m: feather(m, 6, "inside"),
    "feather-out:6": lambda p, m: feather(m, 6, "outside"),
    "within:box:20,10,20,20": lambda p, m: maptools.intersect(m, maptools.box(SIZE, 20, 10, 20, 20)),
    "without:alpha": lambda p, m: maptools.subtract(m, maptools.from_alpha(p)),
}


@pytest.mark.parametrize("text", TEXTS)
def test_texts(text: str) -> None:
    p, m = picture(4), disc()
    wanted = TEXTS[text](p, m)
    tool = next(tool for tool in TOOLS if tool.name == text.partition(":")[0].strip())
    if tool.kind == "maker":
        assert np.array_equal(apply_tool(None, p, text), wanted)
        wanted = maptools.union(m, wanted)
    else:
        with pytest.raises(ParameterError, match="no map to change; begin with one of box, alpha"):
            apply_tool(None, p, text)
    assert np.array_equal(apply_tool(m, p, text), wanted)
    assert np.array_equal(m, disc())


def test_every_tool_has_a_text_here() -> None:
    assert {text.partition(":")[0].strip() for text in TEXTS} == {tool.name for tool in TOOLS}
    assert len({tool.name for tool in TOOLS}) == len(TOOLS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur:3", r"'blur:3' is unknown, known are box:x,y,w,h, .*grow:pixels.*without:MAKER"),
        ("", "unknown"),
        ("box:1,2,3", "must be of the form box:x,y,w,h"),
        ("grow", "of the form grow:pixels"),
        ("invert:3", "of the form invert"),
        ("grow:nan", "'nan' is none"),
        ("grow:1e5", "is none"),
        ("grow:20000", "must be from 0 to 16384; its form is grow:pixels"),
        ("grow:#808080", "is none"),
        ("colour:red,20", "'red', must be of the form #rrggbb"),
        ("colour:5,20", "must be of the form #rrggbb"),
        ("colour:#12345,20", "#rrggbb"),
        ("box:70,0,5,5", "holds no pixel"),
        ("select:61,0", r"\(61, 0\) lies outside the picture: x must be from 0 to 60, y from 0 to 46"),
        ("select:1,2,3", "of the form select:x,y"),
        ("within:grow:3", "behind within: must stand one of box, alpha"),
        ("without:", "unknown"),
        ("x" * 10_000, "unknown"),
    ],
)
def test_texts_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        apply_tool(disc(), picture(), text)
    assert caught.value.name == "tool"
    assert len(str(caught.value)) < 600


def test_maps_and_tools_go_together() -> None:
    p = picture(4)
    m, _ = load_map(disc(), SIZE)
    for text in ("box:0,0,9,9", "grow:2", "without:brightness:.9,1", "feather-in:4", "invert"):
        m = apply_tool(m, p, text)
        assert m.dtype == np.float32
        assert m.shape == (47, 61)
        assert m.min() >= 0
        assert m.max() <= 1
    assert np.array_equal(luma(p), load_map(p.rgb, SIZE)[0])


# ---- select ----------------------------------------------------------------------------------------------------------


def textured(size: tuple[int, int], seed: int = 0) -> tuple[Picture, Pixels]:
    """A disc with a texture on a ground with another: (picture, the disc as a mask)."""
    rng = np.random.default_rng(seed)
    w, h = size
    truth = disc(size, (w * 0.45, h * 0.55), h * 0.3)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (h, w, 1)).astype(np.float32), (0, 0), 1.5)[..., None]
    inside = np.array([170, 90, 60]) + 60 * grain + rng.normal(0, 8, (h, w, 3))
    outside = np.array([90, 110, 120]) + 60 * grain + rng.normal(0, 8, (h, w, 3))
    return load(np.where(truth[..., None] > 0, inside, outside).clip(0, 255).astype(np.uint8)), truth


def iou(a: Pixels, b: Pixels) -> float:
    return float(np.minimum(a, b).sum() / np.maximum(a, b).sum())


def test_grabcut_finds_a_disc_in_texture() -> None:
    p, truth = textured((240, 180))
    found = select(p, [(108, 99)])
    assert is_hard(found)
    assert found.dtype == np.float32
    assert iou(found, truth) > 0.95
    assert iou(1 - select(p, [(10, 10)]), truth) > 0.95
    scribble = np.zeros_like(truth)
    scribble[90:93, 90:130] = 1
    assert iou(select_scribble(p, scribble), truth) > 0.95


def test_large_pictures_are_cut_at_full_size() -> None:
    p, truth = textured((1600, 1000))
    found = select(p, [(720, 550)])
    assert found.shape == (1000, 1600)
    assert iou(found, truth) > 0.95


def test_flood_is_connected_and_of_one_colour() -> None:
    x = np.full((40, 60, 3), (200, 180, 150), np.uint8)
    x[:, 20:25] = (40, 60, 90)
    p = load(x)
    left = maptools.box((60, 40), 0, 0, 20, 40)
    assert np.array_equal(select(p, [(3, 3)], method="flood"), left)
    assert np.array_equal(select(p, [(3, 3), (50, 9)], method="flood"), 1 - maptools.box((60, 40), 20, 0, 5, 40))
    assert np.array_equal(select(p, [(3, 3)], method="flood", tolerance=500), np.ones((40, 60)))


@pytest.mark.parametrize("method", METHODS)
def test_points_are_selected_and_those_to_keep_are_not(method: Any) -> None:
    p, _ = textured((120, 90))
    points, keep = [(54, 50), (2, 2)], [(60, 50), (53, 50), (100, 80)]
    m = select(p, points, keep=keep, method=method)
    assert all(m[y, x] == 1 for x, y in points)
    assert all(m[y, x] == 0 for x, y in keep)


def test_keep_leaves_a_like_thing_out() -> None:
    x = np.full((90, 120, 3), (60, 90, 60), np.uint8)
    x[20:70, 10:60] = (180, 150, 120)
    x[20:70, 60:110] = (180, 160, 140)
    p = load(cv2.add(x, np.random.default_rng(0).integers(0, 6, x.shape, dtype=np.uint8)))
    left, both = maptools.box((120, 90), 10, 20, 50, 50), maptools.box((120, 90), 10, 20, 100, 50)
    assert iou(select(p, [(30, 40)]), both) > 0.95
    assert iou(select(p, [(30, 40)], keep=[(90, 40)]), left) > 0.95


def test_select_is_deterministic_and_leaves_opencvs_numbers_alone() -> None:
    p, _ = textured((100, 80))
    cv2.setRNGSeed(5)
    first = select(p, [(45, 44)])
    drawn = cv2.randu(np.zeros(4, np.int32), 0, 1000).copy()
    cv2.setRNGSeed(5)
    assert np.array_equal(drawn, cv2.randu(np.zeros(4, np.int32), 0, 1000))
    assert np.array_equal(select(p, [(45, 44)]), first)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 3), (1, 40), (7, 5)])
@pytest.mark.parametrize("method", METHODS)
def test_tiny_and_even_pictures(size: tuple[int, int], method: Any) -> None:
    even = load(np.full(size[::-1], 99, np.uint8))
    assert select(even, [(0, 0)], method=method).all()
    m = select(load(random_picture(*size)), [(0, 0)], method=method)
    assert m[0, 0] == 1
    assert m.shape == size[::-1]


def test_select_refuses() -> None:
    p = picture()
    for point in ((-1, 0), (61, 0), (0, 47), (float("nan"), 0), (1e300, 0)):
        for options in ({"points": [point]}, {"points": [(1, 1)], "keep": [point]}):
            with pytest.raises(ParameterError, match="outside the picture: x must be from 0 to 60, y from 0 to 46"):
                select(p, **options)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="at least one"):
        select(p, [])
    with pytest.raises(ParameterError, match=r"keep: holds \(3, 4\)"):
        select(p, [(3, 4)], keep=[(3, 4)])
    with pytest.raises(ParameterError, match="one of grabcut, flood"):
        select(p, [(3, 4)], method="sam")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="tolerance"):
        select(p, [(3, 4)], tolerance=0)
    with pytest.raises(ImageError, match="scribble: has the shape"):
        select_scribble(p, np.ones((3, 3), np.float32))
    with pytest.raises(ImageError, match="scribble: is empty"):
        select_scribble(p, np.zeros((47, 61), np.float32))


def test_a_click_on_the_castle() -> None:
    """Its walls are selected; the sky, the mountains and the far shore are not."""
    castle = load(EXAMPLES / "castle.jpg")
    m = select(castle, [(165, 215)])
    assert 0.01 < m.mean() < 0.06
    left, _, right, _ = bounds(m) or (0, 0, 0, 0)
    assert left > 100
    assert right < 225
    assert m[200:235, 140:175].mean() > 0.7
    assert not m[:150].any()
