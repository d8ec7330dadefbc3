"""Captions by BLIP, on a tiny random checkpoint: transformers' own, or an error that says what is wrong."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import EXAMPLES, random_picture
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from overpaint.cli.app import app
from overpaint.decode import load
from overpaint.errors import ImageError, ModelError
from overpaint.model_blip import BLIP, caption_by_blip

RUN = CliRunner()
SIDE_OF_BLIP = 32


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BLIP with 14 words."""
    from transformers import BertTokenizerFast, BlipConfig, BlipForConditionalGeneration, BlipImageProcessorPil

    from overpaint.model_loading import quiet_libraries

    folder = tmp_path_factory.mktemp("blip")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]
    words += ["a", "the", "lake", "castle", "night", "of", "with", "mountain"]
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(0)
    small = {
        "hidden_size": 32, "intermediate_size": 64, "projection_dim": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "initializer_range": 0.5,
    }  # fmt: skip
    tokens = {"bos_token_id": 5, "eos_token_id": 3, "pad_token_id": 0, "sep_token_id": 3}
    text = {"vocab_size": len(words), "encoder_hidden_size": 32, "max_position_embeddings": 64}
    vision = {"image_size": SIDE_OF_BLIP, "patch_size": 8}
    config = BlipConfig(
        text_config=small | text | tokens, vision_config=small | vision, projection_dim=16, image_text_hidden_size=16
    )
    square = {"height": SIDE_OF_BLIP, "width": SIDE_OF_BLIP}
    with quiet_libraries():
        BlipForConditionalGeneration(config).save_pretrained(folder)
        BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
        BlipImageProcessorPil(size=square).save_pretrained(folder)
    return folder


def test_the_caption_is_transformers_own(blip: Path) -> None:
    """As its documentation has it, on pictures of several sizes; another picture has another caption."""
    from transformers import BertTokenizerFast, BlipForConditionalGeneration, BlipImageProcessorPil

    network: Any = BlipForConditionalGeneration.from_pretrained(blip).eval()
    processor, tokenizer = BlipImageProcessorPil.from_pretrained(blip), BertTokenizerFast.from_pretrained(blip)
    captions = []
    for i, (w, h) in enumerate([(60, 40), (40, 60), (3, 3), (200, 150)]):
        picture = random_picture(w, h, seed=i)
        inputs = processor(picture, input_data_format="channels_last", return_tensors="pt")
        with torch.inference_mode():
            tokens = network.generate(**inputs, max_new_tokens=40, do_sample=False)
        captions.append(caption_by_blip(picture, blip))
        assert captions[-1] == " ".join(tokenizer.decode(tokens[0], skip_special_tokens=True).split())
    assert len(set(captions)) > 1


def test_blip_as_a_command(blip: Path) -> None:
    photo = EXAMPLES / "castle.jpg"
    done = RUN.invoke(app, ["describe", str(photo), "--with", str(blip)])
    assert done.exit_code == 0
    assert done.stdout.replace("\n", " ").strip() == caption_by_blip(load(photo), blip)
    assert done.stderr == ""
    done = RUN.invoke(app, ["describe", str(photo), "--with", str(blip), "--json"])
    assert json.loads(done.stdout) == {"input": str(photo), "prompt": caption_by_blip(photo, blip), "by": str(blip)}


def test_blip_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    done = RUN.invoke(app, ["describe", str(EXAMPLES / "castle.jpg"), "--with", "blip"])
    assert done.exit_code == 3
    assert f"{BLIP}: no such folder, and not in the local cache" in done.stderr
    assert f"`hf download {BLIP} config.json" in done.stderr


def test_broken_blips(blip: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(blip, tmp_path / "broken"))
    weights, config = broken / "model.safetensors", broken / "config.json"
    picture, was, told = random_picture(9, 9), weights.read_bytes(), config.read_text()

    def refused(match: str) -> None:
        with pytest.raises(ModelError, match=match):
            caption_by_blip(picture, broken)
        weights.write_bytes(was)
        config.write_text(told)

    weights.write_bytes(was[:-100])
    refused("incomplete: 100 bytes are missing")
    config.write_text('{"model_type": "clip"}')
    refused("is no BLIP: its config.json has the model_type 'clip'")
    config.write_text(told.replace('"image_size": 32', '"image_size": 64'))
    refused("has the shape|makes no pictures of 64 pixels")
    tensors = load_file(weights)
    name = "vision_model.post_layernorm.weight"
    save_file({k: v for k, v in tensors.items() if k != name}, weights, {"format": "pt"})
    refused(f"its weights lack {name}")
    save_file(tensors | {name: torch.full((32,), torch.nan)}, weights, {"format": "pt"})
    refused("not finite")
    weights.rename(broken / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no \.safetensors weights, and nothing else is read"):
        caption_by_blip(picture, broken)
    (broken / "vocab.txt").unlink()
    (broken / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"missing tokenizer\.json"):
        caption_by_blip(picture, broken)


def test_too_narrow_for_blip(blip: Path) -> None:
    with pytest.raises(ImageError, match="200 x 1: too narrow for BLIP"):
        caption_by_blip(random_picture(200, 1), blip)
