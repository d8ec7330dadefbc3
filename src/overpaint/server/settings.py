"""``Settings``: how a server is run. Each limit is defined here once, for command line, docs and code alike."""

import os
from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from overpaint.errors import ParameterError

DEFAULT_PORT = 7860  # where the clients of AUTOMATIC1111's API look first
_HOUR = 3600.0


def _setting(default: Any, help: str, low: float | None = None, high: float | None = None) -> Any:
    return field(default=default, metadata={"help": help, "low": low, "high": high})


def default_folder() -> Path:
    """Where jobs and results are kept if nothing is said: ``$XDG_DATA_HOME/overpaint``."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "overpaint"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Raises ``ParameterError`` naming the setting, its value and its range.

    The model, its device and dtype are not among them: who makes the ``Editor`` chooses those.
    """

    host: str = _setting("127.0.0.1", "The address to listen on; any but loopback needs --key-file.")
    port: int = _setting(DEFAULT_PORT, "The port; 0 takes a free one, and says which.", 0, 65535)
    folder: Path = _setting(None, "Where jobs, inputs and results are kept.")
    database: str | None = _setting(None, "postgresql://USER@HOST/NAME instead of SQLite in --folder.")
    allowed_hosts: tuple[str, ...] = _setting((), "Names by which this server is reached, beside loopback's.")
    allowed_origins: tuple[str, ...] = _setting((), "Origins (https://name) whose pages may use it, beside its own.")
    image_urls: bool = _setting(False, "Let requests name pictures by URL; private addresses stay out of reach.")

    queue: int = _setting(1000, "Jobs that may wait.", 1, 1_000_000)
    queue_of_key: int = _setting(500, "Jobs of one API key that may wait.", 1, 1_000_000)
    in_flight: int = _setting(16, "Jobs that are worked on at once; three quarters at most are one key's.", 1, 256)
    most_work: float = _setting(100.0, "Gigapixels times network rows that one request may ask for.", 0.001, 1e6)
    body_megabytes: int = _setting(64, "A request's size.", 1, 2048)
    uploads: int = _setting(32, "Requests with a body that are taken in at once.", 1, 1024)
    body_seconds: float = _setting(120.0, "In which a request's body must have come.", 0.1, _HOUR)
    header_seconds: float = _setting(10.0, "In which a request's head must have come.", 0.1, _HOUR)

    decoders: int = _setting(2, "Worker processes that read and write pictures.", 1, 64)
    decode_seconds: float = _setting(20.0, "For one picture to be read in.", 0.1, _HOUR)
    encode_seconds: float = _setting(120.0, "For one result to be written in.", 0.1, _HOUR)
    decode_megabytes: int = _setting(2048, "Of memory, for one picture to be read or written in.", 256, 65536)
    cache_megabytes: int = _setting(512, "Of memory for pictures that were read and may be asked for again.", 0, 65536)

    deadline_seconds: float = _setting(24 * _HOUR, "After which a job that is not done is given up.", 1, 720 * _HOUR)
    result_hours: float = _setting(24.0, "That jobs, results and sent pictures are kept.", 0.001, 10_000)
    result_gigabytes: float = _setting(10.0, "Of results that are kept; the oldest go first.", 0.001, 1_000_000)
    drain_seconds: float = _setting(60.0, "For running jobs to end in when the server is stopped.", 0, _HOUR)

    def __post_init__(self) -> None:
        if cast("Path | None", self.folder) is None:
            object.__setattr__(self, "folder", default_folder())
        for f, told in settings():
            value, low, high = getattr(self, f.name), told["low"], told["high"]
            if low is not None and not low <= value <= high:
                raise ParameterError(f.name, f"is {value}, must be from {low:g} to {high:g}")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in ("127.0.0.1", "::1", "localhost")


def settings() -> Iterator[tuple[Field[Any], dict[str, Any]]]:
    """The settings with what is known of them: help, low, high."""
    for f in fields(Settings):
        yield f, dict(f.metadata)
