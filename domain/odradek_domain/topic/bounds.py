"""The bounds of partitions: the range of readable offsets.

Topics, the descriptions that actors send and the outlines read from a log all have bounds, so functions on bounds are
typed on the protocols `Bounds` and `TopicBounds`. `PartitionBounds` is an immutable copy of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from odradek_domain.errors import OffsetNotFound

__all__ = ["Bounds", "PartitionBounds", "TopicBounds", "begin_offsets"]


class Bounds(Protocol):
    """A partition with bounds: the first readable offset, and the offset of the next message."""

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
    """The bounds of a partition at one moment. Readable offsets are >= `log_start_offset` and < `high_watermark`.

    `high_watermark` is the offset of the next message.
    """

    id: int
    log_start_offset: int
    high_watermark: int


def begin_offsets(topic: str, partitions: Sequence[Bounds], offset: int) -> dict[int, int]:
    """Return the start offset of each partition to read a topic from `offset`, clamped to the partition's range.

    Raises OffsetNotFound if the offset is in no partition's range, which includes the high watermark.
    """
    if not any(part.log_start_offset <= offset <= part.high_watermark for part in partitions):
        start = min(part.log_start_offset for part in partitions)
        longest = max(partitions, key=lambda part: part.high_watermark)
        raise OffsetNotFound(topic, longest.id, offset, start, longest.high_watermark)
    return {part.id: min(max(offset, part.log_start_offset), part.high_watermark) for part in partitions}
