"""The service below HTTP: jobs from being asked for to their end, with the real model, store and workers."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import a_service, an_order, ended, picture_bytes

from overpaint import decode
from overpaint.editor import Editor
from overpaint.encode import encode
from overpaint.errors import (
    DiskFullError,
    KeyReusedError,
    OverpaintError,
    ParameterError,
    QueueFullError,
    SandboxError,
    StoreError,
)
from overpaint.marks import Marks
from overpaint.request import EditRequest, Layer
from overpaint.server.events import Happening
from overpaint.server.files import Files
from overpaint.server.order import Order, OrderedLayer, Sent
from overpaint.server.problems import Problem, problem_of
from overpaint.server.sandbox import Sandbox
from overpaint.server.service import Service
from overpaint.server.store import Store

LONG = {"steps": 400, "strength": 1.0}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(2) as sandbox:
        yield sandbox


@pytest.fixture
def service(tmp_path: Path, editor: Editor, sandbox: Sandbox) -> Iterator[Service]:
    with a_service(tmp_path, editor, sandbox) as service:
        yield service


@contextmanager
def held(editor: Editor) -> Iterator[threading.Event]:
    """The engine stops at its next network call, until the event is set."""
    go, predict = threading.Event(), editor.model.predict

    def waiting(*asked: Any) -> Any:
        go.wait(30)
        return predict(*asked)

    editor.model.predict = waiting  # type: ignore[method-assign]
    try:
        yield go
    finally:
        go.set()
        editor.model.predict = predict  # type: ignore[method-assign]


def runs(service: Service, id: str, owner: str = "") -> None:
    """Wait until a job runs."""
    until = time.monotonic() + 20
    while service.job(id, owner).state != "running" and time.monotonic() < until:
        time.sleep(0.01)
    assert service.job(id, owner).state == "running"


def test_a_job_is_the_librarys_edit(service: Service, editor: Editor) -> None:
    data = picture_bytes((90, 70))
    order = an_order(data, detail=0.3, variation="5,0.2")
    job = service.submit(order, "")
    done = ended(service, job.id)
    _, made = service.result(job.id, "")
    result = editor.edit(data, **order.params)
    assert made == encode(result.pixels, "PNG", [result.recipe])
    told = service.view(done)
    assert (told["t0"], told["seed"], told["state"], told["model"]) == (result.t0, 1, "done", result.model)
    assert told["facts"]["steps_run"] == result.steps_run
    assert told["fidelity"] is None


def test_marks_and_layers_are_the_librarys(service: Service, editor: Editor) -> None:

    data, mask, layer = picture_bytes((96, 64)), picture_bytes((96, 64), 1), picture_bytes((48, 32), 2)
    order = an_order(data)
    order = replace(
        order,
        mask=Sent(mask),
        tools=("grow:3", "feather:4"),
        layers=(OrderedLayer(Sent(layer), "snow", 0.8),),
        format="webp",
        fidelity=True,
    )
    job = ended(service, service.submit(order, "").id)

    picture = decode.load(data)
    where, notes = Marks(mask=mask, tools=order.tools, layers=[Layer(layer, "snow", 0.8)]).of(picture)
    request = EditRequest(picture, **order.params, **where)
    result = editor.submit(request).result()
    assert service.result(job.id, "")[1] == encode(result.pixels, "WEBP", [result.recipe])
    told = service.view(job)
    assert told["fidelity"]["ssim"] > 0
    assert told["warnings"] == [*notes, *result.warnings]


def test_generation_and_a_search(service: Service, editor: Editor) -> None:
    plain = replace(an_order(), image=None, params={"prompt": "a lake", "size": "64x64", "steps": 3, "seed": 4})
    params = {name: value for name, value in an_order().params.items() if name != "strength"}
    search = replace(an_order(), params={**params, "keep": 0.5, "steps": 6})
    jobs = [service.submit(order, "") for order in (plain, search)]
    made = [ended(service, job.id) for job in jobs]
    assert [job.state for job in made] == ["done", "done"]
    assert service.view(made[1])["facts"]["goal"]["keep"] == 0.5
    assert service.result(jobs[0].id, "")[1].startswith(b"\x89PNG")


def test_what_is_wrong_is_told_at_once_and_nothing_is_stored(service: Service) -> None:
    data = picture_bytes()
    broken = Sent(data[:200])
    wrong: list[tuple[Order, int, str | None]] = [
        (an_order(data[:200]), 422, "image"),
        (an_order(b""), 415, "image"),
        (an_order(b"<svg></svg>"), 415, "image"),
        (replace(an_order(), mask=broken), 422, "mask"),
        (replace(an_order(), layers=(OrderedLayer(broken, "x"),)), 422, "layers[0].map"),
        (replace(an_order(), layers=(OrderedLayer(Sent(data), "x", 2.0),)), 422, "layers[0]"),
        (replace(an_order(), image=None, mask=Sent(data)), 422, "image"),
        (replace(an_order(), image=Sent(id="0" * 32)), 404, "image_id"),
        (replace(an_order(), tools=("grow:8",)), 422, "tool"),
        (an_order(deadline=-1.0), 422, "deadline"),
        (an_order(strength=1.5), 422, "strength"),
        (an_order(output_size="16384x16384"), 422, "output_size"),
    ]

    for order, status, param in wrong:
        with pytest.raises((Problem, ParameterError)) as caught:
            service.submit(order, "")
        told = problem_of(caught.value)
        assert (told.status, told.param) == (status, param), told
    assert service.store.counts().accepted == 0


@pytest.mark.case("S08")
def test_cancel_whatever_its_state(service: Service, editor: Editor) -> None:
    with held(editor) as go:
        first = service.submit(an_order(**LONG), "")
        runs(service, first.id)
        many = [service.submit(an_order(seed=i), "") for i in range(16)]
        waiting = many[-1].id
        assert service.view(service.job(waiting, ""))["place"] >= 1
        assert service.cancel(waiting, "").state == "cancelled"
        with pytest.raises(Problem) as told:
            service.cancel(first.id, "bob")
        assert told.value.status == 404
        service.cancel(first.id, "")
        go.set()
    assert ended(service, first.id).state == "cancelled"
    with pytest.raises(Problem) as told:
        service.cancel(first.id, "")
    assert told.value.status == 409
    with pytest.raises(Problem, match="was cancelled"):
        service.result(first.id, "")
    assert [ended(service, job.id).state for job in many[:-1]] == ["done"] * 15
    counts = service.store.counts()
    assert (counts.done, counts.cancelled, counts.accepted) == (15, 2, 17)


@pytest.mark.case("S08")
def test_a_cancel_that_races_the_end(service: Service) -> None:
    """Exactly one end, and who was promised that it is cancelled finds no result."""
    jobs = [service.submit(an_order(seed=i, steps=2), "") for i in range(24)]

    def cancel(id: str) -> bool:
        time.sleep(0.002 * int(id[:2], 16) / 4)
        try:
            service.cancel(id, "")
        except Problem:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: cancel(job.id), jobs))
    states = [ended(service, job.id).state for job in jobs]
    assert set(states) <= {"done", "cancelled"}
    assert service.store.counts().adds_up
    for job, state in zip(jobs, states, strict=True):
        if state == "done":
            assert service.result(job.id, "")[1]


@pytest.mark.case("S10")
def test_deadlines(service: Service, editor: Editor) -> None:
    with held(editor) as go:
        running = service.submit(an_order(**LONG, deadline=0.6), "")
        runs(service, running.id)
        others = [service.submit(an_order(**LONG, seed=i), "") for i in range(15)]
        waiting = service.submit(an_order(deadline=0.3, steps=100, strength=1.0), "")
        late = ended(service, waiting.id)
        assert late.state == "failed"
        assert late.started is None
        time.sleep(0.6)
        go.set()
        stopped = ended(service, running.id)
        for job in others:
            service.cancel(job.id, "")
    assert stopped.failure is not None
    assert stopped.failure.code == "deadline"
    with pytest.raises(Problem) as told:
        service.result(running.id, "")
    assert told.value.status == 504
    assert told.value.http_headers()["x-should-retry"] == "false"


@pytest.mark.case("S21")
def test_the_same_key_is_the_same_job(service: Service) -> None:
    first = an_order(key="k", seed=-1)
    with ThreadPoolExecutor(4) as pool:
        ids = {job.id for job in pool.map(lambda _: service.submit(first, ""), range(8))}
    assert len(ids) == 1
    with pytest.raises(KeyReusedError):
        service.submit(an_order(key="k", seed=2), "")
    assert service.submit(first, "bob").id not in ids  # another's keys are another's
    assert service.store.counts().accepted == 2


@pytest.mark.case("S01")
def test_a_full_queue(tmp_path: Path, editor: Editor, sandbox: Sandbox) -> None:
    with a_service(tmp_path, editor, sandbox, queue=3, queue_of_key=2, in_flight=1) as service, held(editor) as go:
        service.room()
        for owner in ("alice", "bob"):  # one of each runs, though there is room for one
            runs(service, service.submit(an_order(), owner).id, owner)
        for owner in ("alice", "alice", "bob"):
            service.submit(an_order(), owner)
        with pytest.raises(QueueFullError):
            service.room()
        with pytest.raises(QueueFullError) as full:
            service.submit(an_order(), "bob")
        assert not full.value.of_owner
        service.cancel(service.jobs("bob", state="queued", limit=1, before=None)[0].id, "bob")
        with pytest.raises(QueueFullError) as full:
            service.submit(an_order(), "alice")
        assert full.value.of_owner
        go.set()


def test_too_much_work(tmp_path: Path, editor: Editor, sandbox: Sandbox) -> None:
    with a_service(tmp_path, editor, sandbox, most_work=0.001) as service:
        with pytest.raises(Problem, match=r"gigapixels of network work, at most 0\.001"):
            service.submit(an_order(steps=200, strength=1.0), "")
        with pytest.raises(Problem, match="gigapixels"):
            service.submit_sweep(an_order(steps=20), "", count=100)
        assert ended(service, service.submit(an_order(), "").id).state == "done"


def test_nobodys_crowd_delays_anothers_one(tmp_path: Path, editor: Editor, sandbox: Sandbox) -> None:
    with a_service(tmp_path, editor, sandbox, in_flight=4) as service:
        crowd = [service.submit(an_order(seed=i), "alice") for i in range(24)]
        one = ended(service, service.submit(an_order(), "bob").id, "bob")
        before = [job for job in (service.job(c.id, "alice") for c in crowd) if job.state == "done"]
        assert one.state == "done"
        assert len(before) < 14
        for job in service.jobs("alice", state="queued", limit=100, before=None):
            service.cancel(job.id, "alice")


def test_a_short_one_passes_long_ones(service: Service) -> None:
    long = [service.submit(an_order(**LONG, seed=i), "") for i in range(6)]
    runs(service, long[-1].id)
    short = ended(service, service.submit(an_order(), "").id)
    assert short.state == "done"
    assert all(service.job(job.id, "").state == "running" for job in long)
    eta = service.view(service.job(long[0].id, ""))["eta"]
    assert eta is not None
    assert eta > 0
    for job in long:
        service.cancel(job.id, "")


def test_a_sweep(service: Service, editor: Editor) -> None:
    order = an_order(seed=-1)
    params = {name: value for name, value in order.params.items() if name != "strength"}
    order = replace(order, params=params)
    jobs = service.submit_sweep(order, "", strengths=[0.3, 0.7], against={"guidance_scale": [1, 3]})
    assert {job.sweep for job in jobs} == {jobs[0].sweep}
    told = [(job.asked.params["strength"], job.asked.params["guidance_scale"]) for job in jobs]
    assert told == [(0.3, 1), (0.7, 1), (0.3, 3), (0.7, 3)]
    assert len({job.asked.params["seed"] for job in jobs}) == 1
    assert [ended(service, job.id).state for job in jobs] == ["done"] * 4
    assert [job.id for job in service.sweep(jobs[0].sweep or "", "")] == [job.id for job in jobs]
    seeds = service.submit_sweep(an_order(seed=7), "", count=3)
    assert [job.asked.params["seed"] for job in seeds] == [7, 8, 9]
    assert len({job.cost for job in seeds}) == 1
    with pytest.raises(Problem):
        service.sweep(jobs[0].sweep or "", "bob")


def test_orders_that_belong_together(service: Service) -> None:
    """All are taken or none; they are found as a sweep, and each has what a job of its own would have."""
    one, other = an_order(seed=7), an_order(seed=8, strength=0.3)
    jobs = service.submit_all([one, other, one], "")
    assert [job.asked.params["seed"] for job in jobs] == [7, 8, 7]
    assert len({job.sweep for job in jobs}) == 1
    assert [ended(service, job.id).state for job in jobs] == ["done"] * 3
    alone = ended(service, service.submit(other, "").id)
    results = [service.result(job.id, "")[1] for job in (*jobs, alone)]
    assert results[0] == results[2] != results[1] == results[3]
    before = len(service.jobs("", state=None, limit=100, before=None))
    with pytest.raises(OverpaintError, match="steps"):
        service.submit_all([one, replace(one, params={**one.params, "steps": 0})], "")
    assert len(service.jobs("", state=None, limit=100, before=None)) == before


def test_what_was_left_is_run_again_to_the_same_bytes(tmp_path: Path, editor: Editor, sandbox: Sandbox) -> None:
    """S22 in one process: drained too early, and a store that says "running" of a server that is gone."""
    with a_service(tmp_path, editor, sandbox) as service, held(editor) as go:
        whole = service.submit(an_order(seed=-1, steps=12), "")
        seed = whole.asked.params["seed"]
        runs(service, whole.id)
        assert service.drain(0.05) is False
        with pytest.raises(Problem, match="ending"):
            service.submit(an_order(), "")
        go.set()
    with Files(tmp_path) as files, Store(files.database) as store:
        assert store.job(whole.id).state == "queued"  # type: ignore[union-attr]
        assert store.claim(whole.id)
    with a_service(tmp_path, editor, sandbox) as service:
        job = ended(service, whole.id)
        assert (job.state, job.attempts) == ("done", 1)
        data = service.result(job.id, "")[1]
    result = editor.edit(picture_bytes(), **an_order(seed=seed, steps=12).params)
    assert data == encode(result.pixels, "PNG", [result.recipe])


def test_a_drain_in_time(tmp_path: Path, editor: Editor, sandbox: Sandbox) -> None:
    with a_service(tmp_path, editor, sandbox, in_flight=1) as service:
        jobs = [service.submit(an_order(seed=i, steps=10), "") for i in range(3)]
        runs(service, jobs[0].id)
        assert service.drain(30)
        assert sorted(service.job(job.id, "").state for job in jobs) == ["done", "queued", "queued"]


@pytest.mark.case("S25")
def test_a_store_that_fails_for_a_while(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done is stored once it can be."""
    finish, tries = Store.finish, []

    def failing(self: Store, *given: Any) -> bool:
        tries.append(given)
        if len(tries) < 3:
            raise StoreError("the disk is away")
        return finish(self, *given)

    monkeypatch.setattr(Store, "finish", failing)
    assert ended(service, service.submit(an_order(), "").id).state == "done"
    assert len(tries) == 3


@pytest.mark.case("S25")
def test_a_full_disk(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Files, *given: Any) -> str:
        raise DiskFullError("/secret/results/x.png cannot be written: no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Files, "put_result", full)
        job = ended(service, service.submit(an_order(), "").id)
        assert job.failure is not None
        assert (job.state, job.failure.code) == ("failed", "storage_full")
        assert "secret" not in job.failure.message
        with pytest.raises(Problem) as told:
            service.result(job.id, "")
        assert told.value.status == 507
    assert ended(service, service.submit(an_order(), "").id).state == "done"


def test_no_worker_for_a_while(service: Service, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that is there is not lost for want of a process to write it."""
    encode_, tries = sandbox.encode, []

    def failing(*given: Any) -> bytes:
        tries.append(given)
        if len(tries) < 3:
            raise SandboxError("no process can be started")
        return encode_(*given)

    monkeypatch.setattr(sandbox, "encode", failing)
    assert ended(service, service.submit(an_order(), "").id).state == "done"
    assert len(tries) == 3


def test_a_result_that_cannot_be_told_fails_its_job(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any) -> Any:
        raise ValueError("/secret: no number")

    with monkeypatch.context() as patch:
        patch.setattr("overpaint.server.ending.fidelity_of", broken)
        job = ended(service, service.submit(replace(an_order(), fidelity=True), "").id)
    assert job.failure is not None
    assert job.failure.code == "internal"
    assert "secret" not in job.failure.message
    assert ended(service, service.submit(an_order(), "").id).state == "done"


def test_the_queue_outlives_a_store_that_cannot_be_read(
    service: Service, editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that was given up while it waited; then the store fails as it is read again."""
    with held(editor) as go:
        for i in range(12):
            service.submit(an_order(seed=i), "")
        late = service.submit(an_order(deadline=0.3, steps=200), "")
        job, tries = Store.job, []

        def failing(self: Store, id: str) -> Any:
            tries.append(id)
            raise StoreError("the disk is away")

        with monkeypatch.context() as patch:
            patch.setattr(Store, "job", failing)
            until = time.monotonic() + 20
            while not tries and time.monotonic() < until:
                time.sleep(0.01)
        assert tries == [late.id]
        assert Store.job is job
        go.set()
    assert ended(service, late.id).state == "failed"
    assert ended(service, service.submit(an_order(), "").id).state == "done"
    assert service.state == "ready"


def test_a_runner_that_has_died_is_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a fault that nobody thought of: never ready and doing nothing."""
    monkeypatch.setattr("threading.excepthook", lambda told: None)
    monkeypatch.setattr(service._runner, "_late", lambda: 1 / 0)
    service.submit(an_order(), "")
    until = time.monotonic() + 20
    while service.state == "ready" and time.monotonic() < until:
        time.sleep(0.01)
    assert service.state == "broken"
    with pytest.raises(Problem, match="broken"):
        service.submit(an_order(), "")


@pytest.mark.case("S14")
def test_a_job_that_fails_fails_alone(service: Service, editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    encode_text = editor.model.encode_text

    def poisoned(text: str) -> Any:
        if text == "poison":
            raise ValueError("/etc/secret is not text")
        return encode_text(text)

    monkeypatch.setattr(editor.model, "encode_text", poisoned)
    orders = [an_order(prompt="poison" if i == 2 else "a lake", seed=i) for i in range(5)]
    jobs = [ended(service, service.submit(order, "").id) for order in orders]
    assert [job.state for job in jobs] == ["done", "done", "failed", "done", "done"]
    failure = jobs[2].failure
    assert failure is not None
    assert failure.code == "internal"
    assert "secret" not in failure.message
    for order, job in zip(orders, jobs, strict=True):
        if job.state == "done":
            alone = editor.edit(picture_bytes(), **order.params)
            assert service.result(job.id, "")[1] == encode(alone.pixels, "PNG", [alone.recipe])


@pytest.mark.case("S15", "S16")
def test_no_memory_and_no_numbers(service: Service, editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear error that is not worth another try, and the next job is done."""
    predict = editor.model.predict

    def no_room(*asked: Any) -> Any:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    def no_numbers(*asked: Any) -> Any:
        return predict(*asked) * float("nan")

    for fault, words in ((no_room, "not enough memory for an edit at 64x64"), (no_numbers, "not finite")):
        with monkeypatch.context() as patch:
            patch.setattr(editor.model, "predict", fault)
            job = ended(service, service.submit(an_order(), "").id)
        with pytest.raises(Problem, match=words) as told:
            service.result(job.id, "")
        assert (job.state, told.value.status, told.value.code) == ("failed", 500, "edit_failed")
        assert told.value.http_headers() == {"x-should-retry": "false"}
    assert ended(service, service.submit(an_order(), "").id).state == "done"


def test_a_result_that_is_not_kept_any_more(service: Service) -> None:
    job = ended(service, service.submit(an_order(), "").id)
    service.files.remove_results([job.id])
    with pytest.raises(Problem) as told:
        service.result(job.id, "")
    assert (told.value.status, told.value.code) == (410, "result_gone")


def test_a_model_that_is_not_there_yet(tmp_path: Path, editor: Editor, sandbox: Sandbox) -> None:
    with a_service(tmp_path, None, sandbox) as service:
        assert service.state == "loading"
        with pytest.raises(Problem, match="being loaded") as told:
            service.room()
        assert (told.value.status, told.value.retry_after) == (503, 5)
        service.start(editor)
        assert service.state == "ready"
        assert ended(service, service.submit(an_order(), "").id).state == "done"


# ---- watching --------------------------------------------------------------------------------------------------------


async def _watched(service: Service, id: str, slow: bool = False, preview: bool = False) -> list[Happening]:
    """What is seen of a job; a slow watcher looks once, and again when it is over."""
    seen = []
    async for happening in service.watch(id, "", preview=preview):
        seen.append(happening)
        if slow:
            await asyncio.to_thread(ended, service, id)
    return seen


def test_watching(service: Service) -> None:
    job = service.submit(an_order(steps=12, strength=1.0), "")
    seen = asyncio.run(_watched(service, job.id, preview=True))
    assert seen[-1].kind == "done"
    assert seen[-1].data == service.view(service.job(job.id, ""))
    steps = [h.data["step"] for h in seen if h.kind == "step"]
    assert steps == sorted(set(steps))
    assert len(steps) > 5
    previews = [h.data["preview"] for h in seen if h.kind == "step"]
    assert previews[-1].startswith("data:image/png;base64,")
    assert asyncio.run(_watched(service, job.id))[0].kind == "done"  # and afterwards


def test_a_slow_watcher_gets_the_latest(service: Service) -> None:
    job = service.submit(an_order(steps=20, strength=1.0), "")
    seen = asyncio.run(_watched(service, job.id, slow=True))
    assert [h.kind for h in seen[1:]] == ["done"]
    assert "preview" not in seen[0].data or seen[0].data["preview"] is None  # nobody asked for one


def test_watching_what_waits_when_the_server_ends(tmp_path: Path, editor: Editor, sandbox: Sandbox) -> None:
    with a_service(tmp_path, editor, sandbox, in_flight=1) as service, held(editor) as go:
        runs(service, service.submit(an_order(), "").id)
        waiting = service.submit(an_order(seed=2), "")

        async def both() -> list[Happening]:
            watching = asyncio.create_task(_watched(service, waiting.id))
            await asyncio.sleep(0.3)
            await asyncio.to_thread(service.drain, 0.0)
            return await asyncio.wait_for(watching, 10)

        assert [h.kind for h in asyncio.run(both())] == ["queued"]
        go.set()


def test_nobody_listens_to_anothers_job(service: Service) -> None:
    job = service.submit(an_order(), "alice")
    with pytest.raises(Problem) as told:
        asyncio.run(_watched(service, job.id))
    assert told.value.status == 404
