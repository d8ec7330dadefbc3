"""The command: measure, print the table, and write it with its numbers and curves."""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.edits.editors import Edits, Ours, noise, unmoved
from benchmarks.edits.places import cases
from benchmarks.edits.plotting import plot
from benchmarks.edits.report import about_the_judge, as_card, as_json, lines_of, table
from benchmarks.edits.scoring import reference_features, scored
from overpaint.describe import Judge
from overpaint.editor import Editor

STRENGTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edits", description="Edits against their true answers.")
    parser.add_argument("--model", default="embedded", help="a model folder")
    parser.add_argument("--places", type=int, default=4, help="held-out places; each is edited in 8 ways (default 4)")
    parser.add_argument(
        "--size", type=int, default=256, help="pixels a side (default 256: quick, also for large models)"
    )
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--detail", default="0", help="a number, or 'preset' for each preset's own (default 0: SDEdit)")
    parser.add_argument("--broken", choices=("unmoved", "noise", "deaf"), help="a broken editor instead, as a control")
    parser.add_argument("--out", type=Path, default=Path("bench-edits"), help="folder for table.md, .json and .png")
    run(parser.parse_args())


def run(args: argparse.Namespace) -> None:
    """Measure one editor, print and write what came out."""
    judge = Judge.load()
    with Editor(args.model) as editor:
        options: dict[str, Any] = {"steps": args.steps, "size": (args.size, args.size)}
        if args.detail != "preset":
            options["detail"] = float(args.detail)
        edits: dict[str | None, Edits] = {
            None: Ours(editor, args.seed, options),
            "deaf": Ours(editor, args.seed, options, deaf=True),
            "unmoved": unmoved,
            "noise": noise,
        }
        found = scored(cases(args.places, args.size), STRENGTHS, edits[args.broken], judge)
        name = args.broken or editor.card.name
    lines = lines_of(found, reference_features(judge))
    what = f"{name}, {args.places} held-out places of {args.size} px, {args.steps} steps, seed {args.seed}, "
    what += f"detail {args.detail}"
    page = f"{what}\n\n{table(lines)}\n\n{about_the_judge(judge)}\n\n```toml\n{as_card(lines)}\n```\n"
    print(page, end="")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "table.md").write_text(page, encoding="utf-8")
    (args.out / "table.json").write_text(json.dumps(as_json(lines, found), indent=1) + "\n", encoding="utf-8")
    plot(lines, args.out / "table.png", what)


if __name__ == "__main__":
    main()
