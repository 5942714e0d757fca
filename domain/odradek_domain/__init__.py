"""The rules: command -> events (decide), event -> state (apply). Pure: no clock, no ids, no randomness, no threads.

The packages in layers, each of which imports only those above it:

    errors                 the domain's errors
    aggregate  registry    the base class of the aggregates; those of users' own models, by stream type
    values                 names, ids, offsets, messages
    topic                  the Topic aggregate
    group                  the ConsumerGroup aggregate, and the partition assignors
    producer  consumer     the Producer and the Consumer aggregates
    policy                 the PolicyProgress aggregate
    replay  standalone     states folded from a log; the model without actors

May import event types, records and errors; `replay` and `standalone` may also import the log's port, and nothing here
imports a store. Start reading at `topic`. Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names

if TYPE_CHECKING:
    from odradek_domain.aggregate import Aggregate
    from odradek_domain.consumer.consumer import Consumer
    from odradek_domain.errors import DomainError
    from odradek_domain.group.group import ConsumerGroup
    from odradek_domain.producer.producer import Producer
    from odradek_domain.replay.system_state import SystemState
    from odradek_domain.topic.partition import Partition
    from odradek_domain.topic.topic import Topic
    from odradek_domain.values.message import Message
    from odradek_domain.values.names import ConsumerId, GroupId, MessageId, ProducerId, TopicName
    from odradek_domain.values.positions import Offset, PartitionId, TopicPartition
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        "errors",
        "aggregate",
        "values.names",
        "values.positions",
        "values.message",
        "topic.partition",
        "topic.topic",
        "producer.producer",
        "group.group",
        "consumer.consumer",
        "replay.system_state",
    )

__all__ = [
    "Aggregate",
    "Consumer",
    "ConsumerGroup",
    "ConsumerId",
    "DomainError",
    "GroupId",
    "Message",
    "MessageId",
    "Offset",
    "Partition",
    "PartitionId",
    "Producer",
    "ProducerId",
    "SystemState",
    "Topic",
    "TopicName",
    "TopicPartition",
]
