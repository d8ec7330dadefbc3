"""``overpaint samplers``, ``presets``, ``models`` and ``tools``: what there is to choose from, and what it means."""

from overpaint.cli.console import facts_of, out, show_json, show_table
from overpaint.cli.options import JsonOption, ModelOption
from overpaint.errors import OverpaintError


def samplers(as_json: JsonOption = False) -> None:
    """The samplers and schedules."""
    from overpaint.levels import SCHEDULES
    from overpaint.samplers import ABOUT

    rows = [(name, about.calls, about.noisy, about.words) for name, about in ABOUT.items()]
    if as_json:
        names = ("name", "calls_a_step", "noisy", "words")
        show_json({"samplers": facts_of(names, rows), "schedules": list(SCHEDULES)})
        return
    shown = [(name, calls, "yes" if noisy else "no", words) for name, calls, noisy, words in rows]
    show_table(("sampler", "calls a step", "fresh noise", "what it is"), shown)
    out.print(f"schedules: {', '.join(SCHEDULES)} (sgm_uniform is trailing)")


def presets(model: ModelOption = "embedded", as_json: JsonOption = False) -> None:
    """The named uses as they are with a model, and the five bands of strength."""
    from overpaint.checkpoint import inspect
    from overpaint.params import PROMPT_ADVICE
    from overpaint.presets import BANDS, presets_for

    there = presets_for(inspect(model).card).values()
    rows = [(p.name, p.strength, list(p.range), p.detail, p.use, p.prompt_for(p.example)) for p in there]
    if as_json:
        names = ("name", "strength", "range", "detail", "use", "example")
        show_json({"presets": facts_of(names, rows), "bands": facts_of(BANDS[0]._fields, BANDS)})
        return
    shown = [(n, f"{s:g}", f"{r[0]:g}-{r[1]:g}", f"{d:g}", use, example) for n, s, r, d, use, example in rows]
    show_table(("preset", "strength", "range", "detail", "use", "example prompt"), shown)
    out.print()
    bands = [(f"{b.low:g}-{b.high:g}", b.use, b.preservation) for b in BANDS]
    show_table(("strength", "what it does", "preservation"), bands)
    out.print(f"\n{PROMPT_ADVICE}")


def models(as_json: JsonOption = False) -> None:
    """The models that can be loaded without the network: the embedded one, and hub models in the local cache."""
    from overpaint.checkpoint import inspect, local_models

    rows: list[tuple[str, int | None, str, str]] = []
    for name in local_models():
        try:
            card = inspect(name).card
            rows.append((name, card.native_size, card.licence, card.domain))
        except OverpaintError as e:
            rows.append((name, None, "-", f"cannot be loaded: {e}"))
    if as_json:
        show_json(facts_of(("name", "native_size", "licence", "domain"), rows))
        return
    shown = [(name, f"{size} px" if size else "-", licence, domain) for name, size, licence, domain in rows]
    show_table(("model", "native size", "licence", "domain"), shown)
    out.print(
        "any Stable Diffusion 1.x or 2.x folder (also inpainting), or pixel DDPM, in diffusers' layout: --model FOLDER"
    )


def tools(as_json: JsonOption = False) -> None:
    """The map tools, for --tool: what makes a change map, and what changes one."""
    from overpaint.maps.toolbox import TOOLS
    from overpaint.model_sam import SAM_TOOL

    rows = [(tool.form, tool.kind, tool.help) for tool in (*TOOLS, SAM_TOOL)]
    if as_json:
        show_json(facts_of(("form", "kind", "help"), rows))
        return
    show_table(("tool", "kind", "what it does"), rows)
