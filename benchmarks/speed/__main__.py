"""The command: measure, tell, and write what was measured; or write again what an earlier run measured."""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.speed import gpu, processes, warm
from benchmarks.speed.field import field_of
from benchmarks.speed.plotting import plot
from benchmarks.speed.report import about, machine, put, table
from benchmarks.speed.results import Item, Run, as_json, from_json
from benchmarks.speed.shapes import SD15, save_random
from benchmarks.speed.turns import Turns
from overpaint.checkpoint import EMBEDDED

NAMES = {"cpu": (*warm.ITEMS, *processes.NAMES), "cuda": tuple(gpu.ITEMS)}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description="Overpaint and diffusers on the same work, in turns."
    )
    parser.add_argument("--device", choices=tuple(NAMES), default="cpu", help="cuda: SD 1.5's shape (default cpu)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"of {', '.join(sum(NAMES.values(), ()))}")
    parser.add_argument("--repeat", type=int, default=5, help="turns (default 5)")
    parser.add_argument("--warm-up", type=int, default=1, help="turns before them that don't count (default 1)")
    parser.add_argument("--read", type=Path, metavar="FILE", help="measure nothing: tell what an earlier run wrote")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a chart")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table into a page, as docs/speed.md")
    args = parser.parse_args()
    names = args.only or NAMES[args.device]
    if unknown := [name for name in names if name not in NAMES[args.device]]:
        parser.error(f"no {', '.join(unknown)} on {args.device}; there are {', '.join(NAMES[args.device])}")
    if args.repeat < 1 or args.warm_up < 0:
        parser.error("at least one turn is measured, after any number of others")
    run(args, names)


def run(args: argparse.Namespace, names: Sequence[str]) -> None:
    """Measure, print and write what is asked for."""
    if args.read is not None:
        measured = from_json(json.loads(args.read.read_text(encoding="utf-8")))
        print(table(measured.items))
    elif args.device == "cuda" and not torch.cuda.is_available():
        print("There is no CUDA here, so the GPU's items are skipped.")
        return
    else:
        items: list[Item] = []
        for item in measure(args.device, names, Turns(args.repeat, args.warm_up)):
            print(table([item]) if not items else "\n".join(table([item]).splitlines()[2:]), flush=True)
            items.append(item)
        measured = Run(args.device, machine(args.device), args.repeat, tuple(items))
    print(f"\n{about(measured)}")
    if args.json is not None:
        args.json.write_text(json.dumps(as_json(measured), indent=1) + "\n", encoding="utf-8")
    if args.page is not None:
        args.page.write_text(put(args.page.read_text(encoding="utf-8"), measured), encoding="utf-8")
    if args.plot is not None:
        plot(measured, args.plot)


def measure(device: str, names: Sequence[str], turns: Turns) -> Iterator[Item]:
    """The items of these names, in the order of ``NAMES``, each as it is done."""
    if device == "cuda":
        with TemporaryDirectory() as folder:
            save_random(Path(folder), SD15, torch.float16)
            with field_of(Path(folder), "cuda", turns) as field:
                yield from (item(field) for name, item in gpu.ITEMS.items() if name in names)
        return
    if any(name in warm.ITEMS for name in names):
        with field_of(EMBEDDED, "cpu", turns) as field:
            yield from (item(field) for name, item in warm.ITEMS.items() if name in names)
    yield from processes.items(names, turns)


if __name__ == "__main__":
    main()
