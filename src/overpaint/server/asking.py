"""What a request's names mean: a ``Body`` to an ``Order``, and to what the route itself wants to know.

``NAMES`` and ``SWEEP_NAMES`` are all names that a request may have; the OpenAPI document is made of the same tables.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from overpaint.errors import ParameterError
from overpaint.fields import CHECKS
from overpaint.params import FOREIGN_NAMES, EditParams, from_text, specs
from overpaint.recipe import plain
from overpaint.server.body import Body, from_base64, malformed
from overpaint.server.extras import EXTRAS, PICTURES, SWEEP_EXTRAS, check_word, read_extra
from overpaint.server.order import Order, OrderedLayer, Sent
from overpaint.server.problems import INVALID, Problem

SPECS = {f.name: spec for f, spec in specs(EditParams)}
NAMES = (*SPECS, *PICTURES, *EXTRAS)
SWEEP_NAMES = (*(name for name in NAMES if name != "wait"), *SWEEP_EXTRAS)
REPEATED = ("tools",)  # parts of a form that may come more than once
AS_TEXT = ("params", "layers", "against")  # what may also come as a file of JSON
LAYER_MAPS = ("map", "map_id", "map_part")
LAYER_PARAMS = ("prompt", "strength", "guidance_scale", "negative_prompt")


@dataclass(frozen=True)
class Asking:
    """What was asked for.

    Attributes:
        image_url: where the order's image is to be fetched.
        model: the model that it is meant for; None for whichever is served.
        strengths, against, count: of a sweep.
    """

    order: Order
    wait: bool = False
    image_url: str | None = None
    model: str | None = None
    strengths: tuple[float, ...] | None = None
    against: Mapping[str, Sequence[Any]] | None = None
    count: int = 1


def asking_of(body: Body, *, sweep: bool = False, key: str | None = None) -> Asking:
    """What a body asks for.

    Args:
        sweep: the names of a sweep are known too.
        key: the idempotency key of the header.

    Raises:
        ParameterError, Problem: 422 for a name or value that is not taken, 400 for what cannot be read.
    """
    check_names(body.values, SWEEP_NAMES if sweep else NAMES)
    extras = {**EXTRAS, **SWEEP_EXTRAS}
    read = {
        name: read_extra(name, extras[name], raw, body.typed) for name, raw in body.values.items() if name in extras
    }
    given = {name: value for name, value in read.items() if value is not None}
    layers = _layers(given.get("layers", []), body.files)
    _check_files(body.files, {told["map_part"] for told in given.get("layers", []) if told.get("map_part")})
    pictures = {name: _sent(name, body, given) for name in PICTURES}
    if key is not None and given.get("idempotency_key", key) != key:
        raise ParameterError("idempotency_key", "is another one than the header Idempotency-Key")
    order = Order(
        params=_params(body, given.get("params", {})),
        **pictures,
        layers=layers,
        mask_by=given.get("mask_by", "brightness"),
        soft=given.get("soft", False),
        tools=tuple(given.get("tools", ())),
        format=given.get("format", "png"),
        fidelity=given.get("fidelity", False),
        deadline_seconds=given.get("deadline"),
        key=given.get("idempotency_key", key),
    )
    told = {name: given[name] for name in ("wait", "image_url", "model", "strengths", "count") if name in given}
    return Asking(order, against=_against(given.get("against")), **told)


# ---- names -----------------------------------------------------------------------------------------------------------

# what other interfaces call it, where the library has no word for that
_FOREIGN = {**FOREIGN_NAMES, "n": "count", "num_images_per_prompt": "count", "init_images": "image"}
_FOREIGN |= {"mask_image": "mask", "response_format": "format", "change_map": "map", "box": "tools"}


def unknown(name: str, known: Sequence[str]) -> str:
    """What to say of a name that is not known: ours for the same thing, or those that look like it."""
    ours = re.findall(r"\w+", _FOREIGN.get(name, ""))
    if ours and {word for word in ours if word not in ("and", "or")} <= set(known):
        return f"is not known here, use {' '.join(ours)}"
    near = difflib.get_close_matches(name[:100], known, n=3)
    if near:
        return f"is not known, near it are {', '.join(near)}"
    return f"is not known, known are {', '.join(known) or 'none'}"


def check_names(given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raises ``Problem`` 422 for a name that is not known."""
    for name in given:
        if name not in known:
            raise Problem(422, INVALID, "unknown_parameter", f"{plain(name)}: {unknown(name, known)}", plain(name))


def _check_files(files: Mapping[str, bytes], of_layers: set[str]) -> None:
    for name in files:
        if name in PICTURES or name in of_layers:
            continue
        if name in (*NAMES, *SWEEP_EXTRAS):
            raise malformed("invalid_multipart", f"the part {name!r} is a file, must be text", name)
        words = f"the part {plain(name)!r} {unknown(name, tuple(PICTURES))}"
        raise malformed("unknown_part", words, plain(name))


# ---- values ----------------------------------------------------------------------------------------------------------


def _params(body: Body, apart: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``EditParams`` that were given, checked one by one; ``apart``: those of the object ``params``."""
    check_names(apart, tuple(SPECS))
    own = {name: raw for name, raw in body.values.items() if name in SPECS}
    for name in own.keys() & apart.keys():
        raise ParameterError(name, "is given twice: by itself and in params")
    values = {name: _exact(name, raw) if body.typed else from_text(name, raw) for name, raw in own.items()}
    values |= {name: _exact(name, raw) for name, raw in apart.items()}
    return {name: value for name, value in values.items() if value is not None}


def _exact(name: str, value: Any, named: str | None = None) -> Any:
    """A field's value as JSON types it, checked; a list may stand for a text of numbers, but not of anything else."""
    spec = SPECS[name]
    if value is None:
        return None
    if isinstance(value, list) and spec.kind not in ("text", "choice"):
        whole = spec.kind == "margins"
        if not all(type(part) is int or (type(part) is float and not whole) for part in value):
            raise ParameterError(named or name, f"must be text, or a list of {'whole ' if whole else ''}numbers")
    elif isinstance(value, dict):
        raise ParameterError(named or name, "is an object, must be a plain value")
    return CHECKS[spec.kind](named or name, value, spec)


def _against(told: Mapping[str, Any] | None) -> Mapping[str, Sequence[Any]] | None:
    if told is None:
        return None
    for name, values in told.items():
        if not isinstance(values, list):
            raise ParameterError("against", f"needs a list of values for {plain(name)}")
    return {
        name: [_exact(name, value, f"against.{name}") for value in values] if name in SPECS else values
        for name, values in told.items()
    }


# ---- pictures --------------------------------------------------------------------------------------------------------


def _sent(name: str, body: Body, given: Mapping[str, Any]) -> Sent | None:
    """A picture as it was sent: as a file, in base64, or by its id. By URL it is None until it is fetched."""
    raw, id = body.values.get(name), given.get(f"{name}_id")
    ways = [name] * (name in body.files or raw is not None) + [f"{name}_id"] * (id is not None)
    ways += ["image_url"] * (name == "image" and "image_url" in given)
    if len(ways) > 1:
        raise ParameterError(name, f"is given twice, as {' and '.join(ways)}")
    if name in body.files:
        return Sent(body.files[name])
    if id is not None:
        return Sent(id=id)
    return None if raw is None else Sent(_bytes(name, raw, body.typed))


def _bytes(name: str, raw: Any, typed: bool) -> bytes:
    if not typed:
        raise malformed("invalid_multipart", f"the part {name!r} is text, must be a file (with a filename)", name)
    if not isinstance(raw, str):
        raise ParameterError(name, f"is {type(raw).__name__}, must be a picture in base64")
    return from_base64(raw, name)


def _layers(told: list[Any], files: Mapping[str, bytes]) -> tuple[OrderedLayer, ...]:
    return tuple(_layer(f"layers[{i}]", one, files) for i, one in enumerate(told))


def _layer(place: str, told: Any, files: Mapping[str, bytes]) -> OrderedLayer:
    if not isinstance(told, dict):
        raise ParameterError(place, f"is {type(told).__name__}, must be an object")
    for name in told:
        if name not in (*LAYER_MAPS, *LAYER_PARAMS):
            raise ParameterError(f"{place}.{plain(name)}", unknown(name, (*LAYER_MAPS, *LAYER_PARAMS)))
    ways = [name for name in LAYER_MAPS if told.get(name) is not None]
    if len(ways) != 1:
        raise ParameterError(place, f"needs one of {', '.join(LAYER_MAPS)}")
    if told.get("prompt") is None:
        raise ParameterError(f"{place}.prompt", "is missing")
    rest = {name: _exact(name, told[name], f"{place}.{name}") for name in LAYER_PARAMS if name in told}
    return OrderedLayer(_map_of(f"{place}.{ways[0]}", ways[0], told[ways[0]], files), **rest)


def _map_of(place: str, way: str, value: Any, files: Mapping[str, bytes]) -> Sent:
    word = check_word(place, value) if way != "map" else value
    if way == "map_id":
        return Sent(id=word)
    if way == "map_part":
        if word not in files:
            raise ParameterError(place, f"names the part {plain(word)!r}, which is not among the files that were sent")
        return Sent(files[word])
    if not isinstance(value, str):
        raise ParameterError(place, f"is {type(value).__name__}, must be a picture in base64")
    return Sent(from_base64(value, place))
