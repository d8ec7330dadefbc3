"""Smart select by SAM: the same masks as transformers' own, on tiny random weights; what is absent is told by name."""

import json
import shutil
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import random_picture
from safetensors.torch import load_file, save_file

from overpaint.decode import load
from overpaint.errors import ImageError, ModelError, ParameterError
from overpaint.maps import select
from overpaint.maps.toolbox import TOOLS, apply_tool
from overpaint.model_sam import SAM, SAM_TOOL, Sam, select_by_sam
from overpaint.picture import Picture, Pixels

SIDE = 64  # of what the tiny SAM sees
PICTURE = load(random_picture(61, 47, seed=3))
POINTS, KEEP = [(10, 10), (30.5, 20.25)], [(50, 40)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_sam(tmp_path_factory.mktemp("sam") / "tiny")


@pytest.fixture(scope="module")
def sam(folder: Path) -> Sam:
    return Sam.load(folder)


@pytest.fixture
def broken(folder: Path, tmp_path: Path) -> Path:
    """A copy, for breaking."""
    return Path(shutil.copytree(folder, tmp_path / "broken"))


def save_tiny_sam(folder: Path, seed: int = 0) -> Path:
    from transformers import SamConfig, SamImageProcessorPil, SamModel

    torch.manual_seed(seed)
    width = 16
    vision = {
        "hidden_size": 32, "output_channels": width, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 64,
        "image_size": SIDE, "patch_size": 8, "window_size": 4, "global_attn_indexes": [1], "num_pos_feats": width // 2,
    }  # fmt: skip
    prompt = {"hidden_size": width, "image_size": SIDE, "patch_size": 8, "mask_input_channels": 4}
    decoder = {"hidden_size": width, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16}
    network = SamModel(
        SamConfig(
            vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder, initializer_range=0.2
        )
    )
    network.save_pretrained(folder)
    square = {"height": SIDE, "width": SIDE}
    SamImageProcessorPil(size={"longest_edge": SIDE}, pad_size=square).save_pretrained(folder)
    return folder


@cache
def their_model(folder: Path) -> Any:
    from transformers import SamModel

    return SamModel.from_pretrained(folder).eval()


def theirs(folder: Path, picture: Picture, points: Any, keep: Any) -> tuple[Pixels, Pixels]:
    """(scores [3], masks bool [3, h, w]) as transformers' documentation has it."""
    from transformers import SamImageProcessorPil, SamProcessor

    processor = SamProcessor(SamImageProcessorPil.from_pretrained(folder))
    inputs = processor(
        picture.rgb,
        input_points=[[list(p) for p in (*points, *keep)]],
        input_labels=[[1] * len(points) + [0] * len(keep)],
        input_data_format="channels_last",
        return_tensors="pt",
    )
    sizes = inputs["original_sizes"], inputs["reshaped_input_sizes"]
    with torch.inference_mode():
        out = their_model(folder)(**inputs)
    return out.iou_scores[0, 0].numpy(), processor.post_process_masks(out.pred_masks, *sizes)[0][0].numpy()


# ---- the masks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(61, 47), (47, 61), (64, 64), (200, 30), (5, 3), (1, 1)])
@pytest.mark.parametrize("keep", [[], [(0, 0)]])
def test_the_mask_is_transformers_own(
    folder: Path, sam: Sam, size: tuple[int, int], keep: list[tuple[int, int]]
) -> None:
    """The best of the three by predicted IoU, pixel by pixel, at the picture's size."""
    picture = load(random_picture(*size, seed=size[0]))
    points = [(size[0] - 1, size[1] - 1), (size[0] * 0.3, size[1] * 0.6)]
    scores, masks = theirs(folder, picture, points, keep)
    found = sam(picture, points, keep)
    assert found.dtype == bool
    assert found.shape == size[::-1]
    assert np.array_equal(found, masks[scores.argmax()])


def test_the_masks_that_are_compared_differ(tmp_path: Path, folder: Path, sam: Sam) -> None:
    """Negative control: another of the three, another point, another label or other weights would show."""
    scores, masks = theirs(folder, PICTURE, POINTS, KEEP)
    found = sam(PICTURE, POINTS, KEEP)
    assert [np.array_equal(found, mask) for mask in masks] == [i == scores.argmax() for i in range(3)]
    moved = [(5, 40), POINTS[1]]
    assert theirs(folder, PICTURE, moved, KEEP)[0].argmax() != scores.argmax()
    assert not np.array_equal(found, sam(PICTURE, moved, KEEP))
    assert not np.array_equal(found, sam(PICTURE, [*POINTS, *KEEP], []))
    assert not np.array_equal(found, Sam.load(save_tiny_sam(tmp_path / "other", seed=1))(PICTURE, POINTS, KEEP))


def test_a_picture_is_looked_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clicks on one picture share its embedding; another picture of the same size does not get it."""
    sam, other = Sam.load(folder), load(random_picture(61, 47, seed=4))
    looks: list[Any] = []
    look = sam._network.get_image_embeddings
    monkeypatch.setattr(sam._network, "get_image_embeddings", lambda x: looks.append(x) or look(x))
    found = [sam(p, POINTS, KEEP) for p in (PICTURE, PICTURE, other, PICTURE)]
    assert len(looks) == 3
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[3])
    assert np.array_equal(found[2], Sam.load(folder)(other, POINTS, KEEP))


def test_select_holds_the_points(folder: Path, sam: Sam) -> None:
    """What ``select`` promises holds by SAM too; the rest is SAM's mask."""
    m = select_by_sam(PICTURE, POINTS, KEEP, folder)
    assert m.dtype == np.float32
    assert (m[10, 10], m[20, 31], m[40, 50]) == (1, 1, 0)
    expected = sam(PICTURE, POINTS, KEEP).astype(np.float32)
    expected[10, 10], expected[20, 31], expected[40, 50] = 1, 1, 0
    assert np.array_equal(m, expected)
    assert np.array_equal(m, select(PICTURE, POINTS, keep=KEEP, method=sam))


def test_transparency_is_seen_over_white_and_16_bits_as_8(sam: Sam) -> None:
    rgb = random_picture(61, 47, seed=3)
    clear = np.dstack([rgb, np.zeros((47, 61), np.uint8)])
    assert np.array_equal(sam(load(clear), POINTS, KEEP), sam(load(np.full_like(rgb, 255)), POINTS, KEEP))
    assert np.array_equal(sam(load(rgb.astype(np.uint16) * 257), POINTS, KEEP), sam(load(rgb), POINTS, KEEP))


def test_as_a_map_tool(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside ``TOOLS``, which maps know; it joins what the others make."""
    monkeypatch.setattr("overpaint.model_seer.Kind.folder_of", lambda _, model: folder if model == SAM else None)
    tools = (*TOOLS, SAM_TOOL)
    found = select_by_sam(PICTURE, [(10, 10), (30.5, 20.25)])
    assert np.array_equal(apply_tool(None, PICTURE, "sam:10,10,30.5,20.25", tools), found)
    white = np.ones((47, 61), np.float32)
    assert np.array_equal(apply_tool(white, PICTURE, "without:sam:10,10,30.5,20.25", tools), 1 - found)
    with pytest.raises(ParameterError, match=r"of the form sam:x,y\[,x,y\.\.\.\]"):
        apply_tool(None, PICTURE, "sam:1,2,3", tools)
    with pytest.raises(ParameterError, match="'sam:1,2' is unknown"):
        apply_tool(None, PICTURE, "sam:1,2")


def test_points_are_checked_before_anything_is_loaded() -> None:
    with pytest.raises(ParameterError, match="outside the picture"):
        select_by_sam(PICTURE, [(61, 0)], model="nowhere")
    with pytest.raises(ParameterError, match="at least one"):
        select_by_sam(PICTURE, [], model="nowhere")
    with pytest.raises(ParameterError, match="one of grabcut, flood, or a function"):
        select(PICTURE, POINTS, method="sam")  # type: ignore[arg-type]


def test_pictures_too_narrow_to_be_seen(folder: Path) -> None:
    with pytest.raises(ImageError, match="200 x 1: too narrow for SAM"):
        select_by_sam(load(random_picture(200, 1)), [(0, 0)], model=folder)


# ---- where the weights are -------------------------------------------------------------------------------------------


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty hub cache, with the libraries free to go online: only what we ask of them keeps them from it."""

    def refuse(*args: Any, **options: Any) -> None:
        raise AssertionError(f"the network was touched: {args}")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_absent_weights_are_told_by_name(no_network: Path) -> None:
    fetch = r"`hf download facebook/sam-vit-base config.json preprocessor_config.json model.safetensors` fetches it"
    with pytest.raises(ModelError, match=f"facebook/sam-vit-base: .*not in the local cache.*{fetch}"):
        select_by_sam(PICTURE, POINTS)
    with pytest.raises(ModelError, match=r"some/sam: .*`hf download some/sam config\.json"):
        Sam.load("some/sam")
    with pytest.raises(ModelError, match=f"no-such-folder: no such folder, and not a hub id.*{fetch}"):
        Sam.load("no-such-folder")


def test_from_the_hubs_cache(no_network: Path, folder: Path) -> None:
    home = no_network / "models--facebook--sam-vit-base"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("abc123")
    snapshot = home / "snapshots" / "abc123"
    shutil.copytree(folder, snapshot)
    assert np.array_equal(select_by_sam(PICTURE, POINTS, KEEP), select_by_sam(PICTURE, POINTS, KEEP, folder))
    (snapshot / "preprocessor_config.json").unlink()  # a download that was cut off
    with pytest.raises(ModelError, match=r"missing preprocessor_config\.json; `hf download facebook/sam-vit-base"):
        select_by_sam(PICTURE, POINTS, KEEP)


def test_torch_waits_for_the_weights(tmp_path: Path) -> None:
    """Neither importing the module nor an answer that there are none takes torch."""
    code = f"""
import sys
from overpaint.decode import load
from overpaint.errors import ModelError
from overpaint.model_sam import select_by_sam
import numpy
for model in ("facebook/sam-vit-base", {str(tmp_path)!r}):
    try:
        select_by_sam(load(numpy.zeros((9, 9, 3), numpy.uint8)), [(1, 1)], model=model)
    except ModelError as e:
        print("hf download" in str(e))
print([m for m in ("torch", "transformers", "diffusers") if m in sys.modules])
"""
    environment = {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split("\n") == ["True", "True", "[]", ""]


def test_no_code_and_no_pickle_of_the_folder(broken: Path) -> None:
    config = json.loads((broken / "config.json").read_text())
    auto = {"AutoModel": "evil.Model", "AutoConfig": "evil.Config", "AutoImageProcessor": "evil.Processor"}
    (broken / "config.json").write_text(json.dumps(config | {"auto_map": auto}))
    ran = broken / "ran"
    (broken / "evil.py").write_text(f"open({str(ran)!r}, 'w').close()")
    Sam.load(broken)
    assert not ran.exists()
    (broken / "model.safetensors").rename(broken / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no \.safetensors weights, and nothing else is read"):
        Sam.load(broken)


def test_broken_folders(broken: Path) -> None:
    weights, config, shown = (broken / n for n in ("model.safetensors", "config.json", "preprocessor_config.json"))
    tensors, was = load_file(weights), {path: path.read_bytes() for path in (weights, config, shown)}

    def refused(match: str) -> None:
        with pytest.raises(ModelError, match=match) as caught:
            Sam.load(broken)
        assert len(str(caught.value)) < 700
        for path, content in was.items():
            path.write_bytes(content)

    name = "mask_decoder.iou_token.weight"
    save_file({k: v for k, v in tensors.items() if k != name}, weights, {"format": "pt"})
    refused(f"its weights lack {name}")
    save_file(tensors | {name: torch.zeros(2, 16)}, weights, {"format": "pt"})
    refused(f"the tensor {name} has the shape")
    weights.write_bytes(was[weights][:-100])
    refused("incomplete: 100 bytes are missing")
    config.write_text("{")
    refused(r"config\.json cannot be read")
    config.write_text('{"model_type": "sam2"}')
    refused("is no SAM: its config.json has the model_type 'sam2'")
    config.write_bytes(was[config].replace(b'"patch_size": 8', b'"patch_size": "8"'))
    refused("cannot be loaded")
    shown.write_bytes(was[shown].replace(b'"longest_edge": 64', b'"longest_edge": 32'))
    refused("makes no pictures of 64 pixels a side")
    save_file(tensors | {name: torch.full((1, 16), torch.nan)}, weights, {"format": "pt"})
    with pytest.raises(ModelError, match="not finite"):
        Sam.load(broken)(PICTURE, POINTS, KEEP)


def test_the_file_may_change_under_a_loaded_sam(broken: Path) -> None:
    """The weights are in memory of their own."""
    sam = Sam.load(broken)
    found = sam(PICTURE, POINTS, KEEP)
    with (broken / "model.safetensors").open("r+b") as file:
        file.write(bytes(file.seek(0, 2)))
        file.seek(0)
        file.truncate(10)
    sam._seen = None
    assert np.array_equal(sam(PICTURE, POINTS, KEEP), found)
