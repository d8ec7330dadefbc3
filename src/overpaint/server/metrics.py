"""What the server counts and measures, for Prometheus. Its own registry: two servers in one process don't mix.

    metrics = Metrics(service)
    metrics.render()                       the text of /metrics, and its type
    metrics.ended(job)                     a job has ended
    metrics.answered(route, method, status, seconds)
    editor.watch(metrics.called)           a network call

Jobs are not counted here but read from the database at each scrape, all at one instant: so the numbers add up, after a
crash too. No label takes a value that a client can choose freely.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from overpaint.errors import OverpaintError
from overpaint.server.files import Files
from overpaint.server.records import ENDED, PHASES, JobRecord
from overpaint.server.store import Store
from overpaint.version import __version__

if TYPE_CHECKING:
    from overpaint.editor import Editor

OTHER = "other"

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600)
_STEP_SECONDS = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
_HTTP_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
_SHARES = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1)
_USED_FOR = 15.0  # seconds that the folder's size is kept: finding it out reads all of the folder


class Served(Protocol):
    """What is measured of a ``Service``."""

    store: Store
    files: Files

    @property
    def editor(self) -> "Editor | None": ...

    @property
    def state(self) -> str: ...


class Metrics:
    """The metrics of one service. For any number of threads."""

    def __init__(self, service: Served) -> None:
        registry = self._registry = CollectorRegistry()
        name = "overpaint"
        self._failures = Counter(f"{name}_job_failures", "Jobs that failed.", ["code"], registry=registry)
        self._waiting = Histogram(
            f"{name}_job_waiting_seconds", "From a job's arrival to its start.", buckets=_SECONDS, registry=registry
        )
        self._running = Histogram(
            f"{name}_job_running_seconds",
            "From a job's start to its end.",
            ["state"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._rows = Histogram(
            f"{name}_network_call_rows", "Rows of one network call.", buckets=_ROWS, registry=registry
        )
        self._occupancy = Histogram(
            f"{name}_network_call_occupancy",
            "Share of the most rows that one network call takes.",
            buckets=_SHARES,
            registry=registry,
        )
        self._calls = Histogram(
            f"{name}_network_call_seconds", "One network call.", buckets=_STEP_SECONDS, registry=registry
        )
        self._requests = Counter(f"{name}_http_requests", "Answers.", ["route", "method", "status"], registry=registry)
        self._answers = Histogram(
            f"{name}_http_seconds",
            "From a request's head to the end of its answer.",
            ["route", "method"],
            buckets=_HTTP_SECONDS,
            registry=registry,
        )
        Gauge("process_threads", "Threads of this process.", registry=registry).set_function(_threads)
        ProcessCollector(registry=registry)
        registry.register(_Stored(service))

    def render(self) -> tuple[bytes, str]:
        """All of it as text, and the content type of that."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def ended(self, job: JobRecord) -> None:
        """A job is done, failed or cancelled, as it is stored."""
        if job.failure is not None:
            self._failures.labels(job.failure.code).inc()
        if job.started is None:
            return
        self._waiting.observe(max(0.0, job.started - job.created))
        if job.finished is not None and job.state in ENDED:
            self._running.labels(job.state).observe(max(0.0, job.finished - job.started))

    def called(self, rows: int, capacity: int, seconds: float) -> None:
        """A network call was made: with so many rows, where so many are the most."""
        self._rows.observe(rows)
        self._occupancy.observe(rows / max(capacity, 1))
        self._calls.observe(seconds)

    def answered(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """A request was answered.

        Args:
            route: the template of its path, as /v1/jobs/{id}; None where no route fits.
            status: of HTTP; 499 where the client left.
        """
        route, method = route or OTHER, method if method in _METHODS else OTHER
        self._requests.labels(route, method, str(status)).inc()
        self._answers.labels(route, method).observe(seconds)


class _Stored(Collector):
    """What is read at each scrape. What cannot be read just now is left out, and the rest told."""

    def __init__(self, service: Served) -> None:
        self._service = service
        self._used: tuple[int, int] | None = None
        self._used_until = 0.0
        self._looking = threading.Lock()

    def describe(self) -> Iterable[Metric]:
        return ()  # nothing is read before the first scrape

    def collect(self) -> Iterator[Metric]:
        yield self._build()
        state = GaugeMetricFamily("overpaint_state", "1 for the state that the server is in.", labels=["state"])
        for one in PHASES:
            state.add_metric([one], float(one == self._service.state))
        yield state
        readable = 1.0
        for read in (self._jobs, self._folder):
            try:
                yield from read()
            except OverpaintError:
                readable = 0.0
        yield GaugeMetricFamily("overpaint_storage_readable", "1 where database and folder can be read.", readable)

    def _jobs(self) -> Iterator[Metric]:
        n = self._service.store.counts()
        yield CounterMetricFamily("overpaint_jobs_accepted", "Jobs that were stored.", n.accepted)
        for ended in ENDED:
            yield CounterMetricFamily(f"overpaint_jobs_{ended}", f"Jobs that ended as {ended}.", getattr(n, ended))
        yield GaugeMetricFamily("overpaint_jobs_queued", "Jobs that wait.", n.queued)
        yield GaugeMetricFamily("overpaint_jobs_running", "Jobs that are worked on.", n.running)

    def _folder(self) -> Iterator[Metric]:
        with self._looking:
            if self._used is None or time.monotonic() >= self._used_until:
                self._used = self._service.files.used()
                self._used_until = time.monotonic() + _USED_FOR
            used = self._used
        size = GaugeMetricFamily("overpaint_folder_bytes", "Bytes of files that are kept.", labels=["kind"])
        for kind, count in zip(("inputs", "results"), used, strict=True):
            size.add_metric([kind], count)
        yield size

    def _build(self) -> Metric:
        told = {"version": __version__, "model": "", "device": ""}
        if (editor := self._service.editor) is not None:
            told |= {"model": editor.card.name, "device": str(editor.model.device)}
        return InfoMetricFamily("overpaint_build", "What runs here.", told)


def _threads() -> float:
    """Those of libraries too, where the system tells."""
    try:
        return float(len(os.listdir("/proc/self/task")))
    except OSError:
        return float(threading.active_count())
