"""The command to append messages to a topic, and the decision on it."""

from __future__ import annotations

import msgspec

from odradek_domain.values.message import Message
from odradek_events.types import MessageProduced

__all__ = ["AppendDecision", "AppendMessages"]


class AppendMessages(msgspec.Struct, frozen=True, gc=False):
    """The command to store messages, each in the partition at the same index, all or none.

    `base_sequences` has the sequence number of the first message for each partition. Without it the messages have no
    sequence numbers, and a duplicate is stored again. With `topic_id` None the command is for the current topic of that
    name. `size_bytes` lets the topic's actor limit the size of a commit.
    """

    messages: tuple[Message, ...]
    partitions: tuple[int, ...]
    producer_id: str
    producer_epoch: int = 0
    base_sequences: tuple[tuple[int, int], ...] = ()
    topic_id: str | None = None
    size_bytes: int = 0


class AppendDecision(msgspec.Struct, frozen=True, gc=False):
    """The decision on an AppendMessages: offsets in the order of its messages, and events (none for a duplicate)."""

    offsets: list[int]
    events: list[MessageProduced]
    is_duplicate: bool = False
