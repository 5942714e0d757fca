"""The rules: command -> events (decide), event -> state (apply). Pure: no clock, no ids, no randomness, no threads.

`topic`, `producer`, `consumer`, `group` are the aggregates (on `aggregate`), `partition` and `message` their parts,
`offsets` the committed offsets, `assignors` the ways to share a group's partitions out, `names` and `positions` the
value objects, `partitioner` and `services` the rules between aggregates, `repositories` the model without actors,
`system_state` everything folded from a log. May import event types and the log's port. Start reading at `topic`.
"""

from odradek_domain.consumer import Consumer
from odradek_domain.errors import DomainError
from odradek_domain.group import ConsumerGroup
from odradek_domain.message import Message
from odradek_domain.names import ConsumerId, GroupId, MessageId, ProducerId, TopicName
from odradek_domain.partition import Partition
from odradek_domain.positions import Offset, PartitionId, TopicPartition
from odradek_domain.producer import Producer
from odradek_domain.system_state import SystemState
from odradek_domain.topic import Topic

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
