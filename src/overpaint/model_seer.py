"""Networks that look at a picture beside its edit (SAM, CLIP, BLIP): found on this machine, checked, and read safely.

No pickle is opened, no code of a folder is run, and the network is used only where it is asked for. ``torch`` is
imported once the files are known to be there.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from overpaint.errors import ModelError
from overpaint.weights import find_weights, read_json

T = TypeVar("T")
CONFIGS = ("config.json", "preprocessor_config.json")
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Kind:
    """A kind of such networks.

    Attributes:
        name: as people write it ("CLIP").
        model_type: as its config.json has it ("clip").
        hub_id: the one that is used where none is named.
        configs: files that have to be there.
        words: files of a tokenizer, of which the first or the second has to be there; () where it reads no words.
    """

    name: str
    model_type: str
    hub_id: str
    configs: tuple[str, ...] = CONFIGS
    words: tuple[str, ...] = ()

    def folder_of(self, model: str | Path, download: bool = False) -> Path:
        """The folder of a model whose files are all on this machine.

        Raises:
            ModelError: they are not, and how to get them.
        """
        path, hub_id = Path(os.path.expanduser(model)).resolve(), str(model)
        is_id = hub_id.count("/") == 1 and not hub_id.startswith((".", "/", "~"))
        files = " ".join((*self.configs, *self.words, _WEIGHTS))
        how = f"`hf download {hub_id if is_id else self.hub_id} {files}` fetches it"
        if not path.is_dir():
            if not is_id:
                raise ModelError(f"{model}: no such folder, and not a hub id like {self.hub_id}; {how}")
            path = self._from_hub(hub_id, download, how)
        missing = [name for name in self.configs if not (path / name).is_file()]
        if self.words and not any((path / name).is_file() for name in self.words[:2]):
            missing.append(self.words[0])
        if missing:
            raise ModelError(f"{path} is not a whole {self.name} folder: missing {', '.join(missing)}; {how}")
        if not any(path.glob("*.safetensors")):
            raise ModelError(f"{path} has no .safetensors weights, and nothing else is read; {how}")
        return path

    def read(self, folder: Path, make: Callable[[Path], T]) -> T:
        """What ``make`` makes of a folder whose files are all there.

        Raises:
            ModelError: it is of another kind, or damaged.
        """
        kind = read_json(folder / "config.json").get("model_type")
        if kind != self.model_type:
            told = f"its config.json has the model_type {kind!r:.80}, must be {self.model_type!r}"
            raise ModelError(f"{folder} is no {self.name}: {told}")
        read_json(folder / "preprocessor_config.json")
        find_weights(folder, "model")
        try:
            return make(folder)
        except ModelError:
            raise
        except Exception as e:  # the folder decides what the library does, and so what it raises
            raise ModelError(f"{folder} cannot be loaded: {' '.join(str(e).split()):.400}") from e

    def _from_hub(self, hub_id: str, download: bool, how: str) -> Path:
        import huggingface_hub as hub  # a second to import, and only hub ids need it

        wanted = [*self.configs, *self.words, "model*.safetensors", "model.safetensors.index.json"]
        try:
            return Path(hub.snapshot_download(hub_id, local_files_only=not download, allow_patterns=wanted))
        except Exception as e:  # the hub's own tree of errors, and every network error below it
            if download:
                raise ModelError(f"{hub_id} could not be downloaded: {e}") from e
            raise ModelError(f"{hub_id}: no such folder, and not in the local cache of hub models; {how}") from e


def read_network(transformers_class: Any, folder: Path) -> Any:
    """A network on the CPU in float32, complete, finite, and in memory of its own."""
    import torch

    from overpaint.model_loading import check_complete, check_finite, quiet_libraries, settle

    with quiet_libraries():
        network, info = transformers_class.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # refused below, in our words
            output_loading_info=True,
            dtype=torch.float32,
        )
    check_complete(folder, info)
    settle(network, torch.device("cpu"))
    check_finite(folder, network)
    return network


def read_processor(transformers_class: Any, folder: Path) -> Any:
    """An image processor or a tokenizer. Name the class: the Auto ones take another where torchvision is installed."""
    from overpaint.model_loading import quiet_libraries

    with quiet_libraries():
        return transformers_class.from_pretrained(folder, local_files_only=True)


def check_words(folder: Path, tokenizer: Any, network: Any) -> None:
    """The tokenizer must know no word that the network does not."""
    words = network.config.text_config.vocab_size
    if len(tokenizer) > words:
        raise ModelError(f"{folder}: the tokenizer has {len(tokenizer)} words, the network {words}")


def check_sides(folder: Path, network: Any, *made: int) -> None:
    """The processor must make pictures of the sides that the network sees."""
    side = network.config.vision_config.image_size
    if {side} != set(made):
        raise ModelError(
            f"{folder} cannot be loaded: preprocessor_config.json makes no pictures of {side} pixels a side"
        )
