"""Parameters: ranges, messages, and how what is left out is resolved."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overpaint.card import Card, make_buckets
from overpaint.errors import ParameterError
from overpaint.params import SEED_MAX, EditParams, ResolvedParams, specs
from overpaint.presets import BANDS, advice, presets, presets_for, resolve
from overpaint.request import EditOptions, EditRequest

CARD = Card("test", defaults={"guidance_scale": 3.0, "steps": 12}, presets={"scene": {"strength": 0.55}})


def resolved(**values: object) -> ResolvedParams:
    return resolve(EditParams(**values), CARD, size="256x256", output_size="300x200")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strength", -0.1),
        ("strength", 1.01),
        ("strength", math.nan),
        ("strength", math.inf),
        ("strength", "0.5"),
        ("strength", True),
        ("steps", 0),
        ("steps", -1),
        ("steps", 10**9),
        ("steps", 20.5),
        ("steps", "20"),
        ("steps", True),
        ("guidance_scale", 0.5),
        ("guidance_scale", 1e9),
        ("guidance_scale", math.nan),
        ("sampler", "dpm"),
        ("schedule", "linear"),
        ("seed", -2),
        ("seed", 2**53),
        ("seed", 1.5),
        ("seed", "abc"),
        ("size", "512"),
        ("size", "0x512"),
        ("size", "100000x512"),
        ("size", "working"),
        ("output_size", "input"),
        ("output_size", (512, -1)),
        ("fit", "squash"),
        ("detail", 2),
        ("prompt", 5),
        ("prompt", None),
        ("prompt", "x" * 5_001),
        ("prompt", "a\x00b"),
        ("negative_prompt", "a\ud800b"),
        ("preset", 3),
    ],
)
def test_out_of_range_names_the_parameter(name: str, value: object) -> None:
    with pytest.raises(ParameterError, match=f"^{name}: ") as caught:
        EditParams(**{name: value})  # type: ignore[arg-type]
    assert caught.value.name == name
    assert isinstance(caught.value, ValueError)


def test_what_is_taken() -> None:
    params = EditParams(
        prompt="été 🎨 \n 夜",
        strength=np.float32(0.5),
        steps=np.int64(5),
        size=(64, 32),
        output_size="7000X16",
        seed=-1,
    )  # type: ignore[arg-type]
    assert (params.strength, params.steps, params.size, params.output_size) == (0.5, 5, "64x32", "7000x16")
    assert type(params.steps) is int


@given(st.floats(0, 1), st.integers(1, 1000), st.floats(1, 50), st.integers(0, SEED_MAX))
def test_everything_in_range_is_taken(strength: float, steps: int, guidance: float, seed: int) -> None:
    params = EditParams(strength=strength, steps=steps, guidance_scale=guidance, seed=seed)
    assert (params.strength, params.steps, params.guidance_scale, params.seed) == (strength, steps, guidance, seed)


def test_explicit_over_cards_preset_over_preset_over_card_over_ours() -> None:
    assert resolved(strength=0.2, preset="scene").strength == 0.2
    assert resolved(preset="scene").strength == 0.55  # the card's entry
    assert resolved(preset="tweak").strength == 0.25  # the preset
    assert resolved(preset="scene").detail == 0.85
    assert resolved().steps == 12  # the card
    assert resolved().strength == 0.6  # ours
    assert resolved().sampler == "dpm++2m"


def test_nothing_is_left_open() -> None:
    params = resolved()
    ruled = ("preset", "keep", "padding")  # None says that there is none, and of padding that the map decides
    assert all(getattr(params, f.name) is not None for f, _ in specs() if f.name not in ruled)
    assert params.output_size == "300x200"
    assert resolve(params, CARD, size="256x256", output_size="300x200") == params  # resolved again: the same


def test_seed_is_drawn_once_and_reported() -> None:
    seeds = {resolved(seed=seed).seed for seed in (None, -1) for _ in range(5)}
    assert len(seeds) == 10
    assert all(0 <= s <= SEED_MAX for s in seeds)


def test_no_detail_at_strength_1() -> None:
    assert resolved(strength=1, detail=0.9).detail == 0


def test_template_goes_around_the_prompt_once() -> None:
    sketch = presets()["sketch"]
    assert sketch.prompt_for("a lake") == "Detailed digital art of a lake"
    assert sketch.prompt_for("detailed digital art of a lake") == "detailed digital art of a lake"
    assert sketch.prompt_for("") == ""
    assert resolved(prompt="a lake", preset="sketch").prompt == "Detailed digital art of a lake"


def test_unknown_preset_names_the_known() -> None:
    with pytest.raises(ParameterError, match="style, sketch, enhance, scene, tweak"):
        EditParams(preset="nothing")  # type: ignore[arg-type]


def test_too_strong_for_a_preset_that_keeps_the_structure() -> None:
    for name, preset in presets().items():
        notes = advice(resolved(preset=name, strength=0.8), 0.193)
        assert bool(notes) == preset.keeps_structure
        assert all("19%" in n and "try 0.4 to 0.6" in n for n in notes)
        assert not advice(resolved(preset=name, strength=0.79), 0.2)


def test_presets_and_bands_are_the_documented_ones() -> None:
    ranges = {name: p.range for name, p in presets().items()}
    assert ranges == {
        "style": (0.5, 0.7),
        "sketch": (0.6, 0.8),
        "enhance": (0.3, 0.5),
        "scene": (0.5, 0.7),
        "tweak": (0.2, 0.3),
        "remove": (0.3, 0.7),
        "replace": (0.6, 0.9),
        "add": (0.9, 1.0),
        "repair": (0.2, 0.5),
        "extend": (0.5, 0.8),
    }
    assert all(p.range[0] <= p.strength <= p.range[1] for p in presets().values())
    assert [(b.low, b.high) for b in BANDS] == [(0.2, 0.3), (0.4, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 1.0)]


def test_a_card_has_ranges_of_its_own() -> None:
    card = Card("mine", presets={"style": {"strength": 0.4, "range": [0.3, 0.5], "steps": 9}})
    there = presets_for(card)
    assert (there["style"].strength, there["style"].range) == (0.4, (0.3, 0.5))
    assert there["style"].use == presets()["style"].use
    assert there["scene"] == presets()["scene"]


def test_options_are_the_fields() -> None:
    assert set(EditOptions.__annotations__) == {f.name for f, _ in specs()} - {"prompt"} | {"change_map", "layers"}


@pytest.mark.parametrize(("theirs", "ours"), [("num_inference_steps", "steps="), ("generator", "seed=")])
def test_names_of_diffusers_are_told_ours(theirs: str, ours: str) -> None:
    with pytest.raises(TypeError, match=f"{theirs}.*use {ours}"):
        EditRequest("x.png", "", **{theirs: 1})  # type: ignore[arg-type]


def test_nonsense_names_are_told_the_known() -> None:
    with pytest.raises(TypeError, match="known are prompt, negative_prompt, strength"):
        EditRequest("x.png", "", stength=0.5)  # type: ignore[call-arg]


def test_without_a_picture_only_strength_1() -> None:
    assert EditRequest(None, "a lake").params.strength == 1
    with pytest.raises(ParameterError, match="strength"):
        EditRequest(None, "a lake", strength=0.5)


def test_buckets_are_of_one_area_and_the_nearest_is_taken() -> None:
    buckets = make_buckets(512, 64)
    assert (512, 512) in buckets
    assert 9 <= len(buckets) <= 14
    assert all(w % 64 == 0 and h % 64 == 0 and 0.85 < w * h / 512**2 < 1.15 for w, h in buckets)
    card = Card("test", native_size=512, size_multiple=64)
    assert card.bucket_for(1000, 1000) == (512, 512)
    assert card.bucket_for(1600, 900)[0] > card.bucket_for(1600, 900)[1]
    w, h = card.bucket_for(513, 767)
    assert (h, w) == card.bucket_for(767, 513)
