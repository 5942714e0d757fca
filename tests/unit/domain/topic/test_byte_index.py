"""The bytes of a partition's messages: in all, and from marked offsets on."""

from __future__ import annotations

from random import Random

import pytest
from support.domain import NOON

from odradek_domain.topic.byte_index import SizeMarks
from odradek_domain.topic.partition import Partition, TailLimit
from odradek_domain.values.message import message_size
from odradek_events.types import MessageProduced

MIB = 1 << 20


def sized(offset: int, size: int, **fields: object) -> MessageProduced:
    parts = {"key": None, "value": b"v" * size, "headers": (), **fields}
    return MessageProduced("orders", 0, offset, f"m{offset}", "p", 0, -1, NOON, **parts)  # type: ignore[arg-type]  # as made


def marks_after(*sizes: int) -> SizeMarks:
    marks = SizeMarks()
    for offset, size in enumerate(sizes):
        marks.add([sized(offset, size)], size)
    return marks


def test_a_new_partition_is_marked_at_its_beginning() -> None:
    assert (SizeMarks().total, SizeMarks().marks) == (0, [(0, 0)])


def test_a_mark_lies_behind_the_message_that_fills_a_mebibyte() -> None:
    assert marks_after(MIB - 1, 1, 5, MIB - 6, 0, 1).marks == [(0, 0), (2, MIB), (6, 2 * MIB)]


def test_a_message_larger_than_the_interval_gets_its_own_mark() -> None:
    assert marks_after(3 * MIB, 1, 2 * MIB).marks == [(0, 0), (1, 3 * MIB), (3, 5 * MIB + 1)]


def test_marks_lie_a_64th_apart_where_a_partition_holds_much() -> None:
    marks = marks_after(*[MIB] * 1000)
    ends = [end for _, end in marks.marks]
    assert all(max(MIB, ends[n] // 64) <= ends[n + 1] - ends[n] <= ends[n] // 64 + MIB for n in range(len(ends) - 1))
    assert len(ends) < 64 + 64 * 4


def test_deleting_keeps_the_last_mark_at_or_below_the_start_and_those_behind_it() -> None:
    for start, first in [(0, 0), (1, 0), (2, 2), (3, 2), (5, 4), (6, 6)]:
        marks = marks_after(*[MIB // 2] * 6)
        marks.delete_before(start)
        assert marks.marks == [(offset, offset * MIB // 2) for offset in range(first, 7, 2)]
        assert marks.total == 3 * MIB


def test_marks_get_closer_after_a_large_deletion() -> None:
    marks = marks_after(*[MIB] * 1000)
    last_offset, last_end = marks.marks[-1]
    assert marks.total - last_end > MIB
    marks.delete_before(1000)
    assert marks.marks == [(last_offset, last_end)]

    for offset in (1000, 1001):
        marks.add([sized(offset, 1)], 1)
    assert marks.marks[1:] == [(1001, 1000 * MIB + 1)]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, (4, MIB, 6)),
        (MIB, (4, MIB, 6)),
        (MIB + 1, (2, 2 * MIB, 4)),
        (3 * MIB, (0, 3 * MIB, 2)),
        (3 * MIB + 1, None),
    ],
)
def test_the_last_mark_with_so_many_bytes_behind_it_is_found(size: int, expected: tuple[int, int, int] | None) -> None:
    marks = marks_after(*[MIB // 2] * 5, MIB // 2)
    assert marks.marks[-1] == (6, 3 * MIB)
    found = marks.mark_for(size, 6)
    assert (found and (found.offset, found.bytes_after, found.next_offset)) == expected


def test_every_part_of_a_message_has_its_bytes_however_messages_come() -> None:
    shapes: list[dict[str, object]] = [
        {"value": value, "key": key, "headers": headers}
        for value in (None, b"", b"abc")
        for key in (None, b"", b"de")
        for headers in ((), (("h", b"xyz"),), (("é", b""), ("", b"1"), ("n", None)))
    ]
    events = [sized(offset, 0, **shape) for offset, shape in enumerate(shapes)]
    total = sum(map(message_size, events))
    assert total == sum(
        len(event.value or b"")
        + len(event.key or b"")
        + sum(16 + len(n.encode()) + len(v or b"") for n, v in event.headers)
        for event in events
    )
    random = Random(4)
    for limit in (None, TailLimit(0, 0), TailLimit(100, 1000)):
        for most in (1, 3, 30):
            partition, rest = Partition(0, NOON), list(events)
            while rest:
                count = random.randint(1, most)
                partition.append_messages(rest[:count], limit)
                del rest[:count]
            assert partition.sizes.total == total
            assert partition.tail_bytes == (0 if limit == TailLimit(0, 0) else total)
