"""What is in a picture, in the words of a prompt: ``describe``; and the judge that says so, for measurements."""

from overpaint.describe.drafting import Description, Part, describe
from overpaint.describe.judge import HeadFacts, Judge, Verdicts
from overpaint.describe.telling import tell

__all__ = ["Description", "HeadFacts", "Judge", "Part", "Verdicts", "describe", "tell"]
