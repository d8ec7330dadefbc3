"""Pictures that are sent ahead of their edits, and what is told of them without a job: what noise leaves, maps, words.

Nothing here is stored but the picture; what is asked for again and again, as a slider is dragged, is kept for a while.
All of it is small beside an edit, and held to that: sizes are limited, few are worked on at a time, the others wait
their turn, and neither the engine nor the machine's memory is ever theirs alone.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from overpaint.describe import Description, describe, tell
from overpaint.errors import ImageError, ParameterError
from overpaint.fields import parse_size
from overpaint.levels import survives
from overpaint.maps.toolbox import TOOLS, apply_tool
from overpaint.params import EditParams, draw_seed, our_default, with_drawn_seed
from overpaint.picture import Picture, Pixels, fit, inner_size, to_pil
from overpaint.recipe import Input
from overpaint.request import EditRequest
from overpaint.server.decoded import Decoded
from overpaint.server.intake import MAX_TOOLS
from overpaint.server.kept import Kept
from overpaint.server.order import Sent
from overpaint.server.problems import SERVER, Problem, not_found
from overpaint.server.records import FORMATS, FormatName, PictureRecord
from overpaint.server.sandbox import Sandbox
from overpaint.server.store import Store
from overpaint.server.turns import AT_ONCE, Turns, busy

if TYPE_CHECKING:
    from overpaint.card import Card
    from overpaint.editor import Editor

# what has a say in the picture that an edit of the whole picture starts from, beside its strength
NOISED_FIELDS = ("seed", "variation", "size", "output_size", "fit")
MOST_SHOWN = 4_000_000  # pixels of a noised picture: larger ones would hold up what finishes edits

PATIENCE = 30.0  # seconds to wait for a turn, and for the engine with it
SELECT_SECONDS = 20.0  # after which no further tool is begun; the slowest takes 15 s on the largest picture
LARGE = 25_000_000  # pixels, from which a map is worked on alone: GrabCut takes 46 bytes for each

_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class _Seen:
    """A picture at the size that is shown, and the one that it was made from as a recipe names it."""

    picture: Picture
    source: Input


class Pictures:
    """The pictures of all owners, each for its owner alone. For any number of threads; every method may take a while.

    Args:
        editor_of: gives the editor, or raises the ``Problem`` that there is none yet.
        most_bytes: that each kind of what is kept may take: views, noised pictures, and those as they were before.

    Raises:
        Problem: 404 by every method that takes an id, where it is unknown or another's.
        ImageError: by these, where the picture's file is not kept any more.
        StoreError, SandboxError: what is needed cannot be used just now.
    """

    def __init__(
        self,
        store: Store,
        decoded: Decoded,
        sandbox: Sandbox,
        editor_of: "Callable[[], Editor]",
        *,
        most_bytes: int = 64 << 20,
    ) -> None:
        self._store, self._decoded, self._sandbox, self._editor_of = store, decoded, sandbox, editor_of
        self._views: Kept[str, bytes] = Kept(most_bytes, len)
        self._noised: Kept[tuple[str, EditParams, FormatName], tuple[bytes, dict[str, Any]]] = Kept(
            most_bytes, lambda made: len(made[0])
        )
        self._seen: Kept[tuple[str, tuple[int, int], str], _Seen] = Kept(most_bytes, lambda seen: seen.picture.nbytes)
        self._described: Kept[str, Description] = Kept(1000, lambda _: 1)
        self._viewing, self._noising, self._selecting, self._describing = Turns(1), Turns(), Turns(), Turns(1)

    # -- the picture

    def add(self, data: bytes, owner: str) -> PictureRecord:
        """Decode a file's bytes and keep them. Raises ``ImageError`` if they are no picture that can be used."""
        digest, picture = self._decoded.take_in(data)
        width, height = picture.size
        return self._store.add_picture(
            PictureRecord(digest=digest, width=width, height=height, owner=owner, notes=picture.notes)
        )

    def get(self, id: str, owner: str) -> PictureRecord:
        record = self._store.picture(id, owner) if _ID.fullmatch(id) else None
        if record is None:
            raise not_found("picture")
        return record

    def picture(self, id: str, owner: str) -> Picture:
        return self._decoded.picture(self.get(id, owner).digest)

    def view(self, id: str, owner: str) -> bytes:
        """A PNG of what an edit sees and what coordinates count on: upright, sRGB, 8 bits, with its alpha."""
        digest = self.get(id, owner).digest
        if (known := self._views.get(digest)) is not None:
            return known
        with self._viewing.turn(PATIENCE):  # one at a time: the other worker stays free for results
            data = self._views.get(digest)
            if data is None:
                data = self._sandbox.encode(np.asarray(to_pil(self._decoded.picture(digest).pixels)), "PNG")
                self._views.put(digest, data)
        return data

    def opaque(self, sent: Sent, owner: str) -> bytes | None:
        """A PNG of a picture laid over white, as the model sees it, its type kept; None where nothing shines through.

        Args:
            sent: its bytes, which are taken in as an edit's are, or its id.
        """
        data = sent.data
        picture = self.picture(sent.id or "", owner) if data is None else self._decoded.take_in(data)[1]
        if picture.alpha is None or (picture.alpha == picture.peak).all():
            return None
        return self._sandbox.encode(Picture(picture.rgb).with_flat(picture.flat()).rgb, "PNG")

    # -- what noise leaves of it

    def noised(
        self,
        id: str,
        owner: str,
        *,
        strength: float,
        params: Mapping[str, Any] | None = None,
        format: FormatName = "png",
    ) -> tuple[bytes, dict[str, Any]]:
        """The picture noised to ``strength`` and decoded, as ``Editor.noised`` has it, recipe included; and facts.

        Args:
            strength: in [0, 1].
            params: any of ``NOISED_FIELDS``, as in ``EditParams``; the seed is 0 if it is left out, and the
                ``output_size`` "working": to enlarge what the network sees shows no more of it.
            format: of the bytes; "webp" is lossless and three times as slow to write as "png".

        Returns:
            The file, and strength, seed, t0, signal, what ``survives`` in words, width, height, warnings.

        Raises:
            ParameterError: one that has no say in it, is out of range, or wants more pixels than the network sees at
                once or ``MOST_SHOWN``.
            Problem: 429 or 503, where too many ask, or the engine is busy.
        """
        record, editor = self.get(id, owner), self._editor_of()
        if format not in FORMATS:
            raise ParameterError("format", f"is {format!r}, must be one of {', '.join(FORMATS)}")
        given = _noised_params(strength, params or {})
        key = (record.digest, given, format)
        made = self._noised.get(key)
        if made is None:
            until = time.monotonic() + PATIENCE
            with self._noising.turn(PATIENCE):
                made = self._noised.get(key)  # who waited may have waited for the same
                if made is None:
                    made = self._noise(record, given, format, editor, until)
                    self._noised.put(key, made)
        return made[0], dict(made[1])

    def _noise(
        self, record: PictureRecord, params: EditParams, format: FormatName, editor: "Editor", until: float
    ) -> tuple[bytes, dict[str, Any]]:
        size = _shown_size((record.width, record.height), params, editor.card)
        seen = self._seen_at(record.digest, size, params.fit or our_default("fit"))
        params = replace(params, output_size=f"{size[0]}x{size[1]}")
        job = editor.submit(EditRequest.of(seen.picture, params, makes="noised"))
        try:
            result = job.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            job.cancel()
            raise busy(PATIENCE) from None
        data = self._sandbox.encode(result.pixels, format.upper(), [replace(result.recipe, input=seen.source)])
        facts = {
            "strength": result.params.strength,
            "seed": result.seed,
            "t0": result.t0,
            "signal": result.signal,
            "survives": survives(result.signal) if result.t0 >= 0 else "everything",
            "width": size[0],
            "height": size[1],
            "warnings": result.warnings,
        }
        return data, facts

    def _seen_at(self, digest: str, size: tuple[int, int], how: Any) -> _Seen:
        """The picture brought to ``size`` once for all strengths: for a photo that takes longer than all the rest."""
        seen = self._seen.get((digest, size, how))
        if seen is None:
            picture = self._decoded.picture(digest)
            seen = _Seen(fit(picture, size, how), Input(picture.digest, *picture.size))
            self._seen.put((digest, size, how), seen)
        return seen

    # -- what is in it

    def select(self, id: str, owner: str, tools: Sequence[str], base: Pixels | None = None) -> bytes:
        """A map made by tools, as a grey PNG of the view's size: white = change.

        In 8 bits, which is what a browser's canvas keeps of it: 0 and 1 are exact, and so are all masks; the greys of
        a gradient are rounded by 1/510 at most, less than a step of any edit. Who sends the tools with the edit instead
        has it all.

        Args:
            tools: as in ``maps.toolbox``, up to ``MAX_TOOLS``. None of them loads a network.
            base: the map to begin with, float32 [h, w] in 0..1.

        Raises:
            ParameterError, ImageError: a tool that is unknown or cannot be used so; a map of another size.
            Problem: 429 or 503, where too many ask; 504, where it takes too long.
        """
        record = self.get(id, owner)
        if len(tools) > MAX_TOOLS or (base is None and not tools):
            raise ParameterError("tools", f"are {len(tools)}, must be 1 to {MAX_TOOLS}")
        w, h = record.width, record.height
        if base is not None and base.shape != (h, w):
            raise ImageError(f"the map has the shape {base.shape}, must be {(h, w)} like the picture")
        with self._selecting.turn(PATIENCE, places=AT_ONCE if w * h > LARGE else 1):
            m = _apply(tools, self._decoded.picture(record.digest), base)
            return self._sandbox.encode((m * np.float32(255) + np.float32(0.5)).astype(np.uint8), "PNG")

    def describe(self, id: str, owner: str) -> dict[str, Any]:
        """A draft of a prompt, what it was made from, and how often such drafts are right: ``describe.tell``."""
        digest = self.get(id, owner).digest
        found = self._described.get(digest)
        if found is None:
            with self._describing.turn(PATIENCE):
                found = _described(self._decoded.picture(digest))
            self._described.put(digest, found)
        return tell(found)


def _noised_params(strength: float, params: Mapping[str, Any]) -> EditParams:
    """Checked, with seeds drawn where that is asked for, so that equal ones make equal bytes."""
    for name in params:
        if name not in NOISED_FIELDS:
            raise ParameterError(name, f"has no say in what noise leaves; {', '.join(NOISED_FIELDS)} have")
    given = EditParams(**{**params, "strength": strength})
    return replace(
        given,
        seed=draw_seed() if given.seed == -1 else given.seed or 0,
        variation=given.variation and with_drawn_seed(given.variation),
        output_size=None if given.output_size == "working" else given.output_size,
    )


def _shown_size(size: tuple[int, int], params: EditParams, card: "Card") -> tuple[int, int]:
    """(width, height) that a picture of ``size`` comes to, as ``prepare`` has it for these parameters."""
    shown = None if params.output_size is None else parse_size(params.output_size)
    if params.size is None:
        box = card.bucket_for(*(shown or size))
    else:
        box = shown or size if params.size == "input" else parse_size(params.size)
    _check_area("size", box, card.largest_area)
    if shown is None:
        return inner_size(size, box)
    _check_area("output_size", shown, MOST_SHOWN)
    return shown


def _check_area(name: str, size: tuple[int, int], most: int) -> None:
    if size[0] * size[1] > most:
        raise ParameterError(
            name, f"{size[0]}x{size[1]} is more than the {most:,} pixels that are noised to be looked at"
        )


def _apply(tools: Sequence[str], picture: Picture, m: Pixels | None) -> Pixels:
    end = time.monotonic() + SELECT_SECONDS
    for done, tool in enumerate(tools):
        if time.monotonic() > end:
            words = f"the first {done} of {len(tools)} tools took more than {SELECT_SECONDS:g} s; fewer take less"
            raise Problem(504, SERVER, "deadline", words, "tools")
        m = apply_tool(m, picture, tool, TOOLS)
    assert m is not None
    return m


def _described(picture: Picture) -> Description:
    """On a thread that ends with it: one that lasts would keep OpenMP threads, which make edits slower (``engine``)."""
    with ThreadPoolExecutor(1, thread_name_prefix="overpaint-describe") as thread:
        return thread.submit(describe, picture).result()
