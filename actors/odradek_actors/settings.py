"""Settings: what a system can be set to."""

from __future__ import annotations

import msgspec

from odradek_actors.validation import seconds, whole_number
from odradek_domain.topic.partition import REMEMBERED_BATCHES

__all__ = ["Settings"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a system can be set to. Times in seconds, in milliseconds where the name ends in `_ms`; sizes in bytes.

    auto_create_topics     a send to a missing topic creates it, with `default_partitions`; otherwise TopicNotFound
    max_message_bytes      the limit for key, value and headers of one message together; above it MessageTooLarge
    buffer_bytes           what one producer handle may have unacknowledged; then `send` blocks
    max_block_ms           for how long it blocks before BufferFull
    batch_messages, batch_bytes     the most that travels as one append; a single larger `send_batch` still goes, alone
    max_in_flight          batches that may be unanswered for each producer and topic, 1 to 5: what a topic remembers
    delivery_timeout       after this a send fails with DeliveryTimedOut, its outcome unknown
    retry_backoff          the wait before a batch is sent again, and before an actor recovers again
    tail_messages, tail_bytes       the newest messages each partition keeps in memory; older ones are read from the log
    read_cache_bytes       the commits read from the log last that are kept in memory, in bytes as stored, and
                           the last two in any case; 0: none
    fetch_bytes            the most bytes of one delivery to a consumer, but always one message
    progress_interval      how often a producer records how many messages were acknowledged
    retention_check_interval        how often a topic with limits lets go what is beyond them
    snapshot_interval      events between two snapshots of an aggregate, more where snapshots are large; 0: no snapshots
    offsets_retention      a group that has been without members and commits for so long loses its offsets; None: never
    """

    auto_create_topics: bool = True
    default_partitions: int = 1
    max_message_bytes: int = 1 << 20
    buffer_bytes: int = 32 << 20
    max_block_ms: int = 30_000
    batch_messages: int = 5000
    batch_bytes: int = 8 << 20
    max_in_flight: int = 5
    delivery_timeout: float = 30.0
    retry_backoff: float = 0.05
    tail_messages: int = 4096
    tail_bytes: int = 8 << 20
    read_cache_bytes: int = 16 << 20
    fetch_bytes: int = 16 << 20
    progress_interval: float = 1.0
    retention_check_interval: float = 300.0
    snapshot_interval: int = 10_000
    offsets_retention: float | None = None

    def __post_init__(self) -> None:
        """Refuse values that no system could work with."""
        if type(self.auto_create_topics) is not bool:
            raise TypeError(f"auto_create_topics is True or False, not {self.auto_create_topics!r}")
        for name in ("max_block_ms", "tail_messages", "tail_bytes", "read_cache_bytes", "snapshot_interval"):
            whole_number(name, getattr(self, name))
        for name in _AT_LEAST_ONE:
            whole_number(name, getattr(self, name), 1)
        if self.max_in_flight > REMEMBERED_BATCHES:
            raise ValueError(
                f"max_in_flight must be {REMEMBERED_BATCHES} or less, not {self.max_in_flight}: "
                "of batches further back a topic does not know that they are repeats"
            )
        for name in ("delivery_timeout", "retry_backoff", "progress_interval", "retention_check_interval"):
            seconds(name, getattr(self, name))
        seconds("max_block_ms / 1000", self.max_block_ms / 1000)
        if not self.retention_check_interval:
            raise ValueError("retention_check_interval must be more than 0 seconds, or topics would do nothing else")
        if self.offsets_retention is not None:
            seconds("offsets_retention", self.offsets_retention)


_AT_LEAST_ONE = (
    "default_partitions",
    "max_message_bytes",
    "buffer_bytes",
    "batch_messages",
    "batch_bytes",
    "max_in_flight",
    "fetch_bytes",
)
