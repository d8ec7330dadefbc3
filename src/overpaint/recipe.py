"""``Recipe``: how a picture was made, as a value and as the JSON that every output file carries.

It holds what decides the bytes and nothing that differs from run to run (no time, host or path), so that equal edits
are equal files. What is read from a file is data from a stranger: capped in size, checked field by field, never run.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, get_args

from overpaint.errors import ParameterError, RecipeError
from overpaint.params import EditParams, reject_unknown, specs

Makes = Literal["edit", "noised"]
MAKES: tuple[Makes, ...] = get_args(Makes)

VERSION = 1  # of the JSON's layout
MAX_TEXT = 24_000_000  # characters of metadata that are looked at; a map may take more than a million of them
MAX_EDITS = 1000  # recipes on one sheet
_MAX_NAME = 300  # characters of a name or version
_MAX_FACTS = 50
_MAX_LAYERS = 100
_MAP_FIELDS = ("width", "height", "pixels", "kind", "deflated")
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # they make text read as what it is not
_LEFT_TO_PRESET = ("strength", "detail", "fill", "match")  # what another preset decides anew


@dataclass(frozen=True)
class Input:
    """The picture that was edited: SHA-256 of its decoded pixels (``Picture.digest``), and its upright size."""

    pixels: str
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return self.width, self.height


@dataclass(frozen=True)
class LayerTold:
    """A layer: its prompt and numbers (None: as the edit's own), and its map as ``maptext`` tells one."""

    prompt: str
    negative_prompt: str | None
    strength: float | None
    guidance_scale: float | None
    map: Mapping[str, Any]


@dataclass(frozen=True)
class MapsTold:
    """Change map and layers, as ``maptext`` tells maps; None and () where there are none."""

    change: Mapping[str, Any] | None = None
    layers: tuple[LayerTold, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """How a picture was made.

    Attributes:
        params: every parameter, as it was resolved; from another program's text, those that it tells.
        makes: "edit", or "noised" for what an edit starts from.
        model: the model's name.
        model_hash: SHA-256 over the model's files, 64 hex digits.
        input: the picture that was edited; None for plain generation, or where it is not told.
        made_with: versions, device, dtype, row count, threads: what else decides the bytes.
        notes: what of another program's text could not be used.
        maps: where it was changed, and how much; regions with prompts of their own.
    """

    params: EditParams
    makes: Makes = "edit"
    model: str | None = None
    model_hash: str | None = None
    input: Input | None = None
    made_with: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    maps: MapsTold = MapsTold()

    def as_dict(self, numbers: bool = True) -> dict[str, Any]:
        """What the JSON says, in its order; ``numbers``: those of the maps too, and not only their hashes."""
        picture = self.input and {"pixels": self.input.pixels, "width": self.input.width, "height": self.input.height}
        where: dict[str, Any] = {}
        if self.maps.change is not None:
            where["change_map"] = _map_as_dict(self.maps.change, numbers)
        if self.maps.layers:
            where["layers"] = [{**vars(layer), "map": _map_as_dict(layer.map, numbers)} for layer in self.maps.layers]
        return {
            "overpaint": VERSION,
            "makes": self.makes,
            "params": {f.name: getattr(self.params, f.name) for f, _ in specs()},
            **where,
            "model": {"name": self.model, "hash": self.model_hash},
            "input": picture,
            "made_with": dict(self.made_with),
        }

    def changed(self, **changes: Any) -> EditParams:
        """The parameters with others in their place; another preset also decides anew what presets decide."""
        known = {f.name for f, _ in specs()}
        reject_unknown([name for name in changes if name not in known])
        values = {name: getattr(self.params, name) for name in known}
        if "preset" in changes:
            values |= dict.fromkeys(_LEFT_TO_PRESET)
        if changes.get("keep") is not None:
            values["strength"] = None
        return EditParams(**{**values, **changes})


def to_json(recipes: Sequence[Recipe], numbers: bool = True) -> str:
    """One recipe, or those of all edits on a sheet, as one line of JSON whose characters are all legal in XML."""
    told = [recipe.as_dict(numbers) for recipe in recipes]
    whole = told[0] if len(told) == 1 else {"overpaint": VERSION, "makes": "sheet", "edits": told}
    text = json.dumps(whole, ensure_ascii=False)
    return re.sub("[\ufffe\uffff]", lambda m: f"\\u{ord(m[0]):04x}", text)


def from_json(text: str) -> list[Recipe]:
    """The recipes that a text of ``to_json`` holds. Raises ``RecipeError`` saying what is wrong with it."""
    if len(text) > MAX_TEXT:
        raise RecipeError(f"its recipe has {len(text):,} characters, at most {MAX_TEXT:,} are read")
    try:
        whole = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as e:
        raise RecipeError(f"its recipe is not JSON that can be read: {e}") from e
    if not isinstance(whole, dict):
        raise RecipeError(f"its recipe is {type(whole).__name__}, must be a JSON object")
    if whole.get("makes") != "sheet":
        return [_from_dict(whole)]
    edits = whole.get("edits")
    if not isinstance(edits, list) or not 1 <= len(edits) <= MAX_EDITS:
        raise RecipeError(f"its sheet must hold a list of 1 to {MAX_EDITS} edits")
    return [_from_dict(edit) for edit in edits]


def plain(text: object, most: int = _MAX_NAME) -> str:
    """A stranger's text, safe to show on a terminal: on one line, of ``most`` characters at most, what would steer
    the terminal or turn the reading direction spelt out."""
    return " ".join("".join(_spelt(c) for c in str(text)[:most]).split())


def _spelt(char: str) -> str:
    if unicodedata.category(char) in ("Cc", "Cs") or char in _TURNING:
        return " " if char in "\t\n\r" else char.encode("unicode_escape", "backslashreplace").decode()
    return char


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _from_dict(told: Any) -> Recipe:
    if not isinstance(told, dict) or not isinstance(told.get("params"), dict):
        raise RecipeError("its recipe has no parameters")
    version, makes = told.get("overpaint"), told.get("makes")
    if version != VERSION:
        raise RecipeError(f"its recipe is of version {plain(version)}, this program reads version {VERSION}")
    if makes not in MAKES:
        raise RecipeError(f"its recipe makes {plain(makes)!r}, must be one of {', '.join(MAKES)}")
    try:
        reject_unknown([plain(name) for name in told["params"] if name not in {f.name for f, _ in specs()}])
        params = EditParams(**told["params"])
    except (ParameterError, TypeError) as e:
        raise RecipeError(f"its recipe has a parameter that is not taken: {plain(e)}") from e
    model: Any = told.get("model")
    model = model if isinstance(model, dict) else {}
    return Recipe(
        params,
        makes,
        model=_text_or_none(model.get("name")),
        model_hash=_digest_or_none(model.get("hash")),
        input=_input(told.get("input")),
        made_with=_facts(told.get("made_with")),
        maps=_maps(told.get("change_map"), told.get("layers")),
    )


def _text_or_none(value: Any) -> str | None:
    return plain(value) if isinstance(value, str) else None


def _digest_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) else None


def _input(told: Any) -> Input | None:
    if told is None:
        return None
    if isinstance(told, dict):
        digest, w, h = _digest_or_none(told.get("pixels")), told.get("width"), told.get("height")
        if digest is not None and type(w) is int and type(h) is int and min(w, h) > 0:
            return Input(digest, w, h)
    raise RecipeError("its recipe's input must have pixels (a SHA-256), width and height")


def _maps(change: Any, layers: Any) -> MapsTold:
    if layers is None:
        layers = []
    if not isinstance(layers, list) or len(layers) > _MAX_LAYERS:
        raise RecipeError(f"its recipe's layers must be a list of at most {_MAX_LAYERS}")
    return MapsTold(None if change is None else _map(change), tuple(_layer(layer) for layer in layers))


def _layer(told: Any) -> LayerTold:
    names = ("prompt", "negative_prompt", "strength", "guidance_scale")
    try:
        p = EditParams(**{name: told.get(name) for name in names})
        return LayerTold(p.prompt, p.negative_prompt, p.strength, p.guidance_scale, _map(told.get("map")))
    except (AttributeError, ParameterError, TypeError) as e:
        raise RecipeError(f"its recipe has a layer that is not taken: {plain(e)}") from e


def _map(told: Any) -> dict[str, Any]:
    """A map as far as it can be checked without its numbers; ``maptext`` reads those."""
    if not isinstance(told, dict) or not all(isinstance(told.get(name), int) for name in ("width", "height")):
        raise RecipeError("its recipe has a map without a width and height")
    return {name: told[name] for name in _MAP_FIELDS if isinstance(told.get(name), int | str)}


def _map_as_dict(told: Mapping[str, Any], numbers: bool) -> dict[str, Any]:
    return {name: value for name, value in told.items() if numbers or name not in ("kind", "deflated")}


def _facts(told: Any) -> dict[str, Any]:
    """Names to words or numbers, or to a list of numbers; anything else is left out."""
    if not isinstance(told, dict):
        return {}
    kept: dict[str, Any] = {}
    for name, value in list(told.items())[:_MAX_FACTS]:
        if isinstance(value, str):
            kept[plain(name)] = plain(value)
        elif type(value) in (int, float) or _is_short_list(value):
            kept[plain(name)] = value
    return kept


def _is_short_list(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= _MAX_FACTS and all(type(v) is int for v in value)
