"""Options shared by commands. Those of an edit are generated from the fields of ``EditParams``."""

import inspect
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from overpaint.errors import OverpaintError, ParameterError
from overpaint.params import Spec, specs

INTERRUPTED = 130
_SHORT = {"strength": "-s", "negative_prompt": "-n"}
_TYPES: dict[str, type] = {"number": float, "integer": int}

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="'embedded', a Stable Diffusion folder, or a hub id in the local cache.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
DtypeOption = Annotated[str, typer.Option(help="auto, float32, float16 or bfloat16.")]
DownloadOption = Annotated[bool, typer.Option("--download", help="Allow the network for a hub id not in the cache.")]


def option_type(name: str, spec: Spec) -> Any:
    """The annotation that makes Typer read, check and explain a field of ``EditParams``."""
    shown = spec.help
    if spec.ours not in (None, ""):
        shown += f" Without preset and card: {spec.ours}."
    if spec.kind == "choice":
        shown += f" One of: {', '.join(spec.choices)}."
    elif spec.kind == "number":
        shown += f" From {spec.low:g} to {spec.high:g}."
    flags = [f"--{name.replace('_', '-')}", *([_SHORT[name]] if name in _SHORT else [])]
    return Annotated[_TYPES.get(spec.kind, str) | None, typer.Option(*flags, help=shown, show_default=False)]


def with_edit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every field of ``EditParams`` but the prompt; it gets those given as ``options``."""
    generated = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option_type(f.name, spec))
        for f, spec in specs()
        if f.name != "prompt"
    ]
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.name != "options"]

    @wraps(command)
    def wrapper(**given: Any) -> None:
        options = {p.name: given.pop(p.name) for p in generated}
        command(**given, options={name: value for name, value in options.items() if value is not None})

    wrapper.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + generated
    )
    return wrapper


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Errors of ours as one line on stderr and their exit code; a traceback only with ``overpaint --debug``."""

    @wraps(command)
    def wrapper(*args: Any, **given: Any) -> None:
        try:
            command(*args, **given)
        except OverpaintError as e:
            if "--debug" in sys.argv:
                raise
            err.print(f"[red]error:[/red] {_plain(str(e))}", soft_wrap=True)
            raise typer.Exit(e.exit_code) from None
        except KeyboardInterrupt:
            _leave()

    return wrapper


def _leave() -> NoReturn:
    """End now: after a second Ctrl-C the engine's thread may still be inside the network, which cannot be torn down."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    err.print("interrupted")
    sys.stdout.flush()
    os._exit(INTERRUPTED)


def read_strengths(text: str) -> list[float]:
    """``".2,.4"`` -> [0.2, 0.4]; each in (0, 1]."""
    try:
        values = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ParameterError("strengths", f"are {text!r}, must be numbers with commas between, as .2,.4,.6") from None
    if not values or not all(0 < v <= 1 for v in values):
        raise ParameterError("strengths", f"are {text!r}, each must be above 0 and at most 1")
    return values


def warn(texts: tuple[str, ...]) -> None:
    """Warnings of a result, a line each."""
    for text in texts:
        err.print(f"[yellow]note:[/yellow] {_plain(text)}", soft_wrap=True)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(" ".join(text.split()))
