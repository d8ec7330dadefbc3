"""What an edit kept: the measures are their libraries' own, and say of a changed picture what was changed."""

import re
import shutil
import subprocess
import sys
from math import inf, isfinite
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from conftest import EXAMPLES, ROOT, random_picture
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from overpaint.checkpoint import embedded_folder
from overpaint.decode import load
from overpaint.editor import Editor
from overpaint.errors import ImageError, ModelError, ParameterError
from overpaint.fidelity import BAND_PIXELS, MEASURED_SIDE, MEASURES, Fidelity, brought_together, compare, kept
from overpaint.model_clip import CLIP, clip_score
from overpaint.model_lpips import lpips
from overpaint.picture import Picture, Pixels, resize, to_pil


@pytest.fixture(scope="module")
def castle() -> Picture:
    """256 x 256: measured as it is."""
    return as_picture(cv2.resize(load(EXAMPLES / "castle.jpg").flat(), (256, 256), interpolation=cv2.INTER_AREA))


def told(f: Fidelity) -> tuple[float, ...]:
    return f.psnr, f.ssim, f.colour, f.edges, *f.bands


def as_picture(x: Pixels) -> Picture:
    """[h, w, 3] float in 0..1."""
    return Picture((x.clip(0, 1) * 255 + 0.5).astype(np.uint8))


# ---- the libraries' own numbers --------------------------------------------------------------------------------------


def test_equal_pictures(castle: Picture) -> None:
    f = compare(castle, castle)
    assert f.psnr == inf
    assert f.colour == 0
    assert np.allclose((f.ssim, f.edges, f.structure, f.detail, *f.bands), 1, atol=1e-12)
    assert f.as_dict()["psnr"] is None
    assert len(f.bands) == len(BAND_PIXELS)


def test_the_numbers_are_the_libraries_own(castle: Picture) -> None:
    """At the size of measurement nothing is done to the pixels before a library sees them."""
    other = Picture(np.roll(castle.rgb, 9, axis=1) // 2 + 40)
    f = compare(castle, other)
    x, y = (p.rgb.astype(np.float64) / 255 for p in (castle, other))
    gx, gy = skimage.color.rgb2gray(x), skimage.color.rgb2gray(y)
    assert f.psnr == pytest.approx(peak_signal_noise_ratio(castle.rgb, other.rgb), rel=1e-6)
    theirs = structural_similarity(gx, gy, gaussian_weights=True, use_sample_covariance=False, data_range=1)
    assert f.ssim == pytest.approx(theirs, rel=1e-6)
    sobels = (skimage.filters.sobel(g).ravel() for g in (gx, gy))
    assert f.edges == pytest.approx(np.corrcoef(*sobels)[0, 1], rel=1e-6)
    means = (skimage.color.rgb2lab(z.reshape(16, 16, 16, 16, 3).mean((1, 3))) for z in (x, y))
    assert f.colour == pytest.approx(skimage.color.deltaE_ciede2000(*means).mean(), rel=1e-5)
    finest = (g - cv2.pyrUp(cv2.pyrDown(g)) for g in (gx, gy))
    assert f.bands[0] == pytest.approx(np.corrcoef(*(b.ravel() for b in finest))[0, 1], rel=1e-6)


@pytest.mark.parametrize("band", range(4))
def test_bands_are_as_wide_as_they_say(band: int) -> None:
    """A grating whose stripes are as wide as a band says is in that band, more than in any other."""
    x = np.indices((256, 256))[1]
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(256, 256))
    plain = sum(ndimage.gaussian_filter(noise, 2.0**k) * 2.0**k for k in range(6))  # something in every band
    plain = 0.5 + 0.05 * plain / plain.std()
    grating = 0.05 * np.sin(np.pi * x / BAND_PIXELS[band])
    before, after = (as_picture(np.dstack([g] * 3)) for g in (plain, plain + grating))
    bands = compare(before, after).bands
    assert np.argmin(bands) == band


def test_same_inputs_same_numbers_either_way_round(castle: Picture) -> None:
    other = Picture(castle.rgb[::-1].copy())
    assert told(compare(castle, other)) == told(compare(castle, other))
    assert np.allclose(told(compare(castle, other)), told(compare(other, castle)), rtol=1e-9)


# ---- what was changed is what is told --------------------------------------------------------------------------------


def test_blur_takes_the_detail(castle: Picture) -> None:
    f = [compare(castle, Picture(cv2.GaussianBlur(castle.rgb, (0, 0), sigma))) for sigma in (2, 4, 8)]
    assert [g.detail for g in f] == sorted((g.detail for g in f), reverse=True)
    assert f[2].bands[0] < 0.2
    assert min(g.structure for g in f) > 0.95
    assert max(g.colour for g in f) < 3


def test_recolouring_moves_colours_and_nothing_else(castle: Picture) -> None:
    swapped = castle.flat()[..., [2, 1, 0]]
    same_light = swapped + (skimage.color.rgb2gray(castle.flat()) - skimage.color.rgb2gray(swapped))[..., None]
    f = compare(castle, as_picture(same_light))
    assert f.colour > 10
    assert min(f.structure, f.edges, f.ssim) > 0.95


def test_darkening_keeps_edges_and_structure(castle: Picture) -> None:
    f = compare(castle, as_picture(castle.flat() * (0.2, 0.25, 0.35)))
    assert min(f.structure, f.detail, f.edges) > 0.9
    assert f.colour > 20
    assert f.psnr < 15


def test_noise_lowers_psnr_by_its_power(castle: Picture) -> None:
    noise = np.random.default_rng(0).normal(size=castle.rgb.shape)
    grey = Picture(np.full_like(castle.rgb, 128))
    for sigma in (0.02, 0.05, 0.1):
        noisy = as_picture(grey.flat() + sigma * noise)
        assert compare(grey, noisy).psnr == pytest.approx(-20 * np.log10(sigma), abs=0.1)
    f = [compare(castle, as_picture(castle.flat() + s * noise)) for s in (0.02, 0.1, 0.3)]
    for name in ("psnr", "ssim", "detail", "edges"):
        values = [getattr(g, name) for g in f]
        assert values == sorted(values, reverse=True), name
    assert f[1].structure > 0.99


def test_shuffled_blocks_are_another_picture(castle: Picture) -> None:
    blocks = castle.rgb.reshape(8, 32, 8, 32, 3).swapaxes(1, 2).reshape(64, 32, 32, 3)
    shuffled = blocks[np.random.default_rng(0).permutation(64)].reshape(8, 8, 32, 32, 3)
    f = compare(castle, Picture(np.ascontiguousarray(shuffled.swapaxes(1, 2)).reshape(256, 256, 3)))
    assert max(f.structure, f.detail, f.edges) < 0.25


def test_small_moves_of_things_hardly_move_colours(castle: Picture) -> None:
    moved = Picture(np.roll(castle.rgb, 2, axis=1))
    assert compare(castle, moved).colour < 2
    assert compare(castle, Picture(castle.rgb[:, ::-1].copy())).colour > 5


def test_opposite_and_unrelated_pictures(castle: Picture) -> None:
    negative = compare(castle, Picture(255 - castle.rgb))
    assert np.allclose(negative.bands, -1)
    assert negative.edges == pytest.approx(1)
    assert compare(castle, random_picture(256, 256)).structure < 0.3


def test_real_edits_lose_the_fine_before_the_coarse(editor: Editor, castle: Picture) -> None:
    """Why SDEdit works: noise buries what is fine first, and the model has to make up only what is buried."""
    before = Picture(resize(castle.rgb, (192, 192)))
    strengths = (0.2, 0.5, 0.9)
    edits = editor.sweep(before, "an oil painting of a castle", strengths=strengths, steps=8, size="192x192", seed=1)
    f = [compare(before, edit.pixels) for edit in edits]
    for name in ("ssim", "edges", "structure", "detail", "psnr"):
        values = [getattr(g, name) for g in f]
        assert values == sorted(values, reverse=True), (name, values)
    assert f[0].structure > 0.9
    for g in f:
        assert list(g.bands[:5]) == sorted(g.bands[:5]), "the coarser, the more of it is left"
    lost = [1 - g.detail for g in f], [1 - g.structure for g in f]
    assert all(detail > structure + 0.3 for detail, structure in zip(*lost, strict=True))


# ---- sizes, alpha, small pictures ------------------------------------------------------------------------------------


def test_large_and_small_pictures_are_measured_at_one_size(castle: Picture) -> None:
    """Area means of whole blocks: a picture of four times the pixels is the very same to every measure."""
    doubled = Picture(castle.rgb.repeat(2, 0).repeat(2, 1))
    other = Picture(cv2.GaussianBlur(castle.rgb, (0, 0), 2))
    expected = told(compare(castle, other))
    assert told(compare(doubled, other)) == pytest.approx(expected, rel=1e-5)
    assert told(compare(doubled, Picture(other.rgb.repeat(2, 0).repeat(2, 1)))) == pytest.approx(expected, rel=1e-5)
    assert compare(doubled, castle).psnr > 100


@pytest.mark.parametrize(
    ("one", "other", "size"),
    [
        ((1000, 667), (999, 667), (383, 256)),
        ((2000, 1500), (1000, 750), (341, 256)),
        ((333, 500), (67, 100), (67, 100)),
        ((64, 48), (64, 48), (64, 48)),
        ((3000, 2), (1500, 1), (1500, 1)),
    ],
)
def test_common_sizes(one: tuple[int, int], other: tuple[int, int], size: tuple[int, int]) -> None:
    pictures = [load(random_picture(*s)) for s in (one, other)]
    for pair in (pictures, pictures[::-1]):
        assert [x.shape for x in brought_together(*pair)] == [(*size[::-1], 3)] * 2
    assert min(size) <= MEASURED_SIDE


@pytest.mark.parametrize("other", [(640, 480), (480, 640), (512, 500), (1024, 1000)])
def test_other_shapes_are_refused_by_name(castle: Picture, other: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="256 x 256 and {} x {}: they must be of one shape".format(*other)):
        compare(castle, random_picture(*other))


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 5), (10, 10), (11, 4), (1, 600), (17, 16)])
def test_tiny_pictures(size: tuple[int, int]) -> None:
    x = np.random.default_rng(1).integers(0, 256, (*size[::-1], 3), np.uint8)
    same, other = compare(x, x), compare(x, 255 - x)
    assert same.psnr == inf
    assert np.allclose((same.ssim, same.edges, same.structure, same.detail), 1)
    assert all(map(isfinite, (*told(other), other.structure, other.detail)))
    assert 1 <= len(same.bands) <= len(BAND_PIXELS)


def test_flat_pictures(castle: Picture) -> None:
    """Nothing to compare in both of them is agreement; in one of them it is none."""
    dark, light = (np.full((64, 64, 3), v, np.uint8) for v in (50, 200))
    f = compare(dark, light)
    assert (f.edges, f.structure, f.detail) == (1, 1, 1)
    assert f.colour > 40
    f = compare(castle, np.full_like(castle.rgb, 90))
    assert (f.edges, f.structure, f.detail) == (0, 0, 0)


def test_rounding_is_not_detail() -> None:
    """Two smooth skies differ by how they were rounded to 8 bits: that is no texture that was lost."""
    rows, columns = np.indices((256, 256))
    sky = np.dstack([0.2 + (0.37 * rows + 0.23 * columns) / 256] * 3)
    before, after = as_picture(sky), as_picture(sky + 0.4 / 255)
    rough = [z - cv2.pyrUp(cv2.pyrDown(z)) for z in (before.flat()[..., 0], after.flat()[..., 0])]
    assert np.corrcoef(*(z.ravel() for z in rough))[0, 1] < 0.5
    assert compare(before, after).bands[0] == 1


def test_alpha_grey_and_depth(castle: Picture) -> None:
    clear = Picture(castle.rgb, np.zeros(castle.rgb.shape[:2], np.uint8))
    assert told(compare(clear, np.full_like(castle.rgb, 255))) == told(compare(clear, clear))  # seen over white
    deep = Picture(castle.rgb.astype(np.uint16) * 257)
    assert compare(castle, deep).psnr > 100
    grey = np.asarray(to_pil(castle.rgb).convert("L"))
    assert compare(grey, grey).psnr == inf
    assert compare(castle, grey).structure > 0.999


def test_sides_and_measures_are_checked(castle: Picture) -> None:
    assert len(compare(castle, castle, side=64).bands) < len(compare(castle, castle).bands)
    with pytest.raises(ParameterError, match="side: is 0, must be at least 1"):
        compare(castle, castle, side=0)
    f = Fidelity(20.0, 0.5, 3.0, 0.6, (0.1, 0.2, 0.5, 0.9, 0.7))
    assert [kept(f, name) for name in MEASURES] == [0.5, 0.6, pytest.approx(0.8)]
    assert f.detail == pytest.approx(0.15)
    with pytest.raises(ParameterError, match="measure: is 'psnr', must be one of ssim, edges, structure"):
        kept(f, "psnr")


# ---- CLIP and LPIPS --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random CLIP, as transformers saves it."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    folder: Path = tmp_path_factory.mktemp("clip") / "tiny"
    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(embedded_folder() / "tokenizer")
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    words = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, "max_position_embeddings": 77}
    vision = {"image_size": 32, "patch_size": 8}
    network = CLIPModel(CLIPConfig(text_config=sizes | words, vision_config=sizes | vision, projection_dim=16))
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    shown = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    CLIPImageProcessorPil(**shown).save_pretrained(folder)
    return folder


def their_score(folder: Path, rgb: Pixels, prompt: str) -> float:
    """As transformers' documentation has it, without a floor."""
    import torch
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    network = CLIPModel.from_pretrained(folder).eval()
    seen = CLIPImageProcessorPil.from_pretrained(folder)(to_pil(rgb), return_tensors="pt")
    told = CLIPTokenizer.from_pretrained(folder)([prompt], return_tensors="pt")
    with torch.inference_mode():
        logits = network(**seen, **told).logits_per_image
    return float(100 * logits / network.logit_scale.detach().exp())


def test_clip_score_is_transformers_own(clip: Path, castle: Picture) -> None:
    seen: list[float] = []
    for rgb in (castle.rgb, 255 - castle.rgb, random_picture(61, 47)):
        for prompt in ("a castle by a lake", "Snow!", "x " * 60):
            theirs = their_score(clip, rgb, prompt)
            assert clip_score(rgb, prompt, clip) == pytest.approx(max(theirs, 0), abs=1e-4)
            seen.append(theirs)
    assert min(seen) < 0 < max(seen), "the floor is tested"
    long = "a castle by a lake at night " * 30
    assert clip_score(castle, long, clip) == clip_score(castle, long + "in snow", clip)  # beyond its words


def test_clip_needs_no_more_than_it_asks_for(clip: Path, tmp_path: Path, castle: Picture) -> None:
    for name in ("config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"):
        shutil.copy(clip / name, tmp_path / name)
    assert clip_score(castle, "a castle", tmp_path) == clip_score(castle, "a castle", clip)


def test_clip_that_is_not_there_is_told(
    clip: Path, tmp_path: Path, castle: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    fetch = "`hf download .* config.json .*model.safetensors` fetches it"
    with pytest.raises(ModelError, match=f"{CLIP}: no such folder, and not in the local cache.*{fetch}"):
        clip_score(castle, "a castle")
    with pytest.raises(ModelError, match=f"no-such: no such folder, and not a hub id.*{fetch}"):
        clip_score(castle, "a castle", "no-such")
    broken = Path(shutil.copytree(clip, tmp_path / "broken"))
    (broken / "model.safetensors").rename(broken / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no \.safetensors weights, and nothing else is read"):
        clip_score(castle, "a castle", broken)
    (broken / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"missing tokenizer\.json"):
        clip_score(castle, "a castle", broken)
    for name in ("tokenizer.json", "model.safetensors"):
        shutil.copy(clip / name, broken)
    (broken / "config.json").write_text('{"model_type": "sam"}')
    with pytest.raises(ModelError, match=r"is no CLIP: its config\.json has the model_type 'sam'"):
        clip_score(castle, "a castle", broken)
    with pytest.raises(ParameterError, match="prompt: is empty"):
        clip_score(castle, " ", clip)
    with pytest.raises(ImageError, match="2000 x 10: too narrow for CLIP"):
        clip_score(random_picture(2000, 10), "a castle", clip)


def test_clip_from_the_network_only_when_asked(monkeypatch: pytest.MonkeyPatch, castle: Picture) -> None:
    asked = []

    def fetch(hub_id: str, *, local_files_only: bool, allow_patterns: list[str]) -> str:
        asked.append(local_files_only)
        assert not any(name.endswith((".bin", ".pt")) for name in allow_patterns)
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    with pytest.raises(ModelError, match="not in the local cache"):
        clip_score(castle, "a castle", "some/clip")
    with pytest.raises(ModelError, match="some/clip could not be downloaded: no network"):
        clip_score(castle, "a castle", "some/clip", download=True)
    assert asked == [True, False]


def test_lpips_says_what_it_needs(castle: Picture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    there = {"lpips": False, "torchvision": False}
    monkeypatch.setattr("overpaint.model_lpips.find_spec", lambda name: there[name] or None)
    with pytest.raises(ModelError, match=r"LPIPS needs the packages lpips and torchvision: `pip install lpips`"):
        lpips(castle, castle)
    there["lpips"] = True
    with pytest.raises(ModelError, match=r"LPIPS needs the package torchvision: "):
        lpips(castle, castle)
    there["torchvision"] = True
    (tmp_path / "lpips.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lpips", raising=False)
    with pytest.raises(ModelError, match="cannot be imported: operator torchvision::nms does not exist; torchvision"):
        lpips(castle, castle)


def test_measuring_leaves_torch_alone() -> None:
    code = """
import sys, numpy
from overpaint.fidelity import compare
x = numpy.zeros((40, 40, 3), numpy.uint8)
compare(x, x)
print([m for m in ("torch", "diffusers", "transformers", "matplotlib", "lpips") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_torchvision_is_no_dependency() -> None:
    """It breaks beside a PyTorch that it was not built for, and a CPU build cannot be asked for by name."""
    for name in ("pyproject.toml", "constraints.txt"):
        assert not re.search(r"(?m)^[^#]*torchvision", (ROOT / name).read_text(encoding="utf-8"))
