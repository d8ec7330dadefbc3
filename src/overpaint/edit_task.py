"""One edit as the engine runs it: from a request to a trajectory, and from its end to a result.

``prepare`` runs on the submitting thread (reading, fitting, resolving, writing the sampler's rows), ``start`` and
``finish`` on the engine's.
"""

import time
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypedDict, Unpack

import numpy as np
import torch

from overpaint import decode, detail
from overpaint.errors import ParameterError
from overpaint.job import Conditioning, Started
from overpaint.levels import Level, ScheduleName, levels_for
from overpaint.model import DiffusionModel, TextStates
from overpaint.params import EditParams, FitName, PresetName, ResolvedParams, our_default, parse_size, reject_unknown
from overpaint.picture import Picture, Pixels, cut_middle, fit, inner_size, pad_from_edge, resize
from overpaint.presets import advice, foreign_syntax, resolve
from overpaint.recipe import Input, Makes, Recipe
from overpaint.result import EditResult
from overpaint.samplers import Row, SamplerName, rows_for
from overpaint.trajectory import Hold, Trajectory, draw_noise
from overpaint.version import __version__

ENLARGED = 1.5  # beyond this a result says that it was enlarged
MAX_WORKING_PIXELS = 2048 * 2048


class EditOptions(TypedDict, total=False):
    """The keywords of an edit: the fields of ``EditParams`` but the prompt. Meanings and ranges stand there."""

    negative_prompt: str | None
    strength: float | None
    steps: int | None
    guidance_scale: float | None
    sampler: SamplerName | None
    schedule: ScheduleName | None
    seed: int | None
    size: str | tuple[int, int] | None
    output_size: str | tuple[int, int] | None
    fit: FitName | None
    detail: float | None
    preset: PresetName | None


def _known(options: EditOptions) -> dict[str, Any]:
    """The options as a plain dict, if all of them are ours: Python itself does not check them."""
    reject_unknown([name for name in options if name not in EditOptions.__annotations__])
    return dict(options)


class EditRequest:
    """A picture and what to make of it: ``EditRequest(image, prompt, strength=.5, ...)``.

    Args:
        image: as in ``decode.load``; None is plain generation (strength 1).
        prompt: what the result shows.
        options: any field of ``EditParams``.
    """

    def __init__(self, image: decode.Source | None, prompt: str = "", **options: Unpack[EditOptions]) -> None:
        given = _known(options)
        self.image = image
        self.makes: Makes = "edit"
        self.params = self._checked(EditParams(prompt=prompt, **given))

    @classmethod
    def of(cls, image: decode.Source | None, params: EditParams, makes: Makes = "edit") -> "EditRequest":
        """A request with parameters that are there already; "noised" asks for what the edit starts from."""
        request = cls(image)
        request.params, request.makes = request._checked(params), makes
        return request

    def replace(self, **options: Unpack[EditOptions]) -> "EditRequest":
        """The same request with other options."""
        given = _known(options)
        changed = copy(self)
        changed.params = self._checked(replace(self.params, **given))
        return changed

    def loaded(self) -> "EditRequest":
        """The same request with its picture read, for making many of it."""
        changed = copy(self)
        changed.image = None if self.image is None else decode.load(self.image)
        return changed

    def _checked(self, params: EditParams) -> EditParams:
        if self.image is not None:
            return params
        if params.strength not in (None, 1):
            raise ParameterError("strength", f"is {params.strength} without a picture; only 1 generates from nothing")
        return replace(params, strength=1.0)

    def __repr__(self) -> str:
        return f"EditRequest({self.params})"


@dataclass
class EditTask:
    """A prepared edit.

    Attributes:
        picture: the input, fitted to the output's size; None for plain generation.
        canvas: what the model works on, [H, W, 3] float32 in 0..1; None where no picture is needed (strength 1).
        source: the input as the recipe names it; None for plain generation.
        inner: (width, height) of the part of the canvas that is the picture; the rest is padding.
    """

    params: ResolvedParams
    picture: Picture | None
    canvas: Pixels | None
    source: Input | None
    inner: tuple[int, int]
    working_size: tuple[int, int]
    levels: list[Level]
    rows: list[Row]
    warnings: list[str]
    index: int = 0
    submitted: float = field(default_factory=time.perf_counter)
    makes: ClassVar[Makes] = "edit"

    def start(self, model: DiffusionModel) -> Started:
        """Noise in diffusers' order, so that seeds carry over: the VAE's sample, the start noise, then each step's."""
        params = self.params
        guided = params.guidance_scale != 1 and not model.guidance_embedded
        cond = self._encode(model, "prompt", params.prompt)
        uncond = self._encode(model, "negative_prompt", params.negative_prompt).states if guided else None
        conditioning = Conditioning(cond.states, uncond, params.guidance_scale, model.card.guidance_rescale)
        generator = torch.Generator().manual_seed(params.seed)
        w, h = self.working_size
        shape = (1, model.channels, h // model.pixels_per_cell, w // model.pixels_per_cell)
        if self.canvas is None:
            eps = draw_noise(shape, generator).to(model.device)
            return Started(Trajectory.from_noise(self.rows, eps, generator), conditioning)
        pixels = torch.from_numpy(self.canvas).permute(2, 0, 1)[None].to(model.device)  # [1, 3, H, W]
        mean, std = model.encode_picture(pixels)
        z0 = mean + std * draw_noise(shape, generator).to(model.device)
        hold = Hold(z0, draw_noise(shape, generator).to(model.device))
        return Started(Trajectory.from_picture(self.rows, hold, generator), conditioning)

    def finish(self, model: DiffusionModel, trajectory: Trajectory) -> EditResult:
        """Decode, cut the padding off, bring to the output's size, give detail back."""
        decoded = model.decode(trajectory.x)[0].permute(1, 2, 0).cpu().numpy()  # [H, W, 3]
        edit = resize(cut_middle(decoded, self.inner), parse_size(self.params.output_size))
        if self.picture is None:
            out = Picture((edit * 255 + 0.5).astype(np.uint8))
        else:
            out = self.picture.with_flat(detail.give_back(edit, self.picture.flat(), self.params.detail))
        return self.result(model, out)

    def unchanged(self, model: DiffusionModel) -> EditResult:
        """Strength 0: the input, bit for bit."""
        assert self.picture is not None
        return self.result(model, self.picture)

    def result(self, model: DiffusionModel, picture: Picture) -> EditResult:
        """What is reported of an edit that ended with ``picture``."""
        made_with = {"overpaint": __version__, **model.made_with, "guidance_rescale": model.card.guidance_rescale}
        return EditResult(
            pixels=picture.pixels,
            params=self.params,
            recipe=Recipe(self.params, self.makes, model.name, model.hash, self.source, made_with),
            t0=int(self.levels[0].t) if self.levels else -1,
            signal=signal_of(self.params, self.levels),
            steps_run=sum(row.boundary for row in self.rows),
            network_calls=len(self.rows),
            working_size=self.working_size,
            seconds=time.perf_counter() - self.submitted,
            warnings=tuple(self.warnings),
            index=self.index,
        )

    def _encode(self, model: DiffusionModel, name: str, text: str) -> TextStates:
        encoded = model.encode_text(text)
        if encoded.dropped:
            self.warnings.append(f"{name} is longer than the model reads; left out: {encoded.dropped!r}")
        return encoded


class NoisedTask(EditTask):
    """The start of an edit instead of its end: what of the picture is still there for the network to see."""

    makes: ClassVar[Makes] = "noised"

    def start(self, model: DiffusionModel) -> Started:
        started = super().start(model)
        self.rows, self.params = [], replace(self.params, detail=0.0)
        return Started(Trajectory([], started.trajectory.x, started.trajectory.generator), started.conditioning)


_TASKS: dict[Makes, type[EditTask]] = {"edit": EditTask, "noised": NoisedTask}


def prepare(
    request: EditRequest, model: DiffusionModel, index: int = 0, kind: type[EditTask] | None = None
) -> EditTask:
    """Read, fit and resolve a request, and write its rows. Raises ``ParameterError`` or ``ImageError``.

    ``kind``: the task to make of it, if another than what the request asks for.
    """
    given = request.params
    picture = None if request.image is None else decode.load(request.image)
    source = None if picture is None else Input(picture.digest, *picture.size)
    how = given.fit or our_default("fit")  # presets and cards have no say in it
    asked = None if given.output_size in (None, "working") else parse_size(given.output_size or "")
    if asked is not None:
        if asked[0] * asked[1] > decode.MAX_PIXELS:
            raise ParameterError("output_size", f"is {_as_text(asked)}, at most {decode.MAX_PIXELS:,} pixels are made")
        picture = picture and fit(picture, asked, how)
    box = _working_box(given, picture, model)
    shape = picture.size if picture is not None else asked or box
    inner = inner_size(shape, box)
    output = inner if given.output_size == "working" else shape
    picture = picture and fit(picture, output, how)
    params = resolve(given, model.card, size=_as_text(box), output_size=_as_text(output))
    working = _round_up(box, model)
    if working[0] * working[1] > MAX_WORKING_PIXELS:
        raise ParameterError(
            "size",
            f"{_as_text(working)} is more than the {MAX_WORKING_PIXELS / 1e6:.1f} megapixels a model can work at",
        )
    canvas = None
    if picture is not None and 0 < params.strength < 1:
        canvas = pad_from_edge(resize(picture.flat(), inner), working)
    levels, rows = [], []
    if params.strength > 0:
        levels = levels_for(params.strength, params.steps, params.schedule, model.noise)
        rows = rows_for(params.sampler, levels, model.noise.at_ratio)
    notes = picture.notes if picture is not None else ()
    promises = advice(params, signal_of(params, levels)) if picture is not None else []
    warnings = [*notes, *model.notes, *promises, *foreign_syntax(params), *_enlarged(params, inner, output)]
    make = kind or _TASKS[request.makes]
    return make(params, picture, canvas, source, inner, working, levels, rows, warnings, index)


def signal_of(params: ResolvedParams, levels: list[Level]) -> float:
    """How much of the picture's amplitude the network starts from: sqrt(alpha_bar) at t0, none at strength 1."""
    if params.strength == 1:
        return 0.0
    return levels[0].alpha if levels else 1.0


def _working_box(params: EditParams, picture: Picture | None, model: DiffusionModel) -> tuple[int, int]:
    """What `size` comes to: (width, height), not yet rounded to the model's cells."""
    if params.size == "input":
        if picture is None:
            raise ParameterError("size", "is 'input', and there is no picture")
        return picture.size
    if params.size is not None:
        return parse_size(params.size)
    if picture is not None:
        return model.card.bucket_for(*picture.size)
    if params.output_size not in (None, "working"):
        return model.card.bucket_for(*parse_size(params.output_size or ""))
    return model.card.bucket_for(1, 1)


def _round_up(size: tuple[int, int], model: DiffusionModel) -> tuple[int, int]:
    """To whole latent cells, and to no less than the network can halve as often as it does."""
    cell, least = model.pixels_per_cell, model.card.size_multiple
    w, h = (max(-(-side // cell) * cell, least) for side in size)
    return w, h


def _enlarged(params: ResolvedParams, inner: tuple[int, int], output: tuple[int, int]) -> list[str]:
    scale = output[0] / inner[0]
    if scale <= ENLARGED or params.strength == 0:
        return []
    cure = "a larger size= works finer"
    if params.detail == 0 and params.strength < 1:
        cure = f"detail= gives the original's fine structure back, {cure}"
    return [f"worked at {_as_text(inner)} and enlarged {scale:.1f} times to {_as_text(output)}: {cure}"]


def _as_text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
