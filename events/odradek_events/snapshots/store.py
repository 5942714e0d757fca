"""Snapshots: an aggregate's state at a version, so that a long stream need not be folded from its beginning.

A snapshot is a cache beside the log and never part of it: losing all of them costs time, nothing else. So none is ever
trusted. It names the commit at whose end it was taken by that commit's digest, which chains all commits before it; a
log that was replaced, cut short, or that grew differently does not have that commit, and the snapshot is passed over.
Conversely a snapshot whose commit is beyond the log's head tells that the log has lost its end.

`snapshots_sqlite` keeps them in a file beside an SQLite log.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import Protocol, Self

import msgspec

from odradek_events.log.port import ReadableLog
from odradek_events.record import CommitEnd

__all__ = ["KEPT", "MemorySnapshots", "SnapshotMark", "SnapshotStore", "StoredSnapshot", "why_unusable"]

KEPT = 2
"""How many of a stream's newest snapshots a store keeps: one may turn out unusable."""


class StoredSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A snapshot as a store keeps it: `payload` is the state of the aggregate whose last event is that of `end`.

    `name` and `schema` say what the payload is, by the names of the aggregate's owner. `checksum` is over all the rest.
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
        """Whether the checksum is right."""
        return self.checksum == _checksum(self.end, self.name, self.schema, self.payload)


class SnapshotMark(msgspec.Struct, frozen=True, gc=False):
    """A stored snapshot without its payload: where it was taken, and whether its checksum is right."""

    end: CommitEnd
    is_intact: bool


class SnapshotStore(Protocol):
    """Keeps snapshots. Saving, loading and scanning raise SnapshotsUnavailable; whoever calls goes on without.

    One thread saves; others may load meanwhile.
    """

    def save(self, snapshots: Sequence[StoredSnapshot]) -> None:
        """Keep these, all or none, each in place of one of the same stream and version.

        Of each of these streams the KEPT newest up to the one saved stay. Later ones stay too: they are of an end that
        the log has lost.
        """
        ...

    def load(self, stream: str, at_most: int | None = None) -> StoredSnapshot | None:
        """Return a stream's newest snapshot (of version `at_most` or below), as it is: the reader judges it."""
        ...

    def scan(self) -> Iterator[SnapshotMark]:
        """Yield every snapshot, by stream and version. For verification."""
        ...

    def close(self) -> None:
        """Give back every resource; closing twice is fine."""
        ...


class MemorySnapshots:
    """Snapshots that live as long as the object."""

    def __init__(self) -> None:
        self._by_stream: dict[str, dict[int, StoredSnapshot]] = {}
        self._lock = threading.Lock()

    def save(self, snapshots: Sequence[StoredSnapshot]) -> None:
        """Keep these; see SnapshotStore."""
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
        """Do nothing: another reader of the same log may still want them."""


def why_unusable(log: ReadableLog, snapshot: StoredSnapshot, name: str, schema: int) -> str | None:
    """Say why `snapshot` must not stand for what `log` holds, to an owner who knows (name, schema); None if it may."""
    end = snapshot.end
    if not snapshot.is_intact:
        return "its checksum is wrong"
    if (snapshot.name, snapshot.schema) != (name, schema):
        return f"it is a {snapshot.name!r} of schema {snapshot.schema}, not a {name!r} of schema {schema}"
    in_log = log.commit_end(end.position)
    if in_log is None:
        return f"the log ends before its position {end.position}"
    if in_log != end:
        return f"the log has another history up to its position {end.position}"
    return None


def _checksum(end: CommitEnd, name: str, schema: int, payload: bytes) -> bytes:
    texts = [part.encode() for part in (end.stream, name)]
    numbers = (end.version, end.position, schema, *map(len, texts), len(end.digest), len(payload))
    checksum = hashlib.blake2b(b"%d,%d,%d,%d,%d,%d,%d:" % numbers, digest_size=16)
    for part in (*texts, end.digest, payload):
        checksum.update(part)
    return checksum.digest()
