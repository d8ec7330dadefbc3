"""The engine: the same bytes in any company, one policy, failures that stay with their owner, cancel, events."""

import queue
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from typing import Any

import numpy as np
import pytest
import torch
from conftest import random_picture

from overpaint.edit_task import EditTask
from overpaint.editor import Editor
from overpaint.engine import MAX_ACTIVE, Engine
from overpaint.errors import EditCancelled, EditFailed
from overpaint.job import EditJob, Started, StepEvent, TaskJob
from overpaint.model import DiffusionModel
from overpaint.prepare import prepare
from overpaint.request import EditRequest
from overpaint.result import EditResult
from overpaint.samplers import SAMPLERS
from overpaint.trajectory import Trajectory

PICTURE = random_picture(64, 64, seed=1)
REQUEST = EditRequest(PICTURE, "a lake at night", strength=0.5, steps=8, seed=3, sampler="dpm++2m_sde", size="input")


def companions(seed: int, n: int) -> list[EditRequest]:
    """Random strangers: other strengths, steps, samplers, guidance, seeds and sizes."""
    rng = random.Random(seed)
    return [
        EditRequest(
            random_picture(64, 64, seed=rng.randrange(9)),
            rng.choice(["a castle", "winter", ""]),
            strength=rng.choice([0.2, 0.45, 0.8, 1.0]),
            steps=rng.randint(2, 12),
            sampler=rng.choice(SAMPLERS),
            guidance_scale=rng.choice([1.0, 2.0, 5.0]),
            seed=rng.randrange(100),
            size=rng.choice(["input", "96x64"]),
        )
        for _ in range(n)
    ]


@pytest.fixture(scope="module")
def alone(editor: Editor) -> dict[float, np.ndarray]:
    return {g: one(editor, g) for g in (1.0, 3.0)}


def request_at(guidance: float) -> EditRequest:
    return EditRequest(
        PICTURE, "a lake at night", strength=0.5, steps=8, seed=3, sampler="dpm++2m_sde", size="input",
        guidance_scale=guidance,
    )  # fmt: skip


def one(editor: Editor, guidance: float) -> np.ndarray:
    pixels: np.ndarray = editor.submit(request_at(guidance)).result().pixels
    return pixels


@pytest.mark.case("S17", "S18")
@pytest.mark.parametrize("n", range(1, 8))
def test_same_bytes_alone_and_in_a_crowd(editor: Editor, alone: dict[float, np.ndarray], n: int) -> None:
    guidance = (1.0, 3.0)[n % 2]
    crowd = companions(n, n)
    place = n // 2
    crowd.insert(place, request_at(guidance))
    results = {r.index: r for r in editor.edit_many(crowd)}
    assert np.array_equal(results[place].pixels, alone[guidance])


def test_negative_control_without_fixed_rows(editor: Editor) -> None:
    """With as many rows as there happen to be, a crowd changes the latents: the rule above is needed, and can fail."""
    model = editor.model
    x = torch.randn(8, model.channels, 32, 32, generator=torch.Generator().manual_seed(0))
    t = [500.0] * 8
    text = model.encode_text("a lake").states.repeat(8, 1, 1)
    fixed = [model.predict(x[:n], t[:n], text[:n])[0] for n in (1, 2, 3, 5, 8)]
    assert all(torch.equal(fixed[0], f) for f in fixed)
    moments = model._network.moment(500.0, 1.0).repeat(8, 1)
    with torch.inference_mode():
        free = [model._network(x[:n], moments[:n], text[:n])[0] for n in (1, 2, 4, 8)]
    assert not all(torch.equal(free[0], f) for f in free)


def test_negative_control_other_seed(editor: Editor, alone: dict[float, np.ndarray]) -> None:
    """Noise from anybody's generator but the edit's own would show."""
    job = editor.submit(request_at(3.0).replace(seed=4))
    assert not np.array_equal(job.result().pixels, alone[3.0])


def test_events_tell_every_step_and_preview(editor: Editor) -> None:
    job = editor.submit(REQUEST, preview=True)
    events = list(job.events())
    assert [e.step for e in events] == [1, 2, 3, 4]
    assert [e.t for e in events] == [499, 374, 249, 124]
    assert all(e.steps == 4 and e.preview is not None and e.preview.shape == (8, 8, 3) for e in events)
    assert list(job.events()) == events  # who listens late gets them all


def test_previews_can_be_turned_on_and_off_on_the_way(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    predict, go = editor.model.predict, threading.Event()
    monkeypatch.setattr(editor.model, "predict", lambda *args: go.wait(60) and predict(*args))
    job = editor.submit(EditRequest(PICTURE, "a lake", strength=1.0, steps=8, seed=1, size="input"))
    wanted = {2: True, 5: False}
    job.listen(lambda event: setattr(job, "preview", wanted.get(event.step, job.preview)))
    go.set()
    assert [event.step for event in job.events() if event.preview is not None] == [3, 4, 5]


def test_a_step_of_heun_is_one_event(editor: Editor) -> None:
    request = EditRequest(PICTURE, "", strength=0.5, steps=8, sampler="heun", seed=1, size="input")
    job = editor.submit(request)
    assert [e.step for e in job.events()] == [1, 2, 3, 4]
    assert job.result().network_calls == 7
    assert job.result().steps_run == 4


def test_preview_is_near_the_decoded_picture(editor: Editor) -> None:
    """The matrix is fitted for this VAE (8 channels): its colours follow the decoder's."""
    model = editor.model
    picture = random_picture(128, 128, seed=5)
    mean, _ = model.encode_picture(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255)
    preview = model.preview(mean).numpy()
    small = picture.reshape(16, 8, 16, 8, 3).mean((1, 3)) / 255
    assert np.abs(preview - small).mean() < 0.05
    assert np.corrcoef(preview.ravel(), small.ravel())[0, 1] > 0.95


def test_cancel_while_running(editor: Editor) -> None:
    job = editor.submit(EditRequest(PICTURE, "a lake", strength=1.0, steps=1000, seed=1, size="input"))
    for event in job.events():
        if event.step == 2:
            assert job.cancel()
            break
    with pytest.raises(EditCancelled, match=r"cancelled after \d+ of 1000 steps"):
        job.result(timeout=60)
    assert not job.cancel()  # done is done
    assert editor.submit(REQUEST).result().steps_run == 4  # the engine goes on


def test_cancel_in_the_line_is_at_once(model: DiffusionModel) -> None:
    """With the engine full of long edits, one that still waits need not wait to be cancelled."""
    long = prepare(EditRequest(PICTURE, "", strength=1.0, steps=1000, seed=1, size="input"), model)
    with Engine(lambda: model) as engine:
        jobs = engine.submit_all([long] * (MAX_ACTIVE + 1))
        next(jobs[0].events())
        assert jobs[-1].cancel()
        with pytest.raises(EditCancelled, match="before it was started"):
            jobs[-1].result(timeout=0)
        assert not jobs[-1].cancel()


def test_cancel_leaves_companions_alone(editor: Editor, alone: dict[float, np.ndarray]) -> None:
    long = editor.submit(EditRequest(PICTURE, "", strength=1.0, steps=1000, guidance_scale=1.0, seed=1, size="input"))
    job = editor.submit(request_at(1.0))
    next(job.events())
    long.cancel()
    assert np.array_equal(job.result().pixels, alone[1.0])
    wait([long])


def test_poison_fails_alone(editor: Editor, alone: dict[float, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that breaks every call it is in ends; the others' bytes are what they are alone."""
    model = editor.model
    predict = model.predict

    def poisoned(x: torch.Tensor, t: Sequence[float], *rest: Any) -> torch.Tensor:
        if 666 in t:
            raise RuntimeError("boom")
        return predict(x, t, *rest)

    monkeypatch.setattr(model, "predict", poisoned)
    poison = EditRequest(PICTURE, "", strength=0.667, steps=4, guidance_scale=1.0, seed=1, size="input")
    poisoned_job, job = editor._engine.submit_all([prepare(r, model) for r in (poison, request_at(1.0))])
    assert np.array_equal(job.result().pixels, alone[1.0])
    with pytest.raises(EditFailed, match="RuntimeError: boom"):
        poisoned_job.result()


@pytest.mark.case("S15")
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ],
)
def test_without_room_for_all_each_is_tried_alone(
    editor: Editor, alone: dict[float, np.ndarray], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """And who has no room alone is told its size; the others never know."""
    model = editor.model
    predict = model.predict
    sizes: list[int] = []

    def cramped(x: torch.Tensor, t: Sequence[float], *rest: Any) -> torch.Tensor:
        sizes.append(len(x))
        if len(x) > 1 or 666 in t:
            raise error
        return predict(x, t, *rest)

    monkeypatch.setattr(model, "predict", cramped)
    never = EditRequest(PICTURE, "", strength=0.667, steps=4, guidance_scale=1.0, seed=1, size="input")
    jobs = editor._engine.submit_all([prepare(r, model) for r in (request_at(1.0), never, request_at(1.0))])
    for job in (jobs[0], jobs[2]):
        assert np.array_equal(job.result().pixels, alone[1.0])
    with pytest.raises(EditFailed, match="not enough memory for an edit at 64x64; a smaller size= needs less"):
        jobs[1].result()
    assert 2 in sizes


@pytest.mark.case("S16")
def test_numbers_that_are_not_finite_are_an_error(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editor.model, "predict", lambda x, *rest: x * float("nan"))
    with pytest.raises(EditFailed, match="not finite"):
        editor.submit(REQUEST).result()


def at_its_end(job: EditJob, call: Callable[[], object]) -> None:
    """``call`` on the engine's thread, when the last step is taken."""
    job.listen(lambda event: call() if event.step == event.steps else None)


@pytest.mark.case("S19")
def test_short_edits_overtake_and_long_ones_are_not_starved(model: DiffusionModel) -> None:
    """A stream of short edits passes a long one until it has waited for as many rows as it has left itself."""
    finished: list[str] = []
    settled = threading.Event()
    with Engine(lambda: model) as engine:

        def send_short(number: int) -> None:
            if number < 30 and "long" not in finished:
                task = prepare(EditRequest(PICTURE, "", strength=1.0, steps=3, seed=1, size="input"), model)
                at_its_end(engine.submit(task), lambda: (finished.append("short"), send_short(number + 1)))
            else:
                settled.set()

        long = prepare(EditRequest(PICTURE, "", strength=1.0, steps=20, seed=1, size="input"), model)
        at_its_end(engine.submit(long), lambda: finished.append("long"))
        send_short(0)
        assert settled.wait(60)
    # 20 calls of 2 rows are left; each short one takes 3 calls of 2 rows
    assert finished.index("long") in (6, 7, 8)


def test_closing_ends_what_waits(model: DiffusionModel) -> None:
    engine = Engine(lambda: model)
    jobs = engine.submit_all(
        [prepare(EditRequest(PICTURE, "", strength=1.0, steps=500, seed=i, size="input"), model) for i in range(20)]
    )
    engine.close()
    for job in jobs:
        assert isinstance(job.exception(timeout=1), EditCancelled)
    with pytest.raises(EditFailed, match="closed"):
        engine.submit_all([])
    engine.close()


def test_threads_may_submit_together(editor: Editor, alone: dict[float, np.ndarray]) -> None:
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(one(editor, 3.0))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(np.array_equal(r, alone[3.0]) for r in results)


def test_job_is_a_future() -> None:
    job = TaskJob(task=None)  # type: ignore[arg-type]
    assert not job.done()
    job.set_result(1)
    assert job.result() == 1
    assert list(job.events()) == []
    assert StepEvent(1, 2, 3.0).preview is None


class Held(EditTask):
    """An edit whose finishing waits to be let go."""

    go: threading.Event
    reached: threading.Event

    def finish(self, model: DiffusionModel, trajectory: Trajectory) -> Callable[[], EditResult]:
        rest = super().finish(model, trajectory)

        def held() -> EditResult:
            self.reached.set()
            assert self.go.wait(60)
            return rest()

        return held


def held(editor: Editor, go: threading.Event) -> Held:
    task = prepare(request_at(1.0), editor.model, kind=Held)
    assert isinstance(task, Held)
    task.go, task.reached = go, threading.Event()
    return task


def test_results_are_finished_beside_the_network(editor: Editor, alone: dict[float, np.ndarray]) -> None:
    """A result that takes long to enlarge and composite holds up nobody."""
    task = held(editor, threading.Event())
    slow = editor._engine.submit(task)
    assert task.reached.wait(60)
    assert np.array_equal(one(editor, 3.0), alone[3.0])
    assert not slow.done()
    task.go.set()
    assert np.array_equal(slow.result().pixels, alone[1.0])


def test_cancel_while_it_is_finished(editor: Editor) -> None:
    task = held(editor, threading.Event())
    job = editor._engine.submit(task)
    assert task.reached.wait(60)
    assert job.cancel()
    task.go.set()
    with pytest.raises(EditCancelled, match="after its last step"):
        job.result()


class Broken(EditTask):
    """An edit whose finishing fails."""

    def finish(self, model: DiffusionModel, trajectory: Trajectory) -> Callable[[], EditResult]:
        rest = super().finish(model, trajectory)
        return lambda: [rest()][1]


def test_what_fails_while_it_is_finished_fails_alone(editor: Editor, alone: dict[float, np.ndarray]) -> None:
    job = editor._engine.submit(prepare(request_at(1.0), editor.model, kind=Broken))
    with pytest.raises(EditFailed, match="IndexError"):
        job.result()
    assert np.array_equal(one(editor, 1.0), alone[1.0])


def test_an_editor_collected_while_it_finishes_ends_all_the_same(model: DiffusionModel) -> None:
    """The last one who knows an engine may be one of its own threads."""
    engine = Engine(lambda: model)
    job = engine.submit(prepare(request_at(1.0), model))
    ended = threading.Event()
    job.add_done_callback(lambda _: [engine.close(), ended.set()])
    assert ended.wait(60)
    assert engine._ended.wait(60)


# ---- what is told of the engine itself -------------------------------------------------------------------------------


def test_whoever_watches_hears_of_every_row(model: DiffusionModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every call that did not fail, once: all that edits took of the network, and no more than it has room for."""
    predict = model.predict
    asked: list[int] = []
    failed: list[int] = []

    def troubled(x: torch.Tensor, t: Sequence[float], *rest: Any) -> torch.Tensor:
        asked.append(len(x))
        if len(set(t)) > 1 and len(asked) % 3 == 0:  # of several edits
            failed.append(len(x))
            raise RuntimeError("boom")
        return predict(x, t, *rest)

    monkeypatch.setattr(model, "predict", troubled)
    told: list[tuple[int, int, float]] = []
    others: list[int] = []
    with Engine(lambda: model) as engine:
        engine.watch(lambda *call: told.append(call))
        engine.watch(lambda rows, capacity, seconds: others.append(rows))
        requests = companions(5, 12)
        jobs = engine.submit_all([prepare(request, model) for request in requests])
        results = [job.result() for job in jobs]
    rows = [r.network_calls * (1 if r.params.guidance_scale == 1 else 2) for r in results]
    assert sum(n for n, _, _ in told) == sum(rows) == sum(others)
    assert len(told) == len(asked) - len(failed)
    assert {capacity for _, capacity, _ in told} == {model.row_buckets[-1]} == {max(n for n, _, _ in told)}
    assert all(seconds > 0 for _, _, seconds in told)
    assert failed


class Death(BaseException):
    """What no ``except Exception`` holds up."""


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch) -> "queue.SimpleQueue[type[BaseException]]":
    """What has ended threads."""
    ends: queue.SimpleQueue[type[BaseException]] = queue.SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", lambda args: ends.put(args.exc_type))
    return ends


@pytest.mark.parametrize("error", [Death("boom"), SystemExit("boom")])
def test_when_the_engine_dies_nobody_waits_for_ever(
    model: DiffusionModel,
    monkeypatch: pytest.MonkeyPatch,
    hooked: "queue.SimpleQueue[type[BaseException]]",
    error: BaseException,
) -> None:
    predict = model.predict
    calls = 0
    begin, end = threading.Event(), threading.Event()

    def deadly(*args: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        begin.set()
        assert end.wait(60)
        if calls == 3:
            raise error
        return predict(*args)

    monkeypatch.setattr(model, "predict", deadly)
    long = prepare(EditRequest(PICTURE, "", strength=1.0, steps=500, seed=1, size="input"), model)
    engine = Engine(lambda: model)
    assert engine.alive
    jobs = engine.submit_all([long] * (MAX_ACTIVE + 4))
    assert begin.wait(60)
    jobs[0].add_done_callback(lambda _: exec("raise SystemExit"))  # whatever its owner does
    end.set()
    words = f"the engine has ended by an error ({type(error).__name__}: boom); make a new editor"
    for job in jobs:
        ended = job.exception(timeout=30)
        assert isinstance(ended, EditFailed)
        assert (str(ended), ended.__cause__) == (words, error)
    assert not engine.alive
    with pytest.raises(EditFailed, match="has ended by an error"):
        engine.submit(long)
    engine.close()
    assert hooked.get(timeout=30) is type(error)


class Deadly(EditTask):
    """An edit that ends the thread it is started, decoded or finished on."""

    where: str

    def start(self, model: DiffusionModel) -> Started:
        if self.where == "start":
            raise Death("boom")
        return super().start(model)

    def finish(self, model: DiffusionModel, trajectory: Trajectory) -> Callable[[], EditResult]:
        if self.where == "finish":
            raise Death("boom")
        return self._rest

    def _rest(self) -> EditResult:
        raise Death("boom")


@pytest.mark.parametrize(("where", "alive"), [("start", False), ("finish", False), ("rest", True)])
def test_an_edit_that_ends_a_thread_ends_too(
    model: DiffusionModel, hooked: "queue.SimpleQueue[type[BaseException]]", where: str, alive: bool
) -> None:
    task = prepare(request_at(1.0), model, kind=Deadly)
    assert isinstance(task, Deadly)
    task.where = where
    with Engine(lambda: model) as engine:
        with pytest.raises(EditFailed, match="Death: boom"):
            engine.submit(task).result(timeout=30)
        if not alive:
            assert hooked.get(timeout=30) is Death
        assert engine.alive == alive
    assert not engine.alive
