"""The judge's network: a small convolutional one with skips (He et al. 2016, arXiv:1512.03385), and one layer a head.

The only file here that imports ``torch`` at once: it is imported when a picture is looked at.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from overpaint.describe.heads import CLASSES, FEATURES

WIDTHS = (16, 32, 64, 96)  # channels at 64, 32, 16 and 8 px


class _Conv(nn.Sequential):
    """A convolution without bias, and normalisation by the batches seen in training."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )


class _Skip(nn.Module):
    """relu(x + f(x))"""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = _Conv(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.conv(x))


class JudgeNetwork(nn.Module):
    """From pictures to features and the heads' scores."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([nn.Sequential(_Conv(3, WIDTHS[0], 5, 2), nn.ReLU())])
        for inputs, outputs in pairwise(WIDTHS):
            self.stages.append(nn.Sequential(_Conv(inputs, outputs, 3, 2), nn.ReLU(), _Skip(outputs)))
        self.hidden = nn.Linear(sum(WIDTHS) + 2 * WIDTHS[-1], FEATURES)
        self.drop = nn.Dropout(0.1)
        self.heads = nn.Linear(FEATURES, CLASSES)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """float [n, 3, SIDE, SIDE] in 0..1 to (features [n, FEATURES], scores [n, CLASSES])."""
        x, seen = pictures * 2 - 1, []
        for stage in self.stages:
            x = stage(x)
            seen.append(x.mean((2, 3)))  # texture of each width: brush strokes, grain, blur
        # sky and ground apart, and the strongest anywhere: a boat is small
        halves = nn.functional.adaptive_avg_pool2d(x, (2, 1)).flatten(1)  # [n, 2 c]
        pooled = torch.cat([*seen[:-1], halves, x.amax((2, 3))], 1)
        features = torch.relu(self.hidden(pooled))
        return features, self.heads(self.drop(features))
