"""``Marks``: what of a picture is to be changed, by maps and masks, the texts of map tools, and layers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from overpaint import decode
from overpaint.errors import OverpaintError, ParameterError
from overpaint.maps.changemap import BY, ByName, MapSource, load_map
from overpaint.maps.maptools import difference, union
from overpaint.maps.selecting import select_scribble
from overpaint.maps.toolbox import TOOLS, Tool, apply_tool
from overpaint.picture import Picture, Pixels
from overpaint.request import EditOptions, Layer


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What of a picture is to be changed. All that makes a map adds to it, in the order below; then come the tools.

    Attributes:
        map: white = change, grey = less.
        mask: the same, made 0 or 1 at half brightness.
        mask_by: what of ``mask`` marks: its brightness, opacity or transparency; see ``changemap.load_map``.
        soft: keep the greys of ``mask``.
        changed_from: what differs from this picture, of the same size.
        scribble: what white strokes on black lie on.
        tools: texts of map tools, as "box:10,10,64,48" or "grow:8", in their order.
        layers: regions with prompts of their own; gone through after the maps are read.
    """

    map: MapSource | None = None
    mask: MapSource | None = None
    mask_by: ByName = "brightness"
    soft: bool = False
    changed_from: decode.Source | None = None
    scribble: MapSource | None = None
    tools: Sequence[str] = ()
    layers: Iterable[Layer] = ()

    def of(self, picture: Picture, tools: Sequence[Tool] = TOOLS) -> tuple[EditOptions, list[str]]:
        """The options of an edit of ``picture``, and notes on what was changed in reading the maps.

        Args:
            tools: the map tools that there are.

        Raises:
            ParameterError, ImageError: what is wrong with a map, a tool or a layer; its ``notes`` are those until then.
        """
        if self.mask_by not in BY:
            raise ParameterError("mask_by", f"is {self.mask_by!r}, must be one of {', '.join(BY)}")
        options: EditOptions = {}
        notes: list[str] = []
        try:
            change_map = self._map_of(picture, tools, notes)
            layers = list(self.layers)
        except OverpaintError as e:
            e.notes = tuple(notes)
            raise
        if change_map is not None:
            options["change_map"] = change_map
        if layers:
            options["layers"] = layers
        return options, notes

    def _map_of(self, picture: Picture, tools: Sequence[Tool], notes: list[str]) -> Pixels | None:
        m: Pixels | None = None
        if self.map is not None:
            m, more = load_map(self.map, picture.size)
            notes += more
        if self.mask is not None:
            read, more = load_map(self.mask, picture.size, by=self.mask_by, hard=not self.soft, name="mask")
            notes += more
            m = read if m is None else union(m, read)
        if self.changed_from is not None:
            differs = difference(picture, decode.load(self.changed_from))
            m = differs if m is None else union(m, differs)
        if self.scribble is not None:
            strokes, more = load_map(self.scribble, picture.size, name="scribble")
            notes += more
            found = select_scribble(picture, strokes)
            m = found if m is None else union(m, found)
        for text in self.tools:
            m = apply_tool(m, picture, text, tools)
        return m
