"""Who edits: a model folder through Overpaint; and editors that are broken on purpose, which must score badly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.edits.places import Case
from overpaint.editor import Editor
from overpaint.picture import Pixels
from overpaint.request import EditRequest

Edits = Callable[[Sequence[Case], float], list[Pixels]]  # edits of all cases at one strength, [h, w, 3] uint8 each


@dataclass(frozen=True)
class Ours:
    """The editor under test. The seed of an edit is its place's number and ``seed``: the same at every strength.

    Attributes:
        options: for ``EditRequest``, beside strength, preset and seed.
        deaf: ignores the prompt, as a broken editor might.
    """

    editor: Editor
    seed: int
    options: dict[str, Any]
    deaf: bool = False

    def __call__(self, cases: Sequence[Case], strength: float) -> list[Pixels]:
        jobs = [self.editor.submit(self._request(case, strength)) for case in cases]
        return [self.editor.follow(job).pixels for job in jobs]

    def _request(self, case: Case, strength: float) -> EditRequest:
        if self.deaf:
            return EditRequest(case.given, "", strength=strength, seed=self.seed + case.place, **self.options)
        own = {"preset": case.use.preset, **self.options}
        return EditRequest(case.given, case.prompt, strength=strength, seed=self.seed + case.place, **own)


def unmoved(cases: Sequence[Case], strength: float) -> list[Pixels]:
    """Returns the input."""
    return [case.given for case in cases]


def noise(cases: Sequence[Case], strength: float) -> list[Pixels]:
    """Returns noise."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, case.given.shape, np.uint8) for case in cases]
