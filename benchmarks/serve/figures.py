"""Arithmetic on what was measured."""

from collections.abc import Sequence

import numpy as np


def percentile(values: Sequence[float], q: float) -> float:
    """The value that ``q`` percent of them are at most, interpolated between neighbours. At least one value."""
    return float(np.percentile(np.asarray(values, np.float64), q))


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """How much the values grow per unit of time, by least squares; 0 where there are fewer than two times."""
    if len(set(times)) < 2:
        return 0.0
    t = np.asarray(times, np.float64) - np.mean(times)
    return float(t @ np.asarray(values, np.float64) / (t @ t))
