"""``overpaint studio``: the server with its page in a browser. Its options are those of ``overpaint serve``."""

import os
import sys
import threading
import webbrowser
from typing import Annotated

import typer

from overpaint.cli.console import out, warn
from overpaint.cli.options import Choice, with_model
from overpaint.cli.serving import Door, run, with_door, with_settings
from overpaint.errors import FolderInUseError, ParameterError
from overpaint.server.door import url_of
from overpaint.server.settings import Settings

_PATIENCE = 2.0  # seconds for a server that runs already to say that it is one of ours


@with_settings
@with_model
@with_door
def studio(
    told: Settings,
    choice: Choice,
    door: Door,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Open no browser; say the page's address and wait.")
    ] = False,
) -> None:
    """Edit pictures in the browser: serves as `serve` does, and opens its page; ends on Ctrl-C."""

    def on_open(port: int) -> None:
        url = page_of(told, port)
        out.print(f"Overpaint Studio is at {url} (Ctrl-C ends it)", soft_wrap=True, markup=False)
        if not no_browser:
            show(url)

    try:
        code = run(told, choice, door, on_open)
    except (ParameterError, FolderInUseError) as e:
        raise _running_already(told, e) from e
    raise typer.Exit(code)


def page_of(told: Settings, port: int) -> str:
    """The page's URL, for a browser on this machine."""
    everywhere = told.host in ("", "0.0.0.0", "::")
    return f"{url_of('127.0.0.1' if everywhere else told.host, port)}/"


def show(url: str) -> None:
    """Open a page in a person's browser, or say that there is none."""
    if not has_screen():
        warn([f"no browser can be opened from here; open {url} in one"])
        return

    def opened() -> None:
        if not webbrowser.open(url):
            warn([f"no browser was found; open {url} in one"])

    # some browsers come back only when they are closed
    threading.Thread(target=opened, name="overpaint-browser", daemon=True).start()


def has_screen() -> bool:
    """Whether a browser would have a window; where there is no screen, one would take over the terminal instead."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool({"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & os.environ.keys())


def _running_already(told: Settings, error: ParameterError | FolderInUseError) -> ParameterError | FolderInUseError:
    """The error in words that help, where what is in the way is a server of ours at the same port."""
    if isinstance(error, ParameterError) and error.name != "port":
        return error
    page = page_of(told, told.port)
    if told.port == 0 or not _is_ours(page):
        return error
    words = f"{told.port} is taken: Overpaint runs there already; open {page}, or choose another --port and --folder"
    return ParameterError("port", words)


def _is_ours(page: str) -> bool:
    import httpx

    try:
        answer = httpx.get(f"{page}livez", timeout=_PATIENCE, trust_env=False)
        return answer.status_code == 200 and {"state", "reason"} <= set(answer.json())
    except (httpx.HTTPError, ValueError):
        return False
