"""AUTOMATIC1111's API: what there is to choose from, options, memory; and what only pretends to change something."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from overpaint.server import sdapi_lists
from overpaint.server.context import context_of, editor_of
from overpaint.server.reading import read_json
from overpaint.server.sdapi_memory import memory
from overpaint.server.sdapi_orders import unknown_checkpoint

router = APIRouter(include_in_schema=False)  # the documentation of it is that program's

IGNORED = "x-overpaint-ignored"  # header: the names of options that are not set

# nothing of these is offered, and so no front end offers it either
_EMPTY: dict[str, Any] = {
    "embeddings": {"loaded": {}, "skipped": {}},
    "extensions": [],
    "face-restorers": [],
    "hypernetworks": [],
    "latent-upscale-modes": [],
    "loras": [],
    "prompt-styles": [],
    "realesrgan-models": [],
    "script-info": [],
    "scripts": {"txt2img": [], "img2img": []},
    "sd-modules": [],
    "sd-vae": [],
}
# the model is the one that the server was started with
_REFRESHED = ("refresh-checkpoints", "refresh-embeddings", "refresh-loras", "refresh-vae")


def _always(told: Any, about: str) -> Callable[[], Awaitable[Response]]:
    async def answer() -> Response:
        return JSONResponse(told)

    answer.__doc__ = about
    return answer


for _name, _told in _EMPTY.items():
    router.add_api_route(f"/sdapi/v1/{_name}", _always(_told, "Empty: there are none."), methods=["GET"])
for _name in _REFRESHED:
    router.add_api_route(f"/sdapi/v1/{_name}", _always(None, "There is nothing to be found anew."), methods=["POST"])


# ---- the model -------------------------------------------------------------------------------------------------------


@router.get("/sdapi/v1/sd-models")
async def list_sd_models(request: Request) -> Response:
    """The one model."""
    return JSONResponse([sdapi_lists.sd_model(editor_of(context_of(request)).model)])


@router.post("/sdapi/v1/unload-checkpoint")
@router.post("/sdapi/v1/reload-checkpoint")
async def move_checkpoint() -> Response:
    """Answers as if it did so, and does not: the model is everybody's, and no caller takes it from the others."""
    return JSONResponse({})


@router.get("/sdapi/v1/options")
async def show_options(request: Request) -> Response:
    """The options that mean something here, as they are."""
    context = context_of(request)
    model = editor_of(context).model
    return JSONResponse(sdapi_lists.options(model, image_urls=context.settings.image_urls))


@router.post("/sdapi/v1/options")
async def set_options(request: Request) -> Response:
    """Sets nothing: options are everybody's, and some of them are paths. Asking for what is so anyhow is no mistake.

    Raises:
        Problem: 400, where another model is asked for than the one that is served.
    """
    context = context_of(request)
    asked = await read_json(request)
    model = editor_of(context).model
    name = asked.get(sdapi_lists.CHECKPOINT)
    if name is not None and not (isinstance(name, str) and sdapi_lists.checkpoint_is(model, name)):
        raise unknown_checkpoint(name, model, sdapi_lists.CHECKPOINT)
    names = sdapi_lists.ignored(asked, sdapi_lists.options(model, image_urls=context.settings.image_urls))
    return JSONResponse(None, headers={IGNORED: sdapi_lists.in_header(names)} if names else None)


# ---- what an edit can be made by -------------------------------------------------------------------------------------


@router.get("/sdapi/v1/samplers")
async def list_their_samplers() -> Response:
    """The samplers, by that program's names."""
    return JSONResponse(sdapi_lists.samplers())


@router.get("/sdapi/v1/schedulers")
async def list_schedulers() -> Response:
    """The schedules, by that program's names."""
    return JSONResponse(sdapi_lists.schedulers())


@router.get("/sdapi/v1/upscalers")
async def list_upscalers() -> Response:
    """What ``extra-single-image`` can do."""
    return JSONResponse(sdapi_lists.upscalers())


# ---- the server ------------------------------------------------------------------------------------------------------


@router.get("/sdapi/v1/cmd-flags")
async def show_flags(request: Request) -> Response:
    """How the server was started, as far as that program has words for it."""
    context = context_of(request)
    no_half = str(editor_of(context).model.dtype) == "torch.float32"
    return JSONResponse(sdapi_lists.cmd_flags(listen=not context.settings.is_loopback, no_half=no_half))


@router.get("/sdapi/v1/memory")
async def show_memory(request: Request) -> Response:
    """What this process takes."""
    context = context_of(request)
    return JSONResponse(await context.threads.quick(memory, editor_of(context).model.device))


@router.get("/internal/ping")
async def ping() -> Response:
    """It is there."""
    return JSONResponse({})
