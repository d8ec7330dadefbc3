"""Records of tensors that belong together: many of the same kind, one beside the other."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor

Index: TypeAlias = int | slice | Sequence[int] | Tensor


class Batch:
    """Base of dataclasses whose tensors all have the same first dimension: can be measured, indexed and moved."""

    def __len__(self) -> int:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                return value.shape[0]
        raise TypeError(f"{type(self).__name__} has no tensor of its own")

    def __getitem__(self, index: Index) -> Self:
        """Some of them, again as a batch; one number gives a batch of one."""
        if isinstance(index, int):
            n = len(self)
            if not -n <= index < n:
                raise IndexError(f"{type(self).__name__} has {n} entries, there is no number {index}")
            index = [index % n]
        chosen = index if isinstance(index, slice) else torch.as_tensor(index)
        return self._mapped(lambda x: x[chosen if isinstance(chosen, slice) else chosen.to(x.device)])

    def to(self, device: torch.device | str) -> Self:
        """The same on another device."""
        return self._mapped(lambda x: x.to(device))

    def _mapped(self, function: Callable[[Tensor], Tensor]) -> Self:
        values = {field.name: _map(function, getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]
        return replace(self, **values)  # type: ignore[type-var]


def _map(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, Batch):
        return value._mapped(function)
    if isinstance(value, tuple):
        return tuple(_map(function, part) for part in value)
    return value
