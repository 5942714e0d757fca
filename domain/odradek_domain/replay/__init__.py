"""Reads whole logs: states, differences, lag, messages, traces.

`system_state` folds a log up to a position; `state_difference` compares two states; `fold_check` checks that a log can
be folded and that its snapshots match; `lag` computes consumer lag; `topic_reader` and `log_scans` read a topic's
messages without folding; `message_trace` follows a message to its consumers. Imports the aggregates and the log's port,
which besides it only `standalone` may import. Start reading at `system_state`.
"""

from odradek_domain.replay.fold_check import FoldCheck, FoldFinding, StateClaim
from odradek_domain.replay.lag import MemberLag, PartitionLag, group_lags, partition_lags
from odradek_domain.replay.log_scans import OffsetsAtTime, finished, offsets_at_time, walk_messages
from odradek_domain.replay.message_trace import command_of, follow_messages, position_of, sender_of
from odradek_domain.replay.state_difference import (
    Change,
    Fact,
    facts_difference,
    own_facts,
    shown_facts,
    state_difference,
    state_facts,
)
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
    "facts_difference",
    "finished",
    "follow_messages",
    "group_lags",
    "offsets_at_time",
    "own_facts",
    "partition_lags",
    "position_of",
    "sender_of",
    "shown_facts",
    "state_difference",
    "state_facts",
    "walk_messages",
]
