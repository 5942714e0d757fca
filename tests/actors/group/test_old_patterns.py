"""A pattern of an older version that RE2 refuses: its log recovers, it matches nothing, and a warning names it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from support.actors import World, produce, values

from odradek_domain.errors import InvalidPattern
from odradek_events import MemoryLog
from odradek_events.record import Append, Appended
from odradek_events.types import ConsumerRegistered, ConsumerSubscribed, MemberJoined

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
OLD = r"(?!tmp-).*"


def append(log: MemoryLog, stream: str, *events: object) -> None:
    """Append events as an older version did."""
    (verdict,) = log.append([Append(stream=stream, events=events)], NOON)
    assert isinstance(verdict, Appended)


def test_a_consumer_whose_pattern_re2_rejects_reads_nothing_until_it_resubscribes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = MemoryLog()
    append(log, "consumer/c", ConsumerRegistered("c", NOON), ConsumerSubscribed("c", (), NOON, OLD))
    world = World(log)
    system = world.open()
    consumer = system.consumer("c")
    with caplog.at_level(logging.WARNING):
        produce(system, "orders", "1")
        assert consumer.poll(timeout=0.1) == []
        system.settle()
    assert any(OLD in record.getMessage() and "matches no topic" in record.getMessage() for record in caplog.records)
    assert consumer.subscription == ()
    with pytest.raises(InvalidPattern):
        consumer.subscribe(pattern=OLD)
    consumer.subscribe(pattern="[^t].*")
    assert values(consumer.poll(timeout=10)) == ["1"]
    world.close()


def test_a_group_with_a_member_whose_pattern_re2_rejects_still_works(caplog: pytest.LogCaptureFixture) -> None:
    log = MemoryLog()
    joined = MemberJoined(
        "g", "old-1", "old", (), ("range",), 45_000, 300_000, "another run", NOON, pattern=OLD, instance_id="i"
    )
    append(log, "group/g", joined)
    world = World(log)
    system = world.open()
    produce(system, "orders", "1")
    consumer = system.consumer("c", "g", assignors=["range"])
    consumer.subscribe(pattern="ord.*")
    with caplog.at_level(logging.WARNING):
        consumer.wait_for_assignment()
        assert values(consumer.poll(timeout=10)) == ["1"]
    system.settle()
    assert system.check_replay().holds
    world.close()
