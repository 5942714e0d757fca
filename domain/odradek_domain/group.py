"""The ConsumerGroup aggregate: the offsets its consumers have committed, which outlive every one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from odradek_domain.aggregate import Aggregate
from odradek_domain.names import GroupId
from odradek_domain.offsets import CommittedOffset, CommittedOffsets, OffsetToCommit
from odradek_events.types import OffsetCommitted, OffsetReset

__all__ = ["ConsumerGroup", "GroupSnapshot"]


class GroupSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A group's state."""

    group_id: str
    version: int
    committed: tuple[CommittedOffset, ...]


class ConsumerGroup(Aggregate):
    """A consumer group and its committed offsets."""

    __slots__ = ("committed", "id")

    def __init__(self, group_id: str) -> None:
        super().__init__()
        self.id = GroupId(group_id)
        self.committed = CommittedOffsets(f"group/{group_id}")

    def commit_offsets(
        self, offsets: Sequence[OffsetToCommit], at: datetime, consumer_id: str | None = None
    ) -> list[OffsetCommitted]:
        """Decide to commit these offsets, all or none."""
        return [event for wanted in offsets for event in self.committed.commit(wanted, at, consumer_id)]

    def reset_offset(self, wanted: OffsetToCommit, at: datetime, reason: str) -> OffsetReset:
        """Decide to continue a partition at an offset in whatever direction."""
        return self.committed.reset(wanted, at, reason)

    def _committed(self, event: OffsetCommitted | OffsetReset) -> None:
        self.committed.apply(event)

    appliers = {OffsetCommitted: _committed, OffsetReset: _committed}

    def snapshot(self) -> GroupSnapshot:
        """Return the state in hand."""
        return GroupSnapshot(str(self.id), self.version, self.committed.all())

    @classmethod
    def restore(cls, snapshot: GroupSnapshot) -> ConsumerGroup:
        """Rebuild from a snapshot."""
        group = cls(snapshot.group_id)
        group.version = snapshot.version
        group.committed.restore(snapshot.committed)
        return group
