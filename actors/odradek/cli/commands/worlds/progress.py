"""What is shown on a terminal while runs are made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from odradek.cli.output import stderr_console

__all__ = ["run_bar", "spinner"]


@contextmanager
def run_bar(total: int) -> Iterator[Callable[[int, int], None]]:
    """Show how many runs are done, and how many of them failed; yield the function that sets both."""
    if not sys.stderr.isatty():
        yield lambda done, failed: None
        return

    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    failures = TextColumn("{task.fields[failed]} failed")
    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), failures, TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=stderr_console(), transient=True) as progress:
        task = progress.add_task("runs", total=total, failed=0)
        yield lambda done, failed: progress.update(task, completed=done, failed=failed)


@contextmanager
def spinner(what: str) -> Iterator[Callable[[str], None]]:
    """Show that something is under way; yield the function that says how far it is."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with stderr_console().status(what) as status:
        yield lambda text: status.update(f"{what}, {text}")
