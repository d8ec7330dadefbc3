"""A small-mask edit in a 12-megapixel photo against an edit of a picture of the model's own size, taken in turns.

python benchmarks/maps.py [--repeat 5]

From decoded to composited pictures; reading and writing the files is shown apart.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
from turns import in_turns, seconds

from overpaint import Editor, decode, images
from overpaint.encode import encode

PICTURE = Path(__file__).parent.parent / "examples" / "mountains.jpg"
LARGE = (4000, 3000)
PROMPT = "a meadow below mountains"
OPTIONS = {"strength": 0.6, "steps": 30, "seed": 7, "detail": 0}


def main() -> None:
    """Print medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    photo = decode.load(PICTURE)
    large = images.fit(photo, LARGE, "stretch")
    mask = np.zeros(LARGE[::-1], np.float32)
    mask[2200:2440, 1500:1760] = 1
    with Editor(dtype="float32") as editor:
        side = editor.card.native_size
        small = images.fit(photo, (side, side), "crop")
        work: dict[str, Callable[[], object]] = {
            f"{side}x{side}, no map": lambda: editor.edit(small, PROMPT, **OPTIONS),  # type: ignore[arg-type]
            "12 MP, mask of 260x240": lambda: editor.edit(large, PROMPT, change_map=mask, **OPTIONS),  # type: ignore[arg-type]
        }
        times = in_turns(work, repeat)
        first = statistics.median(next(iter(times.values())))
        for name, taken in times.items():
            print(f"{name:25} {statistics.median(taken):6.2f} s   {statistics.median(taken) / first:.2f}x")
        result = editor.edit(large, PROMPT, change_map=mask, **OPTIONS)  # type: ignore[arg-type]
    png = encode(large.pixels, "PNG")
    print(f"apart: reading its PNG {seconds(lambda: decode.load(png)):.2f} s, ", end="")
    print(f"writing it {seconds(lambda: encode(result.pixels, 'PNG', [result.recipe])):.2f} s")


if __name__ == "__main__":
    main()
