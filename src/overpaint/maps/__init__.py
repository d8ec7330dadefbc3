"""Where to change, and how much: change maps, the tools that make them, and what they come to in pixels and cells."""

from overpaint.maps.changemap import MapSource, load_map, openai_map
from overpaint.maps.growing import extend
from overpaint.maps.selecting import select, select_scribble
from overpaint.maps.toolbox import TOOLS, apply_tool

__all__ = ["TOOLS", "MapSource", "apply_tool", "extend", "load_map", "openai_map", "select", "select_scribble"]
