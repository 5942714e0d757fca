"""Queries that a signal can interrupt.

Python runs signal handlers only between its own instructions, so a query that takes SQLite a minute delays Ctrl-C by a
minute. SQLite regularly calls a progress handler; if that is Python code, signal handlers run there. The exception that
a signal handler raises is kept, because `sqlite3` only reports "interrupted".

The progress handler is a generator's `__next__`, since a Python function would be interrupted at its first instruction,
before it could enter a `try` block.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["Interruptible", "fetch_aside"]

_LOOK_EVERY = 0.1  # seconds
_STEPS = 500_000  # of SQLite's virtual machine, 5 to 20 ms


class Interruptible(sqlite3.Connection):
    """A connection whose queries let signal handlers run. Close it once `interruption` is set."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.interruption: BaseException | None = None
        handler = self._let_signals_in()
        next(handler)
        self.set_progress_handler(handler.__next__, _STEPS)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Execute a statement; raise the exception of a signal handler unchanged."""
        try:
            return super().execute(*arguments)
        except sqlite3.OperationalError:
            self.raise_interruption()
            raise

    def raise_interruption(self) -> None:
        """Raise the exception that interrupted a query, if any."""
        if self.interruption is not None:
            raise self.interruption

    def _let_signals_in(self) -> Iterator[int]:
        try:
            while True:
                yield 0
        except GeneratorExit:
            raise
        except BaseException as error:
            self.interruption = error
            yield 1  # stop the query


def fetch_aside(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """Run a query in another thread and return all rows; a signal interrupts it.

    For queries such as `integrity_check`, during which SQLite does not call the progress handler.
    """
    rows: list[tuple[Any, ...]] = []
    errors: list[Exception] = []

    done = threading.Event()  # an interrupted `join` makes Python 3.11 treat the thread as finished

    def run() -> None:
        try:
            rows.extend(connection.execute(query).fetchall())
        except Exception as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="odradek-query", daemon=True).start()
    try:
        while not done.wait(_LOOK_EVERY):  # a signal delivered to another thread does not wake a waiting lock
            pass
    except BaseException:
        while not done.is_set():
            connection.interrupt()
            done.wait(_LOOK_EVERY)
        raise
    if errors:
        raise errors[0]
    return rows
