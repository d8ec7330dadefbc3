"""What is known of one field of ``EditParams``, and how a value for it is checked: one check for each kind of field."""

import math
import operator
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from overpaint.errors import ParameterError

SIDE_MIN, SIDE_MAX = 1, 16384  # pixels
SEED_MAX = 2**53 - 1  # the largest whole number that survives JSON in a browser
# characters: far beyond what any text encoder reads, and so many that two prompts of whatever characters fit into the
# 64 KiB that a JPEG has for each kind of metadata
PROMPT_MAX = 5_000


@dataclass(frozen=True)
class Spec:
    """What is known of one field, for validation, command line and docs alike."""

    kind: Literal["text", "number", "integer", "choice", "working_size", "output_size", "margins", "variation"]
    help: str
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    ours: Any = None


def _check_text(name: str, value: Any, spec: Spec) -> str:
    if not isinstance(value, str):
        raise ParameterError(name, f"is {type(value).__name__}, must be text")
    if len(value) > PROMPT_MAX:
        raise ParameterError(name, f"has {len(value):,} characters, at most {PROMPT_MAX:,} are taken")
    for place, char in enumerate(value):
        if unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n\r":
            raise ParameterError(name, f"holds the control character U+{ord(char):04X} at place {place}; remove it")
    return value


def _check_number(name: str, value: Any, spec: Spec) -> float:
    try:
        if isinstance(value, str | bytes | bool):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(name, f"is {_shown(value)}, must be a number {_range(spec)}") from None
    if not spec.low <= number <= spec.high:  # false for NaN too
        raise ParameterError(name, f"is {_shown(value)}, must be {_range(spec)}")
    return number


def _check_integer(name: str, value: Any, spec: Spec) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ParameterError(name, f"is {_shown(value)}, must be a whole number {_range(spec)}") from None
    if not spec.low <= number <= spec.high:
        raise ParameterError(name, f"is {_shown(value)}, must be {_range(spec)}")
    return number


def _check_choice(name: str, value: Any, spec: Spec) -> str:
    if not isinstance(value, str) or value not in spec.choices:
        raise ParameterError(name, f"is {_shown(value)}, must be one of {', '.join(spec.choices)}")
    return str(value)


def _check_size(name: str, value: Any, spec: Spec) -> str:
    word = "input" if spec.kind == "working_size" else "working"
    if value == word:
        return word
    if isinstance(value, tuple | list) and len(value) == 2:
        value = f"{value[0]}x{value[1]}"
    match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", value) if isinstance(value, str) else None
    if not match:
        raise ParameterError(name, f"is {_shown(value)}, must be {word!r} or WIDTHxHEIGHT like 512x384")
    w, h = int(match[1]), int(match[2])
    if not (SIDE_MIN <= w <= SIDE_MAX and SIDE_MIN <= h <= SIDE_MAX):
        raise ParameterError(name, f"is {w}x{h}, each side must be from {SIDE_MIN} to {SIDE_MAX} pixels")
    return f"{w}x{h}"


def _check_margins(name: str, value: Any, spec: Spec) -> str:
    parts = value.split(",") if isinstance(value, str) else value
    try:
        sides = [int(part) for part in parts]
        if len(sides) != 4 or not all(0 <= side <= SIDE_MAX for side in sides):
            raise ValueError
    except (TypeError, ValueError):
        words = f"must be LEFT,TOP,RIGHT,BOTTOM, each 0 to {SIDE_MAX} pixels"
        raise ParameterError(name, f"is {_shown(value)}, {words}") from None
    return ",".join(map(str, sides))


def _check_variation(name: str, value: Any, spec: Spec) -> str:
    try:
        seed, amount = value.split(",") if isinstance(value, str) else value
        seed, amount = int(seed) if isinstance(seed, str) else operator.index(seed), float(amount)
        if not (-1 <= seed <= SEED_MAX and 0 <= amount <= 1):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        words = f"must be SEED,AMOUNT: a seed from -1 to {SEED_MAX}, and how far towards it, from 0 to 1"
        raise ParameterError(name, f"is {_shown(value)}, {words}") from None
    return f"{seed},{amount!r}".removesuffix(".0")


CHECKS = {
    "text": _check_text,
    "number": _check_number,
    "integer": _check_integer,
    "choice": _check_choice,
    "working_size": _check_size,
    "output_size": _check_size,
    "margins": _check_margins,
    "variation": _check_variation,
}


def parse_size(text: str) -> tuple[int, int]:
    """``"512x384"`` -> (width 512, height 384)."""
    w, h = text.split("x")
    return int(w), int(h)


def parse_margins(text: str) -> tuple[int, int, int, int]:
    """``"64,0,64,128"`` -> (left, top, right, bottom)."""
    left, top, right, bottom = (int(side) for side in text.split(","))
    return left, top, right, bottom


def parse_variation(text: str) -> tuple[int, float]:
    """``"7,0.2"`` -> (seed 7, amount 0.2)."""
    seed, amount = text.split(",")
    return int(seed), float(amount)


def _range(spec: Spec) -> str:
    return f"from {spec.low:g} to " + (f"{spec.high}" if spec.kind == "integer" else f"{spec.high:g}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
