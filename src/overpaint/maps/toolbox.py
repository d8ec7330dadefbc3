"""Map tools by name, as "box:10,10,64,48" or "grow:8", for command lines. ``TOOLS`` lists them, for docs too."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from overpaint.errors import ParameterError
from overpaint.maps.maptools import (
    box,
    by_brightness,
    by_colour,
    feather,
    from_alpha,
    grow,
    intersect,
    invert,
    linear_gradient,
    radial_gradient,
    subtract,
    union,
)
from overpaint.maps.selecting import select
from overpaint.picture import Picture, Pixels


@dataclass(frozen=True)
class Tool:
    """A tool as a text names it: "name" or "name:number,number".

    Attributes:
        form: the whole text, its numbers by name; what stands in brackets may be left out.
        help: what it does.
        kind: a maker's map is united with the one that is there, if any; a changer makes another of the one that is
            there; a joiner takes a maker's text and joins its map with the one that is there.
        counts: how many numbers (or colours) there may be.
        run: maker: (picture, *numbers), changer: (map, *numbers), joiner: (map, map), each to a map.
    """

    form: str
    help: str
    kind: Literal["maker", "changer", "joiner"]
    counts: Sequence[int]
    run: Callable[..., Pixels]

    @property
    def name(self) -> str:
        return self.form.partition(":")[0]


def _select(picture: Picture, *numbers: float) -> Pixels:
    return select(picture, list(zip(numbers[::2], numbers[1::2], strict=True)))


# the one table of them: `apply_tool`, its messages and the docs go by it
TOOLS = (
    Tool("box:x,y,w,h", "A box: its upper left pixel, width and height.", "maker", (4,), lambda p, *n: box(p.size, *n)),
    Tool("alpha", "What is transparent.", "maker", (0,), from_alpha),
    Tool(
        "colour:#rrggbb,tolerance[,softness]",
        "What is of a colour, up to a Delta E of tolerance; fades over softness.",
        "maker",
        (2, 3),
        by_colour,
    ),
    Tool("brightness:low,high", "What is as bright as that, in 0..1.", "maker", (2,), by_brightness),
    Tool(
        "linear:x0,y0,x1,y1",
        "A gradient: white at the first point, black at the second.",
        "maker",
        (4,),
        lambda p, x0, y0, x1, y1: linear_gradient(p.size, (x0, y0), (x1, y1)),
    ),
    Tool(
        "radial:x,y,r",
        "A gradient: white at the point, black from r pixels on.",
        "maker",
        (3,),
        lambda p, x, y, r: radial_gradient(p.size, (x, y), r),
    ),
    Tool("select:x,y[,x,y...]", "What the points lie on (smart select).", "maker", range(2, 129, 2), _select),
    Tool("invert", "White and black change places.", "changer", (0,), invert),
    Tool("grow:pixels", "White grows.", "changer", (1,), grow),
    Tool("shrink:pixels", "White shrinks.", "changer", (1,), lambda m, n: grow(m, -n)),
    Tool("feather:pixels", "A soft border, half inside and half outside.", "changer", (1,), feather),
    Tool("feather-in:pixels", "A soft border inside.", "changer", (1,), lambda m, n: feather(m, n, "inside")),
    Tool("feather-out:pixels", "A soft border outside.", "changer", (1,), lambda m, n: feather(m, n, "outside")),
    Tool("within:MAKER", "Only what a maker gives too, as within:box:0,0,99,99.", "joiner", (), intersect),
    Tool("without:MAKER", "Not what a maker gives, as without:alpha.", "joiner", (), subtract),
)


def apply_tool(m: Pixels | None, picture: Picture, text: str, tools: Sequence[Tool] = TOOLS) -> Pixels:
    """Apply what ``text`` says ("box:10,10,64,48", "grow:8"; all in ``TOOLS``) to a map of the picture's size.

    Args:
        m: float32 [h, w] in 0..1, or None at first, which only makers take.
        tools: those that there are; a caller may have more than ``TOOLS``.

    Raises:
        ParameterError: an unknown tool (listing all), numbers that do not fit it, nothing to change.
        ImageError: a picture that the tool cannot use, a map of another size.
    """
    tool, rest = _tool_of(text, tools)
    if tool.kind == "maker":
        made = _run(tool, text, rest, picture)
        return made if m is None else union(m, made)
    if m is None:
        raise ParameterError("tool", f"{_shown(text)} has no map to change; begin with one of {_makers(tools)}")
    if tool.kind == "changer":
        return _run(tool, text, rest, m)
    maker, numbers = _tool_of(rest, tools)
    if maker.kind != "maker":
        raise ParameterError("tool", f"{_shown(text)}: behind {tool.name}: must stand one of {_makers(tools)}")
    return tool.run(m, _run(maker, rest, numbers, picture))


def _tool_of(text: str, tools: Sequence[Tool]) -> tuple[Tool, str]:
    name, _, rest = text.strip().partition(":")
    for tool in tools:
        if tool.name == name.strip():
            return tool, rest
    raise ParameterError("tool", f"{_shown(text)} is unknown, known are {', '.join(tool.form for tool in tools)}")


def _run(tool: Tool, text: str, rest: str, subject: Pixels | Picture) -> Pixels:
    words = [word.strip() for word in rest.split(",")] if rest.strip() else []
    if len(words) not in tool.counts:
        raise ParameterError("tool", f"{_shown(text)} must be of the form {tool.form}")
    try:
        colours = words[: tool.form.count("#")]  # they come first
        return tool.run(subject, *colours, *map(_number, words[len(colours) :]))
    except ParameterError as e:
        raise ParameterError("tool", f"{_shown(text)}: {e}; its form is {tool.form}") from e


def _number(word: str) -> float:
    if not re.fullmatch(r"[+-]?(\d{1,9}(\.\d{0,9})?|\.\d{1,9})", word, re.ASCII):
        raise ParameterError("number", f"{_shown(word)} is none")
    return float(word)


def _makers(tools: Sequence[Tool]) -> str:
    return ", ".join(tool.name for tool in tools if tool.kind == "maker")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
