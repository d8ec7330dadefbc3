"""How different two pictures look, by LPIPS (Zhang et al. 2018, arXiv:1801.03924), where its packages are installed.

They are no part of Overpaint: torchvision has to be built for the PyTorch that is there, and breaks beside another one.
Nothing is fetched: AlexNet's weights are read where torchvision keeps them.
"""

import importlib
import os
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from overpaint.decode import Source, load
from overpaint.errors import ImageError, ModelError
from overpaint.fidelity import MEASURED_SIDE, brought_together

_PACKAGES = ("lpips", "torchvision")
SMALLEST = 32  # pixels of the shorter side: AlexNet's strides leave nothing of less


def lpips(before: Source, after: Source) -> float:
    """The distance of two pictures as people judge it: 0 for equal ones, about 0.7 for unrelated ones.

    Version 0.1 on AlexNet, which its authors recommend for comparing, at the size that ``fidelity`` measures at.

    Args:
        before, after: anything that ``overpaint.images.load`` takes, of one shape.

    Raises:
        ModelError: its packages or weights are not there, saying how to get them.
        ImageError: one cannot be read, their shapes differ, or they are too small.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ModelError(
            f"LPIPS needs the package{'s' if missing[1:] else ''} {' and '.join(missing)}: `pip install lpips`, and "
            "torchvision from where your PyTorch came from (pytorch.org/get-started)"
        )
    network = _network()
    import torch

    x, y = brought_together(load(before), load(after), side=MEASURED_SIDE)  # [h, w, 3], 0..1
    if min(x.shape[:2]) < SMALLEST:
        raise ImageError(f"the pictures are {x.shape[1]} x {x.shape[0]}: LPIPS takes {SMALLEST} pixels a side or more")
    a, b = (torch.from_numpy(z).float().permute(2, 0, 1)[None] for z in (x, y))  # [1, 3, h, w]
    with torch.inference_mode():
        return float(network(a, b, normalize=True))


@cache
def _network() -> Any:
    try:
        library = importlib.import_module("lpips")
        models = importlib.import_module("torchvision.models")
    except Exception as e:  # torchvision raises anything beside a PyTorch that is not its own
        why = f"{' '.join(str(e).split()):.200}; torchvision must be the build for your PyTorch"
        raise ModelError(f"LPIPS: its packages are there and cannot be imported: {why}") from e
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lpips calls torchvision in a way that is on its way out
        network = library.LPIPS(net="alex", pnet_rand=True, verbose=False)  # its own layers are in the package
    _fill_trunk(network.net, models.AlexNet_Weights.IMAGENET1K_V1.url)
    return network.eval().requires_grad_(False)


def _fill_trunk(trunk: Any, url: str) -> None:
    """AlexNet's weights from the cache of torch's hub, read as numbers only."""
    import torch

    file = Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(url)
    if not file.is_file():
        raise ModelError(f"LPIPS needs AlexNet's weights: {url} belongs in {file.parent}")
    try:
        weights = torch.hub.load_state_dict_from_url(url, map_location="cpu", weights_only=True)
        for name, tensor in trunk.named_parameters():
            tensor.data.copy_(weights[f"features.{name.split('.', 1)[1]}"])  # slice2.3.weight is features.3.weight
    except Exception as e:  # whatever a damaged file makes it raise
        raise ModelError(f"{file} cannot be loaded: {' '.join(str(e).split()):.200}") from e
