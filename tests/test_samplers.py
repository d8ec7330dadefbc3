"""Every sampler's rows against diffusers' scheduler of that name, closed forms and the theory's order of convergence.

One stand-in network serves both sides; ours is driven by the real ``Trajectory`` in float64, theirs by its own
``step``. What is left is the rounding of their float32 tables and samples, so the tolerance is 1e-5 everywhere.
"""

import copy
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from math import hypot, isfinite, log2
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import schedulers
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import PEERS, PLAIN, taken
from torch import Tensor

from overpaint.levels import CLEAN, SCHEDULES, DiffusionNoise, FlowNoise, Level, Noise, ScheduleName, karras, levels_for
from overpaint.samplers import ABOUT, SAMPLERS, Row, SamplerName, rows_for
from overpaint.trajectory import Hold, Trajectory, draw_noise

# numpy 2 finds torch tensors' __array__ and __array_wrap__ old-fashioned; diffusers' set_timesteps calls them
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

TOLERANCE = 1e-5
TABLE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
FLOW = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0}
FLOW_PEERS: dict[SamplerName, tuple[str, dict[str, Any]]] = {
    "euler": ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0}),
    "lcm": ("FlowMatchLCMScheduler", {"shift": 3.0}),
    "unipc": ("UniPCMultistepScheduler", FLOW),
    "dpm++2m": ("DPMSolverMultistepScheduler", FLOW),
    "dpm++2m_sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", **FLOW}),
}
STEPS_DOWN_BELOW_15 = ("deis", "dpm++3m")  # from 15 steps on diffusers keeps their order up to the end; we never do
RUNS = [(50, 0.6), (20, 0.5), (25, 0.4), (20, 1.0), (10, 0.3), (10, 0.8), (8, 0.5), (10, 1.0)]
CASES = [(name, N, s) for name in SAMPLERS for N, s in RUNS if N < 15 or name not in STEPS_DOWN_BELOW_15]

_generator = torch.Generator().manual_seed(1)
W = 0.4 * torch.randn(4, 4, dtype=torch.float64, generator=_generator)
Z0, EPS = torch.randn(2, 1, 4, 8, 8, dtype=torch.float64, generator=_generator)  # [1, 4, 8, 8]

Believe = Callable[[Tensor, Level], Tensor]
BELIEVE: dict[str, Believe] = {
    "epsilon": lambda x, level: (x - level.sigma * network(x, level.t)) / level.alpha,
    "v_prediction": lambda x, level: level.alpha * x - level.sigma * network(x, level.t),
    "flow_prediction": lambda x, level: x - level.sigma * network(x, level.t),
}


def network(x: Tensor, t: float) -> Tensor:
    """A stand-in that mixes channels and sees t; what its output means is the prediction type's business."""
    return torch.tanh(torch.einsum("oc,bchw->bohw", W, x)) + 0.001 * float(t)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(9)


def run(rows: Sequence[Row], believe: Believe) -> Tensor:
    """Our result for the picture noised to the first level."""
    trajectory = Trajectory.from_picture(rows, Hold(Z0, EPS), seeded())
    while not trajectory.done:
        trajectory.advance(believe(trajectory.x, trajectory.level))
    return trajectory.x


@cache
def scheduler(kind: str, **config: Any) -> Any:
    """A fresh scheduler, of what it knows of Stable Diffusion's config and ``config``; some take half a second."""
    cls = getattr(schedulers, kind)
    return cls(**taken(cls, {**PLAIN, **TABLE, **config}))


def table(**config: Any) -> DiffusionNoise:
    """A scheduler's table, as we read it from a checkpoint."""
    return DiffusionNoise(scheduler("DDIMScheduler", **config).alphas_cumprod.double().tolist())


class Peer:
    """A diffusers scheduler, driven as its img2img pipelines do, with our noise: float32, from our generator."""

    def __init__(self, kind: str, patch: pytest.MonkeyPatch, **config: Any) -> None:
        self.scheduler = copy.deepcopy(scheduler(kind, **config))
        self._takes = inspect.signature(self.scheduler.step).parameters
        module = sys.modules[type(self.scheduler).__module__]
        if hasattr(module, "randn_tensor"):
            patch.setattr(module, "randn_tensor", lambda shape, generator, **_: draw_noise(shape, generator))

    @property
    def noise(self) -> DiffusionNoise:
        """Its table, as we read it from a checkpoint."""
        return DiffusionNoise(self.scheduler.alphas_cumprod.double().tolist())

    def run(
        self, skip: int = 0, z0: Tensor = Z0, eps: Tensor = EPS, generator: torch.Generator | None = None
    ) -> Tensor:
        """Enter at step ``skip`` of the timesteps that were set, with z0 noised to there."""
        sch = self.scheduler
        timesteps = sch.timesteps[skip * sch.order :]
        if hasattr(sch, "set_begin_index"):
            sch.set_begin_index(skip * sch.order)
        if hasattr(sch, "scale_noise"):
            x = sch.scale_noise(z0, timesteps[:1], eps)
        else:
            x = sch.add_noise(z0, eps, timesteps[:1])
        extra: dict[str, Any] = {"generator": generator or seeded()} if "generator" in self._takes else {}
        for k, t in enumerate(timesteps):
            if "order" in self._takes:  # LMS entered midway would count on memory that it does not have yet
                extra["order"] = min(k + 1, 4)
            seen = sch.scale_model_input(x, t) if hasattr(sch, "scale_model_input") else x
            x = sch.step(network(seen, t), t, x, return_dict=False, **extra)[0]
        return x


def rows_beside(name: SamplerName, levels: list[Level], noise: Noise) -> list[Row]:
    """Our rows; for DEIS down to t = 0, where it ends in diffusers, and not to clean."""
    if name == "deis":
        levels = [*levels[:-1], noise.at(0)]
    return rows_for(name, levels, noise.at_ratio)


def both(
    name: SamplerName, steps: int, strength: float, patch: pytest.MonkeyPatch, **config: Any
) -> tuple[list[Row], Believe, Tensor]:
    """Our rows for an edit, the belief to run them with, and diffusers' result for the same edit."""
    kind, own = PEERS[name]
    peer = Peer(kind, patch, **own, **config)
    levels = levels_for(strength, steps, "trailing", peer.noise)
    skip = steps - len(levels) + 1
    if name == "lcm":  # it takes our timesteps; its own training grid has a test of its own
        peer.scheduler.set_timesteps(timesteps=[level.t for level in levels[:-1]])
        skip = 0
    else:
        peer.scheduler.set_timesteps(steps)
    return rows_beside(name, levels, peer.noise), BELIEVE[peer.scheduler.config.prediction_type], peer.run(skip)


def zero_snr() -> dict[str, Any]:
    """v-prediction on a table whose last alpha is exactly 0, for schedulers with and without an option for it."""
    betas = scheduler("DDIMScheduler", rescale_betas_zero_snr=True).betas
    return {"trained_betas": tuple(betas.tolist()), "prediction_type": "v_prediction"}


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


# ---- against diffusers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "steps", "strength"), CASES)
def test_rows_are_diffusers_scheduler(name: SamplerName, steps: int, strength: float, monkeypatch: pytest.MonkeyPatch):
    """Epsilon prediction on Stable Diffusion's noise, entered midway and run in full."""
    rows, believe, theirs = both(name, steps, strength, monkeypatch)
    assert relative(run(rows, believe), theirs) < TOLERANCE


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_wrong_coefficient_is_noticed(name: SamplerName, monkeypatch: pytest.MonkeyPatch):
    """Negative control: one weight of one row wrong by a thousandth fails the comparison above."""
    rows, believe, theirs = both(name, 10, 0.8, monkeypatch)
    form = rows[3].predict[-1]
    wrong = form._replace(B=(1.001 * form.B[0], *form.B[1:]))
    rows[3] = replace(rows[3], predict=(*rows[3].predict[:-1], wrong))
    assert relative(run(rows, believe), theirs) > TOLERANCE


@pytest.mark.parametrize(("steps", "strength"), [(4, 1.0), (4, 0.6), (8, 0.5)])
def test_lcm_on_its_own_training_grid(steps: int, strength: float, monkeypatch: pytest.MonkeyPatch):
    """LCM's own timesteps are among the 50 it was distilled on; our rows take any levels."""
    peer = Peer("LCMScheduler", monkeypatch)
    peer.scheduler.set_timesteps(steps, original_inference_steps=50, strength=strength)
    levels = [*map(peer.noise.at, peer.scheduler.timesteps.tolist()), CLEAN]
    rows = rows_for("lcm", levels, peer.noise.at_ratio)
    assert relative(run(rows, BELIEVE["epsilon"]), peer.run()) < TOLERANCE


@pytest.mark.parametrize("schedule", ["karras", "exponential", "beta"])
@pytest.mark.parametrize("name", ["euler", "heun", "lms"])
def test_rows_on_spread_schedules(name: SamplerName, schedule: ScheduleName, monkeypatch: pytest.MonkeyPatch):
    """A schedule is only another list of levels: the schedulers that spread between the same ends agree."""
    kind, own = PEERS[name]
    peer = Peer(kind, monkeypatch, **own, **{f"use_{schedule}_sigmas": True})
    peer.scheduler.set_timesteps(10)
    rows = rows_for(name, levels_for(1.0, 10, schedule, peer.noise), peer.noise.at_ratio)
    assert relative(run(rows, BELIEVE["epsilon"]), peer.run()) < TOLERANCE


# ---- v-prediction, zero terminal SNR ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLERS)
def test_zero_terminal_snr_entered_midway(name: SamplerName, monkeypatch: pytest.MonkeyPatch):
    """Below strength 1 the pure-noise end is not met, and every sampler agrees on the rescaled table."""
    rows, believe, theirs = both(name, 10, 0.6, monkeypatch, **zero_snr())
    assert relative(run(rows, believe), theirs) < TOLERANCE


@pytest.mark.parametrize("name", ["ddim", "ddpm", "lcm"])
def test_zero_terminal_snr_from_pure_noise_is_exact(name: SamplerName, monkeypatch: pytest.MonkeyPatch):
    """The schedulers that never divide by alpha start from pure noise as we do."""
    rows, believe, theirs = both(name, 20, 1.0, monkeypatch, **zero_snr())
    assert rows[0].level.alpha == 0
    assert relative(run(rows, believe), theirs) < TOLERANCE


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name not in ("ddim", "ddpm", "lcm", "dpm++3m")])
def test_pure_noise_is_one_first_order_step_and_a_fresh_start(name: SamplerName, monkeypatch: pytest.MonkeyPatch):
    """Where diffusers divides by alpha = 0: one DDIM (or DDPM) step, then its scheduler entered at the second level."""
    kind, own = PEERS[name]
    peer = Peer(kind, monkeypatch, **own, **zero_snr())
    peer.scheduler.set_timesteps(10)
    levels, believe, generator = levels_for(1.0, 10, "trailing", peer.noise), BELIEVE["v_prediction"], seeded()
    x = run(rows_for("ddpm" if ABOUT[name].noisy else "ddim", levels, peer.noise.at_ratio)[:1], believe)
    if ABOUT[name].noisy:
        draw_noise(Z0.shape, generator)  # that of the first step
    theirs = peer.run(1, x / levels[1].alpha, torch.zeros_like(x), generator)
    assert relative(run(rows_beside(name, levels, peer.noise), believe), theirs) < TOLERANCE


@pytest.mark.parametrize("name", ["euler", "euler_a", "dpm++2m", "dpm++3m", "dpm++2m_sde", "unipc"])
def test_almost_pure_noise(name: SamplerName, monkeypatch: pytest.MonkeyPatch):
    """Diffusers' own way out, 2^-24 for the last alpha_bar: on that table the rows agree from the first step."""
    config = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    rows, believe, theirs = both(name, 10, 1.0, monkeypatch, **config)
    assert rows[0].level.alpha == 2**-12
    assert relative(run(rows, believe), theirs) < TOLERANCE


# ---- flow matching ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "strength"), [(20, 1.0), (20, 0.6), (10, 0.8)])
@pytest.mark.parametrize("name", ["euler", "lcm"])
def test_flow_rows_on_our_levels(name: SamplerName, steps: int, strength: float, monkeypatch: pytest.MonkeyPatch):
    """Handed the sigmas 1 .. 1/N, as pipelines do, these walk down our very levels."""
    kind, own = FLOW_PEERS[name]
    peer, noise = Peer(kind, monkeypatch, **own), FlowNoise(shift=3.0)
    peer.scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps))
    levels = levels_for(strength, steps, "trailing", noise)
    theirs = peer.run(steps - len(levels) + 1)
    assert relative(run(rows_for(name, levels, noise.at_ratio), BELIEVE["flow_prediction"]), theirs) < TOLERANCE


@pytest.mark.parametrize("skip", [0, 8])
@pytest.mark.parametrize("name", ["unipc", "dpm++2m", "dpm++2m_sde"])
def test_flow_rows_on_their_levels(name: SamplerName, skip: int, monkeypatch: pytest.MonkeyPatch):
    """These make their own sigmas and cut t to a whole number; our rows take any levels."""
    kind, own = FLOW_PEERS[name]
    peer = Peer(kind, monkeypatch, **own)
    peer.scheduler.set_timesteps(20)
    sigmas, timesteps = peer.scheduler.sigmas.tolist(), peer.scheduler.timesteps.tolist()
    levels = [*(Level(1 - s, s, t) for s, t in zip(sigmas, timesteps, strict=False)), CLEAN][skip:]
    rows = rows_for(name, levels, FlowNoise(shift=3.0).at_ratio)
    assert relative(run(rows, BELIEVE["flow_prediction"]), peer.run(skip)) < TOLERANCE


# ---- closed forms ----------------------------------------------------------------------------------------------------

NOISES = {"diffusion": table(), "zero_snr": table(rescale_betas_zero_snr=True), "flow": FlowNoise(shift=3.0)}
edits = st.builds(
    lambda strength, steps, schedule, noise: (levels_for(strength, steps, schedule, NOISES[noise]), NOISES[noise]),
    st.integers(1, 1000).map(lambda thousandths: thousandths / 1000) | st.just(1.0),
    st.integers(1, 40),
    st.sampled_from(SCHEDULES),
    st.sampled_from(sorted(NOISES)),
)


@pytest.mark.parametrize(("name", "same_as"), [("euler", "ddim"), ("ddpm", "euler_a")])
@given(edits)
@settings(deadline=None, max_examples=15)
def test_two_names_of_one_sampler(name: SamplerName, same_as: SamplerName, edit: tuple[list[Level], Noise]):
    """Euler is DDIM and DDPM is Euler ancestral, on any levels."""
    levels, noise = edit
    assert rows_for(name, levels, noise.at_ratio) == rows_for(same_as, levels, noise.at_ratio)


@pytest.mark.parametrize("name", SAMPLERS)
@given(edits)
@settings(deadline=None, max_examples=15)
def test_rows_are_plain_finite_numbers(name: SamplerName, edit: tuple[list[Level], Noise]):
    """No infinity leaks from pure noise or clean, and no numpy scalar into the fused update; About tells the truth."""
    levels, noise = edit
    rows = rows_for(name, levels, noise.at_ratio)
    for row in rows:
        forms = [*row.predict, *row.correct]
        numbers = [*row.memory, *row.level[:2], *(n for form in forms for n in (form.A, *form.B, form.C))]
        assert all(type(number) is float and isfinite(number) for number in numbers)
    assert [row.level for row in rows if row.boundary] == levels[:-1]
    assert len(levels) - 1 <= len(rows) <= ABOUT[name].calls * (len(levels) - 1)
    assert any(row.predict[-1].C > 0 for row in rows) == (ABOUT[name].noisy and len(levels) > 2)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "lcm"])
@given(edits)
@settings(deadline=None, max_examples=15)
def test_every_form_keeps_the_forward_process(name: SamplerName, edit: tuple[list[Level], Noise]):
    """If D is the true z0, each order's step and correction lead from alpha*z0 + sigma*eps to just that, one level on.

    In variance, where noise is drawn: (A*sigma)^2 + C^2 = sigma'^2. LCM has a boundary condition instead.
    """
    levels, noise = edit
    rows = rows_for(name, levels, noise.at_ratio)
    base = levels[0]
    for row, target in zip(rows, [*(row.level for row in rows[1:]), CLEAN], strict=True):
        remembers_eps = row.memory[0] != 0
        steps = [(form, base, row.level) for form in row.correct]
        base = row.level if row.boundary else base
        steps += [(form, base, target) for form in row.predict]
        for form, a, b in steps:
            z0, eps = form.A * a.alpha, form.A * a.sigma
            if remembers_eps:
                eps += sum(form.B)
            else:
                z0 += sum(form.B)
            assert z0 == pytest.approx(b.alpha, abs=1e-9)
            assert hypot(eps, form.C) == pytest.approx(b.sigma, abs=1e-9)


def gaussian_error(name: SamplerName, n: int, std: float = 0.5) -> float:
    """Relative error over n - 5 of n steps where z0 is Gaussian, so that D and the flow's solution are known exactly.

    The first three steps are put right, so that memory is full and exact, and the last two, of lower order, left out.
    """

    def at_ratio(ratio: float) -> Level:
        return Level(1 / hypot(1, ratio), ratio / hypot(1, ratio), 0.0)

    def exact(level: Level) -> Tensor:
        return torch.tensor(hypot(level.alpha * std, level.sigma), dtype=torch.float64)  # the std of x

    levels, calls = [at_ratio(ratio) for ratio in karras(5.0, 0.1, n + 1)], ABOUT[name].calls  # uneven in every time
    rows = rows_for(name, levels, at_ratio)[: (n - 2) * calls]
    rows[:4] = [replace(row, correct=()) for row in rows[:4]]
    trajectory = Trajectory(rows, exact(levels[0]), seeded())
    while not trajectory.done:
        level = trajectory.level
        if trajectory.position <= 3 * calls and rows[trajectory.position].boundary:
            trajectory.x = exact(level)
        trajectory.advance(level.alpha * std**2 / exact(level) ** 2 * trajectory.x)
    return abs(float(trajectory.x / exact(levels[n - 2])) - 1)


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("ddim", 1),
        ("heun", 2),
        ("dpm2", 2),
        ("deis", 2),
        ("dpm++2m", 2),
        ("dpm++3m", 2),  # not 3, here as in diffusers: half of what Taylor's formula asks for its second difference
        ("unipc", 3),  # its corrector lifts order 2 by one
        ("lms", 4),
    ],
)
def test_order_of_convergence(name: SamplerName, order: int):
    """With full memory the error falls with the number of steps to the power that the theory gives."""
    assert log2(gaussian_error(name, 40) / gaussian_error(name, 80)) == pytest.approx(order, abs=0.2)
