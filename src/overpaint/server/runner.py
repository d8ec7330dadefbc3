"""The thread between the store and the editor: it claims stored jobs in fair order and sees each to its end.

Fair -> claim -> read its pictures -> Editor.submit -> Ending
"""

import logging
import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from overpaint.editor import Editor
from overpaint.errors import EditCancelled, StoreError
from overpaint.job import StepEvent
from overpaint.picture import Picture
from overpaint.result import EditResult
from overpaint.server.ending import Ending
from overpaint.server.events import Bells
from overpaint.server.fair import Fair
from overpaint.server.intake import Intake
from overpaint.server.records import JobRecord
from overpaint.server.running import Pace, Reason, Running, left_before
from overpaint.server.store import Store

_LOG = logging.getLogger("overpaint.server.jobs")
_PREPARING, _ENDING = 2, 2  # threads
_SHARE = 0.75  # of what runs at once, for one owner
_AGAIN = 0.5  # seconds until a store that cannot be read is tried again


class Runner:
    """Runs the jobs of a store on an editor.

    Args:
        in_flight: jobs that are worked on at once. An owner gets three quarters of them at most, and one who has none
            running gets one even where there are no more, so that nobody waits for the end of others' long jobs.
    """

    def __init__(
        self, store: Store, intake: Intake, ending: Ending, bells: Bells, editor: Editor, in_flight: int
    ) -> None:
        self._store, self._intake, self._ending, self._bells = store, intake, ending, bells
        self._editor, self._in_flight = editor, in_flight
        self._fair, self._pace = Fair(), Pace()
        self._waiting: dict[str, JobRecord] = {}
        self._running: dict[str, Running] = {}
        self._changed = threading.Condition()  # guards all of the above
        self._claiming, self._over = True, False
        self._preparers = ThreadPoolExecutor(_PREPARING, thread_name_prefix="overpaint-prepare")
        self._enders = ThreadPoolExecutor(_ENDING, thread_name_prefix="overpaint-end")
        for record in store.queued():
            self._wait(record)
        self._thread = threading.Thread(target=self._run, name="overpaint-runner", daemon=True)
        self._thread.start()

    # ---- from any thread -------------------------------------------------------------------------------------------

    def add(self, records: Sequence[JobRecord]) -> None:
        """Stored jobs are to be run."""
        with self._changed:
            for record in records:
                self._wait(record)
            self._changed.notify_all()
        self._bells.ring_all()

    def forget(self, ids: Collection[str]) -> None:
        """Waiting jobs were cancelled in the store."""
        with self._changed:
            self._fair.discard(*ids)
            for id in ids:
                self._waiting.pop(id, None)
        self._bells.ring_all()

    def cancel(self, id: str, reason: Reason = "cancelled") -> None:
        """End a running job before its next network call."""
        with self._changed:
            running = self._running.get(id)
        if running is not None:
            self._stop(running, reason)

    def running(self, id: str) -> Running | None:
        """The job, if it runs now."""
        with self._changed:
            return self._running.get(id)

    def place(self, id: str) -> int | None:
        """A waiting job's place in the queue, 1 for the next; None if it does not wait."""
        with self._changed:
            order = self._fair.order()
            return order.index(id) + 1 if id in self._fair else None

    def eta(self, id: str) -> float | None:
        """Seconds until a job will be done, as far as it can be told."""
        with self._changed:
            all_running = list(self._running.values())
            mine = self._running.get(id)
            if mine is not None:
                return self._pace.seconds(left_before(mine, all_running))
            if id not in self._fair:
                return None
            order = self._fair.order()
            ahead = sum(self._waiting[other].cost for other in order[: order.index(id) + 1])
            return self._pace.seconds(ahead + sum(other.left for other in all_running))

    @property
    def alive(self) -> bool:
        """Whether jobs are taken up; False if a fault of ours has ended that."""
        return self._thread.is_alive()

    @property
    def load(self) -> tuple[int, int]:
        """How many jobs wait, and how many run."""
        with self._changed:
            return len(self._fair), len(self._running)

    def drain(self, seconds: float) -> bool:
        """Take up no more jobs, and wait for those that run; whether all were done in this time. The others are put
        back into the queue of the store."""
        with self._changed:
            self._claiming = False
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not self._running, seconds)
            late = list(self._running.values())
        for running in late:
            self._stop(running, "stopped")
        return done

    def close(self) -> None:
        """End; what runs is put back. The editor must still be open, or be closed by now."""
        self.drain(0)
        with self._changed:
            self._changed.wait_for(lambda: not self._running, 10)
            self._over = True
            self._changed.notify_all()
        self._thread.join()
        self._ending.close()
        self._preparers.shutdown(cancel_futures=True)
        self._enders.shutdown(cancel_futures=True)

    # ---- the thread that claims ------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._has_work():
                    self._changed.wait(self._until_deadline())
                if self._over:
                    return
                late = self._late()
                id = self._fair.next(self._may) if self._claiming else None
                record = None if id is None else self._waiting.pop(id)
            for one in late:
                self._give_up(one)
            if record is not None and not self._begin(record):
                time.sleep(_AGAIN)

    def _has_work(self) -> bool:
        owners = {record.owner for record in self._waiting.values()} if self._claiming else set()
        return self._over or bool(self._late()) or any(map(self._may, owners))

    def _may(self, owner: str) -> bool:
        """Whether an owner may have one more job running."""
        theirs = sum(running.record.owner == owner for running in self._running.values())
        if theirs == 0:
            return len(self._running) < 2 * self._in_flight
        return len(self._running) < self._in_flight and theirs < self._in_flight * _SHARE

    def _until_deadline(self) -> float | None:
        """Seconds to the first deadline of a waiting or running job."""
        running = (r.record.deadline for r in self._running.values() if r.reason is None)
        all_deadlines = [d for d in (*running, *(r.deadline for r in self._waiting.values())) if d is not None]
        return max(0.01, min(all_deadlines) - time.time()) if all_deadlines else None

    def _late(self) -> list[JobRecord]:
        now = time.time()
        running = [r.record for r in self._running.values() if r.reason is None]
        return [r for r in (*self._waiting.values(), *running) if r.deadline is not None and r.deadline <= now]

    def _give_up(self, record: JobRecord) -> None:
        if self.running(record.id) is not None:
            self.cancel(record.id, "deadline")
            return
        self.forget([record.id])
        self._ending.too_late(record)

    def _wait(self, record: JobRecord) -> None:
        self._waiting[record.id] = record
        self._fair.add(record.id, record.owner, record.cost)

    def _begin(self, record: JobRecord) -> bool:
        """Claim a job and have it prepared; False if the store cannot say whether it is ours."""
        running = Running(record)
        with self._changed:  # before it is claimed: a wish to cancel that comes after that finds it here
            self._running[record.id] = running
            self._pace.began()
        claimed = False
        try:
            claimed = self._store.claim(record.id)  # not where it was cancelled meanwhile
        except StoreError as e:
            _LOG.error("a job could not be claimed: %s", e)
            with self._changed:
                self._wait(record)
            return False
        finally:
            if not claimed:
                with self._changed:
                    del self._running[record.id]
                    self._changed.notify_all()
        if claimed:
            self._preparers.submit(self._prepare, running)
        self._bells.ring_all()
        return True

    # ---- a job, from being claimed to its end ----------------------------------------------------------------------

    def _prepare(self, running: Running) -> None:
        """Read its pictures and submit it; what goes wrong is the job's end."""
        try:
            request, notes = self._intake.request(running.record.asked)
            with self._changed:
                running.notes = tuple(notes)
                reason = running.reason
            if reason is not None:
                raise EditCancelled("ended before it was started")
            running.picture = request.image if isinstance(request.image, Picture) else None
            job = self._editor.submit(request, preview=running.preview)
        except Exception as e:
            self._enders.submit(self._end, running, e)
            return
        with self._changed:
            running.job = job
            reason = running.reason
        if running.preview:
            job.preview = True
        job.listen(lambda event: self._step(running, event))
        job.add_done_callback(lambda done: self._hand_over(running, done))
        if reason is not None:  # meanwhile
            job.cancel()

    def _step(self, running: Running, event: StepEvent) -> None:
        if running.step is None and "keep" not in running.record.asked.params:  # a search has no one start
            running.t0 = int(event.t)
        running.step = event
        self._bells.ring(running.record.id)

    def _hand_over(self, running: Running, job: Future[Any]) -> None:
        self._enders.submit(self._end, running, job.exception() or job.result())

    def _stop(self, running: Running, reason: Reason) -> None:
        with self._changed:
            running.reason = running.reason or reason
            job = running.job
        if job is not None:
            job.cancel()

    def _end(self, running: Running, outcome: EditResult | BaseException) -> None:
        try:
            self._ending.of(running, outcome, again=not self._editor.alive)
        except Exception:
            _LOG.exception("the end of a job could not be stored", extra={"job": running.record.id})
        with self._changed:
            self._running.pop(running.record.id, None)
            self._pace.ended(running.record.cost - running.left, bool(self._running))
            self._changed.notify_all()
        self._bells.ring_all()
