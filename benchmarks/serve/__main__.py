"""The command: measure, tell, and write what was measured; or write again what an earlier run measured."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.serve import overhead, soak, traffic
from benchmarks.serve.entrants import POLICIES, Policy
from benchmarks.serve.plotting import plot
from benchmarks.serve.report import put, summary
from benchmarks.serve.results import Plan, Run, as_json, from_json
from benchmarks.serve.watching import PROC
from benchmarks.speed.report import machine
from overpaint.encode import write_atomically

ITEMS = (*traffic.ITEMS, "overhead", "soak")
PLAN = Plan()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serve", description="Our server and diffusers behind HTTP on the same traffic."
    )
    parser.add_argument("--only", nargs="+", metavar="ITEM", help=f"of {', '.join(ITEMS)}")
    parser.add_argument("--repeat", type=int, default=PLAN.repeat, help=f"turns (default {PLAN.repeat})")
    parser.add_argument("--edits", type=int, default=PLAN.edits, help=f"in each loop of a turn (default {PLAN.edits})")
    parser.add_argument("--clients", type=int, default=PLAN.clients, help=f"closed loop (default {PLAN.clients})")
    parser.add_argument("--load", type=float, default=PLAN.load, help=f"open loop, of capacity (default {PLAN.load})")
    parser.add_argument("--seed", type=int, default=PLAN.seed, help="of the traffic (default 0)")
    parser.add_argument("--soak", type=float, default=5.0, metavar="MINUTES", help="(default 5)")
    policies = f"OMP_WAIT_POLICY, some of {','.join(POLICIES)}"
    parser.add_argument("--ours", default="default", help=f"{policies}: the first has the goals (default: as it comes)")
    parser.add_argument(
        "--peer", default="default,passive", help=f"{policies}: the better is taken (default %(default)s)"
    )
    parser.add_argument(
        "--read", type=Path, metavar="FILE", help="tell what an earlier run wrote; --only replaces items"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a chart")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the tables into a page")
    args = parser.parse_args()
    if not (PROC / "self" / "stat").exists():
        parser.error("processes are watched in /proc, which is not here")
    names = args.only or ([] if args.read else list(ITEMS))
    if unknown := [name for name in names if name not in ITEMS]:
        parser.error(f"no {', '.join(unknown)}; there are {', '.join(ITEMS)}")
    if args.repeat < 1 or args.edits < 2 or args.clients < 1 or args.soak <= 0 or args.load <= 0:
        parser.error("at least one turn of two edits by one client is measured, and no time or load is 0")
    for given in (args.ours, args.peer):
        if unknown := [name for name in given.split(",") if name not in POLICIES]:
            parser.error(f"no wait policy {', '.join(unknown)}; there are {', '.join(POLICIES)}")
    run(args, names)


def run(args: argparse.Namespace, names: Sequence[str]) -> None:
    """Measure, print and write what is asked for. What an earlier run measured is kept where it is not measured now."""
    plan = Plan(args.edits, args.clients, args.load, repeat=args.repeat, seed=args.seed)
    if args.read is not None:
        measured = from_json(json.loads(args.read.read_text(encoding="utf-8")))
        if names and dict(measured.machine) != machine("cpu"):
            raise SystemExit(
                f"{args.read} was measured on another machine; its numbers do not go with those of this one"
            )
    else:
        measured = Run("cpu", machine("cpu"), plan)
    for changed in measure(args, names, plan, measured):
        measured = changed
        if args.json is not None:  # after every item, so that a run that is cut short leaves what it measured
            write_atomically(args.json, (json.dumps(as_json(measured), indent=1) + "\n").encode())
    print(f"\n{summary(measured)}")
    if args.json is not None and not names:
        write_atomically(args.json, (json.dumps(as_json(measured), indent=1) + "\n").encode())
    if args.page is not None:
        args.page.write_text(put(args.page.read_text(encoding="utf-8"), measured), encoding="utf-8")
    if args.plot is not None:
        plot(measured, args.plot)


def measure(args: argparse.Namespace, names: Sequence[str], plan: Plan, run: Run) -> Iterator[Run]:
    """The run with each of these items in it, as they are done."""
    ours = traffic.ours(policies_of(args.ours))
    first = ours[0]
    contests = [name for name in names if name in traffic.ITEMS]
    if contests:
        theirs, trials = traffic.theirs(policies_of(args.peer), plan)
        measuring = traffic.Traffic(plan, contests)
        found = measuring.of([*ours, *theirs])
        run = replace(run, plan=plan, entrants=tuple(found), rate=measuring.rate, trials=trials)
        yield run
    if "overhead" in names:
        run = replace(run, overhead=overhead.measure(first, plan))
        yield run
    if "soak" in names:
        run = replace(run, soak=soak.soak(first, args.soak, plan.seed))
        yield run


def policies_of(text: str) -> list[Policy]:
    """As they are written with commas, which were checked."""
    return [policy for name in text.split(",") for policy in POLICIES if policy == name]


if __name__ == "__main__":
    main()
