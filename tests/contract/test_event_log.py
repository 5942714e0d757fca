"""Odradek's stores pass the conformance suites, alone and inside a FaultyLog without faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from odradek_events import LogStore, MemoryLog, SqliteLog
from odradek_events.testing import DurableLogConformance, FaultyLog, LogConformance
from odradek_events.testing.samples import append, created, produced
from odradek_events.testing.subscriptions import SubscriptionCases


class TestMemoryLog(LogConformance):
    """The log in memory."""

    @pytest.fixture
    def log(self) -> Iterator[LogStore]:
        with MemoryLog() as log:
            yield log


@pytest.mark.on_disk
class TestSqliteLog(LogConformance):
    """The log on disk."""

    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[LogStore]:
        with SqliteLog(tmp_path / "log.db", durability="off") as log:
            yield log


class TestFaultyMemoryLog(LogConformance):
    """The log in memory, inside a FaultyLog."""

    @pytest.fixture
    def log(self) -> Iterator[LogStore]:
        with FaultyLog() as log:
            yield log


@pytest.mark.on_disk
class TestSqliteLogOnDisk(DurableLogConformance):
    """The log on disk, across processes."""

    opener = "odradek_events:SqliteLog"


@pytest.mark.on_disk
class TestReaderOfSqliteLog(SubscriptionCases):
    """The log on disk, followed through a separate reader, as in another process."""

    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[LogStore]:
        with SqliteLog(tmp_path / "log.db", durability="off") as log:
            yield log

    @pytest.fixture
    def followed(self, log: LogStore) -> Iterator[LogStore]:
        assert isinstance(log, SqliteLog)
        with SqliteLog(log.path, read_only=True) as reader:
            yield reader


def test_both_stores_compute_the_golden_digest(tmp_path: Path) -> None:
    with MemoryLog() as memory, SqliteLog(tmp_path / "log.db") as disk:
        for log in (memory, disk):
            append(log, "topic/a", created(), produced(0), when=1)
            append(log, "topic/ü", created("ü"), when=2)
        assert memory.head() == disk.head()
        assert memory.head().digest.hex() == "37285aa5aa9aca4697a7b49408e149de81cd0e0835c465424d820e5f543005dc"
