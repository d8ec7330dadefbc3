"""``Service``: what the server does, without HTTP. All ways in (our API, others' APIs, the page) call this.

Methods block and may be called from any thread, but for ``watch``, which is the event loop's. Each raises an
``OverpaintError`` whose meaning for a client stands in ``problems``.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from overpaint.editor import Editor
from overpaint.errors import ParameterError, QueueFullError
from overpaint.params import MAX_COUNT
from overpaint.request import EditRequest
from overpaint.server.decoded import Decoded
from overpaint.server.ending import Ending
from overpaint.server.events import Bells, Happening
from overpaint.server.files import Files
from overpaint.server.intake import Intake, drawn, fingerprint
from overpaint.server.keeper import Keeper
from overpaint.server.order import Order
from overpaint.server.pictures import Pictures
from overpaint.server.problems import INVALID, MISSING, SERVER, Problem, not_found, problem_of_failure
from overpaint.server.records import Asked, Cancelling, JobRecord, Phase, State, new_id
from overpaint.server.runner import Runner
from overpaint.server.sandbox import Sandbox
from overpaint.server.settings import Settings
from overpaint.server.store import Store
from overpaint.server.telling import happening, step, told
from overpaint.several import seeds_of, strengths_of, values_of
from overpaint.work import work_of

_WORDS = {"loading": "the model is being loaded", "draining": "the server is ending", "broken": "the server is broken"}
_GIGA = 1e9
_SOON = 5  # seconds after which a server that is not ready may be


class Service:
    """The jobs and pictures of one server.

    Args:
        on_end: called with every job as it ended, on some thread.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        files: Files,
        sandbox: Sandbox,
        on_end: Callable[[JobRecord], object] = lambda job: None,
    ) -> None:
        self.settings, self.store, self.files, self.sandbox = settings, store, files, sandbox
        self.editor: Editor | None = None
        self._phase: Phase = "loading"
        self._on_end = on_end
        decoded = Decoded(sandbox, files, settings.cache_megabytes << 20)
        self._intake = Intake(store, decoded)
        self.pictures = Pictures(store, decoded, sandbox, self._ready_editor)
        self._bells = Bells()
        self._runner: Runner | None = None
        self._keeper = Keeper(settings, store, files)

    # ---- its life --------------------------------------------------------------------------------------------------

    def start(self, editor: Editor) -> None:
        """The model is there: take up what is stored, and be ready."""
        self.store.hold()
        self.store.recover()
        self.editor = editor
        ending = Ending(self.store, self.files, self.sandbox, self._on_end)
        self._runner = Runner(self.store, self._intake, ending, self._bells, editor, self.settings.in_flight)
        if self._phase == "loading":
            self._phase = "ready"

    @property
    def state(self) -> Phase:
        """Whether work is taken, and if not, why."""
        parts = (self.editor, self._runner)
        if self._phase == "ready" and not all(part is not None and part.alive for part in parts):
            self._phase = "broken"
        return self._phase

    def drain(self, seconds: float) -> bool:
        """Take no more work, and wait for what runs; whether all of it was done. What was not is queued again."""
        self._phase = "draining"
        self._bells.ring_all()
        return self._runner is None or self._runner.drain(seconds)

    def close(self) -> None:
        """End. Store, files, sandbox and editor are closed by who opened them."""
        self._phase = "draining"
        if self._runner is not None:
            self._runner.close()
        self._keeper.close()

    def room(self) -> None:
        """Cheap, before a body is read: raises a ``Problem`` or ``QueueFullError`` where no job can be taken now."""
        waiting, _ = self._ready_runner().load
        if waiting >= self.settings.queue:
            raise QueueFullError(waiting, of_owner=False)

    def _ready_editor(self) -> Editor:
        state = self.state
        if state != "ready" or self.editor is None:
            raise Problem(503, SERVER, "not_ready", _WORDS.get(state, "the server is not ready"), retry_after=_SOON)
        return self.editor

    def _ready_runner(self) -> Runner:
        self._ready_editor()
        assert self._runner is not None
        return self._runner

    # ---- jobs in ---------------------------------------------------------------------------------------------------

    def submit(self, order: Order, owner: str) -> JobRecord:
        """Take a job; when this returns it is stored. With a known idempotency key, the job that it came with."""
        asked = self._intake.take_in(order, owner)
        request, _ = self._intake.request(asked)
        return self._store_all([self._record(order, owner, asked, request)], order, fingerprint(order))[0]

    def submit_all(self, orders: Sequence[Order], owner: str) -> list[JobRecord]:
        """Take the jobs of several orders that belong together; all or none are stored, and found as a sweep.

        An idempotency key is the first one's; what it came with are all of them.
        """
        sweep = new_id()
        asked = [self._intake.take_in(order, owner) for order in orders]
        requests = self._intake.requests(asked)
        each = zip(orders, asked, requests, strict=True)
        records = [self._record(order, owner, told, request, sweep) for order, told, request in each]
        return self._store_all(records, orders[0], fingerprint(*orders))

    def submit_sweep(
        self,
        order: Order,
        owner: str,
        *,
        strengths: Sequence[float] = (),
        against: Mapping[str, Sequence[Any]] | None = None,
        count: int = 1,
    ) -> list[JobRecord]:
        """Take the jobs of a sweep: all strengths, for each value of another parameter or each of ``count`` seeds.

        All or none are stored. Without strengths they all have the order's own.
        """
        if against is not None and count != 1:
            raise ParameterError("count", "does not go with against: {'seed': [...]} names the seeds")
        asked = self._intake.take_in(order, owner)
        request, _ = self._intake.request(asked)
        rows = seeds_of(request, count) if against is None else values_of(request, against)[1]
        many = [one for row in rows for one in (strengths_of(row, strengths) if strengths else [row])]
        if len(many) > MAX_COUNT:
            raise ParameterError("strengths", f"make {len(many)} edits, at most {MAX_COUNT} are made at a time")
        sweep = new_id()
        each = ((replace(asked, params=Asked.of(drawn(one.params)).params), one) for one in many)
        records = [self._record(order, owner, told, one, sweep) for told, one in each]
        return self._store_all(records, order, fingerprint(order, strengths=strengths, against=against, count=count))

    def _record(
        self, order: Order, owner: str, asked: Asked, request: EditRequest, sweep: str | None = None
    ) -> JobRecord:
        seconds, most = order.deadline_seconds, self.settings.deadline_seconds
        if seconds is not None and not 0 < seconds <= most:
            raise ParameterError("deadline", f"is {seconds:g}, must be above 0 and at most {most:g} seconds")
        cost = work_of(request, self._ready_editor().model)
        return JobRecord(asked=asked, owner=owner, sweep=sweep, cost=cost, deadline=time.time() + (seconds or most))

    def _store_all(self, records: Sequence[JobRecord], order: Order, told: str) -> list[JobRecord]:
        asked, most = sum(record.cost for record in records), self.settings.most_work * _GIGA
        if asked > most:
            words = f"{asked / _GIGA:.3g} gigapixels of network work, at most {most / _GIGA:g} are done for a request"
            raise Problem(422, INVALID, "too_much_work", f"it takes {words}; fewer steps or a smaller size take less")
        first = replace(records[0], key=order.key, fingerprint=told)
        runner, limits = self._ready_runner(), self.settings
        stored = self.store.add_all([first, *records[1:]], room=limits.queue, room_of_owner=limits.queue_of_key)
        if stored[0].id == first.id:  # and not what an idempotency key came with before
            runner.add(stored)
        return stored

    # ---- jobs out --------------------------------------------------------------------------------------------------

    def job(self, id: str, owner: str) -> JobRecord:
        """An owner's job."""
        job = self.store.get(id, owner)
        if job is None:
            raise not_found("job")
        return job

    def jobs(self, owner: str, *, state: State | None, limit: int, before: str | None) -> list[JobRecord]:
        """An owner's jobs, the newest first."""
        return self.store.jobs_of(owner, state=state, limit=limit, before=before)

    def sweep(self, id: str, owner: str) -> list[JobRecord]:
        """The jobs of an owner's sweep, in their order."""
        jobs = self.store.sweep(id, owner)
        if not jobs:
            raise not_found("sweep")
        return jobs

    def view(self, job: JobRecord) -> dict[str, Any]:
        """A job as JSON."""
        return told(job, self._runner, self.model)

    @property
    def model(self) -> str | None:
        """The name of the model that is served, once it is known."""
        return None if self.editor is None else self.editor.model.name

    def cancel(self, id: str, owner: str) -> JobRecord:
        """End a job: at once while it waits, else before its next network call."""
        outcome = self.store.cancel(id, owner)
        if outcome == "unknown":
            raise not_found("job")
        if outcome == "ended":
            raise Problem(409, INVALID, "ended", f"the job is {self.job(id, owner).state} already")
        self._let_go({id: outcome})
        return self.job(id, owner)

    def cancel_sweep(self, id: str, owner: str) -> list[JobRecord]:
        """End those of a sweep's jobs that have not ended."""
        self.sweep(id, owner)
        self._let_go(self.store.cancel_sweep(id, owner))
        return self.sweep(id, owner)

    def _let_go(self, wished: Mapping[str, Cancelling]) -> None:
        """Have the runner see what the store knows of wishes to cancel."""
        gone = [id for id, outcome in wished.items() if outcome == "cancelled"]
        if self._runner is not None:
            self._runner.forget(gone)
            for id in wished.keys() - set(gone):
                self._runner.cancel(id)
        for id in gone:
            if (job := self.store.job(id)) is not None:
                self._on_end(job)

    def result(self, id: str, owner: str) -> tuple[JobRecord, bytes]:
        """A result's file."""
        job = self.job(id, owner)
        if job.failure is not None:
            raise problem_of_failure(job.failure)
        if job.state == "cancelled":
            raise Problem(409, INVALID, "cancelled", "the job was cancelled")
        if job.made is None:
            seconds = self._runner and self._runner.eta(id)
            wait = min(60, math.ceil(seconds)) if seconds else 1
            raise Problem(409, INVALID, "not_done", f"the job is {job.state}, not done yet", retry_after=wait)
        f = self.files.open_result(id, job.made.format)
        if f is None:
            raise Problem(410, MISSING, "result_gone", "the result is not kept any more; the job can be sent again")
        with f:
            return job, f.read()

    async def watch(self, id: str, owner: str, *, preview: bool = False) -> AsyncIterator[Happening]:
        """What happens to a job until it ends, the present first; a slow reader gets the latest.

        Ends early, without a last event, where the server ends while the job waits.
        """
        with self._bells.heard(id) as bell:
            before: Happening | None = None
            while True:
                bell.clear()
                now = await asyncio.to_thread(self.happening, id, owner, preview=preview)
                if now != before:
                    yield now
                if now.is_last or (now.kind == "queued" and self.state != "ready"):
                    return
                before = now
                await bell.wait()

    def happening(self, id: str, owner: str, *, preview: bool = False) -> Happening:
        """What there is to tell of a job now; with ``preview`` every step from now on has one."""
        running = self._runner and self._runner.running(id)
        if running and self._runner and running.record.owner == owner:
            if preview:
                running.look_on()
            return step(running, self._runner)
        return happening(self.job(id, owner), self._runner, self.model)
