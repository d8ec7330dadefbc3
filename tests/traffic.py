"""Mixed traffic for a server: edits of many kinds, some that are given up again, some that are wrong.

    for wish in itertools.islice(traffic(seed=1), 100):
        answer = server.ask("/v1/edits", wish.body(), wish.headers())
        assert answer.status == wish.status

The same seed is the same traffic. For tests and benchmarks.
"""

import base64
import http.client
import io
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from overpaint import decode
from overpaint.editor import Editor
from overpaint.encode import encode
from overpaint.marks import Marks
from overpaint.samplers import SAMPLERS

PROMPTS = ("a mountain lake", "a castle at night", "snow on hills", "an old street", "")
ACCEPTED = 202
LOST = (OSError, http.client.HTTPException)  # from a client: the server is gone, or went as it answered


@dataclass(frozen=True)
class Wish:
    """One request of a client.

    Attributes:
        key: its idempotency key.
        params: fields of an edit, and ``tools``, as JSON types them.
        files: pictures by the name of their part.
        format: of the result.
        status: of HTTP, that a server with room answers it with.
        given_up_after: seconds from the answer to when its client cancels it; None: never.
        raw: what is sent instead of JSON.
    """

    key: str
    params: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    format: str = "png"
    status: int = ACCEPTED
    given_up_after: float | None = None
    raw: bytes | None = None

    def told(self) -> dict[str, Any]:
        """What is sent, as JSON has it."""
        files = {name: base64.b64encode(data).decode() for name, data in self.files.items()}
        return {**self.params, **files, "format": self.format}

    def body(self) -> bytes:
        return json.dumps(self.told()).encode() if self.raw is None else self.raw

    def headers(self) -> dict[str, str]:
        return {"content-type": "application/json", "idempotency-key": self.key}

    def by_library(self, editor: Editor) -> bytes:
        """The file that the library makes of the same."""
        params = dict(self.params)
        tools = params.pop("tools", ())
        if "image" not in self.files:
            result = editor.generate(**params)
        else:
            picture = decode.load(self.files["image"])
            marks = Marks(map=self.files.get("map"), mask=self.files.get("mask"), tools=tools)
            options, _ = marks.of(picture)
            result = editor.edit(picture, **{**params, **options})
        return encode(result.pixels, self.format.upper(), [result.recipe])


def traffic(
    seed: int, *, most_steps: int = 30, given_up: float = 0.12, wrong: float = 0.08, side: int = 64
) -> Iterator[Wish]:
    """Requests without end.

    Args:
        seed: also what their keys begin with.
        most_steps: of one edit; the fewest are 2.
        given_up, wrong: the shares of those.
        side: of pictures and of what the network sees, in pixels.
    """
    rng = random.Random(seed)
    number = 0
    while True:
        number += 1
        wish = _edit(rng, f"{seed}-{number}", most_steps, side)
        kind = rng.random()
        if kind < wrong:
            wish = rng.choice(_WRONG)(wish)
        elif kind < wrong + given_up:
            wish = replace(wish, given_up_after=rng.choice([0.0, 0.01, 0.05, 0.2, 0.5]))
        yield wish


def _edit(rng: random.Random, key: str, most_steps: int, side: int) -> Wish:
    params: dict[str, Any] = {
        "prompt": rng.choice(PROMPTS),
        "steps": rng.randint(2, most_steps),
        "sampler": rng.choice(SAMPLERS),
        "guidance_scale": rng.choice([1.0, 2.0, 5.0]),
        "seed": rng.randrange(1000),
        "size": f"{side}x{side}",
    }
    if rng.random() < 0.1:
        return Wish(key, params)  # from words alone
    params["strength"] = round(rng.uniform(0.2, 1), 3)
    files = {"image": picture(rng.randrange(6), side, side)}
    where = rng.random()
    if where < 0.15:
        files["map"] = ramp(side)
    elif where < 0.25:
        params["tools"] = [f"box:8,8,{side // 2},{side // 2}", "feather:4"]
    elif where < 0.35:
        params["variation"] = f"{rng.randrange(9)},0.2"
    return Wish(key, params, files, rng.choice(["png", "png", "jpeg", "webp"]))


# ---- what is wrong ---------------------------------------------------------------------------------------------------


def _param(name: str, value: Any) -> Callable[[Wish], Wish]:
    return lambda wish: replace(wish, params={**wish.params, name: value}, status=422)


_WRONG: tuple[Callable[[Wish], Wish], ...] = (
    _param("strength", 1.5),
    _param("steps", 0),
    _param("steps", "many"),
    _param("sampler", "none"),
    _param("no_such_parameter", 1),
    lambda wish: replace(wish, files={"image": picture(0)[:300]}, status=422),
    lambda wish: replace(wish, files={"image": picture(0), "mask": picture(1)[:300]}, status=422),
    lambda wish: replace(wish, files={"image": b"<svg></svg>"}, status=415),
    lambda wish: replace(wish, raw=b'{"prompt": ', status=400),
    lambda wish: replace(wish, raw=b'{"image": "$"}', status=400),
)


# ---- pictures --------------------------------------------------------------------------------------------------------


@cache
def picture(seed: int, width: int = 64, height: int = 64) -> bytes:
    """A PNG of soft noise."""
    small = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8))
    return _png(small.resize((width, height), Image.Resampling.BICUBIC))


@cache
def ramp(side: int = 64) -> bytes:
    """A PNG: black on the left, white on the right."""
    return _png(Image.fromarray(np.tile(np.linspace(0, 255, side).astype(np.uint8), (side, 1))))


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
