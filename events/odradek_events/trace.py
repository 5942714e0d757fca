"""The causal tree of a conversation: the commands with one correlation id, their events, and what the events caused.

The log records a command as a decision: events of one commit, with a correlation and a causation id. The correlation id
is also the id of the command that started the conversation, a convention of Greg Young and KurrentDB. So a decision
belongs to that command (no causation id, or an unknown one), was requested on its behalf (causation id = correlation
id), or was caused by an event (causation id = event id).

A decision caused by an event is the work of another actor, or of a policy that reacted to the event. A policy's own
stream says which commands it sent, once it has recorded its progress.

There is no index of correlation ids: traces are rare, and every commit would pay for it. The search compares the bytes
of stored metadata and decodes only the commits that contain the id.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from odradek_events.errors import CorrelationIsAmbiguous, CorrelationNotFound
from odradek_events.log.port import ReadableLog, check_log
from odradek_events.record import CommitMetadata, Recorded, StoredCommit
from odradek_events.types import PolicyAdvanced
from odradek_events.validation import check_function, check_instance, whole_number

__all__ = ["Follow", "Trace", "TracedDecision", "TracedEvent", "trace", "trace_at"]

_AT_MOST = 1000
_NAMED = 3  # candidates in the message about an ambiguous prefix


class TracedEvent(msgspec.Struct, frozen=True):
    """An event, with the decisions that it caused; `followed_by` has later events about it, in any conversation."""

    recorded: Recorded
    caused: tuple[TracedDecision, ...] = ()
    followed_by: tuple[TracedEvent, ...] = ()


class TracedDecision(msgspec.Struct, frozen=True):
    """A command as the log recorded it: the stream and actor that decided, when, and the resulting events.

    `on_behalf` has the decisions that other actors took for this command rather than because of one of its events.
    `omitted` counts its own events beyond the limit. `policy` is the name of the policy that sent the command because
    of an event; empty if none did, or if that is not recorded yet.
    """

    stream: str
    actor: str
    recorded_at: datetime
    correlation_id: str
    causation_id: str
    events: tuple[TracedEvent, ...]
    on_behalf: tuple[TracedDecision, ...] = ()
    omitted: int = 0
    policy: str = ""

    @property
    def position(self) -> int:
        """The position of the first event."""
        return self.events[0].recorded.position


class Trace(msgspec.Struct, frozen=True):
    """The causal tree of a conversation, in the order of the log.

    `omitted` counts events beyond the limit. `asked` is the position of the requested event, which is never omitted, or
    None if a conversation was requested.
    """

    correlation_id: str
    decisions: tuple[TracedDecision, ...]
    event_count: int
    omitted: int = 0
    asked: int | None = None


Follow = Callable[[ReadableLog, Sequence[Recorded]], Mapping[int, tuple[TracedEvent, ...]]]
"""Finds later events about these events: position -> what followed. The log itself does not know such relations."""


def trace(
    log: ReadableLog,
    name: str,
    *,
    follow: Follow | None = None,
    limit: int = _AT_MOST,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """Return the conversation that `name` identifies: a correlation id, a unique prefix of one, or an event id.

    Reads the whole log up to its current head; memory use grows with the matches, at most `limit` events. Calls
    `progress` with the last position of each commit read. Events of unknown types appear as stored. Raises
    CorrelationNotFound or CorrelationIsAmbiguous.
    """
    _check(log, follow, limit, progress)
    check_instance("name", name, str, "a str")
    if not name:
        raise CorrelationNotFound(name)
    found = _searched(log, name, progress)
    if found.event is not None and name not in found.places:
        return trace_at(log, found.event, follow=follow, limit=limit, progress=progress)
    correlation_id = found.only()
    return _tree(log, correlation_id, map(log.commit_at, found.places[correlation_id]), follow, limit)


def trace_at(
    log: ReadableLog,
    position: int,
    *,
    follow: Follow | None = None,
    limit: int = _AT_MOST,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """Return the conversation of the event at `position`; without a correlation id, only the event's own decision.

    The limit never omits that event. Raises PositionBeyondHead if it does not exist. See `trace` for the rest.
    """
    _check(log, follow, limit, progress)
    stored = log.commit_at(position)
    correlation_id = _correlation_at(log.codec.metadata(stored), position - stored.first_position)
    if not correlation_id:
        return _tree(log, "", [stored], follow, limit, position)
    places = _searched(log, correlation_id, progress).places[correlation_id]
    return _tree(log, correlation_id, map(log.commit_at, places), follow, limit, position)


def _check(log: object, follow: object, limit: int, progress: object) -> None:
    check_log(log)
    check_function("follow", follow)
    whole_number("limit", limit)
    check_function("progress", progress)


def _searched(log: ReadableLog, name: str, progress: Callable[[int], None] | None) -> _Search:
    found = _Search(name)
    for stored in _with_progress(log.stored(until=log.head().position), progress):
        found.look_at(log, stored)
    return found


class _Search:
    """Finds a name in stored metadata; compares bytes first, since decoding a million commits would be too slow."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[str, list[int]] = {}  # correlation id -> first positions
        self.event: int | None = None
        commit_id, _, index = name.rpartition("/")
        self._commit_id = commit_id if index.isdecimal() and index.isascii() else ""
        self._index = int(index) if self._commit_id else 0
        self._beginning = _json(name)[:-1]
        self._commit = _json(self._commit_id)

    def look_at(self, log: ReadableLog, stored: StoredCommit) -> None:
        """Note the decisions and the event of this commit that have the name."""
        if self._beginning in stored.metadata:
            for decision in log.codec.metadata(stored).decisions:
                self._note(decision.correlation_id, stored.first_position)
        if self._commit_id and self._commit in stored.metadata:
            is_inside = self._index <= stored.last_position - stored.first_position
            if is_inside and log.codec.metadata(stored).commit_id == self._commit_id:
                self.event = stored.first_position + self._index

    def _note(self, correlation_id: str, position: int) -> None:
        if not correlation_id.startswith(self.name):
            return
        places = self.places.get(correlation_id)
        if places is None:
            if len(self.places) > _NAMED and correlation_id != self.name:
                return  # already ambiguous, unless an id equals the name
            places = self.places[correlation_id] = []
        if not places or places[-1] != position:
            places.append(position)

    def only(self) -> str:
        """Return the only matching correlation id."""
        if self.name in self.places:
            return self.name
        if not self.places:
            raise CorrelationNotFound(self.name)
        if len(self.places) > 1:
            raise CorrelationIsAmbiguous(self.name, list(self.places)[:_NAMED])
        return next(iter(self.places))


def _json(text: str) -> bytes:
    return msgspec.json.encode(text.encode(errors="replace").decode())


def _with_progress(commits: Iterable[StoredCommit], progress: Callable[[int], None] | None) -> Iterator[StoredCommit]:
    for stored in commits:
        yield stored
        if progress is not None:
            progress(stored.last_position)


def _correlation_at(metadata: CommitMetadata, index: int) -> str:
    for decision in metadata.decisions:
        if index < decision.event_count:
            return decision.correlation_id
        index -= decision.event_count
    return ""


# -- the tree ---------------------------------------------------------------------------------------------------------


_Taken = tuple[list[Recorded], int]  # a decision's events, and how many were omitted


def _tree(
    log: ReadableLog,
    correlation_id: str,
    commits: Iterable[StoredCommit],
    follow: Follow | None,
    limit: int,
    asked: int | None = None,
) -> Trace:
    taken: list[_Taken] = []
    count = omitted = 0
    for events in _decisions(log, correlation_id, commits, None if correlation_id else asked):
        kept = _kept(events, limit - count, asked)
        count += len(kept)
        omitted += len(events) - len(kept)
        if kept:
            taken.append((kept, len(events) - len(kept)))
    events_taken = list(itertools.chain.from_iterable(kept for kept, _ in taken))
    followed = {} if follow is None else follow(log, events_taken)
    policies = _policies(log, events_taken)
    return Trace(correlation_id, _grown(taken, correlation_id, followed, policies), count + omitted, omitted, asked)


def _policies(log: ReadableLog, events: Sequence[Recorded]) -> dict[tuple[int, str], str]:
    """Return the policy that sent a command because of one of these events, by the event's position and the stream."""
    if len({recorded.stream for recorded in events}) < 2:
        return {}
    return {
        (command.position, command.stream): recorded.event.policy
        for recorded in log.read(after=events[0].position, types=("PolicyAdvanced",), opaque=True)
        if isinstance(recorded.event, PolicyAdvanced)
        for command in recorded.event.commands
    }


def _kept(events: list[Recorded], room: int, asked: int | None) -> list[Recorded]:
    """Return the first `room` of these events, always including the requested one."""
    if asked is None or asked < events[0].position:
        return events[: max(0, room)]
    before, wanted = events[: max(0, room - 1)], asked - events[0].position
    if wanted < len(before):
        return events[:room]
    return before + events[wanted : wanted + 1]


def _decisions(
    log: ReadableLog, correlation_id: str, commits: Iterable[StoredCommit], position: int | None
) -> Iterator[list[Recorded]]:
    """Yield the events of each decision of the conversation; with `position`, only the decision that contains it."""
    for stored in commits:
        commit = log.codec.commit(stored, opaque=True)
        index = 0
        for decision in commit.metadata.decisions:
            indexes = range(index, min(index + decision.event_count, len(commit.events)))
            index += decision.event_count
            if decision.correlation_id != correlation_id:
                continue
            if position is not None and position - commit.first_position not in indexes:
                continue
            yield [
                Recorded(
                    commit.events[i],
                    commit.first_position + i,
                    commit.stream,
                    commit.first_version + i,
                    commit.metadata,
                    i,
                )
                for i in indexes
            ]


def _grown(
    found: Sequence[_Taken],
    correlation_id: str,
    followed: Mapping[int, tuple[TracedEvent, ...]],
    policies: Mapping[tuple[int, str], str],
) -> tuple[TracedDecision, ...]:
    """Return the decisions that no event of the trace caused, each with everything that it caused.

    A cause precedes its effects. Walking backwards, the effects of an event are complete when the walk reaches it. A
    causation id of a later event, or of none in the trace, is ignored.
    """
    positions = {event.metadata.event_id: event.position for events, _ in found for event in events}
    caused: dict[int, list[TracedDecision]] = {}
    roots: list[TracedDecision] = []
    on_behalf: list[TracedDecision] = []
    for events, omitted in reversed(found):
        first = events[0]
        metadata = first.metadata
        cause = positions.get(metadata.causation_id)
        decision = TracedDecision(
            first.stream,
            metadata.actor,
            metadata.recorded_at,
            metadata.correlation_id,
            metadata.causation_id,
            tuple(
                TracedEvent(item, tuple(reversed(caused.pop(item.position, []))), followed.get(item.position, ()))
                for item in events
            ),
            omitted=omitted,
            policy="" if cause is None else policies.get((cause, first.stream), ""),
        )
        if cause is not None and cause < first.position:
            caused.setdefault(cause, []).append(decision)
        elif correlation_id and metadata.causation_id == correlation_id:
            on_behalf.append(decision)
        else:
            roots.append(decision)
    return _with_their_own(roots[::-1], on_behalf[::-1])


def _with_their_own(roots: list[TracedDecision], on_behalf: list[TracedDecision]) -> tuple[TracedDecision, ...]:
    """Attach each decision on behalf of the first command to a decision of that command, which may have several.

    Prefer the next one in the same stream (a topic is created for the messages that follow), else the previous one.
    """
    if not roots:
        return tuple(on_behalf)
    given: dict[int, list[TracedDecision]] = {}
    for decision in on_behalf:
        given.setdefault(_owner(decision, roots), []).append(decision)
    return tuple(
        msgspec.structs.replace(root, on_behalf=tuple(given.get(number, ()))) for number, root in enumerate(roots)
    )


def _owner(decision: TracedDecision, roots: Sequence[TracedDecision]) -> int:
    before = 0
    for number, root in enumerate(roots):
        if root.position < decision.position:
            before = number
        elif root.stream == decision.stream:
            return number
    return before
