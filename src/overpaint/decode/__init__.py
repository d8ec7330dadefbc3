"""The one decoder: ``load(source)`` makes a ``Picture`` of anything that is one."""

from overpaint.decode.header import MAX_PIXELS, open_header
from overpaint.decode.loading import Source, load
from overpaint.decode.source import STDIN

__all__ = ["MAX_PIXELS", "STDIN", "Source", "load", "open_header"]
