"""The configs of a model's networks, checked against the weights, so that no library builds what fits no machine."""

from pathlib import Path
from typing import Any

from overpaint.errors import ModelError
from overpaint.weights import Shapes, kind_of

_MOST = 2**20  # no size in a config of this family comes near
_MOST_BLOCKS = 64
_TENSORS_OF_A_LAYER = 8  # the least: two norms and two projections, a weight and a bias each
_LAYERS = {
    "layers_per_block",
    "transformer_layers_per_block",
    "reverse_transformer_layers_per_block",
    "num_hidden_layers",
}
_CLASSES = {
    "unet": ("_class_name", ("UNet2DConditionModel",)),
    "pixel_unet": ("_class_name", ("UNet2DModel",)),
    "vae": ("_class_name", ("AutoencoderKL",)),
    "text_encoder": ("model_type", ("clip_text_model", "clip")),
}
_REFUSED = ("quantization_config", "transformers_weights")  # they make the libraries read weights in other ways


def _is_size(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _MOST


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= _MOST_BLOCKS and all(_is_size(v) for v in value)


def _are_any_sizes(value: Any) -> bool:
    nested = (
        isinstance(value, list) and 0 < len(value) <= _MOST_BLOCKS and all(_is_size(v) or _are_sizes(v) for v in value)
    )
    return value is None or _is_size(value) or nested


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= _MOST_BLOCKS and all(isinstance(v, str) for v in value)


def _is_number(value: Any) -> bool:
    return value is None or type(value) in (int, float)


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and value > 0


def _is_switch(value: Any) -> bool:
    return value is None or type(value) is bool


def _is_prediction(value: Any) -> bool:
    return value in ("epsilon", "v_prediction", "sample")


_ONE_SIZE = {"in_channels", "out_channels", "latent_channels", "hidden_size", "intermediate_size", "vocab_size"}
_ONE_SIZE |= {"num_hidden_layers", "max_position_embeddings"}
_ANY_SIZES = {
    "num_train_timesteps",
    "attention_head_dim",
    "num_attention_heads",
    "cross_attention_dim",
    "sample_size",
    "norm_num_groups",
}
_RULES = (
    (_ONE_SIZE, _is_size, f"an integer from 1 to {_MOST}"),
    ({"block_out_channels"}, _are_sizes, f"a list of at most {_MOST_BLOCKS} integers from 1 to {_MOST}"),
    (_ANY_SIZES | _LAYERS, _are_any_sizes, f"an integer from 1 to {_MOST}, or a list of them"),
    ({"down_block_types", "up_block_types"}, _are_words, f"a list of at most {_MOST_BLOCKS} names"),
    ({"scaling_factor", "shift_factor", "beta_start", "beta_end"}, _is_number, "a number"),
    ({"clip_sample_range"}, _is_positive, "a number above 0"),
    ({"clip_sample", "thresholding", "center_input_sample"}, _is_switch, "true or false"),
    ({"prediction_type"}, _is_prediction, "epsilon, v_prediction or sample"),
)


def check_config(path: Path, part: str, config: dict[str, Any]) -> None:
    """Values of the wrong type, or of a size that no network of this family has.

    ``part``: "unet", "pixel_unet" (a network in pixels is of another class), "vae", "text_encoder" or "scheduler".
    """
    for key, value in config.items():
        for keys, fits, words in _RULES:
            if key in keys and not fits(value):
                raise ModelError(f"{path}: {key} is {value!r:.80}, must be {words}")
        if not _bounded(value):
            raise ModelError(f"{path}: {key} is {value!r:.80}, must have no number beyond {_MOST}")
        if key in _REFUSED and value is not None:
            raise ModelError(f"{path} has {key}, which is not supported: only plain weights are read")
    key, known = _CLASSES.get(part, ("", ()))
    if config.get(key, known[:1]) not in (*known, known[:1]):
        raise ModelError(f"{path}: {key} is {config[key]!r:.80}, must be {' or '.join(known)}")


def _bounded(value: Any) -> bool:
    if isinstance(value, (list, dict)):
        return all(_bounded(v) for v in (value.values() if isinstance(value, dict) else value))
    return not isinstance(value, (int, float)) or abs(value) <= _MOST


def check_against_weights(place: Path, part: str, config: dict[str, Any], shapes: Shapes) -> None:
    """The sizes that decide how much memory is asked for, against the headers of the weights; ``part`` as above."""
    for name, wanted in _decisive_shapes(part, config).items():
        shape = shapes.get(name, shapes.get(f"text_model.{name}"))  # older text encoders have the prefix
        if shape is None:
            raise ModelError(f"{place} has no tensor {name}, which the network needs; it holds {kind_of(shapes)}")
        if shape[:2] != wanted:
            words = f"{list(shape)}, its config.json asks for {list(wanted)}"
            raise ModelError(f"{place}: the tensor {name} has the shape {words} in front")
    for key in _LAYERS:
        if _largest(config.get(key)) * _TENSORS_OF_A_LAYER > len(shapes):
            words = f"too many for weights of {len(shapes)} tensors"
            raise ModelError(f"{place / 'config.json'}: {key} is {config[key]!r:.80}, {words}")


def _largest(value: Any) -> int:
    return max(map(_largest, value)) if isinstance(value, list) else value or 0


def _decisive_shapes(part: str, config: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The first two sides of some tensors, by a config; what it leaves out is as in the libraries."""
    get = config.get
    if part == "text_encoder":
        width = get("hidden_size", 512)
        return {
            "embeddings.token_embedding.weight": (get("vocab_size", 49408), width),
            "embeddings.position_embedding.weight": (get("max_position_embeddings", 77), width),
            "encoder.layers.0.mlp.fc1.weight": (get("intermediate_size", 2048), width),
        }
    if part == "vae":
        channels = get("block_out_channels", [64])
        return {
            "encoder.conv_in.weight": (channels[0], get("in_channels", 3)),
            "decoder.conv_in.weight": (channels[-1], get("latent_channels", 4)),
            **_widths("encoder.", channels),
        }
    channels, takes = ([224, 448, 672, 896], 3) if part == "pixel_unet" else ([320, 640, 1280, 1280], 4)
    channels = get("block_out_channels", channels)
    told = get("time_embedding_dim")
    return {
        "conv_in.weight": (channels[0], get("in_channels", takes)),
        **({"time_embedding.linear_2.weight": (told, told)} if told else {}),
        **_widths("", channels),
    }


def _widths(prefix: str, channels: list[int]) -> dict[str, tuple[Any, Any]]:
    """The first convolution of each block on the way down."""
    pairs = zip([channels[0], *channels], channels, strict=False)  # what a block takes and gives
    return {f"{prefix}down_blocks.{i}.resnets.0.conv1.weight": (b, a) for i, (a, b) in enumerate(pairs)}
