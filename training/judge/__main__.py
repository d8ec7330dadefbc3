"""Renders, trains, measures and saves the judge of ``overpaint describe`` and of the benchmark.

The shipped weights are made by

    OMP_NUM_THREADS=1 python -m training.judge

on one core: some 15 minutes of rendering and 15 to 20 of training (AMD EPYC). The same machine makes the same weights.
Renders are kept in the folder that --work names, and not made again.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save as save_safetensors

from overpaint.describe.judge import FORMAT, WEIGHTS, HeadFacts, facts_as_text
from overpaint.describe.network import JudgeNetwork
from training.judge.fitting import fit
from training.judge.measuring import asked, by_damage, calibrated, measured, scores_of
from training.judge.rendering import Renders, render

PART = 250  # places that are rendered with one seed
TRAINED = 7000  # seeds from here on, one a part; 987654 is the benchmark's
CALIBRATED_BY, MEASURED_BY = 7900, 7901  # and HELD_OUT places of each of these
HELD_OUT = 200


def main() -> None:
    options = _options()
    torch.set_num_threads(1)  # the sums' order, and so the weights, depend on it
    parts = [_rendered(options.work, PART, TRAINED + k) for k in range(-(-options.layouts // PART))]
    renders = Renders(*(np.concatenate([getattr(p, name) for p in parts]) for name in Renders.__dataclass_fields__))
    network = fit(renders, options.steps, options.seed).float()
    save(options.out, *_judged(network, options))
    print(f"{options.out}: {options.out.stat().st_size} bytes")


def _judged(network: JudgeNetwork, options: argparse.Namespace) -> tuple[JudgeNetwork, dict[str, HeadFacts]]:
    """The network as it is saved, in half precision, and how good it is."""
    network.load_state_dict({name: _halved(v).to(v.dtype) for name, v in network.state_dict().items()})
    pictures, answers = asked(_rendered(options.work, HELD_OUT, CALIBRATED_BY), CALIBRATED_BY)
    facts = calibrated(scores_of(network, pictures), answers)
    held_out = _rendered(options.work, HELD_OUT, MEASURED_BY)
    pictures, answers = asked(held_out, MEASURED_BY)
    facts = measured(facts, scores_of(network, pictures), answers)
    for head, own in facts.items():
        print(f"{head:9}", json.dumps({k: v for k, v in vars(own).items() if k != "least"}))
    print("taken for broken:", by_damage(network, held_out, MEASURED_BY))
    return network, facts


def _halved(value: torch.Tensor) -> torch.Tensor:
    return value.half() if value.is_floating_point() else value


def save(path: Path, network: JudgeNetwork, facts: dict[str, HeadFacts]) -> None:
    """Write the file that ``Judge.load`` reads."""
    weights = {name: _halved(v).contiguous() for name, v in network.state_dict().items() if v.is_floating_point()}
    path.write_bytes(save_safetensors(weights, {FORMAT: facts_as_text(facts)}))  # save_file lets only its owner read it


def _rendered(work: Path, layouts: int, seed: int) -> Renders:
    """The renders of a seed, from ``work`` if they are there."""
    file = work / f"renders-{seed}-{layouts}.npz"
    if file.is_file():
        with np.load(file) as kept:
            return Renders(**kept)
    started = time.monotonic()
    made = render(layouts, seed)
    work.mkdir(parents=True, exist_ok=True)
    np.savez(file, **vars(made))
    print(f"{len(made)} renders of {layouts} places in {time.monotonic() - started:.0f} s", flush=True)
    return made


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.judge", description=__doc__)
    parser.add_argument("--layouts", type=int, default=1250, help="places to train on, rounded up to whole parts")
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("/tmp/overpaint-judge"), help="where renders are kept")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
