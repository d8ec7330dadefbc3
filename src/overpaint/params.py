"""``EditParams``: everything about an edit that is not a picture. Validated once, used by every way in.

Each field carries a ``Spec`` in its metadata: help, range, choices and our own default. The command line's options,
the docs' tables and the validation below all come from these specs, so there is one place where an option is defined.

A field left out is None and is resolved once (``presets.resolve``): explicit > the card's entry for the preset >
preset > the model's card > ours.
"""

import re
import secrets
from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Any, Literal, get_args

from overpaint.errors import ParameterError
from overpaint.fields import CHECKS, SEED_MAX, Spec
from overpaint.levels import SCHEDULES, ScheduleName
from overpaint.samplers import SAMPLERS, SamplerName

FitName = Literal["crop", "pad", "stretch"]
FITS: tuple[FitName, ...] = get_args(FitName)
FillName = Literal["original", "noise", "blur", "colour", "telea"]
FILLS: tuple[FillName, ...] = get_args(FillName)
RegionName = Literal["auto", "whole", "mask"]
REGIONS: tuple[RegionName, ...] = get_args(RegionName)
PresetName = Literal[  # what each means stands in presets.toml
    "style", "sketch", "enhance", "scene", "tweak", "remove", "replace", "add", "repair", "extend"
]
PRESETS: tuple[PresetName, ...] = get_args(PresetName)

MeasureName = Literal["ssim", "edges", "structure"]  # what each means stands in fidelity.py
MEASURES: tuple[MeasureName, ...] = get_args(MeasureName)

MAX_STEPS = 1000
MAX_GUIDANCE = 50.0
MAX_COUNT = 1000  # results of one request

PROMPT_ADVICE = "Name what you want *and* what is in the picture."


def _spec(default: Any = None, /, **spec: Any) -> Any:
    return field(default=default, metadata={"spec": Spec(**spec)})


@dataclass(frozen=True, kw_only=True)
class EditParams:
    """The parameters of an edit; None is "left out". Raises ``ParameterError`` naming field, value and range.

    Attributes:
        prompt: what the result shows. Name what you want *and* what is in the picture. May be empty.
        negative_prompt: what guidance steers away from.
        strength: in [0, 1]; 0 returns the input bit for bit, 1 ignores it. The noise level it starts at is the same for
            every sampler and step count (``levels``).
        keep: in [0, 1], instead of a strength: how much of the picture the result is to keep, by ``keep_measure``. A
            few strengths are tried with one seed; the one that was found stands in the result and in its recipe.
        keep_measure: "ssim", the structural similarity; "edges" or "structure", whether they are where they were.
        steps: what an edit of strength 1 takes; the edit runs about strength x steps of them.
        guidance_scale: ``uncond + g * (cond - uncond)``, at least 1, which is off and costs half.
        sampler: the solver; see ``samplers``.
        schedule: the spacing of its levels; see ``levels``.
        seed: 0 to 2^53 - 1; -1 or None draws one, which the result reports.
        variation: (seed, amount in [0, 1]), or "SEED,AMOUNT": blends the start noise, and only it, with that of another
            seed, so that one can look around a good result; at 0 it is the edit itself. The seed -1 draws one.
        size: where the model works: None for the card's bucket nearest in shape, ``"input"`` or ``"WIDTHxHEIGHT"``.
        output_size: what comes back: None for the input's own size, ``"working"`` or ``"WIDTHxHEIGHT"``.
        fit: how the input is brought to the shape of ``output_size``.
        detail: in [0, 1]: how much of the original's fine structure is given back; 0 is plain SDEdit.
        preset: a named use with its own defaults and strength range; see ``overpaint presets``.
        fill: what fills the part that a change map marks before the model sees it: the picture itself, noise, what lies
            around it smeared in (blur), its mean colour, or what grows in from around it (telea). Where the local
            strength is 1 the picture has no say, and "original" means telea.
        region: where the model works when there is a map: the whole picture, the part around the map, or whichever is
            better (auto: the part, where it is at most half of a picture that is larger than the working size).
        padding: pixels around what is marked that the model sees too, where it works on a part; None for a quarter of
            the longer side of what is marked, and 32 at least. The part's shape may add to it.
        blend: pixels over which a mask of 0 and 1 is blended in, on its white side.
        match: in [0, 1]: how far the colours at the map's edge are brought to those around it.
        extend: by how many pixels the picture is to grow, "LEFT,TOP,RIGHT,BOTTOM": what is new is mirrored content at
            first, and then changed with the full strength; the picture's own pixels stay as they are.
        repeat: how often it all is done, each time from what came out of the last; Meng et al. 2021, algorithm 1, K.
    """

    prompt: str = _spec("", kind="text", help=f"What the result shows. {PROMPT_ADVICE}")
    negative_prompt: str | None = _spec(kind="text", help="What the result should not show.", ours="")
    strength: float | None = _spec(
        kind="number", help="How much may change: 0 returns the input, 1 ignores it.", low=0, high=1, ours=0.6
    )
    keep: float | None = _spec(
        kind="number", help="Instead of a strength: find the one whose result keeps this much.", low=0, high=1
    )
    keep_measure: MeasureName | None = _spec(
        kind="choice", help="By what --keep measures; see `overpaint compare`.", choices=MEASURES, ours="ssim"
    )
    steps: int | None = _spec(
        kind="integer",
        help="Steps of a full (strength 1) run; an edit takes about strength x steps.",
        low=1,
        high=MAX_STEPS,
        ours=30,
    )
    guidance_scale: float | None = _spec(
        kind="number",
        help="How hard the prompt pulls; 1 is off and twice as fast.",
        low=1,
        high=MAX_GUIDANCE,
        ours=7.5,
    )
    sampler: SamplerName | None = _spec(kind="choice", help="The solver.", choices=SAMPLERS, ours="dpm++2m")
    schedule: ScheduleName | None = _spec(
        kind="choice", help="The spacing of the noise levels.", choices=SCHEDULES, ours="trailing"
    )
    seed: int | None = _spec(
        kind="integer", help="Same seed, same bytes; -1 draws one, and the result tells it.", low=-1, high=SEED_MAX
    )
    variation: str | None = _spec(
        kind="variation",
        help="SEED,AMOUNT: the start noise, turned by AMOUNT (0 to 1) towards that of another seed.",
        ours="0,0",
    )
    size: str | None = _spec(
        kind="working_size", help="Where the model works: WxH or 'input'. Default: the model's size nearest in shape."
    )
    output_size: str | None = _spec(
        kind="output_size", help="What comes back: WxH or 'working'. Default: the input's own size."
    )
    fit: FitName | None = _spec(
        kind="choice", help="How the input is brought to the output's shape.", choices=FITS, ours="crop"
    )
    detail: float | None = _spec(
        kind="number", help="How much of the original's fine structure is given back.", low=0, high=1, ours=0.0
    )
    preset: PresetName | None = _spec(
        kind="choice", help="A named use with its own defaults; see `overpaint presets`.", choices=PRESETS
    )
    fill: FillName | None = _spec(
        kind="choice", help="With a map: what fills the marked part at first.", choices=FILLS, ours="original"
    )
    region: RegionName | None = _spec(
        kind="choice", help="With a map: work on the whole picture or around the map.", choices=REGIONS, ours="auto"
    )
    padding: int | None = _spec(
        kind="integer",
        help="With a map: pixels around it that a part has at least. Default: a quarter of what is marked.",
        low=0,
        high=4096,
    )
    blend: int | None = _spec(
        kind="integer", help="Pixels over which a hard mask is blended in, inside it.", low=0, high=512, ours=8
    )
    match: float | None = _spec(
        kind="number", help="How far colours at the map's edge are matched to those around.", low=0, high=1, ours=0.0
    )
    extend: str | None = _spec(
        kind="margins", help="Grow the picture: LEFT,TOP,RIGHT,BOTTOM in pixels.", ours="0,0,0,0"
    )
    repeat: int | None = _spec(
        kind="integer", help="Do it all this often, each time from the last result.", low=1, high=20, ours=1
    )

    def __post_init__(self) -> None:
        for f, spec in specs(type(self)):
            value = getattr(self, f.name)
            if value is not None:
                object.__setattr__(self, f.name, CHECKS[spec.kind](f.name, value, spec))
        if self.keep is not None and self.strength is not None:
            raise ParameterError("keep", "does not go with a strength: it finds the one that keeps this much")
        if self.prompt is None:
            raise ParameterError("prompt", "is None, must be text (it may be empty)")


@dataclass(frozen=True, kw_only=True)
class ResolvedParams(EditParams):
    """``EditParams`` with nothing left open: what a result reports, and what makes the same result again."""

    negative_prompt: str
    strength: float
    keep_measure: MeasureName
    steps: int
    guidance_scale: float
    sampler: SamplerName
    schedule: ScheduleName
    seed: int
    variation: str
    size: str
    output_size: str
    fit: FitName
    detail: float
    fill: FillName
    region: RegionName
    blend: int
    match: float
    extend: str
    repeat: int


def specs(cls: type[EditParams] = EditParams) -> Iterator[tuple[Field[Any], Spec]]:
    """The fields with their specs, in the order of ``EditParams``."""
    own = {f.name: f for f in fields(cls)}
    for f in fields(EditParams):
        yield own[f.name], f.metadata["spec"]


def our_default(name: str) -> Any:
    """What a field comes to when neither caller, preset nor card says anything."""
    return next(spec.ours for f, spec in specs() if f.name == name)


def draw_seed() -> int:
    """A seed for who gave none."""
    return secrets.randbelow(SEED_MAX + 1)


def with_drawn_seed(variation: str) -> str:
    """A checked variation with its seed drawn where it is -1."""
    return variation.replace("-1,", f"{draw_seed()},", 1)


def from_text(name: str, text: str) -> Any:
    """The checked value of a field as it is typed on a command line; nothing typed is "left out" (None)."""
    spec = next(spec for f, spec in specs() if f.name == name)
    if spec.kind != "text" and not text.strip():
        return None
    value: Any = text
    if spec.kind == "integer" and re.fullmatch(r"\s*[+-]?\d{1,20}\s*", text):
        value = int(text)
    elif spec.kind == "number":
        try:
            value = float(text)
        except ValueError:
            value = text
    return CHECKS[spec.kind](name, value, spec)


# what users of diffusers and other tools type, and what it is called here
FOREIGN_NAMES = {
    "num_inference_steps": "steps",
    "denoising_strength": "strength",
    "denoise": "strength",
    "cfg_scale": "guidance_scale",
    "cfg": "guidance_scale",
    "sampler_name": "sampler",
    "scheduler": "sampler= and schedule",
    "generator": "seed",
    "init_image": "image",
    "height": "size= or output_size",
    "width": "size= or output_size",
    "num_images_per_prompt": "variations(n",
    "callback_on_step_end": "on_step",
    "callback": "on_step",
}


def reject_unknown(names: Iterator[str] | list[str]) -> None:
    """Raise the TypeError for keyword arguments that are not ours, naming ours where the meaning is known."""
    for name in names:
        ours = FOREIGN_NAMES.get(name)
        known = ", ".join(f.name for f, _ in specs())
        raise TypeError(f"unexpected argument {name!r}: " + (f"use {ours}=" if ours else f"known are {known}"))
