"""Noise levels and the strength law: which levels an edit passes through, from the one it starts at down to clean.

A level is ``x = alpha * z0 + sigma * eps``. A list of levels is all that the rest of the program knows of a model's
noise: epsilon-, v- and flow-models, zero terminal SNR and every spacing differ only in this list.

The law (T training timesteps, usually 1000; everything in integers, halves round up; a strength is read as the
decimal it was written as):

* ``L = clamp(floor(s*T + 1/2), 1, T)``, ``t0 = L - 1``: .3 starts at t = 299 with every sampler and step count;
* ``n = clamp((2*N*L + T) // (2*T), 1, L)`` steps are run of the N that strength 1 would take;
* ``t_k = floor(L*(n-k)/n + 1/2) - 1`` for k = 0..n-1, then clean.
"""

from bisect import bisect_right
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from math import exp, inf, log, log10, sqrt
from typing import Literal, NamedTuple, Protocol, get_args

from overpaint.errors import ParameterError

ScheduleName = Literal["trailing", "karras", "exponential", "beta", "sgm_uniform"]
SCHEDULES: tuple[ScheduleName, ...] = get_args(ScheduleName)


class Level(NamedTuple):
    """One noise level, ``x = alpha * z0 + sigma * eps``; ``t`` is what the network is told (it may be fractional)."""

    alpha: float
    sigma: float
    t: float

    @property
    def ratio(self) -> float:
        """sigma / alpha, the noise-to-signal ratio: Karras' sigma. Infinite for pure noise, 0 for clean."""
        return inf if self.alpha == 0 else self.sigma / self.alpha

    @property
    def log_snr(self) -> float:
        """lambda = log(alpha / sigma), the solvers' time (Lu et al. 2022, arXiv:2211.01095)."""
        if self.sigma == 0:
            return inf
        return -inf if self.alpha == 0 else log(self.alpha / self.sigma)


CLEAN = Level(1.0, 0.0, -1)


class Noise(Protocol):
    """What a model's training noise looks like: a level for each timestep, and for each noise-to-signal ratio."""

    @property
    def timesteps(self) -> int:
        """T, the number of training timesteps."""

    def at(self, t: int) -> Level:
        """The level of training timestep ``t`` in 0..T-1."""

    def at_ratio(self, ratio: float) -> Level:
        """The level whose sigma / alpha is ``ratio`` (between those of t = 0 and t = T-1)."""


class DiffusionNoise:
    """Variance-preserving noise from a checkpoint's alpha_bar table (DDPM; Ho et al. 2020, eq. 4).

    ``alpha_bar`` is read once from the checkpoint's own scheduler, after any rescaling of its own, and never rescaled
    again: falling numbers in [0, 1), one for each training timestep.
    """

    def __init__(self, alpha_bar: Sequence[float]) -> None:
        self._levels = [Level(sqrt(a), sqrt(1 - a), t) for t, a in enumerate(alpha_bar)]
        # log of the ratio, for looking a ratio up; a pure-noise end (alpha = 0) has none and is left out
        self._log_ratio = [log(level.ratio) for level in self._levels if level.alpha > 0]

    @property
    def timesteps(self) -> int:
        return len(self._levels)

    def at(self, t: int) -> Level:
        return self._levels[t]

    def at_ratio(self, ratio: float) -> Level:
        """As k-diffusion and diffusers do it: t by straight lines in log ratio, alpha and sigma exactly."""
        ys, y = self._log_ratio, log(ratio)
        i = min(max(bisect_right(ys, y) - 1, 0), len(ys) - 2)
        t = i + (y - ys[i]) / (ys[i + 1] - ys[i])
        alpha = 1 / sqrt(1 + ratio * ratio)
        return Level(alpha, alpha * ratio, min(max(t, 0.0), len(ys) - 1.0))


class FlowNoise:
    """Straight paths from picture to noise (rectified flow; Esser et al. 2024, arXiv:2403.03206, eq. 23).

    Strength is *unshifted* time u = (t + 1) / T; the model's shift for the working size maps it to sigma.
    """

    def __init__(self, shift: float = 1.0, timesteps: int = 1000) -> None:
        self._shift, self._timesteps = shift, timesteps

    @property
    def timesteps(self) -> int:
        return self._timesteps

    def at(self, t: int) -> Level:
        u = (t + 1) / self._timesteps
        sigma = self._shift * u / (1 + (self._shift - 1) * u)
        return Level(1 - sigma, sigma, self._timesteps * sigma)

    def at_ratio(self, ratio: float) -> Level:
        sigma = ratio / (1 + ratio)
        return Level(1 - sigma, sigma, self._timesteps * sigma)


def start_level(strength: float, timesteps: int) -> int:
    """L of the law, 1..T for a strength in (0, 1]; 0 for strength 0. The edit starts at t0 = L - 1."""
    if strength == 0:
        return 0
    product = Decimal(str(strength)) * timesteps
    return min(max(int(product.to_integral_value(ROUND_HALF_UP)), 1), timesteps)


def steps_run(steps: int, start: int, timesteps: int) -> int:
    """n of the law: how many steps an edit that starts at L = ``start`` takes when a full run takes ``steps``."""
    return min(max((2 * steps * start + timesteps) // (2 * timesteps), 1), start)


def trailing(start: int, n: int) -> list[int]:
    """The n timesteps of the law, evenly spaced from t0 = start - 1; strictly falling, the last at least 0."""
    return [(2 * start * (n - k) + n) // (2 * n) - 1 for k in range(n)]


def levels_for(strength: float, steps: int, schedule: ScheduleName, noise: Noise) -> list[Level]:
    """All levels of an edit: ``steps_run`` of them, then clean.

    Args:
        strength: in (0, 1].
        steps: what strength 1 would take, at least 1.
        schedule: the spacing between the first level and the smallest one, which are the same for every schedule.
        noise: the model's.
    """
    start = start_level(strength, noise.timesteps)
    if start == 0:
        raise ParameterError("strength", "0 has no levels: the input is returned as it is")
    grid = [noise.at(t) for t in trailing(start, steps_run(steps, start, noise.timesteps))]
    return [*_respaced(grid, schedule, noise), CLEAN]


def _respaced(grid: list[Level], schedule: ScheduleName, noise: Noise) -> list[Level]:
    if schedule in ("trailing", "sgm_uniform") or len(grid) < 3:
        return grid
    if grid[0].alpha == 0:  # pure noise has no finite ratio: it stays, the rest is spread
        return [grid[0], *_respaced(grid[1:], schedule, noise)]
    first, last = grid[0].ratio, grid[-1].ratio
    spread = {"karras": karras, "exponential": exponential, "beta": beta}[schedule]
    return [grid[0], *(noise.at_ratio(r) for r in spread(first, last, len(grid))[1:-1]), grid[-1]]


def karras(first: float, last: float, n: int, rho: float = 7.0) -> list[float]:
    """Karras et al. 2022 (arXiv:2206.00364), eq. 5: even in ratio^(1/rho)."""
    a, b = first ** (1 / rho), last ** (1 / rho)
    return [(a + (b - a) * k / (n - 1)) ** rho for k in range(n)]


def exponential(first: float, last: float, n: int) -> list[float]:
    """Even in the logarithm of the ratio."""
    return [exp(log(first) + (log(last) - log(first)) * k / (n - 1)) for k in range(n)]


def beta(first: float, last: float, n: int, a: float = 0.6, b: float = 0.6) -> list[float]:
    """Quantiles of a beta distribution: dense at both ends of the ratio (Lee et al. 2024, arXiv:2407.12173)."""
    from scipy.stats import beta as distribution  # slow to import, and only this schedule wants it

    return [last + (first - last) * float(distribution.ppf(1 - k / (n - 1), a, b)) for k in range(n)]


# ---- what survives ---------------------------------------------------------------------------------------------------

# by the share of the picture's own amplitude that is left (sqrt(alpha_bar)); on Stable Diffusion's noise the words
# change at about t = 120, 340, 550 and 790
_SURVIVES = (
    (0.93, "almost everything"),
    (0.70, "overall structure and colours"),
    (0.45, "major shapes, composition"),
    (0.20, "rough layout only"),
    (0.00, "almost nothing"),
)


class Survival(NamedTuple):
    """What of a picture is still there at one strength: a line of ``overpaint noise``."""

    strength: float
    t: int
    alpha_bar: float
    signal: float  # sqrt(alpha_bar)
    snr_db: float
    smallest_feature: float  # pixels
    words: str


def survival(strength: float, noise: Noise, pixels_per_cell: int = 8) -> Survival:
    """What is left of a picture noised to ``strength`` in (0, 1].

    ``smallest_feature`` is the diameter in pixels (of the working size) of a patch that stands out from its
    surroundings by one standard deviation and is as strong as the noise averaged over it: averaging d cells by d cells
    divides white noise by d, so d = sigma / alpha cells.
    """
    if strength <= 0:
        raise ParameterError("strength", "0 adds no noise, so all of the picture survives")
    t = start_level(strength, noise.timesteps) - 1
    level = noise.at(t)
    snr_db = 20 * log10(level.alpha / level.sigma) if level.alpha > 0 else -inf
    return Survival(
        strength, t, level.alpha**2, level.alpha, snr_db, pixels_per_cell * level.ratio, survives(level.alpha)
    )


def survives(signal: float) -> str:
    """In words, what is left of a picture whose amplitude has fallen to ``signal`` = sqrt(alpha_bar)."""
    return next(words for bound, words in _SURVIVES if signal >= bound)
