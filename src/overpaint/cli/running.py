"""How a command runs: its errors as one line and an exit code, its end by Ctrl-C or a signal."""

import atexit
import inspect
import os
import signal
import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from overpaint.cli.console import err, error_facts, show_error, show_json
from overpaint.errors import OverpaintError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
TERMINATED = 143  # 128 + SIGTERM
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
_debug_everywhere = ContextVar("debug", default=False)  # `overpaint --debug COMMAND`


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends a command as Ctrl-C does."""


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A command with ``--debug``; errors of ours become one line on stderr and their exit code."""

    @wraps(function)
    def wrapper(*args: Any, debug: bool = False, **given: Any) -> None:
        try:
            function(*args, **given)
        except OverpaintError as e:
            if debug or _debug_everywhere.get():
                raise
            if given.get("as_json"):
                show_json({"error": error_facts(e)})
            show_error(e)
            raise typer.Exit(e.exit_code) from None
        except KeyboardInterrupt as e:
            _leave(e)

    own = inspect.signature(function)
    debugging = inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=DebugOption)
    wrapper.__signature__ = own.replace(parameters=[*own.parameters.values(), debugging])  # type: ignore[attr-defined]
    return wrapper


def show_tracebacks(wanted: bool) -> None:
    """``overpaint --debug COMMAND``."""
    _debug_everywhere.set(wanted)


def end_on_sigterm() -> None:
    """Let SIGTERM unwind the command, so that nothing half-written is left."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise Terminated

    signal.signal(signal.SIGTERM, stop)


def end_quickly(code: int | str | None) -> None:
    """End the process now, where the libraries are loaded: Python would take a second to throw them away one by one.

    All that a command opened is closed by then. Where they are not loaded, or ``code`` is words, Python ends by itself.
    """
    if "torch" not in sys.modules or isinstance(code, str):
        raise SystemExit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody reads it any more, or it is closed
            code = code or 1
    os._exit(code or 0)


def _leave(end: KeyboardInterrupt) -> NoReturn:
    """End now: after a second Ctrl-C the engine's thread may still be inside the network, which cannot be torn down."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    terminated = isinstance(end, Terminated)
    err.print("terminated" if terminated else "interrupted")
    sys.stdout.flush()
    os._exit(TERMINATED if terminated else INTERRUPTED)
