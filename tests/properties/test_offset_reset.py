"""A reset stays in the readable range, is exact inside it, and has no further effect if repeated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.domain import NOON

from odradek_domain.group.group import ConsumerGroup
from odradek_domain.group.offset_reset import PlannedReset, ResetTarget, ShiftBy, plan_reset, planned_offsets
from odradek_domain.replay.topic_reader import TopicOutline
from odradek_domain.topic.bounds import PartitionBounds
from odradek_domain.values.committed_offsets import CommittedOffset, CommittedOffsets

numbers = st.integers(0, 60)
bounds = st.lists(st.tuples(numbers, numbers).map(sorted), min_size=1, max_size=4)
targets: st.SearchStrategy[ResetTarget] = st.one_of(st.just("earliest"), st.just("latest"), numbers)
shifts = st.integers(-80, 80)


def topic(parts: list[list[int]]) -> TopicOutline:
    return TopicOutline("t", 0, 0, tuple(PartitionBounds(n, start, end) for n, (start, end) in enumerate(parts)))


def planned(parts: list[list[int]], before: CommittedOffsets, to: ResetTarget) -> tuple[PlannedReset, ...]:
    return plan_reset("g", before.all(), {"a": topic(parts)}, {"a": None}, to)


def committed(offsets: list[int]) -> CommittedOffsets:
    made = CommittedOffsets("group/g")
    made.restore(tuple(CommittedOffset("a", number, "t", offset) for number, offset in enumerate(offsets)))
    return made


@given(bounds, st.lists(numbers, min_size=4, max_size=4), targets | shifts.map(ShiftBy))
def test_a_reset_never_leaves_the_readable_range(parts: list[list[int]], offsets: list[int], to: ResetTarget) -> None:
    for item, (start, end) in zip(planned(parts, committed(offsets), to), parts, strict=True):
        assert start <= item.after <= end
        assert item.is_clamped == (item.wanted != item.after)


@given(bounds, st.lists(numbers, min_size=4, max_size=4), shifts)
def test_a_shift_is_exact_inside_the_range_and_stops_at_its_ends(
    parts: list[list[int]], offsets: list[int], shift: int
) -> None:
    for item, offset, (start, end) in zip(
        planned(parts, committed(offsets), ShiftBy(shift)), offsets[: len(parts)], parts, strict=True
    ):
        if start <= offset + shift <= end:
            assert item.after == offset + shift
        else:
            assert item.after == (start if offset + shift < start else end)


@given(bounds, st.lists(numbers, min_size=4, max_size=4), targets)
def test_repeating_a_reset_changes_nothing(parts: list[list[int]], offsets: list[int], to: ResetTarget) -> None:
    group = ConsumerGroup("g")
    group.committed.restore(committed(offsets).all())
    plan = planned(parts, group.committed, to)
    events = group.reset_offsets(planned_offsets(plan), NOON, "operator")
    group.apply_all(events)

    assert [event.partition for event in events] == [item.partition for item in plan if item.after != item.before]
    assert [item.offset for item in group.committed.all()][: len(parts)] == [item.after for item in plan]
    assert group.reset_offsets(planned_offsets(planned(parts, group.committed, to)), NOON, "operator") == []
