"""`odradek explain`: draw a run beside the nearest passing one."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from odradek.cli.commands.worlds.progress import spinner
from odradek.cli.commands.worlds.tokens import MaxRuns, TargetArgument, TokenArgument, find_target, repeat, shrunk
from odradek.cli.options import bad_value
from odradek.cli.output import harmless, is_terminal, line, write_whole

__all__ = ["explain"]

_SUFFIXES = (".html", ".svg", ".txt")
_PIPE_WIDTH = 160


def explain(
    token: TokenArgument,
    target: TargetArgument = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write a page (.html), a picture (.svg) or a table (.txt)."
        ),
    ] = None,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Explain the run itself, even if it fails and was not shrunk.")
    ] = False,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Go on if the code has changed since, as close to the run as possible.")
    ] = False,
    max_runs: MaxRuns = 2000,
) -> None:
    """Draw a run beside the nearest passing one.

    It shows which two messages came in another order. A failing run is shrunk first, unless its token comes from
    `odradek shrink`. Without --output a table is printed.

    \b
    Example:
      odradek explain odradek1.eNpj... -o failure.html
    """
    if output is not None and not output.endswith(_SUFFIXES):
        raise bad_value("--output", f"{output!r} must end with one of {', '.join(_SUFFIXES)}")
    from odradek_simulation.choices import Token
    from odradek_simulation.explaining import explain as explain_run

    found = find_target(token, target)
    result = repeat(found, token, lenient=lenient)
    if not (as_is or result.holds) and Token.parse(token).recipe.picks is None:
        result = shrunk(found, result, max_runs).result
    with spinner("looking for the nearest passing run"):
        again = partial(found.again, trace=True)
        explanation = explain_run(again(result.recording), again)
    if output is None:
        width = shutil.get_terminal_size().columns if is_terminal() else _PIPE_WIDTH
        for each in explanation.lines(width):
            line(harmless(each))
        return
    lines = partial("\n".join, [*explanation.lines(_PIPE_WIDTH), ""])
    write_whole(output, {".html": explanation.html, ".svg": explanation.svg}.get(Path(output).suffix, lines)())
    line(f"Wrote {output}; open it in a browser." if not output.endswith(".txt") else f"Wrote {output}.")
