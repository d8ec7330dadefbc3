"""Who makes edits, and one of them in a process of its own."""

from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Protocol

from benchmarks.speed.work import Edit


class Entrant(Protocol):
    """Makes edits."""

    @property
    def name(self) -> str: ...

    @property
    def dtype(self) -> str:
        """What its networks compute in, as "float32"."""

    def make(self, edits: Sequence[Edit]) -> None:
        """All of them, each to a picture in memory. Raises ``AssertionError`` where the network calls are not those of
        its task: then it would not be the same work."""


class Apart:
    """An entrant that ``build``, which must be picklable, makes in another process. A context manager."""

    def __init__(self, build: Callable[[], Entrant]) -> None:
        context = get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, build), daemon=True)
        self._process.start()
        theirs.close()
        self.name, self.dtype = self._answer()

    def make(self, edits: Sequence[Edit]) -> None:
        self._line.send(list(edits))
        self._answer()

    def __enter__(self) -> "Apart":
        return self

    def __exit__(self, *exc: object) -> None:
        self._line.close()
        self._process.join()

    def _answer(self) -> tuple[str, str]:
        try:
            answer = self._line.recv()
        except EOFError:
            raise RuntimeError(f"a process of the benchmark ended, its exit code is {self._process.exitcode}") from None
        if isinstance(answer, BaseException):
            raise answer
        name, dtype = answer
        return name, dtype


def _serve(line: Connection, build: Callable[[], Entrant]) -> None:
    """The other process: make edits until there is nobody to make them for."""
    entrant: Entrant | None = None
    while True:
        try:
            if entrant is None:
                entrant = build()
            else:
                entrant.make(line.recv())
            line.send((entrant.name, entrant.dtype))
        except EOFError:
            return
        except Exception as e:
            line.send(e)
            if entrant is None:
                return
