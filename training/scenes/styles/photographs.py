"""Looks of photographs: a good one, and bad ones."""

import torch
from torch import Tensor

from training.scenes.arithmetic import blur, mix
from training.scenes.names import FAULTS, Fault
from training.scenes.renderer import Shot
from training.scenes.styles.filters import contrast, jpeg, luminance, resample, saturate
from training.scenes.styles.hand import Hand


def photo(shot: Shot, hand: Hand) -> Tensor:
    """Slightly varied contrast, colour, sharpness and grain."""
    hard, colourful, sharp, grainy = hand.numbers(4)
    x = contrast(shot.rgb, 0.18 * hard)
    x = mix(luminance(x), x, 0.92 + 0.2 * colourful)
    x = x + (x - blur(x, 1)) * 0.35 * sharp
    return x + hand.gauss() * 0.010 * grainy


def degraded(shot: Shot, hand: Hand) -> Tensor:
    """One of FAULTS, from mild to bad; half of the pictures get a second, mild one: noise and JPEG blocks."""
    x = shot.rgb
    fault = torch.tensor(_fault_numbers(hand.n, hand.seed)).to(x.device).view(-1, 1, 1, 1)
    amount, second, noisier, blockier = hand.numbers(4)
    more, even_more = amount * 2, amount * 2 - 1  # up to the middle of the range, and from there on
    blur2 = blur(x, 2)
    blurry = torch.where(amount < 0.5, mix(blur(x, 1), blur2, more), mix(blur2, blur(x, 4), even_more))
    coarse = mix(resample(x, 2), resample(x, 4), more.clamp(max=1))
    coarse = mix(coarse, resample(x, 8), even_more.clamp(min=0))
    n = hand.gauss(1)
    noisy = x + n * (0.04 + 0.13 * amount)
    faded = mix(torch.full_like(x, 0.5), blur(saturate(x, 0.45), 1), 0.45 + 0.3 * amount) + n * 0.02
    y = x
    for name, faulty in (("blurry", blurry), ("low_resolution", coarse), ("noisy", noisy), ("faded", faded)):
        y = torch.where(fault == FAULTS.index(name), faulty, y)
    twice = (second < 0.5).float()
    y = y + n * 0.05 * noisier * twice
    q = torch.where(fault == FAULTS.index("blocks"), 0.05 + 0.17 * amount, 0.04 * blockier * twice + 1e-4)
    return jpeg(y.clamp(0, 1), q)


def faults(n: int, seed: int) -> list[Fault]:
    """The faults that the style "degraded" gives n pictures with this seed."""
    return [FAULTS[i] for i in _fault_numbers(n, seed)]


def _fault_numbers(n: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed + 77)
    return [int(i) for i in torch.randint(0, len(FAULTS), (n,), generator=generator)]
