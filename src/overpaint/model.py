"""``DiffusionModel``: pictures, words and latents into one another, and one network forward.

Only this file and ``model_loading`` know diffusers' and transformers' classes. What others ask of a model:

    encode_text(text)              -> TextStates: [1, tokens, width] and the words that did not fit
    encode_picture(pixels)         -> mean, std of the latent, each [1, C, h, w]
    decode(z0)                     -> pixels [1, 3, H, W] in 0..1
    predict(x, t, text, guidance)  -> the network's output for any number of rows [R, C, h, w]
    denoised(x, out, level)        -> D, the clean latent as believed: D = p*x + q*out

Bytes must not depend on company, so every network call sees a fixed number of rows: on the CPU always the same small
number (``row_buckets``), elsewhere the next larger bucket; what is missing is filled with copies of the last row. VAE
and text encoder see one row.
"""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from overpaint.card import Card
from overpaint.checkpoint import EMBEDDED, Checkpoint, inspect
from overpaint.errors import EditFailed, ModelError
from overpaint.fingerprint import Fingerprint
from overpaint.levels import DiffusionNoise, Level
from overpaint.model_loading import (
    DeviceName,
    DtypeName,
    Parts,
    device_of,
    device_words,
    dtype_of,
    load_parts,
    quiet_libraries,
    training_noise,
    versions,
)

_TEXTS_KEPT = 64

# On a CPU rows cost nearly the same at 2 and at 8 (`python benchmarks/rows.py`), and 2 is what one guided edit needs.
# On a GPU small batches are bound by the host, so a crowd shares one call.
_CPU_ROWS = (2,)
_GPU_ROWS = (2, 4, 8, 16)


@dataclass(frozen=True)
class TextStates:
    """A text as the network reads it: states [1, tokens, width], and the end of it that did not fit."""

    states: Tensor
    dropped: str = ""


class DiffusionModel:
    """A loaded Stable Diffusion checkpoint. Not thread-safe: an engine's thread is its only caller.

    Attributes:
        hash: SHA-256 of the files that decide pictures (``Checkpoint.files``), 64 hex characters.
        notes: what of the folder is not used.
    """

    def __init__(self, checkpoint: Checkpoint, noise: DiffusionNoise, parts: Parts, hash: str) -> None:
        unet, vae = parts.unet, parts.vae
        self.name: str = checkpoint.name
        self.folder: Path = checkpoint.folder
        self.card: Card = checkpoint.card
        self.hash: str = hash
        self.notes: tuple[str, ...] = parts.notes
        self.noise = noise
        self.prediction: str = checkpoint.scheduler.get("prediction_type", "epsilon")
        self.pixels_per_cell: int = checkpoint.pixels_per_cell
        self.channels: int = vae.config.latent_channels
        self.device = next(unet.parameters()).device
        self.dtype: torch.dtype = unet.dtype
        self.row_buckets = _CPU_ROWS if self.device.type == "cpu" else _GPU_ROWS
        self.guidance_embedded: bool = unet.config.time_cond_proj_dim is not None
        self._unet, self._vae, self._text_encoder, self._tokenizer = unet, vae, parts.text_encoder, parts.tokenizer
        self._texts: OrderedDict[str, TextStates] = OrderedDict()
        self._latent_rgb: Tensor | None = None

    @classmethod
    def load(
        cls,
        model: str | Path = EMBEDDED,
        *,
        device: DeviceName | str = "auto",
        dtype: DtypeName = "auto",
        download: bool = False,
    ) -> "DiffusionModel":
        """Load "embedded", a Stable Diffusion 1.x/2.x folder in diffusers' layout, or a hub id in the local cache.

        Args:
            device: "auto" takes CUDA, then Apple's MPS, then the CPU.
            dtype: "auto" is float16 on CUDA and float32 elsewhere.
            download: allow the network for a hub id that is not in the local cache.

        Raises:
            ModelError: saying what the folder is and what is missing.
        """
        place, kind = device_of(device), dtype_of(dtype, device)
        checkpoint = inspect(model, download=download)
        try:
            with Fingerprint(checkpoint.folder, checkpoint.files) as fingerprint, quiet_libraries():
                parts = load_parts(checkpoint, kind, place)
                loaded = cls(checkpoint, training_noise(checkpoint), parts, fingerprint.result())
                loaded.encode_text("")  # shows that tokenizer and encoder fit; guided edits need this text anyway
                return loaded
        except ModelError:
            raise
        except Exception as e:  # the folder decides what the libraries do, and so what they raise
            raise ModelError(f"{checkpoint.folder} cannot be loaded: {' '.join(str(e).split()):.400}") from e

    @property
    def made_with(self) -> dict[str, str | int | list[int]]:
        """What decides bytes beside the model and the request: the machine, its settings and the libraries."""
        return {
            "device": device_words(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "rows": list(self.row_buckets),
            "threads": torch.get_num_threads(),
            **versions(),
        }

    # ---- words -------------------------------------------------------------------------------------------------------

    def encode_text(self, text: str) -> TextStates:
        """The text encoder's states of ``text``; the newest texts are kept, a crowd often shares them."""
        if text not in self._texts:
            self._texts[text] = self._encode_text(text)
            if len(self._texts) > _TEXTS_KEPT:
                self._texts.popitem(last=False)
        self._texts.move_to_end(text)
        return self._texts[text]

    @torch.inference_mode()
    def _encode_text(self, text: str) -> TextStates:
        # a tokenizer that states no length has an absurd one
        limit = min(self._tokenizer.model_max_length, self._text_encoder.config.max_position_embeddings)
        ids = self._tokenizer(text, padding="max_length", truncation=True, max_length=limit).input_ids
        # verbose=False: what is too long is reported by us, by the words that fell off
        whole = self._tokenizer(text, truncation=False, verbose=False).input_ids
        dropped = self._tokenizer.decode(whole[limit - 1 : -1]).strip() if len(whole) > limit else ""
        states = self._text_encoder(torch.tensor([ids], device=self.device))[0]  # [1, tokens, width]
        return TextStates(states, dropped)

    # ---- pictures ----------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def encode_picture(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the latent of ``pixels`` [1, 3, H, W] in 0..1, scaled as the UNet wants it."""
        x = self._to_network(pixels * 2 - 1)
        posterior = self._vae.encode(x).latent_dist
        scale, shift = self._vae.config.scaling_factor, self._vae.config.shift_factor or 0.0
        return (posterior.mean.float() - shift) * scale, posterior.std.float() * scale  # [1, C, h, w]

    @torch.inference_mode()
    def decode(self, z0: Tensor) -> Tensor:
        """Pixels [1, 3, H, W] in 0..1, float32, of a clean latent [1, C, h, w]."""
        scale, shift = self._vae.config.scaling_factor, self._vae.config.shift_factor or 0.0
        z = z0 / scale + shift
        y: Tensor = self._vae.decode(self._to_network(z)).sample.float()
        if not bool(torch.isfinite(y).all()) and self.dtype != torch.float32:
            # some VAEs overflow in half precision on some pictures: once more in float32
            y = self._vae.float().decode(z.contiguous(memory_format=torch.channels_last)).sample
            self._vae.to(self.dtype)
        if not bool(torch.isfinite(y).all()):
            raise EditFailed("the decoded picture has numbers that are not finite")
        return (y / 2 + 0.5).clamp(0, 1)

    @torch.inference_mode()
    def preview(self, z0: Tensor) -> Tensor:
        """A small picture [h, w, 3] in 0..1 of a latent [1, C, h, w], by one matrix instead of the decoder."""
        if self._latent_rgb is None:
            self._latent_rgb = self._fit_latent_rgb()
        return (_with_ones(z0) @ self._latent_rgb).clamp(0, 1)

    def _fit_latent_rgb(self, side: int = 256) -> Tensor:
        """Least squares from latents to mean colours, on smooth random colours of many sizes: fitted for each VAE."""
        generator = torch.Generator().manual_seed(0)
        picture = torch.full((1, 3, side, side), 0.5)
        for cells in (2, 4, 8, 16, 32):
            colours = torch.rand(1, 3, cells, cells, generator=generator) - 0.5
            picture += 0.45 * nn.functional.interpolate(colours, (side, side), mode="bicubic")
        mean, _ = self.encode_picture(picture.clamp(0, 1).to(self.device))
        truth = nn.functional.avg_pool2d(picture.clamp(0, 1), self.pixels_per_cell)[0].permute(1, 2, 0)  # [h, w, 3]
        features = _with_ones(mean).cpu()
        fitted = torch.linalg.lstsq(features.flatten(0, 1).double(), truth.flatten(0, 1).double())
        matrix: Tensor = fitted.solution.float().to(self.device)  # [C + 1, 3]
        return matrix

    # ---- the network -------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def predict(self, x: Tensor, t: Tensor, text: Tensor, guidance: Tensor | None = None) -> Tensor:
        """The UNet's output for rows of equal shape, in calls of a fixed number of rows.

        Args:
            x: latents [R, C, h, w], float32.
            t: timesteps [R], float32; they may be fractional.
            text: [R, tokens, width].
            guidance: [R], only read by distilled networks that take guidance as an input.

        Returns:
            [R, C, h, w], float32.
        """
        rows, most = len(x), self.row_buckets[-1]
        if rows > most:
            parts = range(0, rows, most)
            cut = [slice(i, i + most) for i in parts]
            return torch.cat(
                [self.predict(x[c], t[c], text[c], None if guidance is None else guidance[c]) for c in cut]
            )
        bucket = next(b for b in self.row_buckets if b >= rows)
        padding = [*range(rows), *[rows - 1] * (bucket - rows)]
        condition = None
        if self.guidance_embedded:
            assert guidance is not None
            condition = _guidance_embedding(guidance[padding] - 1, self._unet.config.time_cond_proj_dim).to(self.dtype)
        out: Tensor = self._unet(
            self._to_network(x[padding]), t[padding], text[padding].to(self.dtype), timestep_cond=condition
        ).sample
        return out[:rows].float().contiguous()

    def denoised(self, x: Tensor, out: Tensor, level: Level) -> Tensor:
        """D, the clean latent as believed: Salimans & Ho 2022 (arXiv:2202.00512), appendix D."""
        if self.prediction == "v_prediction":
            return level.alpha * x - level.sigma * out
        if self.prediction == "sample":
            return out
        return (x - level.sigma * out) / level.alpha

    def _to_network(self, x: Tensor) -> Tensor:
        return x.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)


def guide(cond: Tensor, uncond: Tensor, g: float, rescale: float = 0.0) -> Tensor:
    """Classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598, eq. 6): ``uncond + g*(cond - uncond)``.

    ``rescale`` in [0, 1] brings the deviation back towards that of ``cond`` (Lin et al. 2023, arXiv:2305.08891,
    eq. 14 to 16).
    """
    out = uncond + g * (cond - uncond)
    if rescale:
        dims = tuple(range(1, out.ndim))
        same = out * (cond.std(dim=dims, keepdim=True) / out.std(dim=dims, keepdim=True))
        out = rescale * same + (1 - rescale) * out
    return out


def _guidance_embedding(w: Tensor, width: int) -> Tensor:
    """How distilled networks are told their guidance (Luo et al. 2023): a sinusoid of 1000*w, [R, width]."""
    half = width // 2
    frequency = torch.exp(torch.arange(half, dtype=torch.float32) * -(torch.tensor(10000.0).log() / (half - 1)))
    angle = 1000 * w[:, None].cpu() * frequency
    return nn.functional.pad(torch.cat([angle.sin(), angle.cos()], 1), (0, width % 2)).to(w.device)


def _with_ones(latent: Tensor) -> Tensor:
    cells = latent[0].permute(1, 2, 0)  # [h, w, C]
    return torch.cat([cells, torch.ones_like(cells[..., :1])], -1)
