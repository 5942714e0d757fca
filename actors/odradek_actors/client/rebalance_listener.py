"""What a consumer's owner may want to do when partitions come and go."""

from __future__ import annotations

from collections.abc import Sequence

from odradek_domain.values.positions import TopicPartition

__all__ = ["RebalanceListener"]


class RebalanceListener:
    """Override what you need. Called within `poll` (and `close`, `unsubscribe`), on the thread that polls.

    An exception comes out of `poll`, and the rebalance goes on with the next poll.
    """

    def on_partitions_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """These have come to what there was; perhaps none have. A `seek` here decides where reading begins."""

    def on_partitions_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """These go to another member once this returns: the last moment to commit what was processed of them."""

    def on_partitions_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """These may be another member's already, so a commit is refused; by default as if they were revoked."""
        self.on_partitions_revoked(partitions)
