"""OpenAI's requests for pictures in the words of our API.

``FIELDS`` has every field of their edits, generations and variations, all of which are taken by all three. What is in
no entry there is handed on to our API as it is: the knobs that its clients send as ``extra_body``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from overpaint.errors import ParameterError
from overpaint.recipe import plain
from overpaint.server.asking import NAMES, REPEATED, SPECS, check_names
from overpaint.server.body import Body, from_base64, malformed
from overpaint.server.extras import PICTURES, Extra, read_extra
from overpaint.server.order import Order
from overpaint.server.records import FORMATS

What = Literal["edits", "generations", "variations"]

MOST_PICTURES, MOST_PARTIAL = 10, 3


@dataclass(frozen=True)
class Field:
    """A field of OpenAI's requests.

    Attributes:
        words: what is done with it, for the documentation.
        ours: the name by which our API has it; None: that has none.
        read: how its value is read here; None: our API reads it.
        idle: of a field that has no effect here, the values that need no warning, beside none and ""; None: it has one.
    """

    name: str
    words: str
    ours: str | None = None
    read: Extra | None = None
    idle: tuple[str, ...] | None = None


_ALL = (
    Field(
        "image",
        "The picture to edit: a file, or in JSON its base64 or a list of one. Several are refused, they are not merged "
        "here. What it is, is read from its bytes. Edits without a mask change what is transparent in it, if anything "
        "is, and the result is opaque.",
        ours="image",
    ),
    Field("mask", "A picture that is transparent where the edit is to be.", ours="mask"),
    Field("prompt", "What the result shows. It may be left out.", ours="prompt"),
    Field(
        "model",
        "The served model's name. A name of OpenAI's own, as gpt-image-1 or dall-e-2, means whichever model is served, "
        "with a warning; any other is an error 404.",
        ours="model",
        read=Extra("word", ""),
    ),
    Field(
        "n",
        "How many results: with the seed, the next one, and so on.",
        read=Extra("integer", "", low=1, high=MOST_PICTURES),
    ),
    Field(
        "size",
        "The size of the result: auto (the picture's own) or WIDTHxHEIGHT, any. Where the model works is chosen by "
        "itself, or by `working_size`, which is the native API's `size`; another shape than the picture's is cut to, "
        "or as `fit` says.",
        ours="output_size",
    ),
    Field(
        "response_format",
        "b64_json, the default, or url: where the result is kept for as long as any; it is fetched with the API key.",
        read=Extra("choice", "", choices=("b64_json", "url")),
    ),
    Field(
        "output_format",
        "png, jpeg or webp; gif and svg are refused.",
        ours="format",
        read=Extra("choice", "", choices=FORMATS),
    ),
    Field("stream", "Answer with events: what the result looks like so far, and the result.", read=Extra("flag", "")),
    Field(
        "partial_images",
        "With stream: how many pictures to send of each result before it is done, at most, evenly over its steps.",
        read=Extra("integer", "", low=0, high=MOST_PARTIAL),
    ),
    Field("output_compression", "Has no effect, with a warning: files are written with one quality.", idle=("100",)),
    Field("quality", "Has no effect, with a warning; `steps` has.", idle=("auto", "standard")),
    Field("background", "Has no effect, with a warning: a result has its picture's own.", idle=("auto", "opaque")),
    Field("input_fidelity", "Has no effect, with a warning; `strength` and `detail` have.", idle=()),
    Field("moderation", "Has no effect: there is none.", idle=("auto", "low")),
    Field("style", "Has no effect, with a warning: the prompt says it.", idle=()),
    Field("markup", "Has no effect, with a warning: pictures drawn over the picture are not read.", idle=()),
    Field("complexity", "Has no effect, with a warning.", idle=()),
    Field("frame_count", "Has no effect, with a warning: there are no GIFs.", idle=()),
    Field("frame_duration_ms", "Has no effect, with a warning: there are no GIFs.", idle=()),
    Field("svg", "Has no effect, with a warning: there are no SVGs.", idle=()),
    Field("user", "Has no effect, and is not kept."),
    Field("safety_identifier", "Has no effect, and is not kept."),
)
FIELDS: dict[str, Field] = {f.name: f for f in _ALL}

_WORKING = "working_size"  # for our `size`, since theirs is our `output_size`
_KNOWN = (*FIELDS, _WORKING, *(name for name in NAMES if name not in FIELDS and name != "wait"))
_THEIR_MODELS = re.compile(r"(dall-e-|gpt-image|chatgpt-image)")
_JOINTS = {"margins": ",", "variation": ",", "working_size": "x", "output_size": "x"}  # of numbers that came as a list


@dataclass(frozen=True)
class Wanted:
    """A request of theirs.

    Attributes:
        body: it in our words, for ``asking_of``.
        n: how many results.
        as_url: whether they are told by where they are.
        stream, partial_images: whether they are told by events, and with how many pictures before each, at most.
        warnings: which fields have no effect.
        names: ours to theirs, where a field that was sent has another name here.
    """

    body: Body
    n: int = 1
    as_url: bool = False
    stream: bool = False
    partial_images: int = 0
    warnings: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


# ---- in --------------------------------------------------------------------------------------------------------------


def translated(body: Body) -> Wanted:
    """A request in our words.

    Raises:
        ParameterError, Problem: 422 for a field that is unknown or not what it can be, 400 for what cannot be read.
    """
    sent = _gathered(body)
    check_names(sent.values, _KNOWN)
    given = {name: raw for name, raw in sent.values.items() if name not in FIELDS or not _is_nothing(raw)}
    files = {name: data for name, data in sent.files.items() if not _is_idle(name)}
    read = {
        name: read_extra(name, f.read, given[name], sent.typed)
        for name, f in FIELDS.items()
        if f.read is not None and name in given
    }
    warnings = [*_idle(given), *(_no_effect(name) for name in sent.files if _is_idle(name))]
    if _THEIR_MODELS.match(read.get("model", "")):
        warnings.append(f"model {plain(given.pop('model'), 60)!r} is not served here: it is edited by the one that is")
    if str(given.get("size")).strip().lower() == "auto":
        del given["size"]
    if read.get("partial_images") and not read.get("stream"):
        warnings.append("partial_images has an effect with stream only")
    values, names = _handed_on(given)
    if {"mask", "mask_id"} & {*values, *files}:
        values.setdefault("mask_by", "transparency")
        if not {"map", "map_id"} & {*values, *files}:
            names["map"] = "mask"  # as what both come to is called where it is used
    return Wanted(
        replace(sent, values=values, files=files),
        n=read.get("n", 1),
        as_url=read.get("response_format") == "url",
        stream=read.get("stream", False),
        partial_images=read.get("partial_images", 0),
        warnings=tuple(warnings),
        names=names,
    )


def _gathered(body: Body) -> Body:
    """A body whose lists are what our API takes them as, and whose pictures that came as text are files."""
    values = {("svg" if name.startswith("svg[") else name): raw for name, raw in body.values.items()}
    files = dict(body.files)
    for name, items in body.lists.items():
        if name in PICTURES:
            _check_one(name, len(items) + (name in files) + (name in values))
            values[name] = items[0]
        else:
            values[name] = _listed(name, [*values.get(name, []), *items] if name in REPEATED else items)
    for name in PICTURES:
        raw = values.get(name)
        if isinstance(raw, list):
            _check_one(name, len(raw))
            raw = values[name] = raw[0]
        if isinstance(raw, bytes) or (isinstance(raw, str) and not body.typed):
            del values[name]
            if not _is_nothing(raw):
                files[name] = from_base64(raw, name) if isinstance(raw, str) else raw
    return Body(values, files, body.typed)


def _check_one(name: str, count: int) -> None:
    if count != 1:
        raise ParameterError(name, f"are {count} pictures, must be one: several are not merged here")


def _listed(name: str, items: Sequence[str | bytes]) -> Any:
    """What came as ``name[]``, as our forms have it."""
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) < len(items):
        raise malformed("invalid_multipart", f"the part {plain(name)!r} is a file, must be text", plain(name))
    check_names({name: texts}, _KNOWN)
    if name in REPEATED:
        return texts
    ours = _ours(name)
    joint = _JOINTS.get(SPECS[ours].kind) if ours in SPECS else None
    if joint is None:
        raise ParameterError(name, "is a list, must be one value")
    return joint.join(texts)


def _is_nothing(raw: Any) -> bool:
    return raw is None or (isinstance(raw, str) and not raw.strip())


def _is_idle(name: str) -> bool:
    return name in FIELDS and FIELDS[name].idle is not None


def _idle(given: Mapping[str, Any]) -> list[str]:
    """Warnings of what was asked for with fields that have no effect."""
    told = {name: str(given[name]).strip().lower() for name in given if _is_idle(name)}
    return [_no_effect(name) for name, value in told.items() if value not in (FIELDS[name].idle or ())]


def _no_effect(name: str) -> str:
    return f"{name} has no effect here"


def _ours(name: str) -> str | None:
    """Our name of a field that may be sent; None: it is not handed on."""
    return "size" if name == _WORKING else FIELDS[name].ours if name in FIELDS else name


def _handed_on(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values by our names, and their names of those that have others."""
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    for theirs, raw in given.items():
        ours = _ours(theirs)
        if ours is None:
            continue
        if ours in values:
            raise ParameterError(theirs, f"is given twice, as {names.get(ours, ours)} and {theirs}")
        values[ours] = raw
        if ours != theirs:
            names[ours] = theirs
    return values, names


def marks_nothing(order: Order) -> bool:
    """Whether an order leaves open what of its picture is to be changed."""
    return not (order.map or order.mask or order.scribble or order.changed_from or order.tools or order.layers)
