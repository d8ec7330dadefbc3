"""What two front ends send to a server of pictures, call by call, and what they read of its answers. Data only.

Read off the sources that each part names. The headers are those of the libraries they send with, taken off the wire
(node-fetch 3.3.2 on Node; aiohttp 3.14.5). Where a call depends on the user or on an earlier answer, a name in braces
stands for it; ``tests/test_clients_replayed.py`` fills it in:

| name | what it stands for |
| --- | --- |
| {url} | where the server is |
| {auth} | what the user typed as "user:password"; the default is "" |
| {basic} | the same in base64 |
| {key} | the API key; the default is "" |
| {title} | the model: `title` of the first of /sdapi/v1/sd-models |
| {sampler}, {scheduler} | `name` of the first of the lists |

By default ``authorization`` is therefore "Basic " or "Bearer " with nothing after it, not left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        headers: as the client sends them, without Host, Content-Length and a form's Content-Type.
        json: of the body.
        over_options: the body is all that GET /sdapi/v1/options gave, with ``json`` laid over it.
        form: text parts of a multipart body, in this order, each with the type text/plain; charset=utf-8.
        files: parts after those: name, file name, type. The pictures are the test's.
        reads: what the client would fail without: where in the JSON, and its type (float: any number). ``a.b`` is a
            key in a key, ``[]`` each of a list, ``[+]`` each of a list that must not be empty.
        pictures: where the pictures are, in base64.
        any_status: the client goes on whatever the status.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    json: Any = None
    over_options: bool = False
    form: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str, str], ...] = ()
    reads: Mapping[str, type] = field(default_factory=dict)
    pictures: str | None = None
    any_status: bool = False


# ---- SillyTavern -----------------------------------------------------------------------------------------------------
# The requests: SillyTavern/SillyTavern, src/endpoints/stable-diffusion.js at 02903fdd3ad33dc642fb328e43d0a8b3724e1a38.
# What is in the body of txt2img, and the order of all: public/scripts/extensions/stable-diffusion/index.js, of which
# no late version is to be had from that repository. Read in its fork SillyBunnyTeam/SillyBunny at
# 35fb8baab2ab27a4bada21d618ed3573918bb6a1; a test fixture taken from SillyTavern 1.18.0 (8172dcd) has the same fields.
#
# It has no img2img. Status 2xx is all it asks for, unless a comment says otherwise.

_NODE = {
    "accept": "*/*",
    "accept-encoding": "gzip, deflate, br",
    "authorization": "Basic {basic}",
    "user-agent": "node-fetch",
}
_NODE_JSON = {**_NODE, "content-type": "application/json"}

# After a model was chosen, every two seconds, ten times at most, until progress === 0 and state.job_count === 0.
SILLYTAVERN_PROGRESS = Call(
    "GET",
    "/sdapi/v1/progress",
    _NODE,
    reads={"progress": float, "state.job_count": int},
)

# The whole body is what the page sent to SillyTavern's own server: its address and password are in it, too. JSON has
# no `seed` unless the user set one, and no `sd_vae` and `forge_additional_modules` unless a VAE is chosen; the second
# is taken out again where /options has no key `forge_preset`. With an empty list of samplers or schedulers their names
# are null. Every answer of 2xx is read as {"images": [base64, ...]}; the first is kept, as a file named .png.
SILLYTAVERN_TXT2IMG = Call(
    "POST",
    "/sdapi/v1/txt2img",
    _NODE_JSON,
    json={
        "url": "{url}",
        "auth": "{auth}",
        "prompt": "best quality, absurdres, aesthetic, a mountain lake",
        "negative_prompt": "lowres, bad anatomy, bad hands, text, error, cropped, worst quality, low quality, "
        "normal quality, jpeg artifacts, signature, watermark, username, blurry",
        "sampler_name": "{sampler}",
        "scheduler": "{scheduler}",
        "steps": 20,
        "cfg_scale": 7,
        "width": 512,
        "height": 512,
        "restore_faces": False,
        "enable_hr": False,
        "hr_upscaler": "Latent",
        "hr_scale": 1,
        "hr_additional_modules": [],
        "denoising_strength": 0.7,
        "hr_second_pass_steps": 0,
        "override_settings": {"CLIP_stop_at_last_layers": 1},
        "override_settings_restore_afterwards": True,
        "clip_skip": 1,
        "save_images": True,
        "send_images": True,
        "do_not_save_grid": False,
        "do_not_save_samples": False,
    },
    reads={"images[+]": str},
    pictures="images[+]",
)

# When the user presses stop or closes the page. It has no body, nobody looks at the answer, and the connection on which
# txt2img is waited for is closed at the same time: either may come first.
SILLYTAVERN_INTERRUPT = Call("POST", "/sdapi/v1/interrupt", _NODE, any_status=True)

SILLYTAVERN = (
    # "Connect": /ping
    Call("GET", "/sdapi/v1/options", _NODE),
    # then all of these at once: /samplers, /get-model (which does not look at the status), /schedulers, /vaes. Of the
    # last two the first that answers 2xx is taken, and must be a list.
    Call("GET", "/sdapi/v1/samplers", _NODE, reads={"[+].name": str}),
    Call("GET", "/sdapi/v1/options", _NODE, reads={"sd_model_checkpoint": str}),
    Call("GET", "/sdapi/v1/schedulers", _NODE, reads={"[+].name": str}),
    Call("GET", "/sdapi/v1/sd-vae", _NODE, reads={"[].model_name": str}, any_status=True),
    Call("GET", "/sdapi/v1/sd-modules", _NODE, reads={"[].model_name": str}, any_status=True),
    # after /get-model: /models, then /upscalers, where the latent ones are put in after the first of the others. A
    # model is known by its title; the one that /options names should be among them.
    Call("GET", "/sdapi/v1/sd-models", _NODE, reads={"[+].title": str}),
    Call("GET", "/sdapi/v1/upscalers", _NODE, reads={"[].name": str}),
    Call("GET", "/sdapi/v1/latent-upscale-modes", _NODE, reads={"[].name": str}),
    # A model is chosen: /set-model
    Call("POST", "/sdapi/v1/options", _NODE_JSON, json={"sd_model_checkpoint": "{title}"}),
    SILLYTAVERN_PROGRESS,
    # A picture: /generate
    Call("GET", "/sdapi/v1/options", _NODE, any_status=True),
    SILLYTAVERN_TXT2IMG,
    # The same with settings that were never connected: names that its other back ends know.
    Call(
        "POST",
        "/sdapi/v1/txt2img",
        _NODE_JSON,
        json={**SILLYTAVERN_TXT2IMG.json, "sampler_name": "DDIM", "scheduler": "normal"},
        reads={"images[+]": str},
        pictures="images[+]",
    ),
    # And after lists that could not be had.
    Call(
        "POST",
        "/sdapi/v1/txt2img",
        _NODE_JSON,
        json={**SILLYTAVERN_TXT2IMG.json, "sampler_name": None, "scheduler": None},
        reads={"images[+]": str},
        pictures="images[+]",
    ),
    # With what the user may turn on: a seed, and two ways of mending faces.
    Call(
        "POST",
        "/sdapi/v1/txt2img",
        _NODE_JSON,
        json={
            **SILLYTAVERN_TXT2IMG.json,
            "seed": 42,
            "restore_faces": True,
            "alwayson_scripts": {"ADetailer": {"args": [True, True, {"ad_model": "face_yolov8n.pt"}]}},
        },
        any_status=True,  # a script that is not there is refused by AUTOMATIC1111, too: with 422
    ),
)

# ---- Open WebUI, engine "automatic1111" ------------------------------------------------------------------------------
# open-webui/open-webui, backend/open_webui/routers/images.py at 02530d501461ce58ab06231d7c2ef2024a141ddf; the defaults
# of IMAGE_SIZE, IMAGE_STEPS and IMAGE_GENERATION_MODEL from backend/open_webui/config.py.
#
# It has no img2img, no progress and no interrupt: whoever leaves there, the request is waited for. Lists and options
# are read by aiohttp's `json()`, which refuses any content type but application/json; that of txt2img by
# `json(content_type=None)`, and without a look at the status.

_AIOHTTP = {
    "authorization": "Basic {basic}",  # "" where AUTOMATIC1111_API_AUTH is null
    "accept": "*/*",
    "accept-encoding": "gzip, deflate",
    "user-agent": "Python/3.11 aiohttp/3.14.5",
}
_AIOHTTP_JSON = {**_AIOHTTP, "content-type": "application/json"}

_OPTIONS = Call("GET", "/sdapi/v1/options", _AIOHTTP, reads={"sd_model_checkpoint": str})

OPEN_WEBUI_A1111 = (
    # The address is checked: verify_url
    Call("GET", "/sdapi/v1/options", _AIOHTTP),
    # get_models
    Call("GET", "/sdapi/v1/sd-models", _AIOHTTP, reads={"[+].title": str, "[+].model_name": str}),
    # Settings are saved before a model was chosen: update_config, set_image_model(""). The name "" is not the model's,
    # so all options are sent back with it; an error is passed over in silence.
    _OPTIONS,
    Call(
        "POST",
        "/sdapi/v1/options",
        _AIOHTTP_JSON,
        json={"sd_model_checkpoint": ""},
        over_options=True,
        any_status=True,
    ),
    # The same with a model. It is only sent where /options named another; this server has one, so this is what
    # another would see.
    _OPTIONS,
    Call(
        "POST",
        "/sdapi/v1/options",
        _AIOHTTP_JSON,
        json={"sd_model_checkpoint": "{title}"},
        over_options=True,
    ),
    # A picture: image_generations, which asks for the model's name first
    _OPTIONS,
    Call(
        "POST",
        "/sdapi/v1/txt2img",
        _AIOHTTP_JSON,
        json={"prompt": "a mountain lake", "batch_size": 1, "width": 512, "height": 512, "steps": 50},
        reads={"images[+]": str, "info": str},
        pictures="images[+]",
    ),
    # With what may be told beside, by whoever calls its API, and by AUTOMATIC1111_PARAMS of its settings
    _OPTIONS,
    Call(
        "POST",
        "/sdapi/v1/txt2img",
        _AIOHTTP_JSON,
        json={
            "prompt": "a mountain lake",
            "batch_size": 2,
            "width": 512,
            "height": 512,
            "steps": 50,
            "negative_prompt": "blurry",
            "cfg_scale": 7.5,
            "sampler_name": "Euler",
            "scheduler": "Karras",
        },
        reads={"images[+]": str, "info": str},
        pictures="images[+]",
    ),
)

# ---- Open WebUI, engine "openai" -------------------------------------------------------------------------------------
# The same file. Its list of models is its own, so there is no GET /v1/models; without a choice the model's name is
# "dall-e-2" for new pictures and "" for edits. `response_format` is left out where the model's name matches
# IMAGE_URL_RESPONSE_MODELS_REGEX_PATTERN, by default ^gpt-image: an answer with a `url` is then fetched, but not from
# addresses of its own network, so that b64_json is what must come. Never a mask.

_BEARER = {
    "authorization": "Bearer {key}",
    "accept": "*/*",
    "accept-encoding": "gzip, deflate",
    "user-agent": "Python/3.11 aiohttp/3.14.5",
}
_BEARER_JSON = {**_BEARER, "content-type": "application/json"}
_DATA: dict[str, type] = {"data[+].b64_json": str}
_FIRST, _SECOND = "3f0d9c1e-6c1b-4b5e-9d2c-0a4f5f6f7a01.png", "8b1f2f5a-0d43-4b9a-a1c7-5f1f3c2d9e02.jpg"
_ALL_TOLD = (
    ("model", "gpt-image-1"),
    ("prompt", "make it winter"),
    ("n", "1"),
    ("size", "512x512"),
    ("background", "auto"),
)

OPEN_WEBUI_OPENAI = (
    Call(
        "POST",
        "/v1/images/generations",
        _BEARER_JSON,
        json={
            "model": "dall-e-2",
            "prompt": "a mountain lake",
            "n": 1,
            "size": "512x512",
            "response_format": "b64_json",
        },
        reads=_DATA,
        pictures="data[+].b64_json",
    ),
    # with a model and a version of the API from the settings
    Call(
        "POST",
        "/v1/images/generations?api-version=2025-04-01-preview",
        _BEARER_JSON,
        json={"model": "gpt-image-1", "prompt": "a mountain lake", "n": 1, "size": "512x512"},
        reads=_DATA,
        pictures="data[+].b64_json",
    ),
    # One picture, by its API: `image`. Text first, files last.
    Call(
        "POST",
        "/v1/images/edits",
        _BEARER,
        form=(("model", ""), ("prompt", "make it winter"), ("response_format", "b64_json")),
        files=(("image", _FIRST, "image/png"),),
        reads=_DATA,
        pictures="data[+].b64_json",
    ),
    # One picture, by the tool that a chat calls (backend/open_webui/tools/builtin.py, edit_image, at
    # 009320f11bc32636bd43cade2b80993de43c7e8c): a list of one, so `image[]`.
    Call(
        "POST",
        "/v1/images/edits",
        _BEARER,
        form=(("model", ""), ("prompt", "make it winter"), ("response_format", "b64_json")),
        files=(("image[]", _FIRST, "image/png"),),
        reads=_DATA,
        pictures="data[+].b64_json",
    ),
    # With all that may be told, and a picture whose file has no known ending: sent as .png and of the type "None".
    Call(
        "POST",
        "/v1/images/edits?api-version=2025-04-01-preview",
        _BEARER,
        form=_ALL_TOLD,
        files=(("image[]", _FIRST, "None"),),
        reads=_DATA,
        pictures="data[+].b64_json",
    ),
    # Several. A server for which they make no sense may say so: the user is shown the status' phrase, "Bad Request".
    Call(
        "POST",
        "/v1/images/edits",
        _BEARER,
        form=_ALL_TOLD,
        files=(("image[]", _FIRST, "image/png"), ("image[]", _SECOND, "image/jpeg")),
        reads=_DATA,
        pictures="data[+].b64_json",
        any_status=True,
    ),
)
