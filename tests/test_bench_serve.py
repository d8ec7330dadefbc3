"""The server's benchmark: equal work, right answers, its arithmetic and its tables. No timing is asserted."""

import asyncio
import io
import json
import os
import statistics
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from conftest import TinyCheckpoints
from http_app import Http
from PIL import Image

from benchmarks.serve import __main__ as command
from benchmarks.serve import overhead, report, soak, traffic, watching
from benchmarks.serve.client import Answer, Connection, get
from benchmarks.serve.entrants import VARIABLE, Entrant, Ours, Theirs, check, wait_policy
from benchmarks.serve.figures import percentile, slope
from benchmarks.serve.mix import PACES, SAMPLERS, Wish, Wishes, arrivals, mixed_tasks
from benchmarks.serve.peer import Pipelines, Worker, create_app
from benchmarks.serve.results import (
    Goal,
    Load,
    Measured,
    Overhead,
    Plan,
    Run,
    Served,
    Soak,
    as_json,
    from_json,
    goals,
    times,
)
from benchmarks.serve.watching import Sample
from benchmarks.speed.entrants import best_pipeline, default_pipeline
from benchmarks.speed.results import BEST, FLOAT32, OURS, PEER
from benchmarks.speed.work import Task
from overpaint.checkpoint import embedded_folder
from tests.peers import PEERS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # diffusers' own
ROOT = Path(__file__).parent.parent
SIDE = 32
MACHINE = {"processor": "a processor", "threads": "2", "device": "cpu"}
PLAN = Plan(edits=4, clients=2, repeat=2)


def load(seconds: float, *latencies: float, rows: int = 60) -> Load:
    return Load(seconds, latencies, rows, client_cpu=seconds / 100, server_cpu=seconds)


def measured(name: str, dtype: str, seconds: float, behind: float) -> Measured:
    """Two turns of four edits."""
    turn = Served(load(4, 1, 1, 1, 1), load(seconds, 2, 2, 3, 4), load(8, 1, 2, 3, 4), (1.0, 2.0, 3.0), (behind,))
    slower = replace(turn, closed=load(seconds * 2, 2, 2, 3, 4))
    return Measured(name, "passive", dtype, (turn, slower))


SOAK = Soak(
    5,
    restarts=(4.0, 4.5),
    acknowledged=9,
    lost=0,
    accepted=10,
    done=7,
    failed=1,
    cancelled=2,
    statuses={"200": 30, "202": 9},
    unexpected=("POST /v1: 500, a | b",),
    unanswered=1,
    samples=(
        Sample(0, 0, 900, 0, 99, 99),
        *(Sample(60.0 * i, 1, 500 + max(2 * i, 8), 100, 20, 30 - i) for i in range(8)),
    ),
)
OVERHEAD = Overhead((1.1, 1.3, 1.2), (1.0, 1.0), (0.09,), (0.02,), (0.03, 0.05), (0.001,), (600.0,), 4, 0.08)
RUN = Run(
    "cpu",
    MACHINE,
    PLAN,
    0.7,
    (
        measured(OURS, "bfloat16", 4, 4.0),
        Measured(FLOAT32, "passive", "float32", (Served(load(4, 1, 1), load(5, 2, 3)),)),
        measured(PEER, "float32", 7.0, 30.0),
        measured(BEST, "bfloat16", 4.4, 20.0),
    ),
    {PEER: {"default": 0.4, "passive": 0.5}},
    OVERHEAD,
    SOAK,
)


# ---- arithmetic ------------------------------------------------------------------------------------------------------


def test_percentiles() -> None:
    values = [float(i) for i in range(101)]
    assert [percentile(values[::-1], q) for q in (0, 50, 95, 100)] == [0, 50, 95, 100]
    assert percentile([3.0], 95) == 3
    assert percentile([1.0, 2.0], 75) == 1.75


def test_slopes() -> None:
    times = [0.0, 1.0, 3.0, 10.0]
    assert slope(times, [7 + 2.5 * t for t in times]) == pytest.approx(2.5)
    assert slope([0, 1, 2], [0, 3, 0]) == pytest.approx(0)
    assert slope([0, 1, 2, 3], [0, 1, 0, 1]) == pytest.approx(0.2)  # covariance .25 over variance 1.25
    assert slope([1.0], [5.0]) == slope([], []) == slope([2.0, 2.0], [1.0, 9.0]) == 0


def test_arrivals_are_poisson_and_as_the_seed_says() -> None:
    many = arrivals(20_000, 4.0, seed=3)
    assert arrivals(20_000, 4.0, seed=3) == many
    assert arrivals(20_000, 4.0, seed=4) != many
    pauses = np.diff([0.0, *many])
    assert pauses.min() > 0
    assert pauses.mean() == pytest.approx(1 / 4, rel=0.03)
    assert pauses.std() == pytest.approx(1 / 4, rel=0.05)  # of an exponential, the mean
    in_a_second = np.bincount(np.array(many, int)[:-1])
    assert in_a_second.var() == pytest.approx(in_a_second.mean(), rel=0.1)  # of Poisson counts
    assert arrivals(50, 2.0, 1) == pytest.approx([2 * t for t in arrivals(50, 4.0, 1)])


def test_ratios_and_goals() -> None:
    ours, theirs = RUN.entrant(OURS), RUN.entrant(PEER)
    assert ours is not None
    assert theirs is not None
    assert ours.edits_per_second("closed") == [1, 0.5]
    assert ours.rows_per_second("closed") == [15, 7.5]
    assert times(ours, theirs) == pytest.approx(7 / 4)
    assert ours.latency("opened", 50) == 2.5
    assert ours.client_share("closed") == pytest.approx(0.01)
    assert ours.short == (2, 4)
    told = {(goal.item, goal.who): (goal.value, goal.reached) for goal in goals(RUN)}
    assert told[("closed", PEER)] == (pytest.approx(1.75), False)
    assert told[("closed", BEST)] == (pytest.approx(1.1), True)
    assert told[("open", OURS)] == (percentile([1, 2, 3, 4] * 2, 95), False)
    assert told[("short", OURS)] == (2, True)
    assert len(told) == 4
    assert goals(replace(RUN, entrants=())) == goals(replace(RUN, entrants=RUN.entrants[1:])) == []
    assert Goal("x", OURS, 3.0, most=3.0).reached
    assert not Goal("x", OURS, 1.79, least=1.8).reached


def test_what_a_soak_comes_to() -> None:
    assert SOAK.adds_up
    for wrong in ({"done": 6}, {"lost": 1}, {"acknowledged": 11}, {"cancelled": 3}):
        assert not replace(SOAK, **wrong).adds_up  # type: ignore[arg-type]
    assert [sample.seconds for sample in SOAK.settled] == [240, 300, 360, 420]  # of the last life alone
    assert SOAK.per_minute("megabytes") == pytest.approx(2)
    assert SOAK.per_minute("threads") == pytest.approx(-1)
    assert SOAK.per_minute("files") == 0
    assert replace(SOAK, samples=()).per_minute("files") == 0


def test_the_counts_of_the_metrics() -> None:
    text = "# HELP overpaint_jobs_done_total x\noverpaint_jobs_accepted_total 12.0\noverpaint_jobs_done_total 9.0\n"
    assert soak.counts_of(f"{text}overpaint_jobs_queued 3.0\n") == {"accepted": 12, "done": 9, "queued": 3}


# ---- the traffic -----------------------------------------------------------------------------------------------------


def test_the_mix_is_what_its_description_says() -> None:
    tasks = mixed_tasks(400, 1)
    assert mixed_tasks(400, 1) == tasks
    assert mixed_tasks(400, 2) != tasks
    assert {task.sampler for task in tasks} == set(SAMPLERS)
    assert {task.guidance for task in tasks} == set(range(1, 11))
    assert (min(n for n, _ in PACES), max(n for n, _ in PACES)) == (10, 50)
    assert (min(s for _, s in PACES), max(s for _, s in PACES)) == (0.2, 1)
    for steps, strength in PACES:  # where diffusers' rounding agrees with the law
        assert int(steps * strength) == Task(steps, strength, 1).calls


def test_no_two_edits_are_alike() -> None:
    wishes = Wishes(5, SIDE).of(mixed_tasks(60, 5)) + Wishes(5, SIDE, first=700).of(mixed_tasks(60, 5))
    assert len({wish.image for wish in wishes}) == len({wish.prompt for wish in wishes}) == 120
    assert Wishes(5, SIDE).of(mixed_tasks(60, 5)) == wishes[:60]
    masks = [np.asarray(Image.open(io.BytesIO(wish.mask))) for wish in wishes[:60] if wish.mask is not None]
    assert len(masks) == 30
    assert {mask.shape for mask in masks} == {(SIDE, SIDE)}
    assert {int(value) for mask in masks for value in np.unique(mask)} == {0, 255}
    assert 0.25 <= min(np.mean(mask == 255) for mask in masks) < max(np.mean(mask == 255) for mask in masks) <= 9 / 16


def test_what_is_no_right_answer_is_no_result() -> None:
    entrant, wish = Theirs(PEER), Wishes(0, SIDE).of([Task(4, 0.5, 1)])[0]
    right = Answer(200, {"x-calls": "2"}, wish.image)
    check(entrant, wish, right)
    other_size = Wishes(0, 2 * SIDE).of([wish.task])[0].image
    for wrong, words in (
        (replace(right, status=500), "answers 500"),
        (replace(right, headers={"x-calls": "4"}), "took 4 network calls"),
        (replace(right, body=b"<html>"), "something else"),
        (replace(right, body=other_size), "another size"),
    ):
        with pytest.raises(AssertionError, match=words):
            check(entrant, wish, wrong)


# ---- the client ------------------------------------------------------------------------------------------------------


async def _answering(*scripts: list[bytes | None]) -> tuple[asyncio.Server, str]:
    """A server whose n-th connection answers one request after another with these bytes; None: it hangs up."""
    left = iter(scripts)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in next(left):
            await reader.readuntil(b"\r\n\r\n")
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def test_a_kept_connection_that_was_closed_is_opened_anew() -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: a: b\r\n\r\nhi"

    async def main() -> list[Answer]:
        server, url = await _answering([ok, ok], [ok])
        async with server, Connection(url) as connection:
            return [await connection.send(get("/")) for _ in range(3)]

    assert asyncio.run(main()) == [Answer(200, {"content-length": "2", "x-name": "a: b"}, b"hi")] * 3


def test_half_an_answer_is_none() -> None:
    async def ask(*script: bytes | None) -> None:
        server, url = await _answering([*script])
        async with server, Connection(url) as connection:
            await connection.send(get("/"))

    for script in (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi", None):
        with pytest.raises(ConnectionError, match="went away"):
            asyncio.run(ask(script))
    with pytest.raises(OSError):
        asyncio.run(Connection("http://127.0.0.1:1").send(get("/")))


# ---- processes -------------------------------------------------------------------------------------------------------


def test_the_environment_of_a_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "active")
    with wait_policy("passive"):
        assert os.environ[VARIABLE] == "passive"
    with wait_policy("default"):
        assert VARIABLE not in os.environ
    assert os.environ[VARIABLE] == "active"
    monkeypatch.delenv(VARIABLE)
    with wait_policy("passive"):
        pass
    assert VARIABLE not in os.environ


def test_a_process_and_its_children_are_watched() -> None:
    work = "b'x' * 100_000_000; sum(range(10_000_000)); print(flush=True); input()"
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    with subprocess.Popen([sys.executable, "-c", inner], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as outer:
        assert outer.stdin is not None
        assert outer.stdout is not None
        outer.stdout.readline()
        assert len(watching.family(outer.pid)) == 2
        seen = watching.sample(outer.pid, 1.5, 2)
        during = watching.cpu_seconds(outer.pid)
        outer.stdin.close()
    assert (seen.seconds, seen.life, seen.threads) == (1.5, 2, 1)
    assert 3 <= seen.files < 20
    assert 2 < seen.megabytes < 60
    assert 0.1 < during < 60
    with pytest.raises(OSError):
        watching.sample(outer.pid, 0, 0)


def test_diffusers_gets_the_better_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    def pretend(entrant: Entrant, plan: Plan) -> Load:
        return load(2 if (entrant.policy == "passive") == (entrant.name == BEST) else 4, 1, 1)

    monkeypatch.setattr(traffic, "trial", pretend)
    entrants, trials = traffic.theirs(["default", "passive"], PLAN, tell=lambda words: None)
    assert entrants == [Theirs(PEER, "default"), Theirs(BEST, "passive", best=True)]
    assert trials == {PEER: {"default": 1, "passive": 0.5}, BEST: {"default": 0.5, "passive": 1}}
    assert traffic.theirs(["active"], PLAN) == ([Theirs(PEER, "active"), Theirs(BEST, "active", best=True)], {})


def test_our_entrants() -> None:
    names = [(one.name, one.policy, one.dtype) for one in traffic.ours(["passive", "active"])]
    assert names == [
        (OURS, "passive", "auto"),
        (f"{OURS}, OMP_WAIT_POLICY=active", "active", "auto"),
        (FLOAT32, "passive", "float32"),
    ]


# ---- the peer --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The networks here are so small that threads only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def peer(tiny: TinyCheckpoints) -> Iterator[Http]:
    """Its app in this process, on a small model of Stable Diffusion's kind."""
    with closing(Http(create_app(Worker(lambda: Pipelines(tiny("sd15"), best=False))))) as client:
        yield client


def posted(peer: Http, wish: Wish, **fields: Any) -> Any:
    task = wish.task
    told = {"prompt": wish.prompt, "strength": task.strength, "num_inference_steps": task.steps, "seed": task.seed}
    told |= {"guidance_scale": task.guidance, "sampler": task.sampler, **fields}
    files = {"image": ("image.png", wish.image, "image/png")}
    if wish.mask is not None:
        files["mask"] = ("mask.png", wish.mask, "image/png")
    return peer.post("/edit", data=told, files=files)


def directly(pipe: Any, wish: Wish, **where: Any) -> np.ndarray[Any, Any]:
    """The picture by the pipeline itself."""
    task = wish.task
    name, options = PEERS[task.sampler]
    config = {**pipe.scheduler.config, "timestep_spacing": "trailing", **options}
    pipe.scheduler = getattr(diffusers, name).from_config(config)
    made = pipe(
        wish.prompt,
        image=Image.open(io.BytesIO(wish.image)),
        strength=task.strength,
        num_inference_steps=task.steps,
        guidance_scale=task.guidance,
        generator=torch.Generator().manual_seed(task.seed),
        **where,
    )
    return np.asarray(made.images[0])


def test_the_peers_picture_is_that_of_the_pipeline(peer: Http, tiny: TinyCheckpoints) -> None:
    wishes = Wishes(0, SIDE)
    for sampler in SAMPLERS:
        for guidance in (1, 4):
            wish = wishes.of([Task(6, 0.5, guidance, sampler, seed=11)], masked=0)[0]
            answer = posted(peer, wish)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
            assert (answer.headers["x-calls"], answer.headers["x-dtype"]) == ("3", "float32")
            want = directly(default_pipeline(tiny("sd15"), "cpu"), wish)
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), want)


def test_with_a_mask_it_is_that_of_the_inpainting_pipeline(peer: Http, tiny: TinyCheckpoints) -> None:
    pipe = diffusers.StableDiffusionInpaintPipeline.from_pretrained(tiny("sd15"), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    wishes = Wishes(0, SIDE)
    for sampler in SAMPLERS:
        wish = wishes.of([Task(5, 1, 4, sampler)], masked=1)[0]
        assert wish.mask is not None
        answer = posted(peer, wish)
        assert answer.headers["x-calls"] == "5"
        mask = Image.open(io.BytesIO(wish.mask))
        want = directly(pipe, wish, mask_image=mask, width=SIDE, height=SIDE)
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), want)
        whole = posted(peer, replace(wish, mask=None))
        assert not np.array_equal(np.asarray(Image.open(io.BytesIO(whole.content))), want)


def test_the_included_model_in_the_inpainting_pipeline() -> None:
    """It has 8 channels, which that pipeline refuses though it could: what is outside the mask stays what it was."""
    pipelines = Pipelines(embedded_folder(), best=True)
    assert pipelines.masked.vae.dtype == torch.bfloat16
    wish = Wishes(0, 64).of([Task(4, 0.75, 3)], masked=1)[0]
    assert wish.mask is not None
    mask = np.asarray(Image.open(io.BytesIO(wish.mask))) > 0
    with closing(Http(create_app(Worker(lambda: pipelines)))) as client:
        answers = [posted(client, one).content for one in (wish, replace(wish, mask=None))]
    before, after, whole = (np.asarray(Image.open(io.BytesIO(data)), np.float32) for data in (wish.image, *answers))
    np.testing.assert_array_equal(whole, directly(best_pipeline(embedded_folder(), "cpu"), wish))
    changed, kept = np.abs(after - before)[mask].mean(), np.abs(after - before)[~mask].mean()
    assert kept < 0.6 * changed
    assert kept < 0.6 * np.abs(whole - before)[~mask].mean()


def test_the_peer_refuses_what_it_cannot_make(peer: Http) -> None:
    wish = Wishes(0, SIDE).of([Task(4, 0.5, 1)])[0]
    assert posted(peer, replace(wish, image=b"no picture")).status_code == 400
    assert posted(peer, wish, sampler="none").status_code == 422
    assert posted(peer, wish, strength=2).status_code == 422
    assert posted(peer, wish).status_code == 200


# ---- what is told ----------------------------------------------------------------------------------------------------


def test_json_round_trip() -> None:
    told = json.loads(json.dumps(as_json(RUN)))
    assert from_json(told) == RUN
    assert told["told"]["soak_adds_up"] is True
    assert [goal["reached"] for goal in told["told"]["goals"]] == [False, True, False, True]
    bare = Run("cpu", MACHINE, PLAN)
    assert from_json(json.loads(json.dumps(as_json(bare)))) == bare


def test_the_tables() -> None:
    told = report.summary(RUN)
    rows = {line.split(" | ")[0].removeprefix("| "): line.split(" | ") for line in report.closed(RUN).splitlines()}
    first = rows["overpaint, bfloat16, OMP_WAIT_POLICY=passive"]
    assert first[1:8] == ["0.75", "0.5 to 1", "11.2", "", "2.5 s", "4 s", "1.0 % of a core"]
    assert rows["diffusers, float32, OMP_WAIT_POLICY=passive"][4] == "1.75"
    assert rows["diffusers, float32, OMP_WAIT_POLICY=passive"][8] == "at least 1.8: missed |"
    assert rows["diffusers, its best, bfloat16, OMP_WAIT_POLICY=passive"][8] == "at least 1: reached |"
    assert "4 s | 2.00 | at most 3: reached |" in report.short(RUN)
    assert "| one at a time: p50 | p95 | 0.7 arrivals/s: p50 | p95 |" in report.opened(RUN)
    assert FLOAT32 not in report.opened(RUN)
    assert "diffusers: default 0.4, passive 0.5." in told
    assert "| what the server adds | 200 ms, 20 % |" in told
    assert "| 7 done, 1 failed, 2 cancelled: all ended once |" in told
    assert "`POST /v1: 500, a / b`" in told
    assert "516" not in told.split("resident memory")[0]
    assert "514 MB, +2.00 MB a minute" in told
    assert "NOT ALL" in report.soaked(replace(SOAK, lost=1))
    for part in told.split("\n\n"):
        lines = [line for line in part.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1


def test_a_run_is_read_told_and_drawn_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved, page, chart, again = (tmp_path / name for name in ("run.json", "page.md", "run.png", "again.json"))
    saved.write_text(json.dumps(as_json(RUN)))
    page.write_text((ROOT / "docs" / "serving-speed.md").read_text())
    counts = {"edits": 4, "clients": 2, "load": 0.7, "repeat": 2, "seed": 0, "ours": "default", "peer": "default"}
    args = Namespace(read=saved, json=again, page=page, plot=chart, soak=1.0, **counts)
    command.run(args, [])
    assert report.closed(RUN) in capsys.readouterr().out
    assert report.summary(RUN) in page.read_text()
    assert json.loads(again.read_text()) == json.loads(saved.read_text())
    assert chart.stat().st_size > 5_000
    command.run(args, [])
    assert page.read_text().count("measured: cpu") == 1
    with pytest.raises(SystemExit, match="another machine"):
        command.run(args, ["soak"])
    with pytest.raises(ValueError, match="no place"):
        report.put("# Speed\n", RUN)


def test_what_is_measured_now_takes_the_place_of_what_was_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "machine", lambda device: MACHINE)
    monkeypatch.setattr(soak, "soak", lambda entrant, minutes, seed: replace(SOAK, minutes=minutes))
    saved = tmp_path / "run.json"
    saved.write_text(json.dumps(as_json(RUN)))
    counts = {"edits": 9, "clients": 2, "load": 0.7, "repeat": 2, "seed": 0, "ours": "default", "peer": "default"}
    command.run(Namespace(read=saved, json=saved, page=None, plot=None, soak=7.0, **counts), ["soak"])
    assert from_json(json.loads(saved.read_text())) == replace(RUN, soak=replace(SOAK, minutes=7))


# ---- all of it, small ------------------------------------------------------------------------------------------------


def test_a_contest_in_small(tiny: TinyCheckpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three edits by two clients, on both servers as processes."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    model = str(tiny("sd15"))
    plan = Plan(edits=3, clients=2, longs=2, repeat=1)
    contest = traffic.Traffic(plan, traffic.ITEMS, side=SIDE)
    ours = Ours(OURS, "passive", "float32", model, ("--no-warm-up", "--threads", "1"))
    said: list[str] = []
    found = contest.of([ours, Theirs(PEER, "passive", model=model)], said.append)
    assert said == [f"turn 1 of 1: {name}" for name in (OURS, PEER)]
    assert [(one.name, one.dtype) for one in found] == [(name, "float32") for name in (OURS, PEER)]
    rows = sum(task.rows for task in mixed_tasks(3, plan.seed))
    for one in found:
        (turn,) = one.turns
        for done in (turn.alone, turn.closed, turn.opened):
            assert done is not None
            assert (len(done.latencies), done.rows) == (3, rows)
            assert 0 < min(done.latencies) <= max(done.latencies) <= done.seconds
            assert 0 < done.client_cpu < done.seconds
            assert done.server_cpu > 0
        assert len(turn.short_alone) == traffic.SHORTS_ALONE
        assert len(turn.short_behind) == 1
    assert contest.rate == pytest.approx(0.7 * statistics.median(found[0].edits_per_second("closed")))
    assert len(goals(Run("cpu", MACHINE, plan, contest.rate, tuple(found)))) == 3


def test_float32_takes_part_in_the_closed_loop_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, list[str]]] = []

    def pretend(self: traffic.Traffic, entrant: Entrant, number: int) -> Served:
        asked.append((entrant.name, self._items(entrant)))
        self._dtypes[entrant.name] = "float32"
        return Served()

    monkeypatch.setattr(traffic.Traffic, "turn", pretend)
    entrants = [Ours(OURS), Ours(FLOAT32)]
    traffic.Traffic(replace(PLAN, repeat=1), traffic.ITEMS).of(entrants, lambda words: None)
    assert asked == [(OURS, ["closed", "open", "short"]), (FLOAT32, ["closed"])]
    found = traffic.Traffic(PLAN, ["open"]).of(entrants, lambda words: None)
    assert [one.name for one in found] == [OURS]


@pytest.mark.slow
def test_a_soak_in_small(tiny: TinyCheckpoints) -> None:
    told = soak.soak(Ours(OURS, "passive", "float32", str(tiny("sd15")), ("--threads", "1")), 0.5, side=SIDE)
    assert told.adds_up
    assert not told.unexpected
    assert len(told.restarts) == 2
    assert {sample.life for sample in told.samples} == {0, 1, 2}
    assert min(told.done, told.cancelled, told.failed, told.acknowledged) > 0
    assert {"200", "202", "422"} <= set(told.statuses)


@pytest.mark.slow
def test_the_overhead_in_small() -> None:
    plan = Plan(edits=4, clients=2, repeat=1)
    told = overhead.measure(Ours(OURS, "passive", "float32"), plan, 64, tell=lambda words: None)
    assert len(told.edit) == len(told.edit_in_process) == len(told.without_network) == overhead.EDITS
    assert len(told.accepted) == overhead.POSTS
    assert told.jobs[0] > 1
    assert 0 < told.client_share < 1
    assert told.livez_under_load
    assert told.accepted_under_load
    assert report.overhead(told).count("\n") == 9
