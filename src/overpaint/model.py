"""``DiffusionModel``: pictures, words and latents into one another, and one network forward.

Only ``model*`` files know diffusers' and transformers' networks. What others ask of a model:

    encode_text(text)                     -> TextStates: what the network reads, and the words that did not fit
    encode_picture(pixels)                -> mean, std of the latent, each [1, C, h, w]
    decode(z0)                            -> pixels [1, 3, H, W] in 0..1
    mask_input(mask, masked_pixels)       -> what an inpainting network sees beside x: [1, 1 + C, h, w]
    predict(x, t, text, guidance, extra)  -> the network's output for any number of rows [R, C, h, w]
    denoised(x, out, level)               -> D, the clean latent as believed: D = p*x + q*out

Pictures go through a codec (a VAE, or none for networks in pixels) and words through a text encoder (or none); the
rest of the program sees no difference.

Bytes must not depend on company, so every network call sees a fixed number of rows: on the CPU always the same small
number (``row_buckets``), elsewhere the next larger bucket; what is missing is filled with copies of the last row. VAE
and text encoder see one row.
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from overpaint.card import Card
from overpaint.checkpoint import EMBEDDED, Checkpoint, inspect
from overpaint.errors import EditFailed, ModelError
from overpaint.fingerprint import Fingerprint
from overpaint.levels import DiffusionNoise, Level
from overpaint.model_codecs import Codec, PixelCodec, VaeCodec
from overpaint.model_fused import fuse, triton_kernels
from overpaint.model_graphs import CudaRecorder, Replayed, ReplayedLayer, Replays
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
from overpaint.model_network import ConstantsApart, Network, Whole, network_of
from overpaint.model_packing import pack
from overpaint.model_words import ClipWords, NoWords, TextStates, Words
from overpaint.newest import Newest
from overpaint.uncollected import uncollected

__all__ = ["DiffusionModel", "TextStates", "guide"]

_TEXTS_KEPT, _PICTURES_KEPT, _MOMENTS_KEPT = 32, 16, 512

# On a CPU rows cost nearly the same at 2 and at 8 (`python benchmarks/rows.py`), and 2 is what one guided edit needs.
# On a GPU small batches are bound by the host, so a crowd shares one call.
_CPU_ROWS = (2,)
_GPU_ROWS = (2, 4, 8, 16)

_VAE_REPLAYED = 2**19  # pixels, 724 x 724: an H100 takes 7.5 ms to decode 512 x 512, and the host 11 to ask for it


class DiffusionModel:
    """A loaded checkpoint. Not thread-safe: an engine's thread is its only caller.

    Attributes:
        hash: SHA-256 of the files that decide pictures (``Checkpoint.files``), 64 hex characters.
        notes: what of the folder is not used.
        reads_text: False where the network was trained without words: every text is dropped whole, and guidance between
            two texts is between two equal outputs.
        takes_mask: True for inpainting networks, which want ``mask_input`` with every prediction.
    """

    def __init__(self, checkpoint: Checkpoint, noise: DiffusionNoise, parts: Parts, hash: str) -> None:
        unet = parts.unet
        self.name: str = checkpoint.name
        self.folder: Path = checkpoint.folder
        self.card: Card = checkpoint.card
        self.hash: str = hash
        self.notes: tuple[str, ...] = parts.notes
        self.noise = noise
        self.prediction: str = checkpoint.scheduler.get("prediction_type", "epsilon")
        self.device: torch.device = unet.device
        self.dtype: torch.dtype = unet.dtype
        self.row_buckets = _CPU_ROWS if self.device.type == "cpu" else _GPU_ROWS
        self._codec: Codec = PixelCodec()
        if parts.vae is not None:
            self._codec = VaeCodec(parts.vae, checkpoint.pixels_per_cell, self.card.largest_area)
        self.pixels_per_cell: int = self._codec.pixels_per_cell
        self.channels: int = self._codec.channels
        self.reads_text: bool = parts.text_encoder is not None
        self._words: Words = ClipWords(parts.text_encoder, parts.tokenizer) if self.reads_text else NoWords(self.device)
        self._texts: Newest[str, TextStates] = Newest(_TEXTS_KEPT)
        self._pictures: Newest[tuple[torch.Size, torch.dtype, bytes], tuple[Tensor, Tensor]] = Newest(_PICTURES_KEPT)
        self.takes_mask: bool = unet.config.in_channels == 2 * self.channels + 1
        self.guidance_embedded: bool = unet.config.get("time_cond_proj_dim") is not None
        self._clip_range = checkpoint.clip_range
        network = network_of(unet)
        self._network: Network = network
        self._kernels: str | None = None  # those between convolutions and products, where they are not PyTorch's
        if self.device.type == "cpu":
            pack(network)
        elif self.device.type == "cuda":
            self._make_fast_on_cuda(network, parts.vae)
        self._moments: Newest[tuple[float, float], Tensor] = Newest(_MOMENTS_KEPT)

    @classmethod
    def load(
        cls,
        model: str | Path = EMBEDDED,
        *,
        device: DeviceName | str = "auto",
        dtype: DtypeName = "auto",
        download: bool = False,
    ) -> "DiffusionModel":
        """Load "embedded", a folder in diffusers' layout, or a hub id in the local cache.

        The folder may be of Stable Diffusion 1.x/2.x, its inpainting models included, or of a DDPM in pixels.

        Args:
            device: "auto" takes CUDA, then Apple's MPS, then the CPU.
            dtype: "auto" is float16 on CUDA; bfloat16 on a CPU that has it, if the model's card says that its pictures
                stay the same (``bfloat16_psnr``); else float32.
            download: allow the network for a hub id that is not in the local cache.

        Raises:
            ModelError: saying what the folder is and what is missing.
        """
        place = device_of(device)
        checkpoint = inspect(model, download=download)
        kind = dtype_of(dtype, place, checkpoint.card)
        try:
            with uncollected(), Fingerprint(checkpoint.folder, checkpoint.files) as fingerprint, quiet_libraries():
                parts = load_parts(checkpoint, kind, place)
                loaded = cls(checkpoint, training_noise(checkpoint), parts, fingerprint.result())
                loaded.encode_text("")  # shows that tokenizer and encoder fit; guided edits need this text anyway
                return loaded
        except ModelError:
            raise
        except Exception as e:  # the folder decides what the libraries do, and so what they raise
            raise ModelError(f"{checkpoint.folder} cannot be loaded: {' '.join(str(e).split()):.400}") from e

    def _make_fast_on_cuda(self, network: ConstantsApart | Whole, vae: Any | None) -> None:
        """Fewer passes over memory, and calls that cost the host one launch."""
        if (kernels := triton_kernels(self.device)) is not None:
            self._kernels = kernels.VERSION
            for part in (network, vae):
                if part is not None:
                    fuse(part, kernels)
        recorder = CudaRecorder(self.device)
        self._network = Replayed(network, recorder)
        if isinstance(self._words, ClipWords):
            self._words.states = Replays(self._words.states, recorder)
        if vae is not None:
            vae.encoder = ReplayedLayer(vae.encoder, recorder, _VAE_REPLAYED)
            vae.decoder = ReplayedLayer(vae.decoder, recorder, _VAE_REPLAYED // self.pixels_per_cell**2)

    @property
    def made_with(self) -> dict[str, str | int | list[int]]:
        """What decides bytes beside the model and the request: the machine, its settings and the libraries."""
        return {
            "device": device_words(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "rows": list(self.row_buckets),
            "threads": torch.get_num_threads(),
            **({} if self._kernels is None else {"kernels": self._kernels}),
            **versions(),
        }

    def free_memory(self) -> None:
        """Give back what is kept for later: after a call for which there was no room."""
        self._pictures = Newest(_PICTURES_KEPT)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    # ---- words -------------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def encode_text(self, text: str) -> TextStates:
        """What the network reads of ``text``; the newest texts are kept, a crowd often shares them."""
        return self._texts.get(text, lambda: self._read(text))

    def _read(self, text: str) -> TextStates:
        encoded = self._words.encode(text)
        return replace(encoded, states=self._network.read(encoded.states.to(self.dtype)))

    # ---- pictures ----------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def encode_picture(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the latent of ``pixels`` [1, 3, H, W] in 0..1, scaled as the UNet wants it.

        Those of the newest pictures are kept: a sweep, or a search for a strength, encodes its picture once.
        """
        digest = sha256(pixels.cpu().contiguous().numpy().data).digest()  # which CPUs have instructions for
        key = (pixels.shape, pixels.dtype, digest)
        return self._pictures.get(key, lambda: self._codec.encode(pixels.to(self.device)))  # [1, C, h, w] each

    @torch.inference_mode()
    def decode(self, z0: Tensor) -> Tensor:
        """Pixels [1, 3, H, W] in 0..1, float32, of a clean latent [1, C, h, w]."""
        return self._codec.decode(z0)

    def vae_tiles(self, size: tuple[int, int]) -> int | None:
        """The side in pixels of the tiles in which a picture of (width, height) is encoded and decoded; None: whole."""
        return self._codec.tiles(size)

    @torch.inference_mode()
    def preview(self, z0: Tensor) -> Tensor:
        """A small picture [h, w, 3] in 0..1 of a latent [1, C, h, w]."""
        return self._codec.preview(z0)

    @torch.inference_mode()
    def mask_input(self, mask: Tensor, masked_pixels: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """What an inpainting network sees beside x, as diffusers makes it.

        Args:
            mask: [1, 1, H, W], 1 is to be painted, 0 is kept.
            masked_pixels: the picture [1, 3, H, W] in 0..1, neutral grey (.5) where the mask is 1.
            generator: draws the masked picture's latent, on the CPU; None takes its mean.

        Returns:
            [1, 1 + C, h, w], float32: the mask, white = change, then the latent of what is kept.
        """
        latent, std = self.encode_picture(masked_pixels)
        if generator is not None:
            latent = latent + std * torch.randn(latent.shape, generator=generator).to(latent.device)
        cells = nn.functional.interpolate(mask.to(latent), size=latent.shape[-2:])  # [1, 1, h, w], nearest
        return torch.cat([cells, latent], 1)

    # ---- the network -------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def predict(
        self,
        x: Tensor,
        t: Sequence[float],
        text: Tensor,
        guidance: Sequence[float] | None = None,
        extra: Tensor | None = None,
    ) -> Tensor:
        """The UNet's output for rows of equal shape, in calls of a fixed number of rows.

        Args:
            x: latents [R, C, h, w], float32.
            t: timesteps, one for each row; they may be fractional.
            text: states of ``encode_text``, [R, tokens, width].
            guidance: one for each row, only read by distilled networks that take guidance as an input.
            extra: [R, 1 + C, h, w] of ``mask_input``, for inpainting networks and only for them.

        Returns:
            [R, C, h, w], float32.
        """
        if (extra is not None) != self.takes_mask:
            words = "needs a mask beside the picture" if self.takes_mask else "takes no mask beside the picture"
            raise EditFailed(f"the network of {self.name} {words}")
        seen = x if extra is None else torch.cat([x, extra.to(x)], 1)  # [R, C or 2*C + 1, h, w]
        moments = torch.cat([self._moment(*told) for told in zip(t, guidance or [1.0] * len(t), strict=True)])
        most = self.row_buckets[-1]
        cuts = [slice(i, i + most) for i in range(0, len(x), most)]
        return torch.cat([self._forward(seen[cut], moments[cut], text[cut]) for cut in cuts])

    def _moment(self, t: float, guidance: float) -> Tensor:
        told = (t, guidance if self.guidance_embedded else 1.0)
        return self._moments.get(told, lambda: self._network.moment(*told))

    def _forward(self, x: Tensor, moments: Tensor, text: Tensor) -> Tensor:
        """One call, filled up to a bucket with copies of the last row."""
        rows = len(x)
        bucket = next(b for b in self.row_buckets if b >= rows)
        out = self._network(self._to_network(_filled(x, bucket)), _filled(moments, bucket), _filled(text, bucket))
        return out[:rows].float().contiguous()

    def denoised(self, x: Tensor, out: Tensor, level: Level) -> Tensor:
        """D, the clean latent as believed: Salimans & Ho 2022 (arXiv:2202.00512), appendix D.

        Clamped where the checkpoint asks for it, as in Ho et al. 2020 (arXiv:2006.11239): no pixel is beyond -1..1.
        """
        if self.prediction == "v_prediction":
            D = level.alpha * x - level.sigma * out
        else:
            D = out if self.prediction == "sample" else (x - level.sigma * out) / level.alpha
        return D if self._clip_range is None else D.clamp(-self._clip_range, self._clip_range)

    def _to_network(self, x: Tensor) -> Tensor:
        return x.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)


def _filled(part: Tensor, rows: int) -> Tensor:
    """With copies of its last row up to ``rows``."""
    missing = rows - len(part)
    return torch.cat([part, part[-1:].expand(missing, *part.shape[1:])]) if missing else part


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
