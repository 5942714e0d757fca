"""Callbacks for changes of a consumer's assignment, like Kafka's ConsumerRebalanceListener."""

from __future__ import annotations

from collections.abc import Sequence

from odradek_domain.values.positions import TopicPartition
from odradek_events.validation import shown

__all__ = ["RebalanceListener", "check_listener"]


class RebalanceListener:
    """Override the methods you need. `poll`, `close` and `unsubscribe` call them on the caller's thread.

    An exception propagates to the caller of `poll`; the next poll continues the rebalance.
    """

    def on_partitions_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Handle newly assigned partitions, perhaps none. A `seek` here sets where reading starts."""

    def on_partitions_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Handle partitions that are reassigned after this returns: the last chance to commit their messages."""

    def on_partitions_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Handle partitions that another member may already own, so a commit fails. Calls on_partitions_revoked."""
        self.on_partitions_revoked(partitions)


def check_listener(listener: object) -> None:
    """Raise TypeError unless `listener` has the methods of a RebalanceListener."""
    missing = [name for name in _METHODS if not callable(getattr(listener, name, None))]
    if missing or isinstance(listener, type):
        raise TypeError(f"listener must be a RebalanceListener, not {shown(listener)}")


_METHODS = ("on_partitions_assigned", "on_partitions_revoked", "on_partitions_lost")
