"""diffusers' blocks as Stable Diffusion uses them, with what lies between their convolutions and products fused.

`fuse` replaces the residual blocks, transformers and last norms of a UNet or a VAE by ones that call four kernels
(``Kernels``); a block with anything unusual stays as it is. On a GPU half of the time goes there otherwise.
"""

import logging
from typing import Any, Protocol

import torch
from torch import Tensor, nn

_LOG = logging.getLogger("overpaint")


class Kernels(Protocol):
    """`model_kernels` says what they do; ``VERSION`` is for the recipe: bytes depend on it."""

    VERSION: str

    def group_norm(
        self, x: Tensor, norm: nn.GroupNorm, silu: bool = False, shift: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor: ...

    def layer_norm(
        self, x: Tensor, norm: nn.LayerNorm, y: Tensor | None = None, bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]: ...

    def geglu(self, x: Tensor) -> Tensor: ...

    def add(self, x: Tensor, y: Tensor, bias: Tensor) -> Tensor: ...


def triton_kernels(device: torch.device) -> Kernels | None:
    """Those for CUDA; None where there is no Triton, as in PyTorch for Windows, or no C compiler for it."""
    try:
        from overpaint import model_kernels

        model_kernels.geglu(torch.zeros(1, 2, device=device))
    except Exception as e:  # whatever Triton meets when it compiles
        _LOG.warning("no Triton kernels, the network is slower without: %.200s", " ".join(str(e).split()))
        return None
    kernels: Kernels = model_kernels
    return kernels


def fuse(network: nn.Module, kernels: Kernels) -> None:
    """Replace what can be replaced in ``network``, whose layers are taken."""
    from diffusers.models.resnet import ResnetBlock2D
    from diffusers.models.transformers.transformer_2d import Transformer2DModel

    for name, layer in dict(network.named_modules()).items():
        if isinstance(layer, ResnetBlock2D) and _is_plain_residual(layer):
            network.set_submodule(name, Residual(layer, kernels))
        elif isinstance(layer, Transformer2DModel) and _is_plain_transformer(layer):
            network.set_submodule(name, Transformer(layer, kernels))
        elif isinstance(getattr(layer, "conv_norm_out", None), nn.GroupNorm) and isinstance(layer.conv_act, nn.SiLU):
            layer.conv_norm_out, layer.conv_act = NormSilu(layer.conv_norm_out, kernels), nn.Identity()


class NormSilu(nn.Module):
    """A group norm and SiLU."""

    def __init__(self, norm: Any, kernels: Kernels) -> None:
        super().__init__()
        self.norm, self._kernels = norm, kernels

    def forward(self, x: Tensor) -> Tensor:
        return self._kernels.group_norm(x, self.norm, silu=True)


class Residual(nn.Module):
    """diffusers' ``ResnetBlock2D``. The convolutions' biases are added with what follows them."""

    def __init__(self, block: Any, kernels: Kernels) -> None:
        super().__init__()
        self._kernels = kernels
        self.norm1, self.norm2, self.conv1, self.conv2 = block.norm1, block.norm2, block.conv1, block.conv2
        self.project, self.shortcut = block.time_emb_proj, block.conv_shortcut
        self.bias1, bias2 = block.conv1.bias, block.conv2.bias
        self.conv1.bias = self.conv2.bias = None
        if self.shortcut is not None and self.shortcut.bias is not None:
            bias2, self.shortcut.bias = nn.Parameter(bias2 + self.shortcut.bias, requires_grad=False), None
        self.bias2 = bias2

    def forward(self, x: Tensor, temb: Tensor | None = None) -> Tensor:
        shift = None if temb is None else self.project(temb)  # [R, C]
        h = self.conv1(self._kernels.group_norm(x, self.norm1, silu=True))
        h = self.conv2(self._kernels.group_norm(h, self.norm2, silu=True, shift=shift, bias=self.bias1))
        return self._kernels.add(h, x if self.shortcut is None else self.shortcut(x), self.bias2)


class Transformer(nn.Module):
    """diffusers' ``Transformer2DModel``, of layers that look at themselves and at a text."""

    def __init__(self, theirs: Any, kernels: Kernels) -> None:
        super().__init__()
        self._kernels = kernels
        self.norm = theirs.norm
        self.into, self.out = _as_product(theirs.proj_in), _as_product(theirs.proj_out)
        self.layers = nn.ModuleList(Layer(block, kernels) for block in theirs.transformer_blocks)

    def forward(self, x: Tensor, encoder_hidden_states: Tensor, **_: object) -> tuple[Tensor]:
        rows, channels, h, w = x.shape
        tokens = self._kernels.group_norm(x, self.norm).permute(0, 2, 3, 1).reshape(rows, h * w, channels)
        tokens = self.into(tokens)
        for layer in self.layers:
            tokens = layer(tokens, encoder_hidden_states)
        return (self.out(tokens).view(rows, h, w, channels).permute(0, 3, 1, 2) + x,)


class Layer(nn.Module):
    """diffusers' ``BasicTransformerBlock``: each sum is made by the norm that follows it, or by the last product."""

    def __init__(self, block: Any, kernels: Kernels) -> None:
        super().__init__()
        self._kernels = kernels
        self.norm1, self.norm2, self.norm3 = block.norm1, block.norm2, block.norm3
        self.itself, self.text = block.attn1, block.attn2
        self.wide, self.narrow = block.ff.net[0].proj, block.ff.net[2]

    def forward(self, x: Tensor, texts: Tensor) -> Tensor:
        _, seen = self._kernels.layer_norm(x, self.norm1)
        x, seen = self._kernels.layer_norm(x, self.norm2, self.itself(seen))
        told = self.text(seen, encoder_hidden_states=texts)
        x, seen = self._kernels.layer_norm(x, self.norm3, told, self.narrow.bias)
        wide = self._kernels.geglu(self.wide(seen))
        x.flatten(0, 1).addmm_(wide.flatten(0, 1), self.narrow.weight.t())  # the product adds itself to the sum
        return x


def _as_product(projection: Any) -> nn.Linear:
    """A convolution of one cell as a product, whose bias costs no pass of its own."""
    if isinstance(projection, nn.Linear):
        return projection
    product = nn.Linear(projection.in_channels, projection.out_channels, device="meta").requires_grad_(False)
    product.weight = nn.Parameter(projection.weight.flatten(1).contiguous(), requires_grad=False)
    product.bias = projection.bias
    return product


def _is_plain_residual(block: Any) -> bool:
    norms, convolutions = (block.norm1, block.norm2), (block.conv1, block.conv2)
    return (
        all(isinstance(norm, nn.GroupNorm) for norm in norms)
        and all(isinstance(c, nn.Conv2d) and c.bias is not None for c in convolutions)
        and isinstance(block.nonlinearity, nn.SiLU)
        and block.upsample is None
        and block.downsample is None
        and block.output_scale_factor == 1
        and (block.time_emb_proj is None or (block.skip_time_act and block.time_embedding_norm == "default"))
    )


def _is_plain_transformer(transformer: Any) -> bool:
    projections = (transformer.proj_in, transformer.proj_out)
    return (
        transformer.is_input_continuous
        and all(isinstance(p, nn.Linear) or (p.kernel_size == (1, 1) and p.bias is not None) for p in projections)
        and all(map(_is_plain_layer, transformer.transformer_blocks))
    )


def _is_plain_layer(block: Any) -> bool:
    from diffusers.models.activations import GEGLU

    net = block.ff.net
    return (
        block.norm_type == "layer_norm"
        and block.pos_embed is None
        and block.attn2 is not None
        and not block.only_cross_attention
        and all(type(norm) is nn.LayerNorm for norm in (block.norm1, block.norm2, block.norm3))
        and isinstance(net[0], GEGLU)
        and len(net) == 3
        and isinstance(net[2], nn.Linear)
        and net[2].bias is not None
    )
