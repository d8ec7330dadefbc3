"""The names of a request that are no fields of ``EditParams``: what each is, and how its value is read and checked.

JSON is taken as it is typed: "20" is no number and 1 is no truth. Of a form, whose values are all texts, they are read.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from overpaint.errors import ParameterError
from overpaint.fields import CHECKS, Spec
from overpaint.maps.changemap import BY
from overpaint.params import MAX_COUNT
from overpaint.recipe import plain
from overpaint.request import MAX_LAYERS
from overpaint.server.body import strict_json
from overpaint.server.intake import MAX_TOOLS
from overpaint.server.records import FORMATS

Kind = Literal["flag", "number", "integer", "choice", "word", "words", "numbers", "object", "list"]


@dataclass(frozen=True)
class Extra:
    """A name that is no field of ``EditParams``.

    Attributes:
        help: for the documentation.
        low, high: of a number, or of each in a list of them.
        default: what it is if it is left out; None: nothing.
    """

    kind: Kind
    help: str
    low: float = 0
    high: float = 1
    choices: tuple[str, ...] = ()
    default: Any = None


PICTURES = {
    "image": "The picture to edit. Without one the prompt makes a picture from nothing.",
    "map": "Where to change, and how much: a picture, white = change, grey = less.",
    "mask": "The same, made 0 or 1 at half brightness; with `soft` as it is.",
    "scribble": "What a scribble lies on: white strokes on black, as a picture.",
    "changed_from": "What differs from this picture, of the same size.",
}
_LONGEST_DEADLINE = 30 * 24 * 3600.0  # as the settings have it
_IDS = {f"{name}_id": Extra("word", f"The id of a picture that was sent ahead, as {name}.") for name in PICTURES}
EXTRAS: dict[str, Extra] = {
    **_IDS,
    "image_url": Extra("word", "Where the picture is on the web, if this server fetches pictures."),
    "mask_by": Extra("choice", "What of `mask` marks.", choices=BY, default="brightness"),
    "soft": Extra("flag", "Keep the greys of `mask`.", default=False),
    "tools": Extra("words", "Map tools, as box:10,10,64,48 or grow:8; in their order. See /v1/tools.", high=MAX_TOOLS),
    "layers": Extra("list", "Regions with prompts of their own.", high=MAX_LAYERS),
    "format": Extra("choice", "Of the result.", choices=FORMATS, default="png"),
    "fidelity": Extra("flag", "Measure what the result keeps of the picture, and tell it.", default=False),
    "wait": Extra("flag", "Answer with the result, when it is done; who goes away cancels the job.", default=False),
    "deadline": Extra("number", "Seconds after which the job is given up.", low=0.001, high=_LONGEST_DEADLINE),
    "model": Extra("word", "The served model's name, or nothing."),
    "idempotency_key": Extra("word", "A second request with the same key and content gets the same job."),
    "params": Extra("object", "Any of the parameters in one object, typed as in JSON."),
}
SWEEP_EXTRAS: dict[str, Extra] = {
    "strengths": Extra("numbers", "The strengths to edit at: a list, or as 0.2,0.4.", high=1),
    "against": Extra("object", "Another parameter with a list of values: one row of results for each."),
    "count": Extra("integer", "With how many seeds: the seed, the next one, ...", low=1, high=MAX_COUNT, default=1),
}

MAX_WORD = 4000  # characters of a tool, an id, a URL


def read_extra(name: str, extra: Extra, raw: Any, typed: bool) -> Any:
    """The checked value of such a name; None where it is left out. ``typed``: as JSON types it, and not as a text."""
    if raw is None or (not typed and isinstance(raw, str) and not raw.strip()):
        return None
    return _CHECKS[extra.kind](name, raw if typed else _READERS[extra.kind](name, raw), extra)


TRUTHS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def _read_number(name: str, text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text  # the check says what it should be


def _read_integer(name: str, text: str) -> Any:
    return int(text) if re.fullmatch(r"\s*[+-]?\d{1,20}\s*", text) else text


def _read_json(name: str, text: str) -> Any:
    return strict_json(text.encode(), name)


def _read_numbers(name: str, text: str) -> Any:
    return _read_json(name, text) if text.lstrip().startswith("[") else text


_READERS: dict[Kind, Callable[[str, Any], Any]] = {
    "flag": lambda name, text: TRUTHS.get(text.strip().lower(), text),
    "number": _read_number,
    "integer": _read_integer,
    "choice": lambda name, text: text,
    "word": lambda name, text: text,
    "words": lambda name, texts: [text for text in texts if text.strip()],
    "numbers": _read_numbers,
    "object": _read_json,
    "list": _read_json,
}


def _check_flag(name: str, value: Any, extra: Extra) -> bool:
    if not isinstance(value, bool):
        raise ParameterError(name, f"is {plain(repr(value), 60)}, must be true or false")
    return value


def _check_spec(name: str, value: Any, extra: Extra) -> Any:
    kind: Any = extra.kind
    spec = Spec(kind=kind, help=extra.help, low=extra.low, high=extra.high, choices=extra.choices)
    return CHECKS[kind](name, value, spec)


def check_word(name: str, value: Any, extra: Extra | None = None) -> str:
    """A text that is not empty and no novel."""
    if not isinstance(value, str):
        raise ParameterError(name, f"is {type(value).__name__}, must be text")
    if not 0 < len(value) <= MAX_WORD:
        raise ParameterError(name, f"has {len(value):,} characters, must have from 1 to {MAX_WORD:,}")
    return value


def _check_words(name: str, value: Any, extra: Extra) -> list[str]:
    words = [value] if isinstance(value, str) else _check_list(name, value, extra)
    return [check_word(name, word, extra) for word in words]


def _check_list(name: str, value: Any, extra: Extra) -> list[Any]:
    if not isinstance(value, list):
        raise ParameterError(name, f"is {type(value).__name__}, must be a list")
    if len(value) > extra.high:
        raise ParameterError(name, f"are {len(value):,}, at most {extra.high:g} are taken")
    return value


def _check_numbers(name: str, value: Any, extra: Extra) -> tuple[float, ...]:
    if isinstance(value, str):
        value = [_read_number(name, part) for part in value.split(",")]
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_COUNT:
        raise ParameterError(name, f"must be a list of 1 to {MAX_COUNT} numbers, or as 0.2,0.4")
    spec = Spec(kind="number", help=extra.help, low=extra.low, high=extra.high)
    return tuple(float(CHECKS["number"](name, one, spec)) for one in value)  # type: ignore[arg-type]


def _check_object(name: str, value: Any, extra: Extra) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ParameterError(name, f"is {type(value).__name__}, must be an object")
    return value


_CHECKS: dict[Kind, Callable[[str, Any, Extra], Any]] = {
    "flag": _check_flag,
    "number": _check_spec,
    "integer": _check_spec,
    "choice": _check_spec,
    "word": check_word,
    "words": _check_words,
    "numbers": _check_numbers,
    "object": _check_object,
    "list": _check_list,
}
