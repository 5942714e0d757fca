"""Checks of groups and consumers in a log: membership, owners, commits. Part of `invariants`.

It follows the events alone and asks no aggregate: a wrong `apply` must not hide a wrong `decide`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from odradek_domain.replay.system_state import SystemState
from odradek_events.types import (
    ConsumerRegistered,
    ConsumerResumed,
    ConsumerSubscribed,
    GenerationStarted,
    GroupAssigned,
    GroupDeleted,
    MemberJoined,
    MemberLeft,
    MessageConsumed,
    OffsetCommitted,
    OffsetReset,
    OffsetsExpired,
    PartitionsAssigned,
    PartitionsRevoked,
    StaticMemberReplaced,
)

__all__ = ["GroupCheck"]

_Place = tuple[str, int]
_Takers = dict[tuple[str, _Place], tuple[int, str]]  # (group, partition) -> the generation, and who took it in that
_Problem = tuple[str, str]  # the name of the check, and one sentence
_Rule = Callable[[Any, Any], Iterable[_Problem]]


class GroupCheck:
    """Follows the streams of groups and consumers. `state` is the state that the caller folds from the same log."""

    def __init__(self, state: SystemState) -> None:
        self._state = state
        self._groups: dict[str, _Group] = {}
        self._consumers: dict[str, _Consumer] = {}
        self._takers: _Takers = {}

    def add(self, stream: str, events: Iterable[Any]) -> Iterator[_Problem]:
        """Yield what is wrong with the next events of a stream."""
        kind, _, name = stream.partition("/")
        if kind == "group":
            group = self._groups.get(name)
            if group is None:
                group = self._groups[name] = _Group(name, self._state, self._takers)
            follower: _Group | _Consumer = group
        elif kind == "consumer":
            consumer = self._consumers.get(name)
            if consumer is None:
                consumer = self._consumers[name] = _Consumer(name, self._state, self._takers)
            follower = consumer
        else:
            return
        rules: dict[type[Any], _Rule] = follower.rules
        for event in events:
            rule = rules.get(type(event))
            if rule is not None:
                yield from rule(follower, event)


class _Commits:
    """The committed offsets of one owner."""

    def __init__(self, owner: str, state: SystemState) -> None:
        self._owner = owner
        self._state = state
        self._offsets: dict[_Place, tuple[str, int]] = {}  # topic id and offset

    def commit(self, event: OffsetCommitted | OffsetReset) -> Iterator[_Problem]:
        place = event.topic, event.partition
        topic_id, before = self._offsets.get(place, (event.topic_id, 0))
        falls_on_purpose = isinstance(event, OffsetReset) or event.is_reset
        if event.topic_id == topic_id and event.offset < before and not falls_on_purpose:
            yield (
                "commit-backwards",
                f"the committed offset of {self._owner} for {_text(place)} fell from {before} to {event.offset} "
                "without a reset",
            )
        end = self._end(event)
        if event.offset > end:
            yield (
                "commit-beyond-end",
                f"{self._owner} committed offset {event.offset} of {_text(place)}, which ends at {end}",
            )
        self._offsets[place] = event.topic_id, event.offset

    def forget(self, places: Iterable[_Place]) -> None:
        for place in places:
            self._offsets.pop(place, None)

    def clear(self) -> None:
        self._offsets.clear()

    def _end(self, event: OffsetCommitted | OffsetReset) -> float:
        """Return the partition's high watermark now; infinity for a topic that was deleted since."""
        topic = self._state.topic_of(f"topic/{event.topic}")
        if topic is None or topic.topic_id != event.topic_id:
            return float("inf")
        partition = topic.get_partition(event.partition)
        return 0 if partition is None else partition.high_watermark


class _Group:
    """One group, by the events in its stream."""

    def __init__(self, name: str, state: SystemState, takers: _Takers) -> None:
        self._name = name
        self._generation = 0
        self._takers = takers
        self._consumers: dict[str, str] = {}  # of each member
        self._owners: dict[_Place, str] = {}  # the consumer to which a partition was last assigned
        self._is_opaque = False  # the leader's bytes say who owns what
        self._commits = _Commits(f"group/{name}", state)

    def _joined(self, event: MemberJoined) -> Iterable[_Problem]:
        self._consumers[event.member_id] = event.consumer_id
        return ()

    def _replaced(self, event: StaticMemberReplaced) -> Iterable[_Problem]:
        former = self._consumers.pop(event.old_member_id, None)
        if former is None:
            yield "membership", f"{event.old_member_id}, not a member of group {self._name}, was replaced"
        self._consumers[event.member_id] = event.consumer_id
        for place, owner in self._owners.items():
            if owner == former:
                self._owners[place] = event.consumer_id
                self._takers.pop((self._name, place), None)  # it takes it again, in the same generation

    def _left(self, event: MemberLeft) -> Iterable[_Problem]:
        if self._consumers.pop(event.member_id, None) is None:
            yield "membership", f"{event.member_id}, not a member of group {self._name}, left it"

    def _generation_started(self, event: GenerationStarted) -> Iterable[_Problem]:
        if event.generation != self._generation + 1:
            yield "membership", f"group {self._name} began generation {event.generation} after {self._generation}"
        if sorted(event.members) != sorted(self._consumers):
            yield (
                "membership",
                f"generation {event.generation} of group {self._name} began with the members {sorted(event.members)}, "
                f"but it has {sorted(self._consumers)}",
            )
        self._generation = event.generation

    def _assigned(self, event: GroupAssigned) -> Iterable[_Problem]:
        if event.generation != self._generation:
            yield (
                "membership",
                f"group {self._name} assigned partitions for generation {event.generation} in {self._generation}",
            )
        owners: dict[_Place, str] = {}
        for given in event.assignments:
            for place in given.partitions:
                if place in owners:
                    yield (
                        "two-owners",
                        f"group {self._name} assigned {_text(place)} to two members in generation {event.generation}",
                    )
                owners[place] = self._consumers.get(given.member_id, "")
        self._owners.update(owners)  # a withheld partition keeps its owner, which may commit until it revokes it
        self._is_opaque = any(given.opaque for given in event.assignments)

    def _committed(self, event: OffsetCommitted) -> Iterable[_Problem]:
        yield from self._commits.commit(event)
        if not self._consumers or self._is_opaque or event.consumer_id is None:
            return  # a group without members takes commits of consumers that chose their partitions themselves
        place = event.topic, event.partition
        if event.consumer_id not in self._consumers.values() or self._owners.get(place) != event.consumer_id:
            yield (
                "commit-by-other",
                f"{event.consumer_id} committed {_text(place)} to group {self._name}, which had assigned it to "
                f"{self._owners.get(place, 'no member')}",
            )

    def _reset(self, event: OffsetReset) -> Iterable[_Problem]:
        return self._commits.commit(event)

    def _expired(self, event: OffsetsExpired) -> Iterable[_Problem]:
        self._commits.forget(event.partitions)
        return ()

    def _deleted(self, _: GroupDeleted) -> Iterable[_Problem]:
        self._commits.clear()
        self._consumers.clear()
        return ()

    rules: dict[type[Any], _Rule] = {
        MemberJoined: _joined,
        StaticMemberReplaced: _replaced,
        MemberLeft: _left,
        GenerationStarted: _generation_started,
        GroupAssigned: _assigned,
        OffsetCommitted: _committed,
        OffsetReset: _reset,
        OffsetsExpired: _expired,
        GroupDeleted: _deleted,
    }


class _Consumer:
    """One consumer, by the events in its stream."""

    def __init__(self, name: str, state: SystemState, takers: _Takers) -> None:
        self._name = name
        self._group: str | None = None
        self._share: set[_Place] | None = None  # None: whatever it subscribed to
        self._takers = takers
        self._commits = _Commits(f"consumer/{name}", state)

    def _registered(self, event: ConsumerRegistered) -> Iterable[_Problem]:
        self._group = event.group_id
        return self._begin()

    def _begin(self, _: ConsumerResumed | None = None) -> Iterable[_Problem]:
        self._share = None if self._group is None else set()
        return ()

    def _subscribed(self, event: ConsumerSubscribed) -> Iterable[_Problem]:
        return self._begin() if not event.topics and event.pattern is None else ()

    def _assigned(self, event: PartitionsAssigned) -> Iterable[_Problem]:
        if event.is_manual:
            self._share = {*event.partitions}
            return
        self._share = {*(self._share or ()), *event.partitions}
        for place in event.partitions:
            key = self._group or "", place
            generation, taker = self._takers.get(key, (-1, ""))
            if generation == event.generation and taker != self._name:
                yield (
                    "two-owners",
                    f"{self._name} took {_text(place)} in generation {generation} of group {self._group}, in which "
                    f"{taker} had taken it",
                )
            self._takers[key] = event.generation, self._name

    def _revoked(self, event: PartitionsRevoked) -> Iterable[_Problem]:
        self._share = {*(self._share or ())}.difference(event.partitions)
        return ()

    def _consumed(self, event: MessageConsumed) -> Iterable[_Problem]:
        if self._share is not None and (event.topic, event.partition) not in self._share:
            yield (
                "read-of-other",
                f"{self._name} was given offset {event.offset} of {event.topic}/{event.partition}, which it does not "
                "own",
            )

    def _committed(self, event: OffsetCommitted) -> Iterable[_Problem]:
        return self._commits.commit(event)

    rules: dict[type[Any], _Rule] = {
        ConsumerRegistered: _registered,
        ConsumerResumed: _begin,
        ConsumerSubscribed: _subscribed,
        PartitionsAssigned: _assigned,
        PartitionsRevoked: _revoked,
        MessageConsumed: _consumed,
        OffsetCommitted: _committed,
    }


def _text(place: _Place) -> str:
    return f"{place[0]}/{place[1]}"
