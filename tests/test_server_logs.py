"""The server's log: a record is one line, whoever wrote it, and nothing in it steers a terminal."""

import json
import logging
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from overpaint.server import exchange, logs

EVIL = 'a\x1b[31mred\x1b[0m\nlevel=error\r\n\x07\u202e"quoted" \ud800'


@pytest.fixture
def untouched() -> Iterator[None]:
    """The logging of the process as it was before."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, threading.excepthook
    yield
    root.handlers[:], threading.excepthook = handlers, hook
    root.setLevel(level)
    logging.captureWarnings(False)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def record(message: str, *args: object, error: BaseException | None = None, **extra: Any) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    logger = logging.getLogger("overpaint.test")
    return logger.makeRecord("overpaint.test", logging.WARNING, "f.py", 1, message, args, info, extra=extra)


def as_json(told: logging.LogRecord) -> dict[str, Any]:
    line = logs.JsonLines().format(told)
    assert line.isascii()
    assert "\n" not in line
    fields: dict[str, Any] = json.loads(line)
    return fields


def raised() -> BaseException:
    try:
        raise ValueError(EVIL)
    except ValueError as e:
        return e


def test_a_record_is_an_object_on_a_line() -> None:
    told = as_json(record("%d jobs", 3, job="abc", seconds=0.12345678, layers=("a", "b"), nothing=None))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told == {
        "level": "warning",
        "logger": "overpaint.test",
        "message": "3 jobs",
        "job": "abc",
        "seconds": 0.123457,
        "layers": ["a", "b"],
        "nothing": None,
    }


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), object(), {"a": EVIL}, b"\x1b"])
def test_any_value_can_be_told(bad: object) -> None:
    assert isinstance(as_json(record("x", value=bad))["value"], str)


def test_extra_cannot_replace_what_is_ours() -> None:
    assert as_json(record("x", level="info", time="never", logger="no"))["level"] == "warning"


@pytest.mark.case("P04")
@pytest.mark.parametrize("lines", [logs.JsonLines(), logs.TextLines()])
def test_nothing_steers_a_terminal_or_fakes_a_line(lines: logging.Formatter) -> None:
    text = lines.format(record("said %s", EVIL, value=EVIL))
    assert len(text.splitlines()) == 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202e\ud800]", text)
    assert r"\x1b[31mred" in text.replace(r"\\x1b", r"\x1b")
    text.encode()  # no half characters


@pytest.mark.case("P04")
def test_a_traceback_is_one_field() -> None:
    told = as_json(record("oh", error=raised()))
    lines = told["traceback"].splitlines()
    assert lines[0].startswith("Traceback (most recent call last)")
    assert lines[1].startswith("  File ")
    assert any(line.startswith(r"ValueError: a\x1b[31mred") for line in lines)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", told["traceback"])


def test_a_traceback_as_text_is_indented() -> None:
    first, *rest = logs.TextLines().format(record("oh", error=raised())).splitlines()
    assert re.match(r"\S+Z warning +oh", first)
    assert len(rest) > 2
    assert all(line.startswith("    ") for line in rest)


def test_a_very_long_traceback_is_cut() -> None:
    def deep(n: int) -> None:
        if n == 0:
            raise ValueError("x" * 100_000)
        (lambda: deep(n - 1))()

    with pytest.raises(ValueError) as caught:
        deep(250)
    assert len(as_json(record("oh", error=caught.value))["traceback"]) < 120_000


def test_the_request_at_hand_is_named() -> None:
    assert "request_id" not in as_json(record("x"))
    token = exchange.REQUEST_ID.set("r-1")
    try:
        assert as_json(record("x"))["request_id"] == "r-1"
        assert "request_id=r-1" in logs.TextLines().format(record("x"))
    finally:
        exchange.REQUEST_ID.reset(token)


def test_all_loggers_go_the_same_way(untouched: None, capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    logs.configure("json")  # twice is as once
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 1)
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("overpaint.server").info("ours")
    warnings.simplefilter("always")
    warnings.warn("look out", stacklevel=1)

    def die() -> None:
        raise OSError("in a thread")

    thread = threading.Thread(target=die, name="worker")
    thread.start()
    thread.join()
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [(t["logger"], t["level"]) for t in told] == [
        ("uvicorn.error", "warning"),
        ("overpaint.server", "info"),
        ("py.warnings", "warning"),
        ("overpaint", "error"),
    ]
    assert told[-1]["message"] == "worker ended by an error"
    assert "OSError: in a thread" in told[-1]["traceback"]


def test_the_format_follows_where_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_terminal, expected in ((True, "text"), (False, "json")):
        monkeypatch.setattr(sys.stderr, "isatty", lambda is_terminal=is_terminal: is_terminal)
        assert logs.default_format() == expected


def test_importing_it_changes_nothing() -> None:
    code = (
        "import logging, threading; h = threading.excepthook; import overpaint.server.logs; "
        "print(logging.getLogger().handlers, logging.getLogger('uvicorn').handlers, h is threading.excepthook)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] [] True"
