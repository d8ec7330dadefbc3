"""The items that are whole new processes: the command line, importing, loading; their time, and their peak memory."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.speed import scripts
from benchmarks.speed.results import BEST, OURS, PEER, Goal, Item, Line
from benchmarks.speed.turns import Turns
from benchmarks.speed.work import ONE, PICTURE, PROMPT

SIDE = 256
NAMES = ("cold", "memory", "load", "import")
# A small process starts the one that is measured: on Linux a new process begins with its parent's peak memory, and this
# one has networks loaded.
_LAUNCHER = """
import resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
seconds = time.perf_counter() - start
if done.returncode:
    sys.exit(done.stderr)
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


class Spent(NamedTuple):
    """What a process took, from its start to its end."""

    seconds: float
    megabytes: float  # of resident memory, at its peak


def spent(command: Sequence[str | Path]) -> Spent:
    """Run a command on its own. Raises ``RuntimeError`` with what it said if it fails."""
    launched = [sys.executable, "-c", _LAUNCHER, *map(str, command)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(launched, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")
    seconds, peak = map(float, done.stdout.split())
    unit = 1 if sys.platform == "darwin" else 1024  # bytes; kibibytes on Linux
    return Spent(seconds, peak * unit / 1e6)


def items(names: Sequence[str], turns: Turns) -> Iterator[Item]:
    """The items of these names, which are among ``NAMES``."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if "cold" in names or "memory" in names:
            found = _measured(_cold_commands(folder), turns)
            edit = f"{SIDE} px, {ONE.steps} steps x {ONE.strength:g}"
            if "cold" in names:
                what = f"`overpaint edit`, cold, to a PNG, {edit}"
                yield Item("cold", what, _lines(found, lambda s: s.seconds), (Goal(0.8, PEER),))
            if "memory" in names:
                lines = _lines(found, lambda s: s.megabytes)
                yield Item("memory", f"peak memory of that process, {edit}", lines, (Goal(1, PEER),), unit="MB")
        if "load" in names:
            found = _measured(_load_commands(folder), turns)
            yield Item("load", "a new process that imports and loads", _lines(found, lambda s: s.seconds))
        if "import" in names:
            found = _measured(_import_commands(folder), turns)
            yield Item("import", "a new process that only imports", _lines(found, lambda s: s.seconds))


def _measured(commands: Mapping[str, Sequence[str | Path]], turns: Turns) -> dict[str, list[Spent]]:
    def measure(command: Sequence[str | Path]) -> Callable[[int], Spent]:
        return lambda turn: spent(command)

    return turns.of({name: measure(command) for name, command in commands.items()})


def _lines(found: Mapping[str, Sequence[Spent]], number: Callable[[Spent], float]) -> tuple[Line, ...]:
    return tuple(Line(name, tuple(map(number, numbers))) for name, numbers in found.items())


def _cold_commands(folder: Path) -> dict[str, list[str | Path]]:
    """One edit of a file to a PNG: our command as it is installed, and what a user of diffusers writes."""
    size = f"{SIDE}x{SIDE}"
    ours: list[str | Path] = [Path(sys.executable).parent / "overpaint", "edit", PICTURE, PROMPT]
    ours += ["--out", folder / "ours.png", "--overwrite", "--device", "cpu", "--size", size, "--output-size", size]
    ours += ["--steps", str(ONE.steps), "--strength", str(ONE.strength), "--guidance-scale", str(ONE.guidance)]
    ours += ["--detail", "0", "--seed", str(ONE.seed)]
    edit = scripts.edit(PICTURE, PROMPT, ONE, SIDE, folder / "theirs.png")
    theirs = {name: _script(folder / f"edit-{i}.py", load + edit) for i, (name, load) in enumerate(_loading())}
    return {OURS: ours, **theirs}


def _load_commands(folder: Path) -> dict[str, list[str | Path]]:
    theirs = {name: _script(folder / f"load-{i}.py", load) for i, (name, load) in enumerate(_loading())}
    return {OURS: _script(folder / "load.py", scripts.OUR_LOAD), **theirs}


def _import_commands(folder: Path) -> dict[str, list[str | Path]]:
    listing = _script(folder / "modules.py", scripts.OUR_MODULES)
    found = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    (folder / "modules.txt").write_text(found, encoding="utf-8")
    ours = [*_script(folder / "import.py", scripts.OUR_IMPORT), folder / "modules.txt"]
    return {OURS: ours, PEER: _script(folder / "import-0.py", scripts.PEER_IMPORT)}


def _loading() -> list[tuple[str, str]]:
    return [(PEER, scripts.peer_load()), (BEST, scripts.best_load())]


def _script(path: Path, text: str) -> list[str | Path]:
    path.write_text(text, encoding="utf-8")
    return [sys.executable, path]
