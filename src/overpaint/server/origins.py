"""From where a browser may use this server: by which names (against DNS rebinding), and from which pages.

A page of any website can send requests to a server on its visitor's own machine. It cannot choose ``Host``, ``Origin``
and ``Sec-Fetch-Site``, which the browser writes; a program that is no browser writes what it likes, and needs a key.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import NoReturn

from overpaint.errors import ParameterError
from overpaint.server.headers import Header, values
from overpaint.server.problems import AUTH, INVALID, Problem
from overpaint.server.settings import Settings

PREFLIGHT_SECONDS = 600  # for which a browser remembers what it was allowed

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#@]+)")
_NAMES = re.compile(r"[A-Za-z0-9_-]+(?: *, *[A-Za-z0-9_-]+)*")  # of headers
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_METHODS = b"GET, HEAD, POST, DELETE"
_PORTS = {"http": "80", "https": "443"}  # which an origin leaves out

Authority = tuple[str, str]  # name or address in its one spelling; port, "" where none is said


class Origins:
    """The names and pages that ``Settings`` allow. Raises ``ParameterError`` where a setting is not one of these."""

    def __init__(self, settings: Settings) -> None:
        self._names = {*_LOOPBACK, *(_name(host) for host in settings.allowed_hosts)}
        if not _is_unspecified(settings.host):
            self._names.add(_name(settings.host, "host"))
        # Reached from outside by addresses too, unless names are set: only a name can be bent to another address
        self._any_address = not settings.is_loopback and not settings.allowed_hosts
        self._origins = {_origin(origin) for origin in settings.allowed_origins}

    def check_host(self, headers: Iterable[Header]) -> Authority:
        """What ``Host`` says. Raises ``Problem`` 400 where it is missing or makes no sense, 421 for another's name."""
        told = values(headers, b"host")
        authority = _authority(told[0]) if len(told) == 1 else None
        if authority is None:
            raise Problem(400, INVALID, "bad_host", "the request must have one Host header: NAME or NAME:PORT")
        name = authority[0]
        if name in self._names or (self._any_address and _is_address(name)):
            return authority
        words = "this server is not reached by the name in the Host header; allowed_hosts says by which it is"
        raise Problem(421, INVALID, "wrong_host", words)

    def check_page(self, headers: list[Header], host: Authority, *, followed: bool = False) -> list[Header]:
        """The headers by which the page that asks may read the answer; none for our own pages and no browser at all.

        Args:
            followed: a person came from that page to one of ours (``is_followed_link``), which is theirs to read.

        Raises ``Problem`` 403 for other pages, whatever the method: a GET may cost work, too.
        """
        sites, told = values(headers, b"sec-fetch-site"), values(headers, b"origin")
        vary = [(b"vary", b"origin")] if self._origins else []
        if not told:
            if "cross-site" in (site.lower() for site in sites) and not followed:
                _refuse_page()
            return vary
        page = _ORIGIN.fullmatch(told[0]) if len(told) == 1 else None
        if page is None:  # "null" is what hides where it comes from
            _refuse_page()
        if _spelt(page) in self._origins:
            allow = [(b"access-control-allow-origin", told[0].encode("latin-1"))]
            return [*vary, *allow, (b"access-control-expose-headers", b"*")]
        scheme, authority = page[1].lower(), _authority(page[2])
        # the scheme may differ: a proxy in front speaks TLS, and nobody else answers under this name and port
        if scheme not in _PORTS or authority is None or _with_port(authority, scheme) != _with_port(host, scheme):
            _refuse_page()
        if "cross-site" in (site.lower() for site in sites):
            _refuse_page()
        return vary


def is_followed_link(method: str, headers: list[Header]) -> bool:
    """Whether a browser shows the answer as a page in a tab of its own, where the one that led there cannot read it;
    not in a frame, and not as what a script or a form asks for."""
    told = [values(headers, name) for name in (b"sec-fetch-mode", b"sec-fetch-dest", b"origin")]
    return method == "GET" and told == [["navigate"], ["document"], []]


def is_preflight(method: str, headers: list[Header], allowing: list[Header]) -> bool:
    """Whether the browser asks beforehand, for a page that is allowed: ``allowing`` is what ``check_page`` gave."""
    asks = bool(values(headers, b"access-control-request-method"))
    return method == "OPTIONS" and asks and any(name == b"access-control-allow-origin" for name, _ in allowing)


def preflight_headers(headers: list[Header]) -> list[Header]:
    """What an allowed page may send: our methods, and the headers it asks for, since the key is what protects."""
    told = [(b"access-control-allow-methods", _METHODS), (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS)]
    asked = values(headers, b"access-control-request-headers")
    if len(asked) == 1 and len(asked[0]) <= 1000 and _NAMES.fullmatch(asked[0]):
        told.append((b"access-control-allow-headers", asked[0].encode("ascii")))
    return told


def _authority(text: str) -> Authority | None:
    """None: not a name or address with or without a port."""
    found = _AUTHORITY.fullmatch(text)
    if found is None or int(found[2] or 0) > 65535:
        return None
    name = found[1].lower()
    if name.startswith("["):
        if not _is_address(name[1:-1]):
            return None
        name = str(ip_address(name[1:-1]))  # one spelling of the many
    return name, found[2] or ""


def _with_port(authority: Authority, scheme: str) -> Authority:
    return authority[0], authority[1] or _PORTS[scheme]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_unspecified(host: str) -> bool:
    """Whether it stands for all addresses of the machine."""
    return not host or (_is_address(host) and ip_address(host).is_unspecified)


def _name(host: str, setting: str = "allowed_hosts") -> str:
    if _is_address(host):
        return str(ip_address(host))
    authority = _authority(host)
    if authority is None or authority[1]:
        raise ParameterError(setting, f"{host!r} is not a name or an address; ports are not told, all are allowed")
    return authority[0]


def _origin(text: str) -> str:
    page = _ORIGIN.fullmatch(text)
    if page is None:
        raise ParameterError("allowed_origins", f"{text!r} is not an origin such as https://name or http://name:8080")
    return _spelt(page)


def _spelt(page: re.Match[str]) -> str:
    """An origin as two can be compared: in small letters, without the port that goes without saying."""
    scheme, authority = page[1].lower(), page[2].lower()
    return f"{scheme}://{authority.removesuffix(':' + _PORTS[scheme]) if scheme in _PORTS else authority}"


def _refuse_page() -> NoReturn:
    words = "pages of other websites may not use this server; allowed_origins says which may"
    raise Problem(403, AUTH, "cross_origin", words)
