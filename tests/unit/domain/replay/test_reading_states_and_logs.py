"""What is read off a log or a state for people: a topic's messages, lag, differences, statistics."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.domain import NOON, record
from support.log import CountingCodec
from support.retention import stored

from odradek import ActorSystem, MemoryLog, SystemState
from odradek_domain.errors import OffsetNotFound, TopicNotFound
from odradek_domain.replay.lag import PartitionLag, partition_lags
from odradek_domain.replay.state_difference import state_difference
from odradek_domain.replay.topic_reader import TopicReader
from odradek_domain.topic.bounds import PartitionBounds
from odradek_events.maintenance.statistics import log_statistics
from odradek_events.types import TopicCreated


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def system(log: MemoryLog) -> Iterator[ActorSystem]:
    """Topic t with three messages in partition 0 and five in partition 1."""
    with ActorSystem.open(log) as system:
        system.create_topic("t", 2)
        with system.producer("p") as producer:
            producer.send_batch("t", [b"x"] * 3, partition=0).result()
            producer.send_batch("t", [b"x"] * 5, partition=1).result()
        yield system


def places(reader: TopicReader) -> list[tuple[int, int]]:
    return [(event.partition, event.offset) for event in reader.read()]


def test_a_reader_reads_everything_once_and_then_what_is_new(system: ActorSystem, log: MemoryLog) -> None:
    reader = TopicReader(log, "t")
    assert reader.outline.partitions == (PartitionBounds(0, 0, 3), PartitionBounds(1, 0, 5))
    assert places(reader) == [*((0, n) for n in range(3)), *((1, n) for n in range(5))]
    assert places(reader) == []
    system.add_partitions("t", 3)
    with system.producer("p") as producer:
        producer.send("t", b"x", partition=2).result()
    assert places(reader) == [(2, 0)]
    assert TopicReader(log, "t").outline.partitions[2] == PartitionBounds(2, 0, 1)


def test_a_reader_starts_at_the_given_place(system: ActorSystem, log: MemoryLog) -> None:
    reader = TopicReader(log, "t")
    reader.begin_at(4)
    assert places(reader) == [(1, 4)]
    reader.begin_at_end()
    assert places(reader) == []
    reader.begin_at(5)
    assert places(reader) == []
    with pytest.raises(OffsetNotFound):
        reader.begin_at(6)


def test_a_reader_honours_deleted_records_and_incarnations(system: ActorSystem, log: MemoryLog) -> None:
    system.delete_records("t", 1, 4)
    assert places(TopicReader(log, "t")) == [*((0, n) for n in range(3)), (1, 4)]
    system.delete_topic("t")
    with pytest.raises(TopicNotFound):
        TopicReader(log, "t")
    system.create_topic("t", 1)
    assert TopicReader(log, "t").outline.partitions == (PartitionBounds(0, 0, 0),)
    assert places(TopicReader(log, "t")) == []


def test_a_commit_in_which_many_partitions_end_is_decoded_once_for_all_of_them() -> None:
    codec = CountingCodec()
    log = MemoryLog(codec)
    record(log, "topic/orders", TopicCreated("orders", "t-1", 40, NOON))
    for offset in range(2):
        record(log, "topic/orders", *[stored(offset, partition=number) for number in range(30 + offset)])
    codec.decoded = 0

    outline = TopicReader(log, "orders").outline

    assert [part.high_watermark for part in outline.partitions] == [2] * 30 + [2] + [0] * 9
    assert codec.decoded <= 3


def test_lag_is_what_is_left_to_read_of_what_can_be_read(system: ActorSystem, log: MemoryLog) -> None:
    with system.consumer("c", "g") as consumer:
        consumer.subscribe(["t"])
        consumer.poll(1, timeout=10)  # until it has its share
        consumer.seek_to_beginning("t")
        consumer.seek("t", 1, 2)
        while consumer.poll(timeout=0):
            pass
        consumer.commit()
    with system.producer("p") as producer:
        producer.send_batch("t", [b"x"] * 2, partition=1).result()
    assert partition_lags(SystemState.replay(log)) == [
        PartitionLag("group/g", "t", 0, 3, 3, 0),
        PartitionLag("group/g", "t", 1, 5, 7, 2),
    ]
    system.delete_records("t", 1, 6)
    assert partition_lags(SystemState.replay(log))[1].lag == 1
    system.delete_topic("t")
    assert partition_lags(SystemState.replay(log)) == []


def test_a_partition_without_a_commit_has_no_lag(system: ActorSystem, log: MemoryLog) -> None:
    with system.consumer("c") as consumer:
        consumer.subscribe(["t"])
        consumer.poll(1)
        consumer.commit()
    lags = {lag.partition: (lag.owner, lag.committed, lag.lag) for lag in partition_lags(SystemState.replay(log))}
    ((committed, left),) = [(c, n) for _, c, n in lags.values() if c is not None]
    assert committed == 1
    assert left in (2, 4)
    assert ("consumer/c", None, None) in lags.values()


def test_a_difference_names_facts_before_and_after(system: ActorSystem, log: MemoryLog) -> None:
    before = SystemState.replay(log)
    assert state_difference(before, before) == []
    system.delete_topic("t")
    changes = {
        (change.stream, change.fact): (change.before, change.after)
        for change in state_difference(before, SystemState.replay(log))
    }
    assert changes["topic/t", "partitions"] == (2, None)
    assert changes["topic/t", "partition 1 high_watermark"] == (5, None)
    assert changes["topic/t", "version"] == (8, 9)


def test_statistics_count_every_event_once(system: ActorSystem, log: MemoryLog) -> None:
    found = log_statistics(log, biggest=1)
    assert found.events == found.position + 1 == sum(found.events_by_type.values())
    assert found.events_by_type["MessageProduced"] == 8
    assert sum(found.events_by_stream_type.values()) == found.events
    assert [stream.stream for stream in found.biggest_streams] == ["topic/t"]
    assert found.largest_commit == 5
    assert found.events_per_commit == found.events / found.commits
    assert found.first_recorded_at is not None
    assert log_statistics(MemoryLog()).events_per_commit == 0.0
