"""An entrant of the speed benchmark for its tests, in a module that another process imports quickly."""

import os
import sys
from collections.abc import Sequence

from benchmarks.speed.work import Edit


class Echo:
    """Makes nothing; fails where it is given nothing, and dies where it is given three."""

    name, dtype = "echo", f"process {os.getpid()}"

    def make(self, edits: Sequence[Edit]) -> None:
        assert edits, "there are no edits"
        if len(edits) == 3:
            sys.exit(5)


def broken() -> Echo:
    raise OSError("it cannot be built")
