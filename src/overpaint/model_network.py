"""A denoising network as a function of what differs from step to step and from row to row.

    read(states)                  -> what it reads of a text, [1, tokens, width]: once a text
    moment(t, guidance)           -> what it reads of both, [1, width]: once for each pair
    __call__(x, moments, texts)   -> its output for rows [R, C, h, w]: every step

A text's keys and values in every cross-attention, and a timestep's projection in every residual block, are the same at
every step and in every edit that shares them. So those layers are taken out of diffusers' UNet, and what they would
say is handed in. Keys, values and projections come out as from the UNet itself (`tests/test_network.py`).
"""

import math
from itertools import accumulate, pairwise
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Network(Protocol):
    """What is said above."""

    def read(self, states: Tensor) -> Tensor: ...

    def moment(self, t: float, guidance: float) -> Tensor: ...

    def __call__(self, x: Tensor, moments: Tensor, texts: Tensor) -> Tensor: ...


def network_of(unet: Any) -> "ConstantsApart | Whole":
    """The network of a UNet of diffusers, whose layers it may take: nobody else must use the UNet from here on."""
    return ConstantsApart(unet) if _is_plain_sd(unet) else Whole(unet)


class Whole(nn.Module):
    """A network that is asked as it is: one in pixels, or one of blocks that Stable Diffusion does not have."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self._unet = unet
        self._reads_text = hasattr(unet.config, "cross_attention_dim")
        self._guidance_width: int | None = unet.config.get("time_cond_proj_dim")

    def read(self, states: Tensor) -> Tensor:
        return states

    def moment(self, t: float, guidance: float) -> Tensor:
        # filled in where it is used: a tensor of Python numbers is a copy that the host waits for
        return torch.stack([torch.full((1,), told, device=self._unet.device) for told in (t, guidance)], 1)

    def forward(self, x: Tensor, moments: Tensor, texts: Tensor) -> Tensor:
        told: dict[str, Any] = {"encoder_hidden_states": texts} if self._reads_text else {}
        if self._guidance_width is not None:
            told["timestep_cond"] = _guidance_embedding(moments[:, 1], self._guidance_width).to(x.dtype)
        out: Tensor = self._unet(x, moments[:, 0], **told).sample
        return out


class ConstantsApart(nn.Module):
    """A Stable Diffusion UNet without the layers that see nothing but a text, or nothing but a timestep."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self._frequencies, self._embedding = unet.time_proj, unet.time_embedding
        self._activation = unet.time_embed_act or nn.Identity()
        self._project = _take_projections(unet)
        self._keys_and_values = _take_keys_and_values(unet)
        unet.time_proj, unet.time_embedding, unet.time_embed_act = nn.Identity(), _Handed(), None
        self._guidance_width: int | None = unet.config.get("time_cond_proj_dim")
        self._unet = unet

    def read(self, states: Tensor) -> Tensor:
        """Keys and values of all layers, one after another, [1, tokens, width]."""
        read: Tensor = self._keys_and_values(states)
        return read

    def moment(self, t: float, guidance: float) -> Tensor:
        """The projections in all residual blocks, one after another, [1, width]."""
        device, dtype = self._unet.device, self._unet.dtype
        told = None
        if self._guidance_width is not None:
            told = _guidance_embedding(torch.full((1,), guidance, device=device), self._guidance_width).to(dtype)
        frequencies = self._frequencies(torch.full((1,), t, dtype=torch.float32, device=device)).to(dtype)
        projected: Tensor = self._project(self._activation(self._embedding(frequencies, told)))
        return projected

    def forward(self, x: Tensor, moments: Tensor, texts: Tensor) -> Tensor:
        # the UNet hands its `timestep_cond` to the module that embeds timesteps, here one that lets it through
        out: Tensor = self._unet(x, moments[:, 0], texts, timestep_cond=moments, return_dict=False)[0]
        return out


class _Handed(nn.Module):
    """In the place of a time embedding: what was handed in with it."""

    def forward(self, _: Tensor, handed: Tensor) -> Tensor:
        return handed


class _Part(nn.Module):
    """In the place of a projection: its part of all of them, [R, width]."""

    def __init__(self, part: slice) -> None:
        super().__init__()
        self.part = part

    def forward(self, moments: Tensor) -> Tensor:
        return moments[:, self.part]


class SelfAttention(nn.Module):
    """diffusers' ``Attention`` as Stable Diffusion uses it, with one product for queries, keys and values."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.heads: int = attention.heads
        self.project = _side_by_side([attention.to_q, attention.to_k, attention.to_v])
        self.out = attention.to_out[0]

    def forward(self, x: Tensor, **_: object) -> Tensor:
        q, k, v = self.project(x).chunk(3, -1)  # [R, tokens, width] each
        out: Tensor = self.out(_attend(q, k, v, self.heads))
        return out


class TextAttention(nn.Module):
    """The same, looking at a text whose keys and values are handed in: its part of [R, tokens, width]."""

    def __init__(self, attention: Any, keys: slice, values: slice) -> None:
        super().__init__()
        self.heads: int = attention.heads
        self.query, self.out = attention.to_q, attention.to_out[0]
        self.keys, self.values = keys, values

    def forward(self, x: Tensor, encoder_hidden_states: Tensor, **_: object) -> Tensor:
        k, v = encoder_hidden_states[..., self.keys], encoder_hidden_states[..., self.values]
        out: Tensor = self.out(_attend(self.query(x), k, v, self.heads))
        return out


def _attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    q, k, v = (part.view(*part.shape[:2], heads, -1).transpose(1, 2) for part in (q, k, v))  # [R, heads, tokens, width]
    return nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _is_plain_sd(unet: Any) -> bool:
    """Whether a UNet is of the blocks of Stable Diffusion 1 and 2, which alone are known to be what is said above."""
    from diffusers.models.attention import BasicTransformerBlock
    from diffusers.models.attention_processor import Attention
    from diffusers.models.resnet import ResnetBlock2D
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    if not isinstance(unet, UNet2DConditionModel) or unet.class_embedding is not None or unet.encoder_hid_proj:
        return False
    readers = [m for m in unet.modules() if hasattr(m, "time_emb_proj")]
    attentions = [m for m in unet.modules() if isinstance(m, Attention)]
    inside = [a for b in unet.modules() if isinstance(b, BasicTransformerBlock) for a in (b.attn1, b.attn2)]
    return (
        all(isinstance(m, ResnetBlock2D) and m.time_emb_proj is not None and not m.skip_time_act for m in readers)
        and {id(a) for a in attentions} == {id(a) for a in inside}
        and all(map(_is_plain_attention, attentions))
    )


def _is_plain_attention(attention: Any) -> bool:
    extras = ("spatial_norm", "group_norm", "norm_q", "norm_k", "norm_cross", "added_kv_proj_dim")
    return (
        not any(getattr(attention, name, None) for name in (*extras, "residual_connection"))
        and attention.rescale_output_factor == 1
        and len({p.out_features for p in (attention.to_q, attention.to_k, attention.to_v)}) == 1
    )


def _take_projections(unet: Any) -> nn.Module:
    """All residual blocks' projections of a timestep as one, and in each block its part of it."""
    blocks = [m for m in unet.modules() if hasattr(m, "time_emb_proj")]
    projections = [b.time_emb_proj for b in blocks]
    for block, part in zip(blocks, _parts(projections), strict=True):
        block.time_emb_proj, block.skip_time_act = _Part(part), True
    return nn.Sequential(blocks[0].nonlinearity, _side_by_side(projections))


def _take_keys_and_values(unet: Any) -> nn.Linear:
    """All cross-attentions' keys and values as one, and attentions that find theirs in it."""
    from diffusers.models.attention import BasicTransformerBlock

    blocks = [m for m in unet.modules() if isinstance(m, BasicTransformerBlock)]
    names = [(b, name) for b in blocks for name in ("attn1", "attn2")]
    looking = [(b, name) for b, name in names if getattr(b, name).is_cross_attention]
    projections = [p for b, name in looking for p in (getattr(b, name).to_k, getattr(b, name).to_v)]
    parts = iter(_parts(projections))
    for block, name in names:
        attention = getattr(block, name)
        seen = (block, name) in looking
        setattr(block, name, TextAttention(attention, next(parts), next(parts)) if seen else SelfAttention(attention))
    return _side_by_side(projections)


def _parts(projections: list[nn.Linear]) -> list[slice]:
    ends = accumulate((p.out_features for p in projections), initial=0)
    return [slice(a, b) for a, b in pairwise(ends)]


def _side_by_side(projections: list[nn.Linear]) -> nn.Linear:
    """One product that is several."""
    weight = torch.cat([p.weight.data for p in projections])
    merged = nn.Linear(weight.shape[1], len(weight), bias=False, device="meta").requires_grad_(False)
    merged.weight = nn.Parameter(weight, requires_grad=False)
    biases = [p.bias for p in projections]
    if any(b is not None for b in biases):
        parts: list[Tensor] = [weight.new_zeros(p.out_features) if p.bias is None else p.bias for p in projections]
        merged.bias = nn.Parameter(torch.cat(parts), requires_grad=False)
    return merged


def _guidance_embedding(guidance: Tensor, width: int) -> Tensor:
    """How distilled networks are told their guidance (Luo et al. 2023): a sinusoid of 1000*w, [R, width]."""
    w, half = guidance - 1, width // 2
    frequency = torch.exp(torch.arange(half, device=w.device) * (-math.log(10000) / (half - 1)))
    angle = 1000 * w[:, None] * frequency
    return nn.functional.pad(torch.cat([angle.sin(), angle.cos()], 1), (0, width % 2))
