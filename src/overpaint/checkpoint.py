"""Where a model's files are, and whether they are what we can load: before any network class is imported.

``locate`` turns "embedded", a folder, or a hub id into a folder; ``inspect`` reads its small JSON files and says what
the folder is and what is missing. Weights are read from safetensors only, never from pickles.
"""

import json
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from overpaint.card import Card, read_card
from overpaint.errors import ModelError

EMBEDDED = "embedded"
WEIGHTED_PARTS = ("unet", "vae", "text_encoder")
_PARTS = {
    "unet": "config.json",
    "vae": "config.json",
    "text_encoder": "config.json",
    "tokenizer": "tokenizer_config.json",
    "scheduler": "scheduler_config.json",
}
# what other families call themselves in model_index.json, for a message that says what the folder is
_FAMILIES = {
    "StableDiffusionXL": "Stable Diffusion XL",
    "StableDiffusion3": "Stable Diffusion 3",
    "StableDiffusionInstructPix2Pix": "InstructPix2Pix",
    "Flux": "Flux",
}
_DOWNLOADED = ["*.json", "*.txt", "*.safetensors", "overpaint.toml"]


@dataclass(frozen=True)
class Checkpoint:
    """A Stable Diffusion 1.x/2.x folder in diffusers' layout whose parts are all there.

    Attributes:
        name: what the user called it ("embedded", the folder's name, or the hub id).
        variant: the part of the weights' file names before ``.safetensors`` ("fp16"), if any.
    """

    name: str
    folder: Path
    unet: dict[str, Any]
    vae: dict[str, Any]
    scheduler: dict[str, Any]
    card: Card
    variants: dict[str, str | None]

    @property
    def pixels_per_cell(self) -> int:
        """How many pixels a latent cell is wide."""
        return _pixels_per_cell(self.vae)


def embedded_folder() -> Path:
    """The folder of the model that ships with the package."""
    return Path(str(files("overpaint.embedded")))


def locate(model: str | Path, *, download: bool = False) -> tuple[str, Path]:
    """(name, folder) of "embedded", a folder, or a hub id in the local cache (fetched only if ``download``)."""
    if str(model) == EMBEDDED:
        return EMBEDDED, embedded_folder()
    path = Path(model).expanduser()
    if path.is_dir():
        return path.resolve().name, path
    if path.is_file():
        raise ModelError(
            f"{path} is a single file; a model is a folder in diffusers' layout (model_index.json, unet/, vae/, "
            "text_encoder/, tokenizer/, scheduler/). Convert it once with "
            "StableDiffusionPipeline.from_single_file(...).save_pretrained(FOLDER)"
        )
    if str(model).count("/") == 1 and not str(model).startswith((".", "/", "~")):
        return str(model), _from_hub(str(model), download)
    raise ModelError(f"{path}: no such folder, and not a hub id like 'owner/name'")


def _from_hub(hub_id: str, download: bool) -> Path:
    import huggingface_hub as hub  # a second to import, and only hub ids need it

    try:
        return Path(hub.snapshot_download(hub_id, local_files_only=not download, allow_patterns=_DOWNLOADED))
    except Exception as e:  # the hub's own tree of errors, and every network error below it
        if download:
            raise ModelError(f"{hub_id} could not be downloaded: {e}") from e
        raise ModelError(
            f"{hub_id}: no such folder, and not in the local cache of hub models; "
            "--download (in Python: download=True) fetches it"
        ) from e


def local_models() -> list[str]:
    """Names that load without the network: the embedded model, and Stable Diffusion models in the hub's cache."""
    import huggingface_hub as hub

    try:
        cached = hub.scan_cache_dir(hub.constants.HF_HUB_CACHE).repos
    except hub.errors.CacheNotFound:
        return [EMBEDDED]
    found = [r.repo_id for r in cached if r.repo_type == "model" and any(_is_pipeline(v) for v in r.revisions)]
    return [EMBEDDED, *sorted(found)]


def _is_pipeline(revision: Any) -> bool:
    return any(f.file_name == "model_index.json" for f in revision.files)


def inspect(model: str | Path, *, download: bool = False) -> Checkpoint:
    """Locate a model and check that its folder can be loaded; ``ModelError`` says what it is and what is missing."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when huggingface_hub is first imported
    name, folder = locate(model, download=download)
    _check_family(folder)
    missing = [f"{part}/{file}" for part, file in _PARTS.items() if not (folder / part / file).is_file()]
    if missing:
        raise ModelError(f"{folder} is not a whole Stable Diffusion folder: missing {', '.join(missing)}")
    variants = {part: _variant(folder / part) for part in WEIGHTED_PARTS}
    unet, vae, scheduler = (_read_json(folder / part / _PARTS[part]) for part in ("unet", "vae", "scheduler"))
    _check_shapes(folder, unet, vae)
    return Checkpoint(name, folder, unet, vae, scheduler, _card(name, folder, unet, vae, scheduler), variants)


def _check_family(folder: Path) -> None:
    index = folder / "model_index.json"
    if not index.is_file():
        raise ModelError(f"{folder} has no model_index.json, so it is not a model folder in diffusers' layout")
    family = str(_read_json(index).get("_class_name", ""))
    for prefix, words in _FAMILIES.items():
        if family.startswith(prefix):
            raise ModelError(f"{folder} is a {words} model ({family}); Stable Diffusion 1.x and 2.x are supported")


def _check_shapes(folder: Path, unet: dict[str, Any], vae: dict[str, Any]) -> None:
    takes, gives = unet.get("in_channels", 4), vae.get("latent_channels", 4)
    if takes == 2 * gives + 1:
        raise ModelError(f"{folder} is an inpainting model (its UNet takes {takes} channels): not supported yet")
    if takes != gives:
        raise ModelError(
            f"{folder}: the UNet takes {takes} channels, the VAE gives {gives}: they do not belong together"
        )
    if unet.get("addition_embed_type"):
        raise ModelError(
            f"{folder}: the UNet wants added inputs ({unet['addition_embed_type']}), as Stable Diffusion XL"
        )


def _variant(part: Path) -> str | None:
    """Which file of weights to read: plain ones before a variant such as fp16."""
    names = sorted(p.name for p in part.glob("*.safetensors"))
    if not names:
        pickles = sorted(p.name for p in part.iterdir() if p.suffix in (".bin", ".ckpt", ".pt"))
        also = f" (there is {pickles[0]}, a pickle, which can run code when opened)" if pickles else ""
        raise ModelError(f"{part} has no .safetensors weights, and nothing else is read{also}")
    stems = [n.removesuffix(".safetensors").split("-0")[0].split(".") for n in names]
    if any(len(s) == 1 for s in stems):
        return None
    return stems[0][-1]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise ModelError(f"{path} cannot be read: {e}") from e
    if not isinstance(value, dict):
        raise ModelError(f"{path} holds {type(value).__name__}, must hold a JSON object")
    return value


def _pixels_per_cell(vae: dict[str, Any]) -> int:
    return int(2 ** (len(vae.get("block_out_channels", "1234")) - 1))


def _card(name: str, folder: Path, unet: dict[str, Any], vae: dict[str, Any], scheduler: dict[str, Any]) -> Card:
    """The folder's card over what its configs tell."""
    factor = _pixels_per_cell(vae)
    sample = unet.get("sample_size") or 64
    cells = sample if isinstance(sample, int) else max(sample)
    multiple = factor * 2 ** (len(unet.get("down_block_types", "1234")) - 1)
    defaults: dict[str, Any] = {}
    if scheduler.get("_class_name") == "LCMScheduler":  # a distilled checkpoint works untouched
        embedded_guidance = unet.get("time_cond_proj_dim") is not None
        defaults = {"sampler": "lcm", "steps": 8, "guidance_scale": 8.5 if embedded_guidance else 1.0}
    native = max(cells * factor // multiple, 1) * multiple
    return read_card(folder, name=name, native_size=native, size_multiple=multiple, defaults=defaults)
