"""Every case of bad input that this program promises to meet has a test that names it, or stands here as not yet due.

I: pictures; M: masks; P: prompts; Q: parameters; C: checkpoints; S: load, cancelling and faults of the server; X: its
security. What each comes to is said by the tests marked with
`@pytest.mark.case("I06")`.
"""

import re
from pathlib import Path

from conftest import ROOT

CASES = {
    f"{group}{i:02}"
    for group, last in (("I", 34), ("M", 8), ("P", 8), ("Q", 12), ("C", 13), ("S", 26), ("X", 16))
    for i in range(1, last + 1)
}
NOT_YET = {
    "P08": "lists of prompts: nothing takes one yet",
}


def test_every_case_is_tested_or_not_yet_due() -> None:
    named: set[str] = set()
    for path in {*(ROOT / "tests").glob("test_*.py")} - {Path(__file__)}:
        for marks in re.findall(r"mark\.case\(([^)]*)\)", path.read_text(encoding="utf-8")):
            named |= set(re.findall(r'"(\w+)"', marks))
    assert named <= CASES, f"unknown cases: {sorted(named - CASES)}"
    assert not named & set(NOT_YET), f"tested, so no longer missing: {sorted(named & set(NOT_YET))}"
    assert named | set(NOT_YET) == CASES, f"without a test: {sorted(CASES - named - set(NOT_YET))}"
