"""State is a fold: it does not depend on batches, on snapshots, or on other streams."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from support.domain import in_batches, record
from support.histories import STREAMS, World, everything_it_decides, restored, snapshot_of, worlds
from support.profiles import fewer

from odradek_domain.replay.system_state import SystemState
from odradek_domain.topic.topic import Topic
from odradek_events import Commit, MemoryLog

streams = st.sampled_from(list(STREAMS))


def log_up_to(log: MemoryLog, position: int) -> MemoryLog:
    """Return another log with the events up to a position."""
    cut = MemoryLog()
    for commit in log.commits(until=position):
        record(cut, commit.stream, *commit.events, when=commit.metadata.recorded_at)
    return cut


def interleaved(commits: list[Commit], random: Random) -> list[Commit]:
    """Return the commits in another order that keeps the order within each stream."""
    waiting: dict[str, list[Commit]] = {}
    for commit in commits:
        waiting.setdefault(commit.stream, []).append(commit)
    order: list[Commit] = []
    while waiting:
        stream = random.choice(sorted(waiting))
        order.append(waiting[stream].pop(0))
        if not waiting[stream]:
            del waiting[stream]
    return order


@given(worlds, streams, st.lists(st.integers(0, 9), max_size=9))
def test_events_applied_in_any_batches_give_the_same_state(world: World, stream: str, sizes: list[int]) -> None:
    again = STREAMS[stream]()
    for events in in_batches(world.events(stream), sizes):
        again.apply_all(events)
    assert snapshot_of(again) == snapshot_of(world.aggregates[stream])


@given(worlds)
def test_a_restored_aggregate_returns_the_same_snapshot(world: World) -> None:
    for aggregate in world.aggregates.values():
        assert snapshot_of(restored(aggregate)) == snapshot_of(aggregate)


@fewer(4)  # each example makes some 3000 decisions
@given(worlds)
def test_a_restored_aggregate_decides_as_the_original(world: World) -> None:
    for aggregate in world.aggregates.values():
        assert everything_it_decides(restored(aggregate)) == everything_it_decides(aggregate)


@given(worlds, streams, st.integers(0, 200))
def test_a_snapshot_of_a_prefix_and_the_rest_give_the_whole_state(world: World, stream: str, length: int) -> None:
    events = world.events(stream)
    prefix = STREAMS[stream]()
    prefix.apply_all(events[:length])
    resumed = restored(prefix)
    for aggregate in (prefix, resumed):
        aggregate.apply_all(events[length:])
        assert snapshot_of(aggregate) == snapshot_of(world.aggregates[stream])


@given(worlds)
def test_live_equals_replay(world: World) -> None:
    state = SystemState.replay(world.log)
    live = {stream: found for stream, found in world.snapshots().items() if world.aggregates[stream].version >= 0}
    assert state.snapshots() == live
    assert SystemState.gather(live.values()).digest() == state.digest()


@given(worlds, st.floats(0, 1))
def test_a_replay_up_to_a_position_equals_a_replay_of_the_truncated_log(world: World, share: float) -> None:
    position = round(share * (world.log.head().position + 1)) - 1
    travelled = SystemState.replay(world.log, until=position)
    cut = SystemState.replay(log_up_to(world.log, position))
    assert travelled.position == cut.position == position
    assert travelled.snapshots() == cut.snapshots()
    assert travelled.digest() == cut.digest()


@fewer(2)  # each example compares every pair of some 20 states
@given(worlds, worlds)
def test_digests_are_equal_exactly_when_states_are(one: World, two: World) -> None:
    states = [
        SystemState.replay(log, until=position)
        for log in (one.log, two.log)
        for position in range(-1, log.head().position + 1, 7)
    ]
    for first in states:
        for second in states:
            same = first.snapshots() == second.snapshots() and first.versions == second.versions
            assert (first.digest() == second.digest()) == same


@given(worlds, st.randoms(use_true_random=False))
def test_a_digest_does_not_depend_on_how_streams_interleave(world: World, random: Random) -> None:
    state = SystemState()
    for commit in interleaved(list(world.log.commits()), random):
        state.apply_commit(commit)
    assert state.digest() == SystemState.replay(world.log).digest()


@given(worlds)
def test_a_high_watermark_falls_only_with_its_topic(world: World) -> None:
    lives: list[tuple[str | None, list[int]]] = []
    topic = Topic("orders")
    for item in world.events("topic/orders"):
        topic.apply(item)
        lives.append((topic.topic_id, [partition.high_watermark for partition in topic.partitions]))
        assert all(0 <= part.log_start_offset <= part.high_watermark for part in topic.partitions)
    for (before_id, before), (later_id, later) in pairwise(lives):
        if before_id == later_id:
            assert all(new >= old for old, new in zip(before, later, strict=False))
            assert len(later) >= len(before)


@given(worlds, st.sampled_from(list(STREAMS)))
def test_an_event_in_one_stream_does_not_change_another(world: World, stream: str) -> None:
    alone = MemoryLog()
    for commit in world.log.commits(stream=stream):
        record(alone, stream, *commit.events)
    assert SystemState.replay(alone).snapshots().get(stream) == SystemState.replay(world.log).snapshots().get(stream)
