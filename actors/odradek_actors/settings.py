"""Settings: the configuration of a system."""

from __future__ import annotations

import msgspec

from odradek_actors.validation import seconds, whole_number
from odradek_domain.topic.partition import REMEMBERED_BATCHES
from odradek_events.validation import shown

__all__ = ["Settings"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a system. Times are in seconds, or in milliseconds if the name ends in `_ms`.

    auto_create_topics     whether a send creates a missing topic, with `default_partitions`; if not, TopicNotFound
    default_partitions     number of partitions of a topic that a send creates
    max_message_bytes      maximum size of one message's key, value and headers together, where each header counts
                           16 bytes more; above it MessageTooLarge
    buffer_bytes           maximum unacknowledged bytes of one producer handle; when it is reached, `send` blocks
    max_block_ms           how long `send` blocks on a full buffer before it raises BufferFull
    batch_messages, batch_bytes     maximum size of one append; a single larger `send_batch` is appended on its own
    max_in_flight          maximum unacknowledged batches per producer and topic, 1 to 5: a topic recognises only
                           the last 5 batches as duplicates
    delivery_timeout       how long a send may stay unacknowledged before DeliveryTimedOut, with unknown outcome
    retry_backoff          delay before a batch is retried, and before an actor retries recovery
    tail_messages, tail_bytes       newest messages each partition keeps in memory; older ones are read from the log
    read_cache_bytes       size of the cache of recently read commits, in stored bytes; at least two commits are kept;
                           0 disables the cache
    fetch_bytes            maximum bytes of one delivery to a consumer; a single larger message is still delivered
    progress_interval      how often a producer records its number of acknowledged messages, and a policy its position
    retention_check_interval        how often a topic deletes messages beyond its retention limits
    snapshot_interval      events between two snapshots of an aggregate, more if its snapshots are large; 0 disables
                           snapshots
    offsets_retention      how long a group without members keeps its committed offsets after the last commit or
                           member; None keeps them
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
        """Reject values of the wrong type or out of range."""
        if type(self.auto_create_topics) is not bool:
            raise TypeError(f"auto_create_topics must be True or False, not {shown(self.auto_create_topics)}")
        for name in ("max_block_ms", "tail_messages", "tail_bytes", "read_cache_bytes", "snapshot_interval"):
            whole_number(name, getattr(self, name))
        for name in _AT_LEAST_ONE:
            whole_number(name, getattr(self, name), 1)
        if self.max_in_flight > REMEMBERED_BATCHES:
            raise ValueError(
                f"max_in_flight must be {REMEMBERED_BATCHES} or less, not {self.max_in_flight}: "
                f"a topic recognises only a producer's last {REMEMBERED_BATCHES} batches as duplicates"
            )
        for name in ("delivery_timeout", "retry_backoff", "progress_interval", "retention_check_interval"):
            seconds(name, getattr(self, name))
        seconds("max_block_ms / 1000", self.max_block_ms / 1000)
        if not self.retention_check_interval:
            raise ValueError("retention_check_interval must be more than 0 seconds, not 0")
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
