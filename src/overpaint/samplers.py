"""Samplers: levels in, rows of numbers out.

Every solver is linear in what it remembers, so one network call is one row of float64 numbers:

    D     = the network's belief of the clean latent at this call (the model's business)
    H     = u*x + v*D                                      what the solver remembers: D itself, or eps
    base' = Ac*base + sum_j Bc_j * H_{k-j}                 correct: UniPC only; elsewhere base' = x at a boundary
    x'    = A*base' + sum_j B_j * H_{k-j} + C * noise      predict

A sampler below is a function *levels -> rows*, straight from its paper's equation. A row holds its predict and correct
forms at every order from 1 up to the one used: a pixel that was released from the change map a moment ago has less
memory than its neighbours and takes the form of its age.

Euler is DDIM, and DDPM is Euler ancestral: eta = 0 and eta = 1 of one formula.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, expm1, factorial, inf, log, sqrt
from typing import Literal, NamedTuple, get_args

import numpy as np

from overpaint.levels import Level

SamplerName = Literal[
    "ddim",
    "ddpm",
    "euler",
    "euler_a",
    "heun",
    "dpm2",
    "lms",
    "deis",
    "dpm++2m",
    "dpm++3m",
    "dpm++2m_sde",
    "unipc",
    "lcm",
]
SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)

AtRatio = Callable[[float], Level]


class Form(NamedTuple):
    """``A*base + sum_j B_j*H_{k-j} + C*noise``; B[0] belongs to the newest memory."""

    A: float
    B: tuple[float, ...]
    C: float = 0.0


@dataclass(frozen=True)
class Row:
    """One network call of a solver.

    Attributes:
        level: what the network sees.
        memory: (u, v) of ``H = u*x + v*D``.
        predict: the step at order 1, 2, ...; the last is the one for pixels with full memory.
        correct: UniPC's correction of the step before, at order 1, 2, ...; empty elsewhere.
        boundary: whether x is a grid point here (else: a stage inside a step).
    """

    level: Level
    memory: tuple[float, float]
    predict: tuple[Form, ...]
    correct: tuple[Form, ...] = ()
    boundary: bool = True


DATA = (0.0, 1.0)


def eps_memory(level: Level) -> tuple[float, float]:
    """(u, v) for a solver that remembers the noise, eps = (x - alpha*D) / sigma."""
    return 1 / level.sigma, -level.alpha / level.sigma


def rows_for(sampler: SamplerName, levels: Sequence[Level], at_ratio: AtRatio) -> list[Row]:
    """The rows of ``sampler`` over ``levels`` (the last one clean); ``at_ratio`` finds the level of a midpoint."""
    if levels[0].alpha == 0 and sampler in _NEEDS_SIGNAL:
        # pure noise (zero terminal SNR at strength 1) has no finite ratio: one DDIM step, and that node is forgotten
        return [*_one_step(levels[:2], 0.0), *_ROWS[sampler](levels[1:], at_ratio)]
    return _ROWS[sampler](levels, at_ratio)


# ---- one-step samplers -----------------------------------------------------------------------------------------------


def ddim_form(a: Level, b: Level, eta: float) -> Form:
    """Song et al. 2021 (arXiv:2010.02502), eq. 12, 16. eta 0: DDIM, Euler. eta 1: DDPM's posterior, Euler ancestral."""
    rho = b.sigma * a.alpha / (b.alpha * a.sigma)  # ratio of the two ratios; 0 from pure noise, 0 into clean
    C = eta * b.sigma * sqrt(1 - rho * rho)
    A = sqrt(b.sigma * b.sigma - C * C) / a.sigma
    return Form(A, (b.alpha - A * a.alpha,), C)


def _one_step(levels: Sequence[Level], eta: float) -> list[Row]:
    return [Row(a, DATA, (ddim_form(a, b, eta),)) for a, b in itertools.pairwise(levels)]


def _lcm(levels: Sequence[Level], scaling: float = 10.0, sigma_data: float = 0.5) -> list[Row]:
    """Luo et al. 2023 (arXiv:2310.04378), algorithm 3: jump to clean (boundary condition of eq. 9), noise again."""
    rows = []
    for a, b in itertools.pairwise(levels):
        t = scaling * a.t
        skip = sigma_data**2 / (t * t + sigma_data**2)
        out = t / sqrt(t * t + sigma_data**2)
        rows.append(Row(a, DATA, (Form(b.alpha * skip, (b.alpha * out,), b.sigma),)))
    return rows


# ---- multistep samplers ----------------------------------------------------------------------------------------------


def _multistep(
    levels: Sequence[Level],
    order: int,
    form: Callable[[Sequence[Level], int, int], Form],
    memory: Callable[[Level], tuple[float, float]] = lambda level: DATA,
    step_down: bool = True,
) -> list[Row]:
    """Rows of a solver that uses up to ``order`` memories: as many as there are, fewer again in the last steps."""
    n = len(levels) - 1
    rows = []
    for k in range(n):
        orders = min(order, k + 1, n - k) if step_down else min(order, k + 1)
        rows.append(Row(levels[k], memory(levels[k]), tuple(form(levels, k, o) for o in range(1, orders + 1))))
    return rows


def _dpmpp_form(levels: Sequence[Level], k: int, order: int, sde: bool = False) -> Form:
    """DPM-Solver++ (Lu et al. 2022, arXiv:2211.01095): multistep, data prediction; order 2 is its algorithm 2."""
    a, b = levels[k], levels[k + 1]
    h = b.log_snr - a.log_snr
    if sde:
        A = b.sigma / a.sigma * exp(-h)
        gain, C = -expm1(-2 * h), b.sigma * sqrt(-expm1(-2 * h))
    else:
        A, gain, C = b.sigma / a.sigma, -expm1(-h), 0.0
    B0 = b.alpha * gain
    if order == 1:
        return Form(A, (B0,), C)
    r0 = (a.log_snr - levels[k - 1].log_snr) / h
    if order == 2:
        w = B0 / (2 * r0)
        return Form(A, (B0 + w, -w), C)
    # order 3: divided differences D1, D2 of the memory, as weights on (newest, one back, two back)
    r1 = (levels[k - 1].log_snr - levels[k - 2].log_snr) / h
    near, far = np.array([1, -1, 0]) / r0, np.array([0, 1, -1]) / r1
    D1, D2 = near + r0 / (r0 + r1) * (near - far), (near - far) / (r0 + r1)
    phi = expm1(-h)
    B = np.array([B0, 0, 0]) + b.alpha * (phi / h + 1) * D1 - b.alpha * ((phi + h) / h**2 - 0.5) * D2
    return Form(A, tuple(B.tolist()), C)


def _dpmpp_sde_form(levels: Sequence[Level], k: int, order: int) -> Form:
    return _dpmpp_form(levels, k, order, sde=True)


def _lms_form(levels: Sequence[Level], k: int, order: int) -> Form:
    """Linear multistep in the ratio sigma/alpha (Adams-Bashforth on uneven nodes; k-diffusion's LMS)."""
    a, b = levels[k], levels[k + 1]
    c = _lagrange_integrals(tuple(levels[k - j].ratio for j in range(order)), a.ratio, b.ratio, logarithmic=False)
    return Form(b.alpha / a.alpha, tuple(b.alpha * w for w in c))


def _deis_form(levels: Sequence[Level], k: int, order: int) -> Form:
    """DEIS (Zhang & Chen 2023, arXiv:2204.13902), rhoAB: the same with polynomials in log(sigma/alpha)."""
    a, b = levels[k], levels[k + 1]
    c = _lagrange_integrals(tuple(levels[k - j].ratio for j in range(order)), a.ratio, b.ratio, logarithmic=True)
    return Form(b.alpha / a.alpha, tuple(b.alpha * w for w in c))


@cache
def _lagrange_integrals(nodes: tuple[float, ...], low: float, high: float, logarithmic: bool) -> tuple[float, ...]:
    """Integral from ``low`` to ``high`` of each Lagrange polynomial on ``nodes``, in the ratio or in its logarithm."""
    places = [log(r) for r in nodes] if logarithmic else list(nodes)
    power = _log_power_integral if logarithmic else _power_integral
    moments = [power(m, high) - power(m, low) for m in range(len(nodes))]
    weights = []
    for j, place in enumerate(places):
        poly = np.poly1d([1.0])
        for i, other in enumerate(places):
            if i != j:
                poly = poly * np.poly1d([1.0, -other]) / (place - other)
        weights.append(float(np.dot(poly.coeffs[::-1], moments)))
    return tuple(weights)


def _power_integral(m: int, r: float) -> float:
    return r ** (m + 1) / (m + 1)


def _log_power_integral(m: int, r: float) -> float:
    """Antiderivative of log(r)^m; 0 at r = 0."""
    if r == 0:
        return 0.0
    return sum((-1.0) ** (m - i) * factorial(m) / factorial(i) * r * log(r) ** i for i in range(m + 1))


# ---- UniPC -----------------------------------------------------------------------------------------------------------


def _unipc_form(levels: Sequence[Level], k: int, order: int, corrector: bool) -> Form:
    """UniPC (Zhao et al. 2023, arXiv:2302.04867), data prediction, B2(h): the step from level k to k+1.

    The corrector takes the same step again once D at level k+1 is known; its B begins with the weight of that D.
    """
    a, b = levels[k], levels[k + 1]
    h = b.log_snr - a.log_snr
    if h == inf:  # into clean: first order
        return ddim_form(a, b, 0.0)
    r = [(levels[k - i].log_snr - a.log_snr) / h for i in range(1, order)] + [1.0]
    Bh = expm1(-h)
    R, rhs, phi = [], [], Bh / -h - 1
    for i in range(1, order + 1):
        R.append([x ** (i - 1) for x in r])
        rhs.append(phi * factorial(i) / Bh)
        phi = phi / -h - 1 / factorial(i + 1)
    if order == 1:
        rho = [0.5] if corrector else []
    elif order == 2 and not corrector:
        rho = [0.5]  # the paper's choice, section 3.4
    else:
        size = order if corrector else order - 1
        rho = np.linalg.solve(np.array(R)[:size, :size], np.array(rhs)[:size]).tolist()
    B = [-b.alpha * Bh] + [0.0] * (order - 1)
    for i in range(1, order):
        w = -b.alpha * Bh * rho[i - 1] / r[i - 1]
        B[i] += w
        B[0] -= w
    if corrector:
        w = -b.alpha * Bh * rho[-1]
        B[0] -= w
        B.insert(0, w)
    return Form(b.sigma / a.sigma, tuple(B))


def _unipc(levels: Sequence[Level], order: int = 2) -> list[Row]:
    n = len(levels) - 1
    rows, previous = [], 0
    for k in range(n):
        o = min(order, k + 1, n - k)
        predict = tuple(_unipc_form(levels, k, i, corrector=False) for i in range(1, o + 1))
        correct = tuple(_unipc_form(levels, k - 1, i, corrector=True) for i in range(1, previous + 1))
        rows.append(Row(levels[k], DATA, predict, correct))
        previous = o
    return rows


# ---- samplers with a stage inside the step ---------------------------------------------------------------------------


def _heun(levels: Sequence[Level]) -> list[Row]:
    """Karras et al. 2022, algorithm 1 (algorithm 2 without churn): Euler, then the mean of both slopes."""
    rows = []
    for a, b in itertools.pairwise(levels):
        scale, width = b.alpha / a.alpha, b.alpha * (b.ratio - a.ratio)
        rows.append(Row(a, eps_memory(a), (Form(scale, (width,)),)))
        if b.sigma > 0:
            rows.append(Row(b, eps_memory(b), (Form(scale, (width / 2, width / 2)),), boundary=False))
    return rows


def _dpm2(levels: Sequence[Level], at_ratio: AtRatio) -> list[Row]:
    """DPM-Solver-2 (Lu et al. 2022, arXiv:2206.00927; Karras' midpoint form): the slope at the geometric middle."""
    rows = []
    for a, b in itertools.pairwise(levels):
        if b.sigma == 0:
            rows.append(Row(a, eps_memory(a), (Form(b.alpha / a.alpha, (b.alpha * (b.ratio - a.ratio),)),)))
            continue
        m = at_ratio(sqrt(a.ratio * b.ratio))
        rows.append(Row(a, eps_memory(a), (Form(m.alpha / a.alpha, (m.alpha * (m.ratio - a.ratio),)),)))
        whole = Form(b.alpha / a.alpha, (b.alpha * (b.ratio - a.ratio),))
        rows.append(Row(m, eps_memory(m), (whole,), boundary=False))
    return rows


_ROWS: dict[SamplerName, Callable[[Sequence[Level], AtRatio], list[Row]]] = {
    "ddim": lambda levels, at_ratio: _one_step(levels, 0.0),
    "ddpm": lambda levels, at_ratio: _one_step(levels, 1.0),
    "euler": lambda levels, at_ratio: _one_step(levels, 0.0),
    "euler_a": lambda levels, at_ratio: _one_step(levels, 1.0),
    "heun": lambda levels, at_ratio: _heun(levels),
    "dpm2": _dpm2,
    "lms": lambda levels, at_ratio: _multistep(levels, 4, _lms_form, eps_memory, step_down=False),
    "deis": lambda levels, at_ratio: _multistep(levels, 2, _deis_form, eps_memory),
    "dpm++2m": lambda levels, at_ratio: _multistep(levels, 2, _dpmpp_form),
    "dpm++3m": lambda levels, at_ratio: _multistep(levels, 3, _dpmpp_form),
    "dpm++2m_sde": lambda levels, at_ratio: _multistep(levels, 2, _dpmpp_sde_form),
    "unipc": lambda levels, at_ratio: _unipc(levels),
    "lcm": lambda levels, at_ratio: _lcm(levels),
}
_NEEDS_SIGNAL = {"heun", "dpm2", "lms", "deis", "unipc"}  # they divide by alpha, or by a finite lambda


class About(NamedTuple):
    """A sampler for people: network calls a step, whether it draws fresh noise, and what it is."""

    calls: int
    noisy: bool
    words: str


ABOUT: dict[SamplerName, About] = {
    "ddim": About(1, False, "DDIM (Song et al. 2021); the same as euler"),
    "ddpm": About(1, True, "DDPM's posterior (Ho et al. 2020); the same as euler_a"),
    "euler": About(1, False, "Euler (Karras et al. 2022); the same as ddim"),
    "euler_a": About(1, True, "Euler ancestral; the same as ddpm"),
    "heun": About(2, False, "Heun, second order (Karras et al. 2022)"),
    "dpm2": About(2, False, "midpoint, second order (DPM-Solver-2, Lu et al. 2022)"),
    "lms": About(1, False, "linear multistep, fourth order"),
    "deis": About(1, False, "DEIS, second order (Zhang & Chen 2023)"),
    "dpm++2m": About(1, False, "DPM-Solver++, second order multistep (Lu et al. 2022); the default"),
    "dpm++3m": About(1, False, "DPM-Solver++ with three memories, as in diffusers (second order by measurement)"),
    "dpm++2m_sde": About(1, True, "DPM-Solver++, second order multistep, stochastic"),
    "unipc": About(1, False, "UniPC, second order with corrector (Zhao et al. 2023)"),
    "lcm": About(1, True, "for LCM-distilled checkpoints only (Luo et al. 2023); 4 to 8 steps, guidance 1"),
}
