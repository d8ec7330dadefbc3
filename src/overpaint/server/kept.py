"""A store of what was asked for last, bounded by its size."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """The values that were asked for last, as many as there is room for. For any number of threads.

    Args:
        room: for their sizes together; what is larger than that is not kept.
        size_of: of a value, as ``room`` counts.
    """

    def __init__(self, room: int, size_of: Callable[[V], int]) -> None:
        self._room, self._size_of, self.used = room, size_of, 0
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        with self._lock:
            if key in self._values:
                self.used -= self._size_of(self._values.pop(key))
            self._values[key] = value
            self.used += self._size_of(value)
            while self.used > self._room:
                self.used -= self._size_of(self._values.popitem(last=False)[1])

    def __len__(self) -> int:
        return len(self._values)
