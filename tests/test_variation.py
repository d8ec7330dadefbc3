"""Variation seeds: looking around a good result by turning its start noise towards another's."""

import numpy as np
import pytest
import torch

from overpaint import infotext
from overpaint.editor import Editor
from overpaint.errors import ParameterError
from overpaint.params import EditParams
from overpaint.request import EditRequest
from overpaint.several import seeds_of
from overpaint.trajectory import draw_noise, turn_noise

PICTURE = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
QUICK = {"size": "64x64", "steps": 4, "seed": 1}


def noise(seed: int) -> torch.Tensor:
    return draw_noise((1, 8, 12, 12), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("amount", [0.1, 0.5, 0.9])
def test_turned_noise_is_noise(amount: float) -> None:
    turned = turn_noise(noise(1), noise(2), amount)
    assert turned.std().item() == pytest.approx(1, abs=0.05)  # a straight blend of .5 would have .71
    near, far = (float((turned * noise(seed)).mean()) for seed in (1, 2))
    assert near == pytest.approx(np.cos(amount * np.pi / 2), abs=0.1)
    assert far == pytest.approx(np.sin(amount * np.pi / 2), abs=0.1)


def test_turned_noise_ends_at_either() -> None:
    assert torch.equal(turn_noise(noise(1), noise(2), 0), noise(1))
    assert torch.allclose(turn_noise(noise(1), noise(2), 1), noise(2), atol=1e-6)
    assert torch.equal(turn_noise(noise(1), noise(1), 0.5), noise(1))


def test_amount_0_is_the_edit_itself_and_small_amounts_stay_near(editor: Editor) -> None:
    def edit(variation: tuple[int, float] | None, **other: object) -> np.ndarray:
        return editor.edit(PICTURE, "a lake", variation=variation, **{**QUICK, **other}).pixels.astype(float)  # type: ignore[arg-type]

    plain = edit(None)
    assert np.array_equal(edit((9, 0)), plain)
    steps = [np.abs(edit((9, amount)) - plain).mean() for amount in (0.1, 0.4, 1)]
    assert 0 < steps[0] < steps[1] < steps[2]


def test_only_the_start_noise_is_the_others(editor: Editor) -> None:
    """At amount 1 the VAE's draw and the steps' noise are still the seed's: it is not the other seed's edit."""
    options = {**QUICK, "sampler": "euler_a"}
    own = editor.edit(PICTURE, "a lake", variation=(9, 1.0), **options)  # type: ignore[arg-type]
    other = editor.edit(PICTURE, "a lake", **{**options, "seed": 9})  # type: ignore[arg-type]
    same = editor.edit(PICTURE, "a lake", variation="9,1", **options)  # type: ignore[arg-type]
    assert not np.array_equal(own.pixels, other.pixels)
    assert np.array_equal(own.pixels, same.pixels)


def test_generation_varies_too(editor: Editor) -> None:
    a, b = (editor.generate("a lake", variation=v, **QUICK).pixels for v in (None, (9, 0.5)))  # type: ignore[arg-type]
    assert not np.array_equal(a, b)


def test_counting_raises_the_variation(editor: Editor) -> None:
    made = editor.variations(PICTURE, "a lake", 3, variation=(9, 0.3), **QUICK)  # type: ignore[arg-type]
    assert [(r.params.seed, r.params.variation) for r in made] == [(1, f"{s},0.3") for s in (9, 10, 11)]
    alone = editor.edit(PICTURE, "a lake", variation=(10, 0.3), **QUICK)  # type: ignore[arg-type]
    assert np.array_equal(made[1].pixels, alone.pixels)


def test_a_drawn_variation_is_told() -> None:
    requests = seeds_of(EditRequest(PICTURE, "a lake", variation=(-1, 0.3)), 2)
    seeds = [int((r.params.variation or "").split(",")[0]) for r in requests]
    assert seeds[0] >= 0
    assert seeds[1] == seeds[0] + 1
    assert requests[0].params.seed == requests[1].params.seed


def test_recipe_makes_it_again(editor: Editor) -> None:
    result = editor.edit(PICTURE, "a lake", variation=(-1, 0.3), **QUICK)  # type: ignore[arg-type]
    assert np.array_equal(editor.redo(result.recipe, PICTURE).pixels, result.pixels)
    told = infotext.read(infotext.write(result.recipe))
    assert told.params.variation == result.params.variation
    assert not told.notes


@pytest.mark.parametrize(
    "bad", ["7", "7,2", "7,-.1", "x,.2", (1.5, 0.2), (-2, 0.2), "7,nan", (7, 0.2, 1), 7, f"{2**53},.1"]
)
def test_bad_variations(bad: object) -> None:
    with pytest.raises(ParameterError, match="must be SEED,AMOUNT"):
        EditParams(variation=bad)  # type: ignore[arg-type]


def test_bad_variation_of_another_program_is_a_note() -> None:
    text = "a lake\nSteps: 4, Seed: 1, CFG scale: 3, Variation seed: x, Variation seed strength: 0.2"
    assert any("its variation is not used" in note for note in infotext.read(text).notes)
