"""The SnapshotWriter: saves snapshots, so that neither aggregates nor the journal wait for that.

On the first snapshot it sends itself a Flush. It saves the snapshots that arrive before the Flush in one transaction,
the newest one of each stream. Nothing depends on its success: a snapshot that cannot be saved is logged and dropped.
"""

from __future__ import annotations

from odradek_actors.base.actor import ActorContext, OdradekActor
from odradek_actors.messages.core import Stop
from odradek_actors.messages.log import Flush
from odradek_actors.messages.recovery import SaveSnapshot
from odradek_events.errors import LogError
from odradek_events.log.port import ReadableLog
from odradek_events.snapshots.store import SnapshotStore, StoredSnapshot

__all__ = ["SnapshotWriterActor"]


class SnapshotWriterActor(OdradekActor):
    """Saves snapshots, each with the digest of the last commit that it includes."""

    def __init__(self, context: ActorContext, log: ReadableLog, store: SnapshotStore) -> None:
        super().__init__(context)
        self._event_log = log
        self._store = store
        self._waiting: dict[str, SaveSnapshot] = {}
        self.handlers = {SaveSnapshot: self._take_in, Flush: self._flush, Stop: self._stop_orderly}

    def is_busy(self) -> bool:
        """Return whether snapshots are waiting."""
        return bool(self._waiting)

    def _take_in(self, message: SaveSnapshot) -> None:
        if not self._waiting:
            self.send(self.actor_ref, Flush())
        self._waiting[message.stream] = message

    def _flush(self, _: Flush) -> None:
        waiting, self._waiting = self._waiting, {}
        try:
            snapshots = [snapshot for message in waiting.values() if (snapshot := self._sealed(message)) is not None]
            if snapshots:
                self._store.save(snapshots)
        except LogError as error:
            self.log.warning("snapshots not saved", streams=len(waiting), error=str(error))
        except BaseException as raised:  # a bug in the store: still nothing depends on it
            self.log.error("snapshots not saved", streams=len(waiting), error=repr(raised), exc_info=raised)

    def _sealed(self, message: SaveSnapshot) -> StoredSnapshot | None:
        stream, version, position = message.stream, message.version, message.position
        end = self._event_log.commit_end(position)
        if end is None or (end.stream, end.version, end.position) != (stream, version, position):
            self.log.error("no commit ends at the snapshot's version", stream=stream, version=version)
            return None
        return StoredSnapshot.sealed(end, message.name, message.schema, message.payload)

    def _stop_orderly(self, _: Stop) -> None:
        self._flush(Flush())
        self.stop()
