"""The server's log: one line a happening on standard error, as a JSON object for programs or as text for people.

    {"time": "2026-11-26T12:00:00.000Z", "level": "info", "logger": "overpaint.server.run", "message": "ready", ...}

``extra=`` of a logging call become fields of their own, and the id of the request at hand is one where there is one.
What would steer a terminal or fake a line is spelt out, whoever wrote it. Prompts, pictures and keys are never logged,
which is up to those who log.
"""

import json
import logging
import sys
import threading
import time
from typing import Any, Literal

from overpaint.recipe import plain
from overpaint.server.exchange import REQUEST_ID

LogFormat = Literal["json", "text"]

MAX_MESSAGE, MAX_LINE, MAX_LINES = 4000, 500, 200  # characters of a message; of a traceback's line; lines of it
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}  # what is no `extra`
_QUIET = ("uvicorn", "uvicorn.error")  # that tell of each start and end in words of their own
_TAKEN = {"color_message"}  # uvicorn's extra, of escapes only


def default_format() -> LogFormat:
    """Text where a person looks on, JSON where a program does."""
    return "text" if sys.stderr.isatty() else "json"


def configure(format: LogFormat | None = None) -> None:
    """Send all logs of this process to standard error. For the program's start: it replaces what was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if (format or default_format()) == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in (*_QUIET, "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING if name in _QUIET else logging.INFO)
    logging.captureWarnings(True)
    threading.excepthook = _log_thread


def _log_thread(told: threading.ExceptHookArgs) -> None:
    """A thread that dies of an error is told of like anything else."""
    if told.exc_value is None or issubclass(told.exc_type, SystemExit):
        return
    name = told.thread.name if told.thread else "a thread"
    error = (told.exc_type, told.exc_value, told.exc_traceback)
    logging.getLogger("overpaint").error("%s ended by an error", name, exc_info=error)


class JsonLines(logging.Formatter):
    """A record as one JSON object on one line of ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.fields(record), default=plain, allow_nan=False)

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """What is told of a record, in the order in which it is told."""
        told: dict[str, Any] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": plain(record.getMessage(), MAX_MESSAGE),
        }
        if id := REQUEST_ID.get():
            told["request_id"] = plain(id)
        for name, value in vars(record).items():
            if name not in _OWN and name not in _TAKEN:
                told.setdefault(name, _value(value))
        if text := self._traceback(record):
            told["traceback"] = text
        return told

    def _traceback(self, record: logging.LogRecord) -> str:
        if not record.exc_info or record.exc_info[1] is None:
            return ""
        lines = self.formatException(record.exc_info).splitlines()
        kept = lines if len(lines) <= MAX_LINES else [*lines[: MAX_LINES // 2], "...", *lines[-MAX_LINES // 2 :]]
        return "\n".join(_indented(line) for line in kept)


class TextLines(JsonLines):
    """The same for people: a traceback's lines are indented, so that none can be taken for a record."""

    def format(self, record: logging.LogRecord) -> str:
        told = self.fields(record)
        when, level, message = told.pop("time"), told.pop("level"), told.pop("message")
        told.pop("logger")
        traceback = told.pop("traceback", "")
        rest = "".join(f"  {name}={_word(value)}" for name, value in told.items())
        lines = [f"{when} {level:8}{message}{rest}", *(f"    {line}" for line in traceback.splitlines())]
        return "\n".join(lines)


def _time(seconds: float) -> str:
    """RFC 3339, UTC."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03}Z"


def _value(value: Any) -> Any:
    """What JSON has a word for as it is, anything else in words."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6) if abs(value) < float("inf") else str(value)
    if isinstance(value, list | tuple):
        return [_value(one) for one in value]
    return plain(value, MAX_MESSAGE)


def _word(value: Any) -> str:
    if isinstance(value, list):
        value = ",".join(map(str, value))
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or '"' in text else text


def _indented(line: str) -> str:
    """Spelt out, with its indentation: `plain` puts spaces together."""
    inner = line.lstrip(" ")
    return " " * min(len(line) - len(inner), 80) + plain(inner, MAX_LINE)
