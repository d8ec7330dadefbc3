"""From what is asked for to what is stored, and from what is stored to what the editor takes.

    Order --take_in--> Asked --request--> EditRequest

Both ways of a job, when it comes and when it runs (again), go through ``request``: what was checked is what is run.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any

from overpaint.errors import ImageError, ParameterError
from overpaint.marks import Marks
from overpaint.params import EditParams, draw_seed, with_drawn_seed
from overpaint.picture import Picture
from overpaint.request import EditRequest, Layer
from overpaint.server.decoded import Decoded
from overpaint.server.order import Order, OrderedLayer, Sent
from overpaint.server.problems import INVALID, Problem, not_found, problem_of
from overpaint.server.records import Asked, AskedLayer, dump
from overpaint.server.store import Store

PARTS = ("image", "map", "mask", "scribble", "changed_from")
MAX_TOOLS = 64


class Intake:
    """Takes orders in: their pictures into the folder, their parameters checked, their seeds drawn."""

    def __init__(self, store: Store, decoded: Decoded) -> None:
        self._store, self._decoded = store, decoded

    def take_in(self, order: Order, owner: str) -> Asked:
        """All that decides the result. Raises ``Problem``, ``ParameterError`` or ``ImageError``."""
        params = drawn(EditParams(**order.params))  # what is wrong here is told before a picture is decoded
        if len(order.tools) > MAX_TOOLS:
            raise ParameterError("tools", f"are {len(order.tools)}, at most {MAX_TOOLS} are taken")
        digests: dict[str, Any] = {part: self._digest(getattr(order, part), owner, part) for part in PARTS}
        layers = [self._layer(layer, owner, i) for i, layer in enumerate(order.layers)]
        rest = {name: getattr(order, name) for name in ("mask_by", "soft", "tools", "format", "fidelity")}
        asked = Asked.of(params, layers=tuple(layers), **digests, **rest)
        if asked.image is None and (asked.digests or asked.tools):
            raise Problem(422, INVALID, "invalid_parameter", "a map, tool or layer needs a picture", "image")
        return asked

    def request(self, asked: Asked) -> tuple[EditRequest, list[str]]:
        """The request as the library has it, and notes on its maps."""
        params = asked.edit_params()
        if asked.image is None:
            return EditRequest.of(None, params), []
        with of_part("image"):
            picture = self._decoded.picture(asked.image)
        marks = Marks(
            map=self._map(asked.map, "map"),
            mask=self._map(asked.mask, "mask"),
            mask_by=asked.mask_by,
            soft=asked.soft,
            changed_from=self._map(asked.changed_from, "changed_from"),
            scribble=self._map(asked.scribble, "scribble"),
            tools=asked.tools,
            layers=[self._read_layer(layer, i) for i, layer in enumerate(asked.layers)],
        )
        with of_part("map"):
            options, notes = marks.of(picture)
            where = options.get("change_map")
            return EditRequest.of(picture, params, change_map=where, layers=options.get("layers", ())), notes

    def requests(self, many: Sequence[Asked]) -> list[EditRequest]:
        """The requests of several; those with the same pictures and marks share one reading of these."""
        read: dict[str, EditRequest] = {}
        made = []
        for asked in many:
            marks = replace(asked, params={"seed": 0}).to_json()
            if marks not in read:
                read[marks], _ = self.request(asked)
            first = read[marks]
            params = asked.edit_params()
            made.append(EditRequest.of(first.image, params, change_map=first.change_map, layers=first.layers))
        return made

    def _digest(self, sent: Sent | None, owner: str, part: str) -> str | None:
        if sent is None:
            return None
        if sent.data is not None:
            with of_part(part):
                return self._decoded.take_in(sent.data)[0]
        picture = self._store.picture(sent.id or "", owner)
        if picture is None:
            raise not_found("picture", f"{part}_id")
        return picture.digest

    def _layer(self, layer: OrderedLayer, owner: str, i: int) -> AskedLayer:
        told = {name: value for name, value in vars(layer).items() if name != "map"}
        with of_part(f"layers[{i}]"):
            Layer(b"", **told)
            return AskedLayer(self._digest(layer.map, owner, f"layers[{i}].map") or "", **told)

    def _read_layer(self, layer: AskedLayer, i: int) -> Layer:
        told = {name: value for name, value in vars(layer).items() if name != "map"}
        picture = self._map(layer.map, f"layers[{i}].map")
        assert picture is not None
        return Layer(picture, **told)

    def _map(self, digest: str | None, part: str) -> Picture | None:
        if digest is None:
            return None
        with of_part(part):
            return self._decoded.picture(digest)


@contextmanager
def of_part(name: str) -> Iterator[None]:
    """Errors of one part of a request say which it was."""
    try:
        yield
    except ParameterError as e:
        problem = problem_of(e)
        raise replace(problem, param=name if e.name in ("map", "strength") else problem.param) from e
    except ImageError as e:
        raise problem_of(e, name) from e


def drawn(params: EditParams) -> EditParams:
    """With its seeds drawn: a job that is run again after a crash must come to the same bytes."""
    changes: dict[str, Any] = {}
    if params.seed in (None, -1):
        changes["seed"] = draw_seed()
    if params.variation is not None:
        changes["variation"] = with_drawn_seed(params.variation)
    return replace(params, **changes)


def fingerprint(*orders: Order, **more: Any) -> str:
    """SHA-256 of a request as it was sent, for telling whether a second one with its key is the same again."""

    def told(value: Any) -> Any:
        if isinstance(value, Sent):
            return value.id if value.data is None else sha256(value.data).hexdigest()
        if isinstance(value, OrderedLayer):
            return {name: told(field) for name, field in vars(value).items()}
        return [told(one) for one in value] if isinstance(value, tuple) else value

    def whole(order: Order) -> dict[str, Any]:
        fields = {name: told(value) for name, value in vars(order).items() if name != "key"}
        return {**fields, "params": dict(order.params)}

    return sha256(dump({"orders": [whole(order) for order in orders], **more}).encode()).hexdigest()
