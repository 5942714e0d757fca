"""What commands print: bytes and lines fit for pipes, tables for people, JSON for programs, progress for the patient.

Results go to stdout, progress and complaints to stderr; colours and moving bars appear on terminals only. rich is
imported for the first table or bar: most of what commands print are lines.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["bar", "counted", "json_line", "line", "plain", "raw_output", "stderr_console", "table", "tell", "write_all"]


def raw_output() -> BinaryIO:
    """Return stdout for bytes; flush it before the command says that they were written."""
    sys.stdout.flush()
    return sys.stdout.buffer


def write_all(output: BinaryIO, data: bytes) -> None:
    """Write every byte. With PYTHONUNBUFFERED stdout is a raw file, whose write may take a part only."""
    rest = memoryview(data)
    while rest:
        rest = rest[output.write(rest) :]


def line(text: str = "") -> None:
    """Print one line as it is."""
    sys.stdout.write(text + "\n")


def json_line(value: object) -> None:
    """Print a value as one line of JSON."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def tell(text: str) -> None:
    """Say something beside the results."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def plain(text: str, width: int | None = None) -> str:
    """Return text on one line, fit for a terminal: control characters escaped, at most `width` characters."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)
    return text if width is None or len(text) <= width else text[: width - 1] + "…"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where that is due."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand to the right. One without rows is left out."""
    cells = [list(row) for row in rows]
    if not cells:
        return

    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, column in enumerate(columns):
        is_number = all(isinstance(row[number], int | float | None) for row in cells)
        drawn.add_column(Text(column), justify="right" if is_number else "left")
    for row in cells:
        drawn.add_row(*(Text(_cell(value)) for value in row))
    console = _stdout_console()
    if not console.is_terminal:
        console.width = 10_000  # nobody wants a pipe's tables wrapped
    console.print(Text(title, style="bold"))
    console.print(drawn)
    console.print()


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.2f}" if isinstance(value, float) else plain(str(value))


def stderr_console() -> Console:
    """Return the console for progress."""
    from rich.console import Console

    return Console(stderr=True)


def _stdout_console() -> Console:
    from rich.console import Console

    class PipeConsole(Console):
        """A console that leaves a closed pipe to the one that runs the command."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return PipeConsole(file=sys.stdout, highlight=False)


@contextmanager
def bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show progress on a terminal's stderr; what it yields is told how far things are."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr_console(), transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda completed: progress.update(task, completed=completed)
