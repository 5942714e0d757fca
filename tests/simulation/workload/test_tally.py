"""Tallies: what members of a group receive is counted once, in whatever order it is collected."""

from __future__ import annotations

from datetime import UTC, datetime

from odradek import ConsumerRecord
from odradek_simulation.workload.tally import ReaderTally, checksum


def record(offset: int, partition: int = 0) -> ConsumerRecord:
    """Return message number `offset + 1` of producer 1."""
    return ConsumerRecord("t", partition, offset, b"k", b"1 %d x" % (offset + 1), (), datetime.now(UTC), "id")


def test_members_that_take_turns_are_counted_as_one_reader() -> None:
    reader = ReaderTally("group-1")
    one, other = reader.new_consumer(), reader.new_consumer()
    one.receive([record(0), record(0, partition=1), record(1), record(1, partition=1)])
    other.receive([record(3), record(4)])  # taken over before `one` reported what it had
    one.receive([record(2)])
    assert reader.received == 0
    reader.collect()
    assert (reader.received, reader.repeats, reader.gap, reader.disorder) == (7, 0, "", "")
    assert reader.content == sum(checksum(b"k", b"1 %d x" % number) for number in (1, 1, 2, 2, 3, 4, 5))


def test_what_comes_again_counts_once_and_as_a_repeat() -> None:
    reader = ReaderTally("group-1", may_repeat=True)
    one, other = reader.new_consumer(), reader.new_consumer()
    one.receive([record(0), record(1), record(2)])
    other.receive([record(1), record(2), record(3)])
    reader.collect()
    assert (reader.received, reader.repeats, reader.gap) == (4, 2, "")
    assert reader.content == sum(checksum(b"k", b"1 %d x" % number) for number in (1, 2, 3, 4))


def test_the_first_gap_repeat_and_disorder_are_told() -> None:
    skipping = ReaderTally("consumer-1")
    skipping.new_consumer().receive([record(0), record(2), record(5), record(3)])
    skipping.collect()
    assert skipping.gap == "t/0 gave offset 2 where 1 was due"
    assert skipping.disorder == "t/0 gave message 4 of producer 1 out of order"
    repeating = ReaderTally("consumer-1")
    for _ in range(2):
        repeating.new_consumer().receive([record(0), record(1)])
    repeating.collect()
    assert repeating.gap == "t/0 gave 2 offsets from 0 on again"
