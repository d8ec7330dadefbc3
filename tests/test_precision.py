"""bfloat16 on a CPU: chosen by the processor and by what was measured of the model, and as exact as its card says."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import EXAMPLES, TinyCheckpoints
from test_cli import here, run

from overpaint import Editor, EditRequest, model_loading, precision
from overpaint.card import CARD_FILE, Card, read_card
from overpaint.checkpoint import embedded_folder
from overpaint.errors import ModelError, ParameterError
from overpaint.fidelity import compare
from overpaint.metadata import read_recipe
from overpaint.model_loading import BFLOAT16_GATE, dtype_of, multiplies_bfloat16

__all__ = ["here"]
CPU = torch.device("cpu")
MEASURED = Card("x", bfloat16_psnr=BFLOAT16_GATE)


@pytest.fixture
def with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_loading, "multiplies_bfloat16", lambda: True)


@pytest.fixture(scope="module")
def rounded() -> Editor:
    with Editor(device="cpu", dtype="bfloat16") as editor:
        yield editor


@pytest.mark.usefixtures("with_bfloat16")
def test_auto_goes_by_the_card() -> None:
    assert dtype_of("auto", CPU, MEASURED) == torch.bfloat16
    assert dtype_of("auto", CPU, Card("x", bfloat16_psnr=BFLOAT16_GATE - 0.1)) == torch.float32
    assert dtype_of("auto", CPU, Card("x")) == torch.float32
    assert dtype_of("float32", CPU, MEASURED) == torch.float32
    assert dtype_of("auto", torch.device("cuda"), Card("x")) == torch.float16
    assert dtype_of("auto", torch.device("mps"), MEASURED) == torch.float32


def test_auto_goes_by_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dtype_of("auto", CPU, MEASURED) == torch.float32  # the tests say that this one has none
    told = {"avx512_bf16": False, "amx_bf16": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    assert not multiplies_bfloat16()
    told["amx_bf16"] = True
    assert multiplies_bfloat16()


def test_the_embedded_model_is_as_exact_as_its_card_says(rounded: Editor, editor: Editor) -> None:
    """One of the measured edits; the card holds the lowest of them."""
    stated = read_card(embedded_folder()).bfloat16_psnr
    assert stated >= BFLOAT16_GATE
    request = EditRequest(EXAMPLES / "castle.jpg", precision.PROMPTS[0], seed=0, steps=12, strength=0.6, size="256x256")
    request = request.replace(output_size="working", detail=0.0)
    exact, near = (e.follow(e.submit(request)) for e in (editor, rounded))
    assert near.recipe.made_with["dtype"] == "bfloat16"
    assert BFLOAT16_GATE < compare(exact.pixels, near.pixels, side=256).psnr < 65


def test_same_bytes_alone_and_in_a_crowd_in_bfloat16(rounded: Editor) -> None:
    request = EditRequest(EXAMPLES / "castle.jpg", "a lake", steps=5, strength=0.6, size="128x96", seed=1)
    alone = rounded.follow(rounded.submit(request)).pixels
    others = [request.replace(seed=9, guidance_scale=1.0), request.replace(strength=0.9, sampler="heun")]
    crowd = {r.index: r for r in rounded.edit_many([others[0], request, others[1]])}
    assert np.array_equal(crowd[1].pixels, alone)
    assert not np.array_equal(crowd[2].pixels, alone)


def test_precision_is_measured_and_written(tiny: TinyCheckpoints, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny("sd15"), tmp_path / "model"))
    (folder / CARD_FILE).write_text('name = "mine"\nnative_size = 32\nsize_multiple = 16\n[defaults]\nsteps = 4\n')
    done = run("precision", "--model", folder, "--write")
    assert done.exit_code == 0, done.output
    card = read_card(folder, name="guessed")
    assert (card.name, card.defaults["steps"]) == ("mine", 4)
    assert 20 < card.bfloat16_psnr < 70
    assert f"bfloat16_psnr = {card.bfloat16_psnr}" in done.output
    precision.write_on_card(folder, 12.34)
    assert tomllib.loads((folder / CARD_FILE).read_text())["bfloat16_psnr"] == 12.3
    (folder / CARD_FILE).unlink()
    precision.write_on_card(folder, 45.0)
    assert read_card(folder, name="x").bfloat16_psnr == 45


@pytest.mark.parametrize("value", ["-1", "nan", '"much"'])
def test_a_figure_that_is_none_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / CARD_FILE).write_text(f'name = "x"\nbfloat16_psnr = {value}\n')
    with pytest.raises(ModelError, match="not a card that can be used"):
        read_card(tmp_path)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True, 10**6])
def test_a_number_of_threads_that_is_none_is_refused(threads: object) -> None:
    with pytest.raises(ParameterError, match="threads"):
        Editor(threads=threads)  # type: ignore[arg-type]


def test_the_number_of_threads_is_kept_and_told(here: Path) -> None:
    were = torch.get_num_threads()
    try:
        done = run("edit", "in.png", "a lake", "--threads", 1, "--steps", 4, "--size", "64x48", "-o", "out.png")
        assert done.exit_code == 0, done.output
        assert torch.get_num_threads() == 1
        assert read_recipe(here / "out.png").made_with["threads"] == 1
    finally:
        torch.set_num_threads(were)
