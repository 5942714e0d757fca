"""What a token repeats, and of which target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.options import bad_value

if TYPE_CHECKING:
    from odradek_simulation.shrinking import Shrunk
    from odradek_simulation.world import Result, Target

__all__ = ["MaxRuns", "TargetArgument", "TokenArgument", "find_target", "repeat", "shrunk"]

TokenArgument = Annotated[str, typer.Argument(metavar="TOKEN", help="The token of a run, as it was printed.")]
TargetArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODULE:FUNCTION]", help="The function start(system, world) that was run; most tokens name it."
    ),
]
MaxRuns = Annotated[int, typer.Option(min=1, help="Stop shrinking after so many runs.")]


def find_target(token: str, name: str | None) -> Target:
    """Return the target of this name, or else the one that the token names."""
    from odradek_simulation.choices.token import Token
    from odradek_simulation.world import load_target

    found = Token.parse(token).name if name is None else name
    if not found:
        raise bad_value("MODULE:FUNCTION", "the token does not name its target; add the function that was run")
    return load_target(found)


def repeat(target: Target, token: str, *, lenient: bool) -> Result:
    """Repeat the run of a token."""
    return target.repeat(token, lenient=lenient)


def shrunk(target: Target, failed: Result, max_runs: int) -> Shrunk:
    """Shrink a failing run, and show the progress."""
    from odradek.cli.commands.worlds.progress import spinner
    from odradek_simulation.shrinking import shrink

    if failed.holds:
        raise CommandError("the run of this token does not fail, so there is nothing to shrink", ExitCode.REFUSED)
    with spinner("shrinking") as show:

        def note(runs: int, best: Result) -> None:
            show(f"run {runs:,}: {best.steps:,} steps, {best.recording.deviations:,} out of turn")

        try:
            return shrink(failed, target.again, max_runs=max_runs, progress=note)
        except ValueError as error:
            raise CommandError(str(error), ExitCode.REFUSED) from error
