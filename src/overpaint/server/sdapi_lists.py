"""What AUTOMATIC1111's lists hold here: the one model, samplers, schedules, upscalers, options. Pure; no HTTP.

Nothing in them is a path, and a list of what is not offered here (LoRAs, VAEs, scripts, styles ...) is empty, so that
no front end offers it either.
"""

import re
from collections.abc import Mapping
from typing import Any, Protocol

from overpaint.infotext import SAMPLER_ALIASES, SAMPLER_NAMES, SCHEDULE_ALIASES, SCHEDULE_NAMES, schedule_named
from overpaint.levels import ScheduleName
from overpaint.samplers import SamplerName

SHORT = 10  # hex digits of a hash in titles and infotexts
UPSCALERS = ("None", "Lanczos", "Nearest")
CHECKPOINT = "sd_model_checkpoint"  # the one option that says what is asked for, and not how the server is set up
MAX_NAMED = 1000  # characters of names that are told to be ignored

# in AUTOMATIC1111's order, which is what front ends show; those that it does not have come last
_SAMPLERS: tuple[SamplerName, ...] = (
    "dpm++2m",
    "dpm++2m_sde",
    "euler_a",
    "euler",
    "lms",
    "heun",
    "dpm2",
    "ddim",
    "unipc",
    "lcm",
    "ddpm",
    "deis",
    "dpm++3m",
)
_SCHEDULES: tuple[ScheduleName, ...] = ("karras", "exponential", "sgm_uniform", "trailing", "beta")
_RHO: dict[ScheduleName, float] = {"karras": 7.0}
_NO_RHO = -1.0
_OF_THE_MODEL = ("sgm_uniform", "trailing", "beta")  # by the network's own steps, not by sigma alone
_THEIR_SCALE = 4  # of any upscaler by name; how far one goes is told by the request


class Served(Protocol):
    """What is told of a ``DiffusionModel``."""

    name: str
    hash: str
    takes_mask: bool


# ---- the model -------------------------------------------------------------------------------------------------------


def title(model: Served) -> str:
    """The model as front ends list it: "name [first digits of its hash]"."""
    return f"{model.name} [{model.hash[:SHORT]}]"


def checkpoint_is(model: Served, name: str) -> bool:
    """Whether ``name`` names the served model: its title, its name, or its hash, short or whole, in any case."""
    known = (title(model), model.name, model.hash[:SHORT], model.hash)
    return name.strip().lower() in {one.lower() for one in known}


def sd_model(model: Served) -> dict[str, Any]:
    """The model's entry in the list of checkpoints; its file's name is the model's, not a path."""
    hashes = {"hash": model.hash[:SHORT], "sha256": model.hash}
    return {"title": title(model), "model_name": model.name, **hashes, "filename": model.name, "config": None}


# ---- options ---------------------------------------------------------------------------------------------------------


def options(model: Served, *, image_urls: bool) -> dict[str, Any]:
    """Of AUTOMATIC1111's options those that clients read and that mean something here, as they are."""
    return {
        CHECKPOINT: title(model),
        "sd_checkpoint_hash": model.hash,
        "sd_vae": "Automatic",
        "sd_checkpoints_limit": 1,
        "samples_format": "png",
        "samples_save": False,
        "grid_save": False,
        "return_grid": False,
        "enable_pnginfo": True,
        "live_previews_enable": True,
        "CLIP_stop_at_last_layers": 1,
        "img2img_fix_steps": False,
        "img2img_color_correction": False,
        "img2img_background_color": "#ffffff",
        "initial_noise_multiplier": 1.0,
        "inpainting_mask_weight": 1.0,
        "eta_noise_seed_delta": 0,
        "randn_source": "CPU",
        "face_restoration": False,
        "face_restoration_model": None,
        "upscaler_for_img2img": None,
        "sd_hypernetwork": "None",
        "sd_lora": "None",
        "hide_samplers": [],
        "api_enable_requests": image_urls,
        "api_forbid_local_requests": True,
    }


def ignored(asked: Mapping[str, Any], are: Mapping[str, Any]) -> list[str]:
    """The names of the options that are asked to be other than they are; nothing of them is done.

    The model's is not among them: another one than is served is refused by who asks this.
    """
    return [name for name, value in asked.items() if name != CHECKPOINT and not _same(value, are.get(name, _Unknown))]


class _Unknown:
    """No value of JSON is this."""


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)  # 1 is not true


def in_header(names: list[str]) -> str:
    """Names that somebody sent, as the value of a header: whatever could be more than a name is a question mark."""
    return ", ".join(re.sub(r"[^\w.+-]", "?", name, flags=re.ASCII) for name in names)[:MAX_NAMED]


def cmd_flags(*, listen: bool, no_half: bool) -> dict[str, Any]:
    """Of AUTOMATIC1111's command line what is so here."""
    off = dict.fromkeys(("api_log", "api_server_stop", "lowvram", "medvram", "share"), False)
    return {"api": True, **off, "listen": listen, "no_half": no_half}


# ---- what an edit can be made by -------------------------------------------------------------------------------------


def samplers() -> list[dict[str, Any]]:
    """By AUTOMATIC1111's names."""
    return [
        {"name": SAMPLER_NAMES[ours], "aliases": list(SAMPLER_ALIASES.get(ours, ())), "options": {}}
        for ours in _SAMPLERS
    ]


def schedulers() -> list[dict[str, Any]]:
    """By AUTOMATIC1111's names, the one that leaves it to us first."""
    automatic = {"name": "automatic", "label": "Automatic", "aliases": None, "default_rho": _NO_RHO}
    return [{**automatic, "need_inner_model": False}, *map(_scheduler, _SCHEDULES)]


def _scheduler(ours: ScheduleName) -> dict[str, Any]:
    """A schedule by the names that lead to it: two of ours are written as one name, which leads back to one of them."""
    every = (SCHEDULE_NAMES[ours], *SCHEDULE_ALIASES.get(ours, ()))
    label, *rest = (name for name in every if schedule_named(name) == ours)
    name = label.lower().replace(" ", "_")
    aliases = [alias for alias in rest if alias != name]
    numbers = {"default_rho": _RHO.get(ours, _NO_RHO), "need_inner_model": ours in _OF_THE_MODEL}
    return {"name": name, "label": label, "aliases": aliases or None, **numbers}


def upscalers() -> list[dict[str, Any]]:
    """Those that need no network of their own."""
    none = dict.fromkeys(("model_name", "model_path", "model_url"))
    return [{"name": name, **none, "scale": _THEIR_SCALE} for name in UPSCALERS]
