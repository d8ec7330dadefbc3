"""A request's body as names with values and files: JSON, or multipart. What they mean is said in ``asking``.

JSON is read strictly: what two readers might take for different things (a name that stands there twice, NaN, bytes that
are no UTF-8) is refused. A body's size is the guard's business; here only what would make it grow is limited.
"""

import binascii
import json
import math
import re
from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from overpaint.recipe import plain
from overpaint.server.problems import INVALID, Problem

MAX_FILES, MAX_FIELDS = 32, 256  # parts of a multipart body: pictures and maps; texts
MAX_TEXT = 1 << 20  # bytes of one text part; longer JSON can be sent as a file
MAX_VALUES = 100_000  # of a JSON body: each takes some hundred bytes of memory and two of the body
_MAX_DIGITS = 400  # of a number; no double has more before its point

_WHITESPACE = b" \t\r\n\f\v"
_DATA_URL = re.compile(r"\s*data:([^,]{0,200}),", re.IGNORECASE)
_BOUNDARY = re.compile(rb"[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]", re.ASCII)  # RFC 2046, 5.1.1
_PICTURE_TYPE = re.compile(r"image/[\w.+-]+(;[\w.+-]+=[\w.+-]+)*;base64", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Body:
    """What was sent.

    Attributes:
        values: JSON: names to values. Multipart: names to texts, those that may come more than once to lists of them.
        files: names to the bytes of files; none from JSON.
        typed: whether the values are JSON's, and so have their types already.
        lists: names to what came under them as ``name[]``, texts and the bytes of files in their order, where the form
            was read with ``lists``.
    """

    values: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    typed: bool = True
    lists: Mapping[str, list[str | bytes]] = field(default_factory=dict, repr=False)


def malformed(code: str, message: str, param: str | None = None) -> Problem:
    """400: not what it says it is."""
    return Problem(400, INVALID, code, message, param)


def unsupported(message: str) -> Problem:
    """415, of a whole body."""
    return Problem(415, INVALID, "unsupported_media_type", message)


def media_type(request: Request) -> str:
    """The content type in small letters, without its options. Raises 415 where the body is compressed."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise unsupported("a compressed body is not taken; send it without a content-encoding")
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def strict_json(data: bytes, name: str = "the body") -> Any:
    """The value of a JSON text. ``name``: what it is, for the message. Raises ``Problem`` 400."""
    try:
        # a string may hold any number of these too, but none that is meant for us holds so many
        if sum(map(data.count, (b",", b"[", b"{"))) > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES:,} values")
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except UnicodeDecodeError:
        raise malformed("invalid_json", f"{name} is not JSON in UTF-8") from None
    except RecursionError:
        raise malformed("invalid_json", f"{name} is nested too deep to be read as JSON") from None
    except ValueError as e:
        raise malformed("invalid_json", f"{name} cannot be read as JSON: {plain(e)}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {plain(twice)!r} stands there twice")
    return told


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _float(text: str) -> float:
    number = float(text)
    if len(text) > _MAX_DIGITS or not math.isfinite(number):
        raise ValueError(f"a number that is too large or too long: {plain(text, 30)}")
    return number


def _int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text):,} characters")
    return int(text)


def from_base64(text: str, name: str) -> bytes:
    """The bytes of a picture in base64, with or without ``data:image/...;base64,``; whitespace does not count.

    Raises:
        Problem: 400: another alphabet, wrong padding, a data URL of something else.
    """
    declared = _DATA_URL.match(text)
    if declared is not None:
        if not _PICTURE_TYPE.fullmatch("".join(declared[1].split())):
            raise malformed("invalid_base64", f"{name}: a data URL must begin with data:image/...;base64,", name)
        text = text[declared.end() :]
    try:
        return binascii.a2b_base64(text.encode("ascii").translate(None, _WHITESPACE), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error) as e:
        words = "it holds characters that are not ASCII" if isinstance(e, UnicodeEncodeError) else str(e)
        raise malformed("invalid_base64", f"{name} is not base64 of a file: {words}", name) from None


class _Parser(MultiPartParser):
    """Starlette's parser, which also fails where the last boundary does not come: then the body was cut."""

    ended = False

    def on_end(self) -> None:
        self.ended = True

    async def parse(self) -> FormData:
        self.stream = self._whole(self.stream)
        return await super().parse()

    async def _whole(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """Raises in the middle of parsing, so that the parser closes the file of a part that was not finished."""
        async for chunk in stream:
            yield chunk
        if not self.ended:
            raise MultiPartException("it ends before its last boundary")


async def read_form(
    request: Request, repeated: Collection[str] = (), as_text: Collection[str] = (), *, lists: bool = False
) -> Body:
    """A multipart body.

    Args:
        repeated: the names of texts that may come more than once.
        as_text: the names of texts that may also come as a file, as a browser sends a ``Blob`` of JSON.
        lists: ``name[]`` is an entry of the list ``name``; otherwise it is a name like any other.

    Raises:
        Problem: 400: no boundary, cut off, too many parts, a part without a name, a name that came twice, no UTF-8.
    """
    _, options = parse_options_header(request.headers["content-type"])
    boundary = options.get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise malformed("invalid_multipart", "the content type multipart/form-data names no boundary that can be one")
    try:
        form = await _parsed(request.stream(), boundary)
    except MultiPartException as e:
        raise malformed("invalid_multipart", f"the multipart body cannot be read: {plain(e.message)}") from None
    try:
        return await _body_of(form, repeated, as_text, lists)
    finally:
        await form.close()  # and with it the files on the disk that large parts were kept in


async def _parsed(stream: AsyncGenerator[bytes, None], boundary: bytes) -> FormData:
    # Latin-1 gives each byte as one character, so that a text that is no UTF-8 is found out, and not guessed at
    told = {"content-type": f'multipart/form-data; boundary="{boundary.decode("latin-1")}"; charset=latin-1'}
    parser = _Parser(Headers(told), stream, max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_TEXT)
    return await parser.parse()


async def _body_of(form: FormData, repeated: Collection[str], as_text: Collection[str], lists: bool) -> Body:
    values: dict[str, Any] = {name: [] for name in repeated if name in form}
    files: dict[str, bytes] = {}
    listed: dict[str, list[str | bytes]] = {}
    for key, part in form.multi_items():
        name = _utf8(key.encode("latin-1"), "the name of a part")
        if name in files or (name in values and name not in repeated):
            raise malformed("invalid_multipart", f"the part {plain(name)!r} came twice", name)
        if isinstance(part, UploadFile):
            data = await part.read()
            if not part.filename and not data:  # how a browser sends a file that was not chosen
                continue
        else:
            data = part.encode("latin-1")
        is_text = name in as_text or not isinstance(part, UploadFile)
        value = _utf8(data, f"the part {plain(name)!r}") if is_text else data
        if lists and name.endswith("[]"):
            listed.setdefault(name.removesuffix("[]"), []).append(value)
        elif isinstance(value, bytes):
            files[name] = value
        elif name in repeated:
            values[name].append(value)
        else:
            values[name] = value
    return Body(values, files, typed=False, lists=listed)


def _utf8(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed("invalid_multipart", f"{what} is not text in UTF-8") from None
