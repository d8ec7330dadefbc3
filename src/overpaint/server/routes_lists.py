"""What there is to choose from: the model, presets, samplers, map tools, parameters, and what noise leaves."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from overpaint.errors import ParameterError
from overpaint.levels import SCHEDULES, Survival, survival
from overpaint.maps.toolbox import TOOLS
from overpaint.params import PROMPT_ADVICE, specs
from overpaint.presets import BANDS, presets_for
from overpaint.samplers import ABOUT
from overpaint.server import openapi
from overpaint.server.context import KNOWN_QUERY, Context, check_model, context_of, editor_of
from overpaint.server.extras import SWEEP_EXTRAS, read_extra

DEFAULT_STRENGTHS = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1"
MOST_STRENGTHS = 100

router = APIRouter(dependencies=[KNOWN_QUERY])


def _list(data: Iterable[Mapping[str, Any]], **more: Any) -> Response:
    return JSONResponse({"object": "list", "data": list(data), **more})


@router.get("/v1/models", **openapi.MODELS)
async def list_models(request: Request) -> Response:
    """The model that is served, in the form of OpenAI's lists."""
    return _list([_model(context_of(request))])


@router.get("/v1/models/{id:path}", **openapi.MODEL)  # a hub id has a slash
async def show_model(request: Request, id: str) -> Response:
    """The model that is served, by its name."""
    context = context_of(request)
    check_model(context, id)
    return JSONResponse(_model(context))


def _model(context: Context) -> dict[str, Any]:
    model = editor_of(context).model
    card = model.card
    return {
        "id": model.name,
        "object": "model",
        "created": int(context.started),
        "owned_by": "overpaint",
        "native_size": card.native_size,
        "size_multiple": card.size_multiple,
        "buckets": [f"{w}x{h}" for w, h in card.buckets],
        "largest_area": card.largest_area,
        "licence": card.licence,
        "domain": card.domain,
        "defaults": dict(card.defaults),
        "device": str(model.device),
        "dtype": str(model.dtype).removeprefix("torch."),
        "hash": model.hash,
    }


@router.get("/v1/presets", **openapi.PRESETS)
async def list_presets(request: Request) -> Response:
    """The named uses as they are with this model, and the bands of strength."""
    card = editor_of(context_of(request)).card
    told = [
        {
            "name": preset.name,
            "use": preset.use,
            "strength": preset.strength,
            "range": list(preset.range),
            "detail": preset.detail,
            "keeps_structure": preset.keeps_structure,
            "example": preset.prompt_for(preset.example),
        }
        for preset in presets_for(card).values()
    ]
    return _list(told, bands=[band._asdict() for band in BANDS], advice=PROMPT_ADVICE)


@router.get("/v1/samplers", **openapi.SAMPLERS)
async def list_samplers() -> Response:
    """The samplers and the schedules."""
    told = [{"name": n, "calls_a_step": a.calls, "noisy": a.noisy, "words": a.words} for n, a in ABOUT.items()]
    return _list(told, schedules=list(SCHEDULES))


@router.get("/v1/noise", **openapi.NOISE)
async def list_noise(
    request: Request,
    strengths: Annotated[str, Query(max_length=2000, description="Each above 0, at most 1.")] = DEFAULT_STRENGTHS,
) -> Response:
    """What survives of a picture at each strength, by the noise of the served model."""
    model = editor_of(context_of(request)).model
    wanted = read_extra("strengths", SWEEP_EXTRAS["strengths"], strengths, typed=False) or ()
    if not 1 <= len(wanted) <= MOST_STRENGTHS:
        raise ParameterError("strengths", f"are {len(wanted)}, must be 1 to {MOST_STRENGTHS}")
    return _list(_told(survival(one, model.noise, model.pixels_per_cell)) for one in wanted)


def _told(line: Survival) -> dict[str, Any]:
    """Infinities, where nothing but noise is left, are None."""
    return {n: None if isinstance(v, float) and not isfinite(v) else v for n, v in line._asdict().items()}


@router.get("/v1/tools", **openapi.TOOLS)
async def list_tools() -> Response:
    """The map tools: what makes a change map, and what changes one."""
    return _list({"form": tool.form, "kind": tool.kind, "help": tool.help} for tool in TOOLS)


@router.get("/v1/parameters", **openapi.PARAMETERS)
async def list_parameters() -> Response:
    """The fields of an edit, as they are checked; `default` is what one comes to unless preset or model say more."""
    told = []
    for f, spec in specs():
        low, high = (bound if isfinite(bound) else None for bound in (spec.low, spec.high))
        bounds = {"low": low, "high": high, "choices": list(spec.choices)}
        default = "" if f.name == "prompt" else spec.ours
        told.append({"name": f.name, "kind": spec.kind, "help": spec.help, **bounds, "default": default})
    return _list(told)
