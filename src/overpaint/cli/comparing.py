"""``overpaint compare``: what an edit kept of its input, in numbers and in words."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from overpaint.cli.console import LINE, err, out, show_json, show_table
from overpaint.cli.options import JsonOption
from overpaint.errors import ImageError, ModelError, ParameterError
from overpaint.recipe import plain

if TYPE_CHECKING:
    from overpaint.fidelity import Fidelity
    from overpaint.picture import Picture

Words = tuple[tuple[float, str], ...]  # (from this value on, what it means), the highest first

# rough guides, from edits of photographs at strengths from .1 to 1; -1 and 0 are the least there is
_WORDS: dict[str, Words] = {
    "structure": (
        (0.9, "shapes are where they were"),
        (0.7, "the main shapes are where they were"),
        (0.4, "the layout is about the same"),
        (-1, "another layout"),
    ),
    "detail": (
        (0.9, "texture and fine lines are the same"),
        (0.5, "some of the texture is the same"),
        (0.2, "most of the texture is new"),
        (-1, "the texture is new"),
    ),
    "edges": (
        (0.8, "edges are where they were"),
        (0.3, "the strongest edges are where they were"),
        (0.1, "few edges are where they were"),
        (-1, "edges are elsewhere"),
    ),
    "ssim": (
        (0.95, "can hardly be told apart"),
        (0.8, "the same picture, with small differences"),
        (0.4, "alike from afar"),
        (-1, "another picture, seen closely"),
    ),
    "psnr": (
        (40, "no difference that can be seen"),
        (30, "small differences"),
        (20, "clear differences"),
        (0, "large differences"),
    ),
}
_COLOUR_WORDS: Words = (
    (20, "other colours"),
    (8, "colours moved far"),
    (2, "colours moved"),
    (1, "colours moved, just visibly"),
    (0, "colours are where they were"),
)


def compare(
    before: Annotated[Path, typer.Argument(help="The picture as it was.")],
    after: Annotated[Path, typer.Argument(help="What became of it; it may be larger or smaller.")],
    prompt: Annotated[
        str | None, typer.Option(help="What AFTER should show: says how well it does, where CLIP is installed.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What an edit kept of its input, and what it changed: shapes, detail, edges and colours, by standard measures."""
    from overpaint import decode
    from overpaint import fidelity as measures

    if prompt is not None and not prompt.strip():
        raise ParameterError("prompt", "is empty, must say what AFTER should show")
    pictures = decode.load(str(before)), decode.load(str(after))
    measured = measures.compare(*pictures)
    learned, lacking = _learned(*pictures, prompt)
    if as_json:
        names = {"before": str(before), "after": str(after), "measured_side": measures.MEASURED_SIDE}
        show_json({**names, **measured.as_dict(), **learned, "not_measured": lacking})
        return
    show_table(("measure", "value", "what it means"), [*_rows(measured), *_learned_rows(learned)], right=("value",))
    about_bands = f"N px: how much is kept of things about that wide, in pictures of {measures.MEASURED_SIDE} pixels"
    for text in (about_bands, *(f"no {name}: {why}" for name, why in lacking.items())):
        out.print(plain(text, LINE), style="dim", soft_wrap=True, markup=False)


def _rows(f: "Fidelity") -> list[tuple[str, str, str]]:
    """The table's lines, the plainest first."""
    from overpaint.fidelity import BAND_PIXELS

    lines = [
        (name, _two_places(value), _in_words(value, _WORDS[name]))
        for name, value in (("structure", f.structure), ("detail", f.detail), ("edges", f.edges))
    ]
    lines.append(("colour", f"{f.colour:.1f}", _in_words(f.colour, _COLOUR_WORDS)))
    lines.append(("ssim", f"{f.ssim:.3f}", _in_words(f.ssim, _WORDS["ssim"])))
    psnr_words = "equal at the size of the comparison" if f.psnr == float("inf") else _in_words(f.psnr, _WORDS["psnr"])
    lines.append(("psnr", f"{f.psnr:.1f} dB", psnr_words))
    for pixels, value in zip(BAND_PIXELS, f.bands, strict=False):
        lines.append((f"{pixels} px", _two_places(value), "#" * round(20 * max(value, 0))))  # a bar, for the eye
    return lines


def _learned(before: "Picture", after: "Picture", prompt: str | None) -> tuple[dict[str, float], dict[str, str]]:
    """(the numbers of the networks that are installed, why the others are not there)"""
    from overpaint.model_clip import clip_score
    from overpaint.model_lpips import lpips

    wanted: dict[str, Callable[[], float]] = {"lpips": lambda: lpips(before, after)}
    if prompt is not None:
        wanted["clip_score"] = lambda: clip_score(after, prompt)
    numbers: dict[str, float] = {}
    lacking: dict[str, str] = {}
    with err.status("looking ..."):
        for name, measure in wanted.items():
            try:
                numbers[name] = measure()
            except (ModelError, ImageError) as e:  # not installed, or the pictures are too small for it
                lacking[name] = str(e)
    return numbers, lacking


def _learned_rows(numbers: dict[str, float]) -> list[tuple[str, str, str]]:
    forms = {
        "lpips": ("{:.3f}", "how different they look: 0 is equal, .7 is unrelated"),
        "clip_score": ("{:.1f}", "how well AFTER fits the prompt: unrelated is about 15, fitting 25 or more"),
    }
    return [(name.replace("_", " "), forms[name][0].format(value), forms[name][1]) for name, value in numbers.items()]


def _in_words(value: float, words: Words) -> str:
    return next((text for least, text in words if value >= least), words[-1][1])


def _two_places(value: float) -> str:
    return f"{round(value, 2) + 0:.2f}"  # + 0: no minus before a nought
