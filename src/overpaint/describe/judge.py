"""The judge: a small classifier of landscapes, trained on renders. How often it is right travels in its file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from overpaint.describe.heads import FEATURES, HEADS, SIDE
from overpaint.errors import ImageError, ModelError
from overpaint.picture import Pixels
from overpaint.weights import read_header

if TYPE_CHECKING:
    from torch import Tensor

    from overpaint.describe.network import JudgeNetwork

WEIGHTS = Path(__file__).with_name("judge.safetensors")
FORMAT = "overpaint-judge-1"  # the entry of its metadata: a single one, whose order cannot change
_AT_ONCE = 16  # pictures; always as many, so that no result depends on how many there are


@dataclass(frozen=True)
class HeadFacts:
    """What is known of one head, by renders of places that it was not trained on.

    Attributes:
        temperature: its scores are divided by this, so that of what it is 80 % sure of, 80 % is so.
        least: {class: how sure it has to be before a draft names it}; None: a draft never does.
        pictures: how many its accuracy was measured on.
        accuracy: how often it is right, 0..1, on all styles together.
        on_photos: the same, on renders in the style of a photograph only.
        chance: how often whoever always says the commonest class would be right.
        named: of the pictures, the part in which it is sure enough to be named, 0..1.
        precision: how often it is right where it is named, 0..1; None where nothing was.
    """

    temperature: float
    least: Mapping[str, float | None]
    pictures: int
    accuracy: float
    on_photos: float | None
    chance: float
    named: float
    precision: float | None


@dataclass(frozen=True)
class Verdicts:
    """What the judge thinks of n pictures.

    Attributes:
        probabilities: {head: float32 [n, classes]}, each row with the sum 1.
        classes: {head: the names of its classes}.
        features: float32 [n, FEATURES], at least 0: the numbers that the verdicts were made from.
    """

    probabilities: dict[str, Pixels]
    classes: dict[str, tuple[str, ...]]
    features: Pixels

    @property
    def sound(self) -> Pixels:
        """float32 [n]: how likely it is that a picture is intact, not noise, blurred, or otherwise broken."""
        column: Pixels = self.probabilities["sound"][:, 1]
        return column

    def best(self, head: str) -> list[str]:
        """The likeliest class of each picture."""
        return [self.classes[head][i] for i in self.probabilities[head].argmax(1)]

    def __len__(self) -> int:
        return len(self.features)


class Judge:
    """A loaded judge, on the CPU in float32.

    Attributes:
        facts: {head: how good it is}.
    """

    def __init__(self, network: "JudgeNetwork", facts: Mapping[str, HeadFacts]) -> None:
        self._network = network
        self.facts = dict(facts)

    @classmethod
    def load(cls, path: str | Path = WEIGHTS) -> "Judge":
        """Load the judge of this package, or the one in ``path``.

        Raises:
            ModelError: the file is not there, damaged, or no judge.
        """
        file = Path(path)
        if not file.is_file():
            raise ModelError(f"{file}: no such file; the judge's weights are a .safetensors file of the package")
        facts = _read_facts(file)
        return cls(_read_network(file), facts)

    def look(self, pictures: Sequence[Pixels]) -> Verdicts:
        """Judge pictures of any sizes, each as a whole: it is brought to SIDE x SIDE.

        Args:
            pictures: each [h, w, 3] float in 0..1.

        Raises:
            ImageError: one has another shape or type, is empty, or holds numbers that are not finite.
        """
        import torch

        seen = [_seen(picture, i) for i, picture in enumerate(pictures)]
        features, scores = [], []
        with torch.inference_mode():
            for start in range(0, len(seen), _AT_ONCE):
                batch = seen[start : start + _AT_ONCE]
                x = torch.stack([*batch, *[torch.zeros_like(batch[0])] * (_AT_ONCE - len(batch))])
                of_these = self._network(x)
                features.append(of_these[0][: len(batch)])
                scores.append(of_these[1][: len(batch)])
            told = self.probabilities(torch.cat(scores) if scores else torch.zeros(0, sum(map(len, HEADS.values()))))
        made = torch.cat(features).numpy() if features else np.zeros((0, FEATURES), np.float32)
        return Verdicts({head: p.numpy() for head, p in told.items()}, dict(HEADS), made)

    def probabilities(self, scores: "Tensor") -> "dict[str, Tensor]":
        """The network's scores, float [n, CLASSES], as {head: [n, classes]}."""
        import torch

        parts = torch.split(scores, [len(c) for c in HEADS.values()], 1)
        return {head: (part / self.facts[head].temperature).softmax(1) for head, part in zip(HEADS, parts, strict=True)}


@lru_cache(maxsize=1)
def shipped() -> Judge:
    """The judge of this package, loaded once."""
    return Judge.load()


def _seen(picture: Pixels, number: int) -> "Tensor":
    """What the network sees of a picture: float32 [3, SIDE, SIDE], by averages over what each pixel covers."""
    import torch

    x = np.asarray(picture)
    if x.ndim != 3 or x.shape[2] != 3 or 0 in x.shape or not np.issubdtype(x.dtype, np.floating):
        raise ImageError(f"picture {number} is {x.dtype} {list(x.shape)}, must be [h, w, 3] of floats in 0..1")
    whole = torch.from_numpy(np.array(x, np.float32)).permute(2, 0, 1)[None]  # [1, 3, h, w]
    if not bool(whole.isfinite().all()):
        raise ImageError(f"picture {number} holds numbers that are not finite")
    small = torch.nn.functional.interpolate(
        whole.clamp(0, 1), size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True
    )
    return small[0]


# ---- its file --------------------------------------------------------------------------------------------------------


def facts_as_text(facts: Mapping[str, HeadFacts]) -> str:
    """What ``Judge.load`` reads from the file's metadata."""
    return json.dumps({head: vars(own) for head, own in facts.items()})


def _read_facts(file: Path) -> dict[str, HeadFacts]:
    from safetensors import safe_open

    read_header(file)
    with safe_open(file, framework="np") as opened:
        metadata: dict[str, str] = opened.metadata() or {}
    if FORMAT not in metadata:
        raise ModelError(f"{file} is no judge: its metadata has no entry {FORMAT!r}, which tells how good it is")
    try:
        told: dict[str, dict[str, Any]] = json.loads(metadata[FORMAT])
        facts = {head: HeadFacts(**told[head]) for head in HEADS}
        if any(tuple(facts[head].least) != classes for head, classes in HEADS.items()):
            raise ValueError("its classes are others than this version's")
    except (KeyError, TypeError, ValueError) as e:
        raise ModelError(f"{file} cannot be loaded: its metadata does not tell all heads' facts: {e}") from e
    return facts


def _read_network(file: Path) -> "JudgeNetwork":
    from safetensors.torch import load_file

    from overpaint.describe.network import JudgeNetwork

    network = JudgeNetwork()
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items() if value.is_floating_point()}
    there = read_header(file)
    if wrong := sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name)):
        name = wrong[0]
        shapes = f"has the shape {there.get(name)}, must have {wanted.get(name)}"
        raise ModelError(f"{file} cannot be loaded: its tensor {name!r:.80} {shapes}")
    weights = {name: value.float() for name, value in load_file(file).items()}
    for name, value in weights.items():
        if not bool(value.isfinite().all()):
            raise ModelError(f"{file} cannot be loaded: its tensor {name} has numbers that are not finite")
    network.load_state_dict(weights, strict=False)  # all but the counters of batches, which only training needs
    return network.eval().requires_grad_(False)
