"""Options shared by commands. Those of an edit are generated from the fields of ``EditParams``."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from overpaint.errors import ParameterError
from overpaint.fields import Spec
from overpaint.params import from_text, specs

_SHORT = {"strength": "-s", "negative_prompt": "-n"}
_METAVARS = {"number": "NUMBER", "integer": "INTEGER", "working_size": "SIZE", "output_size": "SIZE"}

ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="'embedded', a Stable Diffusion folder, or a hub id in the local cache.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
DtypeOption = Annotated[str, typer.Option(help="auto, float32, float16 or bfloat16.")]
ThreadsOption = Annotated[
    int | None,
    typer.Option(help="CPU threads for the network; a result's bytes depend on them. Left out: PyTorch's own."),
]
DownloadOption = Annotated[bool, typer.Option("--download", help="Allow the network for a hub id not in the cache.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="For scripts: what is told, as JSON on standard output, an object a line.")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Write over files that are there, even over the input.")
]
SheetOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="The sheet to write; its ending says which format.")
]


def option_type(name: str, spec: Spec) -> Any:
    """The annotation that makes Typer explain and complete a field of ``EditParams``; it reads text, we check it."""
    shown = spec.help
    if spec.ours not in (None, ""):
        shown += f" Without preset and card: {spec.ours}."
    if spec.kind == "choice":
        shown += f" One of: {', '.join(spec.choices)}."
    elif spec.kind in ("number", "integer"):
        shown += f" From {spec.low:g} to {spec.high if spec.kind == 'integer' else f'{spec.high:g}'}."
    flags = [f"--{name.replace('_', '-')}", *([_SHORT[name]] if name in _SHORT else [])]
    option = typer.Option(
        *flags,
        help=shown,
        show_default=False,
        metavar=_METAVARS.get(spec.kind, "TEXT"),
        autocompletion=_completing(spec.choices) if spec.choices else None,
    )
    return Annotated[str | None, option]


def with_edit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every field of ``EditParams`` but the prompt; it gets those given as ``options``."""
    generated = {f.name: (option_type(f.name, spec), None) for f, spec in specs() if f.name != "prompt"}

    def given(**texts: str | None) -> dict[str, Any]:
        return {name: from_text(name, text) for name, text in texts.items() if text is not None}

    return gathering("options", generated, given)(command)


@dataclass(frozen=True)
class Choice:
    """Which model, and where it runs."""

    model: str
    device: str
    dtype: str
    download: bool
    threads: int | None = None


def with_model(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose a model; it gets them as ``choice``."""
    options = {
        "model": (ModelOption, "embedded"),
        "device": (DeviceOption, "auto"),
        "dtype": (DtypeOption, "auto"),
        "download": (DownloadOption, False),
        "threads": (ThreadsOption, None),
    }
    return gathering("choice", options, Choice)(command)


def gathering(
    name: str, options: Mapping[str, tuple[Any, Any]], make: Callable[..., Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that gives a command more options, {name: (annotation, default)}; it gets ``make`` of them all."""
    generated = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for option, (annotation, default) in options.items()
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        own = [p for p in signature.parameters.values() if p.name != name]

        @wraps(command)
        def wrapper(**given: Any) -> None:
            made = make(**{option: given.pop(option) for option in options})
            command(**given, **{name: made})

        wrapper.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + generated
        )
        return wrapper

    return decorate


def read_strengths(text: str) -> list[float]:
    """``".2,.4"`` -> [0.2, 0.4]; each in (0, 1]."""
    try:
        values = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ParameterError("strengths", f"are {text!r}, must be numbers with commas between, as .2,.4,.6") from None
    if not values or not all(0 < v <= 1 for v in values):
        raise ParameterError("strengths", f"are {text!r}, each must be above 0 and at most 1")
    return values


def read_against(text: str) -> dict[str, list[Any]]:
    """``"seed=1,2"`` -> {"seed": [1, 2]}; values with commas of their own, such as prompts, have | between them."""
    name, equals, values = text.partition("=")
    name = name.strip().replace("-", "_")
    known = {f.name: spec.kind for f, spec in specs() if f.name != "strength"}
    if not equals or name not in known:
        raise ParameterError("against", f"is {text!r}, must be NAME=VALUE,VALUE with a name of {', '.join(known)}")
    between = "|" if "|" in values or known[name] in ("text", "margins", "variation") else ","
    return {name: [from_text(name, value.strip()) for value in values.split(between)]}


def read_changes(pairs: list[str]) -> dict[str, Any]:
    """``["strength=.5", "seed=3"]`` -> {"strength": 0.5, "seed": 3}; names and values as in ``EditParams``."""
    known = [f.name for f, _ in specs()]
    changes = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in known:
            raise ParameterError("set", f"is {pair!r}, must be NAME=VALUE with a name of {', '.join(known)}")
        changes[name] = from_text(name, text)
    return changes


def _completing(choices: tuple[str, ...]) -> Callable[[str], list[str]]:
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]
