"""Case D: snapshots are stored by stream and version, the newest is found, and damage can be detected.

A store does not check whether a snapshot fits the log; `odradek_events.snapshots.store.why_unusable` does.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from odradek_events.record import CommitEnd
from odradek_events.snapshots.store import SnapshotStore, StoredSnapshot

__all__ = ["SnapshotConformance", "at_version", "versions"]

_DIGEST = bytes(range(32))


def at_version(
    version: int, stream: str = "topic/a", *, payload: bytes = b'{"n":1}', checksum: bytes | None = None
) -> StoredSnapshot:
    """Return a snapshot of a stream at a version; a `checksum` makes it a damaged one."""
    end = CommitEnd(stream, version, 2 * version, _DIGEST)
    made = StoredSnapshot.sealed(end, "topic", 1, payload)
    return made if checksum is None else StoredSnapshot(end, "topic", 1, payload, checksum)


def versions(store: SnapshotStore, stream: str = "topic/a") -> list[int]:
    """Return the versions of a stream's snapshots."""
    return [mark.end.version for mark in store.scan() if mark.end.stream == stream]


class SnapshotConformance:
    """All cases for a snapshot store. Subclass it with a `store` fixture that yields an empty one."""

    @pytest.fixture
    def store(self) -> Iterator[SnapshotStore]:
        """Yield an empty store."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `store` that yields an empty store")

    def test_an_unknown_stream_has_no_snapshot(self, store: SnapshotStore) -> None:
        assert store.load("topic/a") is None
        store.save([at_version(3, "topic/a")])
        assert store.load("topic/b") is None
        assert store.load("topic/") is None
        assert store.load("topic/\ud800") is None

    def test_the_newest_version_is_loaded_whatever_the_order_of_saving(self, store: SnapshotStore) -> None:
        store.save([at_version(10)])
        store.save([at_version(20), at_version(5)])

        assert store.load("topic/a") == at_version(20)

    def test_the_newest_at_or_below_a_version_is_found(self, store: SnapshotStore) -> None:
        store.save([at_version(10), at_version(20)])

        assert [store.load("topic/a", bound) for bound in (25, 20, 19, 10, 9, -1)] == [
            at_version(20),
            at_version(20),
            at_version(10),
            at_version(10),
            None,
            None,
        ]

    def test_a_snapshot_replaces_one_of_the_same_version(self, store: SnapshotStore) -> None:
        store.save([at_version(10, payload=b"1"), at_version(10, payload=b"2")])
        store.save([at_version(10, payload=b"3")])

        assert store.load("topic/a") == at_version(10, payload=b"3")
        assert versions(store) == [10]

    def test_the_two_newest_snapshots_of_each_stream_are_kept(self, store: SnapshotStore) -> None:
        for version in (10, 20, 30, 40):
            store.save([at_version(version), at_version(version + 1, "topic/b")])

        assert versions(store) == [30, 40]
        assert versions(store, "topic/b") == [31, 41]

    def test_snapshots_of_a_lost_end_are_kept_until_the_stream_passes_them(self, store: SnapshotStore) -> None:
        store.save([at_version(30), at_version(40)])
        store.save([at_version(10)])
        store.save([at_version(20)])
        store.save([at_version(25)])
        assert versions(store) == [20, 25, 30, 40]

        store.save([at_version(50)])
        assert versions(store) == [40, 50]

    def test_streams_do_not_mix(self, store: SnapshotStore) -> None:
        names = ["topic/a", "topic/A", "topic/a ", "topic/ä", "topic/☃", "a/topic", "topic/a/b", "topic/nul\0nul"]
        store.save([at_version(number, name) for number, name in enumerate(names)])

        assert [store.load(name) for name in names] == [at_version(*item) for item in enumerate(names)]

    @pytest.mark.parametrize("size", [0, 1, 10_000, 10_000_000])
    def test_a_payload_of_any_size_is_loaded_unchanged(self, store: SnapshotStore, size: int) -> None:
        saved = at_version(7, payload=bytes(range(256)) * (size // 256) + b"\0" * (size % 256))
        store.save([saved])

        found = store.load("topic/a")
        assert found == saved
        assert found.is_intact

    def test_a_scan_returns_every_snapshot_by_stream_and_version(self, store: SnapshotStore) -> None:
        saved = [at_version(version, stream) for stream in ("topic/a", "topic/b") for version in (10, 20)]
        store.save(saved[::-1])

        assert [mark.end for mark in store.scan()] == [snapshot.end for snapshot in saved]
        assert all(mark.is_intact for mark in store.scan())

    def test_a_scan_reports_a_wrong_checksum(self, store: SnapshotStore) -> None:
        store.save([at_version(10), at_version(20, checksum=b"wrong")])

        assert [mark.is_intact for mark in store.scan()] == [True, False]
        found = store.load("topic/a")
        assert found is not None
        assert not found.is_intact

    def test_an_empty_save_does_nothing(self, store: SnapshotStore) -> None:
        store.save([])
        assert list(store.scan()) == []

    def test_closing_twice_is_fine(self, store: SnapshotStore) -> None:
        store.save([at_version(1)])
        store.close()
        store.close()
