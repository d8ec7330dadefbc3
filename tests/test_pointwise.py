"""What defines correct maps, in the engine and among strangers: a map edit is the number edits of its cells.

With a network that sees each cell alone, an edit by a map equals, cell by cell and with no difference at all, the edits
by numbers that run on what is left of the grid from each cell's release on; with layers, those whose weights are the
cell's everywhere. The map edits run together in one engine and share its calls; the number edits run one by one, by a
loop written out here.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from test_trajectory import DIFFUSION, MULTISTEP, seeded
from torch import Tensor

from overpaint.engine import Engine
from overpaint.job import Conditioning, Started
from overpaint.levels import FlowNoise, Level, Noise, ScheduleName, levels_for, start_level
from overpaint.maps.release import release_of
from overpaint.model import DiffusionModel
from overpaint.model_network import Network
from overpaint.newest import Newest
from overpaint.picture import Pixels
from overpaint.samplers import SAMPLERS, Row, SamplerName, rows_for
from overpaint.trajectory import Hold, Trajectory, draw_noise

NOISES: dict[str, Noise] = {"diffusion": DIFFUSION, "flow": FlowNoise(shift=3.0)}
CHANNELS = 2


# ---- the network -----------------------------------------------------------------------------------------------------


def pointwise(x: Tensor, t: Tensor, text: Tensor) -> Tensor:
    """The output for rows [R, C, h, w]: each cell from itself, t [R] and its text [R, tokens, width] alone."""
    offset, gain = text[:, 0, 0, None, None, None], text[:, 1, 0, None, None, None]  # [R, 1, 1, 1]
    return gain * _squashed(0.7 * x + offset) + 0.3 * _squashed(t[:, None, None, None] / 200 - 2)


def _squashed(x: Tensor) -> Tensor:
    return x / (1 + x.abs())


class Stand(Network):
    """A network that is ``pointwise``; a moment is its timestep."""

    def read(self, states: Tensor) -> Tensor:
        return states

    def moment(self, t: float, guidance: float) -> Tensor:
        return torch.tensor([[t]])

    def __call__(self, x: Tensor, moments: Tensor, texts: Tensor) -> Tensor:
        return pointwise(x, moments[:, 0], texts)


class Mixing(Stand):
    """The same, but a cell also sees the one beside it."""

    def __call__(self, x: Tensor, moments: Tensor, texts: Tensor) -> Tensor:
        return super().__call__(x + 0.01 * x.roll(1, -1), moments, texts)


class Pointwise(DiffusionModel):
    """The real model's rows, buckets and D over a stand-in for its network; it notes who was in each call."""

    def __init__(self, kind: str, row_buckets: Sequence[int] = (2, 4, 8)) -> None:
        self.name = "pointwise"
        self.kind = kind
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.row_buckets = tuple(row_buckets)
        self.takes_mask = self.guidance_embedded = False
        self.reads_text = True
        self.prediction, self._clip_range = "epsilon", None
        self._network = Stand()
        self._moments = Newest(1000)
        self.calls: list[list[float]] = []

    def predict(self, x: Tensor, t: Sequence[float], text: Tensor, *rest: Any) -> Tensor:
        self.calls.append(text[:, 0, 0].tolist())
        return super().predict(x, t, text, *rest)

    def denoised(self, x: Tensor, out: Tensor, level: Level) -> Tensor:
        return x - level.sigma * out if self.kind == "flow" else super().denoised(x, out, level)


# ---- edits -----------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class MapEdit:
    """An edit by a map, as a task for the engine, and what it must come to.

    Attributes:
        place: of this edit among all; its texts are told apart by it.
        release: the boundary at which each cell is let go, int64 [rows, columns]; 0 is at once, ``steps`` is never.
        from_noise: cells that start as noise alone, bool [rows, columns].
        shares: of each layer, float32 [rows, columns]; None where there is one prompt.
    """

    place: int
    kind: str
    sampler: SamplerName
    levels: list[Level]
    guidance: float
    release: Tensor
    from_noise: Tensor | None = None
    shares: tuple[Tensor, ...] | None = None
    trajectory: type[Trajectory] = Trajectory
    z0: Tensor = field(init=False)
    eps: Tensor = field(init=False)

    def __post_init__(self) -> None:
        shape = (1, CHANNELS, *self.release.shape)
        self.z0, self.eps = (draw_noise(shape, seeded(1000 * self.place + i)) for i in (1, 2))

    @property
    def steps(self) -> int:
        return len(self.levels) - 1

    @property
    def rows_a_call(self) -> int:
        return len(self.texts) * (1 if self.guidance == 1 else 2)

    @property
    def texts(self) -> list[Tensor]:
        """Of each layer [1, tokens, width]."""
        return [self._text(1 + i) for i in range(len(self.shares or [0]))]

    @property
    def negative(self) -> Tensor:
        return self._text(0)

    def _text(self, i: int) -> Tensor:
        states = draw_noise((1, 3, 4), seeded(1000 * self.place + 10 + i))
        states[0, 0, 0] = self.place / 64  # what `Pointwise.calls` shows; whole 64ths are exact
        return states

    def rows(self, skip: int = 0) -> list[Row]:
        return rows_for(self.sampler, self.levels[skip:], NOISES[self.kind].at_ratio)

    # ---- the engine's task -------------------------------------------------------------------------------------------

    def start(self, model: DiffusionModel) -> Started:
        negative = None if self.guidance == 1 else self.negative
        weights = [None] if self.shares is None else [s[None, None] for s in self.shares]
        told = [Conditioning(c, negative, self.guidance, 0.0, w) for c, w in zip(self.texts, weights, strict=True)]
        full = None if self.from_noise is None else self.from_noise[None, None]
        hold = Hold(self.z0, self.eps, self.release[None, None], full)
        return Started(self.trajectory.from_picture(self.rows(), hold, seeded(self.place)), tuple(told))

    def finish(self, model: DiffusionModel, trajectory: Trajectory) -> Callable[[], Tensor]:
        return lambda: trajectory.x

    # ---- the same by numbers -----------------------------------------------------------------------------------------

    def by_numbers(self, release: Tensor | None = None) -> Tensor:
        """Cell by cell the number edit that begins at the cell's release, with its weights everywhere."""
        release = self.release if release is None else release
        full = torch.zeros_like(release, dtype=torch.bool) if self.from_noise is None else self.from_noise
        told = torch.stack([release, full, *(self.shares or [])], -1).flatten(0, 1)  # [cells, 2 + layers]
        out = self.z0.clone()
        for key in {tuple(cell) for cell in told.tolist()}:
            if key[0] < self.steps:
                cells = (told == torch.tensor(key)).all(-1).reshape(release.shape).expand(out.shape)
                out[cells] = self._by_number(int(key[0]), bool(key[1]), key[2:])[cells]
        return out

    def _by_number(self, skip: int, from_noise: bool, weights: Sequence[float]) -> Tensor:
        """SDEdit from boundary ``skip`` on, alone."""
        generator = seeded(self.place)
        for row in self.rows()[: self._rows_before(skip)]:  # the noise of the steps that this cell was held in
            if row.predict[-1].C:
                draw_noise(self.z0.shape, generator)
        rows = self.rows(skip)
        if from_noise:
            trajectory = Trajectory.from_noise(rows, self.eps, generator)
        else:
            trajectory = Trajectory.from_picture(rows, Hold(self.z0, self.eps), generator)
        while not trajectory.done:
            x, level = trajectory.x, trajectory.level
            outs = [self._guided(x, level, text) for text in self.texts]
            out = sum(w * o for w, o in zip(weights, outs, strict=True)) if weights else outs[0]
            D = x - level.sigma * out if self.kind == "flow" else (x - level.sigma * out) / level.alpha
            trajectory.advance(D)
        return trajectory.x

    def _guided(self, x: Tensor, level: Level, text: Tensor) -> Tensor:
        t = torch.tensor([level.t], dtype=torch.float32)
        cond = pointwise(x, t, text)
        if self.guidance == 1:
            return cond
        uncond = pointwise(x, t, self.negative)
        return uncond + self.guidance * (cond - uncond)

    def _rows_before(self, boundary: int) -> int:
        starts = [i for i, row in enumerate(self.rows()) if row.boundary]
        return starts[boundary]


# ---- a crowd of them -------------------------------------------------------------------------------------------------


def by_hand(rng: np.random.Generator, steps: int, shape: tuple[int, int]) -> Tensor:
    """Any release 0..steps anywhere, every one of them at least once."""
    cells = shape[0] * shape[1]
    values = np.concatenate([np.arange(steps + 1), rng.integers(0, steps + 1, cells - steps - 1)])
    return torch.from_numpy(rng.permutation(values).reshape(shape))


def patches(rng: np.random.Generator, shape: tuple[int, int], choices: Sequence[float]) -> Pixels:
    """Values in patches of 2 x 2 cells, which no slope runs through, so that nothing is dithered."""
    small = rng.choice(np.array(choices), (shape[0] // 2, shape[1] // 2))
    small.flat[:3] = choices[:3]
    return small.repeat(2, 0).repeat(2, 1)


def by_the_law(cells: Pixels, levels: Sequence[Level]) -> Tensor:
    """Written out: the first boundary with t <= L - 1 (design, section 2); clean counts as -1."""
    t = [*(level.t for level in levels[:-1]), -1]
    first = [[next(k for k, at in enumerate(t) if at <= start_level(v, 1000) - 1) for v in row] for row in cells]
    return torch.tensor(first)


def crowd(kind: str) -> list[MapEdit]:
    """For each sampler one edit whose map is of strengths (or any releases), and one with layers and any releases."""
    rng = np.random.default_rng(7)
    edits = []
    for place, (layered, sampler) in enumerate((layered, s) for layered in (False, True) for s in SAMPLERS):
        strength, steps = (rng.choice([0.55, 0.8, 0.93, 1.0]), int(rng.integers(9, 15)))
        schedule: ScheduleName = rng.choice(["trailing", "trailing", "karras"])
        levels = levels_for(strength if kind == "diffusion" else min(strength, 0.93), steps, schedule, NOISES[kind])
        shape = [(8, 8), (8, 8), (8, 8), (6, 10)][int(rng.integers(4))]
        release, full, shares = by_hand(rng, len(levels) - 1, shape), None, None
        if layered:
            first = torch.from_numpy(patches(rng, shape, [0, 1, 0.25, 0.5, 0.75])).float()
            shares = (first, 1 - first)
        elif kind == "diffusion":  # of flow no strengths are known yet, only releases
            strengths = [strength, 0.0, 0.3, *np.round(rng.uniform(0, strength, 6), 2)]
            cells = patches(rng, shape, strengths)
            release, full = torch.from_numpy(release_of(cells, levels, 1000)), torch.from_numpy(cells >= 1)
            assert torch.equal(release, by_the_law(cells, levels))
        guidance = float(rng.choice([1.0, 2.5, 7.0]))
        edits.append(MapEdit(place, kind, sampler, levels, guidance, release, full, shares))
    return edits


def run(edits: Sequence[MapEdit], model: Pointwise) -> list[Tensor]:
    """What the engine makes of edits that are submitted together, in any order."""
    shuffled = random.Random(0).sample(edits, len(edits))
    with Engine(lambda: model) as engine:
        results = [job.result(timeout=60) for job in engine.submit_all(shuffled)]
    return [results[shuffled.index(edit)] for edit in edits]


@dataclass
class Ran:
    """A crowd's edits, what came out of each, and for each network call the edit that each row was of."""

    edits: list[MapEdit]
    results: list[Tensor]
    calls: list[list[int]]


@cache
def ran(kind: str) -> Ran:
    edits, model = crowd(kind), Pointwise(kind)
    results = run(edits, model)
    return Ran(edits, results, [[round(64 * mark) for mark in call] for call in model.calls])


ALL = [(kind, place) for kind in NOISES for place in range(2 * len(SAMPLERS))]
NAMES = [f"{kind}-{SAMPLERS[i % len(SAMPLERS)]}{'-layers' if i >= len(SAMPLERS) else ''}" for kind, i in ALL]


@pytest.mark.parametrize(("kind", "place"), ALL, ids=NAMES)
def test_among_strangers_a_map_edit_is_the_number_edits_of_its_cells(kind: str, place: int) -> None:
    """The definition of correct, not a bit of difference: no stranger's cell, row, noise, age or weight gets in."""
    edit, result = ran(kind).edits[place], ran(kind).results[place]
    assert torch.equal(result, edit.by_numbers())
    never = (edit.release == edit.steps).expand(result.shape)
    assert torch.equal(result[never], edit.z0[never])
    assert (result != edit.z0)[~never].all()


@pytest.mark.parametrize("kind", NOISES)
def test_they_were_strangers_in_shared_calls(kind: str) -> None:
    """What the test above stands on: each edit met others of other lengths and samplers, at other rows of a call."""
    edits, calls = ran(kind).edits, ran(kind).calls
    moved = 0
    for edit in edits:
        met = {other for call in calls if edit.place in call for other in call} - {edit.place}
        assert len({edits[other].sampler for other in met}) >= 2, edit.place
        assert len({edits[other].steps for other in met}) >= 2, edit.place
        rows = {row for call in calls for row, other in enumerate(call) if other == edit.place}
        moved += len(rows) > edit.rows_a_call
    assert moved > len(edits) / 2
    assert {len(call) for call in calls} >= {6, 8}
    assert kind == "flow" or any(edit.from_noise is not None and edit.from_noise.any() for edit in edits)
    assert len({edit.guidance for edit in edits}) == 3
    assert len({edit.release.shape for edit in edits}) == 2


def test_layers_that_are_one_prompt_are_that_prompt() -> None:
    """A cell that is all of one layer's is bitwise that of an edit with this prompt alone."""
    edit = next(e for e in ran("diffusion").edits if e.shares is not None)
    result = ran("diffusion").results[edit.place]
    white = (edit.shares or ())[0] == 1
    alone = run([replace(edit, shares=None)], Pointwise("diffusion"))[0]
    assert torch.equal(result[white.expand(result.shape)], alone[white.expand(result.shape)])
    assert not torch.equal(result, alone)


# ---- negative controls -----------------------------------------------------------------------------------------------


class Ageless(Trajectory):
    """A cell's age is ignored."""

    def _at_boundary(self) -> None:
        super()._at_boundary()
        self._age = None


@pytest.mark.parametrize("kind", NOISES)
def test_without_ages_it_is_not(kind: str) -> None:
    """Memory from before the release, used as if it were the cell's own, shows: in multistep samplers, nowhere else."""
    edits = [replace(e, trajectory=Ageless) for e in ran(kind).edits]
    for edit, ageless, right in zip(edits, run(edits, Pointwise(kind)), ran(kind).results, strict=True):
        assert torch.equal(ageless, right) == (edit.sampler not in MULTISTEP)


def test_let_go_a_boundary_too_soon_or_of_other_weights_it_is_not() -> None:
    for edit in ran("diffusion").edits[::4]:
        result = ran("diffusion").results[edit.place]
        assert not torch.equal(result, edit.by_numbers((edit.release - 1).clamp(min=0)))
        if edit.shares is not None:
            assert not torch.equal(result, replace(edit, shares=edit.shares[::-1]).by_numbers())


def test_with_a_network_that_mixes_cells_it_is_not() -> None:
    """The property is the stand-in's and the engine's together: it can fail."""
    edit, model = ran("diffusion").edits[0], Pointwise("diffusion")
    model._network = Mixing()
    assert not torch.equal(run([edit], model)[0], edit.by_numbers())
