"""A network compiled by OpenVINO for the CPU: an optional backend, with the extra ``openvino``.

OpenVINO plans a network as a whole, for one shape: it fuses norms with what follows them and keeps weights as its
kernels want them. The included model's edits take about a quarter less time (docs/speed.md); the first of each size
waits some seconds. Nothing of it is sent anywhere: its own telemetry hangs on its converter, which is not used here.
"""

import logging
import warnings
from collections.abc import Callable
from copy import deepcopy
from importlib import metadata
from typing import Any

import torch
from torch import Tensor, nn

from overpaint.errors import ParameterError
from overpaint.model_network import ConstantsApart, Whole
from overpaint.newest import Newest

_LOG = logging.getLogger("overpaint")
_SHAPES_KEPT = 4  # compiled networks, each with its own copy of the weights
_HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}

Call = Callable[[Tensor, Tensor, Tensor], Tensor]


def check_available(device: torch.device, dtype: torch.dtype) -> None:
    """Raises ``ParameterError`` where OpenVINO cannot be the backend."""
    if device.type != "cpu":
        raise ParameterError("backend", f"is 'openvino', which is for a CPU and not for {device.type}")
    if dtype not in _HINTS:
        words = str(dtype).removeprefix("torch.")
        raise ParameterError("backend", f"is 'openvino', which works in float32 or bfloat16 and not in {words}")
    try:
        version()
    except metadata.PackageNotFoundError:
        raise ParameterError(
            "backend", "is 'openvino', which is not installed: pip install 'overpaint[openvino]'"
        ) from None


def version() -> str:
    return metadata.version("openvino")


class Compiled:
    """A ``Network`` compiled for the newest shapes it was asked for. For one thread."""

    def __init__(self, network: ConstantsApart | Whole, dtype: torch.dtype) -> None:
        self._network, self._dtype = network, dtype
        self._calls: Newest[tuple[torch.Size, ...], Call] = Newest(_SHAPES_KEPT)

    def read(self, states: Tensor) -> Tensor:
        return self._network.read(states)

    def moment(self, t: float, guidance: float) -> Tensor:
        return self._network.moment(t, guidance)

    def __call__(self, x: Tensor, moments: Tensor, texts: Tensor) -> Tensor:
        shapes = (x.shape, moments.shape, texts.shape)
        return self._calls.get(shapes, lambda: self._compiled(x, moments, texts))(x, moments, texts)

    def _compiled(self, *told: Tensor) -> Call:
        from openvino import Core

        _LOG.info("OpenVINO compiles the network for %s, once", [*told[0].shape])
        hints = {
            "INFERENCE_PRECISION_HINT": _HINTS[self._dtype],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = Core().compile_model(self._converted(told), "CPU", hints)

        def call(*told: Tensor) -> Tensor:
            given = [part.float().contiguous().numpy() for part in told]
            return torch.from_numpy(compiled(given)[0])  # a copy of OpenVINO's own

        return call

    @torch.inference_mode(False)
    @torch.no_grad()
    def _converted(self, told: tuple[Tensor, ...]) -> Any:
        """OpenVINO's own form of the network for these shapes, in float32; the hint says what it computes in."""
        from openvino import PartialShape
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        network = _Plain(deepcopy(self._network).float())
        like = tuple(torch.zeros(part.shape) for part in told)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that what the network asks of shapes is taken as it is for this one
            traced = torch.jit.trace(network, like, check_trace=False)  # type: ignore[no-untyped-call]
        decoder = TorchScriptPythonDecoder(traced)  # OpenVINO asks it until the end, and does not keep it alive
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))
        for given, part in zip(model.inputs, like, strict=True):
            given.get_node().set_partial_shape(PartialShape([*part.shape]))
        model.validate_nodes_and_infer_types()
        return model


class _Plain(nn.Module):
    """A network as tracing wants one: tensors in, a tensor out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, moments: Tensor, texts: Tensor) -> Tensor:
        out: Tensor = self.network(x, moments, texts)
        return out
