"""What commands print: bytes and lines for pipes, tables for people, JSON for programs, and progress bars.

Results go to stdout, progress and errors to stderr; colours and progress bars appear on terminals only. rich is
imported for the first table or progress bar: most of what commands print are lines.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "bar",
    "format_count",
    "harmless",
    "is_terminal",
    "json_line",
    "line",
    "plain",
    "raw_output",
    "red_line",
    "stderr_console",
    "table",
    "tell",
    "write_all",
    "write_whole",
]


def raw_output() -> BinaryIO:
    """Return stdout for bytes. Flush it before reporting them as written."""
    sys.stdout.flush()
    return sys.stdout.buffer


def write_all(output: BinaryIO, data: bytes) -> None:
    """Write every byte. With PYTHONUNBUFFERED stdout is a raw file, whose `write` may write only some of them."""
    rest = memoryview(data)
    while rest:
        rest = rest[output.write(rest) :]


def write_whole(path: str, text: str) -> None:
    """Write a file of text, whole or not at all."""
    partial = f"{path}.partial"
    try:
        with open(partial, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(partial)
        raise OSError(error.errno, error.strerror, path) from error


def is_terminal() -> bool:
    """Return whether stdout is a terminal, which would act on escape sequences."""
    return sys.stdout.isatty()


def harmless(text: str) -> str:
    """Return text that a terminal only shows: control characters escaped as in JSON, newlines and tabs excepted."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[first : first + 4]}" for first in range(0, len(units), 4))


def line(text: str = "") -> None:
    """Print one line as it is."""
    sys.stdout.write(text + "\n")


def red_line(text: str) -> None:
    """Print one line, in red on a terminal."""
    text = plain(text)
    line(f"\x1b[31m{text}\x1b[0m" if is_terminal() and "NO_COLOR" not in os.environ else text)


def json_line(value: object) -> None:
    """Print a value as one line of JSON."""
    import msgspec

    text = msgspec.json.encode(value).decode()
    sys.stdout.write((harmless(text) if is_terminal() else text) + "\n")


def tell(text: str) -> None:
    """Print a line on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def plain(text: str, width: int | None = None) -> str:
    """Return text that is safe to print on one line: control characters escaped, at most `width` characters."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)
    return text if width is None or len(text) <= width else text[: width - 1] + "…"


def format_count(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural unless the number is 1."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, with numbers to the right; without rows print nothing."""
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
        console.width = 10_000  # lines of a table are not wrapped in a pipe
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
        """A console that raises BrokenPipeError, which rich would turn into an exit."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return PipeConsole(file=sys.stdout, highlight=False)


@contextmanager
def bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar if stderr is a terminal; yield the function that sets how much is done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr_console(), transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda completed: progress.update(task, completed=completed)
