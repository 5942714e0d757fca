"""The bounds of partitions: which offsets can be read.

Topics, the descriptions that actors send and the outlines read from a log all have bounds, so the rules about them are
typed on the protocols `Bounds` and `TopicBounds`. `PartitionBounds` holds the bounds of one moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from odradek_domain.errors import OffsetNotFound

__all__ = ["Bounds", "PartitionBounds", "TopicBounds", "begin_offsets"]


class Bounds(Protocol):
    """A partition with bounds: `log_start_offset` is readable, `high_watermark` is the first offset that is not yet."""

    @property
    def id(self) -> int: ...
    @property
    def log_start_offset(self) -> int: ...
    @property
    def high_watermark(self) -> int: ...


class TopicBounds(Protocol):
    """A topic whose partitions have bounds; `topic_id` is None if the topic does not exist."""

    @property
    def topic_id(self) -> str | None: ...
    @property
    def partitions(self) -> Sequence[Bounds]: ...


class PartitionBounds(msgspec.Struct, frozen=True, gc=False):
    """The bounds of a partition at one moment: readable are `log_start_offset` up to, not including, `high_watermark`.

    `high_watermark` is the offset of the next message.
    """

    id: int
    log_start_offset: int
    high_watermark: int


def begin_offsets(topic: str, partitions: Sequence[Bounds], offset: int) -> dict[int, int]:
    """Return where to begin each partition to begin a topic at `offset`: there, or at the partition's nearest end.

    OffsetNotFound if no partition has the offset; the offset of the next message counts as one it has.
    """
    if not any(part.log_start_offset <= offset <= part.high_watermark for part in partitions):
        start = min(part.log_start_offset for part in partitions)
        longest = max(partitions, key=lambda part: part.high_watermark)
        raise OffsetNotFound(topic, longest.id, offset, start, longest.high_watermark)
    return {part.id: min(max(offset, part.log_start_offset), part.high_watermark) for part in partitions}
