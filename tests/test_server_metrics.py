"""What the server tells Prometheus: it adds up, it is bounded, and it tells what it can when something is broken."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from overpaint.errors import StoreError
from overpaint.server import metrics as metrics_module
from overpaint.server.files import Files
from overpaint.server.metrics import Metrics
from overpaint.server.records import PHASES, Asked, Failure, JobRecord, Made
from overpaint.server.store import Store
from overpaint.version import __version__

ASKED = Asked({"prompt": "a lake", "seed": 1})


@dataclass
class Served:
    """A service as far as metrics look at it."""

    store: Store
    files: Files
    editor: Any = None
    state: str = "loading"


@pytest.fixture
def served(tmp_path: Path) -> Any:
    with Files(tmp_path) as files, Store(files.database) as store:
        yield Served(store, files)


def read(metrics: Metrics) -> dict[str, float]:
    """Every sample by its name and labels, as a scrape gets them."""
    text, kind = metrics.render()
    assert kind.startswith("text/plain")
    samples = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return samples


@pytest.mark.case("S23")
def test_jobs_add_up_in_one_scrape(served: Served) -> None:
    store = served.store
    jobs = [store.add(JobRecord(asked=ASKED)) for _ in range(6)]
    for job in jobs[:4]:
        assert store.claim(job.id)
    assert store.finish(jobs[0].id, Made("png", "0" * 64, 1))
    assert store.fail(jobs[1].id, Failure("server_error", "deadline", "late"))
    assert store.cancelled(jobs[2].id)
    got = read(Metrics(served))
    ways = ("done_total", "failed_total", "cancelled_total", "running", "queued")
    parts = {way: got[f"overpaint_jobs_{way}"] for way in ways}
    assert parts == {"done_total": 1, "failed_total": 1, "cancelled_total": 1, "running": 1, "queued": 2}
    assert got["overpaint_jobs_accepted_total"] == sum(parts.values())


def test_ended_jobs_are_measured(served: Served) -> None:
    metrics = Metrics(served)
    done = JobRecord(asked=ASKED, state="done", created=100, started=102, finished=107)
    metrics.ended(done)
    metrics.ended(replace(done, state="failed", failure=Failure("server_error", "deadline", "late")))
    metrics.ended(JobRecord(asked=ASKED, state="cancelled", created=100, finished=101))  # never started
    metrics.ended(replace(done, started=99, finished=98))  # the clock was set back
    got = read(metrics)
    assert got["overpaint_job_failures_total{code=deadline}"] == 1
    assert got["overpaint_job_waiting_seconds_count"] == 3
    assert got["overpaint_job_waiting_seconds_sum"] == 4
    assert got["overpaint_job_running_seconds_sum{state=done}"] == 5
    assert got["overpaint_job_running_seconds_count{state=failed}"] == 1
    assert "overpaint_job_running_seconds_count{state=cancelled}" not in got


def test_network_calls_are_measured(served: Served) -> None:
    metrics = Metrics(served)
    metrics.called(2, 8, 0.5)
    metrics.called(8, 8, 1.5)
    got = read(metrics)
    assert got["overpaint_network_call_rows_sum"] == 10
    assert got["overpaint_network_call_occupancy_sum"] == 1.25
    assert got["overpaint_network_call_seconds_sum"] == 2
    assert got["overpaint_network_call_occupancy_bucket{le=0.25}"] == 1


def test_no_label_is_a_clients_to_choose(served: Served) -> None:
    metrics = Metrics(served)
    for i in range(100):
        metrics.answered(None, f"EVIL{i}", 404, 0.01)
    metrics.answered("/v1/jobs/{id}", "GET", 200, 0.01)
    got = read(metrics)
    counted = {name: n for name, n in got.items() if name.startswith("overpaint_http_requests_total")}
    assert counted == {
        "overpaint_http_requests_total{method=other,route=other,status=404}": 100,
        "overpaint_http_requests_total{method=GET,route=/v1/jobs/{id},status=200}": 1,
    }
    assert got["overpaint_http_seconds_count{method=GET,route=/v1/jobs/{id}}"] == 1


def test_what_runs_here_is_told(served: Served) -> None:
    metrics = Metrics(served)
    assert read(metrics)[f"overpaint_build_info{{device=,model=,version={__version__}}}"] == 1
    served.editor = SimpleNamespace(card=SimpleNamespace(name="tiny"), model=SimpleNamespace(device="cpu"))
    served.state = "ready"
    got = read(metrics)
    assert got[f"overpaint_build_info{{device=cpu,model=tiny,version={__version__}}}"] == 1
    states = {name: got[f"overpaint_state{{state={name}}}"] for name in PHASES}
    assert states == {"loading": 0, "ready": 1, "draining": 0, "broken": 0}


def test_this_process_is_told(served: Served) -> None:
    got = read(Metrics(served))
    assert got["process_resident_memory_bytes"] > 10e6
    assert got["process_open_fds"] > 3
    assert got["process_threads"] >= 1


def test_the_folder_is_not_read_at_every_scrape(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics(served)
    served.files.put_input(b"12345")
    assert read(metrics)["overpaint_folder_bytes{kind=inputs}"] == 5
    served.files.put_input(b"1234567")
    assert read(metrics)["overpaint_folder_bytes{kind=inputs}"] == 5
    now = metrics_module.time.monotonic()
    monkeypatch.setattr(metrics_module.time, "monotonic", lambda: now + 16)
    assert read(metrics)["overpaint_folder_bytes{kind=inputs}"] == 12
    assert read(metrics)["overpaint_folder_bytes{kind=results}"] == 0


def test_a_broken_store_leaves_the_rest(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics(served)
    assert read(metrics)["overpaint_storage_readable"] == 1

    def broken() -> None:
        raise StoreError("gone")

    monkeypatch.setattr(served.store, "counts", broken)
    got = read(metrics)
    assert got["overpaint_storage_readable"] == 0
    assert "overpaint_jobs_accepted_total" not in got  # never a number that is not true
    assert got["overpaint_folder_bytes{kind=results}"] == 0


def test_two_servers_in_one_process_do_not_mix(served: Served) -> None:
    one, other = Metrics(served), Metrics(served)
    one.called(1, 1, 1)
    assert read(one)["overpaint_network_call_rows_count"] == 1
    assert read(other)["overpaint_network_call_rows_count"] == 0
