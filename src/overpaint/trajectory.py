"""SDEdit itself: one edit in flight, advanced one network call at a time by the rows of its sampler.

A ``Trajectory`` is a value that owns all its state: x, base, memory, its own noise and generator, its rows and its
place in them. It never sees a model: whoever drives it asks for ``x`` and ``level``, and hands back D.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from overpaint.levels import CLEAN, Level
from overpaint.samplers import Form, Row


@dataclass(frozen=True)
class Hold:
    """The change map as the loop sees it: which cells are still held at which boundary, and at what.

    A held cell is *set* to the original, noised to the boundary's level with the trajectory's own eps; from its release
    on it runs free. One rule is SDEdit (everything released at boundary 0), inpainting (released at 0 or never) and
    differential diffusion (anything between; Levin & Fried 2023, arXiv:2306.00950).

    Attributes:
        z0: the original's latent [1, C, h, w], float32.
        eps: the trajectory's start noise [1, C, h, w], float32.
        release: the boundary at which a cell is let go, [1, 1, h, w] whole numbers; 0 is at once, the number of steps
            is never. None: every cell at once.
        from_noise: cells of local strength 1, [1, 1, h, w]: they start as noise alone, as an edit of strength 1 does.
    """

    z0: Tensor
    eps: Tensor
    release: Tensor | None = None
    from_noise: Tensor | None = None

    def at(self, level: Level) -> Tensor:
        """The original noised to ``level``."""
        noised = level.alpha * self.z0 + level.sigma * self.eps
        return noised if self.from_noise is None else torch.where(self.from_noise, self.eps, noised)


@dataclass
class Trajectory:
    """One edit in flight. Call ``x`` and ``level``, predict D, ``advance(D)``, until ``done``.

    Attributes:
        rows: what the sampler wrote for this edit's levels.
        hold: the original and what of it is held; None where there is no original (strength 1).
        x: the latent the network sees next [1, C, h, w], float32; at the end the clean latent.
        generator: draws the noise of the steps, in order; on the CPU, so that a seed means the same everywhere.
        passes: how often it all is done, each time from what came out of the last (Meng et al. 2021, algorithm 1, K).
    """

    rows: Sequence[Row]
    x: Tensor
    generator: torch.Generator
    hold: Hold | None = None
    passes: int = 1
    position: int = 0
    denoised: Tensor | None = None  # the newest D: the preview
    _base: Tensor = field(init=False, repr=False)  # x at the last boundary, after correction
    _memory: list[Tensor] = field(default_factory=list, repr=False)
    _age: Tensor | None = field(default=None, repr=False)  # whole steps since release, [1, 1, h, w]
    _boundary: int = 0

    def __post_init__(self) -> None:
        self._base = self.x
        self._at_boundary()

    @classmethod
    def from_noise(cls, rows: Sequence[Row], eps: Tensor, generator: torch.Generator) -> "Trajectory":
        """Strength 1: x is the noise itself, so the picture has no influence at all."""
        return cls(rows, eps, generator)

    @classmethod
    def from_picture(cls, rows: Sequence[Row], hold: Hold, generator: torch.Generator, passes: int = 1) -> "Trajectory":
        """Start at the first level: ``x = alpha*z0 + sigma*eps`` (Meng et al. 2021, algorithm 1)."""
        return cls(rows, hold.at(rows[0].level), generator, hold, passes)

    @property
    def done(self) -> bool:
        return self.position == len(self.rows)

    @property
    def level(self) -> Level:
        """What the network is told next."""
        return self.rows[self.position].level

    @property
    def calls_left(self) -> int:
        return len(self.rows) * self.passes - self.position

    @property
    def steps(self) -> int:
        """Steps from here to the end, those of all passes."""
        return sum(row.boundary for row in self.rows) * self.passes

    def advance(self, D: Tensor) -> None:
        """Take one row: remember, correct, predict. ``D``: the clean latent as believed at (x, level)."""
        row = self.rows[self.position]
        u, v = row.memory
        self.denoised = D
        self._memory.insert(0, u * self.x + v * D if u else D)
        del self._memory[_LONGEST:]
        if row.boundary:
            self._base = self._corrected(row.correct)
        noise = self._draw() if row.predict[-1].C else None
        self.x = self._step(row.predict, self._base, None if self._age is None else self._age + 1, noise)
        self.position += 1
        if self.done or self.rows[self.position].boundary:
            self._boundary += 1
            if self._age is not None:
                self._age = self._age + 1
            self._at_boundary()
        if self.done and self.passes > 1 and self.hold is not None:
            self._start_again(self.hold)

    def _start_again(self, hold: Hold) -> None:
        """Another pass: what came out is the original of the next, noised anew."""
        self.hold = replace(hold, z0=self.x, eps=self._draw())
        self.passes -= 1
        self.x = self.hold.at(self.rows[0].level)
        self._base, self._memory, self._age = self.x, [], None
        self.position = self._boundary = 0
        self._at_boundary()

    def _at_boundary(self) -> None:
        """Set what is held, or released just here, to the original at this level; it has no memory from before."""
        if self.hold is None or self.hold.release is None:
            return
        held = self.hold.release >= self._boundary  # [1, 1, h, w]
        self.x = torch.where(held, self.hold.at(CLEAN if self.done else self.level), self.x)
        self._age = torch.where(held, 0, torch.zeros_like(self.hold.release) if self._age is None else self._age)

    def _corrected(self, forms: tuple[Form, ...]) -> Tensor:
        """The boundary's x, or UniPC's better one now that D is known here; cells released here have no step yet."""
        if not forms:
            return self.x
        corrected = self._step(forms, self._base, self._age)
        return corrected if self._age is None else torch.where(self._age == 0, self.x, corrected)

    def _step(self, forms: tuple[Form, ...], base: Tensor, known: Tensor | None, noise: Tensor | None = None) -> Tensor:
        """The form of highest order; where fewer memories are ``known`` [1, 1, h, w], the form of that order."""
        out = self._apply(forms[-1], base, noise)
        if known is not None:
            for order in range(len(forms) - 1, 0, -1):
                out = torch.where(known <= order, self._apply(forms[order - 1], base, noise), out)
        return out

    def _apply(self, form: Form, base: Tensor, noise: Tensor | None) -> Tensor:
        out = form.A * base
        for b, h in zip(form.B, self._memory, strict=False):
            out = out + b * h
        return out if noise is None else out + form.C * noise

    def _draw(self) -> Tensor:
        return _brought(draw_noise(self.x.shape, self.generator), self.x.device)


def _brought(noise: Tensor, device: torch.device) -> Tensor:
    """Noise where the latents are. From pinned memory a GPU fetches it by itself, and the host need not wait."""
    return noise.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else noise.to(device)


_PARALLEL = 1e-6  # the sine of an angle at which there is nothing to turn: the same seed twice
_LONGEST = 5  # memories: LMS looks back on four, UniPC's corrector on one more than its order


def turn_noise(eps: Tensor, towards: Tensor, amount: float) -> Tensor:
    """Two draws of noise blended on the sphere, so that the blend is noise too: ``amount`` 0 is eps, 1 the other.

    Spherical interpolation (Shoemake 1985, section 3.3), as in the variation seeds of AUTOMATIC1111.
    """
    a, b = eps.double().flatten(), towards.double().flatten()
    angle = math.acos(float((a @ b / (a.norm() * b.norm())).clamp(-1, 1)))
    if math.sin(angle) < _PARALLEL:
        return eps
    turned = math.sin((1 - amount) * angle) / math.sin(angle) * a + math.sin(amount * angle) / math.sin(angle) * b
    return turned.view(eps.shape).float()


def draw_noise(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Standard normal float32 noise from a CPU generator: the same for a seed on every device."""
    return torch.randn(tuple(shape), generator=generator, dtype=torch.float32)
