"""The Partition: an ordered run of messages with bounds, a checksum, and a tail of the newest."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.domain import NOON, produced

from odradek_domain.errors import OffsetNotFound
from odradek_domain.topic.partition import Checksums, Partition, ProducerSequence, TailLimit
from odradek_events.types import MessageProduced


def partition_of(*events: MessageProduced, tail: TailLimit | None = None) -> Partition:
    partition = Partition(0, NOON)
    for event in events:
        partition.append_messages((event,), tail)
    return partition


def stored(
    value: bytes | None, key: bytes | None = None, headers: tuple[tuple[str, bytes], ...] = ()
) -> MessageProduced:
    return MessageProduced("orders", 0, 0, "m", "p", 0, -1, NOON, key, value, headers)


def test_a_new_partition_is_empty() -> None:
    partition = partition_of()
    assert (partition.high_watermark, partition.message_count, partition.log_start_offset) == (0, 0, 0)
    assert partition.get_messages(0, 10) == []


def test_appending_gives_the_offset_back_and_raises_the_high_watermark() -> None:
    partition = partition_of()
    assert [partition.append_message(produced(offset)) for offset in range(3)] == [0, 1, 2]
    assert partition.high_watermark == 3
    assert partition.message_count == 3


def test_messages_come_in_offset_order_from_the_asked_offset_up_to_the_limit() -> None:
    partition = partition_of(*map(produced, range(5)))
    assert [message.offset for message in partition.get_messages(1, 3)] == [1, 2, 3]
    assert partition.get_messages(5, 3) == []
    assert partition.get_messages(0, 0) == []
    assert partition.get_messages(0, -1) == []


@pytest.mark.parametrize("offset", [-1, 6])
def test_reading_outside_the_range_is_refused(offset: int) -> None:
    with pytest.raises(OffsetNotFound) as refused:
        partition_of(*map(produced, range(5))).get_messages(offset, 1)
    assert (refused.value.offset, refused.value.start, refused.value.end) == (offset, 0, 5)


def test_deleting_moves_the_start_and_offsets_are_not_reused() -> None:
    partition = partition_of(*map(produced, range(5)))
    partition.delete_before(3)
    assert (partition.log_start_offset, partition.high_watermark, partition.message_count) == (3, 5, 2)
    assert [message.offset for message in partition.get_messages(3, 9)] == [3, 4]
    with pytest.raises(OffsetNotFound):
        partition.get_messages(2, 1)


def test_deleting_everything_leaves_an_empty_partition_whose_offsets_continue() -> None:
    partition = partition_of(*map(produced, range(3)))
    partition.delete_before(3)
    assert (partition.message_count, partition.tail_start, partition.tail_bytes) == (0, 3, 0)
    assert partition.append_message(produced(3)) == 3


def test_the_tail_holds_at_most_twice_the_limit_in_messages_and_always_the_newest() -> None:
    limit = TailLimit(messages=10, size_bytes=1_000_000)
    partition = Partition(0, NOON)
    for offset in range(1000):
        event = produced(offset)
        partition.append_messages((event,), limit)
        assert min(10, offset + 1) <= len(partition.messages) <= 20
        assert partition.messages[-1].offset == offset
    assert partition.high_watermark == 1000
    assert partition.messages[0].offset == partition.tail_start


def test_the_tail_holds_at_most_twice_the_limit_in_bytes_keys_and_headers_included() -> None:
    limit = TailLimit(messages=1_000, size_bytes=1_000)
    partition = Partition(0, NOON)
    for offset in range(200):
        event = MessageProduced("t", 0, offset, "m", "p", 0, -1, NOON, b"k" * 10, b"v" * 10, (("h", b"x" * 63),))
        partition.append_messages((event,), limit)
        assert partition.tail_bytes == 100 * len(partition.messages)
        assert partition.tail_bytes <= 2_000
    assert len(partition.messages) >= 10


def test_a_message_larger_than_the_tail_is_not_held() -> None:
    partition = partition_of(produced(0), produced(1, value=b"v" * 100), tail=TailLimit(10, 20))
    assert (partition.messages, partition.tail_bytes, partition.tail_start) == ([], 0, 2)


def test_deleting_drops_messages_from_memory_and_updates_the_byte_count() -> None:
    partition = partition_of(*(produced(offset, value=b"v" * offset) for offset in range(5)))
    partition.delete_before(3)
    assert (partition.tail_start, partition.tail_bytes) == (3, 3 + 4)


def test_deleting_messages_that_are_not_in_memory_does_not_change_the_tail() -> None:
    partition = partition_of(*map(produced, range(30)), tail=TailLimit(5, 1_000))
    held = list(partition.messages)
    partition.delete_before(partition.tail_start - 1)
    assert partition.messages == held


def test_the_checksum_tells_every_part_of_a_message_from_every_other() -> None:
    shapes = [
        stored(None),
        stored(b""),
        stored(None, b""),
        stored(b"", b""),
        stored(b"x"),
        stored(None, b"x"),
        stored(b"x", b""),
        stored(b"", b"x"),
        stored(b"y", b"x"),
        stored(b"", b"xy"),
        stored(b"xy"),
        stored(None, None, (("", b""),)),
        stored(b"", None, (("", b""),)),
        stored(None, b"", (("", b""),)),
        stored(None, None, (("", b""), ("", b""))),
        stored(None, None, (("a", b"bc"),)),
        stored(None, None, (("ab", b"c"),)),
        stored(None, None, (("a", b"b"), ("c", b""))),
    ]
    assert len({partition_of(shape).checksums for shape in shapes}) == len(shapes)


def test_the_checksum_depends_on_the_order_of_messages() -> None:
    one, two = stored(b"1"), stored(b"2")
    assert partition_of(one, two).checksums != partition_of(two, one).checksums


def test_a_run_grows_while_sequence_and_offset_rise_together() -> None:
    sequence = ProducerSequence(-1)
    sequence.record(0, 0, 10, 3)
    sequence.record(0, 3, 13, 2)
    assert sequence.runs() == ((0, 10, 5),)
    assert sequence.find(2, 3) == 12


def test_a_message_of_another_producer_starts_a_new_run_and_five_older_runs_are_kept() -> None:
    sequence = ProducerSequence(-1)
    for number in range(8):
        sequence.record(0, number, 10 * number)
    assert sequence.runs() == tuple((number, 10 * number, 1) for number in range(2, 8))
    assert sequence.find(2, 1) == 20
    assert sequence.find(1, 1) is None
    assert sequence.find(2, 2) is None


def test_a_new_epoch_forgets_the_runs_of_the_older() -> None:
    sequence = ProducerSequence(-1)
    sequence.record(0, 0, 0, 5)
    sequence.record(1, 0, 5, 2)
    assert (sequence.epoch, sequence.runs()) == (1, ((0, 5, 2),))


def test_a_copy_of_sequences_is_independent() -> None:
    sequence = ProducerSequence(-1)
    sequence.record(0, 0, 0)
    copy = sequence.copy()
    copy.record(0, 1, 7)
    assert sequence.runs() == ((0, 0, 1),)
    assert copy.runs() == ((0, 0, 1), (1, 7, 1))


@pytest.mark.parametrize(("first", "then", "start"), [(3, 1, 3), (3, 3, 3), (0, 9, 5)])
def test_the_start_never_falls_and_never_passes_the_high_watermark(first: int, then: int, start: int) -> None:
    partition = partition_of(*map(produced, range(5)))
    partition.delete_before(first)
    partition.delete_before(then)
    assert partition.log_start_offset == start
    assert [message.offset for message in partition.get_messages(start, 9)] == list(range(start, 5))


def test_the_checksum_tells_messages_of_other_ids_and_another_order_apart() -> None:
    def checksum(*messages: tuple[str, bytes | None]) -> Checksums:
        partition = Partition(0, NOON)
        partition.append_messages(
            [
                MessageProduced("t", 0, offset, message_id, "", 0, -1, NOON, None, value)
                for offset, (message_id, value) in enumerate(messages)
            ],
            None,
        )
        return partition.checksums

    assert checksum(("1", b"a"), ("2", None)) != checksum(("1", None), ("2", b"a"))
    assert checksum(("1", b"a")) != checksum(("2", b"a"))


def test_the_checksums_are_the_same_however_messages_are_divided_into_appends() -> None:
    shapes: list[dict[str, Any]] = [{}, {"key": None}, {"value": None}, {"headers": (("h", b"1"), ("h", b""))}]
    events = [msgspec.structs.replace(produced(n), **shapes[n // 100 % 5 % 4]) for n in range(1200)]
    whole, halves, singly = (Partition(0, NOON) for _ in range(3))
    whole.append_messages(events, None)
    halves.append_messages(events[:600], None)
    halves.append_messages(events[600:], None)
    for event in events:
        singly.append_message(event)
    assert whole.snapshot() == halves.snapshot() == singly.snapshot()
