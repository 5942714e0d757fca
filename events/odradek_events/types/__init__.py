"""The catalogue of events: what can happen, in primitives.

An event carries what state needs to be rebuilt from the log alone. Names and fields are stored: a change of meaning is
a new version with an upcaster, never an edit. `timestamp` is when the thing happened by the clock of whoever decided
it (for a message: its create time); when the log recorded it is in the commit's metadata.

`topics`, `producers`, `consumers`, `groups` and `policies` each declare the events of one aggregate. They import
`schema` only. Start reading at `topics`.
"""

from odradek_events.types.consumers import (
    ConsumerRegistered,
    ConsumerResumed,
    ConsumerSubscribed,
    MessageConsumed,
    OffsetCommitted,
    OffsetReset,
    PartitionsAssigned,
    PartitionsRevoked,
    ResumedPosition,
)
from odradek_events.types.groups import (
    GenerationStarted,
    GroupAssigned,
    GroupDeleted,
    MemberAssignment,
    MemberJoined,
    MemberLeft,
    OffsetsExpired,
    RebalanceStarted,
    StaticMemberReplaced,
)
from odradek_events.types.policies import PolicyAdvanced, PolicyStopped, SentCommand
from odradek_events.types.producers import ProducerEpochBumped, ProducerProgressed, ProducerRegistered
from odradek_events.types.topics import (
    MessageProduced,
    PartitionsAdded,
    RecordsDeleted,
    TopicCreated,
    TopicDeleted,
    TopicRetentionSet,
)

__all__ = [
    "ConsumerRegistered",
    "ConsumerResumed",
    "ConsumerSubscribed",
    "GenerationStarted",
    "GroupAssigned",
    "GroupDeleted",
    "MemberAssignment",
    "MemberJoined",
    "MemberLeft",
    "MessageConsumed",
    "MessageProduced",
    "OffsetCommitted",
    "OffsetReset",
    "OffsetsExpired",
    "PartitionsAdded",
    "PartitionsAssigned",
    "PartitionsRevoked",
    "PolicyAdvanced",
    "PolicyStopped",
    "ProducerEpochBumped",
    "ProducerProgressed",
    "ProducerRegistered",
    "RebalanceStarted",
    "RecordsDeleted",
    "ResumedPosition",
    "SentCommand",
    "StaticMemberReplaced",
    "TopicCreated",
    "TopicDeleted",
    "TopicRetentionSet",
]
