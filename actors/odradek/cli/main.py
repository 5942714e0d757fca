"""The `odradek` command, put together: the options before the command, and which commands there are.

No command is imported until it is run, completed or asked for its help.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from odradek import __version__
from odradek.cli.application import Application
from odradek.cli.exit_codes import TABLE
from odradek.cli.lazy_command import LazyCommand
from odradek.cli.output import line
from odradek.logging_setup import configure_logging

__all__ = ["COMMANDS", "app"]

COMMANDS = (
    LazyCommand("simulate", "simulate:simulate", "Run producers and consumers, then check what must hold."),
    LazyCommand(
        "produce", "produce:produce", "Store every line of FILE as a message, byte for byte without its newline."
    ),
    LazyCommand("consume", "consume:consume", "Print the messages of a topic."),
    LazyCommand("log", "log:log", "Print the events of a log."),
    LazyCommand("trace", "trace:trace", "Show what a conversation led to: commands, their events, what those caused."),
    LazyCommand("project", "project:project", "Bring views of a log up to date, while it may be in use."),
    LazyCommand("state", "state:state", "Print the state that a log leads to."),
    LazyCommand("verify", "maintenance:verify", "Check every commit of a log."),
    LazyCommand("stats", "maintenance:stats", "Print what a log is made of."),
    LazyCommand("backup", "maintenance:backup", "Copy a log, also while it is being written."),
    LazyCommand(
        "salvage", "maintenance:salvage", "Copy what is sound of a damaged log, from its beginning, into a new one."
    ),
    LazyCommand("export", "exchange:export", "Write a log as JSON Lines or as Parquet, as it is now."),
    LazyCommand("import", "exchange:import_", "Make a new log of an export, the same to the last digest."),
    LazyCommand(
        "diff",
        "state:diff",
        "Print what changed between two moments.",
        context_settings={"ignore_unknown_options": True},  # so that -1 is a position and not an option
    ),
    LazyCommand("topics", "topics:topics", "Look at topics, create, change and delete them."),
    LazyCommand("groups", "groups:groups", "Look at consumer groups, and delete them."),
    LazyCommand(
        "offsets",
        "offsets:offsets",
        "Move what consumer groups without members have committed, or have them forget it.",
    ),
)
_EPILOG = "\b\n" + "\n".join(["Exit codes:", *(f"  {code.value:>3}  {meaning}" for code, meaning in TABLE.items())])
Level = Literal["debug", "info", "warning", "error", "critical", "off"]


class _Commands(TyperGroup):
    """The group that Typer makes of the application, with the commands above."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for command in COMMANDS:
            self.add_command(command)


app = Application(
    name="odradek",
    cls=_Commands,
    epilog=_EPILOG,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        line(f"odradek {__version__}")
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
