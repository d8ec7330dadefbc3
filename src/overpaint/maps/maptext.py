"""A map as the recipe's JSON tells it: its numbers deflated, or, where they are too many, the hash of them."""

import base64
import binascii
import zlib
from hashlib import sha256
from typing import Any

import numpy as np

from overpaint.errors import RecipeError
from overpaint.picture import Pixels

MAX_EMBEDDED = 1_000_000  # bytes, deflated
_KINDS = ("u1", ">u2", ">f4")  # 8 or 16 bits where these tell the map exactly, else floats


def to_dict(m: Pixels) -> dict[str, Any]:
    """A float32 [h, w] map as JSON can say it, without loss."""
    h, w = m.shape
    kind, numbers = _numbers(m)
    deflated = zlib.compress(numbers.tobytes(), 9)
    told: dict[str, Any] = {"width": w, "height": h, "pixels": digest(m)}
    if len(deflated) <= MAX_EMBEDDED:
        told |= {"kind": kind.lstrip(">"), "deflated": base64.b64encode(deflated).decode()}
    return told


def from_dict(told: Any, most: int) -> Pixels | None:
    """The map that ``to_dict`` told, None if only its hash was told. A stranger's: of ``most`` pixels at most."""
    numbers = _told_numbers(told, most)
    return None if numbers is None else _floats(numbers)


def grey_from_dict(told: Any, most: int) -> Pixels | None:
    """The same map as a grey picture: uint8 where these tell it exactly, else uint16, to which floats are rounded."""
    numbers = _told_numbers(told, most)
    if numbers is None or numbers.dtype.itemsize == 1:
        return numbers
    if numbers.dtype.kind == "f":
        numbers = numbers * np.float32(np.iinfo(np.uint16).max) + np.float32(0.5)
    return numbers.astype(np.uint16)  # in this machine's order of bytes


def _told_numbers(told: Any, most: int) -> Pixels | None:
    """[h, w] of one of ``_KINDS``. Raises ``RecipeError`` where they are no map."""
    try:
        w, h, pixels = told["width"], told["height"], told["pixels"]
        if type(w) is not int or type(h) is not int or min(w, h) < 1 or w * h > most or not isinstance(pixels, str):
            raise ValueError("its size makes no sense")
        if "deflated" not in told:
            return None
        dtype = np.dtype({kind.lstrip(">"): kind for kind in _KINDS}[told["kind"]])
        wanted = w * h * dtype.itemsize
        unfold = zlib.decompressobj()
        data = unfold.decompress(base64.b64decode(told["deflated"], validate=True), wanted + 1)
        if len(data) != wanted:
            raise ValueError("it does not have as many numbers as pixels")
        m = np.frombuffer(data, dtype).reshape(h, w)
        if dtype.kind == "f" and not (np.isfinite(m).all() and m.min() >= 0 and m.max() <= 1):
            raise ValueError("it has numbers outside of 0..1")
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as e:
        raise RecipeError(f"its recipe has a map that cannot be read: {e}") from e
    return m


def digest(m: Pixels) -> str:
    """SHA-256 of a map's size and numbers."""
    h, w = m.shape
    hashed = sha256(f"{w}x{h} map\n".encode())
    hashed.update(np.ascontiguousarray(m, "<f4").data)
    return hashed.hexdigest()


def _numbers(m: Pixels) -> tuple[str, Pixels]:
    for kind in _KINDS[:2]:
        top = np.iinfo(kind).max
        numbers = (m * np.float32(top) + np.float32(0.5)).astype(np.dtype(kind).newbyteorder("="))
        if np.array_equal(_levels(top)[numbers], m):
            return kind, numbers.astype(kind)
    return _KINDS[2], m.astype(_KINDS[2])


def _floats(numbers: Pixels) -> Pixels:
    if numbers.dtype.kind == "f":
        return numbers.astype(np.float32)
    return _levels(np.iinfo(numbers.dtype).max)[numbers]


def _levels(top: int) -> Pixels:
    """What each whole number up to ``top`` means, float32."""
    return (np.arange(top + 1) / top).astype(np.float32)
