"""Odradek's snapshot stores pass the conformance suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from odradek_events.snapshots.sqlite import SqliteSnapshots
from odradek_events.snapshots.store import MemorySnapshots, SnapshotStore
from odradek_events.testing import SnapshotConformance


class TestMemorySnapshots(SnapshotConformance):
    """Snapshots in memory."""

    @pytest.fixture
    def store(self) -> SnapshotStore:
        return MemorySnapshots()


@pytest.mark.on_disk
class TestSqliteSnapshots(SnapshotConformance):
    """Snapshots in a file."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SnapshotStore]:
        store = SqliteSnapshots(tmp_path / "log.db.snapshots")
        yield store
        store.close()
