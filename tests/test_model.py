"""Loading models: what loads, and what is said of what does not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import TinyCheckpoints

from overpaint.checkpoint import embedded_folder, inspect, local_models
from overpaint.errors import ModelError, ParameterError
from overpaint.model import DiffusionModel, guide


def edit_json(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_embedded_is_an_ordinary_folder(model: DiffusionModel, tmp_path: Path) -> None:
    """The same files in another folder load by the same path and make the same numbers."""
    copy = Path(shutil.copytree(embedded_folder(), tmp_path / "copy"))
    other = DiffusionModel.load(copy, device="cpu", dtype="float32")
    x = torch.randn(1, model.channels, 8, 8, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([500.0])
    text = model.encode_text("a lake").states
    assert torch.equal(model.predict(x, t, text), other.predict(x, t, text))
    assert other.card.native_size == model.card.native_size


@pytest.mark.parametrize(
    ("kind", "prediction"), [("sd15", "epsilon"), ("sd2v", "v_prediction"), ("zsnr", "v_prediction")]
)
def test_families(tiny: TinyCheckpoints, kind: str, prediction: str) -> None:
    model = DiffusionModel.load(tiny(kind), device="cpu")
    assert model.prediction == prediction
    assert (model.noise.at(999).alpha == 0) == (kind == "zsnr")
    assert model.card.native_size == 32
    assert model.card.defaults == {}


def test_a_card_is_read(broken: Path) -> None:
    (broken / "overpaint.toml").write_text('native_size = 64\nlicence = "free"\n[defaults]\nsteps = 7\n')
    card = inspect(broken).card
    assert (card.native_size, card.licence, card.defaults) == (64, "free", {"steps": 7})


@pytest.mark.parametrize(
    "text",
    [
        "native_size = ",
        "native_size = 0",
        "size_multiple = 0",
        'buckets = ["0x0"]',
        'guidance_rescale = "a"',
        "presets = 3",
        "nonsense = 1",
        "[defaults]\nsteps = 0",
        "[defaults]\nseed = 1",
    ],
)
def test_a_bad_card_is_named(broken: Path, text: str) -> None:
    (broken / "overpaint.toml").write_text(text)
    with pytest.raises(ModelError, match=r"overpaint\.toml"):
        inspect(broken)


def test_missing_folder_and_single_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        inspect(tmp_path / "nothing")
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"single file.*from_single_file"):
        inspect(tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"no model_index\.json"):
        inspect(tmp_path)


def test_hub_ids_are_looked_up_locally_only() -> None:
    with pytest.raises(ModelError, match=r"not in the local cache.*--download"):
        inspect("nobody/nothing")
    assert local_models()[0] == "embedded"


def test_hub_models_in_the_cache_load(tiny: TinyCheckpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By id, from a cache laid out as the hub's library lays it out; without its library's own network."""
    home = tmp_path / "models--someone--tiny"
    shutil.copytree(tiny("sd2v"), home / "snapshots" / "abc123")
    (home / "refs").mkdir()
    (home / "blobs").mkdir()
    (home / "refs" / "main").write_text("abc123")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert local_models() == ["embedded", "someone/tiny"]
    model = DiffusionModel.load("someone/tiny", device="cpu")
    assert (model.name, model.prediction) == ("someone/tiny", "v_prediction")


def test_missing_parts_are_listed(broken: Path) -> None:
    shutil.rmtree(broken / "vae")
    (broken / "tokenizer" / "tokenizer_config.json").unlink()
    with pytest.raises(ModelError, match=r"missing vae/config\.json, tokenizer/tokenizer_config\.json"):
        inspect(broken)


def test_pickles_are_refused(broken: Path) -> None:
    weights = next((broken / "unet").glob("*.safetensors"))
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match=r"no \.safetensors weights.*pickle"):
        inspect(broken)


def test_fp16_files_are_found(broken: Path) -> None:
    for part in ("unet", "vae", "text_encoder"):
        weights = next((broken / part).glob("*.safetensors"))
        weights.rename(weights.with_name(f"{weights.stem}.fp16.safetensors"))
    assert DiffusionModel.load(broken, device="cpu").dtype == torch.float32


@pytest.mark.parametrize(
    ("file", "values", "words"),
    [
        ("model_index.json", {"_class_name": "StableDiffusionXLPipeline"}, "Stable Diffusion XL"),
        ("model_index.json", {"_class_name": "FluxPipeline"}, "Flux"),
        ("unet/config.json", {"in_channels": 9}, "inpainting model"),
        ("unet/config.json", {"in_channels": 7}, "do not belong together"),
        ("unet/config.json", {"addition_embed_type": "text_time"}, "added inputs"),
    ],
)
def test_other_families_are_named(broken: Path, file: str, values: dict[str, object], words: str) -> None:
    edit_json(broken / file, **values)
    with pytest.raises(ModelError, match=words):
        inspect(broken)


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_damaged_weights_are_an_error(broken: Path, damage: str) -> None:
    weights = next((broken / "unet").glob("*.safetensors"))
    data = weights.read_bytes()
    weights.write_bytes({"cut": data[:-1], "garbage": b"\xff" * 1000, "empty": b""}[damage])
    with pytest.raises(ModelError, match="cannot be loaded"):
        DiffusionModel.load(broken, device="cpu")


def test_broken_json_is_named(broken: Path) -> None:
    (broken / "vae" / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"vae/config\.json cannot be read"):
        inspect(broken)


def test_device_and_dtype_names() -> None:
    with pytest.raises(ParameterError, match="device"):
        DiffusionModel.load(device="tpu")
    with pytest.raises(ParameterError, match="device"):
        DiffusionModel.load(device="cpu:x")
    with pytest.raises(ParameterError, match="dtype"):
        DiffusionModel.load(dtype="int8")  # type: ignore[arg-type]


def test_dropped_words_are_named(model: DiffusionModel) -> None:
    assert model.encode_text("a lake").dropped == ""
    long = "a lake and " * 40 + "a hidden castle"
    assert model.encode_text(long).dropped.endswith("castle")
    assert model.encode_text("").states.shape == model.encode_text(long).states.shape


def test_guide() -> None:
    cond, uncond = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(guide(cond, uncond, 0.0), uncond)
    assert torch.allclose(guide(cond, uncond, 1.0), cond, atol=1e-6)
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

    plain = uncond + 5 * (cond - uncond)
    assert torch.allclose(guide(cond, uncond, 5.0, 0.7), rescale_noise_cfg(plain, cond, 0.7), atol=1e-6)


def test_telemetry_is_off() -> None:
    code = "from overpaint.checkpoint import inspect; inspect('embedded'); import huggingface_hub.constants as c; "
    code += "assert c.HF_HUB_DISABLE_TELEMETRY"
    subprocess.run([sys.executable, "-c", code], check=True)
