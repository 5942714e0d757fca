"""The difference between two states, as facts by stream: a fact's name, and its values before and after.

A state is flattened to facts (`partition 0 high_watermark` = 12), which can be compared without knowing their meaning.
A deleted topic keeps its stream and its version, and loses its other facts. The facts of a user-defined aggregate are
those of its `snapshot()`, or else its public attributes; see `facts` in `odradek_events`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, assert_never

import msgspec

from odradek_domain.consumer.consumer import ConsumerSnapshot
from odradek_domain.group.member import GroupSnapshot
from odradek_domain.policy.progress import PolicySnapshot
from odradek_domain.producer.producer import ProducerSnapshot
from odradek_domain.replay.system_state import AggregateSnapshot, SystemState
from odradek_domain.topic.topic import TopicSnapshot
from odradek_events.facts import Facts, Incomparable, are_equal, named, public_facts_of
from odradek_events.validation import as_plain

__all__ = ["Change", "Fact", "facts_difference", "own_facts", "shown_facts", "state_difference", "state_facts"]

Fact = bool | int | float | str | None
_LARGEST = (1 << 63) - 1


class Change(msgspec.Struct, frozen=True):
    """A changed fact of a stream; None means that the fact does not exist."""

    stream: str
    fact: str
    before: Fact
    after: Fact


def state_difference(before: SystemState, after: SystemState) -> list[Change]:
    """Return the facts that differ between two states, by stream, versions first."""
    return facts_difference(state_facts(before), state_facts(after))


def facts_difference(old: Mapping[str, Facts], new: Mapping[str, Facts]) -> list[Change]:
    """Return the facts that differ, by stream."""
    return [
        Change(stream, fact, _shown(was), _shown(now))
        for stream in sorted(old.keys() | new.keys())
        for fact, was, now in _pairs(old.get(stream, {}), new.get(stream, {}))
        if not are_equal(was, now)
    ]


def state_facts(state: SystemState) -> dict[str, Facts]:
    """Return every stream's facts by name; streams that are not folded have only a version, and why folding failed."""
    facts: dict[str, Facts] = {stream: {"version": version} for stream, version in state.versions.items()}
    for stream, snapshot in state.snapshots().items():
        facts.setdefault(stream, {}).update(_facts(snapshot))
    for stream, aggregate in state.own_aggregates.items():
        facts[stream] |= own_facts(aggregate)
    for stream, failure in state.failures.items():
        facts[stream]["failure"] = failure.problem
    return facts


def own_facts(aggregate: object) -> Facts:
    """Return the facts of a user-defined aggregate; an Incomparable for what cannot be read or compared."""
    try:
        return public_facts_of(aggregate)
    except Exception as error:  # the user's code may raise anything
        return {"state": Incomparable("<unreadable>", f"reading the state of {named(aggregate)} raised {error!r}")}


def shown_facts(facts: Mapping[str, object]) -> dict[str, Fact]:
    """Return facts as values that can be printed."""
    return {name: _shown(value) for name, value in facts.items()}


def _shown(value: Any) -> Fact:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = str.__str__(value)
    elif (isinstance(value, int) and abs(value) <= _LARGEST) or (isinstance(value, float) and math.isfinite(value)):
        return as_plain(value)  # type: ignore[no-any-return]  # an int or a float
    else:
        text = _text(value)
    return text.encode(errors="backslashreplace").decode()


def _text(value: object) -> str:
    """Return the text of a value; only its class if that would be an address in memory."""
    if type(value).__repr__ is object.__repr__ and type(value).__str__ is object.__str__:
        return f"<{named(value)}>"
    try:
        return str(value)
    except Exception:  # the user's code may raise anything
        return f"<{named(value)}>"


def _pairs(old: Facts, new: Facts) -> Iterable[tuple[str, object, object]]:
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
        case PolicySnapshot():
            facts = {"position": snapshot.position, "stopped_at": snapshot.stopped_at, "reason": snapshot.reason}
            return [(name, value) for name, value in facts.items() if value not in (None, "")]
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
