"""How a text becomes what a network reads: by CLIP, or not at all where the network reads no words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class TextStates:
    """A text as the network reads it: states [1, tokens, width], and the end of it that did not fit."""

    states: Tensor
    dropped: str = ""


class Words(Protocol):
    """Reads a text."""

    def encode(self, text: str) -> TextStates: ...


class ClipWords:
    """CLIP's tokenizer and text encoder, which sees one text at a time; ``states`` may be put on a faster way."""

    def __init__(self, text_encoder: Any, tokenizer: Any) -> None:
        self._text_encoder, self._tokenizer = text_encoder, tokenizer
        self.states: Callable[[Tensor], Tensor] = lambda ids: text_encoder(ids)[0]  # [1, tokens, width]

    def encode(self, text: str) -> TextStates:
        # a tokenizer that states no length has an absurd one
        limit = min(self._tokenizer.model_max_length, self._text_encoder.config.max_position_embeddings)
        ids = self._tokenizer(text, padding="max_length", truncation=True, max_length=limit).input_ids
        # verbose=False: what is too long is reported by us, by the words that fell off
        whole = self._tokenizer(text, truncation=False, verbose=False).input_ids
        dropped = self._tokenizer.decode(whole[limit - 1 : -1]).strip() if len(whole) > limit else ""
        return TextStates(self.states(torch.tensor([ids], device=self._text_encoder.device)), dropped)


class NoWords:
    """For networks that were trained without words: nothing of a text fits."""

    def __init__(self, device: torch.device) -> None:
        self._states = torch.zeros(1, 0, 0, device=device)  # [1, no tokens, no width]

    def encode(self, text: str) -> TextStates:
        return TextStates(self._states, text.strip())
