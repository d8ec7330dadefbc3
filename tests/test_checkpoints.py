"""Checkpoints that are missing, damaged, of another kind, hostile, or changed while in use (faults.md, C01 to C10)."""

import json
import os
import pickle
import random
import resource
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_model import UNET, VAE, WORDS, edit_json, edit_weights, run_child

from overpaint.checkpoint import inspect
from overpaint.errors import ModelError
from overpaint.model import DiffusionModel
from overpaint.weights import kind_of, read_header

F32 = {"dtype": "F32"}
TWO = {"a": {**F32, "shape": [2], "data_offsets": [0, 8]}, "b": {**F32, "shape": [1], "data_offsets": [8, 12]}}


def safetensors_bytes(header: object, body: bytes = bytes(12)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


# ---- C01, C08: said early, and cheaply -------------------------------------------------------------------------------

LOOK_AT_EACH = """
import json, os, resource, sys
from overpaint.checkpoint import inspect
from overpaint.errors import ModelError
from overpaint.weights import read_header
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
said = []
for model in sys.argv[1:]:
    if model == "--as-nobody":
        os.getuid() == 0 and os.setuid(65534)  # root reads everything
        continue
    try:
        inspect(model)
    except ModelError as e:
        said.append(str(e))
        code = e.exit_code
heavy = [m for m in ("torch", "diffusers", "transformers") if m in sys.modules]
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"said": said, "code": code, "heavy": heavy, "grown": grown}))
"""


@pytest.mark.case("C01", "C02", "C04", "C08")
def test_faults_are_found_before_torch_and_in_flat_memory(broken: Path, tmp_path: Path) -> None:
    empty, other, link, gone = (tmp_path / name for name in ("empty", "other", "link", "gone"))
    empty.mkdir()
    other.mkdir()
    (other / "notes.txt").write_text("x")
    link.symlink_to(gone)
    halved, huge, closed = (Path(shutil.copytree(broken, tmp_path / name)) for name in ("halved", "huge", "closed"))
    os.truncate(halved / UNET, 100_000)
    (huge / UNET).write_bytes(struct.pack("<Q", 2**63) + bytes(100))
    bomb = tmp_path / "bomb.pt"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data.pkl", bytes(200_000_000))
    shutil.rmtree(broken / "vae")
    (broken / "vae").write_text("a file in place of a folder")
    closed.chmod(0)
    models = [gone, empty, other, link, halved, huge, bomb, broken]
    answer = run_child(LOOK_AT_EACH, *models, "--as-nobody", closed)
    closed.chmod(0o700)
    assert len(answer["said"]) == len(models) + 1
    for path, words in zip([*models, closed], answer["said"], strict=True):
        assert str(path) in words
        assert "\n" not in words
    parts = ["no such folder", "is empty", "no model_index.json", "a link to", "incomplete", "header has", "a pickle"]
    for part, words in zip(parts, answer["said"], strict=False):
        assert part in words
    assert answer["heavy"] == []
    assert answer["code"] == 3
    assert answer["grown"] < 20_000  # kB


# ---- C02, C03, C04: headers ------------------------------------------------------------------------------------------


def entry(**changes: object) -> dict[str, Any]:
    return {**TWO, "b": {**TWO["b"], **changes}}


HEADERS = {
    "nothing": (b"", "incomplete.*empty"),
    "seven bytes": (b"1234567", "incomplete.*7 bytes"),
    "length 0": (struct.pack("<Q", 0) + bytes(12), "header is not JSON"),
    "length 7": (struct.pack("<Q", 7) + b"x" * 20, "header is not JSON"),
    "length 2^63": (struct.pack("<Q", 2**63) + bytes(12), "100000000 are the most"),
    "length > 100 MB": (struct.pack("<Q", 100_000_001) + bytes(12), "100000000 are the most"),
    "length > file": (struct.pack("<Q", 1000) + bytes(12), "incomplete.*header has 1000 bytes"),
    "not UTF-8": (safetensors_bytes(b'{"\xff": 1}'), "not UTF-8"),
    "not JSON": (safetensors_bytes(b'{"a": }'), "not JSON"),
    "a list": (safetensors_bytes([1]), "holds list"),
    "a name twice": (safetensors_bytes(json.dumps(TWO).replace('"b"', '"a"').encode()), "'a' is listed 2 times"),
    "the same twice": (
        safetensors_bytes(b'{"a":%s,"a":%s}' % ((json.dumps(TWO["a"]).encode(),) * 2), bytes(8)),
        "'a' is listed 2 times",
    ),
    "overlap": (safetensors_bytes(entry(shape=[2], data_offsets=[4, 12])), "'b' overlaps"),
    "hole": (safetensors_bytes(entry(data_offsets=[12, 16]), bytes(16)), "'b' has a hole before it"),
    "shape": (safetensors_bytes(entry(shape=[2])), r"'b' has 4 bytes.*\[2\] takes 8"),
    "dtype": (safetensors_bytes(entry(dtype="F16")), "'b' has 4 bytes.*takes 2"),
    "overflow": (safetensors_bytes(entry(shape=[2**40, 2**40])), "'b' has 4 bytes"),
    "beyond 64 bits": (safetensors_bytes(entry(shape=[2**70])), "'b' has 4 bytes"),
    "negative": (safetensors_bytes(entry(shape=[-1])), "'b' has no dtype, shape"),
    "backwards": (safetensors_bytes(entry(data_offsets=[12, 8])), "'b' has -4 bytes"),
    "unknown dtype": (safetensors_bytes(entry(dtype="Q32")), "'b' has no dtype, shape"),
    "no shape": (safetensors_bytes({"b": {"dtype": "F32", "data_offsets": [0, 12]}}), "'b' has no dtype, shape"),
    "many dimensions": (safetensors_bytes(entry(shape=[1] * 10_000 + [2])), "'b' has no dtype, shape"),
    "cut": (safetensors_bytes(TWO, bytes(11)), "incomplete: 1 bytes are missing"),
    "grown": (safetensors_bytes(TWO, bytes(13)), "1 bytes longer than its header says"),
    "a web page": (b"<!DOCTYPE html><html><body>Not found", "web page"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS pointer"),
}


@pytest.mark.case("C02", "C03", "C04")
@pytest.mark.parametrize(("data", "words"), HEADERS.values(), ids=HEADERS)
def test_damaged_headers_are_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=rf"model\.safetensors cannot be loaded: it .*{words}"):
        read_header(path)


@pytest.mark.case("C03")
def test_whole_headers_pass(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for text in (json.dumps(TWO), "  " + json.dumps(TWO), json.dumps({**TWO, "__metadata__": {"format": "pt"}}) + "  "):
        path.write_bytes(safetensors_bytes(text.encode()))
        assert read_header(path) == {"a": (2,), "b": (1,)}


@pytest.mark.case("C02", "C03", "C04")
def test_any_damage_ends_in_an_error_or_a_header(tmp_path: Path) -> None:
    chance, path = random.Random(0), tmp_path / "model.safetensors"
    whole = safetensors_bytes({**TWO, "__metadata__": {"format": "pt"}})
    refused = 0
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 2, 10))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            read_header(path)
        except ModelError:
            refused += 1
    assert refused > 300


@pytest.mark.case("C04")
@pytest.mark.parametrize("file", [UNET, VAE, WORDS])
@pytest.mark.parametrize(("change", "words"), [(-1, "incomplete"), (1, "longer than its header")])
def test_every_file_of_weights_is_checked(broken: Path, file: str, change: int, words: str) -> None:
    data = (broken / file).read_bytes()
    (broken / file).write_bytes(data[:change] if change < 0 else data + b"x")
    with pytest.raises(ModelError, match=rf"{file} cannot be loaded: .*{words}"):
        inspect(broken)


def split_in_two(folder: Path) -> Path:
    """The UNet's weights as two shards and an index, which is returned."""
    whole = folder / UNET
    tensors = load_file(whole)
    whole.unlink()
    names = sorted(tensors)
    listed: dict[str, str] = {}
    for number, part in enumerate((names[:50], names[50:]), 1):
        shard = f"diffusion_pytorch_model-0000{number}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, whole.with_name(shard), {"format": "pt"})
        listed |= dict.fromkeys(part, shard)
    index = whole.with_name("diffusion_pytorch_model.safetensors.index.json")
    index.write_text(json.dumps({"metadata": {}, "weight_map": listed}))
    return index


@pytest.mark.case("C04")
def test_shards(broken: Path) -> None:
    whole = (broken / UNET).read_bytes()
    index = split_in_two(broken)
    listed = json.loads(index.read_text())["weight_map"]
    assert DiffusionModel.load(broken, device="cpu").notes == ()
    outside = {**listed, "conv_in.bias": "../../elsewhere.safetensors"}
    for weight_map, words in (
        (outside, "elsewhere.*beside it"),
        ({**listed, "conv_in.bias": max(listed.values())}, r"do not agree.*conv_in\.bias"),
        ({**listed, "never": max(listed.values())}, "do not agree.*never"),
        ({k: v for k, v in listed.items() if k != "conv_in.bias"}, r"do not agree.*conv_in\.bias"),
        ([1], "no weight_map"),
    ):
        edit_json(index, weight_map=weight_map)
        with pytest.raises(ModelError, match=words):
            inspect(broken)
    edit_json(index, weight_map=listed)
    second = index.with_name(max(listed.values()))
    os.truncate(second, second.stat().st_size - 1)
    with pytest.raises(ModelError, match=rf"{second.name} .*incomplete"):
        inspect(broken)
    second.unlink()
    with pytest.raises(ModelError, match=rf"incomplete: {second.name} is missing"):
        inspect(broken)
    (broken / UNET).write_bytes(whole)
    with pytest.raises(ModelError, match="holds both"):
        inspect(broken)


# ---- C06: of another kind --------------------------------------------------------------------------------------------

FIRST = "model.diffusion_model.input_blocks.0.0.weight"
SD = {FIRST: (320, 4, 3, 3), "first_stage_model.x": (1,), "cond_stage_model.x": (1,)}
KINDS = [
    (SD, r"a Stable Diffusion 1\.x or 2\.x checkpoint\. .*from_single_file"),
    ({FIRST: (320, 4, 3, 3)}, r"a Stable Diffusion 1\.x or 2\.x checkpoint without VAE and text encoder"),
    ({**SD, FIRST: (320, 9, 3, 3)}, r"an inpainting checkpoint .*StableDiffusionInpaintPipeline\.from_single_file"),
    ({**SD, FIRST: (320, 8, 3, 3)}, "an InstructPix2Pix checkpoint"),
    ({**SD, "conditioner.embedders.1.model.x": (1,)}, "a Stable Diffusion XL checkpoint"),
    ({"lora_unet_down_blocks_0.lora_down.weight": (4, 320)}, "a LoRA"),
    ({"unet.down_blocks.0.attn1.to_q.lora_A.weight": (4, 320)}, "a LoRA"),
    ({"controlnet_cond_embedding.conv_in.weight": (1,), "time_embedding.linear_1.weight": (1,)}, "a ControlNet"),
    ({"encoder.conv_in.weight": (128, 3, 3, 3), "decoder.conv_in.weight": (512, 4, 3, 3)}, "a VAE alone"),
    ({"text_model.embeddings.token_embedding.weight": (49408, 768)}, "a text encoder alone"),
    ({"time_embedding.linear_1.weight": (1280, 320)}, "a UNet alone"),
    ({"what": (1,)}, "of an unknown kind.*'what'"),
]


@pytest.mark.case("C06")
@pytest.mark.parametrize(("shapes", "words"), KINDS)
def test_single_files_are_named(tmp_path: Path, shapes: dict[str, tuple[int, ...]], words: str) -> None:
    path = tmp_path / "file.safetensors"
    save_file({name: torch.zeros(shape, dtype=torch.uint8) for name, shape in shapes.items()}, path)
    with pytest.raises(ModelError, match=rf"file\.safetensors is a single file: {words}"):
        inspect(path)
    with pytest.raises(ModelError, match=r"no model_index\.json.*file\.safetensors"):
        inspect(tmp_path)
    assert len(kind_of(shapes)) < 200


@pytest.mark.case("C06")
@pytest.mark.parametrize(
    ("file", "tensor"),
    [
        (UNET, "conv_out.bias"),
        (UNET, "conv_in.weight"),
        (VAE, "decoder.conv_out.bias"),
        (WORDS, "final_layer_norm.bias"),
    ],
)
def test_missing_tensors_are_refused(broken: Path, file: str, tensor: str) -> None:
    edit_weights(broken / file, lambda tensors: tensors.pop(tensor))
    with pytest.raises(ModelError, match=rf"{file.split('/')[0]} .*{tensor}"):
        DiffusionModel.load(broken, device="cpu")


@pytest.mark.case("C06")
@pytest.mark.parametrize(
    ("file", "tensor"), [(UNET, "conv_out.bias"), (VAE, "decoder.conv_out.bias"), (WORDS, "final_layer_norm.bias")]
)
def test_tensors_of_another_shape_are_refused(broken: Path, file: str, tensor: str) -> None:
    edit_weights(broken / file, lambda tensors: tensors.update({tensor: torch.zeros(7)}))
    with pytest.raises(ModelError, match=rf"{file.split('/')[0]} .*{tensor} has the shape \[7\]"):
        DiffusionModel.load(broken, device="cpu")


@pytest.mark.case("C06")
def test_extra_tensors_are_noted(broken: Path) -> None:
    edit_weights(broken / UNET, lambda tensors: tensors.update({f"x{i}": torch.zeros(1) for i in range(7)}))
    edit_weights(broken / VAE, lambda tensors: tensors.update(loss=torch.zeros(1)))

    def as_of_old(tensors: dict[str, torch.Tensor]) -> None:
        for name in list(tensors):
            tensors[f"text_model.{name}"] = tensors.pop(name)
        tensors["text_model.embeddings.position_ids"] = torch.arange(64)[None]

    edit_weights(broken / WORDS, as_of_old)
    assert DiffusionModel.load(broken, device="cpu").notes == (
        "unet: 7 tensors are not used by this network: x0, x1, x2, x3, x4, ...",
        "vae: 1 tensor is not used by this network: loss",
    )


@pytest.mark.case("C06")
def test_weights_of_another_kind_in_a_folder(broken: Path) -> None:
    save_file({"lora_unet_x.lora_down.weight": torch.zeros(4, 4)}, broken / UNET)
    with pytest.raises(ModelError, match=r"unet has no tensor conv_in\.weight.*a LoRA"):
        inspect(broken)
    shutil.copy(broken / VAE, broken / UNET)
    with pytest.raises(ModelError, match=r"unet has no tensor conv_in\.weight.*a VAE alone"):
        inspect(broken)


# ---- C07, C08, C09: nothing is run -----------------------------------------------------------------------------------


class Trap:
    """A pickle that touches a file when it is opened."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.sentinel), "w"))


@pytest.mark.case("C07")
def test_pickles_are_never_opened(broken: Path, tmp_path: Path) -> None:
    sentinel, plain, zipped = (tmp_path / name for name in ("sentinel", "plain", "zipped"))
    plain.write_bytes(pickle.dumps(Trap(sentinel)))
    torch.save(Trap(sentinel), zipped)
    pickle.loads(plain.read_bytes()).close()
    assert sentinel.exists()  # the trap works
    sentinel.unlink()
    for trap in (plain, zipped):
        for suffix in (".ckpt", ".pt", ".bin", ".pth"):
            with pytest.raises(ModelError, match=r"is a single file: a pickle.*not opened"):
                DiffusionModel.load(Path(shutil.copy(trap, tmp_path / f"model{suffix}")))
        renamed = Path(shutil.copy(trap, tmp_path / "model.safetensors"))
        for model in (renamed, broken):
            shutil.copy(trap, broken / UNET)
            with pytest.raises(ModelError, match=r"is a (pickle|zip file).*not safetensors"):
                DiffusionModel.load(model)
        (broken / UNET).unlink()
        shutil.copy(trap, broken / UNET.replace(".safetensors", ".bin"))
        with pytest.raises(ModelError, match=r"no \.safetensors weights.*a pickle"):
            DiffusionModel.load(broken)
    assert not sentinel.exists()


@pytest.mark.case("C09")
def test_code_of_a_folder_is_never_imported(broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentinel = tmp_path / "sentinel"
    code = f"open({str(sentinel)!r}, 'w').close()\nclass Thing: pass\n"
    for folder in (broken, *(p for p in broken.iterdir() if p.is_dir())):
        for name in ("evil", "pipeline", "modeling_evil", folder.name):
            (folder / f"{name}.py").write_text(code)
    remote = {"auto_map": {"AutoModel": "evil.Thing", "AutoTokenizer": ["evil.Thing", None]}, "trust_remote_code": True}
    for file in ("unet/config.json", "vae/config.json", "text_encoder/config.json", "tokenizer/tokenizer_config.json"):
        edit_json(broken / file, **remote)
    edit_json(
        broken / "model_index.json", _class_name=["evil", "Thing"], custom_pipeline="pipeline", unet=["evil", "Thing"]
    )
    edit_json(broken / "scheduler" / "scheduler_config.json", _class_name="evil.Thing", **remote)
    monkeypatch.chdir(broken)
    monkeypatch.syspath_prepend(str(broken))
    assert DiffusionModel.load(broken, device="cpu").encode_text("a lake").states.isfinite().all()
    for file, values in (
        ("unet/config.json", {"_class_name": "evil.Thing"}),
        ("vae/config.json", {"_class_name": ["evil", "Thing"]}),
        ("text_encoder/config.json", {"model_type": "evil"}),
    ):
        before = (broken / file).read_text()
        edit_json(broken / file, **values)
        with pytest.raises(ModelError, match=rf"{file}: .*evil.*, must be "):
            DiffusionModel.load(broken, device="cpu")
        (broken / file).write_text(before)
    assert not sentinel.exists()


@pytest.mark.case("C09")
@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("text_encoder/adapter_config.json", "adapter_config"),
        ("text_encoder/shard-00001-model-00001-of-00001.safetensors", "shard-00001"),
        ("unet/diffusion_pytorch_model.safetensors.fp16.index.json", "index"),
    ],
)
def test_files_that_lead_the_libraries_elsewhere_are_refused(broken: Path, file: str, words: str) -> None:
    (broken / file).write_text('{"base_model_name_or_path": "../elsewhere"}')
    with pytest.raises(ModelError, match=rf"{words}.*not supported"):
        inspect(broken)


# ---- C10: configs ----------------------------------------------------------------------------------------------------


@pytest.mark.case("C10")
@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("unet/config.json", {"block_out_channels": [10**9, 10**9]}),
        ("unet/config.json", {"block_out_channels": [2**20, 2**20]}),
        ("unet/config.json", {"block_out_channels": [32, 2**20]}),
        ("unet/config.json", {"block_out_channels": [32, 4096]}),
        ("unet/config.json", {"block_out_channels": [32, 64, 64]}),
        ("unet/config.json", {"time_embedding_dim": 2**13}),
        ("vae/config.json", {"block_out_channels": [16, 4096, 32]}),
        ("unet/config.json", {"block_out_channels": "32"}),
        ("unet/config.json", {"block_out_channels": []}),
        ("unet/config.json", {"block_out_channels": [32] * 65}),
        ("unet/config.json", {"layers_per_block": 10**6}),
        ("unet/config.json", {"layers_per_block": [1, 1000]}),
        ("unet/config.json", {"transformer_layers_per_block": [[1000], 1]}),
        ("unet/config.json", {"conv_in_kernel": 2**20}),
        ("unet/config.json", {"conv_in_kernel": "3"}),
        ("unet/config.json", {"down_block_types": "DownBlock2D"}),
        ("unet/config.json", {"down_block_types": ["Evil"] * 2}),
        ("unet/config.json", {"in_channels": "4"}),
        ("unet/config.json", {"in_channels": None}),
        ("unet/config.json", {"norm_num_groups": 0}),
        ("unet/config.json", {"time_embedding_dim": 2**40}),
        ("unet/config.json", {"quantization_config": {"quant_method": "bitsandbytes"}}),
        ("vae/config.json", {"latent_channels": True}),
        ("vae/config.json", {"block_out_channels": [16, -32]}),
        ("vae/config.json", {"layers_per_block": 2**20}),
        ("vae/config.json", {"scaling_factor": float("nan")}),
        ("vae/config.json", {"scaling_factor": "0.18"}),
        ("text_encoder/config.json", {"num_hidden_layers": 10**6}),
        ("text_encoder/config.json", {"hidden_size": 2**20}),
        ("text_encoder/config.json", {"intermediate_size": 2**20}),
        ("text_encoder/config.json", {"vocab_size": 2**20}),
        ("text_encoder/config.json", {"max_position_embeddings": 2**20}),
        ("text_encoder/config.json", {"num_attention_heads": 0}),
        ("text_encoder/config.json", {"transformers_weights": "../vae/diffusion_pytorch_model.safetensors"}),
        ("text_encoder/config.json", {"eos_token_id": []}),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 10**9}),
        ("scheduler/scheduler_config.json", {"prediction_type": "guess"}),
        ("scheduler/scheduler_config.json", {"beta_schedule": "guess"}),
        ("tokenizer/tokenizer_config.json", {"model_max_length": "64"}),
        ("tokenizer/tokenizer_config.json", {"model_max_length": -1}),
    ],
)
def test_absurd_configs_are_refused(broken: Path, file: str, values: dict[str, object]) -> None:
    edit_json(broken / file, **values)
    peak = max_rss()
    with pytest.raises(ModelError, match=str(broken)) as refused:
        DiffusionModel.load(broken, device="cpu")
    assert len(str(refused.value)) < 1000
    assert max_rss() - peak < 100_000  # kB


def max_rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.case("C10")
@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[" * 900 + "]" * 900, '{"a": ' * 900 + "1" + "}" * 900, "\xff", "1" * 5000, ""]
)
def test_json_that_is_no_config(broken: Path, text: str) -> None:
    (broken / "unet" / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelError):
        inspect(broken)


@pytest.mark.case("C10")
def test_long_json_is_refused(broken: Path) -> None:
    (broken / "unet" / "config.json").write_text("{" + " " * 2**24 + "}")
    with pytest.raises(ModelError, match="more than 16777216 bytes"):
        inspect(broken)


@pytest.mark.case("C10")
def test_a_tokenizer_without_a_length_takes_the_encoders(broken: Path) -> None:
    tokens = DiffusionModel.load(broken, device="cpu").encode_text("a lake").states
    edit_json(broken / "tokenizer" / "tokenizer_config.json", model_max_length=10**30)
    assert torch.equal(DiffusionModel.load(broken, device="cpu").encode_text("a lake").states, tokens)
