"""What can be read from a whole log: states, differences, lag, messages, traces.

`system_state` folds everything up to a position, `state_difference` compares two such states, `fold_check` says
whether a log can be folded and its snapshots are true, `lag` says how far consumers are behind; `topic_reader` and
`log_scans` read a topic's messages without folding; `message_trace` follows a message to its consumers. Imports the
aggregates and, as only `standalone` may too, the log's port. Start reading at `system_state`.
"""

from odradek_domain.replay.fold_check import FoldCheck, FoldFinding, StateClaim
from odradek_domain.replay.lag import MemberLag, PartitionLag, group_lags, partition_lags
from odradek_domain.replay.log_scans import OffsetsAtTime, finished, offsets_at_time, walk_messages
from odradek_domain.replay.message_trace import command_of, follow_messages, position_of, sender_of
from odradek_domain.replay.state_difference import Change, Fact, state_difference
from odradek_domain.replay.system_state import AggregateSnapshot, ReplayableLog, SystemState
from odradek_domain.replay.topic_reader import TopicOutline, TopicReader

__all__ = [
    "AggregateSnapshot",
    "Change",
    "Fact",
    "FoldCheck",
    "FoldFinding",
    "MemberLag",
    "OffsetsAtTime",
    "PartitionLag",
    "ReplayableLog",
    "StateClaim",
    "SystemState",
    "TopicOutline",
    "TopicReader",
    "command_of",
    "finished",
    "follow_messages",
    "group_lags",
    "offsets_at_time",
    "partition_lags",
    "position_of",
    "sender_of",
    "state_difference",
    "walk_messages",
]
