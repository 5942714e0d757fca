"""Plans a reset of a group's committed offsets before anything is changed.

The rules are those of Kafka's kafka-consumer-groups --reset-offsets: an offset outside the readable range is clamped to
its nearest end, and a time without a later message means the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from odradek_domain.errors import PartitionNotFound, TopicNotFound
from odradek_domain.group.errors import NothingToShift
from odradek_domain.topic.bounds import Bounds, TopicBounds
from odradek_domain.values.committed_offsets import CommittedOffset, OffsetToCommit
from odradek_domain.values.positions import Offset, TopicPartition
from odradek_events.validation import items, moment, plain_text, shown, whole_number

__all__ = [
    "PlannedReset",
    "ResetTarget",
    "ShiftBy",
    "checked_target",
    "plan_reset",
    "planned_offsets",
    "reset_reason",
    "wanted_partitions",
]

_EARLIEST = datetime.min.replace(tzinfo=UTC)


class ShiftBy(msgspec.Struct, frozen=True, gc=False):
    """Shift the committed offset by a number of messages; backwards if it is negative."""

    messages: int


ResetTarget = Literal["earliest", "latest"] | int | datetime | ShiftBy
"""The target of a reset: an end of each partition, an offset, the first message at or after a time, or a shift."""


class PlannedReset(msgspec.Struct, frozen=True, gc=False):
    """The effect of a reset on one partition: from `before` (None: no committed offset) to `after`.

    `wanted` is the requested offset; if it is outside the readable range, `after` is the nearest end of the range. It
    is None for a time without a later message.
    """

    topic: str
    partition: int
    topic_id: str
    before: int | None
    wanted: int | None
    after: int

    @property
    def is_clamped(self) -> bool:
        """Whether the requested offset was outside the readable range."""
        return self.wanted not in (None, self.after)


def checked_target(to: object, now: datetime) -> ResetTarget:
    """Check a reset target and return it; a timedelta becomes the time that long before `now`.

    Raises TypeError or ValueError for anything else, InvalidOffset for a negative offset.
    """
    match to:
        case bool():
            pass
        case "earliest" | "latest":
            return to
        case int():
            return int(Offset(whole_number("to", int(to), None)))
        case datetime():
            return moment("to", to)
        case timedelta():
            if to < timedelta():
                raise ValueError(f"the timedelta to go back must be 0 or more, not {shown(to)}")
            try:
                return now - to
            except OverflowError:  # before the year 1
                return _EARLIEST
        case ShiftBy(messages) if type(messages) is int:
            whole_number("messages", messages, None)
            return to
        case _:
            pass
    raise TypeError(
        "the reset target must be 'earliest', 'latest', an offset, an aware datetime, a timedelta back from now, or "
        f"ShiftBy(messages), not {shown(to)}"
    )


def wanted_partitions(places: Iterable[str | tuple[str, int]]) -> dict[str, tuple[int, ...] | None]:
    """Return the selected partitions by topic, None for all of them; both sorted.

    Raises TypeError for anything but a topic or a (topic, partition) pair.
    """
    partitions: dict[str, set[int] | None] = {}
    for place in items("places", places):
        match place:
            case str():
                partitions[plain_text(place)] = None
            case (str() as topic, int() as partition) if type(partition) is int:
                known = partitions.setdefault(plain_text(topic), set())
                if known is not None:
                    known.add(partition)
            case _:
                raise TypeError(f"use topics or (topic, partition) pairs, not {shown(place)}")
    return {topic: None if some is None else tuple(sorted(some)) for topic, some in sorted(partitions.items())}


def plan_reset(
    group: str,
    committed: Iterable[CommittedOffset],
    topics: Mapping[str, TopicBounds],
    wanted: Mapping[str, Sequence[int] | None],
    to: ResetTarget,
    at_time: Mapping[TopicPartition, int | None] | None = None,
) -> tuple[PlannedReset, ...]:
    """Plan a reset of these partitions, in order; `at_time` has the offsets that were found for a time.

    Raises TopicNotFound, PartitionNotFound, or NothingToShift for a shift without a committed offset.
    """
    known = {TopicPartition(item.topic, item.partition): item for item in committed}
    plan = []
    for name, numbers in wanted.items():
        topic = topics.get(name)
        if topic is None or topic.topic_id is None:
            raise TopicNotFound(name)
        for number in range(len(topic.partitions)) if numbers is None else numbers:
            if not 0 <= number < len(topic.partitions):
                raise PartitionNotFound(name, number, len(topic.partitions))
            place, bounds = TopicPartition(name, number), topic.partitions[number]
            item = known.get(place)
            before = item.offset if item is not None and item.topic_id == topic.topic_id else None
            offset = (at_time or {}).get(place) if isinstance(to, datetime) else _goal(group, place, bounds, before, to)
            after = bounds.high_watermark if offset is None else _clamped(offset, bounds)
            plan.append(PlannedReset(name, number, topic.topic_id, before, offset, after))
    return tuple(plan)


def planned_offsets(plan: Iterable[PlannedReset]) -> tuple[OffsetToCommit, ...]:
    """Return the offsets of a plan, even if unchanged: they may have moved by the time the plan is carried out."""
    return tuple(OffsetToCommit(item.topic, item.partition, item.topic_id, item.after) for item in plan)


def reset_reason(to: ResetTarget) -> str:
    """Return the reset target in words."""
    match to:
        case ShiftBy(messages):
            return f"shifted by {messages}"
        case datetime():
            return f"reset to {to.isoformat()}"
        case int():
            return f"reset to offset {to}"
        case _:
            return f"reset to {to}"


def _goal(
    group: str,
    place: TopicPartition,
    bounds: Bounds,
    before: int | None,
    to: Literal["earliest", "latest"] | int | ShiftBy,
) -> int:
    match to:
        case "earliest":
            return bounds.log_start_offset
        case "latest":
            return bounds.high_watermark
        case ShiftBy(messages):
            if before is None:
                raise NothingToShift(group, *place)
            return before + messages
        case _:
            return to


def _clamped(offset: int, bounds: Bounds) -> int:
    return min(max(offset, bounds.log_start_offset), bounds.high_watermark)
