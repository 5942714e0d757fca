"""Checkers of a group's history: pure functions over the events of a log that return the anomalies as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from odradek_events.record import Recorded
from odradek_events.types import (
    ConsumerResumed,
    GenerationStarted,
    GroupAssigned,
    MemberJoined,
    MemberLeft,
    MessageConsumed,
    MessageProduced,
    OffsetCommitted,
    PartitionsAssigned,
    PartitionsRevoked,
    StaticMemberReplaced,
)

__all__ = ["group_anomalies"]

Place = tuple[str, int]


class _Group:
    """The state of a group, folded from its stream."""

    def __init__(self) -> None:
        self.generation = 0
        self.consumers: dict[str, str] = {}  # of each member
        self.owners: dict[Place, str] = {}  # consumer by partition, in the newest share-out
        self.committed: dict[Place, int] = {}  # in this generation


def group_anomalies(history: Iterable[Recorded]) -> list[str]:
    """Return a group's anomalies: two owners; commits backwards, beyond the end or by others; reads by others."""
    groups: dict[str, _Group] = {}
    shares: dict[str, set[Place]] = {}
    ends: dict[Place, int] = {}
    wrong: list[str] = []
    for recorded in history:
        event, stream = recorded.event, recorded.stream
        if isinstance(event, MessageProduced):
            ends[event.topic, event.partition] = event.offset + 1
        elif stream.startswith("group/"):
            found = _judge_group(groups.setdefault(stream, _Group()), event, ends)
            wrong += [f"{recorded.position}: {stream}: {what}" for what in found]
        elif stream.startswith("consumer/"):
            found = _judge_consumer(shares, stream, event)
            wrong += [f"{recorded.position}: {stream}: {what}" for what in found]
    return wrong


def _judge_group(group: _Group, event: Any, ends: dict[Place, int]) -> Iterable[str]:
    match event:
        case MemberJoined(member_id=member, consumer_id=consumer):
            group.consumers[member] = consumer
        case StaticMemberReplaced(old_member_id=old, member_id=member, consumer_id=consumer):
            former = group.consumers.pop(old, None)
            if former is None:
                yield f"{old} was replaced, and was no member"
            group.consumers[member] = consumer
            group.owners = {place: consumer if owner == former else owner for place, owner in group.owners.items()}
        case MemberLeft(member_id=member):
            if group.consumers.pop(member, None) is None:
                yield f"{member} left, and was no member"
        case GenerationStarted(generation=generation, members=members):
            if generation != group.generation + 1:
                yield f"generation {generation} after {group.generation}"
            if sorted(members) != sorted(group.consumers):
                yield f"generation {generation} of other members than there are"
            group.generation = generation
            group.committed.clear()
        case GroupAssigned():
            yield from _judge_shares(group, event)
        case OffsetCommitted():
            yield from _judge_commit(group, event, ends)
        case _:
            pass


def _judge_shares(group: _Group, event: GroupAssigned) -> Iterable[str]:
    if event.generation != group.generation:
        yield f"shares of generation {event.generation} in {group.generation}"
    owners: dict[Place, str] = {}
    for given in event.assignments:
        for place in given.partitions:
            if place in owners:
                yield f"two-owners: {place} in generation {event.generation}"
            owners[place] = group.consumers.get(given.member_id, "")
    group.owners.update(owners)  # a withheld partition keeps its owner, which may commit it until it revokes it


def _judge_commit(group: _Group, event: OffsetCommitted, ends: dict[Place, int]) -> Iterable[str]:
    place = event.topic, event.partition
    if event.offset < group.committed.get(place, 0):
        yield f"commit-backwards: {place} from {group.committed[place]} to {event.offset}"
    if event.offset > ends.get(place, 0):
        yield f"commit-beyond-end: {place} {event.offset} of {ends.get(place, 0)}"
    if group.owners.get(place) != event.consumer_id:
        yield f"commit-by-other: {place} of {group.owners.get(place)} by {event.consumer_id}"
    group.committed[place] = event.offset


def _judge_consumer(shares: dict[str, set[Place]], stream: str, event: Any) -> Iterable[str]:
    share = shares.setdefault(stream, set())
    match event:
        case ConsumerResumed():
            share.clear()
        case PartitionsAssigned(partitions=partitions):
            share.update(partitions)
        case PartitionsRevoked(partitions=partitions):
            share.difference_update(partitions)
        case MessageConsumed(topic=topic, partition=partition):
            if (topic, partition) not in share:
                yield f"read-of-other: {topic}/{partition}"
        case _:
            pass
