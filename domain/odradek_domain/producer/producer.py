"""The Producer aggregate: identity, epoch, and number of acknowledged messages.

The client id is the identity. A new run, or a failed batch with an unknown outcome, starts a higher epoch, in which
sequence numbers restart at 0. Topics use it to fence late batches of older epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from odradek_domain.aggregate import Aggregate
from odradek_domain.errors import ProducerNotRegistered, TopicNotFound
from odradek_domain.producer.routing import MessageRoutingService
from odradek_domain.topic.topic import AppendMessages, Topic
from odradek_domain.values.message import Message
from odradek_domain.values.names import ProducerId
from odradek_events.types import ProducerEpochBumped, ProducerProgressed, ProducerRegistered

__all__ = ["Producer", "ProducerSnapshot"]


class ProducerSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A producer's state; `created_at` is None if it was never registered."""

    client_id: str
    version: int
    created_at: datetime | None
    epoch: int
    message_count: int
    counted_through: int
    transaction_id: str | None


class Producer(Aggregate):
    """A producer. `message_count` is the number of its messages up to log position `counted_through`.

    The partition for the next keyless batch is volatile: it is not rebuilt from the log.
    """

    __slots__ = (
        "_router",
        "client_id",
        "counted_through",
        "created_at",
        "epoch",
        "id",
        "message_count",
        "transaction_id",
    )

    def __init__(self, client_id: str) -> None:
        super().__init__()
        self.id = ProducerId(client_id)
        self.client_id = client_id
        self.created_at: datetime | None = None
        self.transaction_id: str | None = None
        self.epoch = -1
        self.message_count = 0
        self.counted_through = -1
        self._router = MessageRoutingService()

    def __repr__(self) -> str:
        counts = f"epoch={self.epoch} messages={self.message_count}"
        return f"<Producer {self.client_id!r} {counts} version={self.version}>"

    @property
    def is_registered(self) -> bool:
        """Whether it was ever registered."""
        return self.created_at is not None

    def register(self, at: datetime, transaction_id: str | None = None) -> list[ProducerRegistered]:
        """Decide to register; no event if it is registered already."""
        if self.is_registered:
            return []
        return [ProducerRegistered(str(self.id), self.client_id, 0, at, transaction_id)]

    def bump_epoch(self, at: datetime) -> ProducerEpochBumped:
        """Decide to start a new epoch."""
        self._require_registered()
        return ProducerEpochBumped(str(self.id), self.epoch + 1, at)

    def record_progress(self, message_count: int, counted_through: int, at: datetime) -> list[ProducerProgressed]:
        """Decide to record a total of `message_count` messages; no event unless that is more than before."""
        self._require_registered()
        if message_count <= self.message_count:
            return []
        return [ProducerProgressed(str(self.id), message_count, counted_through, at)]

    def send_message(self, topic: Topic, message: Message, partition: int | None = None) -> AppendMessages:
        """Return the command for `topic` to store one message."""
        return self.send_batch(topic, (message,), partition)

    def send_batch(self, topic: Topic, messages: Sequence[Message], partition: int | None = None) -> AppendMessages:
        """Return the command for `topic` to store these messages, all or none.

        The producer chooses partitions; only the topic assigns offsets. Without actors the messages have no sequence
        numbers.
        """
        self._require_registered()
        if topic.topic_id is None:
            raise TopicNotFound(topic.name)
        partitions = tuple(self._router.route_batch(messages, topic.name, topic.partition_count, partition))
        self._router.next_batch()
        return AppendMessages(tuple(messages), partitions, str(self.id), self.epoch, (), topic.topic_id)

    def _require_registered(self) -> None:
        if not self.is_registered:
            raise ProducerNotRegistered(self.client_id)

    def _registered(self, event: ProducerRegistered) -> None:
        self.created_at = event.timestamp
        self.epoch = event.epoch
        self.transaction_id = event.transaction_id

    def _epoch_bumped(self, event: ProducerEpochBumped) -> None:
        self.epoch = event.epoch

    def _progressed(self, event: ProducerProgressed) -> None:
        self.message_count = event.message_count
        self.counted_through = event.counted_through

    appliers = {
        ProducerRegistered: _registered,
        ProducerEpochBumped: _epoch_bumped,
        ProducerProgressed: _progressed,
    }

    def snapshot(self) -> ProducerSnapshot:
        """Return the current state."""
        return ProducerSnapshot(
            self.client_id,
            self.version,
            self.created_at,
            self.epoch,
            self.message_count,
            self.counted_through,
            self.transaction_id,
        )

    @classmethod
    def restore(cls, snapshot: ProducerSnapshot) -> Producer:
        """Rebuild from a snapshot."""
        producer = cls(snapshot.client_id)
        producer.version = snapshot.version
        producer.created_at = snapshot.created_at
        producer.epoch = snapshot.epoch
        producer.message_count = snapshot.message_count
        producer.counted_through = snapshot.counted_through
        producer.transaction_id = snapshot.transaction_id
        return producer
