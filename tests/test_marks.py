"""``Marks``: what of a picture is to be changed, in whatever form it comes."""

import numpy as np
import pytest
from conftest import random_picture

from overpaint.errors import ImageError, OverpaintError, ParameterError
from overpaint.maps import TOOLS, select_scribble
from overpaint.maps.maptools import box, difference, grow, union
from overpaint.maps.toolbox import Tool
from overpaint.marks import Marks
from overpaint.picture import Picture
from overpaint.request import Layer

PICTURE = Picture(random_picture(32, 24, seed=1))
SMALL = np.ones((12, 16), np.float32)


def test_nothing_said_is_nothing_asked() -> None:
    assert Marks().of(PICTURE) == ({}, [])


def test_all_that_makes_a_map_adds_to_it_and_then_come_the_tools() -> None:
    painted = PICTURE.rgb.copy()
    painted[20:, :4] = 255 - painted[20:, :4]
    soft = np.zeros((24, 32), np.float32)
    soft[2, 2], soft[2, 3] = 0.4, 0.6
    strokes = box((32, 24), 20, 10, 6, 2)
    layers = [Layer(SMALL, "a castle")]
    marks = Marks(
        map=box((32, 24), 0, 0, 3, 3) * np.float32(0.5),
        mask=soft,
        changed_from=painted,
        scribble=strokes,
        tools=("box:12,0,2,2", "grow:1"),
        layers=layers,
    )
    options, notes = marks.of(PICTURE)
    m = union(box((32, 24), 0, 0, 3, 3) * np.float32(0.5), (soft >= 0.5).astype(np.float32))
    m = union(m, difference(PICTURE, Picture(painted)))
    m = union(m, select_scribble(PICTURE, strokes))
    expected = grow(union(m, box((32, 24), 12, 0, 2, 2)), 1)
    assert set(options) == {"change_map", "layers"}
    assert np.array_equal(options["change_map"], expected)  # type: ignore[arg-type]
    assert (options["layers"], notes) == (layers, [])
    assert set(Marks(mask=soft, soft=True).of(PICTURE)[0]) == {"change_map"}
    assert np.array_equal(Marks(mask=soft, soft=True).of(PICTURE)[0]["change_map"], soft)  # type: ignore[arg-type]


def test_notes_come_back_in_order() -> None:
    _, notes = Marks(map=SMALL, mask=SMALL, scribble=SMALL).of(PICTURE)
    assert [note.partition(":")[0] for note in notes] == ["map", "mask", "scribble"]
    assert all("is 16x12, the picture 32x24" in note for note in notes)


def test_the_tools_that_there_are_are_the_callers() -> None:
    own = Tool("all", "Everything.", "maker", (0,), lambda p: np.ones(p.size[::-1], np.float32))
    options, _ = Marks(tools=["all", "invert"]).of(PICTURE, (*TOOLS, own))
    assert not np.any(options["change_map"])  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="'all' is unknown"):
        Marks(tools=["all"]).of(PICTURE)


def test_an_error_has_the_notes_of_before() -> None:
    def wrong() -> Layer:
        raise ParameterError("layer", "is wrong")

    for marks in (
        Marks(map=SMALL, tools=["paint"]),
        Marks(map=SMALL, mask=b""),
        Marks(map=SMALL, layers=(wrong() for _ in range(1))),
    ):
        with pytest.raises(OverpaintError) as caught:
            marks.of(PICTURE)
        (note,) = caught.value.notes
        assert note.startswith("map: it is 16x12")
    with pytest.raises(ImageError) as caught:
        Marks(mask=b"").of(PICTURE)
    assert (caught.value.notes, caught.value.kind) == ((), "empty")


def test_a_mask_marks_by_what_is_said() -> None:
    holes = np.dstack([PICTURE.rgb, np.uint8(255 * (1 - box((32, 24), 4, 4, 8, 8)))])
    options, _ = Marks(mask=holes, mask_by="transparency").of(PICTURE)
    assert (options["change_map"] == box((32, 24), 4, 4, 8, 8)).all()
    with pytest.raises(ParameterError, match="mask_by: is 'alpha'"):
        Marks(mask=holes, mask_by="alpha").of(PICTURE)  # type: ignore[arg-type]
