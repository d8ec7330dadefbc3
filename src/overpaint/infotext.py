"""The ``parameters`` text that AUTOMATIC1111's web UI writes and many other tools read, from and to a ``Recipe``.

    the prompt, over any number of lines
    Negative prompt: likewise
    Steps: 30, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Denoising strength: 0.6

What other programs mean by a name is mapped where we have the same; what we have not is told in ``Recipe.notes``.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from overpaint.errors import ParameterError, RecipeError
from overpaint.fields import parse_variation
from overpaint.levels import ScheduleName
from overpaint.params import EditParams, ResolvedParams
from overpaint.recipe import Recipe, plain
from overpaint.samplers import SamplerName

SAMPLER_NAMES: dict[SamplerName, str] = {
    "ddim": "DDIM",
    "ddpm": "DDPM",
    "euler": "Euler",
    "euler_a": "Euler a",
    "heun": "Heun",
    "dpm2": "DPM2",
    "lms": "LMS",
    "deis": "DEIS",
    "dpm++2m": "DPM++ 2M",
    "dpm++3m": "DPM++ 3M",
    "dpm++2m_sde": "DPM++ 2M SDE",
    "unipc": "UniPC",
    "lcm": "LCM",
}
SCHEDULE_NAMES: dict[ScheduleName, str] = {
    "trailing": "SGM Uniform",
    "sgm_uniform": "SGM Uniform",
    "karras": "Karras",
    "exponential": "Exponential",
    "beta": "Beta",
}
# other names that the same go by there: those of k-diffusion, and of schedules that come to what one of ours is
SAMPLER_ALIASES: dict[SamplerName, tuple[str, ...]] = {
    "euler": ("k_euler",),
    "euler_a": ("k_euler_a", "k_euler_ancestral", "Euler Ancestral"),
    "heun": ("k_heun",),
    "dpm2": ("k_dpm_2",),
    "lms": ("k_lms",),
    "dpm++2m": ("k_dpmpp_2m", "dpmpp_2m"),
    "dpm++3m": ("k_dpmpp_3m", "dpmpp_3m"),
    "dpm++2m_sde": ("k_dpmpp_2m_sde", "dpmpp_2m_sde"),
}
SCHEDULE_ALIASES: dict[ScheduleName, tuple[str, ...]] = {
    "trailing": ("Simple", "Uniform"),
    "sgm_uniform": ("sgm_uniform", "SGMUniform"),
}
_SAMPLERS = {theirs.lower(): ours for ours, theirs in SAMPLER_NAMES.items()}
_SAMPLERS |= {alias.lower(): ours for ours, aliases in SAMPLER_ALIASES.items() for alias in aliases}
_SCHEDULES = {theirs.lower(): ours for ours, theirs in SCHEDULE_NAMES.items()}
_SCHEDULES |= {alias.lower(): ours for ours, aliases in SCHEDULE_ALIASES.items() for alias in aliases}
MAX_TEXT = 1_000_000  # characters that are looked at
_NEGATIVE = "Negative prompt:"
# As in AUTOMATIC1111: a name, then a quoted string or anything up to a comma. It is looked for only where a name can
# begin, so that a million characters that hold none are read once, and not once for each of them.
_PAIR = re.compile(r'(?<![\w \-/])[ \-/]*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_VARIATION = ("Variation seed", "Variation seed strength")
_LEAST_PAIRS = 3  # fewer, and the last line is part of the prompt
AUTOMATIC = "automatic"  # the schedule that the other program thinks best: left open here too


def write(recipe: Recipe) -> str:
    """The text of one edit of ours."""
    p = recipe.params
    assert isinstance(p, ResolvedParams)
    pairs: dict[str, Any] = {
        "Steps": p.steps,
        "Sampler": SAMPLER_NAMES[p.sampler],
        "Schedule type": SCHEDULE_NAMES[p.schedule],
        "CFG scale": f"{p.guidance_scale:g}",
        "Seed": p.seed,
        **_variation(p.variation),
        "Size": p.output_size,
        "Model hash": (recipe.model_hash or "")[:10],
        "Model": recipe.model,
        "Denoising strength": f"{p.strength:g}",
        "Version": f"Overpaint {recipe.made_with.get('overpaint', '')}".strip(),
    }
    last = ", ".join(f"{name}: {_quoted(str(value))}" for name, value in pairs.items() if value not in (None, ""))
    negative = [f"{_NEGATIVE} {p.negative_prompt}"] if p.negative_prompt else []
    return "\n".join([p.prompt, *negative, last])


@dataclass(frozen=True)
class Told:
    """What such a text says, nothing of it judged yet; ``negative`` is None where there is none."""

    prompt: str
    negative: str | None
    pairs: Mapping[str, str]


def parse(text: str) -> Told:
    """The parts of such a text. Raises ``RecipeError`` where it is too long."""
    if len(text) > MAX_TEXT:
        raise RecipeError(f"its parameters text has {len(text):,} characters, at most {MAX_TEXT:,} are read")
    *lines, last = text.strip().replace("\r\n", "\n").split("\n")
    pairs = {name.strip(): _unquoted(value) for name, value in _PAIR.findall(last)}
    if len(pairs) < _LEAST_PAIRS:
        lines, pairs = [*lines, last], {}
    return Told(*_split(lines), pairs)


def read(text: str) -> Recipe:
    """What such a text tells. Raises ``RecipeError`` where it is too long or its prompt cannot be taken."""
    told = parse(text)
    prompt, negative, pairs = told.prompt, told.negative, told.pairs
    values, notes = _fields(pairs)
    try:
        params = EditParams(prompt=prompt, negative_prompt=negative, **values)
    except ParameterError as e:
        raise RecipeError(f"its parameters text cannot be used: {plain(e)}") from e
    return Recipe(params, model=plain(pairs["Model"]) if pairs.get("Model") else None, notes=tuple(notes))


def sampler_named(name: str) -> tuple[SamplerName | None, ScheduleName | None]:
    """What the sampler of such a name is here, and the schedule that older names tell with it ("DPM++ 2M Karras").

    None for what is not known, or not told.
    """
    sampler, schedule = name.strip().lower(), None
    for told, ours in _SCHEDULES.items():
        if sampler.endswith(f" {told}"):
            sampler, schedule = sampler.removesuffix(f" {told}"), ours
    return _SAMPLERS.get(sampler), schedule


def schedule_named(name: str) -> ScheduleName | None:
    """What the schedule of such a name is here; None for what is not known."""
    return _SCHEDULES.get(name.strip().lower())


def _variation(told: str) -> dict[str, Any]:
    seed, amount = parse_variation(told)
    return dict(zip(_VARIATION, (seed, amount), strict=True)) if amount else {}


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if re.search(r'[,:\n\r"]', value) else value


def _unquoted(value: str) -> str:
    if value.startswith('"') and value.endswith('"'):
        try:
            return str(json.loads(value))
        except (ValueError, RecursionError):
            return value
    return value.strip()


def _split(lines: list[str]) -> tuple[str, str | None]:
    """Prompt and negative prompt; from the line that names it on, all lines are the negative one's."""
    start = next((i for i, line in enumerate(lines) if line.strip().startswith(_NEGATIVE)), None)
    if start is None:
        return "\n".join(lines), None
    negative = [lines[start].strip().removeprefix(_NEGATIVE).strip(), *lines[start + 1 :]]
    return "\n".join(lines[:start]), "\n".join(negative)


def _fields(pairs: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Our fields of their pairs, each checked by itself, and what could not be used."""
    values: dict[str, Any] = {}
    notes: list[str] = []
    for theirs, (ours, convert) in _READ.items():
        if theirs not in pairs:
            continue
        try:
            found = dict.fromkeys(ours, convert(pairs[theirs]))
            EditParams(**found)
        except (ValueError, ArithmeticError) as e:
            notes.append(f"{theirs} {plain(pairs[theirs])!r} is not used: {plain(e)}")
        else:
            values |= found
    if "Sampler" in pairs:
        _add_sampler(pairs, values, notes)
    if set(_VARIATION) <= set(pairs):
        told = ",".join(pairs[name] for name in _VARIATION)
        try:
            values["variation"] = EditParams(variation=told).variation
        except ParameterError as e:
            notes.append(f"its variation is not used: {plain(e)}")
    rest = [plain(name) for name in pairs if name not in {*_READ, *_TOLD, *_VARIATION, "Sampler", "Schedule type"}]
    if rest:
        notes.append(f"not used here: {', '.join(rest[:20])}")
    return values, notes


def _add_sampler(pairs: Mapping[str, str], values: dict[str, Any], notes: list[str]) -> None:
    sampler, schedule = sampler_named(pairs["Sampler"])
    told = pairs.get("Schedule type", AUTOMATIC)
    if sampler is None:
        notes.append(f"Sampler {plain(pairs['Sampler'])!r} is not known here, the default is used")
    else:
        values["sampler"] = sampler
    if schedule is None and told.lower() != AUTOMATIC:
        schedule = schedule_named(told)
        if schedule is None:
            notes.append(f"Schedule type {plain(told)!r} is not known here, the default is used")
    if schedule is not None:
        values["schedule"] = schedule


_READ: dict[str, tuple[tuple[str, ...], Callable[[str], Any]]] = {
    "Steps": (("steps",), int),
    "CFG scale": (("guidance_scale",), float),
    "Seed": (("seed",), int),
    "Size": (("size", "output_size"), str),
    "Denoising strength": (("strength",), float),
}
_TOLD = ("Model", "Model hash", "Version")  # shown, or of no use to an edit
