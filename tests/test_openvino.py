"""The optional backend: equal to PyTorch within rounding, the same bytes in any company, told in the recipe."""

import socket
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import EXAMPLES, TinyCheckpoints
from test_cli import here, run

from overpaint import Editor, EditRequest
from overpaint.errors import ParameterError
from overpaint.fidelity import compare
from overpaint.metadata import read_recipe
from overpaint.model import DiffusionModel
from overpaint.model_loading import BFLOAT16_GATE
from overpaint.model_openvino import _SHAPES_KEPT, Compiled, version

__all__ = ["here"]
REQUEST = EditRequest(
    EXAMPLES / "castle.jpg", "a lake at night", steps=8, strength=0.6, seed=3, size="128x96", detail=0.0
)
# telemetry would be sent at import or at conversion
pytestmark = pytest.mark.usefixtures("_no_network")


@pytest.fixture(scope="module")
def _no_network() -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("something reached for the network")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture(scope="module")
def compiled(_no_network: None) -> Iterator[Editor]:
    with Editor(device="cpu", dtype="float32", backend="openvino") as editor:
        yield editor


def test_in_float32_it_is_pytorchs_own(compiled: Editor, editor: Editor) -> None:
    ours, theirs = (e.follow(e.submit(REQUEST)) for e in (compiled, editor))
    assert compare(ours.pixels, theirs.pixels, side=128).psnr > 60
    assert ours.recipe.made_with["backend"] == f"openvino {version()}"
    assert theirs.recipe.made_with["backend"] == "torch"


def test_in_bfloat16_it_passes_the_gate(editor: Editor) -> None:
    with Editor(device="cpu", dtype="bfloat16", backend="openvino") as rounded:
        ours, theirs = (e.follow(e.submit(REQUEST)) for e in (rounded, editor))
    assert BFLOAT16_GATE < compare(ours.pixels, theirs.pixels, side=128).psnr < 65


def test_same_bytes_alone_and_in_a_crowd(compiled: Editor) -> None:
    alone = compiled.follow(compiled.submit(REQUEST)).pixels
    others = [REQUEST.replace(seed=9, guidance_scale=1.0), REQUEST.replace(strength=0.9, sampler="heun")]
    crowd = {r.index: r for r in compiled.edit_many([others[0], REQUEST, others[1]])}
    assert np.array_equal(crowd[1].pixels, alone)
    assert not np.array_equal(crowd[2].pixels, alone)


@pytest.mark.parametrize("kind", ["sd15", "sd2v", "lcm", "inpaint", "ddpm"])
def test_every_family(tiny: TinyCheckpoints, kind: str) -> None:
    plain, fast = (DiffusionModel.load(tiny(kind), device="cpu", backend=b) for b in ("torch", "openvino"))
    x = torch.randn(2, plain.channels, 8, 8, generator=torch.Generator().manual_seed(0))
    text = torch.cat([plain.encode_text(words).states for words in ("", "a lake")])
    extra = torch.ones(2, 1 + plain.channels, 8, 8) if plain.takes_mask else None
    told = (x, [500.0, 20.0], text, [3.0, 7.0], extra)
    torch.testing.assert_close(fast.predict(*told), plain.predict(*told), rtol=1e-3, atol=1e-4)


def test_it_is_compiled_once_for_each_of_the_newest_sizes(compiled: Editor) -> None:
    model = compiled.model
    network = model._network
    assert isinstance(network, Compiled)
    text = model.encode_text("a lake").states.expand(2, -1, -1)
    sides = range(4, 4 + _SHAPES_KEPT + 1)
    first = [model.predict(torch.ones(2, model.channels, side, 4), [500.0] * 2, text) for side in sides]
    assert len(network._calls) == _SHAPES_KEPT
    assert torch.equal(model.predict(torch.ones(2, model.channels, sides[0], 4), [500.0] * 2, text), first[0])


def test_the_command_line_and_its_recipe(here: Path) -> None:
    done = run("edit", "in.png", "a lake", "--backend", "openvino", "--steps", 4, "--size", "64x48", "-o", "out.png")
    assert done.exit_code == 0, done.output
    assert str(read_recipe(here / "out.png").made_with["backend"]).startswith("openvino")
    done = run("redo", "out.png", "-o", "again.png")
    assert done.exit_code == 0, done.output
    assert "byte for byte" in done.output


def test_where_it_cannot_be_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match="must be one of torch, openvino"):
        Editor(backend="tensorrt")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="float32 or bfloat16 and not in float16"):
        Editor(device="cpu", dtype="float16", backend="openvino")

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("overpaint.model_openvino.metadata.version", missing)
    with pytest.raises(ParameterError, match=r"not installed: pip install 'overpaint\[openvino\]'"):
        Editor(device="cpu", backend="openvino")
