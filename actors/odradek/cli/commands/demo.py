"""`odradek demo`: a crash in the middle of a rebalance, as a picture and a log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from odradek.cli.options import bad_value
from odradek.cli.output import line, write_whole

__all__ = ["demo"]

_TEXT = """\
A shop sold {sold} orders, and ann billed them as a member of the group "billing". Then bob joined. The process crashed
while the group was telling ann that a rebalance begins. It was started again on the same log, and went on.

Every order was billed, and {twice}: the crash came after the bill and before the commit. That is
"at least once". Nothing that was acknowledged is lost.

Open {page} in a browser.
  A is the message that begins the rebalance, B is the crash. A lane with #2 is an actor or a client of the process that
  was started afterwards, which knows nothing but the log. Hover over a step to see its payload.

The log is {log}.
  When the process crashed, bob had joined, and the group was at its first generation:
    odradek state {log} --at {position}
  Afterwards the members of the old process leave, and join again:
    odradek log {log} --stream group/billing
    odradek diff {log} {position} head"""


def demo(
    folder: Annotated[str, typer.Argument(metavar="[FOLDER]", help="Where the files are written.")] = "odradek-demo",
) -> None:
    """Crash in the middle of a rebalance, and show what comes of it.

    It writes a picture and a log, and says what to look at. The run is simulated, and always the same.

    \b
    Example:
      odradek demo
    """
    page, log = (os.path.join(folder, f"rebalance.{suffix}") for suffix in ("html", "db"))
    if os.path.lexists(log):
        raise bad_value("FOLDER", f"{log} exists already; remove it, or name another folder")
    os.makedirs(folder, exist_ok=True)

    from odradek_simulation.demo import demonstrate

    shown = demonstrate(Path(log))
    shown.result.log.close()
    write_whole(page, shown.explanation.html())
    twice = f"{' and '.join(shown.billed_twice)} twice" if shown.billed_twice else "none of them twice"
    line(_TEXT.format(sold=len(shown.sold), twice=twice, page=page, log=log, position=shown.position))
