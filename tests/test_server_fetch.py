"""Pictures named by URL: which hosts are reached, by which address, how often, how long and for how many bytes.

The servers here are on 127.0.0.1, which stands for what is public, and on 127.0.0.2, which stands for what is private.
"""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from overpaint.server.fetch import MOST_CHARACTERS, fetch, look_up
from overpaint.server.problems import Problem
from overpaint.server.public import Address, is_public
from overpaint.server.settings import Settings

Answer = Callable[[socket.socket, str], None]

PUBLIC, PRIVATE = "127.0.0.1", "127.0.0.2"
NAMES = {"pictures.example": [PUBLIC], "inside.example": [PRIVATE], "both.example": [PUBLIC, PRIVATE]}
MOST = 1000  # bytes
PICTURE = bytes(range(256)) * 3
SECRET = "/s3cret?token=s3cret"  # in all URLs: no message tells more than the host

# for pictures.example alone, until 2120; made for these tests
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzXeUpKytbnDmKsDK
lasEj8QtL2IUy/hzolafks8EbAShRANCAARcaf8K7JDKL+MfQMmsZYOciEUqfUVA
KAbntbzsFqBSNrh8WuUZL//kQ6h1wlw2ujIhAuzFSZ7DKkMMDU5FVYxM
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBhjCCASygAwIBAgIBATAKBggqhkjOPQQDAjAbMRkwFwYDVQQDDBBwaWN0dXJl
cy5leGFtcGxlMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAbMRkw
FwYDVQQDDBBwaWN0dXJlcy5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD
QgAEXGn/CuyQyi/jH0DJrGWDnIhFKn1FQCgG57W87BagUja4fFrlGS//5EOodcJc
NroyIQLsxUmewypDDA1ORVWMTKNfMF0wDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8B
Af8EBAMCAoQwHQYDVR0OBBYEFIWLrS7xsgQjzDkgfzIzkrjx3X3iMBsGA1UdEQQU
MBKCEHBpY3R1cmVzLmV4YW1wbGUwCgYIKoZIzj0EAwIDSAAwRQIgIRNNSGxaHJIU
R/MVhsDGuaIcRrDdR7F0qgBOayDbaHACIQCP4W96prDPyFR1mLNha8RL6qgCU2nC
7UUCEdmsaoTg5A==
-----END CERTIFICATE-----
"""


class Site:
    """A server: ``answer`` is given each connection, and the request's head where there is one to come."""

    def __init__(self, answer: Answer, host: str = PUBLIC, port: int = 0, waits: bool = True) -> None:
        self._answer, self._waits = answer, waits
        self._listening = socket.create_server((host, port))
        self.port: int = self._listening.getsockname()[1]
        self.heads: list[str] = []
        self.connections = 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=[connection])
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with connection, suppress(OSError):
            head = b""
            while self._waits and not head.endswith(b"\r\n\r\n"):
                head += connection.recv(1000) or b"\r\n\r\n"
            self.heads.append(head.decode("ascii"))
            self._answer(connection, self.heads[-1])


class Network:
    """Sites that end with the test, and a resolver that knows them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.looked_up: list[str] = []
        self.ports: set[int] = set()

    def site(self, answer: Answer | bytes, host: str = PUBLIC, port: int = 0, waits: bool = True) -> Site:
        said = answer
        answers = said if callable(said) else lambda connection, _: connection.sendall(said)
        site = Site(answers, host, port, waits)
        self._stack.callback(site.close)
        self.ports.add(site.port)
        return site

    def resolve(self, host: str, port: int) -> list[str]:
        self.looked_up.append(host)
        if host not in NAMES:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return NAMES[host]

    def fetch(self, url: str, **rules: Any) -> bytes:
        defaults: dict[str, Any] = {"most_bytes": MOST, "seconds": 5, "ports": self.ports, "resolve": self.resolve}
        return fetch(url, **{**defaults, "allowed": lambda address: str(address) == PUBLIC, **rules})

    def problem(self, url: str, **rules: Any) -> Problem:
        with pytest.raises(Problem) as caught:
            self.fetch(url, **rules)
        assert "s3cret" not in caught.value.message
        assert caught.value.param == "image_url"
        return caught.value


@pytest.fixture
def network() -> Iterator[Network]:
    with ExitStack() as stack:
        yield Network(stack)


def ok(body: bytes = PICTURE, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers] if headers else [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1") + body


def to(location: str, status: str = "302 Found") -> bytes:
    return ok(b"", f"Location: {location}", "Set-Cookie: s3cret=1", "Content-Length: 0", status=status)


def chunked(*pieces: bytes) -> bytes:
    return ok(b"".join(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in [*pieces, b""]), "Transfer-Encoding: chunked")


def endless(start: bytes, again: bytes, pause: float = 0) -> Answer:
    """Goes on until the other side has enough."""

    def answer(connection: socket.socket, _: str) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(again)
            time.sleep(pause)

    return answer


def silent(connection: socket.socket, _: str) -> None:
    """Until the other side goes."""
    while connection.recv(1000):
        pass


def outcome(problem: Problem) -> tuple[int, str]:
    return problem.status, problem.code


def url_of(site: Site, host: str = "pictures.example") -> str:
    return f"http://{host}:{site.port}{SECRET}"


# which hosts


@pytest.mark.case("X01")
def test_urls_are_off_by_default(tmp_path: Path) -> None:
    assert Settings(folder=tmp_path).image_urls is False


def test_the_request_says_no_more_than_it_must(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.2:9")
    site = network.site(ok())
    assert network.fetch(f"HTTP://Pictures.Example.:{site.port}/a b/ü%20[1]?q=ö&r=1#top".replace(" ", "%20")) == PICTURE
    assert site.heads == [
        "GET /a%20b/%C3%BC%20[1]?q=%C3%B6&r=1 HTTP/1.1\r\n"
        f"Host: pictures.example:{site.port}\r\n"
        "User-Agent: overpaint\r\n"
        "Accept: image/*\r\n"
        "Accept-Encoding: identity\r\n"
        "Connection: close\r\n\r\n"
    ]
    assert network.looked_up == ["pictures.example"]


MALFORMED = [
    "",
    "pictures.example/cat.png",
    "//pictures.example/cat.png",
    "file:///etc/passwd",
    "file://pictures.example/etc/passwd",
    "ftp://pictures.example/",
    "gopher://pictures.example/_GET",
    "gopher://pictures.example:80/_GET",
    "data:text/plain,hello",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "http:",
    "http://",
    "http:///cat.png",
    "http://:80/",
    "http://user@pictures.example/",
    "http://user:word@pictures.example/",
    "http://@pictures.example/",
    "http://pictures.example@inside.example/",
    "http://pictures.example:22/",
    "http://pictures.example:6379/",
    "http://pictures.example:0/",
    "http://pictures.example:99999/",
    "http://pictures.example:-80/",
    "http://pictures.example:x/",
    "http://pictures.example/a b",
    "http://pictures.example/\r\nX-A: b",
    "http://pictures.example\t/",
    " http://pictures.example/",
    "http://pictures.example\\@inside.example/",
    "http://pictures.example\x00.inside.example/",
    "http://pictures..example/",
    "http://.pictures.example/",
    "http://pictures.example../",
    "http://pict%75res.example/",
    "http://-pictures.example/",
    "http://pictures.example;x/",
    f"http://{'a' * 64}.example/",
    f"http://{'a.' * 130}example/",
    f"http://{'ü' * 5000}.example/",
    f"http://pictures.example/{'a' * MOST_CHARACTERS}",
    "http://pictures.example/\ud800",
    "http://\ud800.example/",
    "http://[::1/",
    "http://[pictures.example]/",
    "http://[v1.a]/",
    "http://[::1%25lo]/",
    "http://[fe80::1%25eth0]/",
    "http://[2606:4700::1111%25eth0]/",
    "http://2606:4700::1111/",
    # addresses in other forms than the plain one are refused, public ones as well
    "http://0x08080808/",
    "http://134744072/",
    "http://0x8.0x8.0x8.0x8/",
    "http://010.010.010.010/",
    "http://8.8.2056/",
    "http://8.526344/",
    "http://08.08.08.08/",
    "http://8.8.8.8.8/",
    "http://8.8.8.256/",
    "http://8.8.8/",
    "http://pictures.example.8/",
    "http://pictures.example.0x/",
    "http://0x/",
]


@pytest.mark.case("X01")
@pytest.mark.parametrize("url", MALFORMED, ids=lambda url: ascii(url)[:50])
def test_what_is_no_plain_web_address_is_refused_before_anything_is_asked(network: Network, url: str) -> None:
    problem = network.problem(url, allowed=lambda _: True, ports={80, 443})
    assert outcome(problem) == (422, "url_refused")
    assert "must begin with http:// or https://" in problem.message
    assert network.looked_up == []


def wide(text: str) -> str:
    """In the wide forms of East Asian fonts, which names are written in as well."""
    return text.translate({code: code + 0xFEE0 for code in range(33, 127)})


HIDDEN = [
    "http://localhost/",
    "http://localhost./",
    "http://LOCALHOST:443/",
    "https://localhost/",
    "http://127.0.0.1/",
    "http://127.0.0.1./",
    "https://127.0.0.1:80/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7F.1/",
    "http://0177.0.0.1/",
    "http://00000000177.0.0.1/",
    "http://017700000001/",
    "http://0/",
    "http://0.0.0.0/",
    "http://0x0/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/metadata/",
    "http://192.0.0.192/opc/v1/",
    "http://255.255.255.255/",
    "http://224.0.0.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[::127.0.0.1]/",
    "http://[::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::80ff:fffe]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::127.0.0.1]/",
    "http://[64:ff9b:1:7f00:0:100::]/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    f"http://{wide('127.0.0.1')}/",
    f"http://{wide('localhost')}/",
    "http://loc\u00adalhost/",
    "http://ⓛocalhost。/",
]


@pytest.mark.case("X01")
@pytest.mark.parametrize("url", HIDDEN)
def test_private_addresses_are_refused_however_they_are_written(url: str) -> None:
    """By the rules that hold if nothing else is said."""
    with pytest.raises(Problem) as caught:
        fetch(url, most_bytes=MOST, seconds=5)
    assert outcome(caught.value) == (422, "url_refused")


SPECIAL = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
    *("203.0.113.0/24", "224.0.0.0/3"),
    *("::/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "4000::/2", "8000::/1"),
]
PUBLIC_IN_SPECIAL = ip_network("64:ff9b::/96")


@pytest.mark.case("X01")
@pytest.mark.parametrize("special", SPECIAL)
def test_special_networks_are_refused_from_their_first_to_their_last_address(special: str) -> None:
    network = ip_network(special)
    first, last = int(network.network_address), int(network.broadcast_address)
    kind = type(network.network_address)
    for number in (first, first + (last - first) // 2, last):
        assert not is_public(kind(number))
    for number in (first - 1, last + 1):  # what is beside is public, unless it is special as well
        if 0 <= number < 1 << network.max_prefixlen:
            address = kind(number)
            assert is_public(address) is not any(address in ip_network(other) for other in SPECIAL)


def test_the_rest_is_public() -> None:
    """Neither too little nor too much: between the special networks all of IPv4 is public."""
    four = [n for n in map(ip_network, SPECIAL) if isinstance(n, IPv4Network)]
    for below, above in pairwise(sorted(four)):
        start, end = int(below.broadcast_address) + 1, int(above.network_address) - 1
        for number in (start, (start + end) // 2, end) if start <= end else ():
            assert is_public(IPv4Address(number)), IPv4Address(number)
    for text in ("8.8.8.8", "2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "64:ff9b::8.8.8.8"):
        assert is_public(ip_address(text)), text


def forms(four: IPv4Address) -> list[str]:
    """Spellings of an IPv4 address that some resolver, browser or library takes for it."""
    n, text = int(four), str(four)
    a, b, c, d = four.packed
    six = [
        f"::ffff:{text}",
        f"::ffff:{n >> 16:x}:{n & 0xFFFF:x}",
        f"0:0:0:0:0:ffff:{text}",
        f"::{text}",
        f"::ffff:0:{text}",
        f"64:ff9b::{text}",
        f"64:ff9b:1::{text}",
        str(IPv6Address(0x2002 << 112 | n << 80)),
        str(IPv6Address(0x20010000 << 96 | n << 64 | (n ^ 0xFFFFFFFF))),
        IPv6Address(0xFFFF << 32 | n).exploded,
    ]
    plain = [text, f"{text}.", wide(text), text.replace(".", "。"), f"{n}", f"{n:#x}", f"{n:#X}", f"0{n:o}"]
    parts = [f"{a}.{b}.{c << 8 | d}", f"{a}.{n & 0xFFFFFF}", f"{a:#x}.{b:#x}.{c:#x}.{d:#x}", f"0{a:o}.0{b:o}.{c}.{d}"]
    return [*plain, *parts, f"{a:03}.{b:03}.{c:03}.{d:03}", *(f"[{text}]" for text in six)]


def inside(networks: list[str]) -> st.SearchStrategy[Address]:
    return st.sampled_from(networks).flatmap(lambda network: st.ip_addresses(network=network))


FOURS = inside([text for text in SPECIAL if ":" not in text])


@pytest.mark.case("X01")
@given(four=FOURS, scheme=st.sampled_from(["http", "https"]), port=st.sampled_from(["", ":80", ":443"]))
def test_private_ipv4_addresses_are_refused_in_all_forms(four: IPv4Address, scheme: str, port: str) -> None:
    for form in forms(four):
        with pytest.raises(Problem) as caught:
            fetch(f"{scheme}://{form}{port}{SECRET}", most_bytes=MOST, seconds=5, resolve=lambda *_: ["8.8.8.8"])
        assert outcome(caught.value) == (422, "url_refused"), form


@pytest.mark.case("X01")
@given(address=FOURS | inside([text for text in SPECIAL if ":" in text]), place=st.integers(0, 3))
@example(ip_address("fe80::1%lo"), 0)
@example(ip_address("64:ff9b::10.0.0.1"), 3)
def test_names_with_a_private_address_are_refused_and_told_as_unknown(address: Address, place: int) -> None:
    """One private address among public ones suffices, wherever it stands."""
    if address in PUBLIC_IN_SPECIAL and is_public(ip_address(int(address) & 0xFFFFFFFF)):
        return
    answer = ["8.8.8.8", "2606:4700::1111", "1.1.1.1"]
    answer.insert(place, str(address))
    told = []
    for found in ([str(address)], answer, []):
        with pytest.raises(Problem) as caught:
            fetch("http://pictures.example/", most_bytes=MOST, seconds=5, resolve=lambda *_, found=found: found)
        told.append((*outcome(caught.value), caught.value.message))
    assert set(told) == {
        (422, "url_refused", "pictures.example has no address that pictures are fetched from, or is not known")
    }


@pytest.mark.parametrize("found", [["nonsense"], ["127.0.0.1.1"], []])
def test_odd_answers_of_a_resolver_are_refused(network: Network, found: list[str]) -> None:
    problem = network.problem("http://pictures.example/", ports={80}, resolve=lambda *_: found)
    assert outcome(problem) == (422, "url_refused")


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_AGAIN, "s3cret"), UnicodeError("s3cret"), OSError(5)])
def test_names_that_cannot_be_looked_up_are_refused(network: Network, error: Exception) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise error

    problem = network.problem("http://pictures.example/", ports={80}, resolve=resolve)
    assert problem.message == network.problem("http://inside.example/", ports={80}).message.replace(
        "inside", "pictures"
    )


def test_the_systems_resolver_is_asked() -> None:
    assert PUBLIC in look_up("localhost", 80)


# redirects and changing answers


@pytest.mark.case("X02")
@pytest.mark.parametrize("hops", [1, 3])
@pytest.mark.parametrize("to_host", ["inside.example", "both.example", PRIVATE, "2130706434", "[::ffff:127.0.0.2]"])
@pytest.mark.parametrize("status", ["301 Moved", "307 Temporary Redirect"])
def test_redirects_to_private_addresses_are_refused(network: Network, hops: int, to_host: str, status: str) -> None:
    def answer(connection: socket.socket, _: str) -> None:
        last = len(site.heads) == hops
        connection.sendall(to(f"http://{to_host}:{site.port}{SECRET}" if last else url_of(site), status))

    site = network.site(answer)
    inside = network.site(ok(), PRIVATE, site.port)
    assert outcome(network.problem(url_of(site))) == (422, "url_refused")
    assert len(site.heads) == hops
    assert inside.connections == 0
    assert network.fetch(url_of(site, PRIVATE), allowed=lambda _: True) == PICTURE  # it was there to be found


@pytest.mark.case("X01", "X02")
@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://pictures.example/",
        "gopher://pictures.example:{port}/_",
        "data:text/plain,a",
        "http://user@pictures.example:{port}/",
        "http://pictures.example:22/",
        "//inside.example:{port}/",
        "http://[::1",
        "http://pictures.example:{port}\\@inside.example/",
        "http://pictures.example:{port}\t/",
        "http://pictures.example\xff:{port}/",
    ],
)
def test_redirects_obey_the_rules_for_urls(network: Network, location: str) -> None:
    site = network.site(lambda connection, _: connection.sendall(to(location.format(port=site.port))))
    assert outcome(network.problem(url_of(site))) == (422, "url_refused")
    assert len(site.heads) == 1


def test_three_redirects_are_followed_without_cookies(network: Network) -> None:
    steps = ["b\xc3\xbc?x=1", "//pictures.example:{port}/c", "http://PICTURES.example:{port}/d e#f"]

    def answer(connection: socket.socket, _: str) -> None:
        done = len(site.heads) - 1
        connection.sendall(to(steps[done].format(port=site.port)) if done < len(steps) else ok())

    site = network.site(answer)
    assert network.fetch(f"http://pictures.example:{site.port}/a/a") == PICTURE
    assert [head.split()[1] for head in site.heads] == ["/a/a", "/a/b%C3%BC?x=1", "/c", "/d%20e"]
    assert not any("s3cret" in head or "referer" in head.lower() for head in site.heads)
    assert network.looked_up == ["pictures.example"] * 4


def test_a_fourth_redirect_is_refused(network: Network) -> None:
    site = network.site(to(SECRET))
    assert outcome(network.problem(url_of(site))) == (422, "url_refused")
    assert len(site.heads) == 4


def test_a_redirect_to_nowhere_is_the_other_servers_fault(network: Network) -> None:
    site = network.site(ok(b"", status="302 Found"))
    assert outcome(network.problem(url_of(site))) == (502, "url_failed")


@pytest.mark.case("X02")
def test_the_address_that_was_checked_is_the_one_connected_to(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers otherwise the second time: for one request it is not asked a second time."""
    answers = iter([[PUBLIC], [PRIVATE]])
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(answers)]

    site = network.site(ok())
    inside = network.site(ok(b"private"), PRIVATE, site.port)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert network.fetch(url_of(site), resolve=look_up) == PICTURE
    assert asked == ["pictures.example"]
    assert outcome(network.problem(url_of(site), resolve=look_up)) == (422, "url_refused")
    assert inside.connections == 0


def test_other_addresses_of_a_name_are_tried(network: Network) -> None:
    site = network.site(ok())
    found = ["127.0.0.3", "127.0.0.3", PUBLIC]  # nothing listens at the first
    assert network.fetch(url_of(site), resolve=lambda *_: found, allowed=lambda _: True) == PICTURE
    problem = network.problem(url_of(site), resolve=lambda *_: ["127.0.0.3", "127.0.0.4"], allowed=lambda _: True)
    assert outcome(problem) == (502, "url_failed")


# what is sent back


@pytest.mark.parametrize(
    "answer",
    [
        ok(),
        ok(PICTURE, "X-None: 1"),  # until the connection ends
        ok(PICTURE, "Content-Encoding: Identity"),
        ok(PICTURE + b"more than was said", f"Content-Length: {len(PICTURE)}"),
        chunked(PICTURE),
        chunked(*(PICTURE[i : i + 50] for i in range(0, len(PICTURE), 50))),
        b"HTTP/1.1 100 Continue\r\n\r\n" + ok(),
        b"HTTP/1.0 200\r\n\r\n" + PICTURE,
    ],
)
def test_bytes_come_as_they_are(network: Network, answer: bytes) -> None:
    assert network.fetch(url_of(network.site(answer))) == PICTURE


def test_nothing_and_the_most_are_taken(network: Network) -> None:
    assert network.fetch(url_of(network.site(ok(b"")))) == b""
    full = bytes(MOST)
    for answer in (ok(full), ok(full, "X-None: 1"), chunked(full)):
        assert network.fetch(url_of(network.site(answer))) == full


@pytest.mark.case("X03")
@pytest.mark.parametrize(
    "answer",
    [
        ok(bytes(MOST + 1)),
        ok(bytes(MOST + 1), "X-None: 1"),
        ok(bytes(MOST + 1), "Content-Length: x"),
        ok(bytes(MOST + 1), "Content-Length: -5"),
        ok(b"", "Content-Length: 99999999999999999999"),
        chunked(bytes(MOST + 1)),
        chunked(*[b"a"] * 200, bytes(MOST)),
        ok(b"ffffffffffff\r\n" + bytes(MOST * 2), "Transfer-Encoding: chunked"),
        ok(chunked(bytes(MOST + 1)).partition(b"\r\n\r\n")[2], "Transfer-Encoding: chunked", "Content-Length: 9"),
        endless(ok(b"", "X-None: 1"), bytes(1000)),
        endless(ok(b"", "Transfer-Encoding: chunked"), b"64\r\n" + bytes(100) + b"\r\n"),
    ],
)
def test_more_bytes_than_allowed_are_too_large_whatever_is_said_of_them(network: Network, answer: Any) -> None:
    problem = network.problem(url_of(network.site(answer)))
    assert outcome(problem) == (413, "too_large")
    assert problem.message == f"the file that pictures.example has is larger than {MOST} bytes"


@pytest.mark.case("X03")
@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Encoding: gzip"],
        ["content-encoding: identity", "content-encoding: GZIP"],
        ["Content-Encoding: br"],
        ["Transfer-Encoding: gzip"],
        ["Transfer-Encoding: gzip, chunked"],
    ],
)
def test_what_is_packed_is_not_unpacked(network: Network, headers: list[str]) -> None:
    bomb = gzip.compress(bytes(1 << 20))[:MOST]
    problem = network.problem(url_of(network.site(ok(bomb, *headers))), most_bytes=len(bomb))
    assert outcome(problem) == (422, "url_refused")


@pytest.mark.case("X03")
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 2OO OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        ok(PICTURE, f"Content-Length: {len(PICTURE) + 1}"),  # more is said than comes
        ok(b"", "Content-Length: 5"),
        ok(b"zz\r\nabc", "Transfer-Encoding: chunked"),
        ok(b"-5\r\nabc", "Transfer-Encoding: chunked"),
        ok(b"9\r\nabc", "Transfer-Encoding: chunked"),
        # of all of these there is no end
        endless(b"HTTP/1.1 200 OK\r\n", b"A" * 1000),
        endless(b"HTTP/1.1 200 OK\r\n", b"A: " + b"a" * 60000 + b"\r\n"),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        endless(ok(b"-1\r\n", "Transfer-Encoding: chunked"), bytes(1000)),
        endless(ok(b"1;", "Transfer-Encoding: chunked"), b"a" * 1000),
        endless(ok(b"0\r\n", "Transfer-Encoding: chunked"), b"A: b\r\n"),
    ],
)
def test_broken_answers_are_the_other_servers_fault(network: Network, answer: Any) -> None:
    problem = network.problem(url_of(network.site(answer)))
    assert outcome(problem) == (502, "url_failed")
    assert problem.http_headers() == {"x-should-retry": "false"}


@pytest.mark.parametrize(
    "status", ["204 No Content", "206 Partial", "304 Same", "401 s3cret", "404 s3cret", "503 Busy"]
)
def test_other_answers_than_success_are_told_in_our_words(network: Network, status: str) -> None:
    problem = network.problem(url_of(network.site(ok(b"s3cret", status=status))))
    assert outcome(problem) == (502, "url_failed")


# how long


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


@pytest.mark.case("X03")
@pytest.mark.parametrize(
    "answer",
    [
        silent,
        endless(b"", b"H", 0.02),
        endless(b"HTTP/1.1 200 OK\r\n", b"A", 0.02),
        endless(ok(b"", "Content-Length: 900"), b"a", 0.02),
        endless(ok(b"", "X-None: 1"), b"a", 0.02),
        endless(ok(b"", "Transfer-Encoding: chunked"), b"1\r\na\r\n", 0.02),
    ],
)
def test_slow_answers_end_at_the_deadline(network: Network, answer: Answer) -> None:
    site = network.site(answer)
    with at_most(2):
        problem = network.problem(url_of(site), seconds=0.2)
    assert outcome(problem) == (504, "url_timeout")
    assert problem.http_headers() == {"x-should-retry": "false"}


@pytest.mark.case("X03")
def test_the_deadline_is_one_for_all_redirects(network: Network) -> None:
    def answer(connection: socket.socket, _: str) -> None:
        time.sleep(0.15)
        connection.sendall(to(SECRET))

    site = network.site(answer)
    assert outcome(network.problem(url_of(site), seconds=0.4)) == (504, "url_timeout")
    assert len(site.heads) in (2, 3)  # and no fourth


@pytest.mark.case("X03")
def test_a_slow_look_up_ends_at_the_deadline(network: Network) -> None:
    go_on = threading.Event()
    with at_most(2):
        problem = network.problem("http://pictures.example/", ports={80}, seconds=0.2, resolve=lambda *_: go_on.wait(9))
    go_on.set()
    assert outcome(problem) == (504, "url_timeout")


@contextmanager
def deaf(host: str, port: int = 0) -> Iterator[int]:
    """A port at which connections are neither taken nor refused."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        full.bind((host, port))
        full.listen(0)
        for waiting in (first, second):  # all the room there is
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()[1]


@pytest.mark.case("X03")
def test_a_server_that_does_not_even_accept_ends_at_the_deadline(network: Network) -> None:
    with deaf(PUBLIC) as port, at_most(2):
        problem = network.problem(f"http://pictures.example:{port}/", ports={port}, seconds=0.2)
    assert outcome(problem) == (504, "url_timeout")


def test_an_address_that_does_not_answer_leaves_time_for_the_next(network: Network) -> None:
    site = network.site(ok())
    rules: dict[str, Any] = {"resolve": lambda *_: ["127.0.0.3", PUBLIC], "allowed": lambda _: True}
    with deaf("127.0.0.3", site.port):
        assert network.fetch(url_of(site), seconds=1, **rules) == PICTURE


# TLS


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "certificate.pem"
    path.write_text(CERTIFICATE, encoding="ascii")
    return path


@pytest.fixture
def https(network: Network, certificate: Path) -> tuple[Site, list[str | None]]:
    """A site, and the names by which it was asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    names: list[str | None] = []
    context.sni_callback = lambda _, name, __: names.append(name)

    def answer(connection: socket.socket, _: str) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1000)
            secure.sendall(ok())

    return network.site(answer, waits=False), names


def test_https_proves_the_name_at_the_pinned_address(
    network: Network, https: tuple[Site, list[str | None]], certificate: Path
) -> None:
    site, names = https
    trusting = ssl.create_default_context(cafile=str(certificate))
    url = f"https://pictures.example:{site.port}/"
    assert network.fetch(url, tls=trusting) == PICTURE
    assert names == ["pictures.example"]
    for other in ("inside.example", PUBLIC):  # the same machine by another name
        problem = network.problem(url.replace("pictures.example", other), tls=trusting, resolve=lambda *_: [PUBLIC])
        assert outcome(problem) == (502, "url_failed")
        assert "certificate" in problem.message
    assert outcome(network.problem(url)) == (502, "url_failed")  # the system does not trust it


def test_a_server_without_tls_is_told_from_one_that_is_slow(network: Network) -> None:
    plain = network.site(ok(), waits=False)
    assert outcome(network.problem(f"https://pictures.example:{plain.port}/")) == (502, "url_failed")
    slow = network.site(silent, waits=False)
    with at_most(2):
        problem = network.problem(f"https://pictures.example:{slow.port}/", seconds=0.2)
    assert outcome(problem) == (504, "url_timeout")
