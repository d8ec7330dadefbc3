"""What is constant is computed once, and packed: the network's output is diffusers' own."""

from pathlib import Path

import pytest
import torch
from conftest import TinyCheckpoints
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from overpaint import model_packing
from overpaint.checkpoint import embedded_folder
from overpaint.model import DiffusionModel
from overpaint.model_network import ConstantsApart, Whole, network_of
from overpaint.model_packing import SIZES_KEPT, PackedConv2d, PackedLinear

TIMES = [321.0, 76.5]
TEXTS = ("", "a castle by a lake at night")


def their_unet(folder: Path, dtype: torch.dtype = torch.float32) -> UNet2DConditionModel:
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=dtype, local_files_only=True)
    return unet.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@torch.inference_mode()
def theirs(unet: UNet2DConditionModel, model: DiffusionModel, x: Tensor) -> Tensor:
    states = torch.cat([model._words.encode(text).states for text in TEXTS])
    seen = x.to(model.dtype).contiguous(memory_format=torch.channels_last)
    return unet(seen, torch.tensor(TIMES), encoder_hidden_states=states.to(model.dtype)).sample.float()


def ours(model: DiffusionModel, x: Tensor) -> Tensor:
    return model.predict(x, TIMES, torch.cat([model.encode_text(text).states for text in TEXTS]))


def latents(model: DiffusionModel, rows: int, columns: int) -> Tensor:
    return torch.randn(2, model.channels, rows, columns, generator=torch.Generator().manual_seed(rows))


@pytest.mark.parametrize("kind", ["embedded", "sd15", "sd2v", "zsnr"])
def test_the_output_is_that_of_diffusers(tiny: TinyCheckpoints, kind: str) -> None:
    folder = embedded_folder() if kind == "embedded" else tiny(kind)
    model, unet = DiffusionModel.load(folder, device="cpu", dtype="float32"), their_unet(folder)
    assert isinstance(model._network, ConstantsApart)
    for x in (latents(model, 16, 16), latents(model, 24, 8)):
        expected = theirs(unet, model, x)
        torch.testing.assert_close(ours(model, x), expected, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(ours(model, x.flip(0)), expected, atol=1e-3)  # a moment and a text for each row


def test_in_bfloat16_it_is_as_near_as_bfloat16_is() -> None:
    model = DiffusionModel.load("embedded", device="cpu", dtype="bfloat16")
    x = latents(model, 32, 32)
    exact = theirs(their_unet(embedded_folder()), DiffusionModel.load("embedded", device="cpu", dtype="float32"), x)
    rounded = theirs(their_unet(embedded_folder(), torch.bfloat16), model, x)
    assert (ours(model, x) - exact).norm() < 1.2 * (rounded - exact).norm()


def test_unusual_blocks_are_asked_as_they_are(tiny: TinyCheckpoints) -> None:
    """A network whose layers read more than a text and a timestep is left whole."""
    unet = their_unet(tiny("sd15"))
    unet.mid_block.resnets[0].skip_time_act = True
    network = network_of(unet)
    assert isinstance(network, Whole)
    assert network.read(torch.ones(1, 2, 3)).shape == (1, 2, 3)


def test_texts_and_moments_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = DiffusionModel.load("embedded", device="cpu", dtype="float32")
    x = latents(model, 8, 8)
    calls: list[str] = []
    network = model._network
    assert isinstance(network, ConstantsApart)
    for name in ("read", "moment"):
        work = getattr(network, name)
        monkeypatch.setattr(network, name, lambda *told, name=name, work=work: calls.append(name) or work(*told))
    first = ours(model, x)
    assert calls == ["read", "moment", "moment"]  # the empty text was read when the model was loaded
    assert torch.equal(ours(model, x), first)
    assert len(calls) == 3


@pytest.mark.skipif(not model_packing._can_pack(), reason="oneDNN's packed layers are for x86 CPUs")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_packed_convolutions_give_the_same_bits(dtype: torch.dtype) -> None:
    layer = nn.Conv2d(32, 48, 3, padding=1, stride=2).to(dtype, memory_format=torch.channels_last).requires_grad_(False)
    packed = PackedConv2d(layer)
    for side in range(8, 8 + 2 * SIZES_KEPT + 2, 2):  # more sizes than are kept, then the first again
        for x in (torch.randn(2, 32, side, side), torch.randn(2, 32, 8, 8)):
            x = x.to(dtype).contiguous(memory_format=torch.channels_last)
            assert torch.equal(packed(x), layer(x))
    assert len(packed._packed) == SIZES_KEPT


@pytest.mark.skipif(not model_packing._can_pack(), reason="oneDNN's packed layers are for x86 CPUs")
def test_packed_products_are_the_same_within_rounding_and_do_not_depend_on_place() -> None:
    layer = nn.Linear(96, 160).requires_grad_(False)
    x = torch.randn(2, 64, 96)
    packed = PackedLinear(layer)
    torch.testing.assert_close(packed(x), layer(x), rtol=1e-5, atol=1e-5)
    assert torch.equal(packed(x)[1], packed(x.flip(0))[0])


def test_where_nothing_can_be_packed_the_network_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_packing, "_can_pack", lambda: False)
    model = DiffusionModel.load("embedded", device="cpu", dtype="float32")
    assert isinstance(model._network, ConstantsApart)
    assert not any(isinstance(m, PackedConv2d | PackedLinear) for m in model._network.modules())
    expected = theirs(their_unet(embedded_folder()), model, latents(model, 8, 8))
    torch.testing.assert_close(ours(model, latents(model, 8, 8)), expected, rtol=1e-4, atol=1e-5)


def test_large_convolutions_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_packing, "MOST_BYTES", 1000)
    network = nn.Sequential(nn.Conv2d(8, 8, 3), nn.Linear(8, 8)).requires_grad_(False)
    model_packing.pack(network)
    assert isinstance(network[0], nn.Conv2d)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_what_onednn_does_not_take_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    """PyTorch works in half precision on CPUs on which oneDNN refuses to pack it."""
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    name = str(dtype).removeprefix("torch.")
    model = DiffusionModel.load("embedded", device="cpu", dtype=name)  # type: ignore[arg-type]
    assert isinstance(model._network, ConstantsApart)
    assert not any(isinstance(m, PackedConv2d | PackedLinear) for m in model._network.modules())
    assert ours(model, latents(model, 8, 8)).isfinite().all()
