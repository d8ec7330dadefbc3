"""The strength law, the schedules and what survives: against integers, closed forms and diffusers' own grids."""

import itertools
import operator
from math import exp, inf, isfinite, log10, sqrt

import numpy as np
import pytest
from diffusers.schedulers import DDIMScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.errors import ParameterError
from overpaint.levels import (
    CLEAN,
    SCHEDULES,
    DiffusionNoise,
    FlowNoise,
    Level,
    Noise,
    levels_for,
    start_level,
    steps_run,
    survival,
    trailing,
)

T = 1000
# numpy 2 finds torch tensors' __array__ old-fashioned; diffusers' set_timesteps still calls it
DIFFUSERS = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
TABLE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}  # Stable Diffusion's
DIVISORS = [n for n in range(1, 151) if T % n == 0]
SPREAD = ("karras", "exponential", "beta")


def table(**config: bool) -> list[float]:
    """alpha_bar as a checkpoint's scheduler has it."""
    return DDIMScheduler(**TABLE, **config).alphas_cumprod.double().tolist()


ALPHA_BAR = table()
DIFFUSION = DiffusionNoise(ALPHA_BAR)
ZERO_SNR = DiffusionNoise(table(rescale_betas_zero_snr=True))
FLOW = FlowNoise(shift=3.0)
NOISES = {"diffusion": DIFFUSION, "zero_snr": ZERO_SNR, "flow": FLOW}

noises = st.sampled_from(sorted(NOISES)).map(NOISES.__getitem__)
strengths = st.decimals("0.0001", 1, places=4).map(float) | st.integers(1, 100).map(lambda percent: percent / 100)


def timesteps(strength: float, steps: int) -> list[int]:
    """The law in one call."""
    start = start_level(strength, T)
    return trailing(start, steps_run(steps, start, T))


def strictly_falling(values: list[float]) -> bool:
    return all(map(operator.gt, values, values[1:]))


# ---- the law ---------------------------------------------------------------------------------------------------------


def test_every_strength_and_step_count_gives_strictly_falling_timesteps():
    """1000 strengths x 150 step counts: steps_run timesteps from t0 = L - 1 down to one that is at least 0."""
    seen = set()
    for L in range(1, T + 1):
        assert start_level(L / T, T) == L
        for N in range(1, 151):
            n = steps_run(N, L, T)
            assert n == max((N * L + 500) // 1000, 1) <= L  # N * s, half rounds up; N <= T needs no clamp to L
            seen.add((L, n))
    for L, n in seen:
        ts = trailing(L, n)
        assert len(ts) == n
        assert ts[0] == L - 1
        assert ts[-1] >= 0
        assert strictly_falling(ts)


@given(strengths, st.integers(1, 1000), noises)
@settings(deadline=None)
def test_levels_are_the_law_then_clean(strength: float, steps: int, noise: Noise):
    """``levels_for`` is nothing but the law's timesteps looked up, and clean."""
    assert levels_for(strength, steps, "trailing", noise) == [*map(noise.at, timesteps(strength, steps)), CLEAN]


@given(st.integers(1, T), st.integers(1, T), st.integers(1, 2000))
def test_the_law_holds_for_any_training_length(L: int, timesteps_trained: int, steps: int):
    """The law knows T only as a number: few or odd training timesteps and more steps than levels are fine."""
    L = min(L, timesteps_trained)
    n = steps_run(steps, L, timesteps_trained)
    ts = trailing(L, n)
    assert all(-n < 2 * n * (t + 1) - 2 * L * (n - k) <= n for k, t in enumerate(ts))  # L(n-k)/n rounded, halves up
    assert ts[0] == L - 1
    assert ts[-1] >= 0
    assert strictly_falling(ts)


def test_percent_strengths_are_a_hundred_distinct_noise_levels():
    """No two of .01, .02, ... 1 start at the same timestep, and each starts at 1000 * s - 1."""
    assert [start_level(percent / 100, T) - 1 for percent in range(1, 101)] == list(range(9, T, 10))


@pytest.mark.parametrize(
    ("strength", "steps", "L", "n"),
    [
        (0.58, 25, 580, 15),  # 14.5 steps; in floats 25 * .58 = 14.499999999999998
        (0.5005, 20, 501, 10),  # in floats .5005 * 1000 = 500.49999999999994
        (0.5004, 20, 500, 10),
        (0.5015, 20, 502, 10),  # half rounds up, not to even
        (0.5025, 20, 503, 10),
        (0.35, 30, 350, 11),  # 10.5
        (0.45, 10, 450, 5),  # 4.5
        (1e-3, 1, 1, 1),
        (5e-4, 50, 1, 1),
    ],
)
def test_decimals_are_read_as_written_and_halves_round_up(strength: float, steps: int, L: int, n: int):
    """Worked examples of the law where floats, or rounding half to even, go wrong."""
    assert start_level(strength, T) == L
    assert steps_run(steps, L, T) == n


@pytest.mark.parametrize(
    ("strength", "steps", "expected"),
    [
        (0.05, 10, [49]),  # half a step is one
        (0.001, 50, [0]),
        (0.0001, 50, [0]),  # less than one training timestep is one
        (0.003, 1000, [2, 1, 0]),
        (0.003, 5000, [2, 1, 0]),  # never more steps than levels
        (1.0, 1, [999]),
        (1, 4, [999, 749, 499, 249]),
        (1.0, 1000, list(range(999, -1, -1))),
        (0.3, 23, [299, 256, 213, 170, 128, 85, 42]),  # 300/7 does not divide
        (0.005, 400, [4, 2]),  # 5/2 rounds up to 3
    ],
)
def test_worked_examples(strength: float, steps: int, expected: list[int]):
    """At least one step, at most one a level, evenly spread."""
    assert timesteps(strength, steps) == expected


def test_strength_0_has_no_levels():
    """Strength 0 never comes as far as levels; whoever asks is told so."""
    assert start_level(0, T) == start_level(0.0, T) == 0
    with pytest.raises(ParameterError, match="strength"):
        levels_for(0, 20, "trailing", DIFFUSION)


@pytest.mark.parametrize("steps", DIVISORS)
def test_the_grid_is_the_tail_of_diffusers_trailing_timesteps(steps: int):
    """Where N divides T and N * s is whole: every tail of diffusers' ``timestep_spacing="trailing"``."""
    scheduler = DDIMScheduler(**TABLE, timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    theirs = scheduler.timesteps.tolist()
    for n in range(1, steps + 1):
        assert timesteps(n / steps, steps) == theirs[steps - n :]


# ---- schedules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(strengths, st.integers(1, 60), noises)
@settings(deadline=None, max_examples=40)
def test_schedules_share_both_ends_with_trailing_and_fall(schedule: str, strength: float, steps: int, noise: Noise):
    """The same first level, smallest level and number of steps; between them ratios and timesteps fall strictly."""
    even, levels = (levels_for(strength, steps, name, noise) for name in ("trailing", schedule))
    assert len(levels) == len(even)
    assert levels[0] == even[0]
    assert levels[-2:] == even[-2:]
    assert strictly_falling([level.ratio for level in levels])
    assert strictly_falling([level.t for level in levels])
    if noise is not FLOW:
        assert all(level.alpha**2 + level.sigma**2 == pytest.approx(1, abs=1e-12) for level in levels)


def test_sgm_uniform_is_another_name_of_trailing():
    assert levels_for(0.7, 30, "sgm_uniform", DIFFUSION) == levels_for(0.7, 30, "trailing", DIFFUSION)


@DIFFUSERS
@pytest.mark.parametrize("steps", [3, 4, 10, 20, 50])
@pytest.mark.parametrize("schedule", SPREAD)
def test_spread_schedules_are_diffusers_sigmas_at_strength_1(schedule: str, steps: int):
    """Between the ends of the trailing grid: diffusers' Euler has the same sigmas, and tells the network the same t."""
    scheduler = EulerDiscreteScheduler(**TABLE, timestep_spacing="trailing", **{f"use_{schedule}_sigmas": True})
    scheduler.set_timesteps(steps)
    levels = levels_for(1.0, steps, schedule, DIFFUSION)
    np.testing.assert_allclose([level.ratio for level in levels], scheduler.sigmas.numpy(), rtol=1e-6)
    np.testing.assert_allclose([level.t for level in levels[:-1]], scheduler.timesteps.numpy(), atol=1e-3)


@pytest.mark.parametrize("schedule", SPREAD)
def test_spread_schedules_below_strength_1_are_diffusers_between_our_ends(schedule: str):
    """Diffusers cannot be entered midway on these, but given our two ends as sigma_max and sigma_min it agrees."""
    levels = levels_for(0.6, 20, schedule, DIFFUSION)
    ends = EulerDiscreteScheduler(**TABLE, sigma_max=levels[0].ratio, sigma_min=levels[-2].ratio)
    theirs = getattr(ends, f"_convert_to_{schedule}")(in_sigmas=None, num_inference_steps=12)
    np.testing.assert_allclose([level.ratio for level in levels[:-1]], theirs, rtol=1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 20])
def test_zero_terminal_snr_keeps_its_pure_noise_and_spreads_the_rest(schedule: str, steps: int):
    """The end with alpha = 0 has no finite ratio: it stays, and everything after it is finite and falls."""
    levels = levels_for(1.0, steps, schedule, ZERO_SNR)
    assert len(levels) == steps + 1
    assert levels[0] == Level(0.0, 1.0, 999)
    assert levels[0].ratio == inf
    assert levels[0].log_snr == -inf
    assert levels[1:2] == levels_for(1.0, steps, "trailing", ZERO_SNR)[1:2]
    assert all(isfinite(number) for level in levels for number in level)
    assert strictly_falling([level.ratio for level in levels])


@given(noises, st.integers(0, T - 2))
def test_a_ratio_is_looked_up_where_it_came_from(noise: Noise, t: int):
    """``at_ratio`` undoes ``ratio`` on every training level."""
    level = noise.at(t)
    assert noise.at_ratio(level.ratio) == pytest.approx(level, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("noise", [DIFFUSION, ZERO_SNR])
def test_a_ratio_beyond_the_table_keeps_its_noise_and_is_told_the_nearest_timestep(noise: DiffusionNoise):
    """Outside the table alpha and sigma stay exact; only what the network is told is clamped."""
    low, high = noise.at_ratio(1e-6), noise.at_ratio(1e6)
    assert (low.ratio, high.ratio) == (pytest.approx(1e-6), pytest.approx(1e6))
    assert low.t == 0
    assert high.t == (998 if noise is ZERO_SNR else 999)


# ---- flow matching ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_noise_is_diffusers_training_sigmas(shift: float):
    """All thousand training levels of FlowMatchEulerDiscreteScheduler, and what it tells the network."""
    scheduler, noise = FlowMatchEulerDiscreteScheduler(shift=shift), FlowNoise(shift)
    levels = [noise.at(t) for t in reversed(range(T))]
    np.testing.assert_allclose([level.sigma for level in levels], scheduler.sigmas.numpy(), rtol=3e-7)
    np.testing.assert_allclose([level.t for level in levels], scheduler.timesteps.numpy(), rtol=3e-7)
    assert all(level.alpha == 1 - level.sigma for level in levels)


@pytest.mark.parametrize("steps", [4, 10, 20, 50])
@pytest.mark.parametrize("mu", [None, 0.5, 1.15])
def test_flow_grids_are_the_tails_of_diffusers(steps: int, mu: float | None):
    """As its pipelines call it, sigmas 1 .. 1/N, with a fixed shift of 3 or a dynamic one of e^mu."""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=mu is not None)
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), mu=mu)
    noise = FlowNoise(3.0 if mu is None else exp(mu))
    for n in (steps, steps // 2):
        levels = levels_for(n / steps, steps, "trailing", noise)
        np.testing.assert_allclose([level.sigma for level in levels], scheduler.sigmas[steps - n :].numpy(), rtol=3e-7)
        np.testing.assert_allclose(
            [level.t for level in levels[:-1]], scheduler.timesteps[steps - n :].numpy(), rtol=3e-7
        )


# ---- what survives ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strength", "words"),
    [
        (0.1, "almost everything"),
        (0.3, "overall structure and colours"),
        (0.5, "major shapes, composition"),
        (0.7, "rough layout only"),
        (0.9, "almost nothing"),
    ],
)
def test_what_survives_in_words(strength: float, words: str):
    """One word for each fifth of the scale on Stable Diffusion's noise."""
    assert survival(strength, DIFFUSION).words == words


@given(strengths, st.sampled_from([4, 8, 16]))
def test_survival_in_numbers(strength: float, pixels: int):
    """Signal, SNR and the smallest feature from alpha_bar alone, in closed form."""
    s = survival(strength, DIFFUSION, pixels_per_cell=pixels)
    a = ALPHA_BAR[s.t]
    assert s.t == start_level(strength, T) - 1
    assert s.alpha_bar == pytest.approx(a, rel=1e-12)
    assert s.signal == pytest.approx(sqrt(a), rel=1e-12)
    assert s.snr_db == pytest.approx(10 * log10(a / (1 - a)), abs=1e-9)
    assert s.smallest_feature == pytest.approx(pixels * sqrt((1 - a) / a), rel=1e-12)


def test_survival_falls_with_strength():
    """More strength leaves less signal and only larger features, all the way."""
    lines = [survival(percent / 100, DIFFUSION) for percent in range(1, 101)]
    assert all(a.snr_db > b.snr_db and a.smallest_feature < b.smallest_feature for a, b in itertools.pairwise(lines))


def test_nothing_survives_pure_noise():
    """Zero terminal SNR at strength 1: no signal, an infinite smallest feature, and no division by zero."""
    s = survival(1.0, ZERO_SNR)
    assert (s.alpha_bar, s.snr_db, s.smallest_feature, s.words) == (0.0, -inf, inf, "almost nothing")
