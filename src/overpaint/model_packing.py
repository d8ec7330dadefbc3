"""On an x86 CPU, a network's weights kept as oneDNN wants them, instead of reordered at every call.

PyTorch hands a convolution's weights to oneDNN in its own order, and oneDNN reorders them at each call: for a small
network at small latents that is a tenth of its time. The operators used here are those that `torch.compile` uses for
the same purpose when it freezes weights; convolutions give the same bits as before.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from overpaint.newest import Newest

MOST_BYTES = 128 * 2**20  # of convolutions: beyond this their arithmetic dwarfs the reordering, and copies cost memory
SIZES_KEPT = 4  # oneDNN's order differs by the latent's size


def pack(network: nn.Module) -> None:
    """Replace the network's layers by packed ones, where this PyTorch and CPU have them."""
    if not _can_pack():
        return
    layers = dict(network.named_modules())
    convolutions = [m for m in layers.values() if isinstance(m, nn.Conv2d)]
    small = sum(m.weight.nbytes for m in convolutions) <= MOST_BYTES
    for name, layer in layers.items():
        if isinstance(layer, nn.Linear | nn.Conv2d) and not _takes(layer.weight.dtype):
            continue
        if isinstance(layer, nn.Linear):
            network.set_submodule(name, PackedLinear(layer))
        elif isinstance(layer, nn.Conv2d) and small and layer.padding_mode == "zeros":
            network.set_submodule(name, PackedConv2d(layer))


def _can_pack() -> bool:
    avx = torch.backends.cpu.get_cpu_capability().startswith("AVX")
    onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return avx and onednn and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


def _takes(dtype: torch.dtype) -> bool:
    """Whether oneDNN packs weights of this type here: in half precision it asks more of the CPU than PyTorch."""
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype == torch.float32


class PackedConv2d(nn.Module):
    """A convolution whose weights are kept in oneDNN's order for the newest sizes of its input."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self._how: tuple[Any, ...] = (layer.padding, layer.stride, layer.dilation, layer.groups)
        self._packed: Newest[torch.Size, Tensor] = Newest(SIZES_KEPT)

    def forward(self, x: Tensor) -> Tensor:
        weight = self._packed.get(x.shape, self._pack_for(x.shape))
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(x, weight, self.bias, *self._how, "none", [], "")
        return out

    def _pack_for(self, shape: torch.Size) -> Callable[[], Tensor]:
        reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
        return lambda: reorder(self.weight.to_mkldnn(), *self._how, shape)


class PackedLinear(nn.Module):
    """A product whose weights are kept in oneDNN's order; it is the same for all sizes."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.bias = layer.bias
        self._packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(layer.weight, None)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, "none", [], "")
        return out
