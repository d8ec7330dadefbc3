"""A checkpoint's networks loaded: complete, finite, in memory of their own, without a word of the libraries."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from overpaint.card import Card
from overpaint.checkpoint import Checkpoint
from overpaint.errors import ModelError, ParameterError
from overpaint.levels import DiffusionNoise

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
DtypeName = Literal["auto", "float32", "float16", "bfloat16"]

MAX_THREADS = 1024
BFLOAT16_GATE = 40.0  # dB: what nobody sees; rounding a picture to 8 bits leaves 59


@dataclass(frozen=True)
class Parts:
    """What is loaded of a folder, and what of it is not used; a network in pixels is alone."""

    unet: Any
    vae: Any | None
    text_encoder: Any | None
    tokenizer: Any | None
    notes: tuple[str, ...]


def device_of(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    kind = name.split(":")[0]
    if kind not in there:
        raise ParameterError("device", f"is {name!r}, must be one of {', '.join(get_args(DeviceName))}")
    if not there[kind]:
        raise ParameterError("device", f"{name} is not available here; 'auto' takes what there is")
    try:
        return torch.device(name)
    except RuntimeError as e:
        raise ParameterError("device", f"is {name!r}: {e}") from e


def dtype_of(name: str, device: torch.device, card: Card) -> torch.dtype:
    """Where "auto": half precision on devices made for it, on a CPU only where the card says that it does well."""
    if name not in get_args(DtypeName):
        raise ParameterError("dtype", f"is {name!r}, must be one of {', '.join(get_args(DtypeName))}")
    if name == "auto":
        in_half = device.type == "cpu" and card.bfloat16_psnr >= BFLOAT16_GATE and multiplies_bfloat16()
        name = "float16" if device.type == "cuda" else "bfloat16" if in_half else "float32"
    return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[name]


def multiplies_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 itself; others are slower with it than with float32."""
    told: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older PyTorch does not tell
    return any(told.get(flag, False) for flag in ("avx512_bf16", "amx_bf16", "bf16"))


def fix_threads(threads: int) -> None:
    """How many threads PyTorch's arithmetic takes on the CPU, in all of this process."""
    if type(threads) is not int or not 1 <= threads <= MAX_THREADS:
        raise ParameterError("threads", f"is {threads!r}, must be a whole number from 1 to {MAX_THREADS}")
    torch.set_num_threads(threads)


def device_words(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda {torch.cuda.get_device_name(device)}"
    return f"cpu {torch.backends.cpu.get_cpu_capability()}" if device.type == "cpu" else device.type


@cache
def versions() -> dict[str, str]:
    """Versions of the libraries whose arithmetic or codecs decide bytes."""
    names = {name: [name] for name in ("torch", "diffusers", "transformers", "numpy", "pillow")}
    names["opencv"] = [f"opencv-{kind}" for kind in ("python-headless", "python", "contrib-python-headless")]
    there = {d.name.lower().replace("_", "-"): d.version for d in metadata.distributions() if d.name}
    return {name: there[d] for name, known in names.items() for d in known if d in there}


def load_parts(checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device) -> Parts:
    networks: dict[str, Any] = {"vae": None, "text_encoder": None}
    notes = []
    for part, kind in _classes(in_pixels=checkpoint.vae is None).items():
        place = checkpoint.places[part]
        networks[part], info = kind.from_pretrained(
            place,
            variant=checkpoint.weights[part].variant,
            use_safetensors=True,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # they are refused below, all in the same words
            output_loading_info=True,
            **{"dtype" if part == "text_encoder" else "torch_dtype": dtype},
        )
        check_complete(place, info)
        notes += _unused(part, info)
        settle(networks[part], device)
        check_finite(place, networks[part])
    return Parts(**networks, tokenizer=_tokenizer(checkpoint, networks["text_encoder"]), notes=tuple(notes))


def _classes(*, in_pixels: bool) -> dict[str, Any]:
    """Which network class each part is of, whatever the folder says."""
    if in_pixels:
        from diffusers.models.unets.unet_2d import UNet2DModel

        return {"unet": UNet2DModel}
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel

    return {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel}


def _tokenizer(checkpoint: Checkpoint, text_encoder: Any | None) -> Any | None:
    if text_encoder is None:
        return None
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(checkpoint.places["tokenizer"], local_files_only=True)
    known = text_encoder.config.vocab_size
    if len(tokenizer) > known:
        raise ModelError(f"{checkpoint.folder}: the tokenizer has {len(tokenizer)} words, the text encoder {known}")
    return tokenizer


def check_complete(part: Path, info: dict[str, Any]) -> None:
    """The libraries fill what is missing with random numbers, and log it."""
    if missing := sorted(info["missing_keys"]):
        raise ModelError(f"{part} cannot be loaded: its weights lack {_listed(missing)}")
    if wrong := sorted(info["mismatched_keys"]):
        name, there, wanted = wrong[0]
        words = f"the tensor {name} has the shape {list(there)}, its config.json asks for {list(wanted)}"
        raise ModelError(f"{part} cannot be loaded: {words}")
    if info["error_msgs"]:
        raise ModelError(f"{part} cannot be loaded: {info['error_msgs'][0]}")


def _unused(part: str, info: dict[str, Any]) -> list[str]:
    # a buffer that old checkpoints hold, and newer networks count out themselves
    extra = sorted(name for name in info["unexpected_keys"] if not name.endswith("position_ids"))
    tensors = "1 tensor is" if len(extra) == 1 else f"{len(extra)} tensors are"
    return [f"{part}: {tensors} not used by this network: {_listed(extra)}"] if extra else []


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"


def settle(network: Any, device: torch.device) -> None:
    """Bring a network to its device, in memory of its own.

    On a CPU the libraries leave tensors as windows into the file: who overwrites it changes the network, and who cuts
    it kills the process.
    """
    network.eval().requires_grad_(False).to(device)
    for tensor in (*network.parameters(), *network.buffers()):
        layout = torch.channels_last if tensor.ndim == 4 else torch.preserve_format
        tensor.data = tensor.data.clone(memory_format=layout)


def check_finite(part: Path, network: Any) -> None:
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        # a sum is cheap and shows every NaN and infinity, but may overflow by itself
        if not bool(tensor.sum(dtype=torch.float32).isfinite()) and not bool(tensor.isfinite().all()):
            words = str(tensor.dtype).removeprefix("torch.")
            raise ModelError(f"{part} cannot be loaded: the tensor {name} has numbers that are not finite in {words}")


def training_noise(checkpoint: Checkpoint) -> DiffusionNoise:
    """The checkpoint's alpha_bar table, from its scheduler's config.

    Any scheduler's config describes the training noise in the same words, and DDIM reads all of them; so no class that
    the folder names is ever imported.
    """
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    words = (
        "num_train_timesteps",
        "beta_start",
        "beta_end",
        "beta_schedule",
        "trained_betas",
        "rescale_betas_zero_snr",
    )
    try:
        scheduler = DDIMScheduler(**{k: checkpoint.scheduler[k] for k in words if k in checkpoint.scheduler})
        return DiffusionNoise(scheduler.alphas_cumprod.double().tolist())
    except Exception as e:  # whatever the values make the library raise
        raise ModelError(f"{checkpoint.places['scheduler']} does not describe a training noise: {e}") from e


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """No progress bars and warnings of the libraries while they load: what they would say of the weights, we say.

    Their settings are put back.
    """
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    modules = (diffusers_logging, transformers_logging)
    were = [(m, m.is_progress_bar_enabled(), m.get_verbosity()) for m in modules]
    for module in modules:
        module.disable_progress_bar()
        module.set_verbosity_error()
    try:
        yield
    finally:
        for module, bar, verbosity in were:
            module.set_verbosity(verbosity)
            if bar:
                module.enable_progress_bar()
