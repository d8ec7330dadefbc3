"""Every error that Overpaint raises on purpose.

    OverpaintError
    |-- ParameterError    (ValueError)    a parameter is out of range or unknown          exit 2
    |-- ImageError        (ValueError)    a picture cannot be read or used                exit 1
    |-- RecipeError       (ValueError)    a picture holds no recipe that can be used      exit 1
    |-- OutputError       (OSError)       a result cannot be written                      exit 2
    |   `-- DiskFullError                 there is no room for it                         exit 4
    |-- ModelError        (OSError)       a model folder cannot be loaded                 exit 3
    |-- EditFailed        (RuntimeError)  the network failed or gave numbers of no use    exit 1
    `-- EditCancelled                     the edit was cancelled by its owner             exit 130

A message says what was wrong, where, and what would be right. ``exit_code`` is what the command line ends with.
"""


class OverpaintError(Exception):
    """Base of all errors of this package."""

    exit_code = 1
    index: int | None = None  # of the request that failed, among those of an `edit_many`


class ParameterError(OverpaintError, ValueError):
    """A parameter is out of its range, of the wrong type, or not known. ``name`` is the parameter."""

    exit_code = 2

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class ImageError(OverpaintError, ValueError):
    """A picture cannot be read, or its array has a shape, type or range that is not taken."""


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


class EditFailed(OverpaintError, RuntimeError):
    """The network raised, or its numbers were not finite."""


class EditCancelled(OverpaintError):
    """The edit was cancelled before it was done."""

    exit_code = 130


def as_ours(error: Exception) -> OverpaintError:
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
