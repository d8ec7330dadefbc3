"""The command line: ``overpaint COMMAND``. Each command imports what it needs only when it runs."""

from overpaint.cli.app import main

__all__ = ["main"]
