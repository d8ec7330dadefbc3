"""The OpenAPI document: what each route takes and answers, and the whole of it put together.

``EDITS``, ``JOBS``, ... are what the routes' decorators are given.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from overpaint.server import answers, schema
from overpaint.version import __version__

_REF = "#/components/schemas/{model}"
_BODIES: tuple[type[BaseModel], ...] = (
    *(schema.EditJson, schema.EditForm, schema.SweepJson, schema.SweepForm),
    *(schema.PictureJson, schema.PictureForm, schema.SelectJson),
)
_TEXT = {"schema": {"type": "string"}}
_BINARY = {"type": "string", "format": "binary"}
_PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp")

STATUSES = {
    400: "The request cannot be read, or names no host.",
    401: "An API key is needed, or this one is not known.",
    403: "The request comes from a page of another site.",
    404: "There is no such job, sweep, picture or model, or it is another's.",
    408: "The body did not come in time.",
    409: "The job is not done yet or has ended already; or the idempotency key came with another request.",
    410: "The result is not kept any more.",
    413: "The body or the picture is too large.",
    415: "The body is of a type that is not taken, or the picture of a format.",
    421: "The server is not known by this name.",
    422: "A parameter is unknown or out of range, or the picture cannot be used.",
    429: "Too many jobs are waiting; the header retry-after says when to come again.",
    431: "The request's head is too large.",
    500: "Something went wrong in the server.",
    502: "The server that has the picture did not give it.",
    503: "The model is being loaded, or the server is ending, busy, or cannot use its storage.",
    504: "It took longer than it was given.",
    507: "There is no room left to keep jobs or results.",
}
_ALL = (400, 401, 403, 421, 422, 431, 500, 503)
_OF_BODY = (408, 413, 415, 507)


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Those of every route, these, and whatever else there may be."""
    told: dict[int | str, dict[str, Any]] = {
        status: {"model": answers.ErrorAnswer, "description": STATUSES[status]} for status in sorted({*_ALL, *statuses})
    }
    return {**told, "default": {"model": answers.ErrorAnswer, "description": "Any other error."}}


def _pictures(words: str, *types: str) -> dict[str, Any]:
    return {"description": words, "content": {one: {"schema": _BINARY} for one in types}}


def _route(
    tag: str,
    answer: type[BaseModel] | Mapping[str, Any],
    *errors: int,
    status: int = 200,
    more: Mapping[int, Any] | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """A decorator's arguments. ``answer``: of success; ``more``: answers beside it; ``extra``: of the operation."""
    told = answer if isinstance(answer, Mapping) else {"model": answer, "description": (answer.__doc__ or "").strip()}
    return {
        "tags": [tag],
        "status_code": status,
        "response_class": Response,
        "responses": {status: dict(told), **(more or {}), **_errors(*errors)},
        "openapi_extra": extra,
    }


def _body(content: Mapping[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": dict(content)}


def _content(model: type[BaseModel], example: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    ref = {"$ref": _REF.format(model=model.__name__)}
    return {"schema": ref, "examples": {"small": {"value": dict(example)}}, **more}


def _header(name: str, words: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": words, "schema": {"type": "string"}}


# ---- examples that work ----------------------------------------------------------------------------------------------

_SMALL = {"prompt": "hills at dusk, watercolour", "strength": 0.5, "steps": 4, "seed": 7, "size": "64x64"}
EDIT_EXAMPLE = {**_SMALL, "image": schema.EXAMPLE_PICTURE}
_NO_STRENGTH = {name: value for name, value in EDIT_EXAMPLE.items() if name != "strength"}
SWEEP_EXAMPLE = {**_NO_STRENGTH, "strengths": [0.3, 0.6], "against": {"guidance_scale": [1, 3]}}
FORM_EXAMPLE = {**_SMALL, "tools": ["box:8,8,32,32", "feather:4"]}
SWEEP_FORM_EXAMPLE = {**{n: v for n, v in _SMALL.items() if n != "strength"}, "strengths": "0.3,0.6", "count": 2}
PICTURE_EXAMPLE = {"image": schema.EXAMPLE_PICTURE}
RECIPE_EXAMPLE = {"image": schema.EXAMPLE_WITH_RECIPE}
SELECT_EXAMPLE = {"tools": ["box:8,8,32,32", "invert"]}

# ---- the routes ------------------------------------------------------------------------------------------------------

_AS_JSON = {name: {"contentType": "application/json"} for name in ("params", "layers", "against")}
_KEY = _header("Idempotency-Key", "A second request with the same key and content gets the same job.")
_KNOWN = _header("If-None-Match", "The etag of what is there already: then the answer is 304.")
_SAME = {304: {"description": "It is the same as the one that is there already."}}

EDITS = _route(
    "edits",
    {"model": answers.Job, "description": "The job, which is stored. The header location has its path."},
    *_OF_BODY,
    *(404, 409, 429, 502, 504),
    status=202,
    more={200: _pictures("With wait=true: the result, or the job where JSON is accepted.", *_PICTURE_TYPES)},
    requestBody=_body(
        {
            "application/json": _content(schema.EditJson, EDIT_EXAMPLE),
            "multipart/form-data": _content(schema.EditForm, FORM_EXAMPLE, encoding=_AS_JSON),
        }
    ),
    parameters=[_KEY],
)
EDITS["responses"][200]["content"]["application/json"] = {"schema": {"$ref": _REF.format(model="Job")}}
SWEEPS = _route(
    "edits",
    answers.Sweep,
    *_OF_BODY,
    *(404, 409, 429, 502, 504),
    status=202,
    requestBody=_body(
        {
            "application/json": _content(schema.SweepJson, SWEEP_EXAMPLE),
            "multipart/form-data": _content(schema.SweepForm, SWEEP_FORM_EXAMPLE, encoding=_AS_JSON),
        }
    ),
    parameters=[_KEY],
)
JOBS = _route("jobs", answers.JobList)
JOB = _route("jobs", answers.Job, 404)
CANCEL = _route("jobs", answers.Job, 404, 409)
_RESULT_WORDS = "The result. Its headers x-overpaint-seed, -t0, -signal and -steps-run say how it was made."
RESULT = _route(
    "jobs",
    _pictures(_RESULT_WORDS, *_PICTURE_TYPES),
    *(404, 409, 410, 504, 507),
    more=_SAME,
    parameters=[_KNOWN],
)
_EVENT_WORDS = (
    "Server-sent events: queued, running, step, done, failed, cancelled, each with JSON; a comment every 15 s when "
    "nothing happens. The last one has the job. A stream without one was ended by the server, which keeps the job."
)
EVENTS = _route(
    "jobs",
    {"description": _EVENT_WORDS, "content": {"text/event-stream": _TEXT}},
    404,
)
SWEEP = _route("jobs", answers.Sweep, 404)
CANCEL_SWEEP = _route("jobs", answers.Sweep, 404)

PICTURES = _route(
    "pictures",
    answers.Picture,
    *_OF_BODY,
    *(502, 504),
    status=201,
    requestBody=_body(
        {
            "application/json": _content(schema.PictureJson, PICTURE_EXAMPLE),
            "multipart/form-data": {"schema": {"$ref": _REF.format(model="PictureForm")}},
            **{one: {"schema": _BINARY} for one in ("image/*", "application/octet-stream")},
        }
    ),
)
RECIPES = _route(
    "pictures",
    answers.RecipeList,
    *_OF_BODY,
    *(502, 504),
    requestBody=_body(
        {
            "application/json": _content(schema.PictureJson, RECIPE_EXAMPLE),
            "multipart/form-data": {"schema": {"$ref": _REF.format(model="PictureForm")}},
            **{one: {"schema": _BINARY} for one in ("image/*", "application/octet-stream")},
        }
    ),
)
PICTURE = _route("pictures", answers.Picture, 404)
_VIEW_WORDS = "The picture as an edit sees it: upright, sRGB, 8 bits."
VIEW = _route("pictures", _pictures(_VIEW_WORDS, "image/png"), 404, 429, more=_SAME, parameters=[_KNOWN])
_NOISED_WORDS = "The picture noised and decoded, with its recipe."
NOISED = _route(
    "pictures",
    _pictures(_NOISED_WORDS, *_PICTURE_TYPES),
    404,
    429,
    more=_SAME,
    parameters=[_KNOWN],
)
SELECT = _route(
    "pictures",
    _pictures("The map: grey, white = change.", "image/png"),
    *_OF_BODY,
    *(404, 429, 504),
    requestBody=_body({"application/json": _content(schema.SelectJson, SELECT_EXAMPLE)}),
)
_DRAFT = {"schema": {"type": "object", "additionalProperties": True}}
DESCRIBE = _route(
    "pictures",
    {"description": "A draft of a prompt, and what it was made from.", "content": {"application/json": _DRAFT}},
    404,
    429,
)

MODELS = _route("lists", answers.ModelList)
MODEL = _route("lists", answers.Model, 404)
PRESETS = _route("lists", answers.PresetList)
SAMPLERS = _route("lists", answers.SamplerList)
NOISE = _route("lists", answers.NoiseList)
TOOLS = _route("lists", answers.ToolList)
PARAMETERS = _route("lists", answers.ParameterList)

LIVE = _route("health", answers.Health)
READY = _route("health", answers.Health)
READY["responses"][503] = {"model": answers.Health, "description": "It is loading, draining or broken."}
METRICS = _route("health", {"description": "For Prometheus.", "content": {"text/plain": _TEXT}})

# ---- the document ----------------------------------------------------------------------------------------------------

_ABOUT = (
    "Edits pictures with words by SDEdit: a picture is noised to the level of `strength` and denoised under a prompt. "
    "A request becomes a job that is stored before it is answered; its result is the same, byte for byte, as the "
    "library's. Every error has the same body; its `code` is stable."
)
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "basic": {"type": "http", "scheme": "basic", "description": "For browsers: the key as password, with any name."},
}


def document(app: FastAPI, public: frozenset[str], needs_key: bool) -> dict[str, Any]:
    """The OpenAPI document of an app.

    Args:
        public: the paths that need no key.
        needs_key: whether any does.
    """
    told = get_openapi(title="Overpaint", version=__version__, description=_ABOUT, routes=app.routes)
    _, bodies = models_json_schema([(model, "validation") for model in _BODIES], ref_template=_REF)
    components = told.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **bodies["$defs"]}
    components["securitySchemes"] = _SCHEMES
    told["security"] = [*([] if needs_key else [{}]), *({name: []} for name in _SCHEMES)]
    for path in public & told["paths"].keys():
        for operation in told["paths"][path].values():
            operation["security"] = []
    return told
