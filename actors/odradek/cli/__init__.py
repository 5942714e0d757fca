"""The `odradek` command: one module per group of commands, put together here.

`application` runs them and turns every error into one sentence and an exit code (`exit_codes`); `options`, `output` and
`default_command` hold what the `commands` share, and `formats` writes things as text. Commands ask the library and
print; what they print is worked out in the floors below.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Literal

import typer

from odradek.cli.application import Application
from odradek.cli.commands import log as read_log
from odradek.cli.commands.consume import consume
from odradek.cli.commands.exchange import export, import_
from odradek.cli.commands.groups import groups
from odradek.cli.commands.maintenance import backup, salvage, stats, verify
from odradek.cli.commands.offsets import offsets
from odradek.cli.commands.produce import produce
from odradek.cli.commands.project import project
from odradek.cli.commands.simulate import simulate
from odradek.cli.commands.state import diff, state
from odradek.cli.commands.topics import topics
from odradek.cli.commands.trace import trace
from odradek.cli.exit_codes import TABLE
from odradek.cli.output import line
from odradek.logging_setup import configure_logging

__all__ = ["app"]

Level = Literal["debug", "info", "warning", "error", "critical", "off"]
_EPILOG = "\b\n" + "\n".join(["Exit codes:", *(f"  {code.value:>3}  {meaning}" for code, meaning in TABLE.items())])

app = Application(
    name="odradek",
    epilog=_EPILOG,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        line(f"odradek {version('odradek')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def odradek(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    log_level: Annotated[Level, typer.Option(help="Which of Odradek's own log lines to print on stderr.")] = "off",
    log_format: Annotated[Literal["text", "json"], typer.Option(help="How to print them.")] = "text",
) -> None:
    """Run, replay and study an event-sourced actor system with Kafka's domain model.

    \b
    Example:
      odradek simulate
      seq 100 | odradek produce numbers.db numbers
      odradek consume numbers.db numbers --max 3
    """
    configure_logging(log_level, json=log_format == "json")
    if context.invoked_subcommand is None:
        line(context.get_help())


_COMMANDS = (
    simulate,
    produce,
    consume,
    read_log.log,
    trace,
    project,
    state,
    verify,
    stats,
    backup,
    salvage,
    export,
)
for command in _COMMANDS:
    app.command()(command)
app.command("import")(import_)
app.add_typer(topics, name="topics")
app.add_typer(groups, name="groups")
app.add_typer(offsets, name="offsets")
app.command(context_settings={"ignore_unknown_options": True})(diff)  # so that -1 is a position and no option
