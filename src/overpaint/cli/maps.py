"""Options that say where to change: maps, masks, map tools, layers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from overpaint.cli.options import gathering
from overpaint.errors import OverpaintError, ParameterError

if TYPE_CHECKING:
    from overpaint.maps.changemap import ByName
    from overpaint.marks import Marks
    from overpaint.picture import Picture
    from overpaint.request import EditOptions, Layer

MapOption = Annotated[
    Path | None, typer.Option("--map", help="Where to change, and how much: a picture, white = change, grey = less.")
]
MaskOption = Annotated[
    Path | None, typer.Option("--mask", help="The same, made 0 or 1 at half brightness; with --soft as it is.")
]
MaskByOption = Annotated[
    str, typer.Option("--mask-by", help="What of --mask marks: its brightness, opacity or transparency.")
]
SoftOption = Annotated[bool, typer.Option("--soft", help="Keep the greys of --mask.")]
ToolOption = Annotated[
    list[str] | None,
    typer.Option("--tool", help="A map tool, as box:10,10,64,48 or grow:8; in their order. See `overpaint tools`."),
]
BoxOption = Annotated[str | None, typer.Option("--box", help="X,Y,W,H in pixels: the same as --tool box:X,Y,W,H.")]
SelectOption = Annotated[
    list[str] | None, typer.Option("--select", help="X,Y: what this point lies on; as --tool select:X,Y.")
]
ScribbleOption = Annotated[
    Path | None, typer.Option("--scribble", help="What a scribble lies on: white strokes on black, as a picture.")
]
DifferenceOption = Annotated[
    Path | None, typer.Option("--changed-from", help="What differs from this picture, of the same size.")
]
LayerOption = Annotated[
    list[str] | None,
    typer.Option("--layer", help="MAP:PROMPT or MAP:PROMPT:STRENGTH: a region with a prompt of its own."),
]


@dataclass(frozen=True)
class Marked:
    """What of the pictures is to be changed, as the command line says it."""

    map: Path | None
    mask: Path | None
    mask_by: str
    soft: bool
    tools: list[str]
    changed_from: Path | None
    scribble: Path | None
    layers: list[str]

    @property
    def files(self) -> list[Path]:
        """What is read beside the pictures."""
        of_layers = [Path(text.partition(":")[0]) for text in self.layers]
        return [
            path for path in (self.map, self.mask, self.changed_from, self.scribble, *of_layers) if path is not None
        ]

    def marks(self) -> "Marks":
        """The same for the library, whose maps are still files."""
        from overpaint.marks import Marks

        return Marks(
            map=_source(self.map),
            mask=_source(self.mask),
            mask_by=cast("ByName", self.mask_by),
            soft=self.soft,
            changed_from=_source(self.changed_from),
            scribble=_source(self.scribble),
            tools=self.tools,
            layers=map(_layer, self.layers),  # so that what is wrong with one is told after what is with a map
        )

    def of(self, picture: "Picture") -> "EditOptions":
        """The options of an edit of ``picture``; what there is to note is told."""
        from overpaint.cli.console import warn
        from overpaint.maps.toolbox import TOOLS
        from overpaint.model_sam import SAM_TOOL

        try:
            options, notes = self.marks().of(picture, (*TOOLS, SAM_TOOL))
        except OverpaintError as e:
            warn(e.notes)
            raise
        warn(notes)
        return options


def with_marks(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of this file; it gets them as ``marks``."""
    options = {
        "map": (MapOption, None),
        "mask": (MaskOption, None),
        "mask_by": (MaskByOption, "brightness"),
        "soft": (SoftOption, False),
        "box": (BoxOption, None),
        "select": (SelectOption, None),
        "tool": (ToolOption, None),
        "changed_from": (DifferenceOption, None),
        "scribble": (ScribbleOption, None),
        "layer": (LayerOption, None),
    }

    def marks(**g: Any) -> Marked:
        boxes = [] if g["box"] is None else [f"box:{g['box']}"]
        points = [f"select:{point}" for point in g["select"] or []]
        tools = [*boxes, *points, *(g["tool"] or [])]
        known = ("map", "mask", "mask_by", "soft", "changed_from", "scribble")
        return Marked(**{name: g[name] for name in known}, tools=tools, layers=g["layer"] or [])

    return gathering("marks", options, marks)(command)


def _source(path: Path | None) -> str | None:
    return None if path is None else str(path)  # text, for - is only standard input as text


def _layer(text: str) -> "Layer":
    """``map.png:a prompt, with: colons:.6``: the last part is a strength if it is a number."""
    from overpaint.request import Layer

    path, colon, rest = text.partition(":")
    if not colon or not path:
        raise ParameterError("layer", f"is {text!r}, must be MAP:PROMPT or MAP:PROMPT:STRENGTH")
    prompt, colon, last = rest.rpartition(":")
    try:
        strength = float(last) if colon else None
    except ValueError:
        strength = None
    return Layer(path, rest, None) if strength is None else Layer(path, prompt, strength)
