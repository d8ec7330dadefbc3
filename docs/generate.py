"""Writes the generated parts of these pages from the program itself, so that no table says what the code does not do.

python docs/generate.py            rewrites what is out of date
python docs/generate.py --check    changes nothing; exits 1 and names the pages that are out of date

``options.md`` is written whole; elsewhere, what is between ``<!-- generated: NAME -->`` and ``<!-- end -->`` lines.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import get_args

from fastapi.routing import APIRoute

from overpaint import card, errors, infotext
from overpaint.checkpoint import inspect
from overpaint.cli.app import app
from overpaint.cli.options import option_type, read_strengths
from overpaint.cli.running import INTERRUPTED, TERMINATED
from overpaint.cli.sheets import DEFAULT_STRENGTHS, SURVIVAL_COLUMNS, survival_row
from overpaint.fields import SEED_MAX, SIDE_MAX, SIDE_MIN, Spec
from overpaint.levels import survival
from overpaint.maps import TOOLS
from overpaint.model_loading import training_noise
from overpaint.params import specs
from overpaint.presets import BANDS, presets, presets_for
from overpaint.samplers import ABOUT
from overpaint.server import openai, openai_answers, sdapi, sdapi_extras
from overpaint.server.app import PARTS as ROUTES
from overpaint.server.extras import EXTRAS, PICTURES, SWEEP_EXTRAS
from overpaint.server.openapi import STATUSES
from overpaint.server.settings import settings

DOCS = Path(__file__).parent
_PART = re.compile(r"(?ms)^<!-- generated: (\w+) -->\n.*?^<!-- end -->$")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def noise_part() -> str:
    """What ``overpaint noise`` prints for the embedded model."""
    noise, cell = training_noise(inspect("embedded")), inspect("embedded").pixels_per_cell
    lines = [survival(s, noise, cell) for s in read_strengths(DEFAULT_STRENGTHS)]
    return table(SURVIVAL_COLUMNS, map(survival_row, lines))


def bands_part() -> str:
    rows = ((f"{b.low:g} to {b.high:g}", b.use, b.preservation) for b in BANDS)
    return table(("strength", "what it does", "how much is preserved"), rows)


def presets_part() -> str:
    rows = []
    for p, included in zip(presets().values(), presets_for(inspect("embedded").card).values(), strict=True):
        told = [f"{x.strength:g} ({x.range[0]:g} to {x.range[1]:g})" for x in (p, included)]
        rows.append((f"`{p.name}`", *told, f"{included.detail:g}", p.use, f'"{p.prompt_for(p.example)}"'))
    headings = ("preset", "strength (range that works)", "with the included model", "detail")
    return table((*headings, "what it is for", "a prompt, as sent"), rows)


def samplers_part() -> str:
    rows = [(f"`{name}`", str(a.calls), "yes" if a.noisy else "no", a.words) for name, a in ABOUT.items()]
    return table(("sampler", "network calls a step", "fresh noise in each step", "what it is"), rows)


def tools_part() -> str:
    return table(("tool", "kind", "what it does"), ((f"`{tool.form}`", tool.kind, tool.help) for tool in TOOLS))


def fields_table() -> str:
    rows = []
    for f, spec in specs():
        option = get_args(option_type(f.name, spec))[1]
        flags = ["PROMPT"] if f.name == "prompt" else [option.default, *option.param_decls]  # Typer keeps one apart
        kind = {"working_size": "size", "output_size": "size", "preset": "choice"}.get(spec.kind, spec.kind)
        ours = "" if spec.ours is None else f"`{spec.ours!r}`"
        rows.append((f"`{f.name}`", ", ".join(f"`{flag}`" for flag in flags), kind, _takes(spec), ours, spec.help))
    return table(("field", "command line", "type", "takes", "our default", "what it does"), rows)


def _takes(spec: Spec) -> str:
    if spec.kind in ("number", "integer"):
        return f"{spec.low:g} to {spec.high if spec.kind == 'integer' else f'{spec.high:g}'}"
    if spec.kind in ("working_size", "output_size"):
        word = "input" if spec.kind == "working_size" else "working"
        return f"`{word}` or `WIDTHxHEIGHT`, each side {SIDE_MIN} to {SIDE_MAX}"
    return ", ".join(f"`{name}`" for name in spec.choices) or "any"


def exits_table() -> str:
    rows = [
        ("0", "", "All is well."),
        ("1", "", "Of several pictures some failed; the others are done."),
        (str(INTERRUPTED), "Ctrl-C", "Interrupted; what was finished is there, nothing is half-written."),
        (str(TERMINATED), "SIGTERM", "The same, by a signal."),
    ]
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.OverpaintError) and error is not errors.OverpaintError:
            rows.append((str(error.exit_code), f"`{error.__name__}`", str(error.__doc__).replace("``", "`")))
    return table(("exit code", "error", "meaning"), sorted(rows, key=lambda row: int(row[0])))


def options_page() -> str:
    """The whole of ``options.md``."""
    settable = ", ".join(f"`{f.name}`" for f, _ in specs() if f.name in card.MAY_DEFAULT)
    embedded = ", ".join(f"`{name} = {value!r}`" for name, value in inspect("embedded").card.defaults.items())
    parts = {"fields": fields_table(), "exits": exits_table(), "settable": settable, "embedded": embedded or "nothing"}
    return OPTIONS.format(**parts, last=SEED_MAX)


OPTIONS = """# Options

Written by `docs/generate.py` from `EditParams`. Names, ranges and defaults are the same in Python, on the command line,
in presets and in cards.

{fields}
`PROMPT` is an argument, not an option. A value outside its range is an error that names the range, and so is a name
that is not in the table.

## What is used where nothing is given

A field left out (None in Python) is filled in once, from the first of these that says something: the model's card in
its entry for the preset in use; the preset; the model's card; our default. The result tells them all, as
`result.params`. A card is the file `overpaint.toml` in a model's folder. It can set
{settable}. The embedded model's sets {embedded}.

## The seed

A seed is a whole number from 0 to {last} (2^53 - 1). -1, or none, draws one, and the result tells
which. Several results of one request (`--count`, `variations`) use seed, seed + 1 and so on; after the largest comes 0.

An edit draws all its noise from its own generator on the CPU: first for the sample of the picture's latent, then the
start noise, then for each step where the sampler wants fresh noise. At strength 1 there is no picture, and the first
draw is left out. The same seed gives the same bytes on one machine with one thread count, dtype and version.

## How the command ends

{exits}
A command line that cannot be read (an option that does not exist, a word where a number belongs) ends with 2 as well.
"""


def commands_part() -> str:
    """Every command, and the first line of what its help says."""
    rows = []
    for command in app.registered_commands:
        function = command.callback
        assert function is not None
        rows.append((f"`overpaint {function.__name__}`", str(function.__doc__).splitlines()[0]))
    return table(("command", "what it does"), rows)


def routes_part() -> str:
    """Of our own API."""
    return _routes(lambda route: route.include_in_schema)


def sdapi_routes_part() -> str:
    return _routes(lambda route: route.path.startswith(("/sdapi/", "/internal/")))


def openai_routes_part() -> str:
    return _routes(lambda route: route.path.startswith(("/v1/images/", "/v1/models")))


def _routes(wanted: Callable[[APIRoute], bool]) -> str:
    rows = []
    for route in (route for part in ROUTES for route in part.router.routes if wanted(route)):
        about = (route.endpoint.__doc__ or "").splitlines()[0].replace("``", "`")
        rows += [(f"`{method} {route.path}`", about) for method in sorted(route.methods or ())]
    return table(("route", "what it does"), rows)


def sdapi_fields_part() -> str:
    rows = []
    for name, field in sdapi.FIELDS.items():
        only = "" if field.only is None else f" ({field.only})"
        rows.append((f"`{name}`{only}", f"`{json.dumps(field.default)}`", field.words))
    return table(("field", "if it is left out", "what we do with it"), rows)


def sdapi_extras_part() -> str:
    rows = []
    for name, field in sdapi_extras.Upscaling.model_fields.items():
        rows.append((f"`{name}`", f"`{json.dumps(field.default)}`", field.description or ""))
    return table(("field", "if it is left out", "what we do with it"), rows)


def openai_answer_part() -> str:
    return table(("key", "what it holds"), ((f"`{key}`", words) for key, words in openai_answers.ANSWER.items()))


def openai_fields_part() -> str:
    return table(("field", "what we do with it"), ((f"`{f.name}`", f.words) for f in openai.FIELDS.values()))


def sampler_names_part() -> str:
    """Samplers and schedules as other programs call them."""
    kinds = (("sampler", infotext.SAMPLER_NAMES, infotext.SAMPLER_ALIASES),)
    kinds += (("schedule", infotext.SCHEDULE_NAMES, infotext.SCHEDULE_ALIASES),)
    rows = []
    for kind, names, aliases in kinds:
        for ours, theirs in names.items():
            also = ", ".join(f"`{alias}`" for alias in aliases.get(ours, ()))
            rows.append((f"`{theirs}`", also, f"`{kind}={ours}`"))
    return table(("AUTOMATIC1111's name", "also read", "here"), rows)


def request_part() -> str:
    """The names of an edit and a sweep that are no fields of ``EditParams``."""
    rows = [(f"`{name}`", "file", "", words) for name, words in PICTURES.items()]
    for name, extra in {**EXTRAS, **SWEEP_EXTRAS}.items():
        default = "" if extra.default is None else f"`{json.dumps(extra.default)}`"
        kind = ", ".join(f"`{c}`" for c in extra.choices) or extra.kind
        rows.append((f"`{name}`" + (" (sweeps)" if name in SWEEP_EXTRAS else ""), kind, default, extra.help))
    return table(("name", "takes", "default", "what it is"), rows)


def statuses_part() -> str:
    return table(("status", "when"), ((str(status), words) for status, words in STATUSES.items()))


def settings_part() -> str:
    rows = []
    for f, known in settings():
        limits = "" if known["low"] is None else f"{known['low']:.15g} to {known['high']:.15g}"
        default = "`$XDG_DATA_HOME/overpaint`" if f.name == "folder" else _shown_default(f.default)
        rows.append((f"`--{f.name.replace('_', '-')}`", limits, default, known["help"]))
    return table(("option", "takes", "default", "what it is"), rows)


def _shown_default(value: object) -> str:
    shown = f"{value:.15g}" if isinstance(value, float) else str(value)
    return "" if value in (None, (), False) else f"`{shown}`"


def studio_files_part() -> str:
    """What each script of the page is for, by the first sentence of its first comment."""
    rows = []
    for path in sorted((DOCS.parent / "src" / "overpaint" / "studio").glob("*.js")):
        comment = re.match(r"\s*/\*\*(.*?)\*/", path.read_text(encoding="utf-8"), re.DOTALL)
        assert comment is not None, path
        words = " ".join(re.sub(r"(?m)^\s*\* ?", "", comment[1]).split("@")[0].split())
        rows.append((f"`{path.name}`", re.split(r"(?<=[.;])\s", words)[0].rstrip(";")))
    return table(("file", "what it is for"), rows)


PARTS = {
    "commands": commands_part,
    "studio_files": studio_files_part,
    "routes": routes_part,
    "sdapi_routes": sdapi_routes_part,
    "sdapi_fields": sdapi_fields_part,
    "sampler_names": sampler_names_part,
    "openai_routes": openai_routes_part,
    "openai_fields": openai_fields_part,
    "openai_answer": openai_answer_part,
    "sdapi_extras": sdapi_extras_part,
    "request": request_part,
    "statuses": statuses_part,
    "settings": settings_part,
    "noise": noise_part,
    "bands": bands_part,
    "presets": presets_part,
    "samplers": samplers_part,
    "tools": tools_part,
}


def out_of_date() -> dict[Path, str]:
    """The pages that are not as they should be, with what they should hold."""
    pages = {DOCS / "options.md": options_page()}
    for page in sorted({*DOCS.glob("*.md")} - {*pages}):
        text = page.read_text(encoding="utf-8")
        pages[page] = _PART.sub(lambda m: f"<!-- generated: {m[1]} -->\n\n{PARTS[m[1]]()}\n<!-- end -->", text)
    return {p: text for p, text in pages.items() if not p.is_file() or p.read_text(encoding="utf-8") != text}


def main(check: bool) -> int:
    stale = out_of_date()
    for page, text in stale.items():
        print(f"docs/{page.name} {'is out of date: run `python docs/generate.py`' if check else 'written'}")
        if not check:
            page.write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
