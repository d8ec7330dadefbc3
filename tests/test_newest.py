"""What was made last is kept: texts and encoded pictures."""

from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLES

from overpaint import decode
from overpaint.editor import Editor
from overpaint.newest import Newest


def test_the_newest_are_kept() -> None:
    made: list[str] = []
    store: Newest[str, str] = Newest(2)

    def get(key: str) -> str:
        def make() -> str:
            made.append(key)
            return key.upper()

        return store.get(key, make)

    assert [get(key) for key in "abab"] == ["A", "B", "A", "B"]
    assert made == ["a", "b"]
    assert [get(key) for key in "acb"] == ["A", "C", "B"]  # c drove b out, which was asked for least lately
    assert made == ["a", "b", "c", "b"]
    assert len(store) == 2


def test_a_sweep_encodes_its_picture_once(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = decode.load(EXAMPLES / "castle.jpg").pixels[:64, :64].copy()
    codec, calls = editor.model._codec, []
    encode = codec.encode

    def counted(pixels: Any) -> Any:
        calls.append(pixels.shape)
        return encode(pixels)

    monkeypatch.setattr(codec, "encode", counted)
    options = {"steps": 3, "size": "64x64", "seed": 5}
    swept = editor.sweep(picture, "a lake", strengths=[0.3, 0.5, 0.7], **options)  # type: ignore[arg-type]
    assert len(calls) == 1
    monkeypatch.setattr(editor.model, "_pictures", Newest(1))
    alone = editor.edit(picture, "a lake", strength=0.7, **options)  # type: ignore[arg-type]
    assert len(calls) == 2
    assert np.array_equal(alone.pixels, swept[2].pixels)
    other = picture.copy()
    other[0, 0] = 255 - other[0, 0]
    editor.edit(other, "a lake", strength=0.7, **options)  # type: ignore[arg-type]
    assert len(calls) == 3
