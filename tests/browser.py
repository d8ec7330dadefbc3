"""A real browser: Debian's chromium, driven by Playwright, and pages that must keep quiet.

    def test_something(chromium: Browser, live: LiveServer) -> None:
        with visit(chromium, live.url) as seen:
            seen.page.get_by_role("button", name="Open").click()

A page that says something on its console, raises, or asks anything of another machine fails the test that it is in.
The fixture is known to all tests by `conftest.py`. Without chromium on the machine, what needs it is skipped.
"""

import shutil
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

PATIENCE = 30_000  # milliseconds that nothing takes, however busy the machine is
_LOCAL = ("blob:", "data:")
# the browser tells nobody what files a form holds: so that is written down as the page sends it
_WRITE_DOWN = """
window.sentForms = [];
const sending = window.fetch;
window.fetch = async (path, options = {}) => {
    if (options.body instanceof FormData) {
        const parts = {};
        for (const [name, value] of options.body) {
            if (!(value instanceof Blob)) { parts[name] = value; continue; }
            const bytes = new Uint8Array(await value.arrayBuffer());
            parts[name] = { base64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
        }
        window.sentForms.push({ path: String(path), parts });
    }
    return sending(path, options);
};
"""

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser; one for all tests, each of which has a profile of its own."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not here: apt install chromium")
    with sync_playwright() as playwright:
        # root has no sandbox of its own; no GPU, so that pictures are the same everywhere
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A page, and what it must not do.

    Attributes:
        outside: what it asked of other machines.
        said: its complaints on the console, and what it raised.
        expected: words of complaints that a test causes on purpose, as the browser's own of an error's status.
    """

    page: Page
    outside: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def listen(self, origin: str) -> None:
        """From now on, to all pages of its profile."""
        context = self.page.context

        def asked(request: Request) -> None:
            if not request.url.startswith((origin, *_LOCAL)):
                self.outside.append(request.url)

        def console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.said.append(message.text)

        context.on("request", asked)
        context.on("console", console)
        context.on("weberror", lambda error: self.said.append(str(error.error)))

    def sent(self, path: str) -> list[dict[str, Any]]:
        """The forms that were sent to ``path``: texts, and the bytes of files."""
        forms = self.page.evaluate("window.sentForms")
        return [
            {
                name: b64decode(part["base64"]) if isinstance(part, dict) else part
                for name, part in form["parts"].items()
            }
            for form in forms
            if form["path"] == path
        ]

    def check(self) -> None:
        """It kept quiet."""
        assert not self.outside, f"asked of other machines: {self.outside}"
        odd = [text for text in self.said if not any(words in text for words in self.expected)]
        assert not odd, f"said: {odd}"


def _bytes(part: Any) -> Any:
    return b64decode(part["base64"]) if isinstance(part, dict) else part


@contextmanager
def visit(browser: Browser, url: str, *, expected: tuple[str, ...] = (), **options: Any) -> Iterator[Visit]:
    """A page of a new profile that shows ``url``. ``options``: of the profile, as ``viewport`` or ``color_scheme``."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
    context.set_default_timeout(PATIENCE)
    try:
        context.add_init_script(_WRITE_DOWN)
        seen = Visit(context.new_page(), expected=expected)
        told = urlsplit(url)
        seen.listen(f"{told.scheme}://{told.netloc}/")
        seen.page.goto(url)
        yield seen
        seen.check()
    finally:
        context.close()
