"""Values: names, ids, offsets, partitions, messages and committed offsets; checked when they are created.

`names` and `positions` are subclasses of str and int; `message` is a message with or without an offset;
`committed_offsets` holds the committed offsets of a consumer or group; `topic_pattern` matches topic names. Imports
`errors` and event types. Start reading at `positions`.
"""

from odradek_domain.values.committed_offsets import CommittedOffset, CommittedOffsets, OffsetToCommit
from odradek_domain.values.message import HEADER_OVERHEAD, Headers, Message, checked_headers, message_size
from odradek_domain.values.names import ConsumerId, GroupId, MessageId, ProducerId, TopicName
from odradek_domain.values.positions import Offset, PartitionId, TopicPartition, plain
from odradek_domain.values.topic_pattern import check_pattern, matches, pattern_problem

__all__ = [
    "HEADER_OVERHEAD",
    "CommittedOffset",
    "CommittedOffsets",
    "ConsumerId",
    "GroupId",
    "Headers",
    "Message",
    "MessageId",
    "Offset",
    "OffsetToCommit",
    "PartitionId",
    "ProducerId",
    "TopicName",
    "TopicPartition",
    "check_pattern",
    "checked_headers",
    "matches",
    "message_size",
    "pattern_problem",
    "plain",
]
