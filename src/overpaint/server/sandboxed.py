"""The worker process of ``sandbox``: ``python -m overpaint.server.sandboxed``, started by it and by nobody else.

The process that is started imports the decoders, gives up what it will not need and then waits, warm, without ever
reading a request. For each request it forks: that process reads one picture, answers and ends. So no picture meets
another, whatever it has done to the decoder, and a crash costs a process that was to end anyway.

Three pipes: requests come on standard input, tasks answer on one, and on one that tasks do not have the waiting
process says that it is ready, and how each task ended.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import select
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from overpaint import decode, encode, metadata
from overpaint.errors import ImageError, OutputError, RecipeError
from overpaint.maps import maptext
from overpaint.recipe import plain, to_json
from overpaint.server import confine, frames

DONE = 64  # exit code of a task that has answered; a decoder that calls exit() gives others
ENDED = struct.Struct("=h")  # how a task ended: its exit code, or minus the signal
MAX_TEXT = 4000  # characters of a message or note
MAX_NOTES = 100
MAX_GREYS = 64_000_000  # bytes of the maps of one file, as PNGs
_PILLOW = ("Png", "Jpeg", "Mpo", "WebP", "Gif", "Bmp", "Tiff", "Avif")
_PRELOADED = (*(f"PIL.{kind}ImagePlugin" for kind in _PILLOW), "cv2", "tifffile", "pillow_heif", "pillow_jxl")

Answer = tuple[dict[str, Any], list[Any]]  # header, parts
Task = Callable[[dict[str, Any], bytearray], Answer]  # of the request's header and its bytes


# ---- what is asked for -----------------------------------------------------------------------------------------------


class Named(io.BytesIO):
    """The bytes of a file with a name for messages."""

    def __init__(self, data: bytes | bytearray, name: str) -> None:
        super().__init__(data)
        self.name = name


def _source(asked: dict[str, Any], data: bytearray) -> Any:
    return data if asked["name"] is None else Named(data, asked["name"])


def decode_task(asked: dict[str, Any], data: bytearray) -> Answer:
    picture = decode.load(_source(asked, data))
    rgb, alpha = np.ascontiguousarray(picture.rgb), picture.alpha
    told = {"shape": rgb.shape[:2], "dtype": rgb.dtype.name, "alpha": alpha is not None, "notes": _notes(picture.notes)}
    return told, [rgb] if alpha is None else [rgb, np.ascontiguousarray(alpha)]


def encode_task(asked: dict[str, Any], data: bytearray) -> Answer:
    size = asked["pixels"]
    pixels = np.frombuffer(memoryview(data)[:size], asked["dtype"]).reshape(asked["shape"])
    tags = json.loads(data[size:])
    written = encode.encode_tagged(pixels, asked["kind"], None if tags is None else metadata.Tags(*tags))
    return {"bytes": len(written)}, [written]


def recipes_task(asked: dict[str, Any], data: bytearray) -> Answer:
    recipes = metadata.read_recipes(_source(asked, data))
    text = to_json(recipes).encode(errors="backslashreplace")
    return {"bytes": len(text), "notes": [_notes(r.notes) for r in recipes]}, [text]


def greys_task(asked: dict[str, Any], data: bytearray) -> Answer:
    made: list[bytes | None] = []
    room = MAX_GREYS
    for told in json.loads(data):
        grey = maptext.grey_from_dict(told, decode.MAX_PIXELS)
        png = None if grey is None else encode.encode_tagged(grey, "PNG", None)
        if png is not None and len(png) > room:
            png = None
        room -= len(png or b"")
        made.append(png)
    return {"sizes": [png and len(png) for png in made]}, [png for png in made if png is not None]


def texts_task(asked: dict[str, Any], data: bytearray) -> Answer:
    texts = metadata.read_texts(_source(asked, data))
    told = {"parameters": texts.parameters, "items": texts.items}
    text = json.dumps(told, ensure_ascii=False).encode(errors="backslashreplace")
    return {"bytes": len(text)}, [text]


TASKS: Mapping[str, Task] = {
    "decode": decode_task,
    "encode": encode_task,
    "recipes": recipes_task,
    "greys": greys_task,
    "texts": texts_task,
}


def _notes(notes: tuple[str, ...]) -> list[str]:
    return [plain(note, MAX_TEXT) for note in notes[:MAX_NOTES]]


# ---- the task --------------------------------------------------------------------------------------------------------


def fill(view: memoryview) -> None:
    """From standard input."""
    while view:
        count = os.readv(0, [view])
        if count == 0:
            raise EOFError
        view = view[count:]


def answer(to: int, header: dict[str, Any], *parts: Any) -> None:
    def put(view: memoryview) -> None:
        while view:
            view = view[os.write(to, view) :]

    frames.send(put, header, *parts)


def _work(tasks: Mapping[str, Task], to: int) -> None:
    """Read one request and answer it."""
    asked = frames.header(fill)
    try:
        told, parts = tasks[asked["do"]](asked, frames.part(fill, asked["bytes"]))
    except (ImageError, OutputError, RecipeError) as e:
        told, parts = _refusal(e), []
    except MemoryError:
        failing = OutputError if asked["do"] == "encode" else ImageError
        told, parts = _refusal(failing(f"{asked['name'] or 'it'} needs more memory than there is")), []
    answer(to, {"answer": asked["do"], "ticket": asked["ticket"], **told}, *parts)


def _refusal(e: ImageError | OutputError | RecipeError) -> dict[str, Any]:
    told = {"answer": "error", "type": type(e).__name__, "text": plain(e, MAX_TEXT)}
    return {**told, "kind": e.kind} if isinstance(e, ImageError) else told


def _task(tasks: Mapping[str, Task], to: int, waiting: int, seconds: int) -> NoReturn:
    code = 1
    try:
        confine.die_with(waiting)
        confine.enter_task(seconds)
        _work(tasks, to)
        code = DONE
    finally:
        os._exit(code)  # whatever was raised: nobody reads a traceback here


# ---- the process that waits ------------------------------------------------------------------------------------------


def serve(tasks: Mapping[str, Task], to: int, control: int, seconds: int) -> None:
    """Fork for each request, until no more can come."""
    me = os.getpid()
    requests = select.poll()
    requests.register(0, select.POLLIN)
    while requests.poll()[0][1] & select.POLLIN:
        over, held = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(over)
            os.close(control)
            _task(tasks, to, me, seconds)
        os.close(held)
        left_alone = not _ended_before_the_end_of_requests(over)
        os.close(over)
        if left_alone:
            os.kill(pid, 9)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])  # reaped here: there may be no init to do it
        if left_alone or requests.poll(0):  # or the task has not read all, which the next would take for a request
            return
        os.write(control, ENDED.pack(status))


def _ended_before_the_end_of_requests(over: int) -> bool:
    """Waits for the task's end of a pipe to close, or the server's."""
    both = select.poll()
    both.register(over, 0)
    both.register(0, 0)  # POLLHUP comes unasked
    return over in dict(both.poll())


def main(tasks: Mapping[str, Task] = TASKS) -> None:
    """Arguments: the pipe for answers, the one for control, megabytes, seconds of CPU time, the server's pid."""
    to, control, megabytes, seconds, server = map(int, sys.argv[1:6])
    for name in _PRELOADED:
        with contextlib.suppress(ImportError):  # the extra `formats`
            importlib.import_module(name)
    importlib.import_module("PIL.ImageCms").createProfile("sRGB")
    layers = confine.enter(megabytes, server)
    layers += _probed(seconds)
    gc.freeze()  # what is here is shared with the tasks, and stays so

    def put(view: memoryview) -> None:
        os.write(control, view)

    frames.send(put, {"ready": layers})
    serve(tasks, to, control, seconds)


def _probed(seconds: int) -> list[str]:
    """The layers that a task adds: found out by one that does nothing else."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(DONE if confine.enter_task(seconds) else 1)
        finally:
            os._exit(1)
    held = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == DONE
    return ["seccomp"] if held else []


if __name__ == "__main__":
    main()
