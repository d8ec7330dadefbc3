"""Where the server listens, and that it is open to everybody only where somebody said so."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from overpaint.errors import ParameterError
from overpaint.server.keys import Keys
from overpaint.server.settings import Settings

BACKLOG = 2048  # connections that wait to be accepted


def check_door(settings: Settings, keys: Keys | None, insecure: bool) -> None:
    """Raises ``ParameterError`` if everybody who reaches this machine could use the server, and nobody said so."""
    if settings.is_loopback or keys is not None or insecure:
        return
    raise ParameterError(
        "host",
        f"is {settings.host}, where everybody who reaches this machine could use the server; give --key-file with a "
        "key for each client, or --insecure if that is what you want",
    )


def url_of(host: str, port: int) -> str:
    """The address of a server, without a path."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def listening(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Open sockets, one for each address of ``host`` that can be had, all with the port of the first.

    Raises ``ParameterError`` where there is none.
    """
    opened: list[socket.socket] = []
    refused: OSError | None = None
    try:
        for family, address in _addresses(host, port):
            taken = opened[0].getsockname()[1] if opened else port
            try:
                opened.append(socket.create_server((address, taken), family=family, backlog=BACKLOG))
                # for what is accepted there: or the end of each answer waits for the client's word on its beginning
                opened[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as e:  # a name of both kinds, where the system has one of them
                refused = refused or e
        if not opened:
            raise ParameterError("port", f"{port} at {host} cannot be listened on: {refused and refused.strerror}")
        yield opened
    finally:
        for one in opened:
            one.close()


def _addresses(host: str, port: int) -> list[tuple[int, str]]:
    """What a name stands for, as families and addresses."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as e:
        raise ParameterError("host", f"is {host!r}, which is no address or name here: {e.strerror}") from e
    return list(dict.fromkeys((int(family), str(address[0])) for family, _, _, _, address in found))
