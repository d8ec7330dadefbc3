"""An edit in flight as the engine sees it, and a network call made of several edits' parts.

questions(turns)     -> what the network is asked for all of them, a row for each
answers(turns, out)  -> what it said, guided and mixed, for each window of each of them
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from overpaint.job import Conditioning, TaskJob
from overpaint.model import guide
from overpaint.trajectory import Trajectory
from overpaint.windows import Windows


@dataclass(eq=False)
class Active:
    """An edit in flight, and what the policy must know of it."""

    job: TaskJob
    trajectory: Trajectory
    conditionings: tuple[Conditioning, ...]
    windows: Windows
    extra: Tensor | None = None
    waited: int = 0  # network rows given to others since it was admitted
    seen: int = 0  # windows that the network saw of the current x
    laid: Tensor | None = None  # what it said of them, [1, C, H, W]
    steps_taken: int = 0
    t: float = 0.0  # where the current step started
    steps: int = field(init=False)

    def __post_init__(self) -> None:
        self.steps = self.trajectory.steps

    @property
    def rows(self) -> int:
        """Of one window, or of the whole where there are none."""
        return sum(c.rows for c in self.conditionings)

    @property
    def key(self) -> tuple[Any, ...]:
        """What must be equal to share a network call: the window's and the text's shape."""
        return (*self.trajectory.x.shape[:2], *self.windows.size), tuple(self.conditionings[0].cond.shape)

    @property
    def priority(self) -> int:
        return self.rows * (len(self.windows) * self.trajectory.calls_left - self.seen) - self.waited

    def turn(self, room: int) -> "Turn":
        """The next windows, as many as fit into ``room`` rows, but one at least."""
        most = self.seen + max(1, room // self.rows)
        return Turn(self, range(self.seen, min(most, len(self.windows))))

    def take(self, turn: "Turn", outs: list[Tensor]) -> Tensor | None:
        """What the network says of the whole [1, C, H, W], once it has said what it says of the last window."""
        if len(self.windows) == 1:
            return outs[0]
        if self.laid is None:
            self.laid = torch.zeros_like(self.trajectory.x)
        for i, out in zip(turn.windows, outs, strict=True):
            self.windows.lay(out, i, self.laid)
        self.seen = turn.windows.stop
        if self.seen < len(self.windows):
            return None
        laid, self.laid, self.seen = self.laid, None, 0
        return laid


@dataclass(frozen=True, eq=False)
class Turn:
    """An edit's part in a network call: some of its windows."""

    item: Active
    windows: range

    @property
    def rows(self) -> int:
        return len(self.windows) * self.item.rows


def questions(turns: Sequence[Turn]) -> tuple[Tensor, list[float], Tensor, list[float], Tensor | None]:
    """``DiffusionModel.predict``'s x, t, text, guidance and extra."""
    x, t, text, guidance, extra = [], [], [], [], []
    for item, i in _windows(turns):
        for c in item.conditionings:
            for states in [c.cond] if c.uncond is None else [c.uncond, c.cond]:
                x.append(item.windows.crop(item.trajectory.x, i))
                t.append(item.trajectory.level.t)
                text.append(states)
                guidance.append(c.guidance_scale)
                if item.extra is not None:
                    extra.append(item.windows.crop(item.extra, i))
    return torch.cat(x), t, torch.cat(text), guidance, torch.cat(extra) if extra else None


def answers(turns: Sequence[Turn], out: Tensor) -> list[list[Tensor]]:
    """One output [1, C, h, w] for each window of each turn: guided, and mixed of its layers."""
    rows = iter(torch.split(out, 1))  # each [1, C, h, w]
    mixed = (_mixed([_guided(c, rows) for c in item.conditionings], item, i) for item, i in _windows(turns))
    return [[next(mixed) for _ in turn.windows] for turn in turns]


def _windows(turns: Sequence[Turn]) -> list[tuple[Active, int]]:
    return [(turn.item, i) for turn in turns for i in turn.windows]


def _guided(c: Conditioning, rows: Iterator[Tensor]) -> Tensor:
    """The next one or two of a call's rows as one output [1, C, h, w]."""
    if c.uncond is None:
        return next(rows)
    uncond = next(rows)
    return guide(next(rows), uncond, c.guidance_scale, c.rescale)


def _mixed(outs: list[Tensor], item: Active, i: int) -> Tensor:
    """Layers by their weights in window ``i``. D is linear in the output, so mixing outputs mixes D."""
    if len(outs) == 1:
        return outs[0]
    mixed = torch.zeros_like(outs[0])
    for c, out in zip(item.conditionings, outs, strict=True):
        mixed = mixed + (out if c.weight is None else item.windows.crop(c.weight, i) * out)
    return mixed
