"""What must hold after a simulation without faults, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from odradek_actors.client.replay_check import ReplayCheck
from odradek_domain.replay.system_state import SystemState
from odradek_domain.values.positions import TopicPartition
from odradek_simulation.workload.group_run import GroupTally
from odradek_simulation.workload.run import ProducerTally
from odradek_simulation.workload.tally import ConsumerTally

__all__ = ["Invariant", "judge"]

Reader = ConsumerTally | GroupTally


class Invariant(msgspec.Struct, frozen=True):
    """Something that must hold; `problem` says what does not."""

    name: str
    holds: bool
    problem: str = ""


def judge(
    producers: Sequence[ProducerTally], consumers: Sequence[Reader], state: SystemState, replay: ReplayCheck
) -> list[Invariant]:
    """Return every invariant of a run that went to its end."""
    delivered = "every consumer got every message exactly once"
    if any(reader.may_repeat for reader in consumers):
        delivered = "every group got every message at least once, every other consumer exactly once"
    return [
        _invariant("live == replay", _replay_problems(replay)),
        _invariant("every acknowledged message has its own offset, without gaps", _offset_problems(producers, state)),
        _invariant(delivered, _delivery_problems(producers, consumers)),
        _invariant("every message arrived as it was sent", _content_problems(producers, consumers)),
        _invariant("every partition keeps the order of each producer", _order_problems(producers, consumers)),
    ]


def _invariant(name: str, problems: Iterator[str]) -> Invariant:
    first = next(problems, None)
    return Invariant(name, first is None, first or "")


def _replay_problems(replay: ReplayCheck) -> Iterator[str]:
    for stream in replay.mismatches:
        yield f"{stream} is not what its events say"
    if not replay.holds:
        yield f"the live digest is {replay.live_digest}, the replayed one {replay.replayed_digest}"


def _offset_problems(producers: Sequence[ProducerTally], state: SystemState) -> Iterator[str]:
    given: dict[TopicPartition, list[int]] = {}
    for tally in producers:
        for place, offsets in tally.offsets.items():
            given.setdefault(place, []).extend(offsets)
    for topic in state.topics.values():
        for partition in topic.partitions:
            offsets = sorted(given.pop(TopicPartition(str(topic.name), int(partition.id)), []))
            if offsets != list(range(partition.high_watermark)):
                yield (
                    f"{topic.name}/{int(partition.id)} ends at {partition.high_watermark} "
                    f"and acknowledged {len(offsets)} messages"
                )
    for place in given:
        yield f"{place} acknowledged messages and does not exist"


def _delivery_problems(producers: Sequence[ProducerTally], consumers: Sequence[Reader]) -> Iterator[str]:
    sent = sum(tally.acknowledged for tally in producers)
    for tally in consumers:
        if tally.gaps:
            yield f"{tally.name}: {tally.gaps[0]}"
        if tally.received != sent:
            yield f"{tally.name} got {tally.received} of {sent}"


def _content_problems(producers: Sequence[ProducerTally], consumers: Sequence[Reader]) -> Iterator[str]:
    sent = sum(tally.content for tally in producers)
    for tally in consumers:
        if tally.content != sent:
            yield f"{tally.name} got other keys or values than were sent"


def _order_problems(producers: Sequence[ProducerTally], consumers: Sequence[Reader]) -> Iterator[str]:
    for sender in producers:
        for place, offsets in sender.offsets.items():
            if offsets != sorted(offsets):
                yield f"producer-{sender.number} was given offsets out of order in {place}"
    for reader in consumers:
        if reader.disorders:
            yield f"{reader.name}: {reader.disorders[0]}"
