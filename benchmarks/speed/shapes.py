"""Model folders of a given shape with random weights: speed does not depend on what the weights are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from overpaint.checkpoint import embedded_folder

NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}  # Stable Diffusion's


@dataclass(frozen=True)
class Shape:
    """The configs of a folder's networks, as diffusers and transformers name their fields."""

    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    text: Mapping[str, Any]


SD15 = Shape(
    unet={
        "sample_size": 64,
        "block_out_channels": (320, 640, 1280, 1280),
        "layers_per_block": 2,
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
    },
    vae={
        "sample_size": 512,
        "block_out_channels": (128, 256, 512, 512),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 2,
        "latent_channels": 4,
    },
    text={
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 77,
    },
)


def save_random(folder: Path, shape: Shape, dtype: torch.dtype) -> None:
    """Write a folder in diffusers' layout: the libraries' own random weights, the included model's words.

    The words are a tenth of Stable Diffusion's; a text is padded to its full length all the same.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    length = shape.text["max_position_embeddings"]
    tokenizer = CLIPTokenizer.from_pretrained(embedded_folder() / "tokenizer", model_max_length=length)
    ends = {f"{end}_token_id": getattr(tokenizer, f"{end}_token_id") for end in ("bos", "eos", "pad")}
    text_encoder = CLIPTextModel(CLIPTextConfig(**shape.text, **ends))
    unet, vae = UNet2DConditionModel(**shape.unet), AutoencoderKL(**shape.vae)
    for network in (unet, vae, text_encoder):
        network.to(dtype)
    scheduler = DDIMScheduler(**NOISE, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    StableDiffusionPipeline(
        vae, text_encoder, tokenizer, unet, scheduler, None, None, requires_safety_checker=False
    ).save_pretrained(folder)
