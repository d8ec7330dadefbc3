"""A description as scripts and clients get it: with who made it, and how often such verdicts are right."""

from typing import Any

from overpaint.describe.drafting import Description
from overpaint.describe.judge import HeadFacts, shipped

BY = "judge"  # as ``overpaint describe --with`` names it


def tell(found: Description) -> dict[str, Any]:
    """What the judge of this package found, for JSON."""
    accuracy = {head: _accuracy(facts) for head, facts in shipped().facts.items()}
    return {**found.as_dict(), "by": BY, "accuracy": accuracy}


def _accuracy(facts: HeadFacts) -> dict[str, Any]:
    return {
        "right": facts.accuracy,
        "on_photos": facts.on_photos,
        "by_chance": facts.chance,
        "pictures": facts.pictures,
        "right_where_drafted": facts.precision,
    }
