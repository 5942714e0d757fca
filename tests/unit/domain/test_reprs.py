"""What a debugger or a notebook shows of aggregates and states: one line, and no memory address."""

from __future__ import annotations

from support.domain import NOON, given, given_topic, produced, record

from odradek_domain.consumer.consumer import Consumer
from odradek_domain.group.group import ConsumerGroup
from odradek_domain.producer.producer import Producer
from odradek_domain.replay.system_state import SystemState
from odradek_domain.topic.topic import Topic
from odradek_events import MemoryLog
from odradek_events.types import (
    ConsumerRegistered,
    ConsumerSubscribed,
    MemberJoined,
    ProducerProgressed,
    ProducerRegistered,
    TopicCreated,
    TopicDeleted,
)


def test_a_topic_shows_its_partitions_messages_and_version() -> None:
    topic = given(given_topic(partitions=3), produced(0), produced(1), produced(0, partition=2))
    assert repr(topic) == "<Topic 'orders' partitions=3 messages=3 version=3>"


def test_a_topic_that_does_not_exist_says_so() -> None:
    assert repr(Topic("orders")) == "<Topic 'orders' exists=False version=-1>"
    deleted = given(given_topic(), TopicDeleted("orders", "t-1", NOON))
    assert repr(deleted) == "<Topic 'orders' exists=False version=1>"


def test_a_group_shows_its_state_members_and_generation() -> None:
    joined = MemberJoined("billing", "m-1", "c-1", ("orders",), ("range",), 10_000, 60_000, "run-1", NOON)
    assert repr(given(ConsumerGroup("billing"), joined)) == (
        "<ConsumerGroup 'billing' PreparingRebalance members=1 generation=0 version=0>"
    )
    assert repr(ConsumerGroup("billing")) == "<ConsumerGroup 'billing' Empty members=0 generation=0 version=-1>"


def test_a_producer_shows_its_epoch_and_messages() -> None:
    producer = given(Producer("p"), ProducerRegistered("p", "p", 0, NOON), ProducerProgressed("p", 12, 40, NOON))
    assert repr(producer) == "<Producer 'p' epoch=0 messages=12 version=1>"


def test_a_consumer_shows_its_group_and_topics() -> None:
    registered = ConsumerRegistered("c", NOON, "billing")
    consumer = given(Consumer("c"), registered, ConsumerSubscribed("c", ("orders", "refunds"), NOON))
    assert repr(consumer) == "<Consumer 'c' group='billing' topics=2 version=1>"
    assert repr(Consumer("c")) == "<Consumer 'c' topics=0 version=-1>"


def test_a_state_shows_its_position_and_counts_what_exists() -> None:
    log = MemoryLog()
    record(log, "topic/orders", TopicCreated("orders", "t-1", 1, NOON), produced(0))
    record(log, "topic/refunds", TopicCreated("refunds", "t-2", 1, NOON), TopicDeleted("refunds", "t-2", NOON))
    record(log, "producer/p", ProducerRegistered("p", "p", 0, NOON))
    assert repr(SystemState.replay(log)) == "<SystemState position=4 topics=1 producers=1 consumers=0 groups=0>"
    assert repr(SystemState()) == "<SystemState position=-1 topics=0 producers=0 consumers=0 groups=0>"
