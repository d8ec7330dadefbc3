"""AUTOMATIC1111's requests as ``Order`` of ours, and our jobs as that program's answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from overpaint import infotext
from overpaint.errors import ParameterError
from overpaint.fields import SEED_MAX, parse_variation
from overpaint.params import FillName, FitName, ResolvedParams, draw_seed
from overpaint.recipe import from_json, plain
from overpaint.server.dialects import UNKNOWN_SCRIPT
from overpaint.server.order import Order, Sent
from overpaint.server.problems import INVALID, Problem
from overpaint.server.records import FormatName, JobRecord, dump
from overpaint.server.sdapi import MOST_PICTURES, What
from overpaint.server.sdapi_lists import Served, checkpoint_is
from overpaint.version import __version__

_FITS: tuple[FitName, ...] = ("stretch", "crop", "pad", "stretch")  # by resize_mode
_FILLS: tuple[FillName, ...] = ("blur", "original", "noise", "colour")  # by inpainting_fill
_FORMATS: dict[str, FormatName] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}
_BLEND = 2.5  # pixels for each of mask_blur, a sigma: as far as that program's blur reaches
_MOST_BLEND = 512
_MEANINGLESS = {"CLIP_stop_at_last_layers": (1,), "sd_vae": ("", "None", "Automatic", None)}  # settings, and values


@dataclass(frozen=True)
class Pictures:
    """The bytes of a request's pictures."""

    images: tuple[Sent, ...] = ()
    mask: Sent | None = None


def check_settings(v: Mapping[str, Any], model: Served) -> tuple[FormatName, list[str]]:
    """The format that the pictures are to have, by a request's settings, and warnings of what is not set.

    Raises:
        Problem: a script, or another checkpoint than the one that is served.
    """
    names = [v["script_name"]] if v["script_name"] else list(v["alwayson_scripts"])
    if names:
        name = plain(names[0], 100)
        there = f"always on script {name} not found" if not v["script_name"] else f"Script '{name}' not found"
        words = f"there are no scripts here, and so no {name!r}: ControlNet, ADetailer and their like are not served"
        raise Problem(422, INVALID, UNKNOWN_SCRIPT, words, "alwayson_scripts", detail=there)
    format: FormatName = "png"
    warnings = []
    for name, value in v["override_settings"].items():
        if name == "sd_model_checkpoint":
            if value not in (None, "") and not checkpoint_is(model, str(value)):
                raise unknown_checkpoint(value, model, "override_settings")
        elif name == "samples_format" and str(value).lower() in _FORMATS:
            format = _FORMATS[str(value).lower()]
        elif value not in _MEANINGLESS.get(name, ()):
            warnings.append(f"override_settings: {plain(name, 100)} {plain(repr(value), 60)} is not used")
    return format, warnings


def unknown_checkpoint(name: Any, model: Served, param: str) -> Problem:
    """400: another than the one that is served."""
    told = plain(name, 200)
    words = f"the checkpoint {told!r} is not served here, {model.name!r} is"
    return Problem(400, INVALID, "unknown_checkpoint", words, param, detail=f"model {told!r} not found")


# ---- in --------------------------------------------------------------------------------------------------------------


def orders_of(
    v: Mapping[str, Any], what: What, pictures: Pictures, format: FormatName
) -> tuple[list[Order], list[str]]:
    """One order for each picture that is asked for, in that program's order, and warnings.

    Args:
        v: as ``sdapi.checked`` gives them.

    Raises:
        ParameterError, Problem: what is wrong with which field; ``ParameterError`` may name it as we do.
    """
    params, warnings = _params(v)
    more: dict[str, Any] = {}
    if what == "img2img":
        _check_count(pictures, v["batch_size"])
        params |= {"strength": v["denoising_strength"], "fit": _one_of("resize_mode", v["resize_mode"], _FITS)}
        if pictures.mask is not None:
            params |= _inpainting(v)
            inverted = _one_of("inpainting_mask_invert", v["inpainting_mask_invert"], (False, True))
            more = {"mask": pictures.mask, "mask_by": "opacity", "soft": not v["mask_round"]}
            more["tools"] = ("invert",) if inverted else ()
    count = len(pictures.images) if len(pictures.images) > 1 else _at_least_one("batch_size", v["batch_size"])
    total = count * _at_least_one("n_iter", v["n_iter"])
    if total > MOST_PICTURES:
        raise ParameterError("n_iter", f"times batch_size asks for {total} pictures, at most {MOST_PICTURES} are made")
    orders = []
    for i, seeds in enumerate(_seeds(v, total)):
        image = pictures.images[i % count % len(pictures.images)] if pictures.images else None
        orders.append(Order(params={**params, **seeds}, image=image, format=format, **more))
    return orders, warnings


def _params(v: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What both requests have; seeds aside."""
    name = v["sampler_name"] or v["sampler_index"]
    sampler, schedule = infotext.sampler_named(name)
    if sampler is None:
        known = ", ".join(infotext.SAMPLER_NAMES.values())
        words = f"sampler_name: {plain(name, 100)!r} is not known here, known are {known}"
        raise Problem(400, INVALID, "unknown_sampler", words, "sampler_name", detail="Sampler not found")
    warnings = []
    told = v["scheduler"]
    if told and told.lower() != infotext.AUTOMATIC:
        schedule = infotext.schedule_named(told)
        if schedule is None:  # as that program does it
            warnings.append(f"scheduler {plain(told, 100)!r} is not known here, the model's own is used")
    params = {
        "prompt": v["prompt"],
        "negative_prompt": v["negative_prompt"],
        "steps": v["steps"],
        "guidance_scale": v["cfg_scale"],
        "sampler": sampler,
        "schedule": schedule,
        "output_size": f"{v['width']}x{v['height']}",
    }
    return {name: value for name, value in params.items() if value is not None}, warnings


def _inpainting(v: Mapping[str, Any]) -> dict[str, Any]:
    blurs = [v[name] if v["mask_blur"] is None else v["mask_blur"] for name in ("mask_blur_x", "mask_blur_y")]
    if min(blurs) < 0:
        raise ParameterError("mask_blur", f"is {min(blurs)}, must be 0 or more")
    params: dict[str, Any] = {
        "fill": _one_of("inpainting_fill", v["inpainting_fill"], _FILLS),
        "region": "mask" if v["inpaint_full_res"] else "whole",
        "blend": min(_MOST_BLEND, round(_BLEND * max(blurs))),
    }
    if v["inpaint_full_res"]:
        params["output_size"] = None  # the picture's own, as there
        params["padding"] = v["inpaint_full_res_padding"] or None
    return params


def _seeds(v: Mapping[str, Any], total: int) -> Iterable[dict[str, Any]]:
    """Seed and variation of each picture: the one that varies goes on from picture to picture."""
    seed = draw_seed() if v["seed"] == -1 else v["seed"]
    amount = v["subseed_strength"]
    if amount == 0:
        return [{"seed": (seed + i) % (SEED_MAX + 1) if i else seed} for i in range(total)]
    other = draw_seed() if v["subseed"] == -1 else v["subseed"]
    return [{"seed": seed, "variation": f"{other + i},{amount}"} for i in range(total)]


def _check_count(pictures: Pictures, batch_size: int) -> None:
    if not pictures.images:
        raise Problem(404, INVALID, "no_image", "init_images: is missing", "init_images", detail="Init image not found")
    if len(pictures.images) > max(1, batch_size):
        words = f"are {len(pictures.images)}, more than batch_size, which is {batch_size}"
        raise ParameterError("init_images", words)


def _at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise ParameterError(name, f"is {value}, must be 1 or more")
    return value


def _one_of(name: str, value: int, choices: Sequence[Any]) -> Any:
    if not 0 <= value < len(choices):
        raise ParameterError(name, f"is {value}, must be from 0 to {len(choices) - 1}")
    return choices[value]


# ---- out -------------------------------------------------------------------------------------------------------------


def info_of(v: Mapping[str, Any], jobs: Sequence[JobRecord], model: Served, warnings: list[str]) -> str:
    """The JSON text that is called ``info`` there. ``jobs``: those with a result; without any, what was asked for."""
    first = jobs[0].asked.params if jobs else {}
    facts = dict(jobs[0].made.facts) if jobs and jobs[0].made else {}
    seeds = [job.asked.params["seed"] for job in jobs]
    subseeds, amount = _subseeds(jobs, v)
    return dump(
        {
            "prompt": v["prompt"],
            "all_prompts": [v["prompt"]] * len(jobs),
            "negative_prompt": v["negative_prompt"],
            "all_negative_prompts": [v["negative_prompt"]] * len(jobs),
            "seed": first.get("seed", v["seed"]),
            "all_seeds": seeds,
            "subseed": subseeds[0] if subseeds else v["subseed"],
            "all_subseeds": subseeds,
            "subseed_strength": amount,
            "width": facts.get("width", v["width"]),
            "height": facts.get("height", v["height"]),
            "sampler_name": infotext.SAMPLER_NAMES[first["sampler"]] if first else v["sampler_name"],
            "cfg_scale": v["cfg_scale"],
            "steps": v["steps"],
            "batch_size": v["batch_size"],
            "restore_faces": False,
            "face_restoration_model": None,
            "sd_model_name": model.name,
            "sd_model_hash": model.hash[:10],
            "sd_vae_name": None,
            "sd_vae_hash": None,
            "seed_resize_from_w": -1,
            "seed_resize_from_h": -1,
            "denoising_strength": first.get("strength"),
            "extra_generation_params": {},
            "index_of_first_image": 0,
            "infotexts": [_infotext(job) for job in jobs],
            "styles": [],
            "job_timestamp": datetime.now(UTC).strftime("%Y%m%d%H%M%S"),
            "clip_skip": 1,
            "is_using_inpainting_conditioning": model.takes_mask,
            "version": f"Overpaint {__version__}",
            "warnings": warnings,
        }
    )


def _subseeds(jobs: Sequence[JobRecord], v: Mapping[str, Any]) -> tuple[list[int], float]:
    told = [parse_variation(job.asked.params.get("variation", f"{max(0, v['subseed'])},0")) for job in jobs]
    return [seed for seed, _ in told], told[0][1] if told else v["subseed_strength"]


def _infotext(job: JobRecord) -> str:
    """The ``parameters`` text that the picture's own file has."""
    assert job.made is not None
    recipe = from_json(dump(job.made.facts["recipe"]))[0]
    return infotext.write(replace(recipe, params=ResolvedParams(**vars(recipe.params))))


def echo_of(v: Mapping[str, Any]) -> dict[str, Any]:
    """What is called ``parameters`` there: the request with its defaults, its pictures only if it asks for that."""
    pictures = () if v.get("include_init_images") else ("init_images", "mask", "firstpass_image", "latent_mask")
    return {**v, **{name: None for name in pictures if name in v}}


def warnings_of(jobs: Iterable[JobRecord]) -> list[str]:
    """What the edits themselves had to say, each once."""
    told = [warning for job in jobs if job.made for warning in job.made.facts.get("warnings", ())]
    return list(dict.fromkeys(told))
