"""The baselines that Odradek is compared with: bare sqlite3, a bare Pykka ask, and the `eventsourcing` library."""

from __future__ import annotations

import sqlite3
import statistics
import time
from pathlib import Path
from typing import Any

import pykka
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

TEXT = "v" * 100
VALUE = TEXT.encode()


def bare_sqlite(folder: Path, batch: int, total: int) -> float:
    """Return rows/s of sqlite3 alone: one row per event, WAL, synchronous=FULL, `batch` rows per transaction."""
    connection = _connect(folder / "bare.db")
    begin = time.perf_counter()
    for start in range(0, total, batch):
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?)",
            [(number, "orders", number, VALUE) for number in range(start, start + batch)],
        )
        connection.execute("COMMIT")
    seconds = time.perf_counter() - begin
    connection.close()
    return total / seconds


def bare_commit(folder: Path, count: int) -> float:
    """Return the median seconds of one FULL commit of one row."""
    connection = _connect(folder / "commit.db")
    times = []
    for number in range(count):
        begin = time.perf_counter()
        connection.execute("BEGIN")
        connection.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (number, "orders", number, VALUE))
        connection.execute("COMMIT")
        times.append(time.perf_counter() - begin)
    connection.close()
    return statistics.median(times)


def bare_ask(count: int) -> float:
    """Return the median seconds of one Pykka ask to an actor that does nothing."""
    ref = _Echo.start()
    times = []
    for number in range(count):
        begin = time.perf_counter()
        ref.ask(number)
        times.append(time.perf_counter() - begin)
    ref.stop()
    return statistics.median(times)


def eventsourcing_save(folder: Path, batch: int, total: int) -> float:
    """Return events/s of the eventsourcing library on SQLite, saving `batch` events of one aggregate at a time."""
    application = _application(folder / "es-save.db")
    topic = _Topic()
    application.save(topic)
    begin = time.perf_counter()
    for _ in range(total // batch):
        for _ in range(batch):
            topic.add(TEXT)
        application.save(topic)
    seconds = time.perf_counter() - begin
    application.close()
    return total / seconds


def eventsourcing_log(path: Path, total: int) -> str:
    """Write a log for `eventsourcing_rebuild`; return the aggregate's id."""
    application = _application(path)
    topic = _Topic()
    for _ in range(total):
        topic.add(TEXT)
    application.save(topic)
    application.close()
    return str(topic.id)


def eventsourcing_rebuild(path: Path, identifier: str, total: int) -> float:
    """Return events/s of rebuilding that aggregate."""
    from uuid import UUID

    application = _application(path)
    begin = time.perf_counter()
    topic: Any = application.repository.get(UUID(identifier))
    seconds = time.perf_counter() - begin
    assert topic.count == total
    application.close()
    return total / seconds


class _Echo(pykka.ThreadingActor):
    def on_receive(self, message: Any) -> Any:
        return message


class _Topic(Aggregate):  # type: ignore[misc]  # the library is not checked here
    def __init__(self) -> None:
        self.count = 0

    @event("MessageAdded")  # type: ignore[untyped-decorator]  # as above
    def add(self, value: str) -> None:
        self.count += 1


def _application(path: Path) -> Any:
    return Application(env={"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)})


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE events "
        "(position INTEGER PRIMARY KEY, stream TEXT, version INTEGER, data BLOB, UNIQUE (stream, version))"
    )
    return connection
