"""The studio as somebody uses it: a real server, a real browser, by what stands on the page.

What is painted is what is sent, what is sent is what is edited: checked on the request's own bytes and on the result's
pixels. Reload, tabs and restarts are in ``test_studio_lasting``, errors and access in ``test_studio_access``.
"""

import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Visit, visit
from http_app import file_of
from live import LiveServer
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from studio_page import (
    QUICK,
    drag,
    jobs_of,
    newest_file,
    open_file,
    seed,
    settings,
    stage,
    strength,
    tool,
    write,
)

from overpaint.picture import Pixels

MARK = (200, 70)  # the middle pixel of a red square of 5, on grey
WIDTH, HEIGHT = 301, 173


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("studio")
    with LiveServer(folder, "--device", "cpu", "--dtype", "float32") as server:
        yield server.wait_ready()


@pytest.fixture
def studio(chromium: Browser, live: LiveServer) -> Iterator[Visit]:
    with visit(chromium, live.url) as seen:
        yield seen


def marked_picture() -> Pixels:
    x = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    x[MARK[1] - 2 : MARK[1] + 3, MARK[0] - 2 : MARK[0] + 3] = 255, 0, 0
    return x


def open_picture(page: Page, pixels: Pixels | None = None) -> Pixels:
    """On the stage; without another the marked one."""
    pixels = marked_picture() if pixels is None else pixels
    open_file(page, "grey.png", file_of(pixels))
    return pixels


def run(seen: Visit, button: str = "Edit") -> dict[str, Any]:
    """Press a button that asks for edits; what was sent: texts, and the bytes of files."""
    path = "/v1/sweeps" if button in ("Sweep", "4 variations") else "/v1/edits"
    with seen.page.expect_response(lambda answer: answer.request.method == "POST" and answer.url.endswith(path)):
        seen.page.locator("ov-run").get_by_role("button", name=button, exact=True).click()
    return seen.sent(path)[-1]


def decoded(data: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data)))


def wait_for_result(page: Page, count: int = 1) -> None:
    expect(page.locator("ov-history img")).to_have_count(count)
    expect(page.locator("ov-jobs progress")).to_have_count(0)


def found_on_screen(page: Page) -> tuple[float, float]:
    """Where the red square's middle is seen, in CSS pixels: by what the screen shows, not by what the page says."""
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
    ratio = shot.shape[1] / (page.viewport_size or {"width": 1})["width"]
    box = stage(page).bounding_box()
    assert box is not None
    red = (shot[..., 0] > 200) & (shot[..., 1] < 60) & (shot[..., 2] < 60)
    rows, columns = np.nonzero(red)
    inside = (columns / ratio > box["x"]) & (columns / ratio < box["x"] + box["width"])
    return (float(columns[inside].mean()) + 0.5) / ratio, (float(rows[inside].mean()) + 0.5) / ratio


def painted(page: Page) -> Pixels:
    """The map as the page holds it."""
    rows = page.evaluate(
        """async () => {
            const { store } = await import("/studio/store.js");
            const map = store.state.marks.base;
            return { width: map.width, height: map.height, data: Array.from(map.data) };
        }"""
    )
    return np.array(rows["data"], np.uint8).reshape(rows["height"], rows["width"])


# ---- painting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ratio", "zoom"), [(1, 0), (1.5, 6), (2, -3), (2, 6)])
def test_the_map_that_is_sent_is_the_map_that_was_painted(
    chromium: Browser, live: LiveServer, ratio: float, zoom: int
) -> None:
    """Where the pointer was, at any zoom and device pixel ratio, for a picture of odd sides."""
    with visit(chromium, live.url, device_scale_factor=ratio, viewport={"width": 1301, "height": 857}) as seen:
        page = seen.page
        open_picture(page)
        x, y = found_on_screen(page)
        page.mouse.move(x, y)
        for _ in range(abs(zoom)):
            page.mouse.wheel(0, -120 if zoom > 0 else 120)
        page.wait_for_timeout(200)  # the wheel is dealt with by the next frames
        x, y = found_on_screen(page)
        tool(page, "Brush")
        page.get_by_role("toolbar").get_by_role("slider", name="Hardness").fill("1")
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.up()
        m = painted(page)
        rows, columns = np.nonzero(m)
        assert abs(columns.mean() - MARK[0]) < 0.8
        assert abs(rows.mean() - MARK[1]) < 0.8
        assert m[MARK[1], MARK[0]] == 255
        write(page, "a red barn")
        settings(page, QUICK)
        sent = run(seen)
        assert (decoded(sent["map"]) == m).all()
        assert set(sent) >= {"prompt", "image_id", "map", "steps"}
        wait_for_result(page)


def test_what_is_not_marked_stays_to_the_last_bit(studio: Visit, live: LiveServer) -> None:
    page = studio.page
    rng = np.random.default_rng(0)
    picture = open_picture(page, rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
    tool(page, "Box")
    drag(page, (0, 0), (90, 50))
    m = painted(page)
    assert set(np.unique(m)) == {0, 255}
    write(page, "a red barn")
    settings(page, QUICK)
    strength(page).fill("0.9")
    run(studio)
    wait_for_result(page)
    result = decoded(newest_file(live))
    assert (result[m == 0] == picture[m == 0]).all()
    assert (result[m > 0] != picture[m > 0]).any(axis=-1).mean() > 0.9


def test_tools_and_undo(studio: Visit) -> None:
    page = studio.page
    open_picture(page)
    tool(page, "Gradient")
    drag(page, (-100, 0), (100, 0))
    gradient = painted(page)
    row = gradient[HEIGHT // 2].astype(int)
    assert row[0] == 255
    assert row[-1] == 0
    assert (np.diff(row) <= 0).all()
    tool(page, "Invert the map")
    assert (painted(page) == 255 - gradient).all()
    page.keyboard.press("Control+z")
    assert (painted(page) == gradient).all()
    page.keyboard.press("Control+Shift+z")
    assert (painted(page) == 255 - gradient).all()
    tool(page, "Eraser")
    drag(page, (0, 0), (40, 0))
    erased = painted(page)
    assert (erased <= 255 - gradient).all()
    assert (erased < 255 - gradient).any()
    tool(page, "Smart select")
    with page.expect_response(lambda answer: answer.url.endswith("/select")):
        drag(page, (0, 0), (0, 0))


def test_colour_strokes_go_along_and_become_the_map(studio: Visit, live: LiveServer) -> None:
    page = studio.page
    picture = open_picture(page)
    tool(page, "Colour brush")
    drag(page, (-60, 0), (60, 0))
    write(page, "a blue river")
    settings(page, QUICK)
    sent = run(studio)
    assert "image_id" not in sent
    with_strokes = decoded(sent["image"])[..., :3]
    differs = (with_strokes != picture).any(axis=-1)
    assert 0.01 < differs.mean() < 0.5
    assert (with_strokes[HEIGHT // 2, WIDTH // 2] == (0x3A, 0x6E, 0xA5)).all()
    assert (decoded(sent["changed_from"])[..., :3] == picture).all()
    wait_for_result(page)
    result = decoded(newest_file(live))[..., :3]
    assert (result[~differs] == picture[~differs]).all()


def test_two_regions_have_prompts_of_their_own(studio: Visit) -> None:
    page = studio.page
    open_picture(page)
    tool(page, "Box")
    for number, (prompt, side) in enumerate((("a castle", -1), ("a lake", 1)), start=1):
        page.get_by_role("button", name="Add a region").click()
        page.get_by_role("textbox", name=f"Region {number}: prompt").fill(prompt)
        drag(page, (0, 0), (60 * side, 40))
    page.get_by_role("textbox", name="Region 2: strength").fill("0.9")
    write(page, "a landscape")
    settings(page, QUICK)
    sent = run(studio)
    first, second = json.loads(sent["layers"])
    assert (first["prompt"], second["prompt"], second["strength"]) == ("a castle", "a lake", 0.9)
    left, right = (decoded(sent[layer["map_part"]]) for layer in (first, second))
    assert left[:, : WIDTH // 2 - 2].any()
    assert not left[:, WIDTH // 2 + 2 :].any()
    assert right[:, WIDTH // 2 + 2 :].any()
    assert not right[:, : WIDTH // 2 - 2].any()
    wait_for_result(page)


def test_the_picture_grows_by_its_handles(studio: Visit, live: LiveServer) -> None:
    page = studio.page
    picture = open_picture(page)
    handle = page.get_by_role("slider", name="Extend to the right")
    handle.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    write(page, "a wide landscape")
    settings(page, QUICK)
    sent = run(studio)
    left, top, right, bottom = map(int, sent["extend"].split(","))
    assert (left, top, bottom) == (0, 0, 0)
    assert right > 0
    wait_for_result(page)
    result = decoded(newest_file(live))
    assert result.shape == (HEIGHT, WIDTH + right, 3)
    assert (result[:, :WIDTH] == picture).all()


# ---- strength, presets, runs -----------------------------------------------------------------------------------------


def test_the_slider_shows_what_survives(studio: Visit) -> None:
    page = studio.page
    open_picture(page)
    page.get_by_role("radio", name="Scene").click()
    slider = strength(page)
    with page.expect_response(lambda answer: "/noised?" in answer.url) as caught:
        slider.fill("0.55")
    assert caught.value.ok
    expect(stage(page)).to_have_attribute("aria-label", re.compile("as noise of strength 0.55 leaves it"))
    expect(page.locator("ov-strength")).to_contain_text("significant style change")
    expect(stage(page)).to_have_attribute("aria-label", re.compile("grey.png, 301 by 173"))  # and the picture is back
    slider.fill("0.95")
    expect(page.locator("ov-strength")).to_contain_text("0.4 to 0.8")  # the range that the preset works in
    write(page, "night")
    settings(page, QUICK)
    sent = run(studio)
    assert (sent["preset"], sent["strength"]) == ("scene", "0.95")
    wait_for_result(page)


def test_an_edit_shows_how_far_it_is_and_can_be_cancelled(studio: Visit, live: LiveServer) -> None:
    page = studio.page
    open_picture(page)
    write(page, "a forest")
    settings(page, {**QUICK, "Steps": "1000"})
    run(studio)
    bar = page.locator("ov-jobs progress")
    expect(bar).to_have_count(1)
    expect(page.locator("ov-jobs")).to_contain_text(re.compile(r"[Ss]tep \d+ of \d+"))
    expect(page.locator("ov-jobs img.job-preview")).to_be_visible()  # what it will look like
    page.locator("ov-jobs").get_by_role("button", name=re.compile("^Cancel: ")).click()
    expect(bar).to_be_hidden()
    end = time.monotonic() + 30
    while jobs_of(live)[0]["state"] != "cancelled":
        assert time.monotonic() < end
    settings(page, QUICK)
    run(studio)
    wait_for_result(page)


def test_before_and_after(studio: Visit, tmp_path: Path) -> None:
    page = studio.page
    open_picture(page)
    write(page, "a forest")
    settings(page, QUICK)
    run(studio)
    wait_for_result(page)
    views = page.locator("ov-compare")
    for name in ("Picture", "Compare", "Difference", "Result"):
        views.get_by_text(name, exact=True).click()
    views.get_by_text("Compare", exact=True).click()
    divider = views.get_by_role("slider", name=re.compile("[Bb]efore"))
    before = divider.get_attribute("aria-valuenow")
    divider.focus()
    page.keyboard.press("ArrowRight")
    assert divider.get_attribute("aria-valuenow") != before
    with page.expect_download() as caught:
        views.get_by_role("button", name=re.compile("Download")).click()
    from overpaint.metadata import read_recipe

    path = tmp_path / "got.png"
    caught.value.save_as(path)
    assert read_recipe(path).params.prompt == "a forest"
    views.get_by_role("button", name="Use as input").click()
    expect(stage(page)).not_to_have_attribute("aria-label", re.compile("grey.png,"))


def test_a_sweep_is_picked_from(studio: Visit) -> None:
    page = studio.page
    open_picture(page)
    write(page, "a forest")
    settings(page, QUICK)
    sent = run(studio, "Sweep")
    strengths = [float(one) for one in sent["strengths"].strip("[]").split(",")]
    assert len(strengths) == 7
    wait_for_result(page, 7)
    page.locator("ov-history").get_by_role("button", name=re.compile(r"0\.3\b")).first.click()
    slider = strength(page)
    expect(slider).to_have_value("0.3")
    sent = run(studio)
    assert float(sent["strength"]) == 0.3
    wait_for_result(page, 8)


def test_variations_are_four_seeds(studio: Visit) -> None:
    page = studio.page
    open_picture(page)
    write(page, "a forest")
    settings(page, QUICK)
    seed(page).fill("40")
    sent = run(studio, "4 variations")
    assert (sent["count"], sent["seed"]) == ("4", "40")
    wait_for_result(page, 4)


def test_a_picture_from_words_alone(studio: Visit) -> None:
    page = studio.page
    write(page, "a castle by a lake")
    settings(page, QUICK)
    sent = run(studio, "Make a picture")
    assert "image_id" not in sent
    assert "image" not in sent
    wait_for_result(page)
