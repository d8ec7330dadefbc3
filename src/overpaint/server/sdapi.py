"""AUTOMATIC1111's img2img and txt2img: their fields to ours.

``FIELDS`` is the one table of them, with that program's own defaults; the documentation is made of it. What is read
here is lenient where that program is (a number may be text, null is "left out"), and fields that we have nothing for
are accepted and named in the answer's warnings, if their value would have changed the picture there.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from overpaint import infotext
from overpaint.errors import ParameterError
from overpaint.fields import parse_size, parse_variation
from overpaint.recipe import plain
from overpaint.server.asking import unknown
from overpaint.server.extras import TRUTHS

What = Literal["img2img", "txt2img"]
Kind = Literal["text", "number", "integer", "flag", "list", "object"]
ANY = object()  # a field that has no say in the picture, whatever its value

MOST_PICTURES = 100  # of one request: as many as that program's page lets one ask for


@dataclass(frozen=True)
class Field:
    """A field of their requests.

    Attributes:
        default: theirs.
        words: what we do with it.
        neutral: of a field that is not used: values beside the default for which that makes no difference.
        used: whether it is.
        only: the one request that has it.
    """

    kind: Kind
    default: Any
    words: str
    neutral: tuple[Any, ...] = ()
    used: bool = True
    only: What | None = None


def _no(kind: Kind, default: Any, *neutral: Any, words: str = "Not used.", only: What | None = None) -> Field:
    return Field(kind, default, words, neutral, used=False, only=only)


_HIRES = "Not used: a picture is made at the model's own size and brought to `width` x `height`."
_SAVING = "Nothing is written on the server for it; results come with the answer."
_I: What = "img2img"
_T: What = "txt2img"

FIELDS: dict[str, Field] = {
    "init_images": Field("list", None, "The pictures to edit: base64, a data URL, or a URL (`--image-urls`).", only=_I),
    "denoising_strength": Field(
        "number", 0.75, "`strength`; of txt2img it means nothing, as there without `enable_hr`."
    ),
    "resize_mode": Field(
        "integer", 0, "`fit`: 0 and 3 (latent) stretch, 1 crops, 2 pads with what lies at the edge.", only=_I
    ),
    "mask": Field("text", None, "`mask`: white is edited; of a mask with transparency what is opaque.", only=_I),
    "mask_blur": Field(
        "integer",
        None,
        "`blend`, 2.5 times as many pixels, on the mask's white side only: outside, pixels stay as they are, exactly.",
        only=_I,
    ),
    "mask_blur_x": Field("integer", 4, "As `mask_blur`, which sets both; the larger of the two counts.", only=_I),
    "mask_blur_y": Field("integer", 4, "As `mask_blur_x`.", only=_I),
    "mask_round": Field("flag", True, "false keeps the mask's greys (`soft`): less white, less change.", only=_I),
    "inpainting_fill": Field(
        "integer",
        0,
        "`fill`: 0 (fill) is blur, 1 (original) original, 2 (latent noise) noise, 3 (latent nothing) colour.",
        only=_I,
    ),
    "inpaint_full_res": Field(
        "flag",
        True,
        "`region`: true works on the part around the mask and gives the picture back at its own size, as there; "
        "false works on the whole and gives `width` x `height`.",
        only=_I,
    ),
    "inpaint_full_res_padding": Field(
        "integer", 0, "`padding`; 0, which their page never sends, leaves it to our rule.", only=_I
    ),
    "inpainting_mask_invert": Field("integer", 0, "1: the map tool `invert`.", only=_I),
    "include_init_images": Field("flag", False, "Whether `parameters` repeats the pictures.", only=_I),
    "prompt": Field("text", "", "`prompt`."),
    "negative_prompt": Field("text", "", "`negative_prompt`."),
    "steps": Field("integer", 50, "`steps`: of strength 1; about strength x steps are taken, as there."),
    "cfg_scale": Field("number", 7.0, "`guidance_scale`; below 1 is refused."),
    "sampler_name": Field("text", None, "`sampler`, by their names; older ones as DPM++ 2M Karras tell the schedule."),
    "sampler_index": Field("text", "Euler", "As `sampler_name`, where that is not given."),
    "scheduler": Field("text", None, "`schedule`, by their names; automatic is the model's own."),
    "seed": Field("integer", -1, "`seed`; each further picture has the next one."),
    "subseed": Field("integer", -1, "The seed of `variation`; with a strength each further picture has the next one."),
    "subseed_strength": Field("number", 0.0, "The amount of `variation`; above 0 all pictures have one `seed`."),
    "width": Field("integer", 512, "Of the result; the model works at its own size. See `inpaint_full_res`."),
    "height": Field("integer", 512, "As `width`."),
    "batch_size": Field("integer", 1, "Pictures of a batch; they share the engine's batches with everybody's."),
    "n_iter": Field("integer", 1, f"Batches; {MOST_PICTURES} pictures in all at most."),
    "override_settings": Field(
        "object",
        {},
        "`samples_format` (png, jpg, webp) is the format of the pictures; `sd_model_checkpoint` must be the served "
        "one; nothing else can be set.",
    ),
    "infotext": Field("text", None, "A `parameters` text: what the request leaves out is taken from it."),
    "send_images": Field("flag", True, "false: the answer has no pictures."),
    "force_task_id": Field("text", None, "A name for `/internal/progress` to ask by."),
    "script_name": Field("text", None, "There are no scripts: a name is refused with 422, as there."),
    "alwayson_scripts": Field("object", {}, "There are none (ControlNet, ADetailer ...): refused with 422, as there."),
    "script_args": _no("list", [], ANY, words="Of no use without a script."),
    "save_images": _no("flag", False, words=_SAVING),
    "do_not_save_samples": _no("flag", False, ANY, words=_SAVING),
    "do_not_save_grid": _no("flag", False, ANY, words=_SAVING),
    "override_settings_restore_afterwards": _no("flag", True, ANY, words="Settings are of one request alone."),
    "disable_extra_networks": _no("flag", False, ANY, words="There are none."),
    "comments": _no("object", None, ANY),
    "styles": _no("list", None, [], words="There are no styles: write what they say into the prompt."),
    "eta": _no("number", None, 0, 1),
    "s_min_uncond": _no("number", None, 0),
    "s_churn": _no("number", None, 0),
    "s_tmax": _no("number", None, 0, math.inf),
    "s_tmin": _no("number", None, 0),
    "s_noise": _no("number", None, 1),
    "seed_resize_from_h": _no("integer", -1, 0),
    "seed_resize_from_w": _no("integer", -1, 0),
    "restore_faces": _no("flag", None, False),
    "tiling": _no("flag", None, False),
    "refiner_checkpoint": _no("text", None, "", "None"),
    "refiner_switch_at": _no("number", None, ANY, words="Of no use without a refiner."),
    "firstpass_image": _no("text", None, ""),
    "distilled_cfg_scale": _no("number", 3.5, ANY, words="For networks that are not served."),
    "initial_noise_multiplier": _no("number", None, 1, only=_I),
    "image_cfg_scale": _no("number", None, ANY, words="For networks that are not served.", only=_I),
    "latent_mask": _no("text", None, "", only=_I),
    "enable_hr": _no("flag", False, words=_HIRES, only=_T),
    "hr_scale": _no("number", 2.0, ANY, words=_HIRES, only=_T),
    "hr_upscaler": _no("text", None, ANY, words=_HIRES, only=_T),
    "hr_second_pass_steps": _no("integer", 0, ANY, words=_HIRES, only=_T),
    "hr_resize_x": _no("integer", 0, ANY, words=_HIRES, only=_T),
    "hr_resize_y": _no("integer", 0, ANY, words=_HIRES, only=_T),
    "hr_checkpoint_name": _no("text", None, ANY, words=_HIRES, only=_T),
    "hr_sampler_name": _no("text", None, ANY, words=_HIRES, only=_T),
    "hr_scheduler": _no("text", None, ANY, words=_HIRES, only=_T),
    "hr_prompt": _no("text", "", ANY, words=_HIRES, only=_T),
    "hr_negative_prompt": _no("text", "", ANY, words=_HIRES, only=_T),
    "hr_additional_modules": _no("list", None, ANY, words=_HIRES, only=_T),
    "hr_cfg": _no("number", 1.0, ANY, words=_HIRES, only=_T),
    "hr_distilled_cfg": _no("number", 3.5, ANY, words=_HIRES, only=_T),
    "firstphase_width": _no("integer", 0, ANY, words=_HIRES, only=_T),
    "firstphase_height": _no("integer", 0, ANY, words=_HIRES, only=_T),
}

# what a parameter is called in their requests, for errors
THEIRS = {
    "strength": "denoising_strength",
    "guidance_scale": "cfg_scale",
    "sampler": "sampler_name",
    "schedule": "scheduler",
    "variation": "subseed",
    "output_size": "width",
    "padding": "inpaint_full_res_padding",
    "blend": "mask_blur",
    "image": "init_images",
}


def checked(told: Mapping[str, Any], what: What) -> tuple[dict[str, Any], list[str]]:
    """Every field of such a request with its value, theirs where it is left out; and warnings of what is not used.

    Raises:
        ParameterError: a value of another type.
    """
    fields = {name: field for name, field in FIELDS.items() if field.only in (None, what)}
    given = {name: _READERS[fields[name].kind](name, told[name]) for name in told.keys() & fields.keys()}
    given = {name: value for name, value in given.items() if value is not None}
    warnings = [f"{plain(name)} is not used: it {unknown(name, tuple(fields))}" for name in told if _is_odd(name, what)]
    if given.get("infotext"):
        filled, notes = _from_infotext(given["infotext"], what)
        given = {**filled, **given}
        warnings += notes
    for name in fields:
        if name in given and not _is_used(fields[name], given[name]):
            warnings.append(f"{name} {plain(repr(given[name]), 60)} is not used: {fields[name].words}")
    return {name: given.get(name, field.default) for name, field in fields.items()}, warnings


def _is_odd(name: str, what: What) -> bool:
    """A name that such a request has not; one that only the other has is sent with both by some."""
    return name not in FIELDS and not (what == "txt2img" and name.startswith("hr_"))


def _is_used(field: Field, value: Any) -> bool:
    """Or need not be, since its value changes nothing there either."""
    return field.used or ANY in field.neutral or value in (field.default, *field.neutral)


def _from_infotext(text: str, what: What) -> tuple[dict[str, Any], list[str]]:
    """Their fields of what such a text tells."""
    recipe = infotext.read(text)
    p = recipe.params
    told: dict[str, Any] = {
        "prompt": p.prompt,
        "negative_prompt": p.negative_prompt,
        "steps": p.steps,
        "cfg_scale": p.guidance_scale,
        "seed": p.seed,
        "sampler_name": p.sampler and infotext.SAMPLER_NAMES[p.sampler],
        "scheduler": p.schedule and infotext.SCHEDULE_NAMES[p.schedule],
    }
    if p.output_size is not None:
        told["width"], told["height"] = parse_size(p.output_size)
    if p.variation is not None:
        told["subseed"], told["subseed_strength"] = parse_variation(p.variation)
    if what == "img2img":
        told["denoising_strength"] = p.strength
    return {name: value for name, value in told.items() if value is not None}, list(recipe.notes)


# ---- values, as leniently as there -----------------------------------------------------------------------------------


def _wrong(name: str, value: Any, right: str) -> ParameterError:
    return ParameterError(name, f"is {plain(repr(value), 60)}, must be {right}")


def _text(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        raise _wrong(name, value, "text")
    return value


def _number(name: str, value: Any) -> Any:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        return float(value)
    except (ValueError, OverflowError):
        raise _wrong(name, value, "a number") from None


def _integer(name: str, value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,20}\s*", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, value, "a whole number")
    return value


def _flag(name: str, value: Any) -> Any:
    truth = value if isinstance(value, bool) else TRUTHS.get(str(value).strip().lower())
    if truth is None:
        raise _wrong(name, value, "true or false")
    return truth


def _list(name: str, value: Any) -> Any:
    if not isinstance(value, list):
        raise _wrong(name, value, "a list")
    return value


def _object(name: str, value: Any) -> Any:
    if not isinstance(value, dict):
        raise _wrong(name, value, "an object")
    return value


def _or_left_out(read: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    return lambda name, value: None if value is None else read(name, value)


_READERS: dict[Kind, Callable[[str, Any], Any]] = {
    "text": _or_left_out(_text),
    "number": _or_left_out(_number),
    "integer": _or_left_out(_integer),
    "flag": _or_left_out(_flag),
    "list": _or_left_out(_list),
    "object": _or_left_out(_object),
}
