"""Edits by a server: run `overpaint serve` in another terminal or on another machine, then this with its URL."""

import sys
from pathlib import Path

from overpaint.params import EditParams
from overpaint.remote import Remote

HERE = Path(__file__).parent


def show(step: int, steps: int) -> None:
    """Called as the server tells how far it is."""
    print(f"step {step} of {steps}")


def main(url: str = "http://127.0.0.1:7860") -> None:
    """Four edits at once, one for each seed; they share the server's batches with everybody else's."""
    params = EditParams(prompt="Same scene at sunset, mountains above a meadow", preset="scene", seed=7)
    with Remote(url) as remote:
        jobs = remote.submit_many(HERE / "mountains.jpg", params, count=4)  # stored there from here on
        for job in jobs:
            done = remote.follow(job, show)
            path = Path(f"sunset-{done['seed']}.png")
            path.write_bytes(remote.result(done))
            print(f"{path}: started at t = {done['t0']}, {done['facts']['steps_run']} steps")


if __name__ == "__main__":
    main(*sys.argv[1:])
