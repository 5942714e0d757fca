"""`odradek shrink`: make a failing run small."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from odradek.cli.commands.worlds.tokens import MaxRuns, TargetArgument, TokenArgument, find_target, repeat, shrunk
from odradek.cli.options import bad_value
from odradek.cli.output import line, plain, write_whole

if TYPE_CHECKING:
    from odradek_simulation.world import Result

__all__ = ["shrink"]


def shrink(
    token: TokenArgument,
    target: TargetArgument = None,
    as_test: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write a pytest test that fails until the bug is fixed; FILE must be new."),
    ] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Go on if the code has changed since, as close to the run as possible.")
    ] = False,
    max_runs: MaxRuns = 2000,
) -> None:
    """Make a failing run small, and find what its failure needs.

    The run is repeated first. Then clients, faults and picks out of turn are left out as long as it fails in the same
    way. The token of the smallest run is printed.

    \b
    Example:
      odradek shrink odradek1.eNpj... --as-test tests/test_lost_update.py
    """
    if as_test is not None and os.path.lexists(as_test):
        raise bad_value("--as-test", f"{as_test} exists already; name a new file")
    found = find_target(token, target)
    small = shrunk(found, repeat(found, token, lenient=lenient), max_runs)
    line(plain(str(small.result.failure)))
    line(small.describe())
    for name, value in _left(small.result):
        line(f"  {name}: {plain(value)}")
    line()
    line(f"To see it:    odradek explain {small.result.token}{'' if target is None else f' {target}'} -o failure.html")
    if as_test is not None:
        from odradek_simulation.shrinking import regression_test

        write_whole(as_test, regression_test(small.result, found.name))
        line(f"To test it:   pytest {as_test}")


def _left(result: Result) -> list[tuple[str, str]]:
    """Return what is left of the world and of its schedule."""
    from odradek_simulation.choices import decoded

    recording = result.recording
    turns = [name for name in decoded(recording.picks or ()) if name]
    left = [
        ("clients", ", ".join(result.clients)),
        ("left out", ", ".join(recording.without)),
        ("faults", ", ".join(f"{fault} after step {fault.step}" for fault in result.faults)),
        ("ended by faults", ", ".join(f"{name} ({type(error).__name__})" for name, error in result.tolerated)),
        ("out of turn", ", ".join(turns[:20]) + (f" and {len(turns) - 20} more" if len(turns) > 20 else "")),
    ]
    return [(name, value) for name, value in left if value]
