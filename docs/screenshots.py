"""Makes the pictures of the studio: `python docs/screenshots.py`. Needs chromium; they change with page and model.

A server on a free port, a browser that does what a person would, and two shots of what it then shows.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT / "tests"))
from live import LiveServer  # noqa: E402  (what tests start servers with)

SIZE = {"width": 1360, "height": 850}
PATIENCE = 300_000  # milliseconds
NIGHT, SNOW = "Same scene at night with stars, mountains above a meadow", "Same scene in winter with snow, a meadow"


def studio(browser: Browser, url: str, scheme: str) -> Page:
    """A new page with the photo on it."""
    page = browser.new_page(viewport=SIZE, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    page.locator("ov-open input[type=file]").set_input_files(ROOT / "examples" / "mountains.jpg")
    page.locator("ov-stage canvas[aria-label^='mountains.jpg']").wait_for()
    return page


def ask(page: Page, prompt: str, count: int) -> None:
    """Edit, and wait until there are so many results."""
    page.get_by_role("radio", name="Scene").check()
    page.get_by_role("textbox", name="Prompt", exact=True).fill(prompt)
    page.get_by_role("textbox", name="Seed").fill("7")
    page.get_by_role("button", name="Edit", exact=True).click()
    page.locator("ov-history img").nth(count - 1).wait_for()


def compared(browser: Browser, url: str) -> Image.Image:
    """Before and after, in the dark: the night comes from the right."""
    page = studio(browser, url, "dark")
    ask(page, NIGHT, 1)
    page.locator("ov-compare").get_by_text("Compare", exact=True).click()
    return shot(page)


def painted(browser: Browser, url: str) -> Image.Image:
    """A meadow that was chosen by a click, and will be under snow."""
    page = studio(browser, url, "light")
    box = page.locator("ov-stage canvas.stage-canvas").bounding_box()
    assert box is not None
    page.get_by_role("button", name="Smart select").click()
    for x, y in ((0.76, 0.733), (0.6, 0.78)):
        with page.expect_response(lambda answer: answer.url.endswith("/select")):
            page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.get_by_role("radio", name="Scene").check()
    page.get_by_role("textbox", name="Prompt", exact=True).fill(SNOW)
    page.locator("ov-presets").scroll_into_view_if_needed()
    return shot(page)


def shot(page: Page) -> Image.Image:
    """What the page shows once it has come to rest."""
    page.wait_for_timeout(2500)
    page.locator("aside.side").evaluate("side => side.scrollTo(0, 0)")
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def main() -> None:
    """Write studio.jpg and studio-map.jpg."""
    with tempfile.TemporaryDirectory() as folder, LiveServer(Path(folder)) as server, sync_playwright() as playwright:
        server.wait_ready()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        compared(browser, server.url).save(DOCS / "studio.jpg", quality=85)
        painted(browser, server.url).save(DOCS / "studio-map.jpg", quality=85)
        browser.close()


if __name__ == "__main__":
    main()
