"""The versions that are the least which is safe, and that those tested together are not below them (X16)."""

import re
import tomllib

import pytest
from conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# below these, known faults: decoders, requests that block or exhaust a server, torch.load
SAFE = {"pillow": (12, 3), "starlette": (1, 3, 1), "torch": (2, 10), "python-multipart": (0, 0, 30)}


def versions(lines: list[str], sign: str) -> dict[str, tuple[int, ...]]:
    found = (re.match(rf"([\w.-]+)(?:\[.*\])?{sign}([\d.]+)", line) for line in lines)
    return {m[1]: tuple(map(int, m[2].split("."))) for m in found if m}


OPTIONAL = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
RANGES = versions([*PROJECT["dependencies"], *OPTIONAL], ">=")
TESTED = versions((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines(), "==")


@pytest.mark.case("X16")
@pytest.mark.parametrize("name", SAFE)
def test_nothing_below_what_is_safe_can_be_installed(name: str) -> None:
    assert RANGES[name] >= SAFE[name]


def test_what_is_tested_together_is_in_the_ranges() -> None:
    below = {name for name, least in RANGES.items() if name in TESTED and TESTED[name] < least}
    assert not below
