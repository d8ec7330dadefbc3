"""Pictures of strangers decoded, and results encoded, in worker processes with limits.

    picture = sandbox.decode(data)      what decode.load(data) gives, bit for bit, or the same ImageError

A picture that takes too long, too much memory, or crashes its decoder is an ``ImageError`` of that picture only. What
a worker process may do is said in ``confine``; how a picture of each gets a process of its own, in ``sandboxed``. An
answer is data: never unpickled, of the shape, type and size that were to come, or it is none. POSIX only.
"""

import json
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from overpaint.decode.header import check_size
from overpaint.decode.source import MAX_BYTES
from overpaint.errors import IMAGE_KINDS, ImageError, OutputError, OverpaintError, RecipeError
from overpaint.metadata import MAX_ITEMS_TEXT, MAX_TEXTS, Tags, Texts
from overpaint.picture import Picture, Pixels
from overpaint.recipe import MAX_EDITS, MAX_TEXT, Recipe, from_json, plain
from overpaint.server import frames
from overpaint.server.sandboxed import MAX_GREYS, MAX_NOTES
from overpaint.server.sandboxed import MAX_TEXT as MAX_MESSAGE
from overpaint.server.worker import Crashed, Late
from overpaint.server.workers import Pool

_T = TypeVar("_T")
_DTYPES: dict[str, np.dtype[Any]] = {"uint8": np.dtype(np.uint8), "uint16": np.dtype(np.uint16)}
_ERRORS: dict[str, type[OverpaintError]] = {kind.__name__: kind for kind in (ImageError, OutputError, RecipeError)}
_MOST_TEXTS = 10 * MAX_ITEMS_TEXT  # bytes of JSON, which has six for a character that must be spelt out
_UNNAMED = "the picture's bytes"  # as decode has it
MAX_MAPS = 200  # of a file's recipes that are told as pictures
_CPU = 2  # seconds of CPU time per second by the clock: decoders have threads; the clock is what ends a task


class Sandbox:
    """A pool of worker processes for pictures; used from any threads, each call waits for a free worker.

    Args:
        workers: how many, and so how many pictures at once.
        seconds: for a picture to be decoded in, by the clock, from when a worker is free.
        encode_seconds: likewise for a result to be encoded in.
        megabytes: of memory that a task may take.
        most_bytes: of a file; larger ones are refused unread.
        module: what a worker process runs.

    Raises:
        SandboxError: by every call, where no worker can be started, or after ``close``.
    """

    def __init__(
        self,
        workers: int = 2,
        *,
        seconds: float = 20,
        encode_seconds: float = 120,
        megabytes: int = 2048,
        most_bytes: int = MAX_BYTES,
        module: str = "overpaint.server.sandboxed",
    ) -> None:
        self._seconds, self._encode_seconds, self._most_bytes = seconds, encode_seconds, most_bytes
        self._pool = Pool(workers, module, megabytes, math.ceil(max(seconds, encode_seconds) * _CPU))

    def decode(self, data: bytes, name: str | None = None) -> Picture:
        """What ``decode.load(data)`` gives; with a ``name``, what it gives of an open file of that name.

        Raises:
            ImageError: with its words, on one line, and its kind; or that it took too long, or crashed.
        """
        self._check_length(data, name)
        return self._ask("decode", ImageError, {"name": name, "bytes": len(data)}, [data], _picture)

    def encode(self, pixels: Pixels, kind: str, recipes: Sequence[Recipe] = ()) -> bytes:
        """What ``encode.encode`` gives.

        Raises:
            OutputError: with its words; or that it took too long, or crashed.
        """
        tags = astuple(Tags.of(recipes)) if recipes else None
        tagged = json.dumps(tags).encode()
        x = np.ascontiguousarray(pixels)
        asked = {"kind": kind, "shape": x.shape, "dtype": x.dtype.name, "pixels": x.nbytes}
        most = 2 * x.nbytes + 4 * len(tagged) + (1 << 20)

        def read(told: dict[str, Any], fill: frames.Fill) -> bytes:
            return bytes(frames.part(fill, _count(told["bytes"], most)))

        asked |= {"name": "the result", "bytes": x.nbytes + len(tagged)}
        return self._ask("encode", OutputError, asked, [x, tagged], read, self._encode_seconds)

    def recipes_of(self, data: bytes, name: str | None = None) -> list[Recipe]:
        """What ``metadata.read_recipes(data)`` gives.

        Raises:
            RecipeError: it holds none that can be used. ImageError: it is no picture, took too long, or crashed.
        """
        self._check_length(data, name)
        return self._ask("recipes", ImageError, {"name": name, "bytes": len(data)}, [data], _recipes)

    def greys_of(self, maps: Sequence[Mapping[str, Any]]) -> list[bytes | None]:
        """Maps as recipes tell them, as grey PNGs of 8 or 16 bits.

        Returns:
            One for each of the first ``MAX_MAPS``; None: its numbers are not told, or there was no room for them.

        Raises:
            RecipeError: one makes no sense. ImageError: they took too long or too much memory, or it crashed.
        """
        text = json.dumps([dict(told) for told in maps[:MAX_MAPS]]).encode()
        asked = {"name": "the recipe's maps", "bytes": len(text)}
        return self._ask("greys", ImageError, asked, [text], _greys)

    def texts_of(self, data: bytes, name: str | None = None) -> Texts:
        """What ``metadata.read_texts(data)`` gives; never with anything in it that is no Unicode.

        Raises:
            RecipeError: they cannot be read. ImageError: it is no picture, took too long, or crashed.
        """
        self._check_length(data, name)
        return self._ask("texts", ImageError, {"name": name, "bytes": len(data)}, [data], _texts)

    def layers(self) -> tuple[str, ...]:
        """What holds of what ``confine`` lists, on this system: "rlimits", "namespaces", "landlock", "seccomp"."""
        with self._pool.worker() as worker:
            return tuple(worker.layers or ())

    def close(self) -> None:
        """End all workers at once; calls that are under way raise ``SandboxError``."""
        self._pool.close()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _check_length(self, data: bytes, name: str | None) -> None:
        if len(data) > self._most_bytes:
            words = f"{name or _UNNAMED} is larger than {self._most_bytes:,} bytes, which is the most that is read"
            raise ImageError(words, kind="too_large")

    def _ask(
        self,
        do: str,
        failing: type[OverpaintError],
        asked: dict[str, Any],
        parts: Sequence[Any],
        read: Callable[[dict[str, Any], frames.Fill], _T],
        seconds: float | None = None,
    ) -> _T:
        """One task: sent, answered, checked."""
        seconds = seconds or self._seconds
        what = f"{plain(asked['name'] or _UNNAMED)}: {do}"
        ticket = secrets.token_hex(8)  # so that nothing left over from a task before can pass for this one's answer
        try:
            with self._pool.worker() as worker:
                worker.ask(seconds, {**asked, "do": do, "ticket": ticket}, *parts)
                told = frames.header(worker.fill)
                answer = _answer(told, ticket, do, read, worker.fill)
                worker.finish()
        except Late:
            raise failing(f"{what} timed out after {seconds:g} s") from None
        except Crashed as e:
            raise failing(f"{what} crashed: {e}") from None
        except frames.BrokenFrame as e:
            raise failing(f"{what} crashed: its answer makes no sense ({e})") from None
        if isinstance(answer, OverpaintError):
            raise answer
        return answer


# ---- answers, which may come from a process that somebody has taken over ---------------------------------------------


def _answer(
    told: dict[str, Any],
    ticket: str,
    do: str,
    read: Callable[[dict[str, Any], frames.Fill], _T],
    fill: frames.Fill,
) -> _T | OverpaintError:
    if told.get("ticket") != ticket:
        raise frames.BrokenFrame("of another task")
    try:
        if told["answer"] == "error":
            return _error(told)
        if told["answer"] != do:
            raise frames.BrokenFrame("to another question")
        return read(told, fill)
    except (KeyError, TypeError, ValueError) as e:
        raise frames.BrokenFrame(f"{type(e).__name__}") from e


def _error(told: dict[str, Any]) -> OverpaintError:
    error, text = _ERRORS[told["type"]], _text(told["text"])
    if error is not ImageError:
        return error(text)
    kind = next((kind for kind in IMAGE_KINDS if kind == told["kind"]), None)
    if kind is None:
        raise frames.BrokenFrame("no kind")
    return ImageError(text, kind=kind)


def _picture(told: dict[str, Any], fill: frames.Fill) -> Picture:
    h, w = told["shape"]
    if type(h) is not int or type(w) is not int or min(h, w) < 1 or type(told["alpha"]) is not bool:
        raise frames.BrokenFrame("no size")
    check_size((w, h), _UNNAMED)
    dtype = _DTYPES[told["dtype"]]
    notes = tuple(_notes(told["notes"]))
    rgb = _array(fill, (h, w, 3), dtype)
    return Picture(rgb, _array(fill, (h, w), dtype) if told["alpha"] else None, notes)


def _array(fill: frames.Fill, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Pixels:
    x = np.empty(shape, dtype)
    fill(x.data.cast("B"))
    return x


def _recipes(told: dict[str, Any], fill: frames.Fill) -> list[Recipe]:
    notes = told["notes"]
    if not isinstance(notes, list) or not 1 <= len(notes) <= MAX_EDITS:
        raise frames.BrokenFrame("no notes")
    text = frames.part(fill, _count(told["bytes"], 4 * MAX_TEXT)).decode()
    recipes = from_json(text)
    if len(recipes) != len(notes):
        raise frames.BrokenFrame("notes of others")
    return [replace(r, notes=tuple(_notes(n))) for r, n in zip(recipes, notes, strict=True)]


def _greys(told: dict[str, Any], fill: frames.Fill) -> list[bytes | None]:
    sizes = told["sizes"]
    if not isinstance(sizes, list) or len(sizes) > MAX_MAPS:
        raise frames.BrokenFrame("no sizes")
    sizes = [None if size is None else _count(size, MAX_GREYS) for size in sizes]
    if sum(size or 0 for size in sizes) > MAX_GREYS:
        raise frames.BrokenFrame("more than there is room for")
    return [None if size is None else bytes(frames.part(fill, size)) for size in sizes]


def _texts(told: dict[str, Any], fill: frames.Fill) -> Texts:
    try:
        whole = json.loads(frames.part(fill, _count(told["bytes"], _MOST_TEXTS)).decode())
    except RecursionError as e:
        raise frames.BrokenFrame("nested too deep") from e
    parameters, items = whole["parameters"], whole["items"]
    if not isinstance(items, dict) or len(items) > MAX_TEXTS:
        raise frames.BrokenFrame("no texts")
    return Texts(
        None if parameters is None else _unicode(parameters),
        {_unicode(name): _unicode(text) for name, text in items.items()},
    )


def _unicode(told: Any) -> str:
    """As it is, but for halves of characters, which no answer could be written with."""
    if not isinstance(told, str):
        raise frames.BrokenFrame("no text")
    return told.encode("utf-8", "replace").decode()


def _notes(told: Any) -> list[str]:
    if not isinstance(told, list) or len(told) > MAX_NOTES:
        raise frames.BrokenFrame("no notes")
    return [_text(note) for note in told]


def _text(told: Any) -> str:
    """Never with anything in it that would steer a terminal, or be no Unicode."""
    if not isinstance(told, str):
        raise frames.BrokenFrame("no text")
    return plain(told, 2 * MAX_MESSAGE)


def _count(told: Any, most: int) -> int:
    if type(told) is not int or not 0 < told <= most:
        raise frames.BrokenFrame("no length")
    return told
