"""``EditRequest``: pictures, and what to make of them; ``Layer``: a region with a prompt of its own."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, TypedDict, Unpack

from overpaint import decode
from overpaint.errors import ImageError, ParameterError
from overpaint.levels import ScheduleName
from overpaint.maps.changemap import MapSource
from overpaint.params import EditParams, FillName, FitName, MeasureName, PresetName, RegionName, reject_unknown
from overpaint.recipe import Makes
from overpaint.samplers import SamplerName

MAX_LAYERS = 16


class EditOptions(TypedDict, total=False):
    """The keywords of an edit: the fields of ``EditParams`` but the prompt, and the maps. Meanings stand there."""

    negative_prompt: str | None
    strength: float | None
    keep: float | None
    keep_measure: MeasureName | None
    steps: int | None
    guidance_scale: float | None
    sampler: SamplerName | None
    schedule: ScheduleName | None
    seed: int | None
    variation: str | tuple[int, float] | None
    size: str | tuple[int, int] | None
    output_size: str | tuple[int, int] | None
    fit: FitName | None
    detail: float | None
    preset: PresetName | None
    fill: FillName | None
    region: RegionName | None
    padding: int | None
    blend: int | None
    match: float | None
    extend: str | tuple[int, int, int, int] | None
    repeat: int | None
    change_map: MapSource | None
    layers: "Sequence[Layer]"


@dataclass(frozen=True)
class Layer:
    """A region with a prompt of its own.

    Where layers overlap, each counts by its share of the sum; what no layer covers is the edit's own prompt and
    strength.

    Attributes:
        map: as a change map: white = this prompt.
        strength, guidance_scale, negative_prompt: None: as the edit's own.
    """

    map: MapSource
    prompt: str
    strength: float | None = None
    guidance_scale: float | None = None
    negative_prompt: str | None = None

    def __post_init__(self) -> None:
        EditParams(
            prompt=self.prompt,
            strength=self.strength,
            guidance_scale=self.guidance_scale,
            negative_prompt=self.negative_prompt,
        )


class EditRequest:
    """A picture and what to make of it: ``EditRequest(image, prompt, strength=.5, ...)``.

    Args:
        image: as in ``decode.load``; None is plain generation (strength 1).
        prompt: what the result shows.
        options: any field of ``EditParams``; ``change_map``, where to change and how much (white = change, as in
            ``changemap.load_map``); ``layers``, regions with prompts of their own.
    """

    def __init__(self, image: decode.Source | None, prompt: str = "", **options: Unpack[EditOptions]) -> None:
        self.image = image
        self.makes: Makes = "edit"
        self.change_map: MapSource | None = None
        self.layers: tuple[Layer, ...] = ()
        self.params = self._taken(EditParams(prompt=prompt), options)

    @classmethod
    def of(
        cls,
        image: decode.Source | None,
        params: EditParams,
        makes: Makes = "edit",
        change_map: MapSource | None = None,
        layers: "Sequence[Layer]" = (),
    ) -> "EditRequest":
        """A request with parameters that are there already; "noised" asks for what the edit starts from."""
        request = cls(image, change_map=change_map, layers=layers)
        request.params, request.makes = request._checked(params), makes
        return request

    def replace(self, **options: Unpack[EditOptions]) -> "EditRequest":
        """The same request with other options."""
        changed = copy(self)
        changed.params = changed._taken(self.params, options)
        return changed

    def loaded(self) -> "EditRequest":
        """The same request with its picture read, and its map if it is an open file, for making many of it."""
        changed = copy(self)
        changed.image = None if self.image is None else decode.load(self.image)
        if hasattr(self.change_map, "read"):  # an open file can be read once
            changed.change_map = decode.load(self.change_map)  # type: ignore[arg-type]
        return changed

    def _taken(self, params: EditParams, options: EditOptions) -> EditParams:
        """The parameters with these options, if all of them are ours: Python itself does not check them."""
        reject_unknown([name for name in options if name not in EditOptions.__annotations__])
        given: dict[str, Any] = dict(options)
        self.change_map = given.pop("change_map", self.change_map)
        self.layers = tuple(given.pop("layers", self.layers))
        if len(self.layers) > MAX_LAYERS:
            raise ParameterError("layers", f"are {len(self.layers)}, at most {MAX_LAYERS} are taken")
        if self.image is None and (self.change_map is not None or self.layers):
            raise ImageError("a change map or a layer needs a picture")
        return self._checked(replace(params, **given))

    def _checked(self, params: EditParams) -> EditParams:
        if self.image is not None:
            return params
        if params.keep is not None:
            raise ParameterError("keep", "needs a picture to keep something of")
        if params.strength not in (None, 1):
            raise ParameterError("strength", f"is {params.strength} without a picture; only 1 generates from nothing")
        return replace(params, strength=1.0)

    def __repr__(self) -> str:
        return f"EditRequest({self.params})"
