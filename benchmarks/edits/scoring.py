"""What edits are worth: distances to the truth, what was kept, whether the wanted thing is there, and realism."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from benchmarks.edits.editors import Edits
from benchmarks.edits.places import Case, references
from overpaint.describe import Judge, Verdicts
from overpaint.fidelity import Fidelity, compare
from overpaint.picture import Pixels

SUBSETS = 50  # draws that the kernel distance is the mean of


@dataclass(frozen=True)
class Score:
    """Means over edits. Distances to the truth of the result, and of the input for comparison.

    Attributes:
        ssim, rmse, colour, edges: of the result to the truth; ``input_*``: of the input. See ``fidelity``; rmse is of
            sRGB values in 0..1.
        kept: the structure of the input that the result kept, -1..1.
        structure: of the truth that the result has, -1..1.
        adherence: how likely the judge holds the wanted class, 0..1.
        sound: how likely the judge holds the picture to be intact, 0..1.
        realism: kernel distance of all results of a use to true pictures of other places (KID with the judge's
            features; Binkowski et al. 2018, arXiv:1801.01401); lower is more alike. None where there are several uses,
            or too few results.
    """

    ssim: float
    rmse: float
    colour: float
    edges: float
    input_ssim: float
    input_rmse: float
    input_colour: float
    input_edges: float
    kept: float
    structure: float
    adherence: float
    sound: float
    realism: float | None = None

    @property
    def quality(self) -> float:
        """The harmonic mean of faithfulness and adherence, 0..1: high only where the wanted thing is there *and* the
        place is still that place. Faithfulness is the truth's structure, less what of the likeness to the truth (SSIM)
        was lost that the unedited input had. The strengths of presets are chosen by it."""
        a, b = max(self.structure, 0) * min(1, self.ssim / self.input_ssim), self.adherence
        return 0.0 if a + b == 0 else 2 * a * b / (a + b)


@dataclass(frozen=True)
class Scored:
    """One edit: its case, its strength, and its score (without realism, which only a crowd has)."""

    case: Case
    strength: float
    score: Score
    features: Pixels


def mean(scores: Iterable[Score]) -> Score:
    """Of each number; realism is a crowd's and not averaged."""
    many = list(scores)
    names = [f.name for f in fields(Score) if f.name != "realism"]
    return Score(**{name: float(np.mean([getattr(s, name) for s in many])) for name in names})


def scored(cases: Sequence[Case], strengths: Sequence[float], edits: Edits, judge: Judge) -> list[Scored]:
    """All cases edited at each strength."""
    inputs = [compare(case.truth, case.given) for case in cases]
    found = []
    for strength in strengths:
        results = edits(cases, strength)
        verdicts = judge.look([result.astype(np.float32) / 255 for result in results])
        for i, (case, result) in enumerate(zip(cases, results, strict=True)):
            score = _score(case, result, inputs[i], verdicts, i)
            found.append(Scored(case, strength, score, verdicts.features[i]))
    return found


def _score(case: Case, result: Pixels, given: Fidelity, verdicts: Verdicts, i: int) -> Score:
    told = compare(case.truth, result)
    wanted = verdicts.classes[case.target.head].index(case.target.wanted)
    return Score(
        ssim=told.ssim,
        rmse=_rmse(told),
        colour=told.colour,
        edges=told.edges,
        input_ssim=given.ssim,
        input_rmse=_rmse(given),
        input_colour=given.colour,
        input_edges=given.edges,
        kept=compare(case.given, result).structure,
        structure=told.structure,
        adherence=float(verdicts.probabilities[case.target.head][i, wanted]),
        sound=float(verdicts.sound[i]),
    )


def _rmse(fidelity: Fidelity) -> float:
    return float(10 ** (-fidelity.psnr / 20))


def reference_features(judge: Judge) -> dict[str, Pixels]:
    """What true pictures of each use's targets look like to the judge, [n, features]."""
    return {name: judge.look(list(x.astype(np.float32) / 255)).features for name, x in references().items()}


def kernel_distance(real: Pixels, made: Pixels) -> float:
    """KID of two sets of features, [n, features] each; the draws of its subsets are the same every time."""
    from torchmetrics.image.kid import KernelInceptionDistance

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore", UserWarning)  # that it keeps what it was given
        torch.manual_seed(0)
        size = min(len(real), len(made))
        distance = KernelInceptionDistance(feature=torch.nn.Identity(), subsets=SUBSETS, subset_size=size)
        distance.update(torch.from_numpy(np.array(real)), real=True)
        distance.update(torch.from_numpy(np.array(made)), real=False)
        return float(distance.compute()[0])
