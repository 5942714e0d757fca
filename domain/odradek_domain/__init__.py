"""The rules: command -> events (decide), event -> state (apply). Pure: no clock, no ids, no randomness, no threads.

`topic`, `producer`, `consumer`, `group` are the aggregates (on `aggregate`), `partition` and `message` their parts,
`offsets` the committed offsets, `assignors` the ways to share a group's partitions out, `names` and `positions` the
value objects, `partitioner` and `services` the rules between aggregates, `repositories` the model without actors,
`system_state` everything folded from a log. May import event types and the log's port. Start reading at `topic`.
"""

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

__all__ = [
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
