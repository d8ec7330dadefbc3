"""The jobs, as they are true: what was accepted is stored before anybody is told, and ends exactly once.

    add -> queued -> running -> done | failed | cancelled
              ^---------'  put_back, recover

Every transition is one UPDATE with the states it may start from in its WHERE: of two that race, threads or processes,
one moves the job and the other is told that it did not.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, delete, func, insert, select, union, update

from overpaint.errors import KeyReusedError, QueueFullError
from overpaint.server.database import Database, inputs, jobs, pictures, totals
from overpaint.server.records import (
    ENDED,
    Cancelling,
    Counts,
    Failure,
    JobRecord,
    Made,
    PictureRecord,
    Recovered,
    State,
    dump,
)
from overpaint.server.rows import job_of, row_of

MOST_ATTEMPTS = 3
_PAGE = 200
_INTERRUPTED = Failure(
    "server_error", "interrupted", "The server went down while this job ran, too often to try again."
)


class Store:
    """The jobs and pictures of one server.

    Args:
        where: a file for SQLite, or a URL: ``sqlite:///FILE``, ``postgresql://USER@HOST/NAME``.
        clock: seconds UTC.

    Raises:
        StoreError: here and from every method, where the database cannot be reached or written. What was accepted
            before stays, and the next call tries again.
    """

    def __init__(self, where: str | os.PathLike[str], clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._database = Database(where)

    def hold(self) -> None:
        """Be the only server that works with this store. Raises ``FolderInUseError`` where another one does."""
        self._database.hold()

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- jobs in

    def add(self, record: JobRecord, *, room: int | None = None, room_of_owner: int | None = None) -> JobRecord:
        """Store one job: ``add_all`` of it alone."""
        return self.add_all([record], room=room, room_of_owner=room_of_owner)[0]

    def add_all(
        self, records: Sequence[JobRecord], *, room: int | None = None, room_of_owner: int | None = None
    ) -> list[JobRecord]:
        """Store one owner's jobs, all or none; when this returns they are on the disk.

        Args:
            records: ``number``, ``created`` and ``state`` are the store's. An idempotency key stands on the first.
            room, room_of_owner: how many jobs may wait, of everybody and of this owner; None for any number.

        Returns:
            The jobs as they are stored; where the owner's idempotency key is known, those it came with.

        Raises:
            QueueFullError: nothing was stored.
            KeyReusedError: the key is known, and came with another request.
        """
        first, more = records[0], len(records) - 1
        with self._database.writing() as c:
            accepted: int = c.execute(select(totals.c.accepted).with_for_update()).scalar_one()
            if first.key is not None and (known := _known(c, first)):
                return known
            waiting = select(func.count()).where(jobs.c.state == "queued")
            if room is not None and (n := c.execute(waiting).scalar_one()) + more >= room:
                raise QueueFullError(n, of_owner=False)
            theirs = waiting.where(jobs.c.owner == first.owner)
            if room_of_owner is not None and (n := c.execute(theirs).scalar_one()) + more >= room_of_owner:
                raise QueueFullError(n, of_owner=True)
            now = self._clock()
            stored = [
                replace(record, state="queued", number=accepted + i, created=now) for i, record in enumerate(records, 1)
            ]
            c.execute(update(totals).values(accepted=accepted + len(stored)))
            c.execute(insert(jobs), [row_of(job) for job in stored])
            needed = [{"job": job.id, "digest": digest} for job in stored for digest in sorted(job.asked.digests)]
            if needed:
                c.execute(insert(inputs), needed)
        return stored

    # -- transitions; each says whether this call made it

    def claim(self, id: str) -> bool:
        """queued -> running"""
        return self._move(id, ["queued"], state="running", started=self._clock())

    def put_back(self, id: str) -> bool:
        """running -> queued, through no fault of the job; not where its owner wishes it cancelled."""
        return self._move(id, ["running"], unless_cancelled=True, state="queued", started=None)

    def finish(self, id: str, made: Made) -> bool:
        """running -> done; the result's file is there already. Even where a wish to cancel came too late."""
        return self._move(id, ["running"], state="done", finished=self._clock(), made=dump(asdict(made)))

    def fail(self, id: str, failure: Failure) -> bool:
        """queued or running -> failed"""
        told = dump(asdict(failure))
        return self._move(id, ["queued", "running"], state="failed", finished=self._clock(), failure=told)

    def cancelled(self, id: str) -> bool:
        """queued or running -> cancelled: the runner has let go of it."""
        return self._move(id, ["queued", "running"], state="cancelled", finished=self._clock())

    def cancel(self, id: str, owner: str) -> Cancelling:
        """What an owner's wish comes to: a queued job is cancelled, a running one is marked for the runner to see."""
        with self._database.writing() as c:
            wished = _wish(c, and_(jobs.c.id == id, jobs.c.owner == owner), self._clock())
            if wished:
                return wished[id]
            known = c.execute(select(jobs.c.id).where(jobs.c.id == id, jobs.c.owner == owner)).first()
        return "unknown" if known is None else "ended"

    def cancel_sweep(self, sweep: str, owner: str) -> dict[str, Cancelling]:
        """The same for all jobs of a sweep that have not ended, in one transaction."""
        with self._database.writing() as c:
            return _wish(c, and_(jobs.c.sweep == sweep, jobs.c.owner == owner), self._clock())

    def recover(self, most_attempts: int = MOST_ATTEMPTS) -> Recovered:
        """At a server's start: no job is running, so what says so was interrupted. For the one server there is."""
        now, running = self._clock(), jobs.c.state == "running"
        again = {"attempts": jobs.c.attempts + 1}
        failed = {"state": "failed", "finished": now, "failure": dump(asdict(_INTERRUPTED))}
        steps = (
            update(jobs).where(running, jobs.c.cancel_asked).values(state="cancelled", finished=now),
            update(jobs).where(running, jobs.c.attempts + 1 >= most_attempts).values(**failed, **again),
            update(jobs).where(running).values(state="queued", started=None, **again),
        )
        with self._database.writing() as c:
            ended, lost, queued = (c.execute(step).rowcount for step in steps)
        return Recovered(queued=queued, failed=lost, cancelled=ended)

    def _move(self, id: str, before: Sequence[State], unless_cancelled: bool = False, **after: Any) -> bool:
        step = update(jobs).where(jobs.c.id == id, jobs.c.state.in_(before)).values(**after)
        if unless_cancelled:
            step = step.where(jobs.c.cancel_asked.is_(False))
        with self._database.writing() as c:
            return c.execute(step).rowcount == 1

    # -- jobs out

    def get(self, id: str, owner: str) -> JobRecord | None:
        """The owner's job; None for one that is not known, or another's."""
        return self._one(select(jobs).where(jobs.c.id == id, jobs.c.owner == owner))

    def job(self, id: str) -> JobRecord | None:
        """Anybody's job: for the server itself, never for a client's question."""
        return self._one(select(jobs).where(jobs.c.id == id))

    def jobs_of(
        self, owner: str, *, state: State | None = None, limit: int = 50, before: str | None = None
    ) -> list[JobRecord]:
        """The owner's jobs, newest first; from those that came before the job ``before``, none if that is not known."""
        wanted = select(jobs).where(jobs.c.owner == owner).order_by(jobs.c.number.desc()).limit(limit)
        if state is not None:
            wanted = wanted.where(jobs.c.state == state)
        if before is not None:
            theirs = jobs.alias()
            mark = select(theirs.c.number).where(theirs.c.id == before, theirs.c.owner == owner)
            wanted = wanted.where(jobs.c.number < mark.scalar_subquery())
        with self._database.reading() as c:
            return [job_of(row) for row in c.execute(wanted)]

    def sweep(self, id: str, owner: str) -> list[JobRecord]:
        """The owner's jobs that were asked for together, in their order; [] if there is no such sweep."""
        wanted = select(jobs).where(jobs.c.sweep == id, jobs.c.owner == owner).order_by(jobs.c.number)
        with self._database.reading() as c:
            return [job_of(row) for row in c.execute(wanted)]

    def queued(self) -> Iterator[JobRecord]:
        """The jobs that wait, as they came. Read in pages: what is claimed, added or cancelled meanwhile may still be
        among them, or not yet."""
        wanted = select(jobs).where(jobs.c.state == "queued").order_by(jobs.c.number).limit(_PAGE)
        page = wanted
        while True:
            with self._database.reading() as c:
                found = [job_of(row) for row in c.execute(page)]
            yield from found
            if len(found) < _PAGE:
                return
            page = wanted.where(jobs.c.number > found[-1].number)

    def counts(self) -> Counts:
        """All jobs by state, at one instant."""

        def now(state: State) -> Any:
            return select(func.count()).where(jobs.c.state == state).scalar_subquery()

        wanted = select(
            totals.c.accepted,
            now("queued"),
            now("running"),
            totals.c.done + now("done"),
            totals.c.failed + now("failed"),
            totals.c.cancelled + now("cancelled"),
        )
        with self._database.reading() as c:
            return Counts(*c.execute(wanted).one())

    def unfinished(self) -> set[str]:
        """The ids of all jobs that are queued or running."""
        with self._database.reading() as c:
            return set(c.execute(select(jobs.c.id).where(jobs.c.state.not_in(ENDED))).scalars())

    def forget(self, older_than: float) -> list[str]:
        """Delete the jobs that ended before this time, and say which; they stay counted."""
        gone = delete(jobs).where(jobs.c.state.in_(ENDED), jobs.c.finished < older_than)
        with self._database.writing() as c:
            before = c.execute(select(totals).with_for_update()).one()
            rows = c.execute(gone.returning(jobs.c.id, jobs.c.state)).all()
            ended = [row.state for row in rows]
            c.execute(update(totals).values({s: getattr(before, s) + ended.count(s) for s in ENDED}))
        return [row.id for row in rows]

    # -- pictures

    def add_picture(self, picture: PictureRecord) -> PictureRecord:
        """Store a picture that was sent ahead."""
        stored = replace(picture, created=self._clock())
        with self._database.writing() as c:
            c.execute(insert(pictures).values(**{**vars(stored), "notes": dump(stored.notes)}))
        return stored

    def picture(self, id: str, owner: str) -> PictureRecord | None:
        """The owner's picture; None for one that is not known, or another's."""
        with self._database.reading() as c:
            row = c.execute(select(pictures).where(pictures.c.id == id, pictures.c.owner == owner)).first()
        if row is None:
            return None
        return PictureRecord(**{**row._asdict(), "notes": tuple(json.loads(row.notes))})

    def forget_pictures(self, older_than: float) -> int:
        """Delete the pictures that were sent before this time; jobs that need them keep their files."""
        with self._database.writing() as c:
            return c.execute(delete(pictures).where(pictures.c.created < older_than)).rowcount

    def digests(self) -> set[str]:
        """The files that jobs and pictures refer to."""
        with self._database.reading() as c:
            return set(c.execute(union(select(inputs.c.digest), select(pictures.c.digest))).scalars())

    def _one(self, wanted: Select[Any]) -> JobRecord | None:
        with self._database.reading() as c:
            row = c.execute(wanted).first()
        return None if row is None else job_of(row)


def _wish(c: Connection, which: ColumnElement[bool], now: float) -> dict[str, Cancelling]:
    """Cancel what waits of these jobs and mark what runs: what it came to, by their ids."""
    waits = jobs.c.state == "queued"
    wish = (
        update(jobs)
        .where(which, jobs.c.state.not_in(ENDED))
        .values(
            cancel_asked=True,
            state=case((waits, "cancelled"), else_=jobs.c.state),
            finished=case((waits, now), else_=None),
        )
        .returning(jobs.c.id, jobs.c.state)
    )
    return {row.id: "cancelled" if row.state == "cancelled" else "asked" for row in c.execute(wish)}


def _known(c: Connection, record: JobRecord) -> list[JobRecord]:
    """The jobs that an idempotency key came with before."""
    row = c.execute(select(jobs).where(jobs.c.owner == record.owner, jobs.c.key == record.key)).first()
    if row is None:
        return []
    if row.fingerprint != record.fingerprint:
        raise KeyReusedError("this idempotency key came with another request before")
    if row.sweep is None:
        return [job_of(row)]
    return [job_of(r) for r in c.execute(select(jobs).where(jobs.c.sweep == row.sweep).order_by(jobs.c.number))]
