"""What is under way in the Studio, and what was made there, outlives reloads, tabs, and the server; and what it asks
for once: the API key."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Visit, visit
from http_app import grey_map, picture
from live import LiveServer
from playwright.sync_api import Browser, Page, Route, expect
from studio_page import (
    LONG,
    QUICK,
    drag,
    drop_file,
    jobs_of,
    newest_file,
    notice,
    open_file,
    press,
    prompt,
    results,
    running,
    seed,
    settings,
    stage,
    strength,
    tool,
    write,
)

from overpaint.metadata import read_recipe
from overpaint.recipe import Recipe

OPTIONS = ("--threads", "1", "--device", "cpu", "--dtype", "float32", "--no-warm-up")
STEP = re.compile(r"Step \d+ of \d+")
HILLS = picture(96, 64)


class Lasting:
    """A server that may be killed, and comes again at the same address with what it kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.live = LiveServer(folder, *OPTIONS).wait_ready()
        self.url = self.live.url

    def again(self) -> None:
        port = self.url.rpartition(":")[2]
        self.live = LiveServer(self._folder, *OPTIONS, "--port", port).wait_ready()
        assert self.live.url == self.url


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lasting]:
    lasting = Lasting(tmp_path_factory.mktemp("studio"))
    try:
        yield lasting
    finally:
        lasting.live.kill()


@pytest.fixture
def studio(chromium: Browser, lasting: Lasting) -> Iterator[Visit]:
    with visit(chromium, lasting.url) as seen:
        open_file(seen.page, "hills.png", HILLS)
        yield seen


def begin_long(page: Page, text: str) -> None:
    """An edit that is under way."""
    write(page, text)
    settings(page, LONG)
    strength(page).fill("1")
    press(page, "Edit")
    expect(running(page)).to_contain_text(STEP)


def expect_found(page: Page, text: str) -> None:
    """The running edit is among those that are under way, and goes on."""
    expect(running(page)).to_have_count(1)
    expect(running(page)).to_contain_text(text)
    expect(running(page)).to_contain_text(STEP)
    expect(page.get_by_role("progressbar", name=text)).to_have_attribute("max", LONG["Steps"])


def expect_ended(page: Page, count: int = 1) -> None:
    """Nothing is under way, and there are so many results."""
    expect(results(page)).to_have_count(count)
    expect(running(page)).to_have_count(0)
    expect(page.get_by_role("progressbar")).to_have_count(0)


# ---- reload, tabs, restart -------------------------------------------------------------------------------------------


@pytest.mark.case("S26")
def test_a_reload_finds_the_edit_with_its_settings(studio: Visit) -> None:
    page = studio.page
    begin_long(page, "a reloaded lake")
    page.reload()
    expect_found(page, "a reloaded lake")
    expect(prompt(page)).to_have_value("a reloaded lake")  # nothing was written since
    expect(strength(page)).to_have_value("1")
    expect(stage(page)).to_have_accessible_name(re.compile("^hills.png, 96 by 64"))
    expect(page.get_by_role("radio", name="Result")).to_be_checked()
    expect_ended(page)
    expect(page.get_by_role("img", name="The result: a reloaded lake")).to_be_visible()
    write(page, "something else")
    results(page).click()
    expect(prompt(page)).to_have_value("a reloaded lake")
    expect(strength(page)).to_have_value("1")
    settings(page, {})
    expect(page.get_by_role("textbox", name="Steps", exact=True)).to_have_value(LONG["Steps"])


@pytest.mark.case("S26")
def test_a_second_tab_and_the_back_button_find_it_too(studio: Visit, lasting: Lasting) -> None:
    page = studio.page
    begin_long(page, "a lake in two tabs")
    second = page.context.new_page()
    second.goto(lasting.url)
    expect_found(second, "a lake in two tabs")
    second.goto("about:blank")
    second.go_back()
    expect_found(second, "a lake in two tabs")
    for tab in (page, second):
        expect_ended(tab)
    for tab in (page, second):  # each shows it, and what one deletes is gone from the other
        results(tab).click()
        expect(tab.get_by_role("img", name="The result: a lake in two tabs")).to_be_visible()
    results(second).focus()
    second.keyboard.press("Delete")
    second.get_by_role("dialog").get_by_role("button", name="Delete").click()
    for tab in (page, second):
        expect(results(tab)).to_have_count(0)


@pytest.mark.case("S26")
def test_a_tab_that_asked_may_be_closed(studio: Visit, lasting: Lasting) -> None:
    page = studio.page
    begin_long(page, "a lake left alone")
    second = page.context.new_page()
    page.close()
    second.goto(lasting.url)
    expect_found(second, "a lake left alone")
    second.get_by_role("button", name=re.compile("^Cancel: a lake left alone")).click()
    expect(running(second)).to_contain_text("Cancelled")
    expect(second.get_by_role("progressbar")).to_have_count(0)
    assert jobs_of(lasting.live)[0]["state"] == "cancelled"


@pytest.mark.case("S26")
def test_a_server_that_is_killed_and_comes_again(studio: Visit, lasting: Lasting) -> None:
    studio.expected = ("Failed to load resource",)  # as the browser says it of each request while the server is away
    page = studio.page
    begin_long(page, "a lake that outlives it")
    lasting.live.kill()
    away = page.get_by_text("The server cannot be reached. Nothing is lost")
    expect(away).to_be_visible()
    settings(page, QUICK)
    press(page, "Edit")  # asked for while nobody hears it
    expect(notice(page)).to_contain_text("The server cannot be reached")
    expect(running(page)).to_have_count(2)
    expect(running(page).first).to_contain_text("On its way to the server")
    lasting.again()
    expect(away).to_be_hidden()
    expect(notice(page)).to_be_hidden()
    expect_ended(page, 2)
    jobs = [job for job in jobs_of(lasting.live) if job["params"]["prompt"] == "a lake that outlives it"]
    assert [job["state"] for job in jobs] == ["done", "done"]  # and none of them twice


@pytest.mark.case("S26")
def test_a_server_that_comes_again_empty(studio: Visit, lasting: Lasting) -> None:
    studio.expected = ("Failed to load resource",)
    page = studio.page
    begin_long(page, "a forgotten lake")
    id = jobs_of(lasting.live)[0]["id"]
    told = {"code": "not_found", "message": "There is no such job.", "param": None}
    page.route(f"**/v1/jobs/{id}/**", lambda route: route.fulfill(status=404, json={"error": told}))
    page.reload()
    expect(running(page)).to_contain_text("The server does not know this edit any more.")
    expect(page.get_by_role("progressbar")).to_have_count(0)
    page.get_by_role("button", name=re.compile("^Dismiss: a forgotten lake")).click()
    expect(running(page)).to_have_count(0)
    page.reload()
    expect(stage(page)).to_have_accessible_name("No picture is open")
    expect(running(page)).to_have_count(0)
    lasting.live.ask(f"/v1/jobs/{id}", method="DELETE")


# ---- history ---------------------------------------------------------------------------------------------------------


def test_history_brings_everything_back(studio: Visit, lasting: Lasting) -> None:
    page = studio.page
    write(page, "a painted lake")
    settings(page, QUICK)
    page.get_by_role("radio", name="Style").click()
    strength(page).focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    chosen = strength(page).input_value()
    tool(page, "Gradient")
    drag(page, (-60, 0), (60, 0))
    press(page, "Add a region")
    page.get_by_role("textbox", name="Region 1: prompt").fill("snow")
    page.get_by_role("textbox", name="Region 1: strength").fill("0.4")
    tool(page, "Box")
    drag(page, (-50, -50), (0, 0))
    tool(page, "Colour brush")
    drag(page, (10, 40), (60, 40))
    press(page, "Edit")
    expect(results(page)).to_have_count(1)
    first = newest_file(lasting.live)
    drawn = read_recipe(first)

    page.get_by_role("button", name="Remove Region 1").click()
    press(page, "Clear the marked part")
    tool(page, "Clear all colour")
    write(page, "a second lake")
    strength(page).fill("0.3")
    seed(page).fill("5")
    press(page, "Edit")
    expect(results(page)).to_have_count(2)
    second = read_recipe(newest_file(lasting.live))
    assert (second.maps.change, second.maps.layers, second.params.seed) == (None, (), 5)

    for count in (3, 4):
        results(page).nth(count - 2).click()
        expect(prompt(page)).to_have_value("a painted lake")
        expect(page.get_by_role("radio", name="Style")).to_be_checked()
        expect(strength(page)).to_have_value(chosen)
        expect(seed(page)).to_have_value(str(drawn.params.seed))  # drawn then, the same now
        expect(page.get_by_role("textbox", name="Region 1: prompt")).to_have_value("snow")
        expect(page.get_by_role("textbox", name="Region 1: strength")).to_have_value("0.4")
        press(page, "Edit")
        expect(results(page)).to_have_count(count)
        assert newest_file(lasting.live) == first  # maps, strokes and all
        page.reload()
        expect(results(page)).to_have_count(count)

    remove = page.get_by_role("button", name=re.compile("^Delete: a second lake")).click
    remove()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(results(page)).to_have_count(4)
    remove()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(results(page)).to_have_count(3)
    page.reload()
    expect(results(page)).to_have_count(3)
    expect(page.get_by_role("list", name="History")).not_to_contain_text("a second lake")


def test_history_has_its_picture_when_the_server_has_not(studio: Visit, lasting: Lasting) -> None:
    studio.expected = ("status of 404",)
    page = studio.page
    write(page, "a kept lake")
    settings(page, QUICK)
    press(page, "Edit")
    expect(results(page)).to_have_count(1)
    first = newest_file(lasting.live)
    page.reload()
    expect(results(page)).to_have_count(1)
    told = {"code": "not_found", "message": "There is no such picture.", "param": None}
    asked: list[str] = []

    def gone(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=404, json={"error": told})

    id = jobs_of(lasting.live)[0]["id"]
    page.route(re.compile(r"/v1/pictures/[^/]+$"), gone, times=1)
    results(page).click()
    expect(stage(page)).to_have_accessible_name(re.compile("^hills.png, 96 by 64"))
    assert len(asked) == 1
    press(page, "Edit")
    expect(results(page)).to_have_count(2)
    assert jobs_of(lasting.live)[0]["id"] != id
    assert newest_file(lasting.live) == first


# ---- recipes ---------------------------------------------------------------------------------------------------------


def made(live: LiveServer) -> bytes:
    """A file of ours, with a soft map and a region."""
    encoded = {"image": HILLS, "map": grey_map(96, 64), "region": grey_map(96, 64)}
    image, ramp, region = (base64.b64encode(data).decode() for data in encoded.values())
    told = {"image": image, "map": ramp, "layers": [{"map": region, "prompt": "snow", "strength": 0.4}], "wait": True}
    params = {"prompt": "a lake from a file", "strength": 0.37, "seed": 123, "steps": 5, "size": "64x64"}
    answer = live.ask_json("/v1/edits", {**told, **params})
    assert answer.status == 200
    return answer.body


def expect_settings(page: Page) -> None:
    settings(page, {})
    expect(prompt(page)).to_have_value("a lake from a file")
    expect(strength(page)).to_have_value("0.37")
    expect(seed(page)).to_have_value("123")
    expect(page.get_by_role("textbox", name="Steps", exact=True)).to_have_value("5")
    expect(page.get_by_role("textbox", name="Region 1: prompt")).to_have_value("snow")


def maps_of(recipe: Recipe) -> list[object]:
    known = [recipe.maps.change, *(layer.map for layer in recipe.maps.layers)]
    return [one and one["pixels"] for one in known]


def test_a_dropped_file_offers_its_recipe(studio: Visit, lasting: Lasting) -> None:
    page = studio.page
    file = made(lasting.live)
    drop_file(stage(page), "ours.png", file)
    expect(stage(page)).to_have_accessible_name(re.compile("^ours.png, 96 by 64"))
    offer = page.get_by_role("region", name="Recipe")
    expect(offer).to_contain_text('ours.png holds its recipe: "a lake from a file".')
    expect(prompt(page)).to_have_value("")  # nothing is changed unasked
    offer.get_by_role("button", name="Bring them back").click()
    expect(offer).to_be_hidden()
    expect(notice(page)).to_contain_text("The recipe's settings are back.")
    expect_settings(page)
    press(page, "Edit")
    expect(results(page)).to_have_count(1)
    assert maps_of(read_recipe(newest_file(lasting.live))) == maps_of(read_recipe(file))
    assert None not in maps_of(read_recipe(file))

    drop_file(stage(page), "plain.png", HILLS)  # one that holds none
    expect(stage(page)).to_have_accessible_name(re.compile("^plain.png"))
    expect(offer).to_be_hidden()


def test_a_file_dropped_on_the_history_remakes_itself(studio: Visit, lasting: Lasting) -> None:
    """With the picture open that it was made from, the same bytes come out."""
    page = studio.page
    settings(page, QUICK)
    press(page, "Edit")
    expect(results(page)).to_have_count(1)
    file = made(lasting.live)
    drop_file(page.get_by_role("list", name="History"), "ours.png", file)
    expect(notice(page)).to_contain_text("The recipe's settings are back.")
    expect_settings(page)
    expect(stage(page)).to_have_accessible_name(re.compile("^hills.png"))
    press(page, "Edit")
    expect(results(page)).to_have_count(2)
    assert newest_file(lasting.live) == file


# ---- the key ---------------------------------------------------------------------------------------------------------


def test_a_server_with_keys_is_told_one_once(chromium: Browser, tmp_path: Path) -> None:
    key = "sk-studio-0123456789abcdef"
    file = tmp_path / "keys"
    file.write_text(f"ann:{key}\n")
    file.chmod(0o600)
    with LiveServer(tmp_path / "server", *OPTIONS, "--key-file", str(file)) as live:
        live.wait_ready()
        # what the browser itself answers, should it be asked: it would ask a person in a dialog of its own
        by_browser = {"username": "ann", "password": key}
        with visit(chromium, live.url, expected=("status of 401",), http_credentials=by_browser) as seen:
            page = seen.page
            _give_key(page, key)
            _use_with_key(page)
            assert key not in page.evaluate("JSON.stringify(localStorage) + location + document.body.outerHTML")
            answer = page.goto(f"{live.url}/v1/models")
            assert answer is not None
            assert answer.status == 200  # as without this page's care


def _give_key(page: Page, key: str) -> None:
    question = page.get_by_role("dialog", name="API key")
    expect(question).to_contain_text("This server wants an API key.")
    page.keyboard.press("Escape")
    expect(question).to_be_visible()  # without it nothing can be done
    page.keyboard.type("sk-wrong-0123456789abcdef")
    page.keyboard.press("Enter")
    expect(question).to_contain_text("The server does not know this key.")
    held: list[Route] = []
    page.route("**/v1/samplers", lambda route: held.append(route), times=1)  # whose refusal comes late
    page.keyboard.type("sk-other-0123456789abcdef")
    page.keyboard.press("Enter")
    expect(question).to_contain_text("The server does not know this key.")
    page.keyboard.type(key)
    page.keyboard.press("Enter")
    expect(question).to_be_hidden()
    held[0].continue_()
    expect(page.get_by_role("banner")).to_contain_text("embedded")
    expect(question).to_be_hidden()


def _use_with_key(page: Page) -> None:
    open_file(page, "hills.png", HILLS)
    strength(page).focus()
    page.keyboard.press("ArrowRight")
    expect(stage(page)).to_have_accessible_name(re.compile("as noise of strength"))
    begin_long(page, "a secret lake")
    expect(page.get_by_role("button", name=re.compile("^Show the preview: a secret")).locator("img")).to_be_visible()
    page.reload()
    expect_found(page, "a secret lake")
    press(page, re.compile("^Cancel: "))
    expect(running(page)).to_contain_text("Cancelled")
    settings(page, QUICK)
    press(page, "Edit")
    expect_ended(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
