"""What a client asks for, however it was said: multipart, JSON or another API all come to an ``Order``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from overpaint.maps.changemap import ByName
from overpaint.server.records import FormatName


@dataclass(frozen=True)
class Sent:
    """A picture or map of a request: its file's bytes, or the id of one that was sent ahead."""

    data: bytes | None = field(default=None, repr=False)
    id: str | None = None


@dataclass(frozen=True)
class OrderedLayer:
    """A ``request.Layer`` with its map as it was sent."""

    map: Sent
    prompt: str
    strength: float | None = None
    guidance_scale: float | None = None
    negative_prompt: str | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """One edit as it is asked for. Nothing in it is checked but its types.

    Attributes:
        params: fields of ``EditParams``, of the types that these take.
        image: None is plain generation.
        map, mask, mask_by, soft, tools, scribble, changed_from, layers: where to change, as in ``marks.Marks``.
        format: of the result.
        fidelity: measure what the result keeps of the picture, and tell it with the result.
        deadline_seconds: from now on; None: the server's own.
        key: the idempotency key that came with it.
    """

    params: Mapping[str, Any]
    image: Sent | None = None
    map: Sent | None = None
    mask: Sent | None = None
    mask_by: ByName = "brightness"
    soft: bool = False
    tools: tuple[str, ...] = ()
    scribble: Sent | None = None
    changed_from: Sent | None = None
    layers: tuple[OrderedLayer, ...] = ()
    format: FormatName = "png"
    fidelity: bool = False
    deadline_seconds: float | None = None
    key: str | None = None
