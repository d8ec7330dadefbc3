"""``Editor``: the friendly handle over a model and the engine that runs it."""

import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Never, Unpack

from overpaint.card import Card
from overpaint.crowd import Crowd
from overpaint.decode import Source
from overpaint.engine import Engine, Watcher
from overpaint.errors import ImageError, OverpaintError, ParameterError
from overpaint.explore import Sweep
from overpaint.fields import parse_margins
from overpaint.goal import Goal
from overpaint.job import EditJob, StepEvent
from overpaint.levels import ScheduleName
from overpaint.maps.changemap import MapSource
from overpaint.metadata import read_recipe
from overpaint.model import DiffusionModel
from overpaint.model_loading import DeviceName, DtypeName, fix_threads
from overpaint.params import (
    MAX_COUNT,
    FillName,
    FitName,
    MeasureName,
    PresetName,
    RegionName,
    our_default,
    reject_unknown,
)
from overpaint.picture import Picture
from overpaint.prepare import prepare
from overpaint.recipe import Recipe
from overpaint.redo import find_input, folders_of, request_of
from overpaint.request import EditOptions, EditRequest, Layer
from overpaint.result import EditResult
from overpaint.samplers import SamplerName
from overpaint.search import SearchJob
from overpaint.several import noised_of, seeds_of, strengths_of, values_of, with_a_seed

IN_FLIGHT = 32  # requests of an `edit_many` that are prepared at a time
DEFAULT_STRENGTHS = (0.2, 0.4, 0.6, 0.8)


class Editor:
    """Edits pictures with one model. Thread-safe; a context manager.

    Args:
        model: "embedded" (ships with the package, works offline), a Stable Diffusion 1.x/2.x folder in diffusers'
            layout, or a hub id in the local cache.
        device: "auto", "cpu", "cuda" or "mps".
        dtype: "auto", "float32", "float16" or "bfloat16".
        download: allow the network for a hub id that is not in the local cache.
        threads: of the CPU, for all of PyTorch in this process; None leaves them as they are. The bytes of a result
            depend on it, and its recipe tells it.

    Raises:
        ModelError: saying what the folder is and what is missing.
        ParameterError: there is no such device, dtype or number of threads.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "embedded",
        *,
        device: DeviceName = "auto",
        dtype: DtypeName = "auto",
        download: bool = False,
        threads: int | None = None,
    ) -> None:
        if threads is not None:
            fix_threads(threads)
        name = model if isinstance(model, str) else Path(model)
        self._engine = Engine(lambda: DiffusionModel.load(name, device=device, dtype=dtype, download=download))
        self.model = self._engine.model
        # an editor that is forgotten ends its thread too, at the latest before the interpreter does
        weakref.finalize(self, self._engine.close)

    def __enter__(self) -> "Editor":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel what is not done and end the engine's thread. Safe to call twice."""
        self._engine.close()

    @property
    def alive(self) -> bool:
        """Whether edits are still worked on: False once closed, or after an error that ended the engine's thread."""
        return self._engine.alive

    def watch(self, call: Watcher) -> None:
        """Have ``call(rows, capacity, seconds)`` called on the engine's thread after each network call, from now on.

        See ``engine.Watcher``. It must be quick, and must not raise: the edits of that call would fail by it.
        """
        self._engine.watch(call)

    @property
    def card(self) -> Card:
        """What is known of the model: native size, buckets, recommended parameters, licence."""
        return self.model.card

    def edit(
        self,
        image: Source,
        prompt: str = "",
        *,
        strength: float | None = None,
        negative_prompt: str | None = None,
        keep: float | None = None,
        keep_measure: MeasureName | None = None,
        steps: int | None = None,
        guidance_scale: float | None = None,
        sampler: SamplerName | None = None,
        schedule: ScheduleName | None = None,
        seed: int | None = None,
        variation: str | tuple[int, float] | None = None,
        size: str | tuple[int, int] | None = None,
        output_size: str | tuple[int, int] | None = None,
        fit: FitName | None = None,
        detail: float | None = None,
        preset: PresetName | None = None,
        fill: FillName | None = None,
        region: RegionName | None = None,
        padding: int | None = None,
        blend: int | None = None,
        match: float | None = None,
        extend: str | tuple[int, int, int, int] | None = None,
        repeat: int | None = None,
        change_map: MapSource | None = None,
        layers: Sequence[Layer] = (),
        on_step: Callable[[StepEvent], object] | None = None,
        **unknown: Never,
    ) -> EditResult:
        """Edit one picture: noise it to the level of ``strength``, denoise it under ``prompt``.

        This is SDEdit (Meng et al. 2021, arXiv:2108.01073, algorithm 1).

        Args:
            image: a path, the bytes of a file, a PIL image, or an array or tensor (uint8, uint16, or float in 0..1).
            prompt: what the result shows. Name what you want *and* what is in the picture.
            strength, negative_prompt, keep, keep_measure, steps, guidance_scale, sampler, schedule, seed, variation,
                size, output_size, fit, detail, preset, fill, region, padding, blend, match, extend, repeat:
                see ``EditParams``; None is resolved by preset, card and our defaults.
            change_map: where to change, and how much: a picture or array in 0..1, white = change with all of
                ``strength``, black = the original's own pixels, bit for bit.
            layers: regions with prompts of their own.
            on_step: called on this thread after every step, with a preview; raising in it cancels the edit.

        Raises:
            ParameterError, ImageError: what is wrong with the request. EditFailed: the network failed.
        """
        reject_unknown(list(unknown))
        if image is None:
            raise ImageError("the picture is None; it may not have been read. generate() needs none")
        request = EditRequest(
            image,
            prompt,
            strength=strength,
            negative_prompt=negative_prompt,
            keep=keep,
            keep_measure=keep_measure,
            steps=steps,
            guidance_scale=guidance_scale,
            sampler=sampler,
            schedule=schedule,
            seed=seed,
            variation=variation,
            size=size,
            output_size=output_size,
            fit=fit,
            detail=detail,
            preset=preset,
            fill=fill,
            region=region,
            padding=padding,
            blend=blend,
            match=match,
            extend=extend,
            repeat=repeat,
            change_map=change_map,
            layers=layers,
        )
        return self.follow(self.submit(request, preview=on_step is not None), on_step)

    def generate(
        self, prompt: str, *, on_step: Callable[[StepEvent], object] | None = None, **options: Unpack[EditOptions]
    ) -> EditResult:
        """A picture from nothing: an edit of strength 1, which needs no input."""
        return self.follow(self.submit(EditRequest(None, prompt, **options), preview=on_step is not None), on_step)

    def sweep(
        self,
        image: Source,
        prompt: str = "",
        *,
        strengths: Sequence[float] = DEFAULT_STRENGTHS,
        against: Mapping[str, Sequence[Any]] | None = None,
        starts: bool = False,
        **options: Unpack[EditOptions],
    ) -> Sweep:
        """One edit at several strengths, and against the values of another parameter, in one batch.

        All share one seed, unless seeds are what they differ in.

        Args:
            against: one parameter, with a value for each row: ``{"seed": [1, 2, 3]}``, ``{"guidance_scale": [1, 3]}``,
                ``{"prompt": [...]}``, or any other but the strength.
            starts: also what the edits start from: the picture noised to each strength, and decoded.

        Returns:
            the results, row by row, with what each of them kept of the picture.
        """
        request = with_a_seed(EditRequest(image, prompt, **options))
        by, rows = (None, [request]) if against is None else values_of(request, against)
        requests = [one for row in rows for one in strengths_of(row, strengths)]
        if len(requests) > MAX_COUNT:
            raise ParameterError("strengths", f"make {len(requests)} edits, at most {MAX_COUNT} are made at a time")
        noised = noised_of(request, strengths) if starts else []
        results = self._all([*noised, *requests])
        assert isinstance(request.image, Picture)
        made, seen = tuple(results[len(noised) :]), tuple(results[: len(noised)])
        return Sweep(request.image, tuple(strengths), by, made, seen)

    def variations(
        self, image: Source | None, prompt: str = "", n: int = 4, **options: Unpack[EditOptions]
    ) -> list[EditResult]:
        """``n`` results with seeds seed, seed+1, ... (mod 2^53), in one batch; each equals its edit alone.

        With ``variation``, it is the variation's seed that is raised, and all of them lie around the edit's own seed.
        """
        return self._all(seeds_of(EditRequest(image, prompt, **options), n))

    def noised(
        self, image: Source, strengths: Sequence[float] = DEFAULT_STRENGTHS, **options: Unpack[EditOptions]
    ) -> list[EditResult]:
        """The picture noised to each strength and decoded, without denoising: what the network gets to see of it."""
        request = with_a_seed(EditRequest(image, **{"seed": 0, **options}))  # type: ignore[arg-type]
        return self._all(noised_of(request, strengths))

    def redo(
        self,
        source: Source | Recipe,
        image: Source | None = None,
        *,
        on_step: Callable[[StepEvent], object] | None = None,
        **changes: Unpack[EditOptions],
    ) -> EditResult:
        """Make a picture again from its own recipe, with ``changes`` if there are any: the same seed, another strength.

        Args:
            source: a picture that was saved with its recipe, or a recipe.
            image: what it was made of; None looks for it, by its pixels, beside ``source`` and in the current folder.
            changes: other values for fields of ``EditParams``.

        Raises:
            RecipeError: there is no recipe, or its input is not found.
        """
        recipe = source if isinstance(source, Recipe) else read_recipe(source)
        if image is None and recipe.input is not None:
            image = find_input(recipe.input, folders_of(source))
        return self.follow(self.submit(request_of(recipe, image, **changes), preview=on_step is not None), on_step)

    def edit_many(
        self, requests: Iterable[EditRequest], *, on_step: Callable[[int, StepEvent], object] | None = None
    ) -> Iterator[EditResult | OverpaintError]:
        """Edit many, sharing batches; yields each as it finishes, a failed one as its error; ``index`` says which.

        Args:
            on_step: called on this thread with the index of a request and each step of its edit.
        """
        crowd = Crowd(on_step)
        try:
            for index, request in enumerate(requests):
                try:
                    job = self._submit(request, index)
                except OverpaintError as e:
                    e.index = index
                    yield e
                else:
                    crowd.add(job, index)
                yield from crowd.ended(block=len(crowd) >= IN_FLIGHT)
            while crowd:
                yield from crowd.ended(block=True)
        finally:
            crowd.cancel()

    def submit(self, request: EditRequest, *, preview: bool = False) -> EditJob:
        """Queue an edit and return at once: a ``Future`` of an ``EditResult``, with ``events()`` and ``cancel()``."""
        return self._submit(request, preview=preview)

    def follow(self, job: EditJob, on_step: Callable[[StepEvent], object] | None = None) -> EditResult:
        """Wait for a job, calling ``on_step`` here; whatever is raised meanwhile (Ctrl-C too) cancels it."""
        try:
            if on_step is not None:
                for event in job.events():
                    on_step(event)
            result: EditResult = job.result()
        except BaseException:
            job.cancel()
            raise
        return result

    def _submit(self, request: EditRequest, index: int = 0, *, preview: bool = False) -> EditJob:
        if request.params.keep is not None:
            return self._search(request, request.params.keep, index, preview)
        task = prepare(request, self.model, index)
        if not task.levels:
            job = EditJob()
            job.set_result(task.unchanged(self.model))
            return job
        return self._engine.submit(task, preview=preview)

    def _search(self, request: EditRequest, keep: float, index: int, preview: bool) -> EditJob:
        """The edit of the strength that keeps this much. Everything else is the same in all trials."""
        fixed = with_a_seed(request)
        if request.makes != "edit" or any(parse_margins(request.params.extend or our_default("extend"))):
            raise ParameterError("keep", "needs a result of the picture's own shape, and not what an edit starts from")

        def submit(strengths: Sequence[float], preview: bool) -> list[EditJob]:
            return [self._submit(fixed.replace(keep=None, strength=s), index, preview=preview) for s in strengths]

        picture = fixed.image
        assert isinstance(picture, Picture)
        goal = Goal(keep, request.params.keep_measure or our_default("keep_measure"), {})
        return SearchJob(goal, submit, picture, preview)

    def _all(self, requests: Sequence[EditRequest]) -> list[EditResult]:
        """All results in order; the first error is raised."""
        results: dict[int, EditResult] = {}
        for outcome in self.edit_many(requests):
            if isinstance(outcome, OverpaintError):
                raise outcome
            results[outcome.index] = outcome
        return [results[i] for i in range(len(requests))]
