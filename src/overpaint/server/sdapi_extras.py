"""AUTOMATIC1111's requests that are no edits: pictures enlarged, and what a picture's file says. Pure; no HTTP.

An upscaler here is a way of resampling: that program has networks for it too, and there are none of them here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from overpaint import infotext
from overpaint.errors import ParameterError
from overpaint.fields import SIDE_MAX
from overpaint.metadata import Texts
from overpaint.picture import Pixels, cut_middle, inner_size, resize
from overpaint.recipe import plain
from overpaint.server.problems import INVALID, Problem
from overpaint.server.sdapi_lists import UPSCALERS

MOST_PIXELS = 32_000_000  # of all pictures of one answer: as base64 they stand in memory several times
MOST_IMAGES = 100  # of one request
NONE = UPSCALERS[0]
INTERROGATORS = ("clip",)  # the name that stock clients send; who answers is our own judge

_T = TypeVar("_T", bound=BaseModel)
Share = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=1, le=SIDE_MAX)]


# ---- what is asked ---------------------------------------------------------------------------------------------------


class Upscaling(BaseModel):
    """The fields that both requests for enlarged pictures share, with that program's defaults."""

    resize_mode: Literal[0, 1] = Field(0, description="0: by upscaling_resize. 1: to upscaling_resize_w x _h.")
    upscaling_resize: float = Field(2.0, gt=0, le=1000, description="How many times as wide and high.")
    upscaling_resize_w: Side = Field(512, description="In mode 1: the width.")
    upscaling_resize_h: Side = Field(512, description="In mode 1: the height.")
    upscaling_crop: bool = Field(True, description="In mode 1: cut off what is over; else that side stays longer.")
    upscaler_1: str = Field(NONE, description="None leaves the picture as it is, whatever else is asked.")
    upscaler_2: str = Field(NONE, description="Laid over the first one's result, as extras_upscaler_2_visibility says.")
    extras_upscaler_2_visibility: Share = Field(0.0, description="From 0 to 1.")
    gfpgan_visibility: Share = Field(0.0, description="Not applied: there is no such network.")
    codeformer_visibility: Share = Field(0.0, description="Not applied: there is no such network.")
    codeformer_weight: Share = Field(0.0, description="Means nothing without that network.")
    show_extras_results: bool = Field(True, description="Means nothing to that program either.")
    upscale_first: bool = Field(False, description="Means nothing without the networks that are not applied.")


class Sent(BaseModel):
    """One picture of several."""

    data: str
    name: str = Field("", description="Not used, as the results come in the order of the pictures.")


class Batch(BaseModel):
    """Several pictures."""

    imageList: list[Sent] = Field(min_length=1, max_length=MOST_IMAGES)


def read(kind: type[_T], told: Mapping[str, Any]) -> _T:
    """The fields of a request; null is as good as left out, and other fields count for nothing.

    Raises:
        ParameterError: of a wrong type, or out of range.
    """
    given = {name: value for name, value in told.items() if name in kind.model_fields and value is not None}
    try:
        return kind.model_validate(given)
    except ValidationError as e:
        first = e.errors(include_url=False, include_input=False)[0]
        name = plain(".".join(str(part) for part in first["loc"]))
        raise ParameterError(name, plain(first["msg"]).lower()) from None


def check_upscalers(asked: Upscaling) -> None:
    """Raises ``Problem`` 400 for a name that is not in the list; the second's counts only beside a first, as there."""
    names = [("upscaler_1", asked.upscaler_1)]
    if asked.upscaler_1 != NONE:
        names.append(("upscaler_2", asked.upscaler_2))
    for field, name in names:
        if name not in UPSCALERS:
            told = plain(name, 200)
            words = f"{field}: there is no {told!r} here, only {', '.join(UPSCALERS)}: no networks for upscaling"
            there = f"could not find upscaler named {told}"
            raise Problem(400, INVALID, "unknown_upscaler", words, field, detail=there)


# ---- what is done ----------------------------------------------------------------------------------------------------


def size_after(asked: Upscaling, size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) that a picture comes to. Raises ``ParameterError`` where that is too large."""
    if asked.upscaler_1 == NONE:
        return size
    w, h = size
    to = asked.upscaling_resize_w, asked.upscaling_resize_h
    if asked.resize_mode == 1 and asked.upscaling_crop:
        return to
    scale = max(to[0] / w, to[1] / h) if asked.resize_mode == 1 else asked.upscaling_resize
    after = max(1, round(w * scale)), max(1, round(h * scale))
    if max(after) > SIDE_MAX:
        words = f"makes {after[0]}x{after[1]} of {w}x{h}, a side may have {SIDE_MAX} pixels at most"
        raise ParameterError("upscaling_resize", words)
    return after


def check_room(sizes: Sequence[tuple[int, int]]) -> None:
    """Raises ``ParameterError`` where pictures of these sizes are too much for one answer."""
    pixels = sum(w * h for w, h in sizes)
    if pixels > MOST_PIXELS:
        words = f"makes {pixels / 1e6:.0f} megapixels, at most {MOST_PIXELS / 1e6:.0f} are sent in one answer"
        raise ParameterError("upscaling_resize", words)


def upscaled(x: Pixels, asked: Upscaling) -> Pixels:
    """A picture's pixels [h, w, 3 or 4] as they are asked for, of the same type; alpha is kept."""
    size = size_after(asked, (x.shape[1], x.shape[0]))
    if asked.upscaler_1 == NONE:
        return x
    if asked.resize_mode == 1 and asked.upscaling_crop:
        x = cut_middle(x, inner_size(size, (x.shape[1], x.shape[0])))
    y, share = _resampled(x, size, asked.upscaler_1), asked.extras_upscaler_2_visibility
    if asked.upscaler_2 == NONE or share == 0:
        return y
    other = _resampled(x, size, asked.upscaler_2).astype(np.float32)
    mixed: Pixels = y + np.float32(share) * (other - y) + np.float32(0.5)
    return mixed.astype(y.dtype)


def _resampled(x: Pixels, size: tuple[int, int], upscaler: str) -> Pixels:
    return resize(x, size) if upscaler == "Lanczos" else _nearest(x, size)


def _nearest(x: Pixels, size: tuple[int, int]) -> Pixels:
    (h, w), (W, H) = x.shape[:2], size
    rows, columns = ((2 * np.arange(n) + 1) * old // (2 * n) for n, old in ((H, h), (W, w)))
    return np.ascontiguousarray(x[rows[:, None], columns])


def html_info(asked: Upscaling) -> str:
    """What was done and what was not, for people."""
    said: dict[str, Any] = {}
    if asked.upscaler_1 != NONE:
        if asked.resize_mode == 1:
            said["Postprocess upscale to"] = f"{asked.upscaling_resize_w}x{asked.upscaling_resize_h}"
        else:
            said["Postprocess upscale by"] = f"{asked.upscaling_resize:g}"
        said["Postprocess upscaler"] = asked.upscaler_1
        if asked.upscaler_2 != NONE and asked.extras_upscaler_2_visibility > 0:
            said["Postprocess upscaler 2"] = asked.upscaler_2
    lines = [", ".join(f"{name}: {value}" for name, value in said.items())]
    left_out = {"GFPGAN": asked.gfpgan_visibility, "CodeFormer": asked.codeformer_visibility}
    lines += [f"{name} is not applied: there is none on this server" for name, share in left_out.items() if share > 0]
    return f"<p>{'<br>'.join(escape(line) for line in lines if line)}</p>"


# ---- what a file says ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PngInfo:
    """What a picture's file says, as that program tells it."""

    info: str
    items: Mapping[str, str]
    parameters: Mapping[str, str]


def png_info(texts: Texts) -> PngInfo:
    """Raises ``RecipeError`` where the text is too long to be taken apart."""
    info = texts.parameters or ""
    return PngInfo(info, texts.items, parameters_in(info) if info else {})


def parameters_in(text: str) -> dict[str, str]:
    """The parts of a ``parameters`` text; what is a size stands there as two, as "Size-1" and "Size-2"."""
    told = infotext.parse(text)
    parts = {"Prompt": told.prompt, "Negative prompt": told.negative or ""}
    for name, value in told.pairs.items():
        size = re.fullmatch(r"(\d+)x(\d+)", value)
        parts |= {f"{name}-1": size[1], f"{name}-2": size[2]} if size else {name: value}
    return parts
