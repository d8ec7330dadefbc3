"""Files of weights, looked at before a network class is imported: which are read, and what they hold.

A safetensors file is 8 bytes that say how long its header is, the header (JSON: each tensor's dtype, shape and bytes),
and the tensors' bytes without a hole. The safetensors library judges a file; what is written here says which tensor is
at fault, and refuses names that are listed twice, of which the library takes the last. No pickle is ever opened.
"""

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from overpaint.errors import ModelError

Shapes = dict[str, tuple[int, ...]]
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
_LONGEST_HEADER = 100_000_000  # the library's own limit
_MOST_DIMENSIONS = 16
_BITS = {"BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32}
_BITS |= {"C64": 64, "F64": 64, "I64": 64, "U64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
_BITS |= dict.fromkeys(("F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8)
# files that would make the model libraries read other weights than the ones looked at here
_REDIRECTIONS = ("adapter_config.json", "shard-*-of-*.safetensors", "*.safetensors.*.index.json")
# what is often found under the name of a safetensors file, by its first bytes
_OTHERS = {
    b"version https://git-lfs": "is a Git LFS pointer, not the weights: `git lfs pull` fetches them",
    b"PK\x03\x04": "is a zip file, as torch.save writes, not safetensors: it may run code when opened, so it is not",
    b"\x80": "is a pickle, not safetensors: it may run code when opened, so it is not",
    b"<": "is a web page, not safetensors",
}


# ---- which files are read --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Weights:
    """One network's weights.

    Attributes:
        variant: the part of the file names before ``.safetensors`` ("fp16"), if any.
        files: all that is read: the index, if there is one, and the safetensors files.
        shapes: of all tensors, by name.
    """

    variant: str | None
    files: tuple[Path, ...]
    shapes: Shapes


def find_weights(part: Path, stem: str) -> Weights:
    """The weights ``stem*.safetensors`` of a network's folder, each header checked; plain ones before a variant."""
    names = sorted(p.name for p in part.iterdir() if p.is_file())
    if elsewhere := [p.name for pattern in _REDIRECTIONS for p in part.glob(pattern)]:
        raise ModelError(f"{part} holds {elsewhere[0]}: weights in that layout are not supported, only {stem}*")
    single = re.compile(re.escape(stem) + r"(?:\.(\w+))?\.safetensors")
    index = re.compile(re.escape(stem) + r"\.safetensors\.index(?:\.(\w+))?\.json")
    found = [m for name in names if (m := single.fullmatch(name) or index.fullmatch(name))]
    if not found:
        pickles = [name for name in names if name.endswith(PICKLES)]
        also = f" (there is {pickles[0]}, a pickle, which can run code when opened)" if pickles else ""
        wanted = f"neither {stem}.safetensors nor its index {stem}.safetensors.index.json"
        raise ModelError(f"{part} has no .safetensors weights, and nothing else is read: {wanted}{also}")
    variant = None if any(m[1] is None for m in found) else found[0][1]
    chosen = [part / m[0] for m in found if m[1] == variant]
    if len(chosen) > 1:  # the libraries do not agree on which of the two to read
        raise ModelError(f"{part} holds both {chosen[0].name} and {chosen[1].name}: remove the one that is not meant")
    path = chosen[0]
    if path.suffix == ".safetensors":
        return Weights(variant, (path,), read_header(path))
    return _read_shards(variant, path)


def _read_shards(variant: str | None, index: Path) -> Weights:
    listed = read_json(index).get("weight_map")
    if not isinstance(listed, dict) or not listed or not all(isinstance(v, str) for v in listed.values()):
        raise ModelError(f"{index} has no weight_map from tensors to files")
    shapes: Shapes = {}
    files = sorted(set(listed.values()))
    for name in files:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise ModelError(f"{index} names the file {name!r:.80}, must be a .safetensors file beside it")
        shard = index.with_name(name)
        if not shard.is_file():
            raise ModelError(f"{index.parent} is incomplete: {name} is missing, which {index.name} lists")
        header = read_header(shard)
        # the libraries believe the index: what it does not tell, or tells wrong, would stay unset in the network
        wrong = sorted({t for t, file in listed.items() if file == name} ^ header.keys())
        if wrong:
            raise ModelError(f"{index} and {name} do not agree on the tensor {wrong[0]!r:.80}")
        shapes |= header
    return Weights(variant, (index, *(index.with_name(name) for name in files)), shapes)


# ---- headers and JSON ------------------------------------------------------------------------------------------------

_LONGEST_JSON = 2**24


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a model's folder: of a bounded size, and without NaN or infinity."""
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST_JSON + 1)
        if len(data) > _LONGEST_JSON:
            raise ValueError(f"more than {_LONGEST_JSON} bytes, no model's config is so long")
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except (OSError, ValueError, RecursionError) as e:
        raise ModelError(f"{path} cannot be read: {e}") from e
    if not isinstance(value, dict):
        raise ModelError(f"{path} holds {type(value).__name__}, must hold a JSON object")
    return value


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text:.80} is not a finite number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_constant(text)


def read_header(path: Path) -> Shapes:
    """The shapes of a safetensors file's tensors, once the whole file is known to be what its header says."""
    try:
        with safe_open(path, framework="np"):
            pass
        with path.open("rb") as file:
            text = file.read(int.from_bytes(file.read(8), "little"))
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_without_repeats)
    except (OSError, ValueError, SafetensorError) as e:
        raise ModelError(f"{path} cannot be loaded: it {_fault(path) or f'is damaged: {e}'}") from e
    return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    once = dict(pairs)
    if len(once) < len(pairs):
        name, times = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"{name!r:.80} is listed {times} times in its header")
    return once


def _fault(path: Path) -> str | None:
    """What is wrong with a file that the library refused, if it can be said: "it ..."."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(32)
        length = int.from_bytes(start[:8], "little")
        if size < 8:
            return "is incomplete: it is empty" if size == 0 else f"is incomplete: it has {size} bytes"
        if length > min(_LONGEST_HEADER, size - 8):
            other = next((words for magic, words in _OTHERS.items() if start.startswith(magic)), None)
            if other or length > _LONGEST_HEADER:
                return other or f"says that its header has {length} bytes, {_LONGEST_HEADER} are the most"
            return f"is incomplete: it says that its header has {length} bytes, and has {size} in all"
        file.seek(8)
        text = file.read(length)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_without_repeats)
    except UnicodeDecodeError as e:
        return f"is damaged: its header is not UTF-8: {e}"
    except json.JSONDecodeError as e:
        return f"is damaged: its header is not JSON: {e}"
    except (ValueError, RecursionError) as e:
        return f"is damaged: {e}"
    if not isinstance(header, dict):
        return f"is damaged: its header holds {type(header).__name__}, must hold a JSON object"
    return _wrong_entry(header, size - 8 - length)


def _wrong_entry(header: dict[str, Any], size: int) -> str | None:
    """The first tensor that does not fit its bytes, or the bytes of the tensors before it; or what is left of them."""
    spans = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            (begin, end), shape, bits = entry["data_offsets"], entry["shape"], _BITS[entry["dtype"]]
            if len(shape) > _MOST_DIMENSIONS or any(type(n) is not int or n < 0 for n in (begin, end, *shape)):
                raise ValueError
        except (KeyError, TypeError, ValueError):
            return f"is damaged: its tensor {name!r:.80} has no dtype, shape and data_offsets that make sense"
        needed = math.prod(shape) * bits // 8
        if end - begin != needed:
            words = f"{entry['dtype']} of shape {shape} takes {needed}"
            return f"is damaged: its tensor {name!r:.80} has {end - begin} bytes, {words}"
        spans.append((begin, end, name))
    reached = 0
    for begin, end, name in sorted(spans):
        if begin != reached:
            words = "overlaps the one before" if begin < reached else "has a hole before it"
            return f"is damaged: its tensor {name!r:.80} {words} (from byte {begin}, must be {reached})"
        reached = end
    if size < reached:
        return f"is incomplete: {reached - size} bytes are missing at its end"
    return f"is {size - reached} bytes longer than its header says" if size > reached else None


# ---- what a file is --------------------------------------------------------------------------------------------------

# (tensor names that contain this, what such a file is), the first that fits
_KINDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("lora_unet_", "lora_te", ".lora_down.", ".lora_A.", ".lora.down."), "a LoRA, a change to a model"),
    (("conditioner.embedders.",), "a Stable Diffusion XL checkpoint; Stable Diffusion 1.x and 2.x are supported"),
    (
        ("control_model.", "controlnet_cond_embedding.", "controlnet_down_blocks."),
        "a ControlNet, an addition to a model",
    ),
    (("double_blocks.", "joint_blocks."), "a Flux or Stable Diffusion 3 checkpoint; 1.x and 2.x are supported"),
    (
        ("down_blocks.0.resnets.0.time_emb_proj.", "time_embedding.linear_1."),
        "a UNet alone, without VAE and text encoder",
    ),
    (("decoder.conv_in.", "encoder.conv_in."), "a VAE alone, without UNet and text encoder"),
    (("token_embedding.weight",), "a text encoder alone, without UNet and VAE"),
)
_WHOLE = {"model.diffusion_model.": "UNet", "first_stage_model.": "VAE", "cond_stage_model.": "text encoder"}
_FIRST_LAYER = "model.diffusion_model.input_blocks.0.0.weight"
_INPUTS = {
    8: "an InstructPix2Pix checkpoint of Stable Diffusion: not supported yet",
    9: "an inpainting checkpoint of Stable Diffusion 1.x or 2.x",
}


def kind_of(shapes: Shapes) -> str:
    """What a file of weights is, by the names and shapes of its tensors."""
    names = list(shapes)
    for needles, words in _KINDS[:3]:
        if any(needle in name for name in names for needle in needles):
            return words
    there = [part for prefix, part in _WHOLE.items() if any(name.startswith(prefix) for name in names)]
    if "UNet" in there:
        inputs = shapes.get(_FIRST_LAYER, ())[1:2]
        special = _INPUTS.get(inputs[0]) if inputs else None
        lacks = [part for part in _WHOLE.values() if part not in there]
        lacking = f" without {' and '.join(lacks)}" if lacks else ""
        return (special or "a Stable Diffusion 1.x or 2.x checkpoint") + lacking
    for needles, words in _KINDS[3:]:
        if any(needle in name for name in names for needle in needles):
            return words
    few = ", ".join(f"{name!r:.60}" for name in names[:3])
    return f"of an unknown kind ({len(names)} tensors: {few}{', ...' if len(names) > 3 else ''})"


def describe_file(path: Path) -> str:
    """What a single file is that was given as a model. Only safetensors are opened."""
    if path.suffix == ".safetensors":
        return kind_of(read_header(path))
    if path.suffix in PICKLES:
        return "a pickle, which can run code when opened, so it is not opened"
    return f"not safetensors ({path.suffix or 'no'} suffix), and nothing else is read"
