"""A snapshot store that loses, ages and spoils what it holds, as a disk may."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from odradek_events.snapshots.store import SnapshotMark, SnapshotStore, StoredSnapshot

__all__ = ["SPOILED", "FaultySnapshots", "Spoiled"]

Spoiled = Literal["missing", "stale", "corrupt", "too new"]
SPOILED: tuple[Spoiled, ...] = ("missing", "stale", "corrupt", "too new")


class FaultySnapshots:
    """Wraps a store; the next `loads` loads return what `spoil` asked for.

    missing: none; stale: an older one; corrupt: one whose checksum is wrong; too new: one of a later schema.
    """

    def __init__(self, store: SnapshotStore) -> None:
        self._store = store
        self._spoiled: Spoiled = "missing"
        self._loads = 0
        self.noticed: set[str] = set()

    def spoil(self, how: Spoiled, loads: int) -> None:
        """Spoil the next loads."""
        self._spoiled, self._loads = how, loads

    def heal(self) -> None:
        """Load what is stored again."""
        self._loads = 0

    def save(self, snapshots: Sequence[StoredSnapshot]) -> None:
        """Save snapshots."""
        self._store.save(snapshots)

    def load(self, stream: str, at_most: int | None = None) -> StoredSnapshot | None:
        """Return a stream's newest snapshot, or what `spoil` makes of it."""
        found = self._store.load(stream, at_most)
        if found is None:
            return None
        if self._loads <= 0:
            self.noticed.add("snapshot restored")
            return found
        self._loads -= 1
        if self._spoiled == "missing":
            return None
        if self._spoiled == "stale":
            return self._store.load(stream, found.end.version - 1)
        if self._spoiled == "corrupt":
            return msgspec.structs.replace(found, payload=found.payload[:-1] + b"?")
        return StoredSnapshot.sealed(found.end, found.name, found.schema + 1, found.payload)

    def scan(self) -> Iterator[SnapshotMark]:
        """Yield every snapshot."""
        return self._store.scan()

    def close(self) -> None:
        """Close the store."""
        self._store.close()
