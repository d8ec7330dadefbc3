"""Shared parts of the tests: the embedded model's real weights, and tiny random checkpoints of other families."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before any library reads it: no test may reach for the network
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # where other processes want the cores too, spinning threads crawl

import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch
from browser import chromium
from postgres import postgres_server, postgres_url

from overpaint import model_loading
from overpaint.checkpoint import embedded_folder
from overpaint.editor import Editor
from overpaint.images import Pixels
from overpaint.model import DiffusionModel

# no time limit for a single example, machines are noisy; in CI always the same examples, elsewhere new ones each time
hypothesis.settings.register_profile("people", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "people")

__all__ = ["chromium", "postgres_server", "postgres_url"]  # fixtures for all tests

# tests of what only a CUDA device can do are no tests elsewhere: a skipped test would be a failure in CI
collect_ignore = [] if torch.cuda.is_available() else ["test_cuda.py"]

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
EPSILON = ("sd15", "lcm", "inpaint")
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.fixture(scope="session", autouse=True)
def _auto_is_float32() -> Iterator[None]:
    """`dtype="auto"` as on a CPU without bfloat16, so that tests see the same numbers everywhere; some turn it on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_loading, "multiplies_bfloat16", lambda: False)
        yield


@pytest.fixture(scope="session")
def editor() -> Iterator[Editor]:
    """The embedded model's editor; loading takes seconds, so there is one."""
    with Editor(device="cpu", dtype="float32") as editor:
        yield editor


@pytest.fixture(scope="session")
def model(editor: Editor) -> DiffusionModel:
    return editor.model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> "TinyCheckpoints":
    return TinyCheckpoints(tmp_path_factory.mktemp("checkpoints"))


class TinyCheckpoints:
    """Random checkpoints in diffusers' layout, made when first asked for.

    "sd15": epsilon; "sd2v": v-prediction; "zsnr": v-prediction with zero terminal SNR; "lcm": guidance as an input;
    "inpaint": a UNet that also sees the mask and the masked picture; "ddpm": a network in pixels, without words.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, kind: str) -> Path:
        folder = self._root / kind
        if not folder.exists():
            (save_tiny_ddpm if kind == "ddpm" else save_tiny_checkpoint)(folder, kind)
        return folder


def save_tiny_ddpm(folder: Path, kind: str = "ddpm") -> None:
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=16,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=8,
    )
    DDPMPipeline(unet, DDPMScheduler(clip_sample=True)).save_pretrained(folder)


def save_tiny_checkpoint(folder: Path, kind: str) -> None:
    from diffusers import AutoencoderKL, DDIMScheduler, LCMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=9 if kind == "inpaint" else 4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=8 if kind in EPSILON else (4, 8),
        use_linear_projection=kind not in EPSILON,
        cross_attention_dim=32,
        norm_num_groups=8,
        time_cond_proj_dim=32 if kind == "lcm" else None,
    )
    vae = AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=32,
    )
    tokenizer = CLIPTokenizer.from_pretrained(embedded_folder() / "tokenizer")
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    kind_of_scheduler = LCMScheduler if kind == "lcm" else DDIMScheduler
    scheduler = kind_of_scheduler(
        **NOISE,
        clip_sample=False,
        steps_offset=1,
        prediction_type="epsilon" if kind in EPSILON else "v_prediction",
        rescale_betas_zero_snr=kind == "zsnr",
    )
    StableDiffusionPipeline(
        vae, text_encoder, tokenizer, unet, scheduler, None, None, requires_safety_checker=False
    ).save_pretrained(folder)


@pytest.fixture
def broken(tmp_path: Path, tiny: TinyCheckpoints) -> Path:
    """A copy of a tiny checkpoint, for breaking."""
    return Path(shutil.copytree(tiny("sd15"), tmp_path / "broken"))


def random_picture(width: int, height: int, seed: int = 0, channels: int = 3) -> Pixels:
    """Smooth random colours [h, w, channels], uint8."""
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, channels, 4, 4, generator=generator)
    big = torch.nn.functional.interpolate(small, (height, width), mode="bilinear")[0].permute(1, 2, 0)
    return (big.numpy() * 255).round().astype(np.uint8)
