"""Strength by goal: which strengths to try for an edit that keeps a given share of its picture, and what was found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FIRST = (0.2, 0.4, 0.6, 0.8)  # what is tried first, in one batch
LEAST = 0.005  # the weakest edit that is tried: what it loses, encoding and decoding lose
ROUNDS = 3  # of trials, at most
TOLERANCE = 0.02  # how near is near enough; another seed changes what is kept by about as much
NARROW = 0.002  # strengths nearer than this start at the same noise level, or at the next


@dataclass(frozen=True)
class Goal:
    """What an edit was to keep of its picture, and what came of it.

    Attributes:
        keep: what was asked for, 0..1.
        measure: by which of ``fidelity.MEASURES``.
        trials: what each strength kept that was tried, in the order of the strengths.
        strength: the one whose result comes nearest.
    """

    keep: float
    measure: str
    trials: Mapping[float, float]

    @property
    def strength(self) -> float:
        return min(self.trials, key=lambda s: (abs(self.trials[s] - self.keep), s))

    @property
    def kept(self) -> float:
        """What the result at this strength kept."""
        return self.trials[self.strength]

    @property
    def reached(self) -> bool:
        """Whether that is within ``TOLERANCE``."""
        return abs(self.kept - self.keep) <= TOLERANCE

    @property
    def next(self) -> list[float]:
        """The strengths to try next; none where the goal is reached, or where no other can come nearer."""
        if not self.trials:
            return list(FIRST)
        if self.reached:
            return []
        keeping = [s for s, kept in self.trials.items() if kept >= self.keep]
        losing = [s for s, kept in self.trials.items() if kept < self.keep]
        low = max((s for s in keeping if not losing or s < max(losing)), default=0.0)
        high = min((s for s in losing if s > low), default=1.0)
        if low == 0:  # an edit of strength 0 keeps all, but the next one above it loses what the coding loses
            return [] if LEAST in self.trials else [LEAST, high / 4, high / 2]
        if high == 1 and 1 not in self.trials:
            return [round((low + 1) / 2, 4), 1.0]
        if high - low <= NARROW or high <= low:
            return []
        a, b = self.trials[low], self.trials[high]
        middle = low + (a - self.keep) / (a - b) * (high - low)
        return [round((low + middle) / 2, 4), round(middle, 4), round((middle + high) / 2, 4)]

    @property
    def note(self) -> str:
        """What to tell of it."""
        found = f"keeps {self.kept:.2f} of the picture ({self.measure}) at strength {self.strength:g}"
        if self.reached:
            return f"{found}: the {self.keep:g} asked for, within {TOLERANCE:g}"
        return f"{found}, not the {self.keep:g} asked for: {self._reason}"

    @property
    def _reason(self) -> str:
        if self.strength == min(self.trials) and self.kept < self.keep:
            return "encoding and decoding lose the rest, however little is changed; detail= gives it back"
        if self.strength == 1:
            return "an edit of strength 1 does not use the picture, so nothing keeps less"
        return f"{len(self.trials)} strengths were tried, and this one is the nearest"

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        trials = [{"strength": s, "kept": kept} for s, kept in self.trials.items()]
        own = {"keep": self.keep, "measure": self.measure, "tolerance": TOLERANCE, "reached": self.reached}
        return {**own, "strength": self.strength, "kept": self.kept, "trials": trials}

    def with_trials(self, kept: Mapping[float, float]) -> "Goal":
        """With more of them."""
        return Goal(self.keep, self.measure, dict(sorted({**self.trials, **kept}.items())))
