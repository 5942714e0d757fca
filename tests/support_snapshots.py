"""Snapshots for tests, and what a log says that they are worth."""

from __future__ import annotations

from odradek_events.record import CommitEnd
from odradek_events.snapshots import SnapshotStore, StoredSnapshot

DIGEST = bytes(range(32))


def at_version(
    version: int, stream: str = "topic/a", *, payload: bytes = b'{"n":1}', checksum: bytes | None = None
) -> StoredSnapshot:
    """Return a snapshot of a stream at a version; with another `checksum` it is a damaged one."""
    end = CommitEnd(stream, version, 2 * version, DIGEST)
    made = StoredSnapshot.sealed(end, "topic", 1, payload)
    return made if checksum is None else StoredSnapshot(end, "topic", 1, payload, checksum)


def versions(store: SnapshotStore, stream: str = "topic/a") -> list[int]:
    """Return the versions of a stream's snapshots."""
    return [mark.end.version for mark in store.scan() if mark.end.stream == stream]
