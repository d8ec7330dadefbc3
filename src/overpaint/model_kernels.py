"""What lies between a network's convolutions and products, on a GPU: each a pass or two over memory, by Triton.

    group_norm(x, norm, silu, shift, bias) -> of x + shift + bias, and SiLU of it if asked
    layer_norm(x, norm, y, bias)           -> x + y + bias, and the layer norm of x + y
    geglu(x)                               -> the first half of the last axis times GELU of the second
    add(x, y, bias)                        -> x + y + bias

PyTorch's own group norm leaves a tensor in another order of memory than it found it in, and each sum is a pass of its
own. All arithmetic is float32, in one order whatever the number of rows, and nothing is tuned by timing: so a seed's
bytes don't depend on how a run went. Pictures are channels_last.
"""

# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call"
# a kernel is compiled by Triton, which gives its arguments types of its own

import math
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

VERSION = f"triton {triton.__version__}"
# Parts of a picture whose moments are taken apart: they fill a GPU at two rows, and more would cost where they are put
# together. A picture of more than so many cells is a VAE's, of few channels: there fewer of them lie in one part.
CHUNKS, LARGE = 32, 128 * 128
SMALL = 256  # cells up to which a group is held as a whole, by one kernel


@triton.jit(do_not_specialize=["cells", "shift_stride", "chunk", "groups", "per_group", "together"])
def _moments(
    x, shift, bias, parts, cells, channels, shift_stride, chunk, groups, per_group, together,
    BH: tl.constexpr, BC: tl.constexpr, ALIGNED: tl.constexpr, SHIFTED: tl.constexpr, BIASED: tl.constexpr,
):  # fmt: skip
    """Mean and sum of squared deviations of one chunk, for as many groups as lie side by side in BC channels.

    Sums are of differences from the chunk's first cell, so that nothing cancels where the mean is large.
    """
    first_group, k, n = tl.program_id(0) * together, tl.program_id(1), tl.program_id(2)
    local = tl.arange(0, BC)
    c = tl.multiple_of(first_group * per_group, ALIGNED) + local
    inside = (local < tl.multiple_of(together * per_group, ALIGNED)) & (c < channels)
    x += n.to(tl.int64) * cells * channels
    first = k * chunk
    last = tl.minimum(first + chunk, cells)
    add = tl.zeros([BC], tl.float32)
    if SHIFTED:
        add += tl.load(shift + n * shift_stride + c, mask=inside, other=0).to(tl.float32)
    if BIASED:
        add += tl.load(bias + c, mask=inside, other=0).to(tl.float32)
    start = tl.minimum(first, cells - 1).to(tl.int64) * channels
    near = tl.load(x + start + c, mask=inside, other=0).to(tl.float32)
    s = tl.zeros([BH, BC], tl.float32)
    q = tl.zeros([BH, BC], tl.float32)
    for i in range(first, last, BH):
        h = (i + tl.arange(0, BH)).to(tl.int64)
        there = (h[:, None] < last) & inside[None, :]
        v = tl.load(x + h[:, None] * channels + c[None, :], mask=there, other=0).to(tl.float32)
        v = tl.where(there, v - near[None, :], 0)
        s += v
        q += v * v
    count = tl.maximum(last - first, 1).to(tl.float32)
    total = tl.sum(s, 0)
    means = near + add + total / count  # of each channel
    squares = tl.maximum(tl.sum(q, 0) - total * total / count, 0)
    j = tl.arange(0, 16)
    mine = (local[:, None] // per_group == j[None, :]) & inside[:, None]  # [BC, 16]: which channel is of which group
    mean = tl.sum(tl.where(mine, means[:, None], 0), 0) / per_group
    off = tl.where(mine, means[:, None] - mean[None, :], 0)
    deviation = tl.sum(tl.where(mine, squares[:, None] + off * off * count, 0), 0)
    g = first_group + j
    at = parts + ((n * groups + g) * tl.num_programs(1) + k) * 2
    tl.store(at, mean, mask=(j < together) & (g < groups))
    tl.store(at + 1, deviation, mask=(j < together) & (g < groups))


@triton.jit(do_not_specialize=["cells", "shift_stride", "chunk", "chunks", "groups", "per_group"])
def _normalize(
    x, shift, bias, parts, weight, beta, out, cells, channels, shift_stride, chunk, chunks, groups, per_group, eps,
    BH: tl.constexpr, BC: tl.constexpr, MOST: tl.constexpr,
    SHIFTED: tl.constexpr, BIASED: tl.constexpr, SILU: tl.constexpr,
):  # fmt: skip
    """Put the chunks' moments together (Chan et al. 1979), and use them on BH cells of BC channels."""
    n = tl.program_id(2)
    c = tl.program_id(1) * BC + tl.arange(0, BC)
    inside = c < channels
    k = tl.arange(0, MOST)
    count = (tl.minimum(tl.maximum(cells - k * chunk, 0), chunk) * per_group).to(tl.float32)
    at = ((n * groups + c // per_group)[None, :] * chunks + k[:, None]) * 2
    known = inside[None, :] & (count > 0)[:, None]
    means = tl.load(parts + at, mask=known, other=0)
    squares = tl.load(parts + at + 1, mask=known, other=0)
    whole = cells.to(tl.float32) * per_group
    mean = tl.sum(means * count[:, None], 0) / whole
    off = means - mean[None, :]
    variance = tl.sum(squares + off * off * count[:, None], 0) / whole
    a = tl.rsqrt(variance + eps) * tl.load(weight + c, mask=inside, other=0).to(tl.float32)
    b = tl.load(beta + c, mask=inside, other=0).to(tl.float32)
    if SHIFTED:
        mean -= tl.load(shift + n * shift_stride + c, mask=inside, other=0).to(tl.float32)
    if BIASED:
        mean -= tl.load(bias + c, mask=inside, other=0).to(tl.float32)
    h = (tl.program_id(0) * BH + tl.arange(0, BH)).to(tl.int64)
    there = (h < cells)[:, None] & inside[None, :]
    at = n.to(tl.int64) * cells * channels + h[:, None] * channels + c[None, :]
    v = (tl.load(x + at, mask=there, other=0).to(tl.float32) - mean[None, :]) * a[None, :] + b[None, :]
    if SILU:
        v = v / (1 + tl.exp(-v))
    tl.store(out + at, v.to(out.dtype.element_ty), mask=there)


@triton.jit(do_not_specialize=["cells", "shift_stride", "per_group"])
def _normalize_small(
    x, shift, bias, weight, beta, out, cells, channels, shift_stride, per_group, eps,
    BH: tl.constexpr, BC: tl.constexpr, SHIFTED: tl.constexpr, BIASED: tl.constexpr, SILU: tl.constexpr,
):  # fmt: skip
    """One group of a picture that is held as a whole."""
    n = tl.program_id(1)
    local = tl.arange(0, BC)
    inside = local < per_group
    c = tl.program_id(0) * per_group + local
    h = tl.arange(0, BH)
    there = (h < cells)[:, None] & inside[None, :]
    at = n.to(tl.int64) * cells * channels + h[:, None] * channels + c[None, :]
    v = tl.load(x + at, mask=there, other=0).to(tl.float32)
    if SHIFTED:
        v += tl.load(shift + n * shift_stride + c, mask=inside, other=0).to(tl.float32)[None, :]
    if BIASED:
        v += tl.load(bias + c, mask=inside, other=0).to(tl.float32)[None, :]
    whole = cells.to(tl.float32) * per_group
    mean = tl.sum(tl.sum(tl.where(there, v, 0), 0), 0) / whole
    off = tl.where(there, v - mean, 0)
    a = tl.rsqrt(tl.sum(tl.sum(off * off, 0), 0) / whole + eps)
    w = tl.load(weight + c, mask=inside, other=0).to(tl.float32)
    b = tl.load(beta + c, mask=inside, other=0).to(tl.float32)
    v = off * a * w[None, :] + b[None, :]
    if SILU:
        v = v / (1 + tl.exp(-v))
    tl.store(out + at, v.to(out.dtype.element_ty), mask=there)


def group_norm(
    x: Tensor, norm: nn.GroupNorm, silu: bool = False, shift: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """Of pictures [R, C, h, w]; ``shift`` [R, C] and ``bias`` [C] are added to them first."""
    x = x.contiguous(memory_format=torch.channels_last)
    rows, channels, height, width = x.shape
    cells, groups = height * width, norm.num_groups
    per_group = channels // groups
    out = torch.empty_like(x)
    told: tuple[Any, ...] = (x if shift is None else shift, x if bias is None else bias)
    stride = 0 if shift is None else shift.stride(0)
    which = {"SHIFTED": shift is not None, "BIASED": bias is not None}
    if cells <= SMALL:
        _normalize_small[(groups, rows)](
            x, *told, norm.weight, norm.bias, out, cells, channels, stride, per_group, norm.eps,
            BH=max(64, triton.next_power_of_2(cells)), BC=triton.next_power_of_2(per_group), SILU=silu, num_warps=8,
            **which,
        )  # fmt: skip
        return out
    chunk = max(64, triton.cdiv(cells, CHUNKS))
    chunks = triton.cdiv(cells, chunk)
    across = 16 if cells > LARGE else 64 if per_group <= 32 else 128
    across = max(across, triton.next_power_of_2(per_group))
    together = min(across // per_group, 16)
    parts = torch.empty(rows, groups, chunks, 2, device=x.device, dtype=torch.float32)
    _moments[(triton.cdiv(groups, together), chunks, rows)](
        x, *told, parts, cells, channels, stride, chunk, groups, per_group, together,
        BH=max(4096 // across, 1), BC=across, ALIGNED=math.gcd(together * per_group, 8), **which,
    )  # fmt: skip
    _normalize[(triton.cdiv(cells, 64), triton.cdiv(channels, 64), rows)](
        x, *told, parts, norm.weight, norm.bias, out,
        cells, channels, stride, chunk, chunks, groups, per_group, norm.eps,
        BH=64, BC=64, MOST=CHUNKS, SILU=silu, **which,
    )  # fmt: skip
    return out


@triton.jit(do_not_specialize=["rows"])
def _layer_norm(
    x, y, bias, weight, beta, total, out, rows, width, eps,
    BR: tl.constexpr, BC: tl.constexpr, ADD: tl.constexpr, BIASED: tl.constexpr,
):  # fmt: skip
    r = (tl.program_id(0) * BR + tl.arange(0, BR)).to(tl.int64)
    c = tl.arange(0, BC)
    inside = (c < width)[None, :]
    there = (r < rows)[:, None] & inside
    at = r[:, None] * width + c[None, :]
    v = tl.load(x + at, mask=there, other=0).to(tl.float32)
    if ADD:
        v += tl.load(y + at, mask=there, other=0).to(tl.float32)
        told = v
        if BIASED:
            told += tl.load(bias + c, mask=c < width, other=0).to(tl.float32)[None, :]
        tl.store(total + at, told.to(out.dtype.element_ty), mask=there)
    mean = tl.sum(v, 1) / width
    off = tl.where(inside, v - mean[:, None], 0)
    a = tl.rsqrt(tl.sum(off * off, 1) / width + eps)
    w = tl.load(weight + c, mask=c < width, other=0).to(tl.float32)
    b = tl.load(beta + c, mask=c < width, other=0).to(tl.float32)
    tl.store(out + at, (off * a[:, None] * w[None, :] + b[None, :]).to(out.dtype.element_ty), mask=there)


def layer_norm(
    x: Tensor, norm: nn.LayerNorm, y: Tensor | None = None, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The sum of x and y [R, tokens, width], and its layer norm; of x alone where there is no y.

    ``bias`` [width] is added to the sum after the norm has seen it: for whoever adds to it what lacks that.
    """
    x = x.contiguous()
    width = x.shape[-1]
    rows = x.numel() // width
    out = torch.empty_like(x)
    total = x if y is None else torch.empty_like(x)
    across = triton.next_power_of_2(width)
    tall = max(1, 2048 // across)
    _layer_norm[(triton.cdiv(rows, tall),)](
        x, x if y is None else y.contiguous(), x if bias is None else bias, norm.weight, norm.bias, total, out,
        rows, width, norm.eps, BR=tall, BC=across, ADD=y is not None, BIASED=bias is not None,
    )  # fmt: skip
    return total, out


@triton.jit
def _geglu(x, out, size, width, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = i < size
    at = x + i // width * 2 * width + i % width
    v = tl.load(at, mask=there, other=0).to(tl.float32)
    gate = tl.load(at + width, mask=there, other=0).to(tl.float32)
    v *= gate * 0.5 * (1 + tl.erf(gate * 0.7071067811865476))  # the square root of 1/2
    tl.store(out + i, v.to(out.dtype.element_ty), mask=there)


def geglu(x: Tensor) -> Tensor:
    """Of [..., 2*width], [..., width] (Shazeer 2020, arXiv:2002.05202)."""
    x = x.contiguous()
    width = x.shape[-1] // 2
    out = torch.empty(*x.shape[:-1], width, device=x.device, dtype=x.dtype)
    _geglu[(triton.cdiv(out.numel(), 1024),)](x, out, out.numel(), width, BLOCK=1024)
    return out


@triton.jit
def _add(x, y, bias, out, size, channels, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = i < size
    v = tl.load(x + i, mask=there, other=0).to(tl.float32) + tl.load(y + i, mask=there, other=0).to(tl.float32)
    v += tl.load(bias + i % channels, mask=there, other=0).to(tl.float32)
    tl.store(out + i, v.to(out.dtype.element_ty), mask=there)


def add(x: Tensor, y: Tensor, bias: Tensor) -> Tensor:
    """Pictures [R, C, h, w] and a number for each channel."""
    x, y = (part.contiguous(memory_format=torch.channels_last) for part in (x, y))
    out = torch.empty_like(x)
    _add[(triton.cdiv(x.numel(), 1024),)](x, y, bias, out, x.numel(), len(bias), BLOCK=1024)
    return out
