"""OpenAI's API of pictures, for clients that speak it: each picture of an answer is a job of ours."""

import io
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from PIL import Image
from starlette.types import Receive, Scope, Send

from overpaint.errors import ImageError, OverpaintError, ParameterError
from overpaint.server.context import Context, context_of, editor_of, owner_of, request_id_of
from overpaint.server.events import Happening
from overpaint.server.openai import Wanted, What, marks_nothing, translated
from overpaint.server.openai_answers import Partials, answer, completed, in_base64
from overpaint.server.order import Order, Sent
from overpaint.server.problems import RETRY_SOON, SERVER, Problem, in_words_of, problem_of
from overpaint.server.reading import asking_from, read_in_time
from overpaint.server.records import FormatName, JobRecord
from overpaint.server.streams import beating
from overpaint.server.waiting import cancel_jobs, waited_for

KEEP_ALIVE = 15.0  # seconds between two signs of life in a stream of events

_EVENTS: dict[What, str] = {"edits": "image_edit", "generations": "image_generation", "variations": "image_edit"}

# OpenAI's own document describes them; of a query, as open-webui's ?api-version=..., nothing is taken
router = APIRouter(include_in_schema=False)


@router.post("/v1/images/edits")
async def openai_edits(request: Request) -> Response:
    """Edit a picture."""
    return await _answered(request, "edits")


@router.post("/v1/images/generations")
async def openai_generations(request: Request) -> Response:
    """Make a picture from words."""
    return await _answered(request, "generations")


@router.post("/v1/images/variations")
async def openai_variations(request: Request) -> Response:
    """Edit a picture without words."""
    return await _answered(request, "variations")


# ---- asking for it ---------------------------------------------------------------------------------------------------


async def _answered(request: Request, what: What) -> Response:
    """The results when they are there, or the stream of events that tells them."""
    context, owner = context_of(request), owner_of(request)
    wanted = await context.threads.intake(translated, await read_in_time(request, lists=True))
    with _their_names(wanted.names):
        order = await _order(request, what, wanted)
        jobs = await context.threads.intake(context.service.submit_sweep, order, owner, count=wanted.n)
        if wanted.stream:
            return _Streamed(_Stream(context, owner, jobs, wanted, what), request_id_of(request))
        await waited_for(request, jobs)
        made = [await context.threads.quick(context.service.result, job.id, owner) for job in jobs]
    base = str(request.base_url).rstrip("/")
    # made in a thread, since JSON of many megabytes takes a while
    return await context.threads.quick(lambda: JSONResponse(answer(made, wanted, base)))


@contextmanager
def _their_names(names: Mapping[str, str]) -> Iterator[None]:
    """Problems name fields as the client did."""
    try:
        yield
    except OverpaintError as e:
        raise in_words_of(e, names) from e.__cause__


async def _order(request: Request, what: What, wanted: Wanted) -> Order:
    """What our API makes of it."""
    context, owner = context_of(request), owner_of(request)
    order = (await asking_from(request, wanted.body, sweep=False)).order
    if what == "generations":
        return order
    if order.image is None:
        raise ParameterError("image", "is missing, must be the picture to edit")
    one_file = order.mask is not None and order.mask == order.image
    if what == "edits" and (one_file or marks_nothing(order)):
        return await context.threads.intake(
            _where_it_is_transparent, context, order, owner, "soft" in wanted.body.values
        )
    return order


def _where_it_is_transparent(context: Context, order: Order, owner: str, soft_is_told: bool) -> Order:
    """An order that marks nothing, or whose mask is its picture: what is transparent in that is to be changed, as
    DALL-E 2 has it.

    The picture is made opaque, as the model sees it: a result has its picture's alpha, and nothing new would be seen.
    """
    assert order.image is not None
    try:
        opaque = context.service.pictures.opaque(order.image, owner)
    except ImageError as e:
        raise problem_of(e, "image") from e
    if opaque is None:
        return order
    soft = order.soft if soft_is_told else True
    return replace(order, image=Sent(opaque), mask=order.image, mask_by="transparency", soft=soft)


# ---- streams ---------------------------------------------------------------------------------------------------------


@dataclass
class _Stream:
    """The events of some jobs, one job after the other.

    Attributes:
        left: the jobs that have not been told to their end.
    """

    context: Context
    owner: str
    jobs: Sequence[JobRecord]
    wanted: Wanted
    what: What
    left: list[JobRecord] = field(init=False)

    def __post_init__(self) -> None:
        self.left = list(self.jobs)

    async def told(self, request_id: str) -> AsyncIterator[bytes]:
        """All that there is to tell; a problem ends it."""
        try:
            for job in self.jobs:
                async for event in self._of(job):
                    yield event
                self.left.remove(job)
        except OverpaintError as e:
            yield _event("error", in_words_of(e, self.wanted.names).body(request_id))

    async def _of(self, job: JobRecord) -> AsyncIterator[bytes]:
        service, threads = self.context.service, self.context.threads
        partials, index = Partials(self.wanted.partial_images), 0
        last: Happening | None = None
        async for last in service.watch(job.id, self.owner, preview=partials.most > 0):
            far = last.data
            if last.kind == "step" and far["preview"] and partials.due(far["step"], far["steps"]):
                times = editor_of(self.context).model.pixels_per_cell
                shown = await threads.quick(_enlarged, far["preview"], times, job.asked.format)
                size = job.asked.params.get("output_size", "auto")
                yield self._event("partial_image", job, {**shown, "partial_image_index": index, "size": size})
                index += 1
        if last is None or not last.is_last:
            words = "the server is ending; the job is kept, and runs after its next start"
            raise Problem(503, SERVER, "not_ready", words, retry_after=RETRY_SOON)
        record, data = await threads.quick(service.result, job.id, self.owner)
        yield self._event("completed", record, await threads.quick(completed, record, data, self.wanted))

    def _event(self, kind: str, job: JobRecord, told: Mapping[str, Any]) -> bytes:
        kind = f"{_EVENTS[self.what]}.{kind}"
        common = {"created_at": int(job.created), "background": "auto", "quality": "auto"}
        return _event(kind, {"type": kind, **common, "output_format": job.asked.format, **told})

    async def cancel(self) -> None:
        """Cancel what nobody waits for any more; but a server that is ending keeps it."""
        if self.context.service.state != "draining":
            await cancel_jobs(self.context, self.owner, [job.id for job in self.left])


class _Streamed(StreamingResponse):
    """The answer that a stream is. Its jobs that are left when it ends, however that is, are cancelled."""

    def __init__(self, stream: _Stream, request_id: str) -> None:
        told = beating(stream.told(request_id), KEEP_ALIVE, b": still here\n\n")
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(told, media_type="text/event-stream", headers=headers)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._stream.cancel()


def _event(kind: str, told: Mapping[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(told, allow_nan=False)}\n\n".encode()


def _enlarged(preview: str, times: int, format: FormatName) -> dict[str, str]:
    """A preview, which has a pixel for each latent cell, at the size that the model works at."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(b64decode(preview.partition(",")[2]))) as small:
        large = small.convert("RGB").resize((small.width * times, small.height * times), Image.Resampling.BICUBIC)
    large.save(out, format.upper())
    return in_base64(out.getvalue())
