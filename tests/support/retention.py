"""Retention without actors: messages of given sizes and times, and walks over them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from odradek_domain.topic.retention import RetentionPlan, Walker
from odradek_domain.topic.topic import Topic
from odradek_events.types import MessageProduced, RecordsDeleted
from support.domain import NOON

__all__ = ["apply_retention", "ends_of", "stored"]

_BYTES = bytes(2 << 20)


def stored(offset: int, *, size: int = 1, at: datetime = NOON, partition: int = 0) -> MessageProduced:
    """Return the event of a stored message with this size and timestamp."""
    return MessageProduced("orders", partition, offset, f"m{offset}", "p", 0, -1, at, None, _BYTES[:size])


def ends_of(plan: RetentionPlan, messages: Sequence[MessageProduced]) -> list[int]:
    """Walk according to a plan; return where the walks ended."""
    ends = []
    for walk in plan.walks:
        walker = Walker(walk)
        for message in messages:
            if (message.partition, message.offset) == (walk.partition, walker.offset) and not walker.passes(message):
                break
        ends.append(walker.offset)
    return ends


def apply_retention(topic: Topic, messages: Sequence[MessageProduced], now: datetime) -> list[RecordsDeleted]:
    """Apply a topic's limits; return the decided events."""
    plan = topic.plan_retention(now)
    events = topic.apply_retention(plan, ends_of(plan, messages), now)
    topic.apply_all(events)
    return events
