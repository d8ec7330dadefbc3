"""Where a model's files are, and whether they are what we can load: before any network class is imported.

``locate`` turns "embedded", a folder, or a hub id into a folder; ``inspect`` reads its small JSON files and the headers
of its weights, and says what the folder is and what is missing. Weights are read from safetensors only, never from
pickles, and no code of the folder is ever imported.
"""

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from overpaint.card import Card, read_card
from overpaint.configs import check_against_weights, check_config
from overpaint.errors import ModelError
from overpaint.weights import Weights, describe_file, find_weights, read_json

EMBEDDED = "embedded"
LAYOUT = "a folder in diffusers' layout (model_index.json, unet/, vae/, text_encoder/, tokenizer/, scheduler/)"
# how the libraries name the weights of a part
_STEMS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
_PARTS = {
    "unet": "config.json",
    "vae": "config.json",
    "text_encoder": "config.json",
    "tokenizer": "tokenizer_config.json",
    "scheduler": "scheduler_config.json",
}
_PIXEL_PARTS = ("unet", "scheduler")
_PIXEL_PIPELINES = ("DDPMPipeline", "DDIMPipeline")  # the same parts, entered from two papers
_CLIP_UNLESS_TOLD = ("DDPMScheduler", "DDIMScheduler")  # diffusers' other schedulers clip only if told to, or never
# what other families call themselves in model_index.json, for a message that says what the folder is
_FAMILIES = {
    "StableDiffusionXL": "Stable Diffusion XL",
    "StableDiffusion3": "Stable Diffusion 3",
    "StableDiffusionInstructPix2Pix": "InstructPix2Pix",
    "Flux": "Flux",
}
# what makes a folder of a whole checkpoint in a single file, by what ``kind_of`` calls it
_CONVERTERS = {
    "a Stable Diffusion 1": "StableDiffusionPipeline",
    "an inpainting checkpoint": "StableDiffusionInpaintPipeline",
}
_DOWNLOADED = ["*.json", "*.txt", "*.safetensors", "overpaint.toml"]


@dataclass(frozen=True)
class Checkpoint:
    """A folder in diffusers' layout whose parts are all there: Stable Diffusion 1.x/2.x, or a DDPM in pixels.

    Attributes:
        name: what the user called it ("embedded", the folder's name, or the hub id).
        places: the folder of each part.
        vae: None where the network works in pixels; then there are no words either.
        weights: of the networks.
    """

    name: str
    folder: Path
    places: dict[str, Path]
    unet: dict[str, Any]
    vae: dict[str, Any] | None
    scheduler: dict[str, Any]
    card: Card
    weights: dict[str, Weights]

    @property
    def files(self) -> list[Path]:
        """The files that decide pictures: configs, the weights that are read, the tokenizer's; not the card."""
        found = {place / _PARTS[part] for part, place in self.places.items()}
        found |= {file for weights in self.weights.values() for file in weights.files}
        words = self.places["tokenizer"].iterdir() if "tokenizer" in self.places else ()
        return sorted(found | {file for file in words if file.suffix in (".json", ".txt") and file.is_file()})

    @property
    def pixels_per_cell(self) -> int:
        """How many pixels a latent cell is wide."""
        return _pixels_per_cell(self.vae)

    @property
    def clip_range(self) -> float | None:
        """The bound of what the clean picture is believed to be, as the scheduler states it; latents have none."""
        told = self.scheduler.get("clip_sample")
        clips = self.scheduler.get("_class_name") in _CLIP_UNLESS_TOLD if told is None else told
        return float(self.scheduler.get("clip_sample_range", 1.0)) if clips and self.vae is None else None


def embedded_folder() -> Path:
    """The folder of the model that ships with the package."""
    return Path(str(files("overpaint.embedded")))


def locate(model: str | Path, *, download: bool = False) -> tuple[str, Path]:
    """(name, folder) of "embedded", a folder, or a hub id in the local cache (fetched only if ``download``)."""
    if str(model) == EMBEDDED:
        return EMBEDDED, embedded_folder()
    try:
        path = Path(model).expanduser()
    except RuntimeError as e:
        raise ModelError(f"{model}: {e}") from e
    if path.is_dir():
        return path.resolve().name, path
    if path.is_file():
        kind = describe_file(path)
        pipeline = next((name for words, name in _CONVERTERS.items() if kind.startswith(words)), None)
        advice = f". Convert it once with {pipeline}.from_single_file(...).save_pretrained(FOLDER)" if pipeline else ""
        raise ModelError(f"{path} is a single file: {kind}. A model is {LAYOUT}{advice}")
    if str(model).count("/") == 1 and not str(model).startswith((".", "/", "~")):
        return str(model), _from_hub(str(model), download)
    broken = f" (it is a link to {path.readlink()}, which is not there)" if path.is_symlink() else ""
    raise ModelError(f"{path}: no such folder{broken}, and not a hub id like 'owner/name'")


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
    """Names that load without the network: the embedded model, and models in diffusers' layout in the hub's cache."""
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
    try:
        return _inspect(*locate(model, download=download))
    except ModelError:
        raise
    except (OSError, RecursionError) as e:  # no permission, a device that fails; JSON nested a thousand deep
        raise ModelError(f"{model} cannot be read: {e}") from e


def _inspect(name: str, folder: Path) -> Checkpoint:
    in_pixels = _family(folder) in _PIXEL_PIPELINES
    parts = {part: file for part, file in _PARTS.items() if not in_pixels or part in _PIXEL_PARTS}
    places = {part: folder / part for part in parts}
    if in_pixels:  # the oldest of them have all their files in one folder
        places = {part: place if place.is_dir() else folder for part, place in places.items()}
    missing = [f"{part}/{file}" for part, file in parts.items() if not (places[part] / file).is_file()]
    if missing:
        words = "DDPM" if in_pixels else "Stable Diffusion"
        raise ModelError(f"{folder} is not a whole {words} folder: missing {', '.join(missing)}")
    configs = {part: read_json(places[part] / file) for part, file in parts.items()}
    kinds = {part: "pixel_unet" if in_pixels and part == "unet" else part for part in parts}
    for part in parts:
        if part != "tokenizer":  # it may have any numbers
            check_config(places[part] / parts[part], kinds[part], configs[part])
    unet, vae, scheduler = configs["unet"], configs.get("vae"), configs["scheduler"]
    if vae is None:
        _check_pixels(folder, unet, scheduler)
    else:
        _check_shapes(folder, unet, vae)
    weights = {part: find_weights(places[part], stem) for part, stem in _STEMS.items() if part in parts}
    for part in weights:
        check_against_weights(places[part], kinds[part], configs[part], weights[part].shapes)
    card = _card(name, folder, unet, vae, scheduler)
    return Checkpoint(name, folder, places, unet, vae, scheduler, card, weights)


def _family(folder: Path) -> str:
    """What a folder calls itself in its model_index.json, once it is none that we know and cannot load."""
    index = folder / "model_index.json"
    if not index.is_file():
        alone = next(iter(sorted(folder.glob("*.safetensors"))), None)
        holds = f"; it holds {alone.name}: {describe_file(alone)}" if alone else ""
        holds = "; it is empty" if not any(folder.iterdir()) else holds
        raise ModelError(f"{folder} has no model_index.json, so it is not {LAYOUT}{holds}")
    family = str(read_json(index).get("_class_name", ""))
    for prefix, words in _FAMILIES.items():
        if family.startswith(prefix):
            known = f"Stable Diffusion 1.x and 2.x are supported, and {_PIXEL_PIPELINES[0]}"
            raise ModelError(f"{folder} is a {words} model ({family}); {known}")
    return family


def _check_shapes(folder: Path, unet: dict[str, Any], vae: dict[str, Any]) -> None:
    takes, gives = unet.get("in_channels", 4), vae.get("latent_channels", 4)
    if takes == 2 * gives:
        raise ModelError(f"{folder} is an InstructPix2Pix model (its UNet takes {takes} channels): not supported")
    if takes not in (gives, 2 * gives + 1):  # the latter is an inpainting model: latent, mask, masked picture's latent
        raise ModelError(
            f"{folder}: the UNet takes {takes} channels, the VAE gives {gives}: they do not belong together"
        )
    if unet.get("addition_embed_type"):
        raise ModelError(
            f"{folder}: the UNet wants added inputs ({unet['addition_embed_type']}), as Stable Diffusion XL"
        )


def _check_pixels(folder: Path, unet: dict[str, Any], scheduler: dict[str, Any]) -> None:
    """What diffusers' DDPM folders may also ask for, and we cannot do."""
    takes, gives = unet.get("in_channels", 3), unet.get("out_channels", 3)
    if takes != 3:
        raise ModelError(f"{folder}: the UNet takes {takes} channels of a picture; only 3 (RGB) are supported")
    if gives != takes:
        learned = ", as for a learned variance" if gives == 2 * takes else ""
        raise ModelError(f"{folder}: the UNet takes {takes} channels and gives {gives}{learned}: not supported")
    for key in ("class_embed_type", "num_class_embeds"):
        if unet.get(key) is not None:
            raise ModelError(f"{folder}: the UNet wants classes ({key} = {unet[key]!r:.80}): not supported")
    if unet.get("time_embedding_type", "positional") != "positional":
        words = f"{unet['time_embedding_type']!r:.80}: it is told noise in another way than by timesteps"
        raise ModelError(f"{folder}: the UNet's time_embedding_type is {words}, not supported")
    if scheduler.get("thresholding"):
        raise ModelError(f"{folder}: the scheduler asks for dynamic thresholding (thresholding), not supported")


def _pixels_per_cell(vae: dict[str, Any] | None) -> int:
    return 1 if vae is None else int(2 ** (len(vae.get("block_out_channels", "1234")) - 1))


def _card(name: str, folder: Path, unet: dict[str, Any], vae: dict[str, Any] | None, scheduler: dict[str, Any]) -> Card:
    """The folder's card over what its configs tell."""
    factor = _pixels_per_cell(vae)
    sample = unet.get("sample_size") or 64
    cells = sample if isinstance(sample, int) else max(sample)
    multiple = factor * 2 ** (len(unet.get("down_block_types", "1234")) - 1)
    defaults: dict[str, Any] = {} if vae else {"guidance_scale": 1.0}  # without words there is nothing to guide by
    if scheduler.get("_class_name") == "LCMScheduler":  # a distilled checkpoint works untouched
        embedded_guidance = unet.get("time_cond_proj_dim") is not None
        defaults = {"sampler": "lcm", "steps": 8, "guidance_scale": 8.5 if embedded_guidance else 1.0}
    native = max(cells * factor // multiple, 1) * multiple
    return read_card(folder, name=name, native_size=native, size_multiple=multiple, defaults=defaults)
