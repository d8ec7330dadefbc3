"""The named uses of an edit, the five bands of strength, and the one place where parameters are resolved."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from overpaint.card import Card
from overpaint.params import (
    PRESETS,
    EditParams,
    FillName,
    PresetName,
    ResolvedParams,
    draw_seed,
    specs,
    with_drawn_seed,
)

TOO_STRONG = 0.8  # from here on a preset that should keep the structure says that it cannot


@dataclass(frozen=True)
class Preset:
    """One named use: what it is for, the strengths it works at, and its defaults."""

    name: PresetName
    use: str
    strength: float
    range: tuple[float, float]
    keeps_structure: bool
    example: str
    template: str = "{subject}"
    detail: float = 0.0
    fill: FillName | None = None
    match: float | None = None

    def prompt_for(self, prompt: str) -> str:
        """The prompt with the template around it, unless it is empty or already has the template's words."""
        before = self.template.split("{subject}")[0]
        if not prompt.strip() or prompt.lower().startswith(before.lower()):
            return prompt
        return self.template.replace("{subject}", prompt)

    @property
    def defaults(self) -> Mapping[str, Any]:
        return {"strength": self.strength, "detail": self.detail, "fill": self.fill, "match": self.match}


class Band(NamedTuple):
    """A band of strength, and what to expect there."""

    low: float
    high: float
    use: str
    preservation: str


BANDS = (
    Band(0.2, 0.3, "subtle tweaks, colour correction", "very high"),
    Band(0.4, 0.5, "style transfer, texture", "high"),
    Band(0.5, 0.7, "significant style change", "medium"),
    Band(0.7, 0.8, "major transformation, composition kept", "low"),
    Band(0.8, 1.0, "almost pure generation", "minimal"),
)


@cache
def presets() -> Mapping[PresetName, Preset]:
    """All presets by name, in the order of ``presets.toml``."""
    table = tomllib.loads(files("overpaint").joinpath("presets.toml").read_text(encoding="utf-8"))
    return {n: Preset(name=n, **{**table[n], "range": tuple(table[n]["range"])}) for n in PRESETS}


def presets_for(card: Card) -> Mapping[PresetName, Preset]:
    """All presets as they are with a model whose card knows better."""
    return {name: _told(preset, card.presets.get(name, {})) for name, preset in presets().items()}


def _told(preset: Preset, entry: Mapping[str, Any]) -> Preset:
    """A preset with what of a card's entry is a field of presets; the rest of it is for ``resolve``."""
    known = {f.name for f in fields(Preset)}
    values = {name: value for name, value in entry.items() if name in known}
    return replace(preset, **{**values, "range": tuple(values.get("range", preset.range))})


def resolve(params: EditParams, card: Card, *, size: str, output_size: str) -> ResolvedParams:
    """Fill in what was left out: explicit > the card's entry for the preset > preset > card > ours.

    ``size`` and ``output_size`` are what these two come to for the picture at hand, as "WIDTHxHEIGHT".
    """
    preset = presets()[params.preset] if params.preset is not None else None
    sources: list[Mapping[str, Any]] = [card.defaults, {f.name: spec.ours for f, spec in specs()}]
    if preset:
        sources = [card.presets.get(preset.name, {}), preset.defaults, *sources]
    values = {f.name: getattr(params, f.name) for f in fields(params)}
    for name, value in values.items():
        if value is None:
            values[name] = next((s[name] for s in sources if s.get(name) is not None), None)
    if preset:
        values["prompt"] = preset.prompt_for(params.prompt)
    if values["seed"] in (None, -1):
        values["seed"] = draw_seed()
    values["variation"] = with_drawn_seed(values["variation"])
    values |= {"size": size, "output_size": output_size}
    resolved = ResolvedParams(**values)
    # at strength 1 nothing of the picture is used, so there is no detail of it to give back
    return replace(resolved, detail=0.0) if resolved.strength == 1 else resolved


def advice(params: ResolvedParams, signal: float) -> list[str]:
    """What to warn of: a strength that this preset cannot keep its promise at. ``signal`` is sqrt(alpha_bar) at t0."""
    preset = presets()[params.preset] if params.preset is not None else None
    if preset and preset.keeps_structure and params.strength >= TOO_STRONG:
        return [
            f"strength {params.strength:g} leaves {signal:.0%} of the picture, so {preset.name!r} cannot keep its "
            "structure: try 0.4 to 0.6"
        ]
    return []


# what other programs read in a prompt and this one does not; each pattern takes bounded steps from any place
_FOREIGN_SYNTAX = (
    (re.compile(r"<(?:lora|lyco|hypernet):[^<>]{1,200}>", re.IGNORECASE), "<lora:...> tags"),
    (re.compile(r"__[\w/. -]{1,100}__"), "__wildcards__"),
    (re.compile(r"\([^()]{1,200}:\s?[\d.]{1,10}\)|\[[^\[\]]{0,200}:[\d.]{1,10}\]"), "weights like (word:1.2)"),
)


def foreign_syntax(params: ResolvedParams) -> list[str]:
    """What to warn of in the prompts: the syntax of other programs, which is taken as words here."""
    text = f"{params.prompt}\n{params.negative_prompt}"
    found = [words for pattern, words in _FOREIGN_SYNTAX if pattern.search(text)]
    return [f"the prompt has {', '.join(found)}, which are not read here but taken as words"] if found else []
