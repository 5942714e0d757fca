"""Producers: order, partitions, grouping, limits, and how much they have sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from support.actors import World, event_types, in_threads, produce, read_all, values

from odradek_actors.client.producer import Entry
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import BufferFull, RequestTimedOut, SystemClosed
from odradek_domain.errors import InvalidHeader, InvalidIdentifier, MessageTooLarge, PartitionNotFound
from odradek_domain.producer.partitioner import partition_for_key
from odradek_events import MemoryLog
from odradek_events.testing import FaultyLog


def test_a_receipt_says_where_the_message_is(world: World) -> None:
    system = world.open()
    system.create_topic("orders")
    moment = datetime(2024, 5, 1, tzinfo=UTC)

    receipt = system.producer().send("orders", "v", key="k", timestamp=moment).result()

    assert (receipt.topic, receipt.partition, receipt.offset, receipt.timestamp) == ("orders", 0, 0, moment)
    (recorded,) = world.log.read(after=receipt.position - 1, until=receipt.position)
    assert (recorded.event.key, recorded.event.value) == (b"k", b"v")


def test_a_message_arrives_as_it_was_sent(system: ActorSystem) -> None:
    producer = system.producer()
    moment = datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    headers = [("trace", b"1"), ("trace", b"2")]
    producer.send("orders", b"\x00\xff", key="schlüssel", headers=headers, timestamp=moment).result()
    producer.send("orders", None, key=b"gone").result()
    producer.send("orders", "", key="").result()
    consumer = system.consumer("c")
    consumer.subscribe(["orders"])

    first, tombstone, empty = read_all(consumer, 3)

    assert (first.key, first.value) == ("schlüssel".encode(), b"\x00\xff")
    assert first.headers == (("trace", b"1"), ("trace", b"2"))
    assert first.timestamp == moment
    assert (tombstone.key, tombstone.value) == (b"gone", None)
    assert (empty.key, empty.value) == (b"", b"")


def test_a_batch_takes_values_pairs_and_triples(system: ActorSystem) -> None:
    batch: list[Entry] = ["plain", ("key", "pair"), ("key", b"triple", [("h", b"1")])]

    receipts = system.producer().send_batch("orders", batch).result()

    assert [receipt.offset for receipt in receipts] == [0, 1, 2]
    assert [receipt.position for receipt in receipts] == list(range(receipts[0].position, receipts[0].position + 3))
    consumer = system.consumer("c")
    consumer.subscribe(["orders"])
    records = read_all(consumer, 3)
    assert [(r.key, r.value, r.headers) for r in records] == [
        (None, b"plain", ()),
        (b"key", b"pair", ()),
        (b"key", b"triple", (("h", b"1"),)),
    ]


def test_an_empty_batch_is_acknowledged_and_stores_nothing(world: World) -> None:
    system = world.open()

    assert system.producer().send_batch("orders", []).result() == []
    system.settle()
    assert world.log.head().position == -1


def test_sends_of_one_producer_keep_their_order(system: ActorSystem) -> None:
    producer = system.producer()

    promises = [producer.send("orders", str(number)) for number in range(300)]

    assert [promise.result().offset for promise in promises] == list(range(300))
    consumer = system.consumer("c")
    consumer.subscribe(["orders"])
    assert values(read_all(consumer, 300)) == [str(number) for number in range(300)]


def test_a_key_decides_the_partition_as_kafka_would(system: ActorSystem) -> None:
    system.create_topic("orders", partitions=5)
    producer = system.producer()
    keys = [f"key-{number}" for number in range(40)]

    receipts = producer.send_batch("orders", [(key, "v") for key in keys]).result()

    assert [receipt.partition for receipt in receipts] == [partition_for_key(key.encode(), 5) for key in keys]
    assert len({receipt.partition for receipt in receipts}) > 1


def test_messages_without_a_key_go_batch_by_batch_to_every_partition(system: ActorSystem) -> None:
    system.create_topic("orders", partitions=3)

    batches = [produce(system, "orders", "a", "b") for _ in range(6)]

    used = [{receipt.partition for receipt in batch} for batch in batches]
    assert all(len(partitions) == 1 for partitions in used)
    assert set.union(*used) == {0, 1, 2}


def test_an_explicit_partition_wins_over_the_key(system: ActorSystem) -> None:
    system.create_topic("orders", partitions=3)
    elsewhere = (partition_for_key(b"k", 3) + 1) % 3

    receipt = system.producer().send("orders", "v", key="k", partition=elsewhere).result()

    assert receipt.partition == elsewhere


def test_a_partition_the_topic_does_not_have_fails_its_own_send_only(system: ActorSystem) -> None:
    system.create_topic("orders", partitions=2)
    producer = system.producer()
    promises = [producer.send("orders", "v", partition=partition) for partition in (0, 7, 1)]

    assert promises[0].result().partition == 0
    with pytest.raises(PartitionNotFound):
        promises[1].result()
    assert promises[2].result().partition == 1


def test_an_added_partition_can_be_sent_to_at_once(system: ActorSystem) -> None:
    system.create_topic("orders")
    producer = system.producer()
    producer.send("orders", "v").result()

    system.add_partitions("orders", 3)

    assert producer.send("orders", "v", partition=2).result().partition == 2


def test_a_partition_of_a_recreated_topic_can_be_used_at_once(system: ActorSystem) -> None:
    system.create_topic("orders")
    producer = system.producer()
    producer.send("orders", "v").result()
    system.delete_topic("orders")
    system.create_topic("orders", partitions=3)

    receipt = producer.send("orders", "v", partition=2).result()

    assert (receipt.partition, receipt.offset) == (2, 0)


@pytest.mark.parametrize("partition", [-1, 1.5, "0"])
def test_a_partition_that_is_not_a_number_is_refused_at_once(partition: int) -> None:
    with ActorSystem.open() as system, pytest.raises((TypeError, ValueError), match="partition"):
        system.producer().send("orders", "v", partition=partition)


def test_wrong_values_keys_headers_and_times_are_refused_at_once() -> None:
    with ActorSystem.open() as system:
        producer = system.producer()
        with pytest.raises(TypeError):
            producer.send("orders", 5)  # type: ignore[arg-type]  # the mistake under test
        with pytest.raises(TypeError):
            producer.send("orders", "v", key=5)  # type: ignore[arg-type]  # the mistake under test
        with pytest.raises(InvalidHeader):
            producer.send("orders", "v", headers=[("h", "text")])  # type: ignore[list-item]  # the mistake under test
        with pytest.raises(ValueError, match="time zone"):
            producer.send("orders", "v", timestamp=datetime(2024, 5, 1))  # noqa: DTZ001  # the mistake under test
        with pytest.raises(ValueError, match="has a lone surrogate at index 0"):
            producer.send("orders", "v", headers=[("\ud800", b"")])
        with pytest.raises(ValueError, match="entry"):
            producer.send_batch("orders", [("a", "b", (), "d")])  # type: ignore[list-item]  # the mistake under test
        with pytest.raises(InvalidIdentifier):
            system.producer("")
        with pytest.raises(ValueError, match="linger"):
            system.producer("p", linger_ms=-1)


def test_a_message_above_the_limit_is_refused_at_once_and_uses_no_buffer() -> None:
    with ActorSystem.open(max_message_bytes=100, buffer_bytes=150, max_block_ms=0) as system:
        producer = system.producer()
        with pytest.raises(MessageTooLarge):
            producer.send("orders", b"x" * 101)
        with pytest.raises(MessageTooLarge):
            producer.send_batch("orders", ["fits", b"x" * 101])
        assert producer.send("orders", b"x" * 100).result().offset == 0


def test_a_full_buffer_blocks_and_then_refuses_until_room_is_made(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open(buffer_bytes=100, max_block_ms=20)
    system.create_topic("orders")
    producer = system.producer()
    hold = faulty.hold("topic/")
    first = producer.send("orders", b"x" * 80)

    with pytest.raises(BufferFull):
        producer.send("orders", b"y" * 80)

    hold.release()
    assert first.result().offset == 0
    assert producer.send("orders", b"z" * 80).result().offset == 1


def test_messages_without_contents_fill_the_buffer_too(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open(buffer_bytes=10_000, max_block_ms=0)
    producer = system.producer()
    hold = faulty.hold("producer/")

    def flood() -> None:
        for _ in range(10_000):
            producer.send("orders", None)

    with pytest.raises(BufferFull):
        flood()
    hold.release()


def test_a_send_on_its_way_cannot_be_cancelled_and_keeps_its_room(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open(buffer_bytes=100, max_block_ms=20)
    producer = system.producer()
    hold = faulty.hold("producer/")
    first = producer.send("orders", b"x" * 80)

    assert not first.cancel()
    with pytest.raises(BufferFull):
        producer.send("orders", b"y" * 80)

    hold.release()
    assert first.result().offset == 0
    assert producer.send("orders", b"z" * 80).result().offset == 1


def test_a_message_larger_than_the_buffer_goes_through_alone() -> None:
    with ActorSystem.open(buffer_bytes=10, max_block_ms=5000) as system:
        producer = system.producer()
        promises = [producer.send("orders", b"x" * 50) for _ in range(5)]
        assert [promise.result().offset for promise in promises] == [0, 1, 2, 3, 4]


def test_sends_within_the_linger_share_one_commit(faulty_world: World) -> None:
    system = faulty_world.open()
    system.create_topic("orders")
    producer = system.producer(linger_ms=60_000)
    producer.send("orders", "first").result()  # it meets the topic, which nothing makes wait

    promises = [producer.send("orders", str(number)) for number in range(10)]
    producer.flush()

    positions = [promise.result().position for promise in promises]
    assert positions == list(range(positions[0], positions[0] + 10))
    (commit,) = [c for c in faulty_world.log.commits(stream="topic/orders") if c.first_position == positions[0]]
    assert len(commit.events) == 10


def test_lingering_sends_leave_when_the_time_is_over(system: ActorSystem) -> None:
    producer = system.producer(linger_ms=5)
    producer.send("orders", "first").result()

    assert producer.send("orders", "second").result().offset == 1


def test_sends_that_wait_behind_others_travel_as_one_batch(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open(max_in_flight=1)
    system.create_topic("orders")
    producer = system.producer()
    hold = faulty.hold("topic/")
    promises = [producer.send("orders", str(number)) for number in range(20)]
    assert hold.reached.wait(10)
    hold.release()

    assert [promise.result().offset for promise in promises] == list(range(20))
    assert sum(1 for _ in faulty.commits(stream="topic/orders")) < 10


def test_flush_waits_for_what_was_sent_before_it(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open()
    system.create_topic("slow")
    producer = system.producer()
    early = producer.send("quick", "v")
    early.result()
    hold = faulty.hold("topic/slow")
    late = producer.send("slow", "v")
    assert hold.reached.wait(10)

    with pytest.raises(RequestTimedOut):
        producer.flush(timeout=0.05)
    hold.release()
    producer.flush()
    assert late.done()


def test_flush_ends_while_another_thread_keeps_sending(faulty_world: World) -> None:
    producer = faulty_world.open(buffer_bytes=100_000).producer()
    producer.send("orders", "v").result()
    flushed = False

    def keep_sending() -> None:
        while not flushed:
            producer.send_batch("orders", ["v"] * 10)

    def flush_often() -> None:
        nonlocal flushed
        try:
            for _ in range(20):
                producer.flush(timeout=10)
        finally:
            flushed = True

    in_threads(keep_sending, flush_often)


def test_two_handles_with_one_client_id_are_one_producer(world: World) -> None:
    system = world.open()
    first, second = system.producer("p"), system.producer("p")
    first.send("orders", "a").result()
    second.send("orders", "b").result()

    assert first.message_count == second.message_count == 2
    first.close()
    assert second.send("orders", "c").result().offset == 2
    assert event_types(world.log, "producer/p").count("ProducerRegistered") == 1


def test_a_closed_producer_refuses_sends_and_can_be_closed_again(system: ActorSystem) -> None:
    producer = system.producer()
    sent = producer.send("orders", "v")
    producer.close()
    producer.close()

    assert sent.done()
    with pytest.raises(SystemClosed):
        producer.send("orders", "v")
    with pytest.raises(SystemClosed):
        producer.send_batch("orders", [])
    with pytest.raises(SystemClosed):
        producer.flush()


def test_a_producer_that_sent_nothing_leaves_no_trace(world: World) -> None:
    system = world.open()
    with system.producer("idle") as producer:
        assert producer.message_count == 0
        producer.flush()

    system.settle()
    assert event_types(world.log, "producer/idle") == []


def test_closing_records_the_progress(world: World) -> None:
    system = world.open()
    with system.producer("p") as producer:
        producer.send_batch("orders", ["a", "b", "c"]).result()

    assert event_types(world.log, "producer/p")[-1] == "ProducerProgressed"
    world.crash()
    assert world.open().producer("p").message_count == 3


def test_the_message_count_continues_in_a_new_run(world: World) -> None:
    with world.open() as system:
        produce(system, "orders", "a", "b")
    with world.open() as system:
        assert system.producer("p").message_count == 2
        produce(system, "orders", "c")
        assert system.producer("p").message_count == 3
    with world.open() as system:
        assert system.producer("p").message_count == 3


def test_after_a_crash_messages_whose_progress_was_never_recorded_are_counted(world: World) -> None:
    produce(world.open(), "orders", "a", "b", "c")
    world.crash()
    assert "ProducerProgressed" not in event_types(world.log, "producer/p")

    system = world.open()

    assert system.producer("p").message_count == 3
    produce(system, "orders", "d")
    assert system.producer("p").message_count == 4
    world.crash()
    assert world.open().producer("p").message_count == 4


def test_progress_is_recorded_in_the_background(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open(progress_interval=0.01)
    hold = faulty.hold("producer/p")
    promise = system.producer("p").send("orders", "v")
    hold.release()
    promise.result()
    progress = faulty.hold("producer/p")

    assert progress.reached.wait(10)
    progress.release()
    system.settle()
    assert event_types(faulty, "producer/p") == ["ProducerRegistered", "ProducerProgressed"]


def test_a_new_run_begins_a_new_epoch(world: World) -> None:
    for _ in range(3):
        produce(world.open(), "orders", "v")
        world.crash()

    epochs = [r.event.producer_epoch for r in world.log.read(types=("MessageProduced",))]
    assert epochs == [0, 1, 2]


def test_what_a_producer_sends_carries_its_correlation_id(world: World) -> None:
    receipt = world.open().producer("p").send("orders", "v", correlation_id="order-17").result()

    (recorded,) = world.log.read(after=receipt.position - 1, until=receipt.position)
    assert (recorded.metadata.correlation_id, recorded.metadata.causation_id) == ("order-17", "")


def test_a_topic_deleted_and_created_again_is_found_by_a_producer_that_knew_the_old_one(system: ActorSystem) -> None:
    producer = system.producer()
    system.create_topic("orders")
    producer.send_batch("orders", ["a", "b"]).result()
    system.delete_topic("orders")
    system.create_topic("orders", partitions=2)

    assert producer.send("orders", "c", partition=0).result().offset == 0


def test_a_deleted_topic_is_created_by_the_next_send_if_that_is_allowed(system: ActorSystem) -> None:
    producer = system.producer()
    producer.send("orders", "a").result()
    system.delete_topic("orders")

    assert producer.send("orders", "b").result().offset == 0


def test_a_promise_can_be_waited_for_with_a_time_out(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open()
    hold = faulty.hold("producer/")
    promise = system.producer().send("orders", "v")

    with pytest.raises(RequestTimedOut):
        promise.result(timeout=0.01)
    hold.release()
    assert promise.result().offset == 0


def test_message_ids_are_unique_over_producers_and_runs() -> None:
    log = MemoryLog()
    world = World(log)
    for _ in range(2):
        system = world.open()
        for client in ("p", "q"):
            produce(system, "orders", *"abcdefgh", client_id=client)
        world.crash()

    ids = [recorded.event.message_id for recorded in log.read(types=("MessageProduced",))]
    assert len(set(ids)) == len(ids) == 32


def test_sends_that_travel_together_keep_their_own_correlation_ids() -> None:
    log = MemoryLog()
    with ActorSystem.open(log) as system, system.producer("p", linger_ms=10_000) as producer:
        names = [f"request-{number}" for number in range(5)]
        promises = [producer.send("orders", "v", correlation_id=name) for name in names]
        producer.flush()
        positions = [promise.result().position for promise in promises]

    recorded = {item.position: item.metadata for item in log.read(types=["MessageProduced"])}

    assert len({recorded[position].commit_id for position in positions}) < len(names), "none travelled together"
    assert [recorded[position].correlation_id for position in positions] == names


def test_after_a_flush_every_promise_is_done(system: ActorSystem) -> None:
    producer = system.producer(linger_ms=5)
    for _ in range(10):
        promises = [producer.send("orders", "v") for _ in range(100)]
        producer.flush()
        assert all(promise.done() for promise in promises)
