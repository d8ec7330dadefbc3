"""Blocks whose kernels are fused give what diffusers' blocks give; what is unusual stays diffusers' own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TinyCheckpoints
from diffusers import AutoencoderKL, UNet2DConditionModel
from plain_kernels import Plain
from torch import Tensor, nn

from overpaint.checkpoint import embedded_folder
from overpaint.model_fused import NormSilu, Residual, Transformer, fuse
from overpaint.model_network import ConstantsApart, Whole, network_of


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Plain:
    monkeypatch.setattr(Plain, "calls", {})
    return Plain()


def unet_of(folder: Path) -> UNet2DConditionModel:
    return UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True).eval().requires_grad_(False)


def folder_of(tiny: TinyCheckpoints, kind: str) -> Path:
    return embedded_folder() if kind == "embedded" else tiny(kind)


def kinds_in(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(layer, kind) for layer in network.modules())


@torch.inference_mode()
def asked(network: ConstantsApart, width: int) -> Tensor:
    """What it says of two rows."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, network._unet.config.in_channels, 16, 24, generator=generator)
    moments = torch.cat([network.moment(t, 1.0) for t in (900.0, 30.0)])
    return network(x, moments, network.read(torch.randn(2, 9, width, generator=generator)))


@pytest.mark.parametrize("kind", ["embedded", "sd15", "sd2v", "inpaint"])
def test_a_fused_unet_says_the_same(tiny: TinyCheckpoints, plain: Plain, kind: str) -> None:
    unet = unet_of(folder_of(tiny, kind))
    network, width = network_of(unet), unet.config.cross_attention_dim
    assert isinstance(network, ConstantsApart)
    residuals = sum(type(layer).__name__ == "ResnetBlock2D" for layer in network.modules())
    transformers = sum(type(layer).__name__ == "Transformer2DModel" for layer in network.modules())
    expected = asked(network, width)
    fuse(network, plain)
    assert kinds_in(network, Residual) == residuals > 0
    assert kinds_in(network, Transformer) == transformers > 0
    assert kinds_in(network, nn.SiLU) == kinds_in(network._project, nn.SiLU) + kinds_in(network._embedding, nn.SiLU)
    torch.testing.assert_close(asked(network, width), expected, rtol=1e-4, atol=1e-5)
    assert plain.calls["group_norm"] == 2 * residuals + transformers + 1
    assert plain.calls["layer_norm"] == 3 * plain.calls["geglu"] > 0
    assert plain.calls["add"] == residuals


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["embedded", "sd15"])
def test_a_fused_vae_says_the_same(tiny: TinyCheckpoints, plain: Plain, kind: str) -> None:
    vae = AutoencoderKL.from_pretrained(folder_of(tiny, kind) / "vae", local_files_only=True).eval()
    vae.requires_grad_(False)
    pixels = torch.randn(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    encoded = vae.encode(pixels).latent_dist.mean
    decoded = vae.decode(encoded).sample
    fuse(vae, plain)
    assert kinds_in(vae, NormSilu) == 2
    torch.testing.assert_close(vae.encode(pixels).latent_dist.mean, encoded, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(vae.decode(encoded).sample, decoded, rtol=1e-4, atol=1e-5)
    vae.double()  # its numbers follow it to another precision, as where half precision overflows
    assert torch.isfinite(vae.decode(encoded.double()).sample).all()


def _swish(block: Any) -> None:
    block.nonlinearity = nn.GELU()


def _scaled(block: Any) -> None:
    block.output_scale_factor = 2.0


def _own_activation(block: Any) -> None:
    block.skip_time_act = False


@pytest.mark.parametrize("change", [_swish, _scaled, _own_activation])
def test_an_unusual_residual_block_stays(tiny: TinyCheckpoints, plain: Plain, change: Callable[[Any], None]) -> None:
    network = network_of(unet_of(tiny("sd15")))
    assert isinstance(network, ConstantsApart)
    before = kinds_in(network, type(network._unet.mid_block.resnets[0]))
    change(network._unet.mid_block.resnets[0])
    fuse(network, plain)
    assert kinds_in(network, Residual) == before - 1


def test_an_unusual_transformer_stays(tiny: TinyCheckpoints, plain: Plain) -> None:
    unet = unet_of(tiny("sd15"))
    unet.mid_block.attentions[0].transformer_blocks[0].norm_type = "ada_norm"
    network = network_of(unet)
    fuse(network, plain)
    assert type(unet.mid_block.attentions[0]).__name__ == "Transformer2DModel"
    assert kinds_in(network, Transformer) > 0


def test_a_network_that_is_left_whole_says_the_same(tiny: TinyCheckpoints, plain: Plain) -> None:
    """Its attentions and residual blocks are diffusers' own, and only the rest is fused."""
    unet = unet_of(tiny("sd15"))
    network = Whole(unet)
    x, texts = torch.randn(2, 4, 16, 16), torch.randn(2, 9, 32)
    moments = torch.cat([network.moment(t, 1.0) for t in (900.0, 30.0)])
    expected = network(x, moments, texts)
    fuse(network, plain)
    assert kinds_in(network, Transformer) > 0
    assert kinds_in(network, Residual) == 0
    torch.testing.assert_close(network(x, moments, texts), expected, rtol=1e-4, atol=1e-5)
