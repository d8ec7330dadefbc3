"""The floor of an item: the arithmetic that its edits need, over the rate of one large matrix product here.

Counted are the UNet's needed rows and the VAE's calls, on networks of the folder's shapes without weights. Words are
left out, they are less than a hundredth. What is constant over the steps is counted at every step, so a network that
computes it once needs a little less than the floor says.
"""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.results import Floor
from benchmarks.speed.turns import seconds
from benchmarks.speed.work import Task

MATMUL_SIDE = {"cpu": 4096, "cuda": 8192}


class Floors:
    """Floors for one folder's networks, on one device, in one dtype; ``rate`` None: measured here."""

    def __init__(self, folder: Path, device: str, dtype: str, rate: float | None = None) -> None:
        with torch.device("meta"):  # shapes only: nothing is computed, and nothing takes memory
            self._unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet"))
            self._vae = AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae"))
        self._tokens = json.loads((folder / "text_encoder" / "config.json").read_text())["max_position_embeddings"]
        self._cell = 2 ** (len(self._vae.config.block_out_channels) - 1)
        self.dtype = dtype
        self.rate = matmul_rate(device, getattr(torch, dtype)) if rate is None else rate

    def of(self, tasks: Iterable[Task], size: tuple[int, int], pictures: int) -> Floor:
        """For edits at ``size`` (width, height) of this many different pictures."""
        w, h = size[0] // self._cell, size[1] // self._cell
        many = list(tasks)
        flops = sum(task.rows for task in many) * self.row(w, h)
        flops += pictures * self.encode(w, h) + len(many) * self.decode(w, h)
        return Floor(flops, self.rate, self.dtype)

    def row(self, w: int, h: int) -> float:
        """Of one UNet row on a latent of w x h cells."""
        config = self._unet.config
        x = _meta(1, config.in_channels, h, w)
        return _flops(lambda: self._unet(x, _meta(1), _meta(1, self._tokens, config.cross_attention_dim)))

    def encode(self, w: int, h: int) -> float:
        return _flops(lambda: self._vae.encode(_meta(1, 3, h * self._cell, w * self._cell)))

    def decode(self, w: int, h: int) -> float:
        return _flops(lambda: self._vae.decode(_meta(1, self._vae.config.latent_channels, h, w)))


def _meta(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device="meta")


def _flops(work: Callable[[], Any]) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        work()
    return float(counter.get_total_flops())


def matmul_rate(device: str, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large square matrix product."""
    with ThreadPoolExecutor(1) as once:  # whose OpenMP threads end with it, and slow down nobody later
        return once.submit(_matmul_rate, device, dtype).result()


def _matmul_rate(device: str, dtype: torch.dtype, repeat: int = 7) -> float:
    side = MATMUL_SIDE[device]
    a = torch.ones(side, side, device=device, dtype=dtype)
    a = a + torch.rand_like(a)

    def work() -> None:
        torch.mm(a, a)
        if device == "cuda":
            torch.cuda.synchronize()

    work()
    return float(2 * side**3 / median(seconds(work) for _ in range(repeat)))
