"""One edit in flight: the property that makes a change map correct, and what a trajectory promises about itself.

The property: with a network that sees each cell alone, a map edit equals, cell by cell and bit for bit, the number
edits run on what is left of the grid from each cell's release on.
"""

from collections.abc import Sequence
from math import sin

import numpy as np
import pytest
import torch
from torch import Tensor

from overpaint.levels import DiffusionNoise, FlowNoise, Level, Noise, levels_for
from overpaint.samplers import ABOUT, SAMPLERS, Row, SamplerName, rows_for
from overpaint.trajectory import Hold, Trajectory, draw_noise

SHAPE = (1, 2, 8, 8)
BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2  # Stable Diffusion's
ALPHA_BAR = np.cumprod(1 - BETAS)
ZERO_SNR = (
    (np.sqrt(ALPHA_BAR) - ALPHA_BAR[-1] ** 0.5) / (ALPHA_BAR[0] ** 0.5 - ALPHA_BAR[-1] ** 0.5)
) ** 2 * ALPHA_BAR[0]
DIFFUSION = DiffusionNoise(ALPHA_BAR.tolist())
GRIDS: dict[str, tuple[Noise, float, int]] = {
    "diffusion": (DIFFUSION, 0.9, 20),
    "zero_snr": (DiffusionNoise(ZERO_SNR.tolist()), 1.0, 12),  # from pure noise
    "flow": (FlowNoise(shift=3.0), 0.8, 18),
}
MULTISTEP = ("lms", "deis", "dpm++2m", "dpm++3m", "dpm++2m_sde", "unipc")
NOISY = [name for name in SAMPLERS if ABOUT[name].noisy]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


Z0, EPS = (draw_noise(SHAPE, seeded(seed)) for seed in (1, 2))


def network(x: Tensor, level: Level) -> Tensor:
    """D, each cell from itself alone."""
    return torch.tanh(0.7 * x) + 0.3 * sin(level.t / 200)


class NoiseByLevel(Trajectory):
    """The noise of a step depends on its level alone, so that a run on part of the grid sees the same."""

    def _draw(self) -> Tensor:
        return draw_noise(self.x.shape, seeded(round(1000 * self.level.t) + 1))


class Ageless(NoiseByLevel):
    """What the property would look like if a cell's age were ignored."""

    def _at_boundary(self) -> None:
        super()._at_boundary()
        self._age = None


def rows_on(grid: str, name: SamplerName, skip: int = 0) -> list[Row]:
    noise, strength, steps = GRIDS[grid]
    return rows_for(name, levels_for(strength, steps, "trailing", noise)[skip:], noise.at_ratio)


def steps_of(grid: str) -> int:
    noise, strength, steps = GRIDS[grid]
    return len(levels_for(strength, steps, "trailing", noise)) - 1


def run(trajectory: Trajectory) -> Tensor:
    while not trajectory.done:
        trajectory.advance(network(trajectory.x, trajectory.level))
    return trajectory.x


def edit(rows: Sequence[Row], release: Tensor | None = None, kind: type[Trajectory] = Trajectory) -> Tensor:
    """An edit of Z0 by a map, or by a number where there is none."""
    return run(kind.from_picture(rows, Hold(Z0, EPS, release), seeded()))


def random_release(n: int) -> Tensor:
    """When each cell is let go, 0..n, every value at least once; n is never. [1, 1, h, w]"""
    values = torch.cat(
        [torch.arange(n + 1), torch.randint(0, n + 1, (SHAPE[2] * SHAPE[3] - n - 1,), generator=seeded(3))]
    )
    return values[torch.randperm(len(values), generator=seeded(4))].reshape(1, 1, *SHAPE[2:])


def number_edits(grid: str, name: SamplerName, release: Tensor) -> Tensor:
    """Cell by cell, the number edit on the grid from the cell's release on; the original where that is never."""
    out = Z0
    for k in range(steps_of(grid)):
        out = torch.where(release == k, edit(rows_on(grid, name, skip=k), kind=NoiseByLevel), out)
    return out


# ---- the change map --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_map_edit_is_the_number_edits_of_its_cells(name: SamplerName, grid: str):
    """The definition of correct: not a bit of difference, for any sampler, with every release from at once to never."""
    release = random_release(steps_of(grid))
    mapped = edit(rows_on(grid, name), release, NoiseByLevel)
    assert torch.equal(mapped, number_edits(grid, name, release))


@pytest.mark.parametrize("name", MULTISTEP)
def test_without_ages_a_map_edit_is_not_the_number_edits(name: SamplerName):
    """Negative control: memory from before the release, used as if it were the cell's own, breaks the property."""
    release = random_release(steps_of("diffusion"))
    mapped, numbers = edit(rows_on("diffusion", name), release, Ageless), number_edits("diffusion", name, release)
    at_once_or_never = (release == 0) | (release == steps_of("diffusion"))
    assert torch.equal(mapped[at_once_or_never.expand(SHAPE)], numbers[at_once_or_never.expand(SHAPE)])
    assert (mapped - numbers).abs().max() > 1e-3


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_white_map_is_no_map(name: SamplerName, grid: str):
    """Everything released at once is bitwise the edit by a number, drawn noise included."""
    rows = rows_on(grid, name)
    assert torch.equal(edit(rows, torch.zeros(1, 1, *SHAPE[2:], dtype=torch.int64)), edit(rows))


@pytest.mark.parametrize("name", SAMPLERS)
def test_never_released_cells_end_as_the_original(name: SamplerName):
    """Black is kept bit for bit, and held at the original noised to each boundary on the way; the rest changes."""
    rows, n = rows_on("diffusion", name), steps_of("diffusion")
    never = torch.arange(SHAPE[3]).expand(1, 1, *SHAPE[2:]) < 3
    hold = Hold(Z0, EPS, torch.where(never, n, 0))
    trajectory, kept = Trajectory.from_picture(rows, hold, seeded()), never.expand(SHAPE)
    while not trajectory.done:
        if trajectory.rows[trajectory.position].boundary:
            level = trajectory.level
            assert torch.equal(trajectory.x[kept], (level.alpha * Z0 + level.sigma * EPS)[kept])
        trajectory.advance(network(trajectory.x, trajectory.level))
    assert torch.equal(trajectory.x[kept], Z0[kept])
    assert (trajectory.x != Z0)[~kept].all()


# ---- the trajectory itself -------------------------------------------------------------------------------------------


def test_from_picture_starts_at_the_picture_noised_to_the_first_level():
    """Meng et al. 2021, algorithm 1."""
    rows = rows_on("diffusion", "ddim")
    start = Trajectory.from_picture(rows, Hold(Z0, EPS), seeded()).x
    a = ALPHA_BAR[899]
    torch.testing.assert_close(start, a**0.5 * Z0 + (1 - a) ** 0.5 * EPS)


@pytest.mark.parametrize("name", SAMPLERS)
def test_from_noise_is_the_edit_of_no_picture(name: SamplerName):
    """Strength 1 starts at eps itself; from alpha = 0 that is what any picture starts from too, bit for bit."""
    rows = rows_on("zero_snr", name)
    trajectory = Trajectory.from_noise(rows, EPS, seeded())
    assert torch.equal(trajectory.x, EPS)
    assert torch.equal(run(trajectory), edit(rows))


@pytest.mark.parametrize("name", SAMPLERS)
def test_counts_and_preview(name: SamplerName):
    """``calls_left`` counts down with ``level`` along the rows, and ``denoised`` is the newest D itself."""
    rows = rows_on("diffusion", name)
    trajectory = Trajectory.from_picture(rows, Hold(Z0, EPS), seeded())
    assert trajectory.denoised is None
    for k, row in enumerate(rows):
        assert not trajectory.done
        assert trajectory.calls_left == len(rows) - k
        assert trajectory.level == row.level
        D = network(trajectory.x, trajectory.level)
        trajectory.advance(D)
        assert trajectory.denoised is D
    assert trajectory.done
    assert trajectory.calls_left == 0


@pytest.mark.parametrize("name", SAMPLERS)
def test_inputs_are_left_alone(name: SamplerName):
    """A trajectory owns its state: original, noise, map, start and every D handed to it stay as they were."""
    release = random_release(steps_of("flow"))
    given = [Z0, EPS, release]
    before = [tensor.clone() for tensor in given]
    trajectory = Trajectory.from_picture(rows_on("flow", name), Hold(Z0, EPS, release), seeded())
    while not trajectory.done:
        given += [trajectory.x, network(trajectory.x, trajectory.level)]
        before += [tensor.clone() for tensor in given[-2:]]
        trajectory.advance(given[-1])
    assert all(map(torch.equal, given, before))


@pytest.mark.parametrize("name", SAMPLERS)
def test_x_stays_float32(name: SamplerName):
    """Rows are Python numbers, so the latent keeps its dtype through every form."""
    assert edit(rows_on("flow", name), random_release(steps_of("flow"))).dtype == torch.float32


@pytest.mark.parametrize("name", SAMPLERS)
def test_same_seed_same_bytes(name: SamplerName):
    """The generator is the only chance in a run: its seed decides the bytes of a noisy sampler, and of no other."""
    rows = rows_on("diffusion", name)
    first, again, other = (run(Trajectory.from_picture(rows, Hold(Z0, EPS), seeded(s))) for s in (5, 5, 6))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (not ABOUT[name].noisy)


@pytest.mark.parametrize("name", NOISY)
def test_one_draw_a_noisy_step_whatever_the_map(name: SamplerName):
    """Maps do not shift the stream of noise: the generator ends at the same place with and without one."""
    rows, states = rows_on("diffusion", name), []
    for release in (None, random_release(steps_of("diffusion"))):
        generator = seeded()
        run(Trajectory.from_picture(rows, Hold(Z0, EPS, release), generator))
        states.append(generator.get_state())
    generator = seeded()
    for row in rows:
        if row.predict[-1].C > 0:
            draw_noise(SHAPE, generator)
    assert all(torch.equal(state, generator.get_state()) for state in states)


def test_noise_is_float32_from_the_cpu_generator():
    """The same numbers for a seed as torch's own float32 draw, in the generator's order."""
    generator, reference = seeded(7), seeded(7)
    for _ in range(2):
        assert torch.equal(draw_noise(SHAPE, generator), torch.randn(SHAPE, generator=reference))
