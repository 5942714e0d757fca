"""Observes a recorded log: which units conversations touch, and what that says about boundaries.

A log proves which units a conversation touches, in which order, and which tags decisions have together. It proves an
upper bound for the time in which those units disagreed: all that belongs to the conversation was recorded between its
first and its last decision. Merges and splits are guesses, since reads are not in a log. Conflict rates are unknown,
since refused appends leave no trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import msgspec

from odradek_boundaries.errors import InvalidModel
from odradek_boundaries.observe.conversations import Conversations
from odradek_boundaries.observe.figures import Hop, KindFigures, Merge, Pattern, Split, TagUse, Together, UnitFigures
from odradek_boundaries.observe.guesses import merges, splits
from odradek_boundaries.observe.selection import has_type
from odradek_boundaries.observe.tags import Tags
from odradek_boundaries.observe.units import Units
from odradek_boundaries.read_sets import kind_of
from odradek_events.log.port import ReadableLog, check_log
from odradek_events.record import Commit
from odradek_events.schema.registry import Catalogue
from odradek_events.validation import check_function, items, whole_number

__all__ = ["Observation", "observe"]

_ROOM = 200_000
_CHUNK_EVENTS = 64


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What a log shows. `by` has the kinds of tags that name units; units are streams if it is empty.

    `unknown` counts the decisions without a correlation id, `mixed_commits` the commits with decisions of several
    conversations, `unreadable` the events whose tags are not known, because their type is not registered, and
    `closed_early` the conversations that were taken to be over before the end of the log, to save memory: one that went
    on later counts twice. `merges` and `splits` are guesses, and all other figures are facts.
    """

    by: tuple[str, ...]
    events: int
    commits: int
    decisions: int
    conversations: int
    unknown: int
    mixed_commits: int
    unreadable: int
    closed_early: int
    patterns: tuple[Pattern, ...]
    kinds: tuple[KindFigures, ...]
    units: tuple[UnitFigures, ...]
    hops: tuple[Hop, ...]
    tags: tuple[TagUse, ...]
    together: tuple[Together, ...]
    merges: tuple[Merge, ...]
    splits: tuple[Split, ...]


def observe(
    log: ReadableLog,
    *,
    by: Sequence[str] = (),
    types: Collection[str] = (),
    limit: int = 20,
    room: int = _ROOM,
    progress: Callable[[int], None] | None = None,
) -> Observation:
    """Read a log once, up to its current head, and return what it shows.

    Units are streams; with `by`, as in a Boundary, the first kind of tag in `by` that an event has names its unit. With
    `types`, other events are left out, and so are decisions without any of these. `Observation.units` has the `limit`
    busiest units. `room` bounds the open conversations and their units together. Calls `progress` from time
    to time with the last position read. Raises InvalidModel for a kind of tag that no registered type has.
    """
    check_log(log)
    by, types = tuple(items("by", by)), tuple(items("types", types))
    whole_number("limit", limit)
    whole_number("room", room, 1)
    check_function("progress", progress)
    _require_kinds(log.codec.catalogue, by)
    reading = _Reading(log.codec.catalogue, by, types, room)
    for commits in _chunks(log.commits(until=log.head().position, types=types, opaque=True)):
        for commit in commits:
            reading.add(commit)
        if progress is not None:
            progress(commits[-1].last_position)
    return reading.observation(by, limit)


def _chunks(commits: Iterable[Commit]) -> Iterator[list[Commit]]:
    """Yield small commits together: with commits of one event, all of it takes a seventh less than one by one."""
    chunk: list[Commit] = []
    size = 0
    for commit in commits:
        chunk.append(commit)
        size += len(commit.events)
        if size >= _CHUNK_EVENTS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


class _Reading:
    """A log while it is read."""

    def __init__(self, catalogue: Catalogue, by: tuple[str, ...], types: tuple[str, ...], room: int) -> None:
        self._units = Units(":" if by else "/")
        self._tags = Tags(self._units, catalogue, by)
        self._conversations = Conversations(self._units, room)
        self._is_wanted = has_type(catalogue, types) if types else None
        self._events = self._decisions = self._commits = self._mixed_commits = 0

    def add(self, commit: Commit) -> None:
        """Add the decisions of a commit, each to its conversation."""
        first, correlation_id, is_mixed = 0, None, False
        for decision in commit.metadata.decisions:
            last = first + decision.event_count
            events = commit.events[first:last]
            first = last
            if self._is_wanted is not None:
                events = list(filter(self._is_wanted, events))
            if events:
                is_mixed = is_mixed or correlation_id not in (None, decision.correlation_id)
                correlation_id = decision.correlation_id
                self._decisions += 1
                self._events += len(events)
                units = self._tags.add(commit.stream, events)
                self._conversations.add(decision, commit.metadata, units, len(events))
        self._commits += correlation_id is not None
        self._mixed_commits += is_mixed

    def observation(self, by: tuple[str, ...], limit: int) -> Observation:
        """Return what was read."""
        self._conversations.close()
        patterns, uses = self._conversations.patterns(), self._tags.uses()
        conversations: Counter[str] = Counter()
        for pattern in patterns:
            conversations.update(dict.fromkeys(pattern.kinds, pattern.conversations))
        units, hops = self._units.graph(limit)
        return Observation(
            by=by,
            events=self._events,
            commits=self._commits,
            decisions=self._decisions,
            conversations=sum(pattern.conversations for pattern in patterns),
            unknown=self._conversations.unknown,
            mixed_commits=self._mixed_commits,
            unreadable=self._tags.unreadable,
            closed_early=self._conversations.closed_early,
            patterns=patterns,
            kinds=self._units.kinds(self._tags.decisions(), conversations),
            units=units,
            hops=hops,
            tags=uses,
            together=self._tags.together(),
            merges=merges(patterns, self._conversations.meets_several),
            splits=splits(uses),
        )


def _require_kinds(catalogue: Catalogue, by: Sequence[str]) -> None:
    types = map(catalogue.by_class, catalogue.classes())
    known = sorted({kind_of(tag) for kind in types if kind is not None for tag in kind.templates})
    for name in by:
        if name not in known:
            raise InvalidModel(
                f"no registered event type has a tag '{name}:...'; use one of {', '.join(known) or 'none'}, or import "
                "the module that declares your types"
            )
