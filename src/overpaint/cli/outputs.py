"""Where a command writes: names that are free, that are not an input, and whose folder is there."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overpaint.cli.console import STDOUT, Report
from overpaint.errors import OutputError, ParameterError
from overpaint.params import MAX_COUNT

if TYPE_CHECKING:
    from PIL import Image

    from overpaint.recipe import Recipe
    from overpaint.result import EditResult

LONGEST_STEM = 60  # characters of a name made from a prompt or an input
FORMATS = ("png", "jpg", "webp", "tif")

Identity = tuple[int, int]  # device and number of a file

OutOption = Annotated[
    str | None,
    typer.Option(
        "--out", "-o", help="A file, whose ending says the format; a folder, for several; or - for standard output."
    ),
]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        help=f"What is written where no ending says it: {', '.join(FORMATS)}.",
        autocompletion=lambda incomplete: [f for f in FORMATS if f.startswith(incomplete)],
    ),
]


@dataclass(frozen=True)
class Files:
    """The files that one input leads to: its results, and the sheet of ``--compare`` if that is wanted."""

    results: list[Path]
    compare: Path | None = None

    @property
    def all(self) -> list[Path]:
        return self.results if self.compare is None else [*self.results, self.compare]


@dataclass(frozen=True)
class Wish:
    """What the user wants written: ``out`` as it was given, how many results of an input, and the sheet beside them."""

    out: str | None
    suffix: str = ".png"
    count: int = 1
    compare: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_COUNT:
            raise ParameterError("count", f"is {self.count}, must be from 1 to {MAX_COUNT}")


def plan(
    wish: Wish, inputs: Sequence[Path | None], name_as: str = "{}-edit", also_read: Sequence[Path] = ()
) -> list[Files]:
    """The files that will be written, for each input; checked, so that nothing is lost after the work is done.

    A file the user named is taken as it is, but never an input's. A name of our making (``name_as``, or in a folder
    just the input's own) is numbered until nothing is there, so it never overwrites anything.
    """
    from overpaint.encode import check_target

    if wish.out == STDOUT:
        return [_to_stdout(wish, inputs)]
    out = None if wish.out is None else Path(wish.out)
    there = {_identity(picture) for picture in (*inputs, *also_read)} - {None}
    if out is not None and not _is_folder(wish.out or "", inputs):
        if len(inputs) > 1:
            raise OutputError(f"{out} is one file, and there are {len(inputs)} pictures: name a folder, -o {out.stem}/")
        planned = [_expanded(out, wish)]
        for path in planned[0].all:
            if not wish.overwrite and _identity(path) in there:
                raise OutputError(f"{path} is the input; name another output, or say --overwrite")
    else:
        folder, pattern = (Path(), name_as) if out is None else (out, "{}")
        planned, taken = [], set[Path]()
        for picture in inputs:
            base = folder / f"{pattern.format(_stem(picture))[:LONGEST_STEM]}{wish.suffix}"
            planned.append(_free(base, wish, taken, there - {_identity(picture)}))
            taken |= set(planned[-1].all)
    for files in planned:
        for path in files.all:
            check_target(path)
    return planned


def suffix_of(name: str) -> str:
    """The ending for a ``--format``."""
    if name.lower().removeprefix(".") not in FORMATS:
        raise ParameterError("format", f"is {name!r}, must be one of {', '.join(FORMATS)}")
    return "." + name.lower().removeprefix(".")


def deliver(result: "EditResult", path: Path, suffix: str) -> None:
    """Write a result where it goes."""
    if str(path) == STDOUT:
        from overpaint.encode import WRITTEN, encode

        deliver_file(encode(result.pixels, WRITTEN[suffix], [result.recipe]), path)
    else:
        result.save(path)


def deliver_file(data: bytes, path: Path) -> None:
    """Write a result that is a file's bytes already."""
    if str(path) == STDOUT:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        from overpaint.encode import write_atomically

        write_atomically(path, data)


def write_sheet(
    page: "Image.Image", path: Path, report: Report, words: str, recipes: "Sequence[Recipe]" = (), **facts: Any
) -> None:
    """Write a sheet of pictures with the recipes of its edits, and say so; ``facts`` are for scripts."""
    import numpy as np

    from overpaint.encode import save

    save(np.asarray(page), path, recipes)
    report.wrote(path, words, sheet=[recipe.as_dict(numbers=False) for recipe in recipes], **facts)


def _to_stdout(wish: Wish, inputs: Sequence[Path | None]) -> Files:
    if wish.count > 1 or wish.compare or len(inputs) > 1:
        raise OutputError("standard output takes one picture; name a folder for several")
    if sys.stdout.isatty():
        raise OutputError("standard output is a terminal; send the picture on (| or >), or name a file")
    return Files([Path(STDOUT)])


def _is_folder(out: str, inputs: Sequence[Path | None]) -> bool:
    """A folder that is there or is meant: it ends with a slash, or there are several inputs and it has no ending."""
    path = Path(out)
    return path.is_dir() or out.endswith(("/", os.sep)) or (len(inputs) > 1 and not path.suffix and not path.exists())


def _stem(picture: Path | None) -> str:
    return "picture" if picture is None or str(picture) == STDOUT else picture.stem


def _expanded(base: Path, wish: Wish) -> Files:
    many = [base.with_stem(f"{base.stem}-{i + 1}") for i in range(wish.count)]
    compare = base.with_stem(f"{base.stem}-compare") if wish.compare else None
    return Files([base] if wish.count == 1 else many, compare)


def _free(base: Path, wish: Wish, taken: set[Path], others: set[Identity | None]) -> Files:
    """The first numbering of ``base`` that touches nothing: no file that is there, no other input, none planned."""

    def is_free(path: Path) -> bool:
        found = _identity(path)
        return path not in taken and (found is None or (wish.overwrite and found not in others))

    number, files = 2, _expanded(base, wish)
    while not all(is_free(path) for path in files.all):
        files = _expanded(base.with_stem(f"{base.stem}-{number}"), wish)
        number += 1
    return files


def _identity(path: Path | None) -> Identity | None:
    """What a file is by whatever name (a link, another spelling); None if there is none."""
    try:
        status = None if path is None else path.stat()
    except (OSError, ValueError):
        return None
    return None if status is None else (status.st_dev, status.st_ino)
