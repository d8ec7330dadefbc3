"""How a job ends: its result is written, and how it ended is stored, before anybody is told.

What cannot be stored is tried again until it can be. If the server ends before that, the job is still "running" in the
store, and the next start runs it again, to the same bytes.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

from overpaint.errors import EditCancelled, OutputError, SandboxError, StoreError
from overpaint.explore import fidelity_of
from overpaint.recipe import plain
from overpaint.result import EditResult
from overpaint.server.files import Files
from overpaint.server.problems import INVALID, MAX_MESSAGE, SERVER, failure_of
from overpaint.server.records import Failure, JobRecord, Made
from overpaint.server.running import Running
from overpaint.server.sandbox import Sandbox
from overpaint.server.store import Store

_LOG = logging.getLogger("overpaint.server.jobs")
_AGAIN = 0.5  # seconds until a store that cannot be written is tried again
_DEADLINE = Failure(SERVER, "deadline", "the job was not done in the time that it was given")


class Ending:
    """Stores the ends of jobs. For any number of threads.

    Args:
        on_end: called with every job as it ended.
    """

    def __init__(self, store: Store, files: Files, sandbox: Sandbox, on_end: Callable[[JobRecord], object]) -> None:
        self._store, self._files, self._sandbox, self._on_end = store, files, sandbox, on_end
        self._over = threading.Event()

    def close(self) -> None:
        """Nothing is tried again any more."""
        self._over.set()

    def of(self, running: Running, outcome: EditResult | BaseException, *, again: bool) -> None:
        """A job came to this. ``again``: an error is no fault of the job's, which is put back into the queue."""
        id = running.record.id
        if isinstance(outcome, EditResult):
            ended = self._made(running, outcome)
        elif running.reason == "cancelled":
            ended = self._surely(lambda: self._store.cancelled(id))
        elif running.reason == "deadline":
            ended = self._surely(lambda: self._store.fail(id, _DEADLINE))
        elif again or running.reason == "stopped" or isinstance(outcome, EditCancelled):
            back = self._surely(lambda: self._store.put_back(id))
            ended = not back and self._surely(lambda: self._store.cancelled(id))  # its owner wished that meanwhile
        else:
            ended = self._failed(running, outcome)
        if ended:
            self._tell(id)

    def too_late(self, record: JobRecord) -> None:
        """A waiting job was not begun in its time."""
        if self._surely(lambda: self._store.fail(record.id, _DEADLINE)):
            self._tell(record.id)

    def _made(self, running: Running, result: EditResult) -> bool:
        """A result is there, and is written. Whatever goes wrong with that ends the job: nobody would run it again."""
        while True:
            try:
                return self._write(running, result)
            except SandboxError as e:  # no worker can be started just now, or the server is ending
                _LOG.error("a result cannot be encoded, trying again: %s", e)
                if self._over.wait(_AGAIN):
                    return False  # the next start runs it again
            except Exception as e:
                return self._failed(running, e)

    def _write(self, running: Running, result: EditResult) -> bool:
        """The result's file first, then that it is there."""
        id, asked = running.record.id, running.record.asked
        try:
            data = self._sandbox.encode(result.pixels, asked.format.upper(), [result.recipe])
        except OutputError as e:  # too large for the format, or too slow
            failure = Failure(INVALID, "cannot_encode", plain(e, MAX_MESSAGE), "format")
            return self._surely(lambda: self._store.fail(id, failure))
        digest = self._files.put_result(id, asked.format, data)
        made = Made(asked.format, digest, len(data), _facts(running, result))
        return self._surely(lambda: self._store.finish(id, made))

    def _failed(self, running: Running, error: BaseException) -> bool:
        failure, id = failure_of(error), running.record.id
        _LOG.error("job failed: %s", error, extra={"job": id}, exc_info=error if failure.code == "internal" else None)
        return self._surely(lambda: self._store.fail(id, failure))

    def _tell(self, id: str) -> None:
        try:
            job = self._store.job(id)
        except StoreError as e:  # it has ended all the same
            _LOG.error("how a job ended could not be read: %s", e)
            return
        if job is not None:
            _LOG.info("job %s", job.state, extra={"job": id, "owner": job.owner, "cost": job.cost})
            self._on_end(job)

    def _surely(self, write: Callable[[], bool]) -> bool:
        while True:
            try:
                return write()
            except StoreError as e:
                _LOG.error("the store cannot be written, trying again: %s", e)
                if self._over.wait(_AGAIN):
                    return False


def _facts(running: Running, result: EditResult) -> dict[str, Any]:
    """What is told of a result."""
    facts = {**result.facts(), "model": result.model}
    facts["warnings"] = [*running.notes, *facts["warnings"]]
    if running.record.asked.fidelity and running.picture is not None:
        fidelity = fidelity_of(result, running.picture)
        facts["fidelity"] = fidelity and fidelity.as_dict()
    return facts
