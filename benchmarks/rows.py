"""What a network row costs by the number of rows in a call: the figure behind the fixed row count on a CPU.

python benchmarks/rows.py [--model FOLDER] [--side 256 384 512] [--rows 1 2 4 8]
"""

import argparse
import statistics
import time

import torch

from overpaint.model import DiffusionModel


def milliseconds_a_call(model: DiffusionModel, side: int, rows: int, repeat: int = 7) -> float:
    """Median time of one UNet call with ``rows`` rows, the first one not counted."""
    model.row_buckets = (rows,)
    cells = side // model.pixels_per_cell
    x = torch.randn(rows, model.channels, cells, cells)
    t = [500.0] * rows
    text = model.encode_text("a lake").states.expand(rows, -1, -1)
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        model.predict(x, t, text)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def main() -> None:
    """Print a line for each size and number of rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--side", type=int, nargs="+", default=[256, 384])
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 2, 4, 8])
    given = parser.parse_args()
    model = DiffusionModel.load(given.model)
    print(f"{model.name}, {model.device}, {model.dtype}, {torch.get_num_threads()} threads")
    print("side  rows  ms a call  ms a row")
    for side in given.side:
        for rows in given.rows:
            ms = milliseconds_a_call(model, side, rows)
            print(f"{side:4}  {rows:4}  {ms:9.1f}  {ms / rows:8.1f}")


if __name__ == "__main__":
    main()
