"""One edit as the engine runs it: ``start`` makes a trajectory of it, ``finish`` a result. ``prepare`` makes tasks."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch

from overpaint import detail
from overpaint.fields import parse_size, parse_variation
from overpaint.job import Conditioning, Started
from overpaint.levels import Level
from overpaint.maps.blend import REACH, composite, match_colour
from overpaint.maps.region import Box
from overpaint.model import DiffusionModel
from overpaint.params import ResolvedParams
from overpaint.picture import Picture, Pixels, cut_middle, resize
from overpaint.recipe import Input, Makes, MapsTold, Recipe
from overpaint.result import EditResult
from overpaint.samplers import Row
from overpaint.trajectory import Hold, Trajectory, draw_noise, turn_noise
from overpaint.version import __version__
from overpaint.windows import Windows

_LOG = logging.getLogger("overpaint")


@dataclass(frozen=True)
class Prompt:
    """What one layer says, and how much each latent cell listens to it: [rows, columns], None for all of it."""

    text: str
    negative: str
    guidance_scale: float
    weight: Pixels | None = None


@dataclass(frozen=True)
class Spot:
    """The part of the picture that is worked on, and what a map says of it.

    Attributes:
        box: where it lies; None for the whole picture.
        base: the part; what has no say in the result (where the strength is 1, or `fill` replaces it) is filled from
            around it, so that a blended edge shows nothing of it.
        opacity: how much of the edit is seen, [h, w]; None for all of it.
        unseen: what has no say, bool [h, w]; None where there is nothing of the kind.
        release: the boundary at which each latent cell is let go, [rows, columns]; None for at once.
        from_noise: the cells that start as noise alone, bool [rows, columns].
    """

    base: Picture
    box: Box | None = None
    opacity: Pixels | None = None
    unseen: Pixels | None = None
    release: Pixels | None = None
    from_noise: Pixels | None = None


@dataclass
class EditTask:
    """A prepared edit.

    Attributes:
        strength: the largest anywhere, that of the levels; ``params.strength`` where no map lowers it.
        picture: the input, fitted to the output's size; None for plain generation.
        spot: the part of it that is worked on; None for plain generation.
        canvas: what the model works on, [H, W, 3] float32 in 0..1; None where no picture is needed (strength 1).
        inpainting: what an inpainting network is told: mask [H, W], 1 = change, and canvas [H, W, 3] without what
            it marks; None for other networks.
        source: the input as the recipe names it; None for plain generation.
        told: the maps and layers as the recipe tells them.
        inner: (width, height) of the part of the canvas that is the picture; the rest is padding.
        windows: how the network sees a canvas that is too large to be seen at once; None: all of it.
    """

    params: ResolvedParams
    strength: float
    prompts: Sequence[Prompt]
    picture: Picture | None
    spot: Spot | None
    canvas: Pixels | None
    inpainting: tuple[Pixels, Pixels] | None
    source: Input | None
    told: MapsTold
    inner: tuple[int, int]
    working_size: tuple[int, int]
    levels: list[Level]
    rows: list[Row]
    warnings: list[str]
    windows: Windows | None = None
    index: int = 0
    submitted: float = field(default_factory=time.perf_counter)
    makes: ClassVar[Makes] = "edit"

    def start(self, model: DiffusionModel) -> Started:
        """Noise in diffusers' order, so that seeds carry over: the VAE's sample, the start noise, then each step's."""
        if parts := self._parts(model):
            told = " and ".join(f"{name} of {side}" for name, side in parts.items())
            _LOG.info("%dx%d is large and worked in parts, in pixels: %s", *self.working_size, told)
        conditionings = tuple(self._conditioning(model, prompt) for prompt in self.prompts)
        generator = torch.Generator().manual_seed(self.params.seed)
        w, h = (side // model.pixels_per_cell for side in self.working_size)
        shape = (1, model.channels, h, w)
        if self.canvas is None:
            eps = self._start_noise(shape, generator).to(model.device)
            extra = self._extra(model, generator)
            return Started(Trajectory.from_noise(self.rows, eps, generator), conditionings, extra, self.windows)
        mean, std = model.encode_picture(_picture(self.canvas))
        z0 = mean + std * draw_noise(shape, generator).to(model.device)
        eps = self._start_noise(shape, generator).to(model.device)
        extra = self._extra(model, generator)
        assert self.spot is not None
        hold = Hold(z0, eps, _cells(self.spot.release, model), _cells(self.spot.from_noise, model))
        trajectory = Trajectory.from_picture(self.rows, hold, generator, self._passes)
        return Started(trajectory, conditionings, extra, self.windows)

    def _start_noise(self, shape: Sequence[int], generator: torch.Generator) -> torch.Tensor:
        """The seed's own, turned towards the first draw of the variation's; all later noise stays the seed's."""
        eps = draw_noise(shape, generator)
        seed, amount = parse_variation(self.params.variation)
        if amount == 0:
            return eps
        return turn_noise(eps, draw_noise(shape, torch.Generator().manual_seed(seed)), amount)

    def _extra(self, model: DiffusionModel, generator: torch.Generator) -> torch.Tensor | None:
        if self.inpainting is None:
            return None
        mask, seen = self.inpainting
        return model.mask_input(_picture(mask[..., None]), _picture(seen), generator)

    def finish(self, model: DiffusionModel, trajectory: Trajectory) -> Callable[[], EditResult]:
        """Decode; then cut the padding off, bring to the output's size, give detail back, lay over the original."""
        decoded = model.decode(trajectory.x)[0].permute(1, 2, 0).cpu().numpy()  # [H, W, 3]
        return lambda: self.result(model, self._finished(cut_middle(decoded, self.inner)))

    def _finished(self, edit: Pixels) -> Picture:
        if self.picture is not None and self.spot is not None:
            return self._laid_over(self.picture, self.spot, edit)
        edit = resize(edit, parse_size(self.params.output_size))
        return Picture((edit * 255 + 0.5).astype(np.uint8))

    def _laid_over(self, picture: Picture, spot: Spot, edit: Pixels) -> Picture:
        """The edit [h, w, 3] of the spot, in the picture: what is not to change has the original's own numbers."""
        base = spot.base
        edit = resize(edit, base.size)
        if self.params.detail:
            seen = base.flat()
            detailed = detail.give_back(edit, seen, self.params.detail)
            edit = detailed if spot.unseen is None else np.where(spot.unseen[..., None], edit, detailed)
        if spot.opacity is not None and self.params.match:
            enlarged = base.size[0] / self.inner[0]  # colours reach as far in what the model saw, whatever the output
            matched = match_colour(edit, base.flat(), spot.opacity, REACH * max(enlarged, 1))
            edit = edit + self.params.match * (matched - edit)
        part = base.with_flat(edit)
        if spot.opacity is not None:
            part = Picture.of(composite(base.pixels, part.pixels, spot.opacity))
        return part if spot.box is None else picture.pasted(part, *spot.box.slices)

    def unchanged(self, model: DiffusionModel) -> EditResult:
        """Strength 0, or a map that is black: the input, bit for bit."""
        assert self.picture is not None
        return self.result(model, self.picture)

    def result(self, model: DiffusionModel, picture: Picture) -> EditResult:
        """What is reported of an edit that ended with ``picture``."""
        made_with = {"overpaint": __version__, **model.made_with, "guidance_rescale": model.card.guidance_rescale}
        made_with |= self._parts(model)
        release = None if self.spot is None else self.spot.release
        return EditResult(
            pixels=picture.pixels,
            params=self.params,
            recipe=Recipe(self.params, self.makes, model.name, model.hash, self.source, made_with, maps=self.told),
            t0=int(self.levels[0].t) if self.levels else -1,
            signal=signal_of(self.strength, self.levels),
            steps_run=sum(row.boundary for row in self.rows) * self._passes,
            network_calls=len(self.rows) * self._passes,
            working_size=self.working_size,
            seconds=time.perf_counter() - self.submitted,
            warnings=tuple(self.warnings),
            index=self.index,
            region=None if self.spot is None else self.spot.box,
            map_levels=0 if release is None else len(np.unique(release)),
        )

    def _parts(self, model: DiffusionModel) -> dict[str, int | list[int]]:
        """The parts in which a large picture was worked, in pixels: the network's windows, and the VAE's tiles."""
        parts: dict[str, int | list[int]] = {}
        if self.windows is not None and self.rows:
            rows, columns = self.windows.size
            parts["windows"] = [columns * model.pixels_per_cell, rows * model.pixels_per_cell]
        if self.levels and (side := model.vae_tiles(self.working_size)) is not None:
            parts["vae_tiles"] = side
        return parts

    def work(self, model: DiffusionModel) -> int:
        """Network rows times the pixels of each: what the network does for this edit."""
        w, h = self.working_size
        area = w * h
        if self.windows is not None:
            rows, columns = self.windows.size
            area = len(self.windows) * rows * columns * model.pixels_per_cell**2
        rows_a_call = sum(2 if _is_guided(prompt, model) else 1 for prompt in self.prompts)
        return len(self.rows) * self._passes * rows_a_call * area

    @property
    def _passes(self) -> int:
        """How often it all is done: from pure noise once, since nothing of a last result would be left."""
        return 1 if self.canvas is None else self.params.repeat

    def _conditioning(self, model: DiffusionModel, prompt: Prompt) -> Conditioning:
        guided = _is_guided(prompt, model)
        states = []
        for name, text in (("prompt", prompt.text), ("negative_prompt", prompt.negative if guided else None)):
            if text is None:
                continue
            encoded = model.encode_text(text)
            states.append(encoded.states)
            if encoded.dropped and not model.reads_text:
                self.warnings.append(f"{name} is not used: this model reads no words")
            elif encoded.dropped:
                self.warnings.append(f"{name} is longer than the model reads; left out: {encoded.dropped!r}")
        weight = _cells(prompt.weight, model)
        uncond = states[1] if guided else None
        return Conditioning(states[0], uncond, prompt.guidance_scale, model.card.guidance_rescale, weight)


class NoisedTask(EditTask):
    """The start of an edit instead of its end: what of the picture is still there for the network to see."""

    makes: ClassVar[Makes] = "noised"

    def start(self, model: DiffusionModel) -> Started:
        started = super().start(model)
        self.rows, self.params = [], replace(self.params, detail=0.0, match=0.0, repeat=1)
        return Started(Trajectory([], started.trajectory.x, started.trajectory.generator), started.conditionings)


def _is_guided(prompt: Prompt, model: DiffusionModel) -> bool:
    """Whether it takes two rows a call, for and against."""
    return prompt.guidance_scale != 1 and not model.guidance_embedded and model.reads_text


def signal_of(strength: float, levels: Sequence[Level]) -> float:
    """How much of the picture's amplitude the network starts from: sqrt(alpha_bar) at t0, none at strength 1."""
    if strength == 1:
        return 0.0
    return levels[0].alpha if levels else 1.0


def _cells(m: Pixels | None, model: DiffusionModel) -> torch.Tensor | None:
    """[rows, columns] as a tensor [1, 1, h, w] where the latents are."""
    return None if m is None else torch.from_numpy(np.ascontiguousarray(m))[None, None].to(model.device)


def _picture(x: Pixels) -> torch.Tensor:
    """[H, W, c] as a tensor [1, c, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None]
