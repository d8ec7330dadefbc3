"""Latents equal to diffusers' own pipelines on the same weights, the same noise and the same levels."""

import numpy as np
import pytest
from conftest import EXAMPLES, TinyCheckpoints, random_picture
from parity import ONLY_FROM_THE_START, difference, ours, theirs
from peers import PEERS, knows_zero_snr

from overpaint.decode import load
from overpaint.images import resize
from overpaint.model import DiffusionModel
from overpaint.samplers import SAMPLERS, SamplerName

TOLERANCE = 1e-4
MIDWAY = [s for s in SAMPLERS if s not in ONLY_FROM_THE_START]
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # theirs

# Zero terminal SNR: only some of diffusers' schedulers know it, and from pure noise only two need no finite ratio; the
# rows of the others are checked in test_samplers.
TINY = [
    *((kind, s, 0.6) for kind in ("sd15", "sd2v") for s in MIDWAY),
    *(("sd15", s, 1.0) for s in SAMPLERS),
    *(("zsnr", s, 0.6) for s in MIDWAY if knows_zero_snr(s)),
    *(("zsnr", s, 1.0) for s in ("ddim", "ddpm")),
]


@pytest.fixture(scope="module")
def tiny_models(tiny: TinyCheckpoints) -> dict[str, DiffusionModel]:
    return {kind: DiffusionModel.load(tiny(kind), device="cpu") for kind in ("sd15", "sd2v", "zsnr")}


def test_every_sampler_has_a_peer() -> None:
    assert set(PEERS) == set(SAMPLERS)


@pytest.mark.parametrize("sampler", MIDWAY)
def test_img2img_embedded(model: DiffusionModel, sampler: SamplerName, examples_castle: np.ndarray) -> None:
    case = (model, examples_castle, sampler, 10, 0.5)
    assert difference(ours(*case), theirs(*case)) < TOLERANCE


@pytest.mark.parametrize("sampler", ["ddim", "lms", "dpm++2m"])
def test_text2img_embedded(model: DiffusionModel, sampler: SamplerName) -> None:
    case = (model, None, sampler, 5, 1.0)
    assert difference(ours(*case), theirs(*case)) < TOLERANCE


@pytest.mark.parametrize(("kind", "sampler", "strength"), TINY)
def test_tiny(tiny_models: dict[str, DiffusionModel], kind: str, sampler: SamplerName, strength: float) -> None:
    picture = None if strength == 1 else random_picture(32, 24)
    case = (tiny_models[kind], picture, sampler, 10, strength)
    assert difference(ours(*case), theirs(*case)) < TOLERANCE


def test_another_strength_is_far_away(model: DiffusionModel, examples_castle: np.ndarray) -> None:
    """The comparison can fail."""
    a = ours(model, examples_castle, "ddim", 10, 0.5)
    b = theirs(model, examples_castle, "ddim", 10, 0.4)
    assert difference(a, b) > 100 * TOLERANCE


def test_distilled_guidance(tiny: TinyCheckpoints) -> None:
    """A network that takes guidance as an input gets one row, and the same embedding as in diffusers."""
    model = DiffusionModel.load(tiny("lcm"), device="cpu")
    assert model.card.defaults["sampler"] == "lcm"
    case = (model, random_picture(32, 32), "ddim", 10, 0.5)
    assert difference(ours(*case), theirs(*case)) < TOLERANCE


@pytest.fixture(scope="module")
def examples_castle() -> np.ndarray:
    return resize(load(EXAMPLES / "castle.jpg").rgb, (128, 128))
