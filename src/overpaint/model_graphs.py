"""A network's calls, recorded once for each shape as a CUDA graph and replayed: the host's part is one launch.

A Stable Diffusion UNet is some hundred kernels, and launching them one by one takes the host longer than the GPU needs
for a few rows of them. What is replayed are the very kernels of an ordinary call, so the bits are its own
(`tests/test_cuda.py`), and where nothing can be recorded a seed's picture is the same.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from overpaint.model_network import Network
from overpaint.newest import Newest

_LOG = logging.getLogger("overpaint")

MOST = 12  # graphs kept: row buckets times sizes. They share their memory, that of the largest
LAYERS_MOST = 4  # of a VAE's encoder or decoder: sizes
AHEAD = 2  # calls that the host may be ahead of the GPU: enough that it never waits, and a newcomer hardly does

Work = Callable[..., Tensor]


class Recorder(Protocol):
    """What is particular to CUDA."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """Something that does ``work`` again on the tensors it read, and the tensor in which its result will lie."""

    def mark(self) -> Callable[[], None]:
        """Something that waits until all that was asked of the GPU up to now is done."""


class CudaRecorder:
    """Records CUDA graphs, all in one pool of memory: only one is replayed at a time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        with torch.cuda.device(device):
            self._pool = torch.cuda.graph_pool_handle()

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        with torch.cuda.device(self._device):
            graph = torch.cuda.CUDAGraph()
            # other threads may be using the GPU meanwhile
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                out = work()
        return graph.replay, out

    def mark(self) -> Callable[[], None]:
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event.synchronize


class Replays:
    """A function of tensors that records its calls; where that fails it is asked as it is. For one thread.

    Args:
        most: graphs kept, those that were used last.
    """

    def __init__(self, work: Work, recorder: Recorder, most: int = MOST) -> None:
        self._work, self._recorder = work, recorder
        self._calls: Newest[tuple[torch.Size, ...], Work] = Newest(most)

    def __call__(self, *told: Tensor) -> Tensor:
        shapes = tuple(part.shape for part in told)
        return self._calls.get(shapes, lambda: self._recorded(told))(*told)

    def __len__(self) -> int:
        return len(self._calls)

    def _recorded(self, told: tuple[Tensor, ...]) -> Work:
        """A call for tensors of these shapes. It takes one ordinary call, in which libraries choose their kernels."""
        _LOG.info("the first call for %s: compiled and recorded once", [*told[0].shape])
        held = [part.clone() for part in told]  # a clone keeps the order of memory
        self._work(*held)
        try:
            replay, result = self._recorder.record(lambda: self._work(*held))
        except (RuntimeError, AssertionError) as e:
            words = " ".join(str(e).split())
            _LOG.warning("no CUDA graph for %s, it is slower without: %.200s", [*told[0].shape], words)
            return self._work

        def call(*told: Tensor) -> Tensor:
            for place, part in zip(held, told, strict=True):
                place.copy_(part, non_blocking=True)
            replay()
            return result.clone()  # the next graph may overwrite it

        return call


class ReplayedLayer(nn.Module):
    """A layer of pictures [R, C, h, w] whose calls are recorded, where they have at most ``largest`` cells.

    Larger ones keep the GPU busy for longer than the host takes, and memory is better used for something else.
    """

    def __init__(self, layer: nn.Module, recorder: Recorder, largest: int) -> None:
        super().__init__()
        self.layer, self._recorder, self._largest = layer, recorder, largest
        self._calls = Replays(layer, recorder, LAYERS_MOST)

    def forward(self, x: Tensor) -> Tensor:
        small = x.shape[-2] * x.shape[-1] <= self._largest
        out: Tensor = self._calls(x) if small else self.layer(x)
        return out

    def _apply(self, *args: Any, **options: Any) -> Self:
        """Weights are moved or cast: what was recorded reads them where they were."""
        self._calls = Replays(self.layer, self._recorder, LAYERS_MOST)
        moved: Self = super()._apply(*args, **options)  # type: ignore[no-untyped-call]
        return moved


class Replayed:
    """A ``Network`` whose calls are recorded, and whose host is few of them ahead of the GPU."""

    def __init__(self, network: Network, recorder: Recorder) -> None:
        self._network, self._recorder = network, recorder
        self._calls = Replays(network, recorder)
        self._under_way: deque[Callable[[], None]] = deque()

    def read(self, states: Tensor) -> Tensor:
        return self._network.read(states)

    def moment(self, t: float, guidance: float) -> Tensor:
        return self._network.moment(t, guidance)

    def __call__(self, x: Tensor, moments: Tensor, texts: Tensor) -> Tensor:
        if len(self._under_way) == AHEAD:
            self._under_way.popleft()()
        out = self._calls(x, moments, texts)
        self._under_way.append(self._recorder.mark())
        return out
