"""``overpaint noise``, ``samplers``, ``presets`` and ``models``: what there is to choose from, and what it means."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from overpaint.cli.options import DownloadOption, ModelOption, err, out, read_strengths
from overpaint.cli.outputs import plan, write_sheet
from overpaint.errors import OverpaintError

if TYPE_CHECKING:
    from overpaint.levels import Survival

PANELS_A_ROW = 6
DEFAULT_STRENGTHS = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1"


def noise(
    model: ModelOption = "embedded",
    strengths: Annotated[str, typer.Option(help="Strengths, with commas between.")] = DEFAULT_STRENGTHS,
    image: Annotated[Path | None, typer.Option(help="A picture to show noised to these strengths.")] = None,
    out_file: Annotated[Path | None, typer.Option("--out", "-o", help="Where --image's strip goes.")] = None,
    download: DownloadOption = False,
) -> None:
    """What survives of a picture at each strength, by the noise of the loaded model."""
    from overpaint.checkpoint import inspect
    from overpaint.levels import survival
    from overpaint.model import training_noise

    wanted = read_strengths(strengths)
    checkpoint = inspect(model, download=download)
    trained = training_noise(checkpoint)
    lines = [survival(s, trained, checkpoint.pixels_per_cell) for s in wanted]
    out.print(survival_table(lines))
    if image is not None:
        _noised_strip(model, image, wanted, out_file)


def survival_table(lines: "list[Survival]") -> Table:
    """A line for each strength."""
    table = Table(box=None, header_style="bold")
    for heading in ("strength", "t", "alpha_bar", "sqrt", "SNR dB", "smallest feature"):
        table.add_column(heading, justify="right")
    table.add_column("what survives")
    for s in lines:
        feature = f"{s.smallest_feature:.1f} px"
        table.add_row(
            f"{s.strength:g}", str(s.t), f"{s.alpha_bar:.3f}", f"{s.signal:.3f}", f"{s.snr_db:.1f}", feature, s.words
        )
    return table


def _noised_strip(model: str, image: Path, strengths: list[float], out_file: Path | None) -> None:
    from overpaint import decode, images
    from overpaint.editor import Editor
    from overpaint.sheet import Panel, sheet

    (target,) = plan(out_file, f"{image.stem}-noise.png", [image])
    before = decode.load(image)
    with err.status("loading the model ..."):
        editor = Editor(model)
    with editor:
        noised = editor.noised(image, strengths)
    panels = [Panel(images.to_pil(before.pixels), "the picture")]
    panels += [Panel(r.image, f"{r.params.strength:g}", f"{r.signal:.0%} left") for r in noised]
    rows = [panels[i : i + PANELS_A_ROW] for i in range(0, len(panels), PANELS_A_ROW)]
    write_sheet(sheet(rows, width=256), target, "noised to each strength and decoded")


def samplers() -> None:
    """The samplers and schedules."""
    from overpaint.levels import SCHEDULES
    from overpaint.samplers import ABOUT

    table = Table(box=None, header_style="bold")
    for heading in ("sampler", "calls a step", "fresh noise", "what it is"):
        table.add_column(heading)
    for name, about in ABOUT.items():
        table.add_row(name, str(about.calls), "yes" if about.noisy else "no", about.words)
    out.print(table)
    out.print(f"schedules: {', '.join(SCHEDULES)} (sgm_uniform is trailing)")


def presets() -> None:
    """The named uses, and the five bands of strength."""
    from overpaint.params import PROMPT_ADVICE
    from overpaint.presets import BANDS
    from overpaint.presets import presets as all_presets

    table = Table(box=None, header_style="bold")
    for heading in ("preset", "strength", "range", "detail", "use", "example prompt"):
        table.add_column(heading)
    for p in all_presets().values():
        low, high = p.range
        shown = p.prompt_for(p.example)
        table.add_row(p.name, f"{p.strength:g}", f"{low:g}-{high:g}", f"{p.detail:g}", p.use, shown)
    out.print(table)
    out.print()
    bands = Table(box=None, header_style="bold")
    for heading in ("strength", "what it does", "preservation"):
        bands.add_column(heading)
    for b in BANDS:
        bands.add_row(f"{b.low:g}-{b.high:g}", b.use, b.preservation)
    out.print(bands)
    out.print(f"\n{PROMPT_ADVICE}")


def models() -> None:
    """The models that can be loaded without the network: the embedded one, and hub models in the local cache."""
    from overpaint.checkpoint import inspect, local_models

    table = Table(box=None, header_style="bold")
    for heading in ("model", "native size", "licence", "domain"):
        table.add_column(heading, overflow="fold")
    for name in local_models():
        try:
            card = inspect(name).card
            table.add_row(name, f"{card.native_size} px", card.licence, card.domain)
        except OverpaintError as e:
            table.add_row(name, "-", "-", f"cannot be loaded: {e}")
    out.print(table)
    out.print("any Stable Diffusion 1.x or 2.x folder in diffusers' layout: --model FOLDER")
