"""SystemState: the whole system, folded from a log, at any point of its history."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from support.domain import NOON, after, given, produced, record

from odradek_domain.group.group import ConsumerGroup
from odradek_domain.producer.producer import Producer
from odradek_domain.replay.system_state import AggregateSnapshot, SystemState
from odradek_domain.topic.partition import TailLimit
from odradek_domain.topic.topic import Topic
from odradek_events import MemoryLog, SqliteLog, event
from odradek_events.errors import PositionBeyondHead, UnknownEventType
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue
from odradek_events.types import (
    ConsumerRegistered,
    ConsumerSubscribed,
    MessageConsumed,
    OffsetCommitted,
    OffsetReset,
    ProducerRegistered,
    TopicCreated,
    TopicDeleted,
)

foreign = Catalogue()
"""Types that only their own writers register."""


@event("AccountOpened", catalogue=foreign)
class AccountOpened(msgspec.Struct, frozen=True):
    owner: str


@event("TheirNote", tags=("owner:{owner}",))
class TheirNote(msgspec.Struct, frozen=True):
    owner: str


def small_history() -> MemoryLog:
    """Positions 0-9: a topic with messages in three commits, a producer, a consumer, a group."""
    log = MemoryLog()
    record(log, "topic/orders", TopicCreated("orders", "t-1", 2, NOON), when=after(0))
    record(log, "producer/p", ProducerRegistered("p", "p", 0, NOON), when=after(1))
    record(log, "topic/orders", produced(0), produced(1), produced(0, partition=1), when=after(2))
    record(
        log,
        "consumer/c1",
        ConsumerRegistered("c1", NOON, "g"),
        ConsumerSubscribed("c1", ("orders",), NOON),
        when=after(3),
    )
    record(log, "consumer/c1", MessageConsumed("orders", 0, 0, "m0", "c1", NOON), when=after(4))
    record(log, "group/g", OffsetCommitted("group/g", "orders", "t-1", 0, 1, NOON), when=after(5))
    record(log, "topic/orders", produced(2), when=after(6))
    return log


def test_a_replay_finds_every_aggregate() -> None:
    state = SystemState.replay(small_history())
    assert state.position == 9
    assert list(state.topics) == ["orders"]
    assert [partition.high_watermark for partition in state.topics["orders"].partitions] == [3, 1]
    assert state.producers["p"].epoch == 0
    assert state.consumers["c1"].positions("orders") == {0: 1}
    assert [item.offset for item in state.groups["g"].committed.all()] == [1]
    assert state.versions == {"topic/orders": 4, "producer/p": 0, "consumer/c1": 2, "group/g": 0}


def test_an_empty_log_is_an_empty_state() -> None:
    state = SystemState.replay(MemoryLog())
    assert (state.position, state.versions, dict(state.topics)) == (-1, {}, {})
    assert state.digest() == SystemState().digest()


def test_a_replay_up_to_minus_1_is_empty() -> None:
    state = SystemState.replay(small_history(), until=-1)
    assert state.position == -1
    assert state.digest() == SystemState().digest()


@pytest.mark.parametrize(("until", "watermarks"), [(0, [0, 0]), (1, [0, 0]), (2, [1, 0]), (3, [2, 0]), (4, [2, 1])])
def test_a_replay_to_a_position_splits_the_commit_it_falls_in(until: int, watermarks: list[int]) -> None:
    state = SystemState.replay(small_history(), until=until)
    assert state.position == until
    assert [partition.high_watermark for partition in state.topics["orders"].partitions] == watermarks
    assert state.versions["topic/orders"] == max(0, until - 1)


@pytest.mark.parametrize(
    ("moment", "position"),
    [(after(-1), -1), (after(0), 0), (after(1.5), 1), (after(2), 4), (after(5), 8), (after(99), 9)],
)
def test_a_replay_to_a_moment_holds_what_was_recorded_by_then(moment: datetime, position: int) -> None:
    log = small_history()
    state = SystemState.replay(log, until=moment)
    assert state.position == position
    assert state.digest() == SystemState.replay(log, until=position).digest()


def test_a_moment_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        SystemState.replay(small_history(), until=datetime(2024, 5, 1))  # noqa: DTZ001 - the mistake under test


@pytest.mark.parametrize("until", [10, 1_000, -2])
def test_a_replay_beyond_the_head_is_refused(until: int) -> None:
    with pytest.raises(PositionBeyondHead, match="use a position from -1 to 9") as refused:
        SystemState.replay(small_history(), until=until)
    assert (refused.value.position, refused.value.head) == (until, 9)


def test_progress_is_called_after_each_commit() -> None:
    told: list[int] = []
    SystemState.replay(small_history(), until=3, progress=told.append)
    assert told == [0, 1, 3]


def test_a_replay_of_the_same_log_gives_the_same_digest_and_each_step_another() -> None:
    log = small_history()
    digests = [SystemState.replay(log, until=position).digest() for position in range(-1, 10)]
    assert len(set(digests)) == len(digests)
    assert SystemState.replay(log).digest() == digests[-1]


def test_both_stores_replay_to_the_same_state(tmp_path: Path) -> None:
    memory = small_history()
    with SqliteLog(tmp_path / "log.db", durability="off") as disk:
        for commit in memory.commits():
            record(disk, commit.stream, *commit.events, when=commit.metadata.recorded_at)
        for until in (None, 3, after(4)):
            assert SystemState.replay(disk, until).digest() == SystemState.replay(memory, until).digest()


def test_a_message_body_enters_the_digest() -> None:
    one, two = small_history(), small_history()
    record(one, "topic/orders", produced(3, value=b"tea"))
    record(two, "topic/orders", produced(3, value=b"cake"))
    assert SystemState.replay(one).digest() != SystemState.replay(two).digest()


def test_a_rebuilt_state_holds_no_messages() -> None:
    assert [partition.messages for partition in SystemState.replay(small_history()).topics["orders"].partitions] == [
        [],
        [],
    ]


def test_a_deleted_topic_is_no_longer_listed_and_its_stream_still_counts() -> None:
    log = small_history()
    record(log, "topic/orders", TopicDeleted("orders", "t-1", NOON))
    state = SystemState.replay(log)
    assert dict(state.topics) == {}
    assert state.versions["topic/orders"] == 5
    assert "topic/orders" in state.snapshots()
    record(log, "topic/orders", TopicCreated("orders", "t-2", 1, NOON))
    assert SystemState.replay(log).topics["orders"].topic_id == "t-2"


def test_deleting_a_topic_changes_no_other_aggregate() -> None:
    log = small_history()
    before = SystemState.replay(log).snapshots()
    record(log, "topic/orders", TopicDeleted("orders", "t-1", NOON))
    later = SystemState.replay(log).snapshots()
    assert {stream for stream in before if before[stream] != later[stream]} == {"topic/orders"}


def test_a_reset_changes_the_aggregate_of_its_stream_whatever_owner_it_names() -> None:
    log = small_history()
    before = SystemState.replay(log).snapshots()
    record(log, "consumer/c1", OffsetReset("group/g", "orders", "t-1", 0, 0, "seek", NOON))
    later = SystemState.replay(log).snapshots()
    assert {stream for stream in before if before[stream] != later[stream]} == {"consumer/c1"}


def test_streams_of_other_types_count_unfolded() -> None:
    log = small_history()
    before = SystemState.replay(log)
    record(log, "account/7", TheirNote("me"), TheirNote("you"))
    state = SystemState.replay(log)
    assert state.versions["account/7"] == 1
    assert state.position == 11
    assert state.snapshots() == before.snapshots()
    assert state.digest() != before.digest()


def test_a_replay_does_not_need_user_defined_events_to_be_registered(tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "log.db", durability="off", codec=Codec(foreign)) as log:
        record(log, "account/7", AccountOpened("me"), AccountOpened("you"))
    with SqliteLog(tmp_path / "log.db", durability="off") as log:
        record(log, "topic/orders", TopicCreated("orders", "t-1", 1, NOON))
        state = SystemState.replay(log)
    assert state.versions == {"account/7": 1, "topic/orders": 0}
    assert state.topics["orders"].exists


def test_an_unregistered_event_in_a_built_in_stream_is_an_error_with_its_position(tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "log.db", durability="off", codec=Codec(foreign)) as log:
        record(log, "account/7", AccountOpened("me"))
        record(log, "topic/orders", AccountOpened("me"))
    with (
        SqliteLog(tmp_path / "log.db", durability="off") as log,
        pytest.raises(UnknownEventType, match="at position 1 is a 'AccountOpened' version 1"),
    ):
        SystemState.replay(log)


def test_a_registered_event_of_another_kind_in_a_built_in_stream_only_counts() -> None:
    log = small_history()
    record(log, "topic/orders", TheirNote("me"))
    state = SystemState.replay(log)
    assert state.versions["topic/orders"] == 5
    assert [partition.high_watermark for partition in state.topics["orders"].partitions] == [3, 1]


def test_a_name_that_would_be_refused_today_is_replayed_as_it_was_recorded() -> None:
    log = MemoryLog()
    record(log, "topic/an old name", TopicCreated("an old name", "t-1", 1, NOON))
    state = SystemState.replay(log)
    assert state.topics["an old name"].partition_count == 1
    assert SystemState.gather(state.snapshots().values(), state.position).digest() == state.digest()


def test_gathered_snapshots_give_the_digest_of_the_replay() -> None:
    state = SystemState.replay(small_history())
    gathered = SystemState.gather(state.snapshots().values(), state.position)
    assert gathered.digest() == state.digest()
    assert gathered.versions == state.versions
    assert gathered.position == 9


def test_gathering_skips_aggregates_without_events() -> None:
    idle: list[AggregateSnapshot] = [
        Topic("never").snapshot(),
        Producer("idle").snapshot(),
        ConsumerGroup("empty").snapshot(),
    ]
    assert SystemState.gather(idle).digest() == SystemState().digest()


def test_a_live_aggregate_has_the_snapshot_of_its_replay_whatever_it_keeps_in_memory() -> None:
    log = small_history()
    events = [item for commit in log.commits(stream="topic/orders") for item in commit.events]
    replayed = SystemState.replay(log).snapshots()["topic/orders"]
    for tail in (None, TailLimit(1, 1), TailLimit(0, 0)):
        assert given(Topic("orders", tail), *events).snapshot() == replayed


def test_commits_of_different_streams_may_come_in_any_order() -> None:
    forwards, backwards = SystemState(), SystemState()
    log = small_history()
    streams = ["topic/orders", "producer/p", "consumer/c1", "group/g"]
    for state, order in ((forwards, streams), (backwards, streams[::-1])):
        for stream in order:
            for commit in log.commits(stream=stream):
                state.apply_commit(commit)
    assert forwards.digest() == backwards.digest() == SystemState.replay(log).digest()


def test_time_between_two_records_belongs_to_the_earlier() -> None:
    log = small_history()
    just_before = after(2) - timedelta(microseconds=1)
    assert SystemState.replay(log, until=just_before).position == 1
