"""The speed benchmark: it compares equal work, its arithmetic and its tables are right. No timing is asserted."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from echo_entrant import Echo, broken

from benchmarks.speed import __main__ as command
from benchmarks.speed import gpu, processes, scripts
from benchmarks.speed.apart import Apart
from benchmarks.speed.entrants import Ours, Theirs, best_pipeline, default_pipeline
from benchmarks.speed.field import Field
from benchmarks.speed.floors import Floors
from benchmarks.speed.report import put, rows_of, table
from benchmarks.speed.results import BEST, NATIVE, OURS, PEER, Floor, Goal, Item, Line, Run, as_json, from_json
from benchmarks.speed.shapes import SD15, Shape, save_random
from benchmarks.speed.turns import Turns, timed
from benchmarks.speed.work import MIXED, ONE, SD15_MIXED, SD15_ONE, SWEEP, Task, edits_of_turn, square
from overpaint.editor import Editor
from overpaint.params import our_default

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # diffusers' own
ROOT = Path(__file__).parent.parent
SIDE = 64
# Stable Diffusion's shape, with everything small
SMALL_UNET = {
    "sample_size": 8,
    "block_out_channels": (32, 32),
    "layers_per_block": 1,
    "cross_attention_dim": 32,
    "norm_num_groups": 8,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}
SMALL_TEXT = {"vocab_size": 1200, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
TINY = Shape(
    unet={**SD15.unet, **SMALL_UNET},
    vae={**SD15.vae, "sample_size": SIDE, "block_out_channels": (32,) * 4, "layers_per_block": 1},
    text={**SD15.text, **SMALL_TEXT, "num_hidden_layers": 1},
)
ITEM = Item(
    "one",
    "one edit",
    (
        Line(OURS, (3.0, 1.0, 2.0), "bfloat16"),
        Line(PEER, (4.0, 4.0, 5.0), "float32"),
        Line(BEST, (2.2, 2.2, 2.2), "bfloat16"),
        Line("overpaint, preset", (9.0, 9.0, 9.0), "bfloat16", "384x384"),
    ),
    (Goal(1 / 2, PEER), Goal(1 / 1.15, BEST), Goal(0.5)),
    Floor(3e9, 6e9, "bfloat16"),
    edits=4,
)
MACHINE = {"processor": "a processor", "threads": "2", "device": "cpu"}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The networks here are so small that threads only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def random_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("random")
    save_random(folder, TINY, torch.float16)
    return folder


@pytest.fixture(scope="module")
def field(random_folder: Path) -> Iterator[Field]:
    """Overpaint and both pipelines of diffusers on the random folder, as they are on a CPU."""
    with Editor(random_folder, device="cpu") as editor:
        pipes = {PEER: default_pipeline(random_folder, "cpu"), BEST: best_pipeline(random_folder, "cpu")}
        entrants = [Ours(OURS, editor), *(Theirs(name, pipe) for name, pipe in pipes.items())]
        floors = Floors(random_folder, "cpu", entrants[0].dtype, rate=1e9)
        yield Field(entrants, floors, Turns(repeat=1, warm_up=0))


# ---- equal work ------------------------------------------------------------------------------------------------------


def test_both_take_the_same_network_calls(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted at the networks themselves, in rows that are needed, for each of the mixed edits."""
    base = square(SIDE)
    theirs = field.entrants[1]
    assert isinstance(theirs, Theirs)
    calls = rows = 0

    def count(module: Any, args: tuple[Any, ...], out: Any) -> None:
        nonlocal calls, rows
        calls, rows = calls + 1, rows + len(out[0])

    hook = theirs.pipe.unet.register_forward_hook(count)
    for task in MIXED:
        calls = rows = 0
        theirs.make(edits_of_turn(base, [task], 0))
        assert (calls, rows) == (task.calls, task.rows)
    hook.remove()
    seen: list[int] = []
    predict = field.ours.editor.model.predict

    def counted(x: torch.Tensor, *args: Any, **named: Any) -> torch.Tensor:
        seen.append(len(x))
        return predict(x, *args, **named)

    monkeypatch.setattr(field.ours.editor.model, "predict", counted)
    field.ours.make(edits_of_turn(base, MIXED, 0, pictures=len(MIXED)))
    assert sum(seen) == sum(task.rows for task in MIXED)


def test_other_work_is_not_measured(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Task, "calls", 5)
    for entrant in field.entrants[:2]:
        with pytest.raises(AssertionError, match="network calls"):
            entrant.make(edits_of_turn(square(SIDE), [Task(4, 0.5, 1)], 0))


def test_the_tasks_are_what_their_descriptions_say() -> None:
    assert {(task.calls, task.rows) for task in (SD15_ONE, *SD15_MIXED)} == {(30, 60)}
    assert len(MIXED) == 8
    assert (min(t.strength for t in MIXED), max(t.strength for t in MIXED)) == (0.2, 1)
    assert (min(t.guidance for t in MIXED), max(t.guidance for t in MIXED)) == (1, 8)
    assert (min(t.steps for t in MIXED), max(t.steps for t in MIXED)) == (10, 50)
    assert len({t.sampler for t in MIXED}) == 6
    assert (ONE.calls, ONE.rows, ONE.sampler) == (18, 36, our_default("sampler"))


def test_every_turn_has_pictures_and_words_of_its_own() -> None:
    base = square(SIDE)
    many = [edit for turn in range(3) for edit in edits_of_turn(base, MIXED, turn, pictures=len(MIXED))]
    assert len({edit.picture.tobytes() for edit in many}) == len({edit.prompt for edit in many}) == 24
    one = edits_of_turn(base, SWEEP, 1)
    assert len({edit.picture.tobytes() for edit in one}) == len({edit.prompt for edit in one}) == 1


def test_turns() -> None:
    asked: list[tuple[str, int]] = []

    def measure(name: str) -> Callable[[int], int]:
        return lambda turn: asked.append((name, turn)) or turn  # type: ignore[func-returns-value]

    assert Turns(2, 1).of({"a": measure("a"), "b": measure("b")}) == {"a": [1, 2], "b": [1, 2]}
    assert asked == [(name, turn) for turn in range(3) for name in "ab"]
    assert timed(lambda turn: lambda: None)(0) >= 0


# ---- arithmetic, tables ----------------------------------------------------------------------------------------------


def test_medians_ratios_and_goals() -> None:
    assert ITEM.ours.median == 2
    assert (ITEM.ratio(PEER), ITEM.ratio(BEST)) == (2, pytest.approx(1.1))
    assert [ITEM.reached(goal) for goal in ITEM.goals] == [True, False, True]
    assert not ITEM.reached(Goal(0.49))  # of each of the four edits
    assert ITEM.floor is not None
    assert ITEM.floor.seconds == 0.5
    masked = replace(ITEM, lines=(ITEM.ours, Line(NATIVE, (1.5,))))
    assert not masked.reached(Goal(1.3, NATIVE))
    assert masked.reached(Goal(1.34, NATIVE))


def test_json_round_trip() -> None:
    run = Run("cpu", MACHINE, 3, (ITEM, replace(ITEM, name="memory", floor=None, unit="MB")))
    told = json.loads(json.dumps(as_json(run)))
    assert from_json(told) == run
    first = told["items"][0]["told"]
    assert first["ratios"] == {OURS: 1, PEER: 2, BEST: pytest.approx(1.1)}
    assert (first["floor"], first["reached"]) == (0.5, [True, False, True])
    assert first["medians"]["overpaint, preset"] == 9


def test_table() -> None:
    assert rows_of(ITEM) == [
        ("one edit", "overpaint, bfloat16", "2 s", "1 to 3", "", "at most 500 ms an edit (500): reached"),
        ("", "diffusers, float32", "4 s", "4 to 5", "2.00", "at least 2: reached"),
        ("", "diffusers, its best, bfloat16", "2.2 s", "2.2 to 2.2", "1.10", "at least 1.15: missed"),
        ("", "overpaint, preset, bfloat16, 384x384", "9 s", "9 to 9", "", ""),
        ("", "floor: 3 GFLOP at 6 GFLOP/s, bfloat16", "0.5 s", "", "0.25", ""),
    ]
    assert len({line.count("|") for line in table([ITEM]).splitlines()}) == 1


def test_the_table_goes_into_its_place_of_the_page() -> None:
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    for device in command.NAMES:
        once = put(page, Run(device, MACHINE, 3, (ITEM,)))
        assert "| one edit | overpaint, bfloat16 | 2 s |" in once
        assert once.startswith(page[:100])
        assert put(once, Run(device, MACHINE, 4, (ITEM,))).replace("of 4 turns", "of 3 turns") == once
    with pytest.raises(ValueError, match="no place"):
        put("# Speed\n", Run("cpu", MACHINE, 3, (ITEM,)))


def test_a_run_is_read_told_and_drawn_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved, page, chart, again = (tmp_path / name for name in ("run.json", "page.md", "run.png", "again.json"))
    saved.write_text(json.dumps(as_json(Run("cpu", MACHINE, 3, (ITEM,)))))
    page.write_text("<!-- measured: cpu -->\n<!-- measured end -->\n")
    command.run(Namespace(read=saved, device="cpu", json=again, page=page, plot=chart), [])
    assert table([ITEM]) in capsys.readouterr().out
    assert table([ITEM]) in page.read_text()
    assert json.loads(again.read_text()) == json.loads(saved.read_text())
    assert chart.stat().st_size > 5_000


def test_without_cuda_its_items_are_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    command.run(Namespace(read=None, device="cuda"), list(gpu.ITEMS))
    assert "no CUDA here" in capsys.readouterr().out


# ---- floors, and the GPU's items in small ----------------------------------------------------------------------------


def test_operations_of_stable_diffusion(tmp_path: Path) -> None:
    """The known figures of its networks at 512 pixels: .803 TFLOP a row, 1.12 to encode, 2.51 to decode."""
    for part, config in (("unet", SD15.unet), ("vae", SD15.vae), ("text_encoder", SD15.text)):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text(json.dumps(config))
    floors = Floors(tmp_path, "cuda", "float16", rate=733e12)
    counted = [count(64, 64) / 1e12 for count in (floors.row, floors.encode, floors.decode)]
    assert counted == [pytest.approx(0.803, abs=1e-3), pytest.approx(1.117, abs=1e-3), pytest.approx(2.515, abs=1e-3)]
    assert floors.of([SD15_ONE], (512, 512), 1).seconds == pytest.approx(0.0707, abs=1e-4)


def test_the_gpus_items_run_on_a_small_shape(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "SD15_ONE", Task(4, 0.5, 3))
    monkeypatch.setattr(gpu, "SD15_MIXED", (Task(4, 0.5, 5), Task(8, 0.25, 2, "euler")))
    alone, many = gpu.one(field, SIDE), gpu.mixed(field, 3, SIDE)
    for item in (alone, many):
        assert [line.name for line in item.lines] == [OURS, PEER, BEST]
        assert all(len(line.numbers) == 1 for line in item.lines)
        assert [goal.against for goal in item.goals] == [""]
        assert item.floor is not None
    assert many.edits == 3
    assert alone.floor is not None
    assert many.floor is not None
    assert many.floor.flops == pytest.approx(3 * alone.floor.flops)


def test_a_random_folder_is_in_half_precision_and_whole(random_folder: Path, field: Field) -> None:
    from safetensors.torch import load_file

    weights = load_file(random_folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    assert field.ours.editor.model.encode_text("a lake").states.shape[:2] == (1, 77)


# ---- new processes ---------------------------------------------------------------------------------------------------


def test_time_and_memory_of_a_process() -> None:
    """In a parent with more memory than the child."""
    held = np.ones(300_000_000, np.uint8)
    small = processes.spent([sys.executable, "-c", "pass"])
    large = processes.spent([sys.executable, "-c", "x = bytearray(b'x') * 100_000_000"])
    assert held.nbytes > 1e6 * large.megabytes > 1e6 * (small.megabytes + 90)
    assert small.seconds > 0
    with pytest.raises(RuntimeError, match="not today"):
        processes.spent([sys.executable, "-c", "raise SystemExit('not today')"])


def test_items_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which commands are measured, without running them."""
    seen: list[Sequence[str | Path]] = []

    def pretend(command: Sequence[str | Path]) -> processes.Spent:
        seen.append(command)
        return processes.Spent(float(len(seen)), 100.0 * len(seen))

    monkeypatch.setattr(processes, "spent", pretend)
    cold, memory, load = processes.items(["cold", "memory", "load"], Turns(1, 0))
    assert [line.numbers for line in cold.lines] == [(1,), (2,), (3,)]
    assert [line.numbers for line in memory.lines] == [(100,), (200,), (300,)]
    assert (cold.unit, memory.unit, load.unit) == ("s", "MB", "s")
    assert [str(part) for part in seen[0][1:2]] == ["edit"]


def test_the_scripts_are_programs() -> None:
    edit = scripts.edit(ROOT / "a 'picture'.jpg", 'say "oil"', ONE, 256, Path("out.png"))
    programs = [scripts.peer_load() + edit, scripts.best_load() + edit]
    for text in (*programs, scripts.OUR_LOAD, scripts.OUR_MODULES, scripts.OUR_IMPORT, scripts.PEER_IMPORT):
        compile(text, "script", "exec")
    assert "bfloat16" not in programs[0]
    assert "bfloat16" in programs[1]


def test_an_entrant_in_a_process_of_its_own() -> None:
    edits = edits_of_turn(square(8), SWEEP, 0)
    with Apart(Echo) as entrant:
        assert entrant.name == "echo"
        assert entrant.dtype != Echo.dtype  # which is told of this process
        entrant.make(edits)
        with pytest.raises(AssertionError, match="there are no edits"):
            entrant.make([])
        entrant.make(edits)
        with pytest.raises(RuntimeError, match="exit code"):
            entrant.make(edits[:3])
    with pytest.raises(OSError, match="it cannot be built"):
        Apart(broken)
