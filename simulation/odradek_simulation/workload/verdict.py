"""What must hold after a workload has run to its end without faults, and whether it does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec

from odradek_actors.client.replay_check import ReplayCheck
from odradek_domain.replay.system_state import SystemState
from odradek_domain.values.positions import TopicPartition
from odradek_simulation.workload.tally import ProducerTally, ReaderTally

__all__ = ["Invariant", "judge"]


class Invariant(msgspec.Struct, frozen=True):
    """Something that must hold; if it does not, `problem` is the first violation that was found."""

    name: str
    holds: bool
    problem: str = ""


def judge(
    topics: Collection[str],
    producers: Sequence[ProducerTally],
    readers: Sequence[ReaderTally],
    state: SystemState,
    replay: ReplayCheck,
) -> tuple[Invariant, ...]:
    """Judge a run that used these topics and no others: return each invariant, and whether it holds."""
    delivered = "every consumer got every message exactly once"
    if any(reader.may_repeat for reader in readers):
        delivered = "every group got every message at least once, every other consumer exactly once"
    return (
        _invariant("live == replay", _replay_problems(replay)),
        _invariant(
            "every acknowledged message has its own offset, without gaps", _offset_problems(topics, producers, state)
        ),
        _invariant(delivered, _delivery_problems(producers, readers)),
        _invariant("every message arrived as it was sent", _content_problems(producers, readers)),
        _invariant("every partition keeps the order of each producer", _order_problems(producers, readers)),
    )


def _invariant(name: str, problems: Iterator[str]) -> Invariant:
    first = next(problems, None)
    return Invariant(name, first is None, first or "")


def _replay_problems(replay: ReplayCheck) -> Iterator[str]:
    for stream in replay.mismatches:
        yield f"the live state of {stream} differs from its replayed events"
    if not replay.holds:
        yield f"the live digest is {replay.live_digest}, the replayed one {replay.replayed_digest}"


def _offset_problems(topics: Collection[str], producers: Sequence[ProducerTally], state: SystemState) -> Iterator[str]:
    given: dict[TopicPartition, list[int]] = {}
    for tally in producers:
        for place, offsets in tally.offsets.items():
            given.setdefault(place, []).extend(offsets)
    for topic in state.topics.values():
        if str(topic.name) not in topics:
            continue
        for partition in topic.partitions:
            offsets = sorted(given.pop(TopicPartition(str(topic.name), int(partition.id)), []))
            if offsets != list(range(partition.high_watermark)):
                yield (
                    f"{topic.name}/{int(partition.id)} ends at {partition.high_watermark} "
                    f"and acknowledged {len(offsets)} messages"
                )
    for place in given:
        yield f"{place} acknowledged messages and does not exist"


def _delivery_problems(producers: Sequence[ProducerTally], readers: Sequence[ReaderTally]) -> Iterator[str]:
    sent = sum(tally.acknowledged for tally in producers)
    for reader in readers:
        if reader.gap:
            yield f"{reader.name}: {reader.gap}"
        if reader.received != sent:
            yield f"{reader.name} got {reader.received} of {sent}"


def _content_problems(producers: Sequence[ProducerTally], readers: Sequence[ReaderTally]) -> Iterator[str]:
    sent = sum(tally.content for tally in producers)
    for reader in readers:
        if reader.content != sent:
            yield f"{reader.name} got other keys or values than were sent"


def _order_problems(producers: Sequence[ProducerTally], readers: Sequence[ReaderTally]) -> Iterator[str]:
    for producer in producers:
        for place, offsets in producer.offsets.items():
            if offsets != sorted(offsets):
                yield f"{producer.name} was given offsets out of order in {place}"
    for reader in readers:
        if reader.disorder:
            yield f"{reader.name}: {reader.disorder}"
