"""Several requests made of one: at other strengths, with other seeds, with other values of any parameter."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from overpaint.errors import ParameterError
from overpaint.fields import SEED_MAX, parse_variation
from overpaint.params import MAX_COUNT, EditParams, draw_seed, our_default, specs, with_drawn_seed
from overpaint.request import EditRequest


def with_a_seed(request: EditRequest) -> EditRequest:
    """With its picture read and its seeds drawn, so that all that is made of it shares them."""
    variation = request.params.variation and with_drawn_seed(request.params.variation)
    seed = draw_seed() if request.params.seed in (None, -1) else request.params.seed
    return request.loaded().replace(seed=seed, variation=variation)


def seeds_of(request: EditRequest, n: int) -> list[EditRequest]:
    """The request with seeds seed, seed+1, ... (mod 2^53), ``n`` of them; with a variation, it is that seed's."""
    if not isinstance(n, int) or not 1 <= n <= MAX_COUNT:
        raise ParameterError("n", f"is {n!r}, must be a whole number from 1 to {MAX_COUNT}")
    request = with_a_seed(request)
    first, amount = parse_variation(request.params.variation or our_default("variation"))
    if amount:
        return [request.replace(variation=((first + i) % (SEED_MAX + 1), amount)) for i in range(n)]
    first = request.params.seed or 0
    return [request.replace(seed=(first + i) % (SEED_MAX + 1)) for i in range(n)]


def strengths_of(request: EditRequest, strengths: Sequence[float]) -> list[EditRequest]:
    """The request at each of the strengths."""
    if request.params.strength is not None:
        raise ParameterError("strength", "does not go with strengths=; name all of them there")
    return [request.replace(strength=s) for s in strengths]


def noised_of(request: EditRequest, strengths: Sequence[float]) -> list[EditRequest]:
    """What an edit of each strength starts from."""
    start = copy(request)
    start.makes = "noised"
    return strengths_of(start, strengths)


def values_of(request: EditRequest, against: Mapping[str, Sequence[Any]]) -> tuple[str, list[EditRequest]]:
    """The request with each value of one parameter, and that parameter's name.

    Raises:
        ParameterError: ``against`` is not one parameter with a list of values, or one of them cannot be taken.
    """
    known = {f.name for f, _ in specs()} - {"strength", "keep", "keep_measure"}
    if len(against) != 1 or not set(against) <= known:
        names = ", ".join(map(str, against)) or "nothing"
        raise ParameterError("against", f"names {names}, must name one of {', '.join(sorted(known))}")
    name, values = next(iter(against.items()))
    if isinstance(values, str) or not len(values):
        raise ParameterError("against", f"needs a list of values for {name}")
    return name, [_with(request, **{name: value}) for value in values]


def _with(request: EditRequest, **values: Any) -> EditRequest:
    params: EditParams = replace(request.params, **values)
    return EditRequest.of(request.image, params, request.makes, request.change_map, request.layers)
