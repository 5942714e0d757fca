"""The difference between two states, as facts by stream: a fact's name, and its values before and after.

A state is flattened to facts (`partition 0 high_watermark` = 12), which can be compared without knowing their meaning.
A deleted topic keeps its stream and its version, and loses its other facts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec

from odradek_domain.consumer.consumer import ConsumerSnapshot
from odradek_domain.group.member import GroupSnapshot
from odradek_domain.producer.producer import ProducerSnapshot
from odradek_domain.replay.system_state import AggregateSnapshot, SystemState
from odradek_domain.topic.topic import TopicSnapshot

__all__ = ["Change", "Fact", "state_difference", "state_facts"]

Fact = int | str | None


class Change(msgspec.Struct, frozen=True):
    """A changed fact of a stream; None means that the fact does not exist."""

    stream: str
    fact: str
    before: Fact
    after: Fact


def state_difference(before: SystemState, after: SystemState) -> list[Change]:
    """Return the facts that differ between two states, by stream, versions first."""
    old, new = state_facts(before), state_facts(after)
    return [
        Change(stream, fact, was, now)
        for stream in sorted(old.keys() | new.keys())
        for fact, was, now in _pairs(old.get(stream, {}), new.get(stream, {}))
        if was != now
    ]


def state_facts(state: SystemState) -> dict[str, dict[str, Fact]]:
    """Return every stream's facts by name; streams of user-defined types have only a version."""
    facts: dict[str, dict[str, Fact]] = {stream: {"version": version} for stream, version in state.versions.items()}
    for stream, snapshot in state.snapshots().items():
        facts.setdefault(stream, {}).update(_facts(snapshot))
    return facts


def _pairs(old: dict[str, Fact], new: dict[str, Fact]) -> Iterable[tuple[str, Fact, Fact]]:
    for fact in [*old, *(fact for fact in new if fact not in old)]:
        yield fact, old.get(fact), new.get(fact)


def _facts(snapshot: AggregateSnapshot) -> Iterable[tuple[str, Fact]]:
    match snapshot:
        case TopicSnapshot():
            return _topic_facts(snapshot)
        case ProducerSnapshot():
            return [("epoch", snapshot.epoch), ("message_count", snapshot.message_count)]
        case ConsumerSnapshot():
            return _consumer_facts(snapshot)
        case GroupSnapshot():
            return _group_facts(snapshot)
        case _:
            assert_never(snapshot)


def _topic_facts(topic: TopicSnapshot) -> Iterable[tuple[str, Fact]]:
    if topic.topic_id is None:
        return
    yield "topic_id", topic.topic_id
    yield "partitions", len(topic.partitions)
    yield "retention_ms", topic.retention.retention_ms
    yield "retention_bytes", topic.retention.retention_bytes
    for partition in topic.partitions:
        yield f"partition {partition.id} log_start_offset", partition.log_start_offset
        yield f"partition {partition.id} high_watermark", partition.high_watermark
        yield f"partition {partition.id} checksum", " ".join(f"{part:08x}" for part in partition.checksums)


def _consumer_facts(consumer: ConsumerSnapshot) -> Iterable[tuple[str, Fact]]:
    yield "group", consumer.group_id
    yield "subscriptions", ", ".join(consumer.subscriptions)
    if consumer.pattern is not None:
        yield "pattern", consumer.pattern
    if consumer.assignment is not None:
        yield "assignment", ", ".join(map(str, consumer.assignment))
    for position in consumer.positions:
        yield f"position {position.topic}/{position.partition}", position.offset
    for committed in consumer.committed:
        yield f"committed {committed.topic}/{committed.partition}", committed.offset


def _group_facts(group: GroupSnapshot) -> Iterable[tuple[str, Fact]]:
    yield "state", group.state.value
    yield "generation", group.generation
    for member in group.members:
        yield f"member {member.member_id}", ", ".join(f"{topic}/{number}" for topic, number in member.partitions)
    for committed in group.committed:
        yield f"committed {committed.topic}/{committed.partition}", committed.offset
