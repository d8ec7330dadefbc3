"""Where a command writes: names that are free, that are not an input, and whose folder is there."""

from pathlib import Path
from typing import TYPE_CHECKING

from overpaint.cli.options import out
from overpaint.errors import OutputError

if TYPE_CHECKING:
    from PIL import Image

LONGEST_STEM = 60  # characters of a name made from a prompt or an input


def plan(target: Path | None, default: str, inputs: list[Path], count: int = 1, compare: bool = False) -> list[Path]:
    """The files a command will write: ``count`` results, then the sheet of ``--compare``.

    A name the user gave is taken as it is, but never an input's. A default name is numbered until none of its files is
    there, so it never overwrites anything.
    """
    from overpaint.encode import check_target

    if target is None:
        stem, suffix = Path(default).stem[:LONGEST_STEM], Path(default).suffix
        number, base = 2, Path(f"{stem}{suffix}")
        while any(p.exists() for p in _expanded(base, count, compare)):
            base = Path(f"{stem}-{number}{suffix}")
            number += 1
    else:
        base = target
    paths = _expanded(base, count, compare)
    for path in paths:
        if any(path.resolve() == i.resolve() for i in inputs):
            raise OutputError(f"{path} is the input; name another output")
        check_target(path)
    return paths


def write_sheet(page: "Image.Image", path: Path, words: str) -> None:
    """Write a sheet of pictures, and say so."""
    import numpy as np

    from overpaint import images

    images.save(np.asarray(page), path)
    say(path, words)


def say(path: Path, words: str) -> None:
    """A line about a file that was written."""
    out.print(f"{path}  {words}", soft_wrap=True, markup=False)


def _expanded(base: Path, count: int, compare: bool) -> list[Path]:
    results = [base] if count == 1 else [base.with_stem(f"{base.stem}-{i + 1}") for i in range(count)]
    return [*results, base.with_stem(f"{base.stem}-compare")] if compare else results
