"""A picture that a request names by URL, downloaded without reaching anything that only this machine can reach.

    data = fetch("https://pictures.example/cat.jpg", most_bytes=64_000_000, seconds=20)

A name is looked up once for each request that is sent; all of its addresses must be public (``is_public``), and the
connection is made to one of those that were checked, so that a second answer of the name server changes nothing.
Redirects are followed by hand, each with the same checks. Nothing is sent along that identifies anyone: no cookies, no
passwords; and no proxy of the environment is used, as it would look the name up again. What is refused is told in the
same words whether a name is unknown here or leads to a private address, so that nobody can map a network by asking.
"""

import http.client
import io
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import quote, urljoin, urlsplit

from overpaint.server.problems import INVALID, SERVER, Problem
from overpaint.server.public import Address, is_public

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOST_REDIRECTS = 3
MOST_CHARACTERS = 8000  # of a URL
_MOST_NAME = 253  # characters of a host's name, as in DNS
_MOST_TRIED = 4  # addresses of one name, where the first do not answer
_HEAD = 64 << 10  # bytes that an answer's head may take
_PIECE = 64 << 10  # bytes that are read at once

_PORT_OF = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_WORDS = {401: "asks for a login", 403: "does not give it away", 404: "has no such file", 410: "has no such file"}

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")  # of these, some are dropped and one is a slash, but not to everyone
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile("[0-9]+|0x[0-9a-f]*")
_KEPT = "!$%&'()*+,/:;=?@[]~"  # beside letters, digits and "-._": what stands for itself in a path and query


def look_up(host: str, port: int) -> list[str]:
    """All addresses of a name, by the system's resolver. Raises ``OSError`` where there are none."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def fetch(
    url: str,
    *,
    most_bytes: int,
    seconds: float,
    ports: Collection[int] = frozenset(_PORT_OF.values()),
    allowed: Callable[[Address], bool] = is_public,
    resolve: Callable[[str, int], Iterable[str]] = look_up,
    tls: ssl.SSLContext | None = None,
    param: str | None = "image_url",
) -> bytes:
    """The bytes behind a URL, at least 0 of them; whether they are a picture is not looked at.

    Args:
        url: as the request has it.
        most_bytes: of the file.
        seconds: for everything together: looking up, connecting, redirects, and the last byte. A look-up that takes
            longer goes on in a thread of its own until the system gives it up.
        ports: to which connections are made.
        allowed: the addresses to which connections are made.
        resolve: the addresses of a name; ``OSError`` where there are none.
        tls: whose certificates are trusted; the system's, if nothing is said.
        param: the parameter at fault, for the problem.

    Raises:
        Problem: 422 "url_refused", where the URL, its host or where it leads is not allowed, or the body is encoded;
            413 "too_large"; 504 "url_timeout"; 502 "url_failed", where the other server failed.
            Of what others said, the messages tell only the host.
    """
    rules = _Rules(most_bytes, time.monotonic() + seconds, allowed, resolve, tls)
    try:
        for _ in range(MOST_REDIRECTS + 1):
            place = _place_of(url, ports)
            got = _follow(place, rules)
            if isinstance(got, bytes):
                return got
            url = _joined(url, got)
        raise _refused(f"{place.host} redirects, after {MOST_REDIRECTS} redirects that were followed")
    except Problem as problem:
        problem.param = param
        raise


class _Place(NamedTuple):
    """A URL that may be asked for, apart from the addresses of its name."""

    scheme: str
    host: str
    address: Address | None  # if the host is one
    port: int
    target: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORT_OF[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class _Rules:
    """As ``fetch`` has them; ``end`` by the monotonic clock."""

    most_bytes: int
    end: float
    allowed: Callable[[Address], bool]
    resolve: Callable[[str, int], Iterable[str]]
    tls: ssl.SSLContext | None

    def left(self) -> float:
        """Seconds, more than 0. Raises ``TimeoutError`` when there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _place_of(url: str, ports: Collection[int]) -> _Place:
    try:
        if len(url) > MOST_CHARACTERS or _FORBIDDEN.search(url):
            raise ValueError
        parts = urlsplit(url)
        usual, name = _PORT_OF[parts.scheme], parts.hostname or ""
        port = usual if parts.port is None else parts.port
        if port not in ports or "@" in parts.netloc or ("[" in parts.netloc) != (":" in name):
            raise ValueError
        host, address = _host_of(name)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return _Place(parts.scheme, host, address, port, quote(target, safe=_KEPT))
    except (KeyError, ValueError):
        allowed = " or ".join(str(port) for port in sorted(ports))
        raise _refused(
            f"a picture's URL must begin with http:// or https:// and a host's name or plain IP address, "
            f"without a user's name, on port {allowed}, in {MOST_CHARACTERS} characters at most"
        ) from None


def _host_of(told: str) -> tuple[str, Address | None]:
    """The name as it is looked up, and the address if it is one. Raises ``ValueError`` if it is neither."""
    if ":" in told:
        six = IPv6Address(told)
        if six.scope_id is not None:
            raise ValueError
        return str(six), six
    if len(told) > _MOST_NAME:  # before the codec, which takes long for long ones
        raise ValueError
    name = told.encode("idna").decode("ascii").lower().removesuffix(".")
    if len(name) > _MOST_NAME or not _NAME.fullmatch(name):
        raise ValueError
    if not _NUMBER.fullmatch(name.rpartition(".")[2]):
        return name, None
    # Resolvers take 0x7f.1, 2130706433 and 0177.0.0.1 for addresses. Of those, only the plain form is honest.
    four = IPv4Address(name)
    return str(four), four


def _joined(url: str, location: str) -> str:
    """Where a redirect leads. ``http.client`` gives a head's bytes as Latin-1."""
    try:
        return urljoin(url, quote(location, safe=_KEPT + "#", encoding="latin-1"))
    except ValueError:  # a host in brackets that is none
        raise _refused("the picture's URL redirects to something that is no URL") from None


def _follow(place: _Place, rules: _Rules) -> bytes | str:
    """Send one request: the body, or where it is said to be."""
    host = place.host
    try:
        addresses = _checked(place, rules)
        sock = _connected(place, addresses, rules)
        with _Wire(sock, rules) as wire, _asked(sock, wire, place, rules) as response:
            if response.status not in _REDIRECTS:
                return _body(response, wire, host, rules)
            location = response.getheader("location")
            if not location:
                raise _failed(f"{host} redirects to nowhere")
            return location
    except TimeoutError:
        raise Problem(504, SERVER, "url_timeout", f"{host} did not send the picture in time") from None
    except ssl.SSLError:
        raise _failed(f"{host} has no certificate that proves its name, or does not keep to TLS") from None
    except OSError:
        raise _failed(f"{host} cannot be reached, or broke off") from None
    except (http.client.HTTPException, ValueError):  # the latter for chunks of fewer than no bytes
        raise _failed(f"{host} does not keep to HTTP") from None


def _checked(place: _Place, rules: _Rules) -> list[Address]:
    """The addresses to connect to: all that the host has, if all are allowed."""
    if place.address is not None:
        found = [place.address]
    else:
        try:
            found = list(dict.fromkeys(ip_address(text) for text in _looked_up(place, rules)))
        except TimeoutError:
            raise
        except (OSError, ValueError):  # the latter where a name is none to the resolver
            found = []
    if not found or not all(rules.allowed(address) for address in found):
        raise _refused(f"{place.host} has no address that pictures are fetched from, or is not known")
    return found[:_MOST_TRIED]


def _looked_up(place: _Place, rules: _Rules) -> list[str]:
    """In a thread, as the system's resolver knows no time limit. It outlives this call by as long as that takes."""
    answer: Future[list[str]] = Future()

    def ask() -> None:
        try:
            answer.set_result(list(rules.resolve(place.host, place.port)))
        except BaseException as e:  # is raised by who waits
            answer.set_exception(e)

    threading.Thread(target=ask, name="overpaint-look-up", daemon=True).start()
    return answer.result(rules.left())


def _connected(place: _Place, addresses: list[Address], rules: _Rules) -> socket.socket:
    """To the first address that answers; each gets its share of the time that is left."""
    for untried, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        sock = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.settimeout(rules.left() / untried)
            sock.connect((str(address), place.port))
            break
        except OSError:
            sock.close()
            if untried == 1:
                raise
    if place.scheme == "http":
        return sock
    try:
        sock.settimeout(rules.left())  # for the whole handshake
        return (rules.tls or ssl.create_default_context()).wrap_socket(sock, server_hostname=place.host)
    except BaseException:
        sock.close()
        raise


class _Wire(io.RawIOBase):
    """What comes over a connection, until the deadline, however little at a time, and no more than ``left`` bytes.

    ``http.client`` reads as many lines and chunks as a server likes to send, and all at once where a chunk is said to
    have -1 bytes; the limit is below it.
    """

    def __init__(self, sock: socket.socket, rules: _Rules) -> None:
        self._sock, self._rules, self.left = sock, rules, _HEAD

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        if self.left <= 0:
            raise http.client.HTTPException
        self._sock.settimeout(self._rules.left())
        count = self._sock.recv_into(buffer)
        self.left -= count
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        """All that ``http.client`` asks of a socket in order to read an answer from it."""
        return io.BufferedReader(self)

    def close(self) -> None:
        self._sock.close()
        super().close()


def _asked(sock: socket.socket, wire: _Wire, place: _Place, rules: _Rules) -> http.client.HTTPResponse:
    """Send the request, read the answer's head."""
    lines = (
        f"GET {place.target} HTTP/1.1",
        f"Host: {place.authority}",
        "User-Agent: overpaint",
        "Accept: image/*",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    sock.settimeout(rules.left())
    sock.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii"))
    response = http.client.HTTPResponse(cast("Any", wire), method="GET")
    try:
        response.begin()
    except BaseException:
        response.close()
        raise
    return response


def _body(response: http.client.HTTPResponse, wire: _Wire, host: str, rules: _Rules) -> bytes:
    if response.status != 200:
        raise _failed(f"{host} {_WORDS.get(response.status, 'cannot give it now')}")
    coding = response.getheader("content-encoding", "identity").strip().lower()
    if coding != "identity" or (not response.chunked and response.getheader("transfer-encoding") is not None):
        raise _refused(f"{host} sends the picture encoded, though it was asked not to")
    most = rules.most_bytes
    too_large = Problem(413, INVALID, "too_large", f"the file that {host} has is larger than {most} bytes")
    if (response.length or 0) > most:
        raise too_large
    wire.left = 2 * most + _HEAD  # chunks come with their lengths
    data = bytearray()
    while piece := response.read(min(_PIECE, most + 1 - len(data))):
        data += piece
        if len(data) > most:
            raise too_large
    if response.length:
        raise _failed(f"{host} broke off")
    return bytes(data)


def _refused(message: str) -> Problem:
    return Problem(422, INVALID, "url_refused", message)


def _failed(message: str) -> Problem:
    return Problem(502, SERVER, "url_failed", message)
