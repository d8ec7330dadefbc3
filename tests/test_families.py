"""Inpainting networks and networks in pixels: equal to diffusers' own pipelines, and refused where we cannot do it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TinyCheckpoints, random_picture
from diffusers import (
    DDIMPipeline,
    DDIMScheduler,
    DDPMPipeline,
    DDPMScheduler,
    StableDiffusionInpaintPipeline,
    UNet2DModel,
)
from parity import difference
from peers import peer
from safetensors.torch import load_file
from test_model import UNET, edit_json, edit_weights, fingerprint
from torch import Tensor

from overpaint.checkpoint import inspect, local_models
from overpaint.errors import EditFailed, ModelError
from overpaint.images import to_pil
from overpaint.levels import levels_for
from overpaint.model import DiffusionModel, guide
from overpaint.samplers import SamplerName, rows_for
from overpaint.trajectory import Hold, Trajectory, draw_noise

TOLERANCE = 1e-4
SEED, STEPS = 5, 10
PROMPT, NEGATIVE = "a castle by a lake at night", "day"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # theirs


def run(model: DiffusionModel, trajectory: Trajectory, guidance: float = 1.0, extra: Tensor | None = None) -> Tensor:
    """What the engine does with one edit, by hand."""
    texts = [NEGATIVE, PROMPT] if guidance != 1 else [PROMPT]
    states = torch.cat([model.encode_text(text).states for text in texts])
    while not trajectory.done:
        level = trajectory.level
        x, t = torch.cat([trajectory.x] * len(texts)), [level.t] * len(texts)
        out = model.predict(x, t, states, extra=None if extra is None else extra.repeat(len(texts), 1, 1, 1))
        out = guide(out[1:], out[:1], guidance) if guidance != 1 else out
        trajectory.advance(model.denoised(trajectory.x, out, level))
    return trajectory.x


def start(
    model: DiffusionModel, sampler: SamplerName, strength: float, z0: Tensor, eps: Tensor, steps: torch.Generator
) -> Trajectory:
    """An edit of ``z0`` (of nothing at strength 1) that starts with ``eps``; ``steps`` draws the noise of the steps."""
    rows = rows_for(sampler, levels_for(strength, STEPS, "trailing", model.noise), model.noise.at_ratio)
    if strength == 1:
        return Trajectory.from_noise(rows, eps, steps)
    return Trajectory.from_picture(rows, Hold(z0, eps), steps)


# ---- inpainting networks ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inpainter(tiny: TinyCheckpoints) -> DiffusionModel:
    return DiffusionModel.load(tiny("inpaint"), device="cpu")


@pytest.fixture(scope="module")
def their_inpainter(tiny: TinyCheckpoints) -> Any:
    pipe = StableDiffusionInpaintPipeline.from_pretrained(tiny("inpaint"), local_files_only=True, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    pipe.unet.to(memory_format=torch.channels_last)
    return pipe


PICTURE = random_picture(32, 32)
MASK = torch.zeros(1, 1, 32, 32)
MASK[..., 5:20, 9:32] = 1  # its edges are off the cells of 2 pixels


def inpaint(model: DiffusionModel, sampler: SamplerName, strength: float, guidance: float, mask: Tensor) -> Tensor:
    """Noise in diffusers' order: the picture's latent (not at strength 1), the start, the masked picture's, steps."""
    generator = torch.Generator().manual_seed(SEED)
    pixels = torch.from_numpy(PICTURE).permute(2, 0, 1)[None].float() / 255
    z0, std = model.encode_picture(pixels)
    if strength < 1:
        z0 = z0 + std * draw_noise(z0.shape, generator)
    eps = draw_noise(z0.shape, generator)
    extra = model.mask_input(mask, torch.where(mask < 0.5, pixels, 0.5), generator)
    return run(model, start(model, sampler, strength, z0, eps, generator), guidance, extra)


@pytest.mark.parametrize("guidance", [1.0, 5.0])
@pytest.mark.parametrize("strength", [0.6, 1.0])
@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_inpainting_is_theirs(
    inpainter: DiffusionModel, their_inpainter: Any, sampler: SamplerName, strength: float, guidance: float
) -> None:
    config = DDIMScheduler.load_config(inpainter.folder / "scheduler")
    words = ("beta_start", "beta_end", "beta_schedule", "prediction_type")
    their_inpainter.scheduler = peer(sampler, **{word: config[word] for word in words})
    theirs = their_inpainter(
        PROMPT, to_pil(PICTURE), to_pil((MASK[0, 0].numpy() * 255).astype("uint8")), width=32, height=32,
        strength=strength, guidance_scale=guidance, negative_prompt=NEGATIVE, num_inference_steps=STEPS,
        generator=torch.Generator().manual_seed(SEED), output_type="latent",
    ).images  # fmt: skip
    ours = inpaint(inpainter, sampler, strength, guidance, MASK)
    assert difference(ours, theirs) < TOLERANCE
    with torch.no_grad():
        pixels = their_inpainter.vae.decode(theirs / their_inpainter.vae.config.scaling_factor).sample
    assert difference(inpainter.decode(ours), (pixels / 2 + 0.5).clamp(0, 1)) < TOLERANCE
    assert difference(inpaint(inpainter, sampler, strength, guidance, 1 - MASK), theirs) > 100 * TOLERANCE


def test_what_an_inpainting_network_sees(inpainter: DiffusionModel) -> None:
    """Without a generator the masked picture's latent is its mean; with one it is drawn; the mask is white = change."""
    assert inpainter.takes_mask
    assert (inpainter.channels, inpainter.pixels_per_cell, inpainter.reads_text) == (4, 2, True)
    pixels = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mean, std = inpainter.encode_picture(pixels)
    plain = inpainter.mask_input(MASK, pixels)
    assert plain.shape == (1, 5, 16, 16)
    assert torch.equal(plain[:, 1:], mean)
    assert torch.equal(plain[:, :1], MASK[..., ::2, ::2])
    drawn = inpainter.mask_input(MASK, pixels, torch.Generator().manual_seed(1))
    noise = draw_noise(mean.shape, torch.Generator().manual_seed(1))
    assert torch.equal(drawn[:, 1:], mean + std * noise)


def test_masks_and_networks_go_together(inpainter: DiffusionModel, tiny: TinyCheckpoints) -> None:
    other = DiffusionModel.load(tiny("sd15"), device="cpu")
    assert not other.takes_mask
    x, t, extra = torch.zeros(1, 4, 16, 16), [500.0], torch.zeros(1, 5, 16, 16)
    with pytest.raises(EditFailed, match="takes no mask"):
        other.predict(x, t, other.encode_text("").states, extra=extra)
    with pytest.raises(EditFailed, match="needs a mask"):
        inpainter.predict(x, t, inpainter.encode_text("").states)


def test_rows_of_masks_are_their_own(inpainter: DiffusionModel) -> None:
    """Each row has its own mask, in a crowd as alone."""
    generator = torch.Generator().manual_seed(0)
    x, extra = torch.randn(3, 4, 16, 16, generator=generator), torch.randn(3, 5, 16, 16, generator=generator)
    t, text = [0.0, 100.0, 200.0], inpainter.encode_text("a lake").states
    crowd = inpainter.predict(x, t, text.expand(3, -1, -1), extra=extra)
    for i in range(3):
        assert torch.equal(crowd[[i]], inpainter.predict(x[[i]], [t[i]], text, extra=extra[[i]]))
    assert not torch.equal(crowd, inpainter.predict(x, t, text.expand(3, -1, -1), extra=extra.flip(0)))


# ---- networks in pixels ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def painters(tiny: TinyCheckpoints, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, DiffusionModel]:
    """The same network, with and without clipping."""
    free = Path(shutil.copytree(tiny("ddpm"), tmp_path_factory.mktemp("free") / "model"))
    edit_json(free / "scheduler" / "scheduler_config.json", clip_sample=False)
    return {clip: DiffusionModel.load(folder, device="cpu") for clip, folder in ((True, tiny("ddpm")), (False, free))}


@pytest.fixture
def ddpm(tiny: TinyCheckpoints, tmp_path: Path) -> Path:
    """A copy, for breaking."""
    return Path(shutil.copytree(tiny("ddpm"), tmp_path / "ddpm"))


SCHEDULER = "scheduler/scheduler_config.json"


def their_scheduler(sampler: SamplerName, model: DiffusionModel) -> Any:
    """The folder's own scheduler's words, at trailing timesteps; (scheduler, what its steps are told)."""
    kind = {"ddim": DDIMScheduler, "ddpm": DDPMScheduler}[sampler]
    scheduler = kind.from_pretrained(model.folder / "scheduler", timestep_spacing="trailing")
    scheduler.set_timesteps(STEPS)
    # a DDIM step goes on from the network's own noise, not from what clipping makes of it, unless it is told to
    return scheduler, {"use_clipped_model_output": True} if sampler == "ddim" else {}


def ours_and_theirs(model: DiffusionModel, sampler: SamplerName, strength: float) -> tuple[Tensor, Tensor]:
    """SDEdit in pixels: ours, and diffusers' network and scheduler by hand."""
    pixels = torch.from_numpy(random_picture(24, 16)).permute(2, 0, 1)[None].float() / 255
    mean, std = model.encode_picture(pixels)
    assert not std.any()
    eps = draw_noise(mean.shape, torch.Generator().manual_seed(SEED))
    trajectory = start(model, sampler, strength, mean, eps, torch.Generator().manual_seed(SEED + 1))
    ours = model.decode(run(model, trajectory))
    unet = UNet2DModel.from_pretrained(model.folder / "unet").eval()
    scheduler, words = their_scheduler(sampler, model)
    timesteps = scheduler.timesteps[round(STEPS * (1 - strength)) :]
    x = scheduler.add_noise(pixels * 2 - 1, eps, timesteps[:1])
    generator = torch.Generator().manual_seed(SEED + 1)
    with torch.no_grad():
        for t in timesteps:
            x = scheduler.step(unet(x, t).sample, t, x, generator=generator, **words).prev_sample
    return ours, (x / 2 + 0.5).clamp(0, 1)


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_editing_in_pixels_is_theirs(painters: dict[bool, DiffusionModel], sampler: SamplerName, clip: bool) -> None:
    ours, theirs = ours_and_theirs(painters[clip], sampler, 0.4)
    assert float(ours.std()) > 0.01
    assert difference(ours, theirs) < TOLERANCE
    assert difference(ours_and_theirs(painters[not clip], sampler, 0.4)[0], theirs) > 100 * TOLERANCE


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize(("sampler", "kind"), [("ddim", DDIMPipeline), ("ddpm", DDPMPipeline)])
def test_generating_in_pixels_is_theirs(
    painters: dict[bool, DiffusionModel], sampler: SamplerName, kind: Any, clip: bool
) -> None:
    """Strength 1, against their pipelines with one generator for the start and the steps."""
    model = painters[clip]
    generator = torch.Generator().manual_seed(SEED)
    eps = draw_noise((1, 3, 16, 16), generator)
    ours = model.decode(run(model, start(model, sampler, 1.0, eps, eps, generator)))
    scheduler, words = their_scheduler(sampler, model)
    pipe = kind(UNet2DModel.from_pretrained(model.folder / "unet"), scheduler)
    pipe.set_progress_bar_config(disable=True)
    words |= {"generator": torch.Generator().manual_seed(SEED), "num_inference_steps": STEPS, "output_type": "np"}
    theirs = torch.from_numpy(pipe(**words).images).permute(0, 3, 1, 2)
    assert difference(ours, theirs) < TOLERANCE


def test_the_contract_in_pixels(painters: dict[bool, DiffusionModel]) -> None:
    model = painters[True]
    assert (model.channels, model.pixels_per_cell, model.prediction) == (3, 1, "epsilon")
    assert (model.reads_text, model.takes_mask, model.guidance_embedded) == (False, False, False)
    assert (model.card.native_size, model.card.size_multiple) == (16, 2)
    assert model.card.defaults == {"guidance_scale": 1.0}
    pixels = torch.rand(1, 3, 8, 6)
    z0, _ = model.encode_picture(pixels)
    assert torch.allclose(model.decode(z0), pixels, atol=1e-6)
    assert torch.equal(model.preview(z0), model.decode(z0)[0].permute(1, 2, 0))
    assert model.decode(z0 * 100).max() == 1
    assert model.encode_text(" a lake ").dropped == "a lake"
    assert model.encode_text(" ").dropped == ""
    texts = torch.cat([model.encode_text("a lake").states, model.encode_text("").states])
    assert texts.shape == (2, 0, 0)
    out = model.predict(z0.repeat(2, 1, 1, 1), [500.0, 500.0], texts, [3.0, 3.0])
    assert torch.equal(out[0], out[1])


@pytest.mark.parametrize(
    ("values", "bound"),
    [
        ({}, 1.0),
        ({"clip_sample_range": 2.5}, 2.5),
        ({"clip_sample": False}, None),
        ({"clip_sample": None}, 1.0),
        ({"clip_sample": None, "_class_name": "DPMSolverMultistepScheduler"}, None),
        ({"clip_sample": True, "_class_name": "DPMSolverMultistepScheduler"}, 1.0),
    ],
)
def test_clipping_is_the_schedulers(ddpm: Path, values: dict[str, Any], bound: float | None) -> None:
    edit_json(ddpm / SCHEDULER, **values)
    model = DiffusionModel.load(ddpm, device="cpu")
    x = torch.full((1, 3, 2, 2), 9.0)
    D = model.denoised(x, torch.zeros_like(x), model.noise.at(0))
    assert float(D.max()) == pytest.approx(9 if bound is None else bound, rel=1e-3)


def test_latents_are_never_clipped(tiny: TinyCheckpoints, broken: Path) -> None:
    """diffusers' default is to clip; its Stable Diffusion pipelines switch that off."""
    edit_json(broken / SCHEDULER, clip_sample=True, thresholding=True)
    assert inspect(broken).clip_range is None


def flatten(folder: Path) -> None:
    """As the oldest of these folders are: all in one."""
    for part in ("unet", "scheduler"):
        for file in (folder / part).iterdir():
            file.rename(folder / file.name)
        (folder / part).rmdir()


def test_a_folder_without_folders(tiny: TinyCheckpoints, ddpm: Path) -> None:
    flatten(ddpm)
    model, other = (DiffusionModel.load(folder, device="cpu") for folder in (ddpm, tiny("ddpm")))
    x, t, text = torch.randn(1, 3, 8, 8), [300.0], model.encode_text("").states
    assert torch.equal(model.predict(x, t, text), other.predict(x, t, text))
    names = {file.name for file in inspect(ddpm).files}
    assert names == {"config.json", "scheduler_config.json", "diffusion_pytorch_model.safetensors"}
    (ddpm / "scheduler_config.json").unlink()
    with pytest.raises(ModelError, match=r"not a whole DDPM folder: missing scheduler/scheduler_config\.json"):
        inspect(ddpm)


def test_old_names_of_attention_are_read(tiny: TinyCheckpoints, ddpm: Path) -> None:
    new = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def as_of_old(tensors: dict[str, Tensor]) -> None:
        for name in list(tensors):
            for now, before in new.items():
                if f".{now}." in name:
                    tensors[name.replace(f".{now}.", f".{before}.")] = tensors.pop(name)

    edit_weights(ddpm / UNET, as_of_old)
    assert any(".query." in name for name in load_file(ddpm / UNET))
    model, other = (DiffusionModel.load(folder, device="cpu") for folder in (ddpm, tiny("ddpm")))
    x, t, text = torch.randn(1, 3, 8, 8), [300.0], model.encode_text("").states
    assert torch.equal(model.predict(x, t, text), other.predict(x, t, text))
    assert model.notes == ()


def test_cards_hashes_and_the_cache(ddpm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = {DiffusionModel.load(ddpm, device="cpu").hash}
    (ddpm / "overpaint.toml").write_text('native_size = 32\ndomain = "cats"\n[defaults]\nsampler = "ddpm"\n')
    card = inspect(ddpm).card
    assert (card.native_size, card.domain, card.defaults) == (32, "cats", {"sampler": "ddpm"})
    assert fingerprint(ddpm) in hashes
    for name in (SCHEDULER, "unet/config.json"):
        (ddpm / name).write_text((ddpm / name).read_text() + " ")
        hashes.add(fingerprint(ddpm))
    edit_weights(ddpm / UNET, lambda tensors: tensors["conv_in.bias"].add_(1))
    assert len(hashes | {fingerprint(ddpm)}) == 4
    home = tmp_path / "cache" / "models--someone--cats"
    shutil.copytree(ddpm, home / "snapshots" / "abc123")
    (home / "refs").mkdir()
    (home / "blobs").mkdir()
    (home / "refs" / "main").write_text("abc123")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert local_models() == ["embedded", "someone/cats"]
    assert inspect("someone/cats").card.domain == "cats"


@pytest.mark.parametrize(
    ("file", "values", "words"),
    [
        ("unet/config.json", {"in_channels": 1, "out_channels": 1}, r"takes 1 channels.*RGB"),
        ("unet/config.json", {"out_channels": 6}, "gives 6, as for a learned variance"),
        ("unet/config.json", {"num_class_embeds": 10}, "wants classes .num_class_embeds = 10"),
        ("unet/config.json", {"class_embed_type": "timestep"}, "wants classes .class_embed_type"),
        ("unet/config.json", {"time_embedding_type": "fourier"}, "time_embedding_type is 'fourier'"),
        ("unet/config.json", {"_class_name": "UNet2DConditionModel"}, "must be UNet2DModel"),
        ("unet/config.json", {"block_out_channels": [2**20, 2**20]}, r"conv_in\.weight has the shape"),
        ("unet/config.json", {"block_out_channels": [16, 4096]}, r"down_blocks\.1\..* has the shape"),
        ("unet/config.json", {"time_embedding_dim": 2**13}, r"linear_2\.weight has the shape"),
        ("unet/config.json", {"layers_per_block": 1000}, "too many for weights of"),
        ("unet/config.json", {"quantization_config": {}}, "quantization_config, which is not supported"),
        (SCHEDULER, {"thresholding": True}, "dynamic thresholding"),
        (SCHEDULER, {"clip_sample": "false"}, "clip_sample is 'false', must be true or false"),
        (SCHEDULER, {"clip_sample_range": 0}, "clip_sample_range is 0, must be a number above 0"),
        (SCHEDULER, {"prediction_type": "guess"}, "prediction_type"),
        (SCHEDULER, {"beta_schedule": "guess"}, "does not describe a training noise"),
        ("model_index.json", {"_class_name": "StableDiffusionPipeline"}, r"missing vae/config\.json"),
    ],
)
def test_what_cannot_be_done_in_pixels_is_named(ddpm: Path, file: str, values: dict[str, Any], words: str) -> None:
    edit_json(ddpm / file, **values)
    with pytest.raises(ModelError, match=words):
        DiffusionModel.load(ddpm, device="cpu")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors: tensors.pop("conv_out.bias"), r"unet cannot be loaded: its weights lack conv_out\.bias"),
        (lambda tensors: tensors.pop("conv_in.weight"), r"unet has no tensor conv_in\.weight"),
        (lambda tensors: tensors["conv_in.bias"].fill_(float("nan")), "not finite"),
    ],
)
def test_weights_in_pixels_are_checked(ddpm: Path, change: Any, words: str) -> None:
    edit_weights(ddpm / UNET, change)
    with pytest.raises(ModelError, match=words):
        DiffusionModel.load(ddpm, device="cpu")


def test_a_pixel_network_is_not_stable_diffusions(broken: Path, ddpm: Path) -> None:
    """Parts of the two families do not mix."""
    shutil.copytree(ddpm / "unet", broken / "unet", dirs_exist_ok=True)
    with pytest.raises(ModelError, match="_class_name is 'UNet2DModel', must be UNet2DConditionModel"):
        inspect(broken)
    edit_json(broken / "unet" / "config.json", _class_name="UNet2DConditionModel")
    with pytest.raises(ModelError, match="takes 3 channels, the VAE gives 4: they do not belong together"):
        inspect(broken)
