"""Our jobs as the answers and events that OpenAI's clients read."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from overpaint.server.openai import Wanted
from overpaint.server.records import JobRecord

# of an answer, and how far it is OpenAI's, for the documentation
ANSWER: dict[str, str] = {
    "created": "When the jobs were taken, in seconds.",
    "data": "One entry for each result: `b64_json` or `url`; and, of ours, `seed` and `job`, the id of the job it is.",
    "output_format": "Of the results.",
    "size": "Of the results, as WIDTHxHEIGHT.",
    "warnings": "Ours: which fields had no effect, and what the jobs have to say. There is no `usage`.",
}


def answer(made: Sequence[tuple[JobRecord, bytes]], wanted: Wanted, base_url: str) -> dict[str, Any]:
    """The answer for results that are there; ``base_url`` is the server's, for those that are told by URL."""
    first = made[0][0]
    told = [
        {"url": f"{base_url}/v1/jobs/{job.id}/result"} | _own(job) if wanted.as_url else in_base64(data) | _own(job)
        for job, data in made
    ]
    warnings = [*wanted.warnings, *(words for job, _ in made for words in _facts(job)["warnings"])]
    return {
        "created": int(first.created),
        "data": told,
        "output_format": first.asked.format,
        "size": size_of(first),
        "warnings": list(dict.fromkeys(warnings)),
    }


def completed(job: JobRecord, data: bytes, wanted: Wanted) -> dict[str, Any]:
    """What the last event of a result says of it."""
    warnings = [*wanted.warnings, *_facts(job)["warnings"]]
    return {**in_base64(data), "size": size_of(job), **_own(job), "warnings": warnings}


def in_base64(data: bytes) -> dict[str, str]:
    """A picture's bytes, as their answers and events have them."""
    return {"b64_json": b64encode(data).decode()}


def size_of(job: JobRecord) -> str:
    """Of its result."""
    return f"{_facts(job)['width']}x{_facts(job)['height']}"


def _own(job: JobRecord) -> dict[str, Any]:
    return {"seed": _facts(job)["seed"], "job": job.id}


def _facts(job: JobRecord) -> Mapping[str, Any]:
    assert job.made is not None
    return job.made.facts


@dataclass
class Partials:
    """When to show what a result looks like so far: at most so many times, evenly over its steps."""

    most: int
    _taken: int = 0

    def due(self, step: int, steps: int) -> bool:
        """Whether it is time after ``step`` of ``steps``; those that were missed are not made up for."""
        taken = self._taken
        while self._taken < self.most and step * (self.most + 1) >= (self._taken + 1) * steps:
            self._taken += 1
        return self._taken > taken
