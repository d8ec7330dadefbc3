"""What goes in over HTTP, as pydantic models for the OpenAPI document.

Requests are not parsed by these: ``asking`` does that, by the same specs of which the models are made. What a model
says of ranges, choices and defaults is therefore what is checked.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from overpaint.fields import PROMPT_MAX, Spec
from overpaint.params import MAX_COUNT
from overpaint.server.asking import SPECS
from overpaint.server.extras import EXTRAS, MAX_WORD, PICTURES, SWEEP_EXTRAS, Extra

_SIZE = r"^\d{1,5}[xX]\d{1,5}$"
# 64 x 64 pixels: a sky and a hill
EXAMPLE_PICTURE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAABlBMVEV4qtxGbjy0BXypAAAAXElEQVR42uXNsQ0CQQwEwLEPieQC"
    "wgu/FEqhE1qjFOjgC3jJH5gqwMlOsFrzT/eszmvVTrKYJA8GRFXVqytVu7RgShuk4Q0RMQ7wyUuv3nI1Zm6NzHsj4vtZ+imcSF8T"
    "kJynS9cAAAAASUVORK5CYII="
)
# 8 x 8 pixels, with the text that AUTOMATIC1111 writes
EXAMPLE_WITH_RECIPE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIAQMAAAD+wSzIAAAAfnRFWHRwYXJhbWV0ZXJzAGhpbGxzIGF0IGR1c2ssIHdhdGVyY29sb3Vy"
    "ClN0ZXBzOiAyMCwgU2FtcGxlcjogRXVsZXIgYSwgQ0ZHIHNjYWxlOiA3LCBTZWVkOiA3LCBTaXplOiA2NHg2NCwgRGVub2lzaW5nIHN0"
    "cmVuZ3RoOiAwLjXnW5CTAAAABlBMVEUAAAAAAAClZ7nPAAAAC0lEQVR4nGNgQAUAABAAATm9j2UAAAAASUVORK5CYII="
)

# ---- requests --------------------------------------------------------------------------------------------------------


def _type_of_spec(spec: Spec) -> Any:
    """A field of ``EditParams`` as JSON types it."""
    match spec.kind:
        case "text":
            return Annotated[str, Field(max_length=PROMPT_MAX)]
        case "number":
            return Annotated[float, Field(ge=spec.low, le=spec.high)]
        case "integer":
            return Annotated[int, Field(ge=int(spec.low), le=int(spec.high))]
        case "choice":
            return Literal[spec.choices]
        case "margins":
            sides = Annotated[list[Annotated[int, Field(ge=0, le=16384)]], Field(min_length=4, max_length=4)]
            return Annotated[str, Field(pattern=r"^\d+(,\d+){3}$", max_length=30)] | sides
        case "variation":
            return Annotated[str, Field(pattern=r"^-?\d+,[\d.]+$", max_length=60)]
    word = "input" if spec.kind == "working_size" else "working"
    return Literal[word] | Annotated[str, Field(pattern=_SIZE)]


def _type_of_extra(extra: Extra) -> Any:
    word = Annotated[str, Field(min_length=1, max_length=MAX_WORD)]
    match extra.kind:
        case "flag":
            return bool
        case "number":
            return Annotated[float, Field(ge=extra.low, le=extra.high)]
        case "integer":
            return Annotated[int, Field(ge=int(extra.low), le=int(extra.high))]
        case "choice":
            return Literal[extra.choices]
        case "words":
            return Annotated[list[word], Field(max_length=int(extra.high))]
        case "numbers":
            each = Annotated[float, Field(ge=extra.low, le=extra.high)]
            return Annotated[list[each], Field(min_length=1, max_length=MAX_COUNT)]
        case "list":
            return Annotated[list[Layer], Field(max_length=int(extra.high))]
        case "object":
            return dict[str, Any]
    return word


def _fields(told: dict[str, tuple[Any, str, Any]]) -> dict[str, Any]:
    return {name: (kind | None, Field(default, description=help)) for name, (kind, help, default) in told.items()}


def _params() -> dict[str, Any]:
    """The fields of ``EditParams``; ours is what they come to unless preset or model say otherwise."""
    told = {}
    for name, spec in SPECS.items():
        usual = "" if spec.ours in (None, "") else f" Usually {spec.ours}."
        told[name] = (_type_of_spec(spec), spec.help + usual, "" if name == "prompt" else None)
    return _fields(told)


def _extras(extras: dict[str, Extra], form: bool) -> dict[str, Any]:
    told = {}
    for name, extra in extras.items():
        kind = _type_of_extra(extra)
        if form and extra.kind == "numbers":
            kind = str
        told[name] = (kind, extra.help, extra.default)
    return _fields(told)


_Base64 = Annotated[str, Field(json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/*"})]
_File = Annotated[str, Field(json_schema_extra={"format": "binary"})]
_STRICT = ConfigDict(extra="forbid")


class Layer(BaseModel):
    """A region with a prompt of its own. Its map is told in one of three ways."""

    model_config = _STRICT
    map: _Base64 | None = Field(None, description="White = this prompt.")
    map_id: str | None = Field(None, description="The id of a picture that was sent ahead.")
    map_part: str | None = Field(None, description="In a form: the name of the part that has the map's file.")
    prompt: Annotated[str, Field(max_length=PROMPT_MAX)] = Field(description="What the region shows.")
    strength: Annotated[float, Field(ge=0, le=1)] | None = None
    guidance_scale: Annotated[float, Field(ge=1, le=50)] | None = None
    negative_prompt: Annotated[str, Field(max_length=PROMPT_MAX)] | None = None


def _request(name: str, words: str, *, form: bool = False, sweep: bool = False) -> type[BaseModel]:
    pictures = {n: (_File if form else _Base64, help, None) for n, help in PICTURES.items()}
    extras = {**EXTRAS, **SWEEP_EXTRAS} if sweep else EXTRAS
    if sweep:
        extras = {n: extra for n, extra in extras.items() if n != "wait"}
    config = ConfigDict(extra="allow" if form else "forbid")  # a form may have parts for the maps of layers
    made = {**_params(), **_fields(pictures), **_extras(extras, form)}
    return create_model(name, __config__=config, __doc__=words, **made)


EditJson = _request("EditJson", "An edit; pictures in base64, with or without `data:image/png;base64,`.")
EditForm = _request("EditForm", "An edit as a form; pictures are files, `layers` and `params` are JSON.", form=True)
SweepJson = _request("SweepJson", "One edit in many variants.", sweep=True)
SweepForm = _request("SweepForm", "One edit in many variants, as a form.", form=True, sweep=True)


class PictureJson(BaseModel):
    """A picture to be sent ahead: its bytes, or where it is."""

    model_config = _STRICT
    image: _Base64 | None = Field(None, description=PICTURES["image"])
    image_url: str | None = Field(None, description=EXTRAS["image_url"].help)


class PictureForm(BaseModel):
    """A picture to be sent ahead, as a form."""

    image: _File


class SelectJson(BaseModel):
    """Map tools to try out on a picture."""

    model_config = _STRICT
    tools: list[str] = Field(description=EXTRAS["tools"].help)
