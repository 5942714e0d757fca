"""MessageRoutingService: where messages go, by the rules of Kafka's own clients."""

from __future__ import annotations

from collections import Counter

import pytest
from support.domain import given_topic, message

from odradek_domain.errors import PartitionNotFound, TopicNotFound
from odradek_domain.producer.partitioner import StickyPartitioner, murmur2, partition_for_key
from odradek_domain.producer.routing import MessageRoutingService
from odradek_domain.topic.topic import Topic

# org.apache.kafka.common.utils.UtilsTest
KAFKAS_VECTORS = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]


@pytest.mark.parametrize(("data", "expected"), KAFKAS_VECTORS)
def test_murmur2_gives_kafkas_values(data: bytes, expected: int) -> None:
    assert murmur2(data) == expected


@pytest.mark.parametrize(("key", "expected"), KAFKAS_VECTORS)
def test_a_key_goes_where_kafka_would_put_it_asked_once_or_again(key: bytes, expected: int) -> None:
    for partition_count in (1, 2, 3, 7, 100):
        for _ in range(2):
            assert partition_for_key(key, partition_count) == (expected & 0x7FFFFFFF) % partition_count


def test_a_key_of_any_length_has_a_partition() -> None:
    long = b"k" * 100_000
    assert partition_for_key(b"", 7) == (murmur2(b"") & 0x7FFFFFFF) % 7
    assert partition_for_key(long, 7) == (murmur2(long) & 0x7FFFFFFF) % 7


def test_more_keys_than_are_remembered_still_go_to_the_right_partitions() -> None:
    keys = [b"key-%d" % number for number in range(70_000)]
    first = [partition_for_key(key, 1 << 31) for key in keys[:10]]
    assert len({partition_for_key(key, 1 << 31) for key in keys}) > 69_000
    assert [partition_for_key(key, 1 << 31) for key in keys[:10]] == first


def test_keys_spread_over_partitions() -> None:
    counts = Counter(partition_for_key(b"customer-%d" % number, 8) for number in range(8_000))
    assert min(counts.values()) > 800


def test_an_explicit_partition_wins_over_the_key() -> None:
    topic, router = given_topic(partitions=3), MessageRoutingService()
    keyed = message(key=b"foobar")
    assert {router.route_message(keyed, topic, partition) for partition in range(3)} == {0, 1, 2}


@pytest.mark.parametrize("partition", [-1, 3])
def test_an_explicit_partition_must_exist(partition: int) -> None:
    with pytest.raises(PartitionNotFound) as refused:
        MessageRoutingService().route_message(message(), given_topic(partitions=3), partition)
    assert (refused.value.topic, refused.value.partition, refused.value.count) == ("orders", partition, 3)


def test_a_missing_topic_has_no_partitions_to_route_to() -> None:
    with pytest.raises(TopicNotFound):
        MessageRoutingService().route_message(message(), Topic("orders"))


def test_a_topic_of_one_partition_takes_everything() -> None:
    router = MessageRoutingService()
    assert router.route_batch([message(key=b"a"), message()], "orders", 1) == [0, 0]


def test_keyless_messages_of_a_batch_stay_together_and_batches_move_on_evenly() -> None:
    router = MessageRoutingService()
    counts: Counter[int] = Counter()
    for _ in range(9):
        routed = set(router.route_batch([message()] * 5, "orders", 3))
        assert len(routed) == 1
        counts.update(routed)
        router.next_batch()
    assert counts == {0: 3, 1: 3, 2: 3}


def test_without_a_next_batch_a_message_stays_where_the_last_one_went() -> None:
    topic, router = given_topic(partitions=3), MessageRoutingService()
    assert len({router.route_message(message(), topic) for _ in range(5)}) == 1


def test_keyed_messages_do_not_move_the_keyless_on() -> None:
    router = MessageRoutingService()
    for _ in range(3):
        router.route_batch([message(key=b"a")], "orders", 3)
        router.next_batch()
    assert router.route_batch([message()], "orders", 3) == [0]


def test_batches_that_alternate_between_topics_fill_all_partitions_of_each() -> None:
    router = MessageRoutingService()
    seen: dict[str, list[int]] = {"a": [], "b": []}
    for _ in range(4):
        for name, partitions in seen.items():
            partitions.extend(router.route_batch([message()], name, 2))
            router.next_batch()
    assert seen == {"a": [0, 1, 0, 1], "b": [0, 1, 0, 1]}


def test_a_mixed_batch_routes_each_message_by_its_own_rule() -> None:
    router = MessageRoutingService()
    router.route_batch([message()], "orders", 3)
    router.next_batch()
    routed = router.route_batch([message(), message(key=b"foobar"), message()], "orders", 3)
    assert routed == [1, partition_for_key(b"foobar", 3), 1]


def test_added_partitions_take_part() -> None:
    sticky = StickyPartitioner()
    seen = []
    for partition_count in (2, 2, 3, 3, 3):
        seen.append(sticky.partition(partition_count))
        sticky.next_batch()
    assert seen == [0, 1, 2, 0, 1]
