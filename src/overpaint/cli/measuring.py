"""``overpaint precision``: what of a model is measured once and kept on its card."""

from typing import Annotated

import typer

from overpaint.cli.console import err, out, show_json
from overpaint.cli.options import JsonOption, ModelOption


def precision(
    model: ModelOption = "embedded",
    write: Annotated[bool, typer.Option("--write", help="Put the figure on the card in the model's folder.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure how near a model's pictures in bfloat16 are to those in float32, which decides --dtype auto on a CPU."""
    from overpaint.card import CARD_FILE
    from overpaint.checkpoint import inspect
    from overpaint.model_loading import BFLOAT16_GATE, multiplies_bfloat16
    from overpaint.precision import bfloat16_psnr, write_on_card

    folder = inspect(model).folder
    with err.status("six edits, half of them in float32 ..."):
        psnr = bfloat16_psnr(model)
    card = write_on_card(folder, psnr) if write else None
    told = {"bfloat16_psnr": round(psnr, 1), "needed": BFLOAT16_GATE, "cpu_has_bfloat16": multiplies_bfloat16()}
    if as_json:
        show_json({**told, "card": card and str(card)})
        return
    out.print(f"bfloat16_psnr = {psnr:.1f}  (dB; from {BFLOAT16_GATE:g} on, --dtype auto works in bfloat16 on a CPU)")
    out.print(
        "this CPU multiplies bfloat16 itself" if told["cpu_has_bfloat16"] else "this CPU has no bfloat16 of its own"
    )
    out.print(f"written on {card}" if card else f"keep it: --write, or that line in {folder / CARD_FILE}")
