"""Statistics of a log: events by type, streams by size, commits, times. Decodes only commits of several types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

import msgspec

from odradek_events.log.port import ReadableLog
from odradek_events.record import type_name

__all__ = ["LogStatistics", "StreamSize", "log_statistics"]


class StreamSize(msgspec.Struct, frozen=True):
    """The size of one stream."""

    stream: str
    events: int
    event_bytes: int


class LogStatistics(msgspec.Struct, frozen=True):
    """The statistics of a log. Sizes are those of the events' JSON without metadata; counts are in descending order."""

    position: int
    commits: int
    events: int
    event_bytes: int
    streams: int
    first_recorded_at: datetime | None
    last_recorded_at: datetime | None
    events_by_type: dict[str, int]
    events_by_stream_type: dict[str, int]
    biggest_streams: tuple[StreamSize, ...]
    largest_commit: int

    @property
    def events_per_commit(self) -> float:
        """The average number of events per commit."""
        return self.events / self.commits if self.commits else 0.0


def log_statistics(
    log: ReadableLog, *, biggest: int = 10, progress: Callable[[int], None] | None = None
) -> LogStatistics:
    """Read the whole log once. Calls `progress` with the last position of each commit."""
    types: Counter[str] = Counter()
    events_of: Counter[str] = Counter()
    bytes_of: Counter[str] = Counter()
    current_name = log.codec.catalogue.current_name
    head = log.head().position
    commits = largest = 0
    first: datetime | None = None
    last: datetime | None = None
    for stored in log.stored(until=head):
        metadata = log.codec.metadata(stored)
        count = stored.last_position - stored.first_position + 1
        commits += 1
        largest = max(largest, count)
        first, last = first or metadata.recorded_at, metadata.recorded_at
        events_of[stored.stream] += count
        bytes_of[stored.stream] += len(stored.events)
        if len(metadata.types) == 1:
            types[current_name(metadata.types[0][0])] += count
        else:
            events = log.codec.commit(stored, opaque=True).events
            types.update(current_name(type_name(item)) for item in events)
        if progress is not None:
            progress(stored.last_position)
    kinds: Counter[str] = Counter()
    for stream, count in events_of.items():
        kinds[stream.partition("/")[0]] += count
    ranked = sorted(bytes_of.items(), key=lambda item: (-item[1], item[0]))[:biggest]
    return LogStatistics(
        head,
        commits,
        events_of.total(),
        bytes_of.total(),
        len(events_of),
        first,
        last,
        dict(types.most_common()),
        dict(kinds.most_common()),
        tuple(StreamSize(stream, events_of[stream], size) for stream, size in ranked),
        largest,
    )
