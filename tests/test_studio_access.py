"""The Studio for everybody: with a screen reader, by keyboard, on a phone; and what it says when something is wrong,
also of names and prompts that were written to do harm."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from browser import Visit, visit
from http_app import picture
from live import LiveServer
from playwright.sync_api import Browser, Dialog, Locator, Page, Route, expect
from studio_page import (
    LONG,
    QUICK,
    choose_file,
    drag,
    drop_file,
    jobs_of,
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

from overpaint.cli.app import app

AXE = Path(sys.prefix) / "node/node_modules/axe-core/axe.min.js"
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 3,
}
HILLS = picture(96, 64)
IMG = "<img src=x onerror=alert(1)>"
SCRIPT = "</textarea><script>alert(2)</script>"
REFUSED = ("status of 4",)  # as the browser says it of an answer that is an error


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    options = ("--threads", "1", "--device", "cpu", "--dtype", "float32", "--no-warm-up")
    with LiveServer(tmp_path_factory.mktemp("studio"), *options) as server:
        yield server.wait_ready()


@pytest.fixture
def studio(chromium: Browser, live: LiveServer) -> Iterator[Visit]:
    with visit(chromium, live.url) as seen:
        expect(seen.page.get_by_role("banner")).to_contain_text("embedded")
        yield seen


def expect_result(page: Page, count: int = 1) -> None:
    expect(results(page)).to_have_count(count)
    expect(running(page)).to_have_count(0)


# ---- for everybody ---------------------------------------------------------------------------------------------------


def faults(page: Page) -> list[str]:
    """What axe-core finds on the page as it is now that keeps somebody out."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations")
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in serious for node in one["nodes"]]


@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, PHONE, {**PHONE, "color_scheme": "dark"}],
    ids=["light", "dark", "phone", "dark phone"],
)
def test_axe_finds_nothing_serious(chromium: Browser, live: LiveServer, options: dict[str, Any]) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not here: make test brings it where npm is")
    with visit(chromium, live.url, **options) as seen:
        page = seen.page
        expect(page.get_by_role("banner")).to_contain_text("embedded")
        assert faults(page) == []
        open_file(page, "hills.png", HILLS)
        page.get_by_role("radio", name="Tweak").click()
        press(page, "Add a region")
        page.get_by_role("textbox", name="Region 1: strength").fill("none")
        write(page, "a lake")
        settings(page, {"Steps": "0"})
        assert faults(page) == []
        press(page, "Remove Region 1")
        settings(page, LONG)
        page.get_by_text("All settings").click()
        press(page, "Edit")
        expect(running(page)).to_contain_text("Step")
        assert faults(page) == []
        press(page, re.compile("^Cancel: "))
        settings(page, QUICK)
        press(page, "Edit")
        expect(results(page)).to_have_count(1)
        for view in ("Compare", "Difference"):
            page.get_by_role("radio", name=view).check(force=True)
            page.get_by_text("About", exact=True).click()
            expect(page.get_by_role("button", name="Copy as command")).to_be_visible()
            assert faults(page) == []
            page.keyboard.press("Escape")
        press(page, "Help")
        expect(page.get_by_role("dialog")).to_be_visible()
        assert faults(page) == []


def test_less_motion_in_the_dark(chromium: Browser, live: LiveServer) -> None:
    with visit(chromium, live.url, reduced_motion="reduce", color_scheme="dark") as seen:
        page = seen.page
        open_file(page, "hills.png", HILLS)
        write(page, "a lake")
        settings(page, LONG)
        press(page, "Edit")
        expect(running(page)).to_contain_text("Step")
        moving = "document.getAnimations().filter((one) => one.effect.getComputedTiming().duration > 10).length"
        assert page.evaluate(moving) == 0
        red, green, blue = map(
            int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]
        )
        assert max(red, green, blue) < 80
        press(page, re.compile("^Cancel: "))
        expect(running(page)).to_contain_text("Cancelled")


# ---- by keyboard -----------------------------------------------------------------------------------------------------


def tab_to(page: Page, wanted: Locator, key: str = "Tab", most: int = 90) -> None:
    """Press Tab until it is there."""
    passed = []
    for _ in range(most):
        page.keyboard.press(key)
        if wanted.evaluate("(one) => one === document.activeElement"):
            expect(wanted).to_be_in_viewport()
            return
        passed.append(page.evaluate("document.activeElement.outerHTML.slice(0, 80)"))
    raise AssertionError(f"{wanted} cannot be reached by {key}, only {passed}")


def test_an_edit_by_keyboard_alone(studio: Visit) -> None:
    page = studio.page
    keys = page.keyboard
    page.on("filechooser", lambda _: None)  # or the first one may come before Playwright looks for it
    tab_to(page, page.get_by_role("banner").get_by_role("button", name="Open"))
    with page.expect_file_chooser() as chooser:
        keys.press("Enter")
    chooser.value.set_files({"name": "hills.png", "mimeType": "image/png", "buffer": HILLS})
    expect(stage(page)).to_have_accessible_name(re.compile("all of it changes"))

    tab_to(page, stage(page))
    for key in ("Enter", "Enter", "ArrowRight", "ArrowRight", "Enter", "Escape"):
        keys.press(key)
    expect(stage(page)).to_have_accessible_name(re.compile("part of it is marked"))
    keys.press("Control+z")
    expect(stage(page)).to_have_accessible_name(re.compile("all of it changes"))
    keys.press("Control+Shift+z")
    expect(stage(page)).to_have_accessible_name(re.compile("part of it is marked"))

    tab_to(page, prompt(page))
    keys.type("a lake in the hills")
    purposes = page.get_by_role("radiogroup", name="Purpose")
    tab_to(page, purposes.get_by_role("radio", name="Style"))
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    expect(purposes.get_by_role("radio", name="Enhance")).to_be_checked()
    keys.press("ArrowLeft")
    expect(purposes.get_by_role("radio", name="Sketch")).to_be_checked()
    tab_to(page, strength(page))
    before = float(strength(page).input_value())
    keys.press("ArrowLeft")
    assert float(strength(page).input_value()) == pytest.approx(before - 0.01)
    tab_to(page, page.locator("summary", has_text="All settings"))
    keys.press("Enter")
    for name, value in QUICK.items():
        tab_to(page, page.get_by_role("textbox", name=name, exact=True))
        keys.type(value)
    keys.press("Control+Enter")  # from inside a field, too
    expect_result(page)

    keys.press("Shift+Tab")
    keys.press("Escape")
    tab_to(page, page.get_by_role("radio", name="Result"), "Shift+Tab")
    keys.press("ArrowRight")
    expect(page.get_by_role("radio", name="Compare")).to_be_checked()
    divider = page.get_by_role("slider", name="Before and after")
    tab_to(page, divider, "Shift+Tab")
    keys.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "52")
    keys.press("End")
    expect(divider).to_have_attribute("aria-valuenow", "100")

    keys.press("Control+Enter")
    expect_result(page, 2)
    tab_to(page, results(page).nth(1))
    keys.press("ArrowLeft")
    expect(results(page).first).to_be_focused()
    keys.press("Enter")
    expect(seed(page)).not_to_have_value("")
    keys.press("Delete")
    question = page.get_by_role("dialog")
    expect(question.get_by_role("button", name="Delete")).to_be_focused()
    keys.press("Enter")
    expect_result(page, 1)
    expect(results(page)).to_be_focused()


SIZE = "96 \N{MULTIPLICATION SIGN} 64 · "


def shown_scale(page: Page) -> float:
    text = page.get_by_text(re.compile(f"^{SIZE}")).inner_text()
    return float(text.split("·")[1].strip(" %"))


def brush_size(page: Page) -> int:
    label = page.get_by_role("toolbar").get_by_role("slider", name="Size").get_attribute("aria-valuetext")
    assert label is not None
    return int(label.split()[0])


TOOLS = {
    "H": "Move the view",
    "B": "Brush",
    "E": "Eraser",
    "R": "Box",
    "G": "Gradient",
    "F": "Fill",
    "S": "Smart select",
    "C": "Colour brush",
}
VIEWS = {"1": "Picture", "2": "Result", "3": "Compare", "4": "Difference"}


def test_every_shortcut_of_the_help_sheet_works(studio: Visit) -> None:
    page = studio.page
    keys = page.keyboard
    open_file(page, "hills.png", HILLS)
    write(page, "a lake")
    settings(page, QUICK)
    press(page, "Edit")
    expect_result(page)
    page.get_by_role("banner").click()
    keys.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard")
    expect(sheet).to_be_visible()
    listed = set(sheet.locator("kbd").all_inner_texts())
    keys.press("B")  # not now
    keys.press("Escape")
    expect(sheet).to_be_hidden()

    tried = {"?"}
    for key, view in VIEWS.items():
        keys.press(key)
        expect(page.get_by_role("radio", name=view)).to_be_checked()
    for key, name in TOOLS.items():
        keys.press(key.lower())
        expect(page.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-pressed", "true")
    keys.press("b")
    for key, way in {"]": 1, "[": -1}.items():
        size = brush_size(page)
        keys.press(key)
        assert (brush_size(page) - size) * way > 0
    for key, way in {"+": 1, "=": 1, "-": -1}.items():
        scale = shown_scale(page)
        keys.press(key)
        expect(page.get_by_text(f"{SIZE}{scale:.0f} %")).to_have_count(0)
        assert (shown_scale(page) - scale) * way > 0
    keys.press("z")
    expect(page.get_by_text(f"{SIZE}100 %")).to_be_visible()
    keys.press("0")
    expect(page.get_by_text(f"{SIZE}100 %")).to_have_count(0)
    overlay = page.get_by_role("button", name="Show the map")
    keys.press("m")
    expect(overlay).to_have_attribute("aria-pressed", "false")
    keys.press("m")
    drag(page, (-40, 0), (40, 0))
    for key, words in {"Control+z": "all of it changes", "Control+Shift+z": "part of it is marked"}.items():
        keys.press(key)
        expect(stage(page)).to_have_accessible_name(re.compile(words))
    with page.expect_file_chooser():
        keys.press("Control+o")
    keys.press("Control+Enter")
    expect_result(page, 2)
    tried |= {*VIEWS, *TOOLS, "]", "[", "+", "=", "-", "Z", "0", "M"}
    tried |= {"Ctrl+Z", "Ctrl+Shift+Z", "Ctrl+O", "Ctrl+Enter"}
    assert listed == tried


def test_no_shortcut_works_while_somebody_writes(studio: Visit) -> None:
    page = studio.page
    open_file(page, "hills.png", HILLS)
    scale, size = shown_scale(page), brush_size(page)
    prompt(page).focus()
    text = "?hbergfscmz0123=+-[]HBERGFSCMZ"
    page.keyboard.type(text)
    expect(prompt(page)).to_have_value(text)
    expect(page.get_by_role("button", name="Brush", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Show the map")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert (shown_scale(page), brush_size(page)) == (scale, size)
    page.keyboard.press("Control+z")  # the field's own
    expect(prompt(page)).not_to_have_value(text)
    expect(running(page)).to_have_count(0)


# ---- on a phone ------------------------------------------------------------------------------------------------------

CONTROLS = "button, input:not([type=file]), select, textarea, summary, [role=slider], canvas[tabindex]"
# what cannot be seen whole, or has something over its middle
OUT_OF_REACH = """(selector) => [...document.querySelectorAll(selector)].flatMap((one) => {
    const shown = one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    const target = shown ? one : one.closest("label");
    if (!target?.checkVisibility({ visibilityProperty: true }) || (one.disabled && !shown)) return [];
    target.scrollIntoView({ block: "center", inline: "center" });
    const { left, right, top, bottom } = target.getBoundingClientRect();
    const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    const around = one.tagName === "CANVAS" ? one.closest("section") : target.closest("label");
    const hits = hit !== null && (target.contains(hit) || hit.contains(target) || around?.contains(hit));
    const fits = left >= 0 && right <= innerWidth && right - left >= 16 && bottom - top >= 12;
    const name = one.getAttribute("aria-label") ?? one.id ?? one.textContent;
    const place = [left, top, right, bottom].map(Math.round);
    return fits && hits ? [] : [`${one.tagName} ${name} at ${place}, under ${hit?.className}`];
})"""


def expect_reachable(page: Page) -> None:
    wide = "[document.documentElement.scrollWidth, document.body.scrollWidth, innerWidth]"
    document, body, window = page.evaluate(wide)
    assert max(document, body) <= window == 390
    assert page.evaluate(OUT_OF_REACH, CONTROLS) == []


def test_an_edit_on_a_phone(chromium: Browser, live: LiveServer) -> None:
    with visit(chromium, live.url, **PHONE) as seen:
        page = seen.page
        expect(page.get_by_role("banner")).to_contain_text("embedded")
        expect_reachable(page)
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Open", exact=True).tap()
        chooser.value.set_files({"name": "hills.png", "mimeType": "image/png", "buffer": HILLS})
        expect(stage(page)).to_have_accessible_name(re.compile("all of it changes"))
        stage(page).tap()  # a dab of the brush
        expect(stage(page)).to_have_accessible_name(re.compile("part of it is marked"))
        prompt(page).tap()
        page.keyboard.type("a lake")
        page.get_by_role("radio", name="Style").tap()
        page.get_by_role("button", name="Add a region").tap()
        settings(page, QUICK)
        expect_reachable(page)
        page.get_by_role("button", name="Edit", exact=True).tap()
        expect_result(page)
        page.get_by_text("Compare", exact=True).tap()
        expect(page.get_by_role("radio", name="Compare")).to_be_checked()
        expect(page.get_by_role("slider", name="Before and after")).to_be_visible()
        expect_reachable(page)
        page.get_by_text("About", exact=True).tap()
        expect(page.get_by_role("button", name="Copy as command")).to_be_in_viewport(ratio=1)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Help").tap()
        close = page.get_by_role("dialog").get_by_role("button", name="Close")
        close.tap()
        expect(close).to_be_hidden()


# ---- what is wrong ---------------------------------------------------------------------------------------------------

BAD = {
    "text.png": b"this is no picture",
    "cut.png": HILLS[: len(HILLS) // 2],
    "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="4"/></svg>',
    "nothing.png": b"",
}


def test_files_that_are_no_pictures(studio: Visit, live: LiveServer) -> None:
    studio.expected = REFUSED
    page = studio.page
    for name, data in BAD.items():
        answer = live.ask("/v1/pictures", data, {"content-type": "application/octet-stream"})
        assert 400 <= answer.status < 500
        choose_file(page, name, data)
        expect(notice(page)).to_contain_text(answer.json()["error"]["message"])
        press(page, "Close")
        expect(notice(page)).to_be_hidden()
        expect(stage(page)).to_have_accessible_name("No picture is open")
    drop_file(stage(page), "text.txt", b"words", "text/plain")
    expect(notice(page)).to_be_visible()
    open_file(page, "hills.png", HILLS)
    expect(notice(page)).to_be_hidden()


def test_values_that_are_wrong_are_told_where_they_stand(studio: Visit, live: LiveServer) -> None:
    studio.expected = REFUSED
    page = studio.page
    open_file(page, "hills.png", HILLS)
    write(page, "a lake")
    settings(page, {**QUICK, "Steps": "0"})
    before = len(jobs_of(live))
    steps = page.get_by_role("textbox", name="Steps", exact=True)
    expect(steps).to_have_accessible_description(re.compile("Must be a whole number from 1 to"))
    expect(steps).to_have_attribute("aria-invalid", "true")
    press(page, "Edit")
    expect(notice(page)).to_contain_text("steps")
    expect(steps).to_be_in_viewport()
    steps.fill("4")
    expect(steps).to_have_attribute("aria-invalid", "false")

    press(page, "Add a region")
    tool(page, "Box")
    drag(page, (-50, -30), (0, 0))
    page.get_by_role("textbox", name="Region 1: prompt").fill("snow")
    own = page.get_by_role("textbox", name="Region 1: strength")
    own.fill("much")
    expect(own).to_have_accessible_description(re.compile("Must be a number from 0 to 1"))
    press(page, "Edit")
    expect(notice(page)).to_contain_text("The strength of a region")
    expect(own).to_have_value("much")
    expect(own).to_be_in_viewport()
    assert len(jobs_of(live)) == before  # nothing else was sent in its place
    own.fill("0.5")
    press(page, "Edit")
    expect_result(page)
    expect(notice(page)).to_be_hidden()


def test_a_full_queue_is_waited_for_in_words(studio: Visit) -> None:
    studio.expected = REFUSED
    page = studio.page
    open_file(page, "hills.png", HILLS)
    write(page, "a lake")
    settings(page, QUICK)
    message = "The queue is full: 1000 jobs wait."
    told = {"code": "queue_full", "message": message, "param": None}
    page.route("**/v1/edits", lambda route: route.fulfill(status=429, json={"error": told}), times=1)
    press(page, "Edit")
    expect(notice(page)).to_contain_text(message)
    expect(running(page)).to_contain_text("On its way to the server")
    expect_result(page)  # asked again by itself
    expect(notice(page)).to_be_hidden()


def test_an_answer_without_a_reason(studio: Visit) -> None:
    studio.expected = ("status of 500",)
    page = studio.page
    open_file(page, "hills.png", HILLS)
    write(page, "a lake")
    settings(page, QUICK)
    page.route("**/v1/edits", lambda route: route.fulfill(status=500, body="<h1>Oh no</h1>"), times=1)
    press(page, "Edit")
    expect(notice(page)).to_contain_text("The server answered with 500 and no reason.")
    expect(running(page)).to_have_count(0)
    press(page, "Edit")
    expect_result(page)
    expect(notice(page)).to_be_hidden()


# ---- markup ----------------------------------------------------------------------------------------------------------


@pytest.mark.case("P07")
def test_markup_is_shown_as_text_everywhere(studio: Visit, live: LiveServer) -> None:
    studio.expected = REFUSED
    page = studio.page
    opened: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        opened.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    name = f"{IMG}.png"
    open_file(page, name, HILLS)
    write(page, IMG + SCRIPT)
    page.get_by_text("What it should not show").click()
    page.get_by_role("textbox", name="Negative prompt").fill(SCRIPT)
    press(page, "Add a region")
    tool(page, "Box")
    drag(page, (-50, -30), (0, 0))
    page.get_by_role("textbox", name="Region 1: prompt").fill(SCRIPT)
    settings(page, LONG)
    press(page, "Edit")
    expect(running(page)).to_contain_text(IMG + SCRIPT)  # among what is under way
    press(page, re.compile("^Cancel: "))
    settings(page, QUICK)
    press(page, "Edit")
    expect(results(page)).to_have_count(1)  # in the history
    expect(results(page)).to_have_attribute("title", re.compile(re.escape(IMG + SCRIPT)))
    page.get_by_text("About", exact=True).click()
    expect(page.get_by_role("group").filter(has_text="How it was made")).to_contain_text(IMG + SCRIPT)
    page.keyboard.press("Escape")

    file = live.ask(jobs_of(live)[0]["result"]).body
    drop_file(stage(page), name, file)
    offer = page.get_by_role("region", name="Recipe")
    expect(offer).to_contain_text(f"{name} holds its recipe")
    expect(offer).to_contain_text(SCRIPT)
    press(page, "Bring them back")
    expect(prompt(page)).to_have_value(IMG + SCRIPT)
    expect(page.get_by_role("textbox", name="Region 1: prompt")).to_have_value(SCRIPT)

    seed(page).fill(IMG)  # in the words of an error
    press(page, "Edit")
    expect(notice(page)).to_contain_text("seed")
    seed(page).fill("")
    told = {"code": "invalid", "message": f"no: {IMG}", "param": "prompt"}
    page.route("**/v1/edits", lambda route: route.fulfill(status=422, json={"error": told}), times=1)
    press(page, "Edit")
    expect(notice(page)).to_contain_text(f"no: {IMG}")
    _fail_with(page, SCRIPT)
    expect(running(page).first).to_contain_text(f"Failed: {SCRIPT}")

    page.reload()
    expect(results(page)).to_have_count(1)
    results(page).click()
    expect(prompt(page)).to_have_value(IMG + SCRIPT)
    assert not opened
    assert page.locator("img[src=x], [onerror], body script").count() == 0


def _fail_with(page: Page, message: str) -> None:
    """Ask for an edit that fails at once, as the page is told."""

    def fails(route: Route) -> None:
        id = route.request.url.split("/")[-2]
        told = {"id": id, "state": "failed", "error": {"code": "odd", "message": message, "param": None}}
        route.fulfill(content_type="text/event-stream", body=f"event: failed\ndata: {json.dumps(told)}\n\n")

    page.route("**/v1/jobs/*/events*", fails, times=1)
    press(page, "Edit")


# ---- as a command ----------------------------------------------------------------------------------------------------

PROMPTS = [
    f'-rf \'; touch x; echo "$(id)" `id` \\ {IMG} \\n\nsecond line, ü 🎨 ! %s {{x}} \t.',
    SCRIPT,
    'it\'s "so"',
]
REGION = "snow: $(id) 'quoted': 0.5"
NAME = "-o $(id) 'hills'.png"


def copied(page: Page, what: str) -> str:
    summary = page.get_by_text("About", exact=True)
    summary.click()
    press(page, what)
    expect(notice(page)).to_contain_text("is copied.")
    press(page, "Close")
    page.keyboard.press("Escape")
    return str(page.evaluate("navigator.clipboard.readText()"))


def words_of(command: str) -> list[str]:
    """As bash has them."""
    echo = "overpaint() { printf '%s\\0' \"$@\"; }\n"
    done = subprocess.run(["bash", "-euc", echo + command], capture_output=True, check=True, timeout=20)
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.case("P07")
def test_commands_say_exactly_what_was_written(chromium: Browser, live: LiveServer) -> None:
    edit = typer.main.get_command(app).get_command(None, "edit")  # type: ignore[attr-defined]
    with visit(chromium, live.url, permissions=["clipboard-read", "clipboard-write"]) as seen:
        page = seen.page
        open_file(page, NAME, HILLS)
        settings(page, QUICK)
        press(page, "Add a region")
        tool(page, "Box")
        drag(page, (-50, -30), (0, 0))
        page.get_by_role("textbox", name="Region 1: prompt").fill(REGION)
        for count, text in enumerate(PROMPTS, start=1):
            write(page, text)
            press(page, "Edit")
            expect_result(page, count)
            words = words_of(copied(page, "Copy as command"))
            assert words[0] == "edit"
            told = edit.make_context("edit", words[1:]).params
            assert (told["prompt"], told["images"]) == (text, [Path(NAME)])
            assert told["steps"] == "4"
            (layer,) = told["layer"]
            rest = layer.partition(":")[2]
            said, _, last = rest.rpartition(":")
            assert (said, float(last)) == (REGION, jobs_of(live)[0]["facts"]["recipe"]["params"]["strength"])

            tree = ast.parse(copied(page, "Copy as Python"))
            (call,) = [
                one for one in ast.walk(tree) if isinstance(one, ast.Call) and ast.unparse(one.func) == "editor.edit"
            ]
            image, said = (ast.literal_eval(one) for one in call.args)
            assert (image, said) == (NAME, text)
            assert any(isinstance(one, ast.Constant) and one.value == REGION for one in ast.walk(tree))


def test_without_a_clipboard_the_text_is_shown(chromium: Browser, live: LiveServer) -> None:
    with visit(chromium, live.url) as seen:
        page = seen.page
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.reload()
        write(page, SCRIPT)
        settings(page, QUICK)
        press(page, "Make a picture")
        expect_result(page)
        page.get_by_text("About", exact=True).click()
        press(page, "Copy as command")
        shown = page.get_by_role("dialog").get_by_role("textbox", name="Text to copy")
        words = words_of(shown.input_value())
        assert words[:2] == ["generate", SCRIPT]
