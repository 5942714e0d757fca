"""A reader counts each message once, whichever member had it and in whatever order it is collected."""

from __future__ import annotations

from support.domain import NOON

from odradek import ConsumerRecord, TopicPartition
from odradek_simulation.checkers.history import Commit, History, Poll
from odradek_simulation.workload.reader import Reader


def records(*offsets: int, partition: int = 0) -> list[ConsumerRecord]:
    return [ConsumerRecord("t", partition, offset, b"k", b"v%d" % offset, (), NOON, "id") for offset in offsets]


def test_members_that_take_turns_are_counted_as_one_reader() -> None:
    reader = Reader(History(), "group-1")
    one, other = reader.new_member("one"), reader.new_member("other")
    one.polled([*records(0, 1), *records(0, 1, partition=1)])
    other.polled(records(3, 4))  # taken over before `one` recorded what it had
    one.polled(records(2))
    assert reader.received == 0
    reader.collect()
    assert (reader.received, reader.repeats) == (7, 0)


def test_what_comes_again_counts_once_and_as_a_repeat() -> None:
    reader = Reader(History(), "group-1", may_repeat=True)
    reader.new_member("one").polled(records(0, 1, 2))
    reader.collect()
    reader.new_member("other").polled(records(1, 2, 3))
    reader.collect()
    reader.collect()
    assert (reader.received, reader.repeats) == (4, 2)


def test_a_reader_has_the_operations_of_its_members_only() -> None:
    history = History()
    reader, alone = Reader(history, "group-1"), Reader(history, "consumer-2")
    poll = reader.new_member("one").polled(records(0))
    member = reader.new_member("other")
    member.on_partitions_assigned([TopicPartition("t", 0)])
    with member.commit() as commit:
        pass
    alone.new_member("consumer-2").polled(records(0))
    assert list(reader.operations(Poll)) == [poll]
    assert list(reader.operations(Commit)) == [commit]
