"""What the fused kernels compute, in PyTorch's own words."""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F


class Plain:
    """``Kernels`` of ordinary operators; counts the calls of each."""

    VERSION = "plain"
    calls: ClassVar[dict[str, int]] = {}

    def _count(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1

    def group_norm(
        self, x: Tensor, norm: nn.GroupNorm, silu: bool = False, shift: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        self._count("group_norm")
        for part in (shift, bias):
            x = x if part is None else x + part.reshape(-1, part.shape[-1], 1, 1)
        out = F.group_norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps)
        return F.silu(out) if silu else out

    def layer_norm(
        self, x: Tensor, norm: nn.LayerNorm, y: Tensor | None = None, bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        self._count("layer_norm")
        total = x if y is None else x + y
        normed = F.layer_norm(total, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
        return total if bias is None else total + bias, normed

    def geglu(self, x: Tensor) -> Tensor:
        self._count("geglu")
        value, gate = x.chunk(2, -1)
        return value * F.gelu(gate)

    def add(self, x: Tensor, y: Tensor, bias: Tensor) -> Tensor:
        self._count("add")
        return x + y + bias[:, None, None]
