"""``overpaint submit``: edits by a server. Nothing here loads a model, or needs what a server needs."""

import io
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overpaint.cli.console import STDOUT, Report, line_of, show_json, warn
from overpaint.cli.editing import Progress, progress_of
from overpaint.cli.edits import (
    CompareOption,
    CountOption,
    ImagesArgument,
    PromptArgument,
    end,
    params_of,
    write_compared,
)
from overpaint.cli.maps import Marked, with_marks
from overpaint.cli.options import JsonOption, OverwriteOption, with_edit_options
from overpaint.cli.outputs import FORMATS, Files, FormatOption, OutOption, Wish, deliver_file, plan, suffix_of
from overpaint.errors import OverpaintError, ParameterError, ServerError
from overpaint.params import EditParams
from overpaint.server.keys import VARIABLE
from overpaint.server.records import FORMATS as SERVED
from overpaint.server.settings import DEFAULT_PORT

if TYPE_CHECKING:
    from overpaint.remote import Job, Remote

SERVER_VARIABLE = "OVERPAINT_SERVER"
AHEAD = 16  # inputs that are sent before the first one's results are waited for
PATIENCE = 600.0  # as `remote` has it, which is not loaded just to say it
GRACE = 5.0  # seconds for an answer that is on its way when Ctrl-C comes
OF_ALL = (None, 401, 403, 429, 503)  # statuses of what no other picture would fare better with


@dataclass
class _Sent:
    """One input, its jobs, and where their results go."""

    name: Path
    files: Files
    jobs: "list[Job]"
    data: bytes = b""  # of the input's file, where it is to be compared
    made: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class _Asked:
    """What is asked for, of every input."""

    params: EditParams
    marks: Marked
    wish: Wish
    format: str

    def of(self, remote: "Remote", name: Path) -> "tuple[list[Job], bytes]":
        """Ask for the edits of one input; its jobs, and its file's bytes."""
        from overpaint.decode.source import read

        file = _Named(*read(str(name)))  # text, for - is only standard input as text
        marks, count = self.marks.marks(), self.wish.count
        if count == 1:
            jobs = [remote.submit(file, self.params, marks, format=self.format)]
        else:
            jobs = remote.submit_many(file, self.params, marks, format=self.format, count=count)
        return jobs, file.getvalue()


class _Named(io.BytesIO):
    """A file's bytes, with its name for messages."""

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(data)
        self.name = name


@with_edit_options
@with_marks
def submit(
    images: ImagesArgument,
    prompt: PromptArgument,
    options: dict[str, Any],
    marks: Marked,
    out: OutOption = None,
    suffix: FormatOption = "png",
    count: CountOption = 1,
    compare: CompareOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    server: Annotated[
        str, typer.Option(envvar=SERVER_VARIABLE, help="The server's URL.")
    ] = f"http://127.0.0.1:{DEFAULT_PORT}",
    key_file: Annotated[
        Path | None, typer.Option(help=f"A file with the API key, and nothing else; without it the one in ${VARIABLE}.")
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Say the jobs' ids and end; the server goes on, and keeps the results.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(help="Seconds for which a server that is full, not ready, or gone again is waited for.")
    ] = PATIENCE,
) -> None:
    """Let a server edit pictures (`overpaint serve`): the same options and files, and no model on this machine."""
    params = params_of(prompt, options)
    wish = Wish(out, suffix_of(suffix), count, compare, overwrite)
    if no_wait and (out is not None or compare):
        raise ParameterError("no_wait", "does not go with --out and --compare: nothing is written")
    planned = [Files([]) for _ in images] if no_wait else plan(wish, images, also_read=marks.files)
    asked = _Asked(params, marks, wish, _format_of(planned, wish))
    key = os.environ.get(VARIABLE) if key_file is None else _key_in(key_file)
    report = Report(as_json, out)
    from overpaint.remote import Remote

    with Remote(server, key, patience=timeout, note=lambda text: warn([text])) as remote:
        if no_wait:
            for name in images:
                _leave_there(remote, asked, name, report)
        else:
            _run(remote, asked, list(zip(images, planned, strict=True)), report)
    end(report, len(images))


def _key_in(path: Path) -> str:
    try:
        lines = path.read_text("utf-8-sig").split()
    except (OSError, ValueError) as e:
        raise ParameterError("key_file", f"{path} cannot be read: {getattr(e, 'strerror', None) or e}") from e
    if len(lines) != 1:
        raise ParameterError("key_file", f"{path} must hold one API key, and nothing else")
    return lines[0]


def _format_of(planned: Sequence[Files], wish: Wish) -> str:
    """The format of all results, as servers call it."""
    from overpaint.encode import WRITTEN

    first = next((path for files in planned for path in files.results if str(path) != STDOUT), None)
    suffix = wish.suffix if first is None else first.suffix.lower()
    format = WRITTEN[suffix].lower()
    if format not in SERVED:
        written = [name for name in FORMATS if WRITTEN[f".{name}"].lower() in SERVED]
        raise ParameterError("format", f"is {suffix[1:]}, which no server writes; they write {', '.join(written)}")
    return format


def _leave_there(remote: "Remote", asked: _Asked, name: Path, report: Report) -> None:
    """Ask for an input's edits and say their ids."""
    with _of_one(report, name):
        for job in _submitted(remote, asked, name)[0]:
            if report.as_json:
                show_json({"input": str(name), "job": job["id"], "seed": job["seed"]})
            else:
                typer.echo(job["id"])


def _run(remote: "Remote", asked: _Asked, inputs: list[tuple[Path, Files]], report: Report) -> None:
    """Send some inputs ahead, and write each one's results when its turn comes; what fails does not touch the others.

    However this ends, by Ctrl-C too, no job is left to go on whose result nobody fetches.
    """
    ahead: deque[_Sent] = deque()
    with progress_of(asked.wish.count * len(inputs)) as bar, _cancelled_if_left(remote, ahead):
        done = 0
        for name, files in inputs:
            with _of_one(report, name):
                jobs, data = _submitted(remote, asked, name)
                ahead.append(_Sent(name, files, jobs, data if asked.wish.compare else b""))
            while len(ahead) > AHEAD:
                done = _finish(remote, ahead, done, bar, report)
        while ahead:
            done = _finish(remote, ahead, done, bar, report)


def _submitted(remote: "Remote", asked: _Asked, name: Path) -> "tuple[list[Job], bytes]":
    """As ``_Asked.of``. On Ctrl-C, what the server has taken meanwhile is cancelled."""
    pool = ThreadPoolExecutor(1)  # so that Ctrl-C does not lose a request whose answer is on its way
    answer = pool.submit(asked.of, remote, name)
    try:
        return answer.result()
    except KeyboardInterrupt:
        remote.give_up()
        with suppress(OverpaintError, TimeoutError):
            remote.cancel(*answer.result(GRACE)[0])
        raise
    finally:
        pool.shutdown(wait=False)


@contextmanager
def _cancelled_if_left(remote: "Remote", ahead: "deque[_Sent]") -> Iterator[None]:
    try:
        yield
    except BaseException:
        remote.cancel(*(job for sent in ahead for job in sent.jobs))
        raise


@contextmanager
def _of_one(report: Report, name: Path) -> Iterator[None]:
    """An error of one picture is told; one that the others would meet too ends the command."""
    try:
        yield
    except OverpaintError as e:
        if isinstance(e, ServerError) and e.status in OF_ALL:
            raise
        report.failed(name, e)


def _finish(remote: "Remote", ahead: "deque[_Sent]", done: int, bar: Progress, report: Report) -> int:
    """Wait for the results of the first input, and write them; how many edits have ended then."""
    from overpaint.remote import facts_of

    sent, told = ahead[0], False
    for path, job in zip(sent.files.results, sent.jobs, strict=True):
        data = None
        with _of_one(report, sent.name):
            job = remote.follow(job, partial(bar.far, done))
            data = remote.result(job)
        if data is not None:
            deliver_file(data, path)
            facts = facts_of(job)
            report.wrote(path, line_of(facts), input=str(sent.name), job=job["id"], **facts)
            if not told and not report.as_json:
                warn(facts["warnings"])
                told = True  # they are the same for all of an input
            if sent.files.compare is not None:
                sent.made.append(data)
        bar.end(done)
        done += 1
    ahead.popleft()
    if sent.made and sent.files.compare is not None:
        _compare(sent, sent.files.compare, report)
    return done


def _compare(sent: _Sent, path: Path, report: Report) -> None:
    from overpaint.decode import load
    from overpaint.metadata import read_recipes
    from overpaint.picture import to_pil

    after = [to_pil(load(data).pixels) for data in sent.made]
    write_compared(load(sent.data), after, [read_recipes(data)[0] for data in sent.made], path, report)
