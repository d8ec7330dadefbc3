"""The items of the included model with everything loaded: one edit, mixed ones, a sweep, a mask in a large photo."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from benchmarks.speed.field import Field
from benchmarks.speed.results import BEST, NATIVE, OURS, PEER, Goal, Item, Line
from benchmarks.speed.turns import Prepare, timed
from benchmarks.speed.work import MIXED, ONE, PHOTO, SWEEP, edits_of_turn, square
from overpaint import decode, images
from overpaint.picture import Picture
from overpaint.request import EditOptions
from overpaint.result import EditResult

SIDE = 256
PRESET: Literal["style"] = "style"
PHOTO_PROMPT = "hills and mountains"
MASK = slice(2200, 2440), slice(1500, 1760)  # rows and columns of the small mask in the photo


def one(field: Field) -> Item:
    """A warm edit; and what the preset, with its own size and detail, takes."""
    base, editor = square(SIDE), field.ours.editor
    native = square(editor.card.native_size)

    def preset(turn: int) -> Callable[[], object]:
        edit = edits_of_turn(native, [ONE], turn)[0]
        return lambda: editor.edit(edit.picture, edit.prompt, preset=PRESET, seed=ONE.seed)

    name = f"overpaint, preset {PRESET}"
    lines, floor = field.contest([ONE], base, 1, {name: preset})
    told = editor.edit(native, "", preset=PRESET, seed=ONE.seed)
    width, height = told.working_size
    differs = f"{width}x{height}, {told.steps_run} steps, detail {told.params.detail:g}"
    lines[-1] = Line(name, lines[-1].numbers, lines[-1].dtype, differs)
    what = f"one edit, {SIDE} px, {ONE.steps} steps x {ONE.strength:g}, guidance {ONE.guidance:g}"
    return Item("one", what, tuple(lines), (Goal(1 / 2, PEER), Goal(1 / 1.15, BEST)), floor)


def mixed(field: Field) -> Item:
    """Edits of different pictures that differ in everything, in one ``edit_many``; theirs one by one."""
    n = len(MIXED)
    lines, floor = field.contest(MIXED, square(SIDE), n)
    what = f"{n} mixed edits, {SIDE} px: strengths .2 to 1, guidance 1 to 8, 10 to 50 steps, 6 samplers"
    return Item("mixed", what, tuple(lines), (Goal(1 / 2.2, PEER), Goal(1 / 1.2, BEST)), floor, edits=n)


def sweep(field: Field) -> Item:
    """Several strengths of one picture and prompt."""
    lines, floor = field.contest(SWEEP, square(SIDE), 1)
    what = f"a sweep of one picture, {SIDE} px: strengths .2, .4, .6, .8 of {ONE.steps} steps"
    return Item("sweep", what, tuple(lines), (), floor, edits=len(SWEEP))


def small_mask(field: Field) -> Item:
    """A small mask in a large photo, from decoded to composited picture, against an edit of the model's own size."""
    editor = field.ours.editor
    photo, side = decode.load(PHOTO), editor.card.native_size
    small = images.resize(photo.rgb, (side, side))
    rows, columns = MASK
    options: EditOptions = {"steps": ONE.steps, "strength": ONE.strength, "guidance_scale": ONE.guidance}
    options |= {"seed": ONE.seed, "detail": 0}

    def masked(turn: int) -> Callable[[], EditResult]:
        mask = np.zeros(photo.rgb.shape[:2], np.float32)
        mask[rows.start + turn : rows.stop + turn, columns] = 1
        fresh = Picture(photo.rgb)  # a picture keeps its hash once that is computed
        asked: EditOptions = {**options, "change_map": mask}
        return lambda: editor.edit(fresh, PHOTO_PROMPT, **asked)

    def native(turn: int) -> Callable[[], object]:
        picture = np.roll(small, turn, axis=1)
        return lambda: editor.edit(picture, PHOTO_PROMPT, **options)

    works: dict[str, Prepare] = {OURS: masked, NATIVE: native}
    found = field.turns.of({name: timed(prepare) for name, prepare in works.items()})
    lines = tuple(Line(name, tuple(numbers), field.ours.dtype) for name, numbers in found.items())
    worked = masked(0)()
    megapixels = photo.size[0] * photo.size[1] / 1e6
    box = f"{columns.stop - columns.start}x{rows.stop - rows.start}"
    what = f"a mask of {box} in a photo of {megapixels:.0f} megapixels, {ONE.steps} steps x {ONE.strength:g}"
    floor = field.floors.of([ONE], worked.working_size, 1)
    return Item("small-mask", what, lines, (Goal(1.3, NATIVE),), floor)


ITEMS: dict[str, Callable[[Field], Item]] = {"one": one, "mixed": mixed, "sweep": sweep, "small-mask": small_mask}
