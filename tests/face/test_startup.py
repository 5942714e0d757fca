"""What starting costs, as the packages that are imported: times differ between machines, imports do not."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, get_args

import pytest

from odradek.cli import options
from odradek.cli.lazy_command import LazyCommand
from odradek.cli.main import COMMANDS
from odradek_domain.errors import MAX_PARTITIONS
from odradek_events.sqlite.log import Durability

# structlog brings asyncio and its own tools for development, rich its markup, and newer versions of typer bring
# pydantic: each costs more than a store of ours.
DEAR = {"asyncio", "hypothesis", "multiprocessing", "pyarrow", "pydantic", "pytest", "rich", "structlog"}
LIBRARY = {
    "odradek_actors",
    "odradek_boundaries",
    "odradek_domain",
    "odradek_events",
    "odradek_pictures",
    "odradek_simulation",
    "pykka",
    "sqlite3",
}


COMPLETED = ("odradek st", "odradek topics ", "odradek produce x.db --", "odradek offsets reset --t")

_HELP = """
from odradek.cli.main import COMMANDS, app
for command in COMMANDS:
    if command.name != "simulate":
        app([command.name, "--help"])
"""
_COMPLETION = """
import os, sys
from contextlib import suppress
from odradek.cli import app
os.environ["_ODRADEK_COMPLETE"] = "complete_bash"
for line in sys.argv[1:]:
    os.environ |= {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    with suppress(SystemExit):
        app()
"""


def imported(*arguments: str) -> tuple[set[str], str]:
    """Run Python with these arguments; return the top-level modules that it imported, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}, done.stdout


def test_importing_odradek_imports_none_of_its_packages() -> None:
    found, _ = imported("-c", "import odradek")
    assert "odradek" in found
    assert not found & (LIBRARY | DEAR | {"msgspec", "typer"})


def test_a_system_in_memory_runs_without_what_only_some_need() -> None:
    found, _ = imported("-c", "from odradek import ActorSystem, MemoryLog; ActorSystem.open(MemoryLog()).close()")
    assert found > {"odradek_actors", "pykka"}
    assert not found & (DEAR | {"typer"})


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_what_the_command_line_says_about_itself_needs_no_library(argument: str) -> None:
    found, text = imported("-m", "odradek", argument)
    assert "odradek" in text
    assert not found & (LIBRARY | DEAR | {"msgspec"})


def test_a_missing_log_is_reported_without_the_domain_and_the_actors() -> None:
    found, _ = imported("-m", "odradek", "state", "missing.db")
    assert "odradek_events" in found
    assert not found & (DEAR | {"odradek_domain", "pykka"})


def test_the_help_of_a_command_needs_no_library() -> None:
    found, text = imported("-c", _HELP)
    assert text.count("Usage: odradek ") == len(COMMANDS) - 1
    assert not found & (LIBRARY | DEAR)


def test_the_help_of_simulate_needs_only_the_limits_of_a_workload() -> None:
    found, text = imported("-m", "odradek", "simulate", "--help")
    assert "--key-skew" in text
    assert not found & (DEAR | {"pykka", "sqlite3"})


def test_completion_needs_no_library() -> None:
    found, text = imported("-c", _COMPLETION, *COMPLETED)
    assert {"state", "stats", "delete-records", "--key-separator", "--to-earliest"} <= set(text.split())
    assert not found & (LIBRARY | DEAR)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_list_of_commands_says_what_each_says_of_itself(command: LazyCommand) -> None:
    loaded: Any = command.imported
    for width in (45, 60, 200):
        assert command.get_short_help_str(width) == loaded.get_short_help_str(width)


def test_options_have_the_limits_and_choices_of_the_library() -> None:
    assert options.MAX_PARTITIONS == MAX_PARTITIONS
    assert get_args(options.Durability) == get_args(Durability)
