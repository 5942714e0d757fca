"""The `odradek` command: the options before the command, and the list of commands.

A command is imported when it runs, is completed, or prints its help.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from odradek import __version__
from odradek.cli.application import Application
from odradek.cli.exit_codes import TABLE
from odradek.cli.lazy_command import LazyCommand
from odradek.cli.models import import_models
from odradek.cli.output import line
from odradek.logging_setup import configure_logging

__all__ = ["COMMANDS", "app"]

COMMANDS = (
    LazyCommand("simulate", "simulate:simulate", "Run producers and consumers, then check what must hold."),
    LazyCommand("demo", "demo:demo", "Crash in the middle of a rebalance, and show what comes of it."),
    LazyCommand("sweep", "worlds.sweep:sweep", "Run a world with many seeds, and report each kind of failure."),
    LazyCommand("shrink", "worlds.shrink:shrink", "Make a failing run small, and find what its failure needs."),
    LazyCommand("explain", "worlds.explain:explain", "Draw a run beside the nearest passing one."),
    LazyCommand("boundaries", "boundaries:boundaries", "Study where consistency boundaries should lie."),
    LazyCommand("produce", "produce:produce", "Store every line of a file as a message, byte for byte."),
    LazyCommand("consume", "consume:consume", "Print the messages of a topic."),
    LazyCommand("log", "log:log", "Print the events of a log."),
    LazyCommand("trace", "trace:trace", "Show the commands of a conversation, and what they led to."),
    LazyCommand("project", "project:project", "Bring views of a log up to date."),
    LazyCommand("state", "state:state", "Print the state of a log at a position or time."),
    LazyCommand("verify", "maintenance:verify", "Check every commit of a log."),
    LazyCommand("stats", "maintenance:stats", "Summarise a log: its size, types of events, biggest streams."),
    LazyCommand("backup", "maintenance:backup", "Copy a log, even while another process writes it."),
    LazyCommand("salvage", "maintenance:salvage", "Copy the sound part of a damaged log into a new log."),
    LazyCommand("export", "exchange:export", "Export a log as JSON Lines or as Parquet."),
    LazyCommand("import", "exchange:import_", "Create a log from an export, identical to the last digest."),
    LazyCommand(
        "diff",
        "state:diff",
        "Print what changed between two positions or times.",
        context_settings={"ignore_unknown_options": True},  # so that -1 is a position and not an option
    ),
    LazyCommand("topics", "topics:topics", "List, describe, create, change and delete topics."),
    LazyCommand("groups", "groups:groups", "List, describe and delete consumer groups."),
    LazyCommand(
        "offsets",
        "offsets:offsets",
        "Reset and delete committed offsets of consumer groups.",
    ),
)
_EPILOG = "\b\n" + "\n".join(["Exit codes:", *(f"  {code.value:>3}  {meaning}" for code, meaning in TABLE.items())])
Level = Literal["debug", "info", "warning", "error", "critical", "off"]


class _Commands(TyperGroup):
    """The group that Typer builds from the application, with the commands above."""

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
    log_level: Annotated[
        Level, typer.Option(help="Print Odradek's log lines of this level and above on stderr.")
    ] = "off",
    log_format: Annotated[Literal["text", "json"], typer.Option(help="Print log lines as text or as JSON.")] = "text",
    module: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE",
            help="Import your own event types and aggregates from this module, as found in the current directory or "
            "installed; repeat it for several.",
        ),
    ] = None,
) -> None:
    """Run, replay and study an event-sourced actor system with Kafka's domain model.

    \b
    Example:
      odradek simulate
      seq 100 | odradek produce numbers.db numbers
      odradek consume numbers.db numbers --max 3
      odradek --module my_models state bank.db
    """
    configure_logging(log_level, json=log_format == "json")
    import_models(module or [])
    if context.invoked_subcommand is None:
        line(context.get_help())
