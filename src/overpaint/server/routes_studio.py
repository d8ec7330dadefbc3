"""The Studio's page: the files of ``overpaint.studio``, as they are. They hold nothing secret, so they need no key.

What there is to serve is read once, by name; what a request says is looked up among these names and never a path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import PurePath

from fastapi import APIRouter, Request
from fastapi.responses import Response

from overpaint.server.context import has_already
from overpaint.server.problems import not_found

router = APIRouter()

INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
# the page works by its own files and this server alone; what it shows of pictures it has as blobs
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class _File:
    """One file of the page, and its type and tag as headers say them."""

    data: bytes
    type: str
    tag: str


def _read() -> dict[str, _File]:
    found = {}
    for one in files("overpaint.studio").iterdir():
        kind = _TYPES.get(PurePath(one.name).suffix)
        if kind is not None and one.is_file():
            data = one.read_bytes()
            found[one.name] = _File(data, kind, sha256(data).hexdigest())
    return found


_FILES: Mapping[str, _File] = _read()

PAGE = "/"
PATHS = frozenset({PAGE, *(f"/studio/{name}" for name in _FILES if name != INDEX)})  # all that is served here


@router.get(PAGE, include_in_schema=False)
async def page(request: Request) -> Response:
    """The page itself."""
    return _answer(request, INDEX)


@router.get("/studio/{name}", include_in_schema=False)
async def page_file(request: Request, name: str) -> Response:
    """One of its files. Raises ``Problem`` 404 for any other name."""
    if name == INDEX:  # a page has one address
        raise not_found("path")
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    file = _FILES.get(name)
    if file is None:
        raise not_found("path")
    # a browser writes the headers of a 304 over those it has, so that it must have the policy too
    headers = {"etag": f'"{file.tag}"', "cache-control": "no-cache", "content-security-policy": _POLICY}
    if has_already(request, file.tag):
        return Response(status_code=304, headers=headers)
    return Response(file.data, headers={**headers, "content-type": file.type})
