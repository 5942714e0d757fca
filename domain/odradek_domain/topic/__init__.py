"""The Topic aggregate: partitions, the order of messages, retention.

`topic` is the aggregate, `appends` the command to append messages to it; `partition` holds messages and the producers'
sequences; `byte_index` indexes offsets by size; `retention` decides which messages a topic deletes; `bounds` describes
the readable offsets. Imports `values`, `aggregate`, `errors` and event types. Start reading at `topic`.
"""

from odradek_domain.topic.appends import AppendDecision, AppendMessages
from odradek_domain.topic.bounds import Bounds, PartitionBounds, TopicBounds, begin_offsets
from odradek_domain.topic.partition import REMEMBERED_BATCHES, Partition, PartitionSnapshot, TailLimit
from odradek_domain.topic.retention import (
    KEEP_ALL,
    InvalidRetention,
    Limit,
    RetentionPlan,
    RetentionPolicy,
    RetentionWalk,
    Walker,
)
from odradek_domain.topic.topic import Topic, TopicSnapshot

__all__ = [
    "KEEP_ALL",
    "REMEMBERED_BATCHES",
    "AppendDecision",
    "AppendMessages",
    "Bounds",
    "InvalidRetention",
    "Limit",
    "Partition",
    "PartitionBounds",
    "PartitionSnapshot",
    "RetentionPlan",
    "RetentionPolicy",
    "RetentionWalk",
    "TailLimit",
    "Topic",
    "TopicBounds",
    "TopicSnapshot",
    "Walker",
    "begin_offsets",
]
