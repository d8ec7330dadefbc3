"""What a person does on the Studio's page, for its tests: all of it is found by its role and its name.

open_file(page, "hills.png", picture(96, 64))
write(page, "a lake")
settings(page, QUICK)
press(page, "Edit")
expect(results(page)).to_have_count(1)
"""

import base64
import re
from typing import Any

from live import LiveServer
from playwright.sync_api import Locator, Page, expect

QUICK = {"Steps": "4", "Working size": "64x64", "Guidance": "1"}  # an edit takes no time
LONG = {**QUICK, "Steps": "150"}  # it takes seconds, which is much longer than a page takes to load


# ---- doing -----------------------------------------------------------------------------------------------------------


def choose_file(page: Page, name: str, data: bytes, kind: str = "image/png") -> None:
    """By the button."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("banner").get_by_role("button", name="Open").click()
    chooser.value.set_files({"name": name, "mimeType": kind, "buffer": data})


def open_file(page: Page, name: str, data: bytes) -> None:
    """Choose a file, and see it."""
    choose_file(page, name, data)
    expect(stage(page)).to_have_accessible_name(re.compile("^" + re.escape(name)))


def drop_file(onto: Locator, name: str, data: bytes, kind: str = "image/png") -> None:
    """A file that is let go over an element."""
    held = onto.page.evaluate_handle(
        """([data, name, type]) => {
            const held = new DataTransfer();
            held.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, { type }));
            return held;
        }""",
        [base64.b64encode(data).decode(), name, kind],
    )
    for what in ("dragenter", "dragover", "drop"):
        onto.dispatch_event(what, {"dataTransfer": held})


def write(page: Page, text: str) -> None:
    prompt(page).fill(text)


def settings(page: Page, values: dict[str, str]) -> None:
    """Open the fold, and write into its fields."""
    if not page.get_by_role("group", name="How the model works").is_visible():
        page.get_by_text("All settings").click()
    for name, value in values.items():
        page.get_by_role("textbox", name=name, exact=True).fill(value)


def press(page: Page, name: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def tool(page: Page, name: str) -> None:
    page.get_by_role("toolbar").get_by_role("button", name=name, exact=True).click()


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Over the stage; places are CSS pixels from its middle, which is the picture's."""
    box = stage(page).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + start[0], y + start[1])
    page.mouse.down()
    page.mouse.move(x + end[0], y + end[1], steps=4)
    page.mouse.up()


# ---- finding ---------------------------------------------------------------------------------------------------------


def stage(page: Page) -> Locator:
    return page.get_by_role("img", name=re.compile(r"pixels|^No picture|as noise of"))


def prompt(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Prompt", exact=True)


def seed(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Seed", exact=True)


def strength(page: Page) -> Locator:
    return page.get_by_role("region", name="How much may change").get_by_role("slider", name="Strength", exact=True)


def notice(page: Page) -> Locator:
    """What the page says at its top."""
    return page.locator("ov-notice")


def running(page: Page) -> Locator:
    """The edits that have not ended, and those that failed."""
    return page.get_by_role("list", name="Under way").get_by_role("listitem")


def results(page: Page) -> Locator:
    """Of the history, the newest first."""
    return page.get_by_role("list", name="History").locator("button.history-pick")


# ---- what the server knows -------------------------------------------------------------------------------------------


def jobs_of(live: LiveServer) -> list[dict[str, Any]]:
    """The newest first."""
    return list(live.ask("/v1/jobs?limit=100").json()["data"])


def newest_file(live: LiveServer) -> bytes:
    """The newest job's result."""
    job = jobs_of(live)[0]
    assert job["state"] == "done"
    return live.ask(job["result"]).body
