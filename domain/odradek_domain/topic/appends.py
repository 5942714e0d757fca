"""The command to append messages to a topic, and what is decided on it."""

from __future__ import annotations

import msgspec

from odradek_domain.values.message import Message
from odradek_events.types import MessageProduced

__all__ = ["AppendDecision", "AppendMessages"]


class AppendMessages(msgspec.Struct, frozen=True, gc=False):
    """The command to store messages, each in the partition at the same index, all or none.

    `base_sequences` gives for each partition the sequence of its first message in this command; without it the messages
    are not numbered and a repeat is stored again. `topic_id` None means: whatever topic has the name now. `size_bytes`
    is for those who bound what they gather.
    """

    messages: tuple[Message, ...]
    partitions: tuple[int, ...]
    producer_id: str
    producer_epoch: int = 0
    base_sequences: tuple[tuple[int, int], ...] = ()
    topic_id: str | None = None
    size_bytes: int = 0


class AppendDecision(msgspec.Struct, frozen=True, gc=False):
    """What became of an AppendMessages: offsets in the order of its messages, and the events, none for a repeat."""

    offsets: list[int]
    events: list[MessageProduced]
    is_duplicate: bool = False
