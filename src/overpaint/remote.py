"""``Remote``: a server (``overpaint serve``) that edits for a program on another machine, or beside it.

    with Remote("http://127.0.0.1:7860") as remote:
        job = remote.submit("lake.jpg", EditParams(prompt="an oil painting", strength=0.6))
        job = remote.follow(job, lambda step, steps: print(step, steps))
        png = remote.result(job)

Pictures go as the files that they are: the server reads them, and applies maps, tools and layers, so that the result is
the file that an ``Editor`` of its own would have written.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Self

import httpx

from overpaint.decode import Source
from overpaint.decode.source import read
from overpaint.errors import ImageError, ServerError
from overpaint.marks import Marks
from overpaint.params import EditParams, specs
from overpaint.remote_line import CONNECT, Line

Job = Mapping[str, Any]  # as the server tells it: "id", "state", "step", "steps", "facts" ...

ENDED = ("done", "failed", "cancelled")
PATIENCE = 600.0  # seconds for which a server that is full, not ready or gone is tried again
POLL = 0.5  # seconds between two looks at a job whose events cannot be listened to
_TAKING_IN = 300.0  # seconds until a job is answered: its pictures are all read before
_FAREWELL = 5.0  # seconds for a job to be cancelled in


class Remote:
    """A connection to a server. ``give_up`` may be called from any thread, the rest from one at a time.

    Args:
        url: as "http://127.0.0.1:7860", or with a path if it is behind another server.
        key: the API key, if it needs one; sent to this server and no other, since redirects are not followed.
        patience: seconds for which a server is tried again that has no room, is not ready, or went away meanwhile.
        note: is told, once, that there is something to wait for.

    Proxies are those of the environment; on the way to this machine itself there are none.

    Raises:
        ParameterError: ``url``, ``key`` or ``patience`` cannot be one.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        patience: float = PATIENCE,
        note: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._line = Line(url, key, patience, note)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open. Jobs go on."""
        self._line.client.close()

    def give_up(self) -> None:
        """Wait for nothing any more: what would be tried again raises now."""
        self._line.over.set()

    # ---- jobs in ---------------------------------------------------------------------------------------------------

    def submit(
        self, image: Source | None, params: EditParams, marks: Marks | None = None, *, format: str = "png"
    ) -> Job:
        """Ask for an edit; the job, which the server has stored.

        Args:
            image: a file: its path, its bytes, or open. None is plain generation.
            marks: where to change; its maps are files too.
            format: of the result: "png", "jpeg" or "webp".

        Raises:
            ParameterError, ImageError: what is wrong with the request, here or in the words of the server.
            ServerError: it cannot be reached, has no room for longer than ``patience``, or refuses.
        """
        job: Job = self._post("/v1/edits", "id", image, params, marks or Marks(), {"format": format})
        return job

    def submit_many(
        self,
        image: Source | None,
        params: EditParams,
        marks: Marks | None = None,
        *,
        count: int,
        format: str = "png",
    ) -> list[Job]:
        """Ask for an edit with ``count`` seeds: seed, seed + 1 ...; all of them are taken, or none."""
        more = {"format": format, "count": str(count)}
        jobs: list[Job] = self._post("/v1/sweeps", "jobs", image, params, marks or Marks(), more)["jobs"]
        return jobs

    def _post(
        self, path: str, needs: str, image: Source | None, params: EditParams, marks: Marks, more: dict[str, str]
    ) -> Any:
        fields, parts = _body(params, marks, more)
        if image is not None:
            parts["image"] = image
        sent = {part: _read(part, what) for part, what in parts.items()}
        names = {part: name for part, (name, _) in sent.items()}
        # an answer that was lost is asked for again by this key, and no second job is made
        headers = {"idempotency-key": secrets.token_urlsafe(24)}
        timeout = httpx.Timeout(_TAKING_IN, connect=CONNECT)
        # parts are called by their names in the request: nobody needs to know what files are called here
        files = {part: (part, data, "application/octet-stream") for part, (_, data) in sent.items()}
        return self._line.told("POST", path, needs, names, data=fields, files=files, headers=headers, timeout=timeout)

    # ---- jobs that are there ---------------------------------------------------------------------------------------

    def job(self, id: str) -> Job:
        """A job as it is now."""
        job: Job = self._line.told("GET", f"/v1/jobs/{id}", "id")
        return job

    def follow(self, job: Job, on_step: Callable[[int, int], object] = lambda step, steps: None) -> Job:
        """Wait for a job to end; the job as it ended. ``on_step`` is told how many steps of how many are done.

        By its events; by looking again and again where these do not come through.
        """
        id, hears = str(job["id"]), True
        while job["state"] not in ENDED:
            if hears:
                hears, ended = self._listen(id, on_step)
                if ended is not None:
                    return ended
            job = self.job(id)
            if (far := _far(job)) is not None:
                on_step(*far)
            if job["state"] not in ENDED and self._line.over.wait(POLL):
                raise ServerError(f"the job {id} is {job['state']}, and is not waited for any more", code="given_up")
        return job

    def result(self, job: Job) -> bytes:
        """The bytes of the file that a job made. Raises what its failure was."""
        return self._line.ask("GET", f"/v1/jobs/{job['id']}/result").content

    def cancel(self, *jobs: Job) -> None:
        """Cancel those that have not ended, as well as it can be done in a moment; of a sweep, all."""
        paths = [f"/v1/sweeps/{job['sweep']}" if job.get("sweep") else f"/v1/jobs/{job['id']}" for job in jobs]
        with suppress(httpx.HTTPError):  # it is gone: there is nobody to tell
            for path in dict.fromkeys(paths):
                self._line.client.delete(path, timeout=_FAREWELL)

    def _listen(self, id: str, on_step: Callable[[int, int], object]) -> tuple[bool, Job | None]:
        """Whether any events came, and the job as it ended; None where the stream ends before."""
        heard = False
        with suppress(httpx.HTTPError), self._line.client.stream("GET", f"/v1/jobs/{id}/events") as answer:
            if not answer.is_success or not answer.headers.get("content-type", "").startswith("text/event-stream"):
                return False, None
            for kind, data in _events(answer.iter_lines()):
                heard = True
                if kind in ENDED:
                    return True, data
                if (far := _far(data)) is not None:
                    on_step(*far)
        return heard, None


def _body(params: EditParams, marks: Marks, more: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The texts of a request, and its files by the names of their parts."""
    given = {f.name: value for f, _ in specs() if (value := getattr(params, f.name)) is not None}
    maps = {name: getattr(marks, name) for name in ("map", "mask", "changed_from", "scribble")}
    parts = {name: map for name, map in maps.items() if map is not None}
    told: list[dict[str, Any]] = []
    for number, layer in enumerate(marks.layers, 1):
        parts[part := f"layer {number}"] = layer.map
        told.append({**vars(layer), "map": None, "map_part": part})
    fields: dict[str, Any] = {"params": json.dumps(given), "tools": list(marks.tools), **more}
    if told:
        fields["layers"] = json.dumps(told)
    if marks.mask_by != "brightness":
        fields["mask_by"] = marks.mask_by
    if marks.soft:
        fields["soft"] = "true"
    return fields, parts


def _read(part: str, what: Source) -> tuple[str, bytes]:
    """What a file is called in messages, as the library has it, and its bytes."""
    prefix = "" if part in ("image", "changed_from") else f"{part}: "
    try:
        name, data = read(what)
    except ImageError as e:
        raise ImageError(f"{prefix}{e}", kind=e.kind) from e
    return prefix + name, data


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Job]]:
    """Server-sent events: what happened, and the object of JSON that comes with it; up to one that is none."""
    kind, data = "", list[str]()
    for line in lines:
        name, _, value = line.partition(":")  # without a name it is a comment
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif not line and data:
            try:
                told = json.loads("\n".join(data))
            except ValueError:
                return
            if not isinstance(told, dict):
                return
            yield kind, told
            kind, data = "", []


def _far(told: Job) -> tuple[int, int] | None:
    """How many steps of how many are done, where that is told."""
    step, steps = told.get("step"), told.get("steps")
    return (step, steps) if isinstance(step, int) and isinstance(steps, int) and steps > 0 else None


def facts_of(job: Job) -> dict[str, Any]:
    """The facts of a job that is done, as ``EditResult.facts`` has them."""
    return {"warnings": job["warnings"], **job["facts"]}
