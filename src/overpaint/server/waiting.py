"""Waiting for jobs on behalf of a client that is still there."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

from fastapi import Request

from overpaint.server.context import Context, body_taken, context_of, left, owner_of
from overpaint.server.problems import RETRY_SOON, SERVER, Problem
from overpaint.server.records import ENDED, JobRecord


async def waited_for(request: Request, jobs: Sequence[JobRecord]) -> list[JobRecord]:
    """The jobs as they ended, however that was. Who goes away before that cancels what has not.

    Raises:
        Problem: 499, for the log, where the client left; 503 where the server ends before the jobs do, which it keeps.
    """
    context, owner = context_of(request), owner_of(request)
    body_taken(request)
    if not await _ended(request, [job.id for job in jobs]):
        await cancel_jobs(context, owner, [job.id for job in jobs])
        raise left()
    records = [await context.threads.quick(context.service.job, job.id, owner) for job in jobs]
    for record in records:
        if record.state not in ENDED:
            words = "the server is ending; the job is kept, and runs after its next start"
            at = {"location": f"/v1/jobs/{record.id}"}
            raise Problem(503, SERVER, "not_ready", words, retry_after=RETRY_SOON, headers=at)
    return records


async def cancel_jobs(context: Context, owner: str, ids: Iterable[str]) -> None:
    """End those of an owner's jobs that have not ended."""
    for id in ids:
        with suppress(Problem):  # it has ended
            await context.threads.quick(context.service.cancel, id, owner)


async def _ended(request: Request, ids: Sequence[str]) -> bool:
    """Wait until all jobs have ended, or the server does; False if the client went away first."""
    service, owner = context_of(request).service, owner_of(request)

    async def watch_job(id: str) -> None:
        async for _ in service.watch(id, owner):
            pass

    async def watch_jobs() -> None:
        await asyncio.gather(*map(watch_job, ids))

    async def watch_client() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass  # what is left of a body

    jobs, client = asyncio.create_task(watch_jobs()), asyncio.create_task(watch_client())
    try:
        done, _ = await asyncio.wait({jobs, client}, return_when=asyncio.FIRST_COMPLETED)
        if jobs in done:
            jobs.result()  # or what it was ended by
        return jobs in done
    finally:
        jobs.cancel()
        client.cancel()
        await asyncio.gather(jobs, client, return_exceptions=True)
