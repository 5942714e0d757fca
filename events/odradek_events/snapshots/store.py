"""Snapshots: an aggregate's state at a version, so that a long stream need not be folded from the start.

Snapshots are a cache and never part of the log: losing all of them costs only time. So they are checked before use. A
snapshot names the commit at whose end it was taken by its digest, which chains all earlier commits. A log that was
replaced, truncated, or continued differently does not have that commit, so the snapshot is ignored. Conversely, a
snapshot whose commit is beyond the log's head shows that the log has lost its end.

The module `sqlite` stores them in a file next to an SQLite log.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import Protocol, Self, runtime_checkable

import msgspec

from odradek_events.log.port import ReadableLog
from odradek_events.record import CommitEnd

__all__ = ["KEPT", "MemorySnapshots", "SnapshotMark", "SnapshotStore", "StoredSnapshot", "why_unusable"]

KEPT = 2
"""The number of newest snapshots that a store keeps per stream: more than one, since one may be unusable."""


class StoredSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A snapshot as a store keeps it: `payload` is the state of the aggregate after the last event of `end`.

    `name` and `schema` identify the payload's format; the owner of the aggregate chooses them. `checksum` covers all
    other fields.
    """

    end: CommitEnd
    name: str
    schema: int
    payload: bytes
    checksum: bytes

    @classmethod
    def sealed(cls, end: CommitEnd, name: str, schema: int, payload: bytes) -> Self:
        """Return the snapshot with its checksum."""
        return cls(end, name, schema, payload, _checksum(end, name, schema, payload))

    @property
    def is_intact(self) -> bool:
        """Whether the checksum is correct."""
        return self.checksum == _checksum(self.end, self.name, self.schema, self.payload)


class SnapshotMark(msgspec.Struct, frozen=True, gc=False):
    """A stored snapshot without its payload: where it was taken, and whether its checksum is correct."""

    end: CommitEnd
    is_intact: bool


@runtime_checkable
class SnapshotStore(Protocol):
    """Stores snapshots. `save`, `load` and `scan` may raise SnapshotsUnavailable; callers then continue without them.

    Only one thread may save; others may load at the same time.
    """

    def save(self, snapshots: Sequence[StoredSnapshot]) -> None:
        """Save these snapshots atomically, replacing those of the same stream and version.

        Keeps the KEPT newest snapshots of each stream up to the saved version. Also keeps any with later versions: the
        log has lost the end that they were taken at.
        """
        ...

    def load(self, stream: str, at_most: int | None = None) -> StoredSnapshot | None:
        """Return a stream's newest snapshot (of version `at_most` or below) unchecked, or None; see `why_unusable`."""
        ...

    def scan(self) -> Iterator[SnapshotMark]:
        """Yield every snapshot, by stream and version. For verification."""
        ...

    def close(self) -> None:
        """Release all resources; may be called repeatedly."""
        ...


class MemorySnapshots:
    """Snapshots in memory, lost with the object."""

    def __init__(self) -> None:
        self._by_stream: dict[str, dict[int, StoredSnapshot]] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<MemorySnapshots of {len(self._by_stream)} streams>"

    def save(self, snapshots: Sequence[StoredSnapshot]) -> None:
        """Save snapshots; see SnapshotStore."""
        with self._lock:
            for snapshot in snapshots:
                saved = self._by_stream.setdefault(snapshot.end.stream, {})
                saved[snapshot.end.version] = snapshot
                older = sorted(version for version in saved if version <= snapshot.end.version)
                for version in older[:-KEPT]:
                    del saved[version]

    def load(self, stream: str, at_most: int | None = None) -> StoredSnapshot | None:
        """Return a stream's newest snapshot; see SnapshotStore."""
        with self._lock:
            saved = self._by_stream.get(stream, {})
            newest = max((version for version in saved if at_most is None or version <= at_most), default=None)
            return None if newest is None else saved[newest]

    def scan(self) -> Iterator[SnapshotMark]:
        """Yield every snapshot, by stream and version."""
        with self._lock:
            every = [saved[version] for _, saved in sorted(self._by_stream.items()) for version in sorted(saved)]
        for snapshot in every:
            yield SnapshotMark(snapshot.end, snapshot.is_intact)

    def close(self) -> None:
        """Do nothing, since another reader of the same log may still use them."""


def why_unusable(log: ReadableLog, snapshot: StoredSnapshot, name: str, schema: int) -> str | None:
    """Return why `snapshot` must not be used with `log` by an owner of format (name, schema), or None if it may."""
    end = snapshot.end
    if not snapshot.is_intact:
        return "its checksum is wrong"
    if (snapshot.name, snapshot.schema) != (name, schema):
        return f"it has format {snapshot.name!r} version {snapshot.schema}, not {name!r} version {schema}"
    in_log = log.commit_end(end.position)
    if in_log is None:
        return f"the log ends before its position {end.position}"
    if in_log != end:
        return f"the log has a different history up to its position {end.position}"
    return None


def _checksum(end: CommitEnd, name: str, schema: int, payload: bytes) -> bytes:
    texts = [part.encode() for part in (end.stream, name)]
    numbers = (end.version, end.position, schema, *map(len, texts), len(end.digest), len(payload))
    checksum = hashlib.blake2b(b"%d,%d,%d,%d,%d,%d,%d:" % numbers, digest_size=16)
    for part in (*texts, end.digest, payload):
        checksum.update(part)
    return checksum.digest()
