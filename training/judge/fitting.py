"""The judge's training: crops of renders, changed as photographs differ, some of them broken."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from overpaint.describe.heads import HEADS, SIDE
from overpaint.describe.network import JudgeNetwork
from training.judge.damage import damaged
from training.judge.rendering import LABELLED, Renders

BATCH, BROKEN = 30, 10  # pictures at a time: intact, and broken ones
RATE = 3e-3
DECAY = 0.03
AVERAGING = 0.997
_DEGRADED = HEADS["style"].index("degraded")
_WEIGHTS = {"style": 1.5, "building": 1.5, "flowers": 0.5, "trees": 0.7}
_UNTOLD = -1


@dataclass(frozen=True)
class Batch:
    """What the network is shown.

    Attributes:
        pictures: float [n, 3, SIDE, SIDE] in 0..1.
        labels: {head: int64 [n]}, -1 where it is not asked.
    """

    pictures: Tensor
    labels: dict[str, Tensor]


def fit(renders: Renders, steps: int, seed: int) -> JudgeNetwork:
    """Train a network on ``renders``; AdamW, one cycle, averaged weights. The same numbers on the same machine."""
    torch.manual_seed(seed)
    # drawn by a process of its own, in an order of its own
    batches = iter(torch.utils.data.DataLoader(_Batches(renders, seed), batch_size=None, num_workers=1))
    network: JudgeNetwork = JudgeNetwork().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = {k: v.clone() for k, v in network.state_dict().items()}
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.15)
    started, running = time.monotonic(), 0.0
    for step in range(steps):
        batch = Batch(*next(batches))
        with torch.autocast("cpu", torch.bfloat16):
            _, scores = network(batch.pictures.contiguous(memory_format=torch.channels_last))
        loss = loss_of(scores.float(), batch.labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        keep = min(AVERAGING, step / (step + 50))
        for name, value in network.state_dict().items():
            averaged[name] = averaged[name].lerp(value, 1 - keep) if value.is_floating_point() else value
        running += (loss.item() - running) * max(0.02, 1 / (step + 1))
        if step % 100 == 99:
            print(f"step {step + 1} of {steps}: loss {running:.3f}, {time.monotonic() - started:.0f} s", flush=True)
    network.load_state_dict(averaged)
    network.eval()
    return network


class _Batches(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
    """Batches without end, as (pictures, labels)."""

    def __init__(self, renders: Renders, seed: int) -> None:
        self._renders = renders
        self._seed = seed

    def __iter__(self) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        torch.set_num_threads(1)
        generator = torch.Generator().manual_seed(self._seed)
        while True:
            batch = draw(self._renders, generator)
            yield batch.pictures, batch.labels


def loss_of(scores: Tensor, labels: dict[str, Tensor]) -> Tensor:
    """The heads' cross entropies, each over the pictures that it is asked about; float [n, CLASSES] to []."""
    total = scores.new_zeros(())
    for (head, asked), own in zip(
        labels.items(), torch.split(scores, [len(c) for c in HEADS.values()], 1), strict=True
    ):
        if bool((asked != _UNTOLD).any()):
            total = total + _WEIGHTS.get(head, 1.0) * F.cross_entropy(own, asked, ignore_index=_UNTOLD)
    return total


def draw(renders: Renders, generator: torch.Generator) -> Batch:
    """``BATCH`` renders as photographs differ, and ``BROKEN`` of them broken."""
    rows = torch.randint(len(renders), (BATCH + BROKEN,), generator=generator)
    pictures = torch.from_numpy(renders.pictures[rows.numpy()]).float() / 255
    labels = torch.from_numpy(renders.labels[rows.numpy()]).clone()  # [n, heads]
    places = torch.from_numpy(renders.places[rows.numpy()])
    pictures, gone = cropped(pictures, places, generator)
    for k, head in enumerate(("building", "boat")):
        labels[gone[:, k], LABELLED.index(head)] = _UNTOLD
    pictures = varied(pictures, generator)
    sound = torch.where(labels[:, LABELLED.index("style")] == _DEGRADED, _UNTOLD, 1)  # neither intact nor broken
    broken, legible = damaged(pictures[BATCH:], generator)
    pictures = torch.cat([pictures[:BATCH], broken])
    labels[BATCH:][~legible] = _UNTOLD
    labels[BATCH:, LABELLED.index("style")] = _UNTOLD
    sound[BATCH:] = 0
    asked = {head: labels[:, i] for i, head in enumerate(LABELLED)}
    return Batch(pictures, asked | {"sound": sound})


def cropped(pictures: Tensor, places: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A part of each picture at ``SIDE``, squeezed, half of them mirrored; a quarter whole.

    Args:
        pictures: float [n, 3, s, s].
        places: float [n, 2, 2] of (x, y) in 0..1, negative where nothing is.

    Returns:
        (float [n, 3, SIDE, SIDE]; bool [n, 2]: the thing at this place is, or may be, outside)
    """
    n = len(pictures)
    size = torch.rand(n, 2, generator=generator) * 0.4 + 0.6
    near = size[:, :1] * (0.8 + 0.4 * torch.rand(n, 1, generator=generator))  # mostly about as high as wide
    size = torch.where(
        torch.rand(n, 1, generator=generator) < 0.6, torch.cat([size[:, :1], near], 1).clamp(max=1), size
    )
    size = torch.where(torch.rand(n, 1, generator=generator) < 0.25, 1.0, size)
    low = torch.rand(n, 2, generator=generator) * (1 - size)
    theta = torch.zeros(n, 2, 3)
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    theta[:, 0, 0], theta[:, 1, 1] = size[:, 0] * mirror, size[:, 1]
    theta[:, :, 2] = 2 * low + size - 1
    grid = F.affine_grid(theta, [n, 3, SIDE, SIDE], align_corners=False)
    part = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    margin = 0.06 * (size < 1).float()
    inside = ((places > (low + margin)[:, None]) & (places < (low + size - margin)[:, None])).all(2)
    return part, (places[..., 0] >= 0) & ~inside


def varied(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Light, colour, sharpness and grain as cameras, scanners and files differ; [n, 3, s, s] in 0..1."""
    n = len(pictures)

    def uniform(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.rand(n, channels, 1, 1, generator=generator) * (high - low) + low

    def some(share: float) -> Tensor:
        return (torch.rand(n, generator=generator) < share).nonzero()[:, 0]

    x = pictures.clamp(1e-4, 1) ** uniform(0.82, 1.22)
    x = 0.5 + (x * uniform(0.93, 1.07, 3) - 0.5) * uniform(0.85, 1.15)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * uniform(0.8, 1.2)
    sharpness, rows = uniform(-0.7, 0.4), some(0.5)
    soft = F.avg_pool2d(F.pad(x[rows], (1,) * 4, mode="replicate"), 3, 1)
    x[rows] += (x[rows] - soft) * sharpness[rows]
    strength, rows = uniform(0, 0.02), some(0.4)
    x[rows] += torch.randn(x[rows].shape, generator=generator) * strength[rows]
    return x.clamp(0, 1)
