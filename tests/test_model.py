"""Loading models: what loads, and what is said of what does not."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TinyCheckpoints
from safetensors.torch import load_file, save_file

from overpaint.checkpoint import embedded_folder, inspect, local_models
from overpaint.errors import ModelError, ParameterError
from overpaint.fingerprint import Fingerprint
from overpaint.model import DiffusionModel, guide

UNET = "unet/diffusion_pytorch_model.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"
WORDS = "text_encoder/model.safetensors"


def run_child(code: str, *arguments: object) -> Any:
    """What a fresh interpreter prints as JSON on its last line. It is not told to stay offline."""
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    words = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def edit_json(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def edit_weights(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}  # off the file that is written
    change(tensors)
    save_file(tensors, path, {"format": "pt"})


def test_embedded_is_an_ordinary_folder(model: DiffusionModel, tmp_path: Path) -> None:
    """The same files in another folder load by the same path and make the same numbers."""
    copy = Path(shutil.copytree(embedded_folder(), tmp_path / "copy"))
    other = DiffusionModel.load(copy, device="cpu", dtype="float32")
    x = torch.randn(1, model.channels, 8, 8, generator=torch.Generator().manual_seed(0))
    t = [500.0]
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
        "[presets.nothing]\nstrength = 0.5",
        "[presets.scene]\nrange = [0.6, 0.4]",
        "[presets.scene]\nrange = [0.2, 1.4]",
        "[presets.scene]\nrange = 0.4",
        "[presets.scene]\nstrength = 0.7\nrange = [0.4, 0.6]",
    ],
)
def test_a_bad_card_is_named(broken: Path, text: str) -> None:
    (broken / "overpaint.toml").write_text(text)
    with pytest.raises(ModelError, match=r"overpaint\.toml"):
        inspect(broken)


def test_missing_folder_and_single_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        inspect(tmp_path / "nothing")
    save_file({"model.diffusion_model.x": torch.zeros(1)}, tmp_path / "model.safetensors")
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
        ("unet/config.json", {"in_channels": 8}, "an InstructPix2Pix model"),
        ("unet/config.json", {"in_channels": 9}, r"conv_in\.weight has the shape \[32, 4, .*asks for \[32, 9\]"),
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


# ---- C05: numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.case("C05")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("file", [UNET, VAE, WORDS])
def test_weights_that_are_not_finite_are_refused(broken: Path, file: str, value: float) -> None:
    names = sorted(load_file(broken / file))
    edit_weights(broken / file, lambda tensors: tensors[names[7]].view(-1)[-1:].fill_(value))
    with pytest.raises(ModelError, match=rf"{file.split('/')[0]} .*{names[7]} has numbers that are not finite"):
        DiffusionModel.load(broken, device="cpu")


@pytest.mark.case("C05")
def test_large_weights_pass_where_they_fit(broken: Path) -> None:
    """Numbers whose sum overflows are fine; numbers that overflow in the asked dtype are not."""
    edit_weights(broken / UNET, lambda tensors: tensors["conv_in.bias"].fill_(3e38))
    assert DiffusionModel.load(broken, device="cpu").dtype == torch.float32
    with pytest.raises(ModelError, match=r"conv_in\.bias has numbers that are not finite in float16"):
        DiffusionModel.load(broken, device="cpu", dtype="float16")


# ---- C11, C12: in use, and offline -----------------------------------------------------------------------------------

USE = """
import json, os, socket, sys
from pathlib import Path
calls = []
def refuse(*arguments, **named):
    calls.append(repr(arguments)[:100])
    raise OSError("no network here")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse

from overpaint.errors import ModelError
from overpaint.model import DiffusionModel
try:
    DiffusionModel.load("nobody/nothing")
except ModelError as e:
    said = str(e)

import torch
folder = Path(sys.argv[1])
model = DiffusionModel.load(folder, device="cpu")
def numbers():
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    text = model.encode_text("a lake").states
    picture = x[:, :3].sigmoid()
    return [text, model.predict(x, [500.0], text), model.decode(x), *model.encode_picture(picture)]
before = numbers()
mapped = sys.platform == "linux" and str(folder) in Path("/proc/self/maps").read_text()
for file in folder.rglob("*.safetensors"):
    os.truncate(file, 0)
same = all(map(torch.equal, before, numbers()))
print(json.dumps({"calls": calls, "said": said, "mapped": mapped, "same": same}))
"""


@pytest.fixture(scope="module")
def used(tiny: TinyCheckpoints, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return run_child(USE, shutil.copytree(tiny("sd15"), tmp_path_factory.mktemp("used") / "model"))


@pytest.mark.case("C11")
def test_a_loaded_model_is_its_own_memory(used: Any) -> None:
    """All weight files are cut to nothing while the model is loaded: a window into a file would be a SIGBUS."""
    assert used["same"]
    assert not used["mapped"]


@pytest.mark.case("C12")
def test_nothing_reaches_for_the_network(used: Any) -> None:
    """Neither an unknown hub id nor a local folder, and nobody told the libraries to stay offline."""
    assert used["calls"] == []
    assert "nobody/nothing: no such folder, and not in the local cache" in used["said"]


@pytest.mark.case("C11")
def test_the_hash_is_what_sha256sum_says(broken: Path) -> None:
    tokenizer = sorted(p.name for p in (broken / "tokenizer").iterdir())
    names = [UNET, VAE, WORDS, "scheduler/scheduler_config.json", *(f"tokenizer/{name}" for name in tokenizer)]
    names += [f"{part}/config.json" for part in ("unet", "vae", "text_encoder")]
    lines = [f"{hashlib.sha256((broken / name).read_bytes()).hexdigest()}  {name}\n" for name in sorted(names)]
    first = DiffusionModel.load(broken, device="cpu").hash
    assert first == hashlib.sha256("".join(lines).encode()).hexdigest()
    for file in (
        "overpaint.toml",
        "README.md",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
    ):
        (broken / file).write_text("")
    edit_json(broken / "model_index.json", more=1)
    assert fingerprint(broken) == first
    hashes = {first}
    for name in names:
        before = (broken / name).read_bytes()
        (broken / name).write_bytes(before + b" ") if name.endswith("n") else edit_weights(broken / name, add_one)
        hashes.add(fingerprint(broken))
        (broken / name).write_bytes(before)
    assert len(hashes) == len(names) + 1
    assert fingerprint(broken) == first


def add_one(tensors: dict[str, torch.Tensor]) -> None:
    tensors[min(tensors)] += 1


def fingerprint(folder: Path) -> str:
    with Fingerprint(folder, inspect(folder).files) as made:
        return made.result()


@pytest.mark.case("C11")
@pytest.mark.parametrize("change", ["touched", "replaced", "removed"])
def test_files_that_change_while_they_are_read(broken: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    def change_a_file(*_: object) -> Any:
        file = broken / VAE
        if change == "touched":
            os.utime(file, ns=(0, 0))
        elif change == "replaced":
            shutil.copy2(file, broken / "copy")
            os.replace(broken / "copy", file)
        else:
            file.unlink()
        return noise(checkpoint)

    from overpaint.model_loading import training_noise as noise

    checkpoint = inspect(broken)
    monkeypatch.setattr("overpaint.model.training_noise", change_a_file)
    with pytest.raises(ModelError, match=f"{VAE} changed while it was being read"):
        DiffusionModel.load(broken, device="cpu")


# ---- what a result was made with -------------------------------------------------------------------------------------


def test_made_with(model: DiffusionModel, monkeypatch: pytest.MonkeyPatch) -> None:
    import PIL

    made = model.made_with
    libraries = ["torch", "diffusers", "transformers", "numpy", "pillow", "opencv"]
    assert list(made) == ["device", "dtype", "rows", "threads", *libraries]
    assert made["device"] == f"cpu {torch.backends.cpu.get_cpu_capability()}"
    assert (made["dtype"], made["rows"], made["torch"], made["pillow"]) == (
        "float32",
        [2],
        torch.__version__,
        PIL.__version__,
    )
    assert json.loads(json.dumps(made)) == made
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    assert model.made_with["threads"] == 7
    assert len(model.hash) == 64
    assert model.notes == ()


def test_the_embedded_model_is_hashed_as_any(model: DiffusionModel) -> None:
    assert model.hash == fingerprint(embedded_folder())


@pytest.mark.case("S16")
def test_a_vae_that_overflows_in_half_precision_decodes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    half = DiffusionModel.load("embedded", device="cpu", dtype="bfloat16")
    vae = half._codec._vae
    decode, tried = vae.decode, []

    def overflowing(z: torch.Tensor) -> Any:
        tried.append(z.dtype)
        out = decode(z)
        if z.dtype == torch.bfloat16:
            out.sample[0, 0, 0, 0] = torch.inf
        return out

    monkeypatch.setattr(vae, "decode", overflowing)
    z0 = torch.randn(1, half.channels, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(half.decode(z0)).all()
    assert tried == [torch.bfloat16, torch.float32]
    assert vae.dtype == torch.bfloat16  # as before
