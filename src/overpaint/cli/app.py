"""The Typer app and its commands' registration."""

from typing import Annotated

import typer

from overpaint.cli import (
    comparing,
    describing,
    edits,
    measuring,
    recipes,
    running,
    serving,
    sheets,
    studio,
    submitting,
    tables,
)
from overpaint.cli.console import out
from overpaint.cli.demo import demo
from overpaint.version import __version__

app = typer.Typer(
    name="overpaint",
    help="Edit pictures under a text prompt with Stable Diffusion, by SDEdit.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for command in (
    edits.edit,
    edits.extend,
    edits.generate,
    sheets.sweep,
    recipes.recipe,
    recipes.redo,
    sheets.noise,
    describing.describe,
    comparing.compare,
    tables.samplers,
    tables.presets,
    tables.models,
    tables.tools,
    measuring.precision,
    serving.serve,
    studio.studio,
    submitting.submit,
    demo,
):
    app.command()(running.command(command))


def _show_version(wanted: bool) -> None:
    if wanted:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    running.show_tracebacks(debug)


def main() -> None:
    """Entry point of the ``overpaint`` command."""
    running.end_on_sigterm()
    try:
        app()
    except SystemExit as e:
        running.end_quickly(e.code)
