"""A job in the words of the API: its JSON, and the events of its stream."""

from base64 import b64encode
from typing import Any

from overpaint.server.events import Happening
from overpaint.server.records import JobRecord
from overpaint.server.runner import Runner
from overpaint.server.running import Running

_OWN = ("id", "state", "created", "started", "finished", "sweep")


def told(job: JobRecord, runner: Runner | None, model: str | None) -> dict[str, Any]:
    """A job as JSON. What is not known, or not yet, is None."""
    running = runner and runner.running(job.id)
    facts = dict(job.made.facts) if job.made else {}
    asked = job.asked
    return {
        "object": "job",
        **{name: getattr(job, name) for name in _OWN},
        **_ahead(job.id, runner),
        "step": running.step.step if running and running.step else None,
        "steps": running.step.steps if running and running.step else None,
        "seed": asked.params["seed"],
        "t0": facts.get("t0", running.t0 if running else None),
        "params": dict(asked.params),
        "model": facts.pop("model", model),
        "format": asked.format,
        "result": f"/v1/jobs/{job.id}/result" if job.made else None,
        "warnings": facts.pop("warnings", list(running.notes) if running else []),
        "fidelity": facts.pop("fidelity", None),
        "facts": facts or None,
        "error": job.failure and vars(job.failure),
    }


def happening(job: JobRecord, runner: Runner | None, model: str | None) -> Happening:
    """What there is to tell of a stored job now."""
    if job.state == "queued":
        return Happening("queued", {"id": job.id, **_ahead(job.id, runner)})
    if job.state == "running":
        running = runner and runner.running(job.id)
        return step(running, runner) if running and runner else Happening("running", {"id": job.id})
    return Happening(job.state, told(job, runner, model))


def step(running: Running, runner: Runner) -> Happening:
    """How far a running job is."""
    id, event = running.record.id, running.step
    if event is None:
        return Happening("running", {"id": id, **_ahead(id, runner)})
    png = running.preview_png()
    preview = None if png is None else f"data:image/png;base64,{b64encode(png).decode()}"
    far = {"step": event.step, "steps": event.steps, "t": event.t, "preview": preview}
    return Happening("step", {"id": id, **far, **_ahead(id, runner)})


def _ahead(id: str, runner: Runner | None) -> dict[str, Any]:
    seconds, place = (None, None) if runner is None else (runner.eta(id), runner.place(id))
    return {"place": place, "eta": None if seconds is None else round(seconds, 1)}
