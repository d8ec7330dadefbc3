"""``overpaint serve``: the server. Its options are generated from the fields of ``Settings``."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from overpaint.cli.options import Choice, gathering, with_model
from overpaint.errors import ParameterError
from overpaint.server.keys import VARIABLE, Keys
from overpaint.server.settings import Settings, settings
from overpaint.uncollected import uncollected

if TYPE_CHECKING:
    from overpaint.editor import Editor

SPINS = "1000"  # some microseconds
EXTRA = (
    "fastapi",
    "python_multipart",
    "prometheus_client",
    "sqlalchemy",
    "uvicorn",
)  # what the extra `server` installs


def setting_option(name: str, type: Any, default: Any, told: dict[str, Any]) -> Any:
    """The annotation that makes Typer explain and read a field of ``Settings``, which checks it."""
    shown = told["help"]
    if told["low"] is not None:
        shown += f" From {told['low']:.15g} to {told['high']:.15g}."
    flag = f"--{name.replace('_', '-')}"
    if type is bool:
        return Annotated[bool, typer.Option(flag, help=shown)]
    if get_origin(type) is tuple:
        return Annotated[list[str], typer.Option(flag, help=f"{shown} May be given several times.", metavar="TEXT")]
    if type is Path:
        return Annotated[Path | None, typer.Option(flag, help=shown, show_default="$XDG_DATA_HOME/overpaint")]
    if get_origin(type) is UnionType:
        (type,) = (one for one in get_args(type) if one is not NoneType)
        return Annotated[type | None, typer.Option(flag, help=shown)]
    return Annotated[type, typer.Option(flag, help=shown, show_default=f"{default:.15g}" if type is float else True)]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every field of ``Settings``; it gets them as ``told``."""
    options = {}
    for f, known in settings():
        default = [] if get_origin(f.type) is tuple else f.default
        options[f.name] = (setting_option(f.name, f.type, f.default, known), default)

    def made(**given: Any) -> Settings:
        told: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
        }
        return Settings(**told)

    return gathering("told", options, made)(command)


@dataclass(frozen=True)
class Door:
    """Who may use a server, and what is said of it beside its settings."""

    key_file: Path | None
    insecure: bool
    log_format: Literal["json", "text"] | None
    port_file: Path | None
    no_warm_up: bool


_KEYS = f"API keys, NAME:KEY a line; without it the one in ${VARIABLE}, and without that none is needed."
_DOOR: dict[str, tuple[Any, Any]] = {
    "key_file": (Annotated[Path | None, typer.Option(help=_KEYS)], None),
    "insecure": (
        Annotated[bool, typer.Option("--insecure", help="Let everybody use it who can reach --host, without a key.")],
        False,
    ),
    "log_format": (
        Annotated[
            Literal["json", "text"] | None, typer.Option(help="Of the log. Left out: text on a terminal, else json.")
        ],
        None,
    ),
    "port_file": (
        Annotated[Path | None, typer.Option(help="A file to write the port to, once it is open.")],
        None,
    ),
    "no_warm_up": (
        Annotated[bool, typer.Option("--no-warm-up", help="Be ready at once; the first edit takes longer.")],
        False,
    ),
}
with_door = gathering("door", _DOOR, Door)  # gives a command the options of ``Door``, which it gets as ``door``


@with_settings
@with_model
@with_door
def serve(told: Settings, choice: Choice, door: Door) -> None:
    """Serve edits over HTTP, as jobs that outlive this process; ends on Ctrl-C or SIGTERM when what runs is done."""
    raise typer.Exit(run(told, choice, door))


def run(told: Settings, choice: Choice, door: Door, on_open: Callable[[int], None] | None = None) -> int:
    """Serve until a signal says to end; the exit code. ``on_open`` is told the port once it is open."""
    check_installed()
    spin_briefly()
    from overpaint.server.run import serve as serve_until_signal

    keys = Keys.read(door.key_file) if door.key_file is not None else Keys.from_environment()
    return serve_until_signal(
        told,
        lambda: load(choice),
        keys,
        door.log_format,
        warm_up=not door.no_warm_up,
        insecure=door.insecure,
        port_file=door.port_file,
        on_open=on_open,
    )


def spin_briefly() -> None:
    """Have OpenMP's threads wait for each other for microseconds before they sleep, unless somebody chose otherwise.

    Before torch is loaded. By default they spin for long, and whatever else wants a core (a picture being decoded, an
    answer) then stops the network several times longer than it takes itself: docs/serving-speed.md has the figures.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = SPINS


def check_installed() -> None:
    """Raises ``ParameterError`` where the extra ``server`` is not installed."""
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise ParameterError("serve", f"needs {', '.join(missing)}: pip install 'overpaint[server]'")


def load(choice: Choice) -> "Editor":
    """The model; a folder that is none is told before the seconds that importing torch takes."""
    with uncollected():
        from overpaint.checkpoint import inspect

        inspect(choice.model, download=choice.download)
        from overpaint.editor import Editor

        return Editor(**vars(choice))
