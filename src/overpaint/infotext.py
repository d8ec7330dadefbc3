"""The ``parameters`` text that AUTOMATIC1111's web UI writes and many other tools read, from and to a ``Recipe``.

    the prompt, over any number of lines
    Negative prompt: likewise
    Steps: 30, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Denoising strength: 0.6

What other programs mean by a name is mapped where we have the same; what we have not is told in ``Recipe.notes``.
"""

import json
import re
from collections.abc import Callable
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
_SAMPLERS = {theirs.lower(): ours for ours, theirs in SAMPLER_NAMES.items()}
_SCHEDULES = {theirs.lower(): ours for ours, theirs in SCHEDULE_NAMES.items()}
MAX_TEXT = 1_000_000  # characters that are looked at
_NEGATIVE = "Negative prompt:"
# as in AUTOMATIC1111: a name, then a quoted string or anything up to a comma
_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_VARIATION = ("Variation seed", "Variation seed strength")
_LEAST_PAIRS = 3  # fewer, and the last line is part of the prompt
_AUTOMATIC = "automatic"  # the schedule that the other program thinks best: left open here too


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


def read(text: str) -> Recipe:
    """What such a text tells. Raises ``RecipeError`` where it is too long or its prompt cannot be taken."""
    if len(text) > MAX_TEXT:
        raise RecipeError(f"its parameters text has {len(text):,} characters, at most {MAX_TEXT:,} are read")
    *lines, last = text.strip().replace("\r\n", "\n").split("\n")
    pairs = {name.strip(): _unquoted(value) for name, value in _PAIR.findall(last)}
    if len(pairs) < _LEAST_PAIRS:
        lines, pairs = [*lines, last], {}
    prompt, negative = _split(lines)
    values, notes = _fields(pairs)
    try:
        params = EditParams(prompt=prompt, negative_prompt=negative, **values)
    except ParameterError as e:
        raise RecipeError(f"its parameters text cannot be used: {plain(e)}") from e
    return Recipe(params, model=plain(pairs["Model"]) if pairs.get("Model") else None, notes=tuple(notes))


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


def _fields(pairs: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
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


def _add_sampler(pairs: dict[str, str], values: dict[str, Any], notes: list[str]) -> None:
    """Older texts name both in one, as "DPM++ 2M Karras"."""
    sampler, schedule = pairs["Sampler"].lower(), pairs.get("Schedule type", _AUTOMATIC).lower()
    for name in _SCHEDULES:
        if sampler.endswith(f" {name}"):
            sampler, schedule = sampler.removesuffix(f" {name}"), name
    if sampler in _SAMPLERS:
        values["sampler"] = _SAMPLERS[sampler]
    else:
        notes.append(f"Sampler {plain(sampler)!r} is not known here, the default is used")
    if schedule in _SCHEDULES:
        values["schedule"] = _SCHEDULES[schedule]
    elif schedule != _AUTOMATIC:
        notes.append(f"Schedule type {plain(schedule)!r} is not known here, the default is used")


_READ: dict[str, tuple[tuple[str, ...], Callable[[str], Any]]] = {
    "Steps": (("steps",), int),
    "CFG scale": (("guidance_scale",), float),
    "Seed": (("seed",), int),
    "Size": (("size", "output_size"), str),
    "Denoising strength": (("strength",), float),
}
_TOLD = ("Model", "Model hash", "Version")  # shown, or of no use to an edit
