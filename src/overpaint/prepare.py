"""A request made ready for the engine, on the thread that submits it: read, fitted, resolved, and its rows written."""

from dataclasses import replace

import numpy as np

from overpaint import decode
from overpaint.edit_task import EditTask, NoisedTask, Prompt, Spot, signal_of
from overpaint.errors import ParameterError
from overpaint.fields import parse_margins, parse_size
from overpaint.levels import Level, levels_for, start_level
from overpaint.maps.fill import fill
from overpaint.maps.growing import extend
from overpaint.maps.maptext import to_dict
from overpaint.maps.region import region_of
from overpaint.maps.release import Grid, release_of
from overpaint.maps.where import Maps, Where
from overpaint.model import DiffusionModel
from overpaint.params import EditParams, ResolvedParams, our_default
from overpaint.picture import Picture, Pixels, fit, inner_size, pad_from_edge, resize
from overpaint.presets import advice, foreign_syntax, resolve
from overpaint.recipe import Input, LayerTold, Makes, MapsTold
from overpaint.request import EditRequest
from overpaint.samplers import Row, rows_for
from overpaint.windows import Windows, window_size

ENLARGED = 1.5  # beyond this a result says that it was enlarged
MAX_WORKING_PIXELS = 64_000_000  # beyond largest_area in windows
FINER = 0.3  # the strength at which windows redraw what is fine and agree on what is large
MARKED = 0.5  # a change map from here on marks what `fill` fills
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
    layers = [layer.map for layer in request.layers]
    maps = None if picture is None else Maps.of(request.change_map, layers, picture.size)
    told = _told(request, maps)
    if picture is not None and any(margins := parse_margins(given.extend or our_default("extend"))):
        picture, new = extend(picture, *margins)
        maps = Maps(new, ()) if maps is None else maps.grow(margins, new)
    picture, maps, output = _to_output(given, picture, maps, model)
    params = resolve(given, model.card, size=_as_text(output), output_size=_as_text(output))
    strengths = [params.strength, *(params.strength if x.strength is None else x.strength for x in request.layers)]
    spot, where = _spot(given, params, picture, maps, strengths, model)
    strength = params.strength if where is None else where.top
    part = output if spot is None else spot.base.size
    box = _working_box(given, part, model)
    if spot is not None and spot.box is not None:
        box = spot.box.bucket
    if where is not None:  # what was chosen, so that the recipe's numbers choose the same again
        params = replace(params, region="mask" if spot is not None and spot.box is not None else "whole")
    params = replace(params, size=_as_text(box))
    grid = Grid(part, inner_size(part, box), _round_up(box, model), model.pixels_per_cell)
    _check_working(grid.working)
    windows = _windows(grid.working, model)
    levels, rows = _levels_and_rows(strength, params, model)
    canvas: Pixels | None = None
    weights: list[Pixels | None] = [None] * (1 + len(request.layers))
    if spot is not None and levels:
        spot, weights = _with_cells(spot, where, grid, levels, model) if where is not None else (spot, weights)
        if strength < 1 or spot.release is not None:
            canvas = pad_from_edge(resize(_filled(spot, where, params), grid.inner), grid.working)
    warnings = _warnings(params, strength, levels, picture, maps, model)
    return (kind or _TASKS[request.makes])(
        params=params,
        strength=strength,
        prompts=_prompts(request, params, weights),
        picture=picture,
        spot=spot,
        canvas=canvas,
        inpainting=_inpainting(spot, where, grid) if model.takes_mask and levels else None,
        source=source,
        told=told,
        inner=grid.inner,
        working_size=grid.working,
        windows=windows if levels else None,
        levels=levels,
        rows=rows,
        warnings=[*warnings, *_enlarged(params, strength, grid.inner, part), *_in_windows(windows, strength, model)],
        index=index,
    )


def _to_output(
    given: EditParams, picture: Picture | None, maps: Maps | None, model: DiffusionModel
) -> tuple[Picture | None, Maps | None, tuple[int, int]]:
    """Picture and maps at the size of the output, and that size."""
    how = given.fit or our_default("fit")  # presets and cards have no say in it
    size = None if picture is None else picture.size
    if given.output_size not in (None, "working"):
        size = parse_size(given.output_size or "")
        if size[0] * size[1] > decode.MAX_PIXELS:
            raise ParameterError("output_size", f"is {_as_text(size)}, at most {decode.MAX_PIXELS:,} pixels are made")
    if size is None or given.output_size == "working":
        if picture is None and given.size == "input":
            raise ParameterError("size", "is 'input', and there is no picture")
        box = _working_box(given, size, model)
        size = box if size is None else inner_size(size, box)
    return picture and fit(picture, size, how), maps and maps.fit(size, how), size


def _spot(
    given: EditParams,
    params: ResolvedParams,
    picture: Picture | None,
    maps: Maps | None,
    strengths: list[float],
    model: DiffusionModel,
) -> tuple[Spot | None, Where | None]:
    """The part of the picture that is worked on, and what the maps say of that part."""
    if picture is None or maps is None:
        return None if picture is None else Spot(picture), None
    mode = "whole" if given.output_size == "working" else params.region
    touched = maps.touched(strengths)
    box = region_of(touched, mode, lambda w, h: _working_box(given, (w, h), model), params.padding)
    if box is not None:
        picture, maps = picture.crop(*box.slices), maps.crop(*box.slices)
    where = Where.of(maps, strengths, params.blend)
    if where.is_number or where.top == 0:
        return Spot(picture, box), where
    unseen = where.unseen
    if params.fill != "original":  # then nothing of what is marked is to come back, not in a blended edge either
        unseen = unseen | (where.marked >= MARKED)
    if not unseen.any():
        return Spot(picture, box, where.opacity), where
    filled = picture.with_flat_in(unseen, fill(picture.flat(), unseen, "telea"))
    return Spot(filled, box, where.opacity, unseen), where


def _with_cells(
    spot: Spot, where: Where, grid: Grid, levels: list[Level], model: DiffusionModel
) -> tuple[Spot, list[Pixels | None]]:
    """When each latent cell is let go, and how much it listens to each prompt."""
    weights = where.weights_of_cells(grid)
    if where.is_number or (model.takes_mask and where.is_hard):
        return spot, weights  # such a network is told what to keep, and what to change it does at once
    cells = where.strengths_of_cells(grid)
    full = cells >= 1
    release = release_of(cells, levels, model.noise.timesteps)
    return replace(spot, release=release, from_noise=full if full.any() else None), weights


def _filled(spot: Spot, where: Where | None, params: ResolvedParams) -> Pixels:
    """What the model sees of the spot, [h, w, 3] float32."""
    x = spot.base.flat()
    if where is None or params.fill == "original":
        return x
    return fill(x, where.marked >= MARKED, params.fill, params.seed)


def _inpainting(spot: Spot | None, where: Where | None, grid: Grid) -> tuple[Pixels, Pixels]:
    """The mask [H, W] and the canvas [H, W, 3] with grey in the mask's place; without a map all is to change."""
    w, h = grid.working
    if spot is None or where is None:
        return np.ones((h, w), np.float32), np.full((h, w, 3), 0.5, np.float32)
    marked = pad_from_edge(resize(where.marked[..., None], grid.inner), grid.working)
    mask = (marked >= MARKED).astype(np.float32)  # [H, W, 1]
    seen = pad_from_edge(resize(spot.base.flat(), grid.inner), grid.working)
    return mask[..., 0], np.where(mask > 0, np.float32(0.5), seen)


def _levels_and_rows(strength: float, params: ResolvedParams, model: DiffusionModel) -> tuple[list[Level], list[Row]]:
    if start_level(strength, model.noise.timesteps) == 0:
        return [], []
    levels = levels_for(strength, params.steps, params.schedule, model.noise)
    return levels, rows_for(params.sampler, levels, model.noise.at_ratio)


def _prompts(request: EditRequest, params: ResolvedParams, weights: list[Pixels | None]) -> list[Prompt]:
    """The edit's own and the layers', without those that no cell listens to."""
    own = Prompt(params.prompt, params.negative_prompt, params.guidance_scale, weights[0])
    prompts = [own]
    for layer, weight in zip(request.layers, weights[1:], strict=True):
        negative = params.negative_prompt if layer.negative_prompt is None else layer.negative_prompt
        guidance = params.guidance_scale if layer.guidance_scale is None else layer.guidance_scale
        prompts.append(Prompt(layer.prompt, negative, guidance, weight))
    return [p for p in prompts if p.weight is None or p.weight.any()]


def _told(request: EditRequest, maps: Maps | None) -> MapsTold:
    """Maps and layers as the recipe tells them."""
    if maps is None:
        return MapsTold()
    layers = [
        LayerTold(x.prompt, x.negative_prompt, x.strength, x.guidance_scale, to_dict(m))
        for x, m in zip(request.layers, maps.layers, strict=True)
    ]
    return MapsTold(None if maps.change is None else to_dict(maps.change), tuple(layers))


# ---- sizes and warnings ----------------------------------------------------------------------------------------------


def _working_box(given: EditParams, size: tuple[int, int] | None, model: DiffusionModel) -> tuple[int, int]:
    """What `size` comes to for a picture of ``size`` (None: there is none): not yet rounded to the model's cells."""
    if given.size == "input" and size is not None:
        return size
    if given.size not in (None, "input"):
        return parse_size(given.size or "")
    return model.card.bucket_for(*(size or (1, 1)))


def _round_up(size: tuple[int, int], model: DiffusionModel) -> tuple[int, int]:
    """To whole latent cells, and to no less than the network can halve as often as it does."""
    cell, least = model.pixels_per_cell, model.card.size_multiple
    w, h = (max(-(-side // cell) * cell, least) for side in size)
    return w, h


def _check_working(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_WORKING_PIXELS:
        most = MAX_WORKING_PIXELS / 1e6
        raise ParameterError("size", f"{_as_text(size)} is more than the {most:.0f} megapixels that are worked at")


def _windows(working: tuple[int, int], model: DiffusionModel) -> Windows | None:
    """How the network sees what is too large for it to see at once; None where it is not."""
    if working[0] * working[1] <= model.card.largest_area:
        return None
    cell = model.pixels_per_cell
    shape = working[1] // cell, working[0] // cell
    size = window_size(shape, model.card.native_size // cell, max(1, model.card.size_multiple // cell))
    return Windows.over(shape, size, model.device)


def _warnings(
    params: ResolvedParams,
    strength: float,
    levels: list[Level],
    picture: Picture | None,
    maps: Maps | None,
    model: DiffusionModel,
) -> list[str]:
    notes = [*(picture.notes if picture else ()), *(maps.notes if maps else ()), *model.notes]
    if maps is not None and strength == 0:
        notes.append("nothing is to be changed: the change map is black, or the strength is 0")
    promises = advice(params, signal_of(strength, levels)) if picture is not None else []
    return [*notes, *promises, *foreign_syntax(params)]


def _enlarged(params: ResolvedParams, strength: float, inner: tuple[int, int], output: tuple[int, int]) -> list[str]:
    scale = output[0] / inner[0]
    if scale <= ENLARGED or strength == 0:
        return []
    cure = "a larger size= works finer"
    if params.detail == 0 and strength < 1:
        cure = f"detail= gives the original's fine structure back, {cure}"
    return [f"worked at {_as_text(inner)} and enlarged {scale:.1f} times to {_as_text(output)}: {cure}"]


def _in_windows(windows: Windows | None, strength: float, model: DiffusionModel) -> list[str]:
    if windows is None or strength <= FINER:
        return []
    h, w = (side * model.pixels_per_cell for side in windows.size)
    return [
        f"worked in {len(windows)} windows of {w}x{h}, each painted by itself, so what the prompt names may show in "
        "every one: name only what is true of all of them ('an oil painting'), or edit at the model's own size first, "
        f"and the result of that in windows, with strength {FINER:g}"
    ]


def _as_text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
