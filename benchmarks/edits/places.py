"""Held-out places drawn in every look that the uses need."""

from dataclasses import dataclass

import numpy as np

from benchmarks.edits.uses import USES, Target, Use, subjects
from overpaint.picture import Pixels
from training.scenes import Layouts, Look, Renderer, draw, held_out

OFFSET = 0  # which of the held-out sets the places come from
REFERENCE_OFFSET = 1  # and those that realism is measured against: other places than the edited ones
REFERENCES = 32
REFERENCE_SIDE = 128  # pixels: what the judge sees
_AT_ONCE = 4  # places drawn together


@dataclass(frozen=True)
class Case:
    """One edit to be made, and what is right: pictures [h, w, 3] uint8."""

    use: Use
    target: Target
    place: int
    prompt: str
    given: Pixels
    truth: Pixels


def cases(places: int, side: int) -> list[Case]:
    """All edits of all uses, of the first ``places`` held-out places, drawn ``side`` pixels wide."""
    layouts = held_out(places, offset=OFFSET)
    looks = list(dict.fromkeys(look for use in USES for look in use.looks))
    drawn = drawn_in(layouts, looks, side)
    told = subjects(layouts)
    return [
        Case(use, target, i, target.prompt.format(subject=told[i]), drawn[use.given][i], drawn[target.look][i])
        for use in USES
        for target in use.targets
        for i in range(places)
    ]


def references(count: int = REFERENCES) -> dict[str, Pixels]:
    """What pictures of each use's targets really look like, [count * targets, side, side, 3] uint8, small ones."""
    looks = list(dict.fromkeys(target.look for use in USES for target in use.targets))
    drawn = drawn_in(held_out(count, offset=REFERENCE_OFFSET), looks, REFERENCE_SIDE)
    return {use.preset: np.concatenate([drawn[target.look] for target in use.targets]) for use in USES}


def drawn_in(layouts: Layouts, looks: list[Look], side: int) -> dict[Look, Pixels]:
    """Each look of all places, [n, side, side, 3] uint8."""
    renderer = Renderer(side)
    parts = [
        draw(layouts[first : first + _AT_ONCE], looks, renderer=renderer) for first in range(0, len(layouts), _AT_ONCE)
    ]
    # every part: [looks, n, 3, side, side]
    whole = np.concatenate([part.numpy() for part in parts], 1).transpose(0, 1, 3, 4, 2)
    return dict(zip(looks, (whole.clip(0, 1) * 255 + 0.5).astype(np.uint8), strict=True))
