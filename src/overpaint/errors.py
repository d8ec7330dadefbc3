"""Every error that Overpaint raises on purpose.

    OverpaintError
    |-- ParameterError    (ValueError)    a parameter is out of range or unknown          exit 2
    |-- ImageError        (ValueError)    a picture cannot be read or used                exit 1
    |-- RecipeError       (ValueError)    a picture holds no recipe that can be used      exit 1
    |-- OutputError       (OSError)       a result cannot be written                      exit 2
    |   `-- DiskFullError                 there is no room for it                         exit 4
    |-- ModelError        (OSError)       a model folder cannot be loaded                 exit 3
    |-- StoreError        (OSError)       the server's database or folder cannot be used  exit 2
    |   |-- StoreFullError                there is no room in it                          exit 4
    |   `-- FolderInUseError              another server works in it                      exit 5
    |-- QueueFullError                    too many jobs are waiting already               exit 1
    |-- KeyReusedError    (ValueError)    an idempotency key came with another request    exit 2
    |-- SandboxError      (RuntimeError)  no worker process can be had for a picture      exit 1
    |-- ServerError       (RuntimeError)  a server is not there, or does not do it        exit 1
    |-- EditFailed        (RuntimeError)  the network failed or gave numbers of no use    exit 1
    `-- EditCancelled                     the edit was cancelled by its owner             exit 130

A message says what was wrong, where, and what would be right. ``exit_code`` is what the command line ends with.
"""

from collections.abc import Sequence
from typing import Literal, get_args


class OverpaintError(Exception):
    """Base of all errors of this package."""

    exit_code = 1
    index: int | None = None  # of the request that failed, among those of an `edit_many`
    notes: Sequence[str] = ()  # what else was worth telling, up to where it failed


class ParameterError(OverpaintError, ValueError):
    """A parameter is out of its range, of the wrong type, or not known. ``name`` is the parameter."""

    exit_code = 2

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


# what is wrong with a picture, for programs: "empty": there are no bytes; "format": it is of a format that is not read,
# or no picture at all; "too_large": more bytes or pixels than are taken; "unusable": anything else
ImageKind = Literal["unusable", "empty", "format", "too_large"]
IMAGE_KINDS: tuple[ImageKind, ...] = get_args(ImageKind)


class ImageError(OverpaintError, ValueError):
    """A picture cannot be read, or its array has a shape, type or range that is not taken."""

    def __init__(self, message: str, *, kind: ImageKind = "unusable") -> None:
        super().__init__(message)
        self.kind: ImageKind = kind


class RecipeError(OverpaintError, ValueError):
    """A picture holds no recipe, or one that cannot be used."""


class OutputError(OverpaintError, OSError):
    """A result cannot be written where it should go."""

    exit_code = 2


class DiskFullError(OutputError):
    """There is no room for a result; what was written before it is whole."""

    exit_code = 4


class ModelError(OverpaintError, OSError):
    """A model folder is missing, incomplete, or not of a family that is supported."""

    exit_code = 3


class StoreError(OverpaintError, OSError):
    """The server's database or data folder cannot be opened, read or written."""

    exit_code = 2


class StoreFullError(StoreError):
    """There is no room in the server's database; what was accepted before it is kept."""

    exit_code = 4


class FolderInUseError(StoreError):
    """Another server works in this data folder, or with this database."""

    exit_code = 5


class QueueFullError(OverpaintError):
    """As many jobs are waiting as may; ``of_owner`` says whether that is one client's limit or everybody's."""

    def __init__(self, waiting: int, of_owner: bool) -> None:
        super().__init__(f"{waiting} jobs {'of yours ' if of_owner else ''}are waiting already, no more are taken now")
        self.waiting = waiting
        self.of_owner = of_owner


class KeyReusedError(OverpaintError, ValueError):
    """An idempotency key came again, and with another request than the first time."""

    exit_code = 2


class SandboxError(OverpaintError, RuntimeError):
    """No worker process can be started, or the server is ending: nothing that a picture is to blame for."""


class ServerError(OverpaintError, RuntimeError):
    """A server cannot be reached, has no room, or refuses what it was asked for."""

    def __init__(
        self, message: str, *, status: int | None = None, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status  # of HTTP; None where there was no answer
        self.code = code
        self.param = param


class EditFailed(OverpaintError, RuntimeError):
    """The network raised, or its numbers were not finite."""


class EditCancelled(OverpaintError):
    """The edit was cancelled before it was done."""

    exit_code = 130


def as_ours(error: BaseException) -> OverpaintError:
    """Errors of ours as they are; anything else as ``EditFailed`` with its cause."""
    if isinstance(error, OverpaintError):
        return error
    failed = EditFailed(f"{type(error).__name__}: {error}")
    failed.__cause__ = error
    return failed


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was no room: PyTorch says so in several ways, by the device and the library it was in."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = ("out of memory", "not enough memory", "can't allocate memory", "ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)
