"""How good a judge is: temperatures and thresholds by one set of renders, then what is told of it by another."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overpaint.describe.drafting import WORDS
from overpaint.describe.heads import HEADS, SIDE
from overpaint.describe.judge import HeadFacts
from overpaint.describe.network import JudgeNetwork
from training.judge.damage import DAMAGES, damaged
from training.judge.rendering import LABELLED, Renders

PRECISION = 0.9  # wanted of what a draft names: more than the 0.8 that is promised, as few renders decide it
_FEWEST = 12  # pictures that a threshold is judged by
_TEMPERATURES = np.exp(np.linspace(-0.7, 1.1, 37))
_LEASTS = np.linspace(0.5, 0.98, 49)
_NO_FACTS = HeadFacts(1.0, {}, 0, 0.0, None, 0.0, 0.0, None)
_PHOTO, _DEGRADED = HEADS["style"].index("photo"), HEADS["style"].index("degraded")


def asked(renders: Renders, seed: int) -> tuple[Tensor, dict[str, NDArray[np.int64]]]:
    """Renders as the judge sees them, and after them as many again, broken.

    Returns:
        (float [2 n, 3, SIDE, SIDE]; {head: int64 [2 n]}, -1 where it is not asked)
    """
    whole = torch.nn.functional.interpolate(
        torch.from_numpy(renders.pictures).float() / 255, size=(SIDE, SIDE), mode="bilinear", antialias=True
    )
    broken, _ = damaged(whole, torch.Generator().manual_seed(seed))
    labels = {head: renders.labels[:, i] for i, head in enumerate(LABELLED)}
    intact = np.where(labels["style"] == _DEGRADED, -1, 1)
    untold = np.full(len(renders), -1)
    answers = {head: np.concatenate([own, untold]) for head, own in labels.items()}
    return torch.cat([whole, broken]), answers | {"sound": np.concatenate([intact, np.zeros_like(intact)])}


def scores_of(network: JudgeNetwork, pictures: Tensor) -> dict[str, Tensor]:
    """The network's scores, {head: float [n, classes]}."""
    with torch.inference_mode():
        scores = torch.cat([network(part)[1] for part in torch.split(pictures, 64)])
    return dict(zip(HEADS, torch.split(scores, [len(c) for c in HEADS.values()], 1), strict=True))


def calibrated(scores: Mapping[str, Tensor], answers: Mapping[str, NDArray[np.int64]]) -> dict[str, HeadFacts]:
    """Temperatures (Guo et al. 2017, arXiv:1706.04599) and, class by class, from when on drafts may name it."""
    facts = {}
    for head, classes in HEADS.items():
        told = answers[head] >= 0
        own, right = scores[head][told], torch.from_numpy(answers[head][told])
        losses = [float(torch.nn.functional.cross_entropy(own / t, right)) for t in _TEMPERATURES]
        temperature = float(_TEMPERATURES[int(np.argmin(losses))])
        p = (own / temperature).softmax(1).numpy()  # [n, classes]
        best, is_right = p.argmax(1), p.argmax(1) == right.numpy()
        least = {name: _least(p[best == k, k], is_right[best == k]) for k, name in enumerate(classes)}
        facts[head] = HeadFacts(**{**vars(_NO_FACTS), "temperature": round(temperature, 3), "least": least})
    return facts


def _least(p: NDArray[np.float32], right: NDArray[np.bool_]) -> float | None:
    """The lowest probability from which on ``PRECISION`` are right, here and at every higher one that can be judged."""
    found = None
    for least in _LEASTS[::-1]:
        named = p >= least
        if named.sum() < _FEWEST:
            continue
        if right[named].mean() < PRECISION:
            break
        found = round(float(least), 3)
    return found


def measured(
    facts: Mapping[str, HeadFacts], scores: Mapping[str, Tensor], answers: Mapping[str, NDArray[np.int64]]
) -> dict[str, HeadFacts]:
    """``facts`` with what comes of them on renders that had no part in them."""
    return {head: _measured(head, own, scores[head], answers) for head, own in facts.items()}


def _measured(head: str, facts: HeadFacts, scores: Tensor, answers: Mapping[str, NDArray[np.int64]]) -> HeadFacts:
    told = answers[head] >= 0
    right = answers[head][told]
    p = (scores[told] / facts.temperature).softmax(1).numpy()
    best = p.argmax(1)
    is_right, photo = best == right, answers["style"][told] == _PHOTO
    least = np.array([np.inf if v is None else v for v in facts.least.values()])
    drafted = np.array([name in WORDS.get(head, {}) for name in HEADS[head]])
    named = (p.max(1) >= least[best]) & drafted[best]
    return HeadFacts(
        temperature=facts.temperature,
        least=facts.least,
        pictures=int(told.sum()),
        accuracy=_share(is_right) or 0.0,
        on_photos=_share(is_right[photo]),
        chance=round(float(np.bincount(right).max() / len(right)), 3),
        named=_share(named) or 0.0,
        precision=_share(is_right[named]),
    )


def _share(of: NDArray[np.bool_]) -> float | None:
    return round(float(of.mean()), 3) if len(of) else None


def by_damage(network: JudgeNetwork, renders: Renders, seed: int) -> dict[str, float]:
    """{a way of breaking: how many of the renders broken so are taken for broken}, for the log."""
    whole = asked(renders, seed)[0][: len(renders)][:200]
    found = {}
    for name, (damage, _) in DAMAGES.items():
        generator = torch.Generator().manual_seed(seed)
        amounts = torch.rand(len(whole), 1, 1, 1, generator=generator)
        broken = damage(whole, whole.roll(7, 0), amounts, generator).clamp(0, 1)
        found[name] = round(float((scores_of(network, broken)["sound"].argmax(1) == 0).float().mean()), 3)
    return found
