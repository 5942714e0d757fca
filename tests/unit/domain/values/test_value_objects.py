"""Names, ids, offsets: checked once, plain values after that."""

from __future__ import annotations

import enum

import pytest

from odradek_domain.errors import InvalidIdentifier, InvalidMessageId, InvalidOffset, InvalidTopicName, ValidationError
from odradek_domain.values.names import ConsumerId, GroupId, MessageId, ProducerId, TopicName
from odradek_domain.values.positions import Offset, PartitionId, TopicPartition

UUID = "123e4567-e89b-42d3-a456-426614174000"


@pytest.mark.parametrize("name", ["a", "orders", "Orders.v1_2-x", "...", "..a", "x" * 249])
def test_a_topic_name_by_kafkas_rules_is_taken_as_it_is(name: str) -> None:
    assert TopicName(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "orders\n", "\x00", "x" * 250])
def test_a_topic_name_that_kafka_refuses_is_refused(name: str) -> None:
    with pytest.raises(InvalidTopicName, match="is not a topic name; use 1 to 249") as refused:
        TopicName(name)
    assert refused.value.name == name


def test_a_topic_name_must_be_a_str() -> None:
    with pytest.raises(InvalidTopicName):
        TopicName(7)  # type: ignore[arg-type]  # the mistake under test


def test_topic_names_differ_by_case() -> None:
    assert TopicName("Orders") != TopicName("orders")


def test_a_recorded_topic_name_is_not_judged_again() -> None:
    assert TopicName.recorded("an old name") == "an old name"
    assert isinstance(TopicName.recorded("an old name"), TopicName)


@pytest.mark.parametrize("kind", [ConsumerId, ProducerId, GroupId])
@pytest.mark.parametrize("value", ["a", "Zürich/1 2", "x" * 249])
def test_an_id_of_printable_characters_is_taken(kind: type[ConsumerId], value: str) -> None:
    assert kind(value) == value


@pytest.mark.parametrize("kind", [ConsumerId, ProducerId, GroupId])
@pytest.mark.parametrize("value", ["", "a\n", "\x07", "\ud800", "x" * 250])
def test_an_id_that_cannot_name_a_stream_is_refused(kind: type[ConsumerId], value: str) -> None:
    with pytest.raises(InvalidIdentifier) as refused:
        kind(value)
    assert (refused.value.kind, refused.value.value) == (kind.kind, value)
    assert f"is not a {kind.kind} id; use" in str(refused.value)


def test_a_message_id_is_a_uuid_in_canonical_form() -> None:
    assert MessageId.from_string(UUID.upper()) == UUID
    assert MessageId(UUID) == UUID


@pytest.mark.parametrize("text", ["", "x", UUID[:-1], UUID + "0", UUID.replace("-", ""), "{" + UUID + "}", UUID + "\n"])
def test_a_bad_uuid_is_not_a_message_id(text: str) -> None:
    for make in (MessageId.from_string, MessageId):
        with pytest.raises(InvalidMessageId, match="use a UUID like") as refused:
            make(text)
        assert refused.value.text == text


def test_a_new_message_id_has_version_4_and_the_rfc_variant_and_keeps_all_other_bits() -> None:
    assert MessageId.new(bytes(16)) == "00000000-0000-4000-8000-000000000000"
    assert MessageId.new(b"\xff" * 16) == "ffffffff-ffff-4fff-bfff-ffffffffffff"
    made = MessageId.new(bytes(range(16)))
    assert made == "00010203-0405-4607-8809-0a0b0c0d0e0f"
    assert MessageId.from_string(made) == made


def test_a_new_message_id_needs_16_bytes() -> None:
    with pytest.raises(InvalidMessageId):
        MessageId.new(b"short")


def test_an_offset_counts_from_0_and_knows_the_next() -> None:
    assert Offset(0).next() == 1
    assert isinstance(Offset(0).next(), Offset)
    assert type(Offset(5).value) is int


@pytest.mark.parametrize("value", [-1, -(10**20), 2.5, "3", None])
def test_offsets_and_partitions_must_be_whole_numbers_of_0_or_more(value: int) -> None:
    with pytest.raises(InvalidOffset, match="is not an offset; use") as refused:
        Offset(value)
    assert (refused.value.kind, refused.value.value) == ("an offset", value)
    with pytest.raises(InvalidOffset, match="is not a partition; use"):
        PartitionId(value)


def test_a_topic_partition_is_a_pair_and_reads_as_a_path() -> None:
    assert str(TopicPartition("orders", 2)) == "orders/2"
    assert TopicPartition("a", 1) < TopicPartition("a", 2) < TopicPartition("b", 0)
    assert {TopicPartition("a", 1): "x"}[TopicPartition("a", 1)] == "x"


def test_every_refused_value_is_a_value_error_too() -> None:
    assert issubclass(ValidationError, ValueError)


class Colour(str, enum.Enum):  # noqa: UP042  # as people write it: `str()` of a member is not its value
    RED = "red"


@pytest.mark.parametrize("kind", [TopicName, GroupId, ConsumerId, ProducerId])
def test_a_name_of_a_subclass_of_str_is_what_it_holds(kind: type[str]) -> None:
    assert str(kind(Colour.RED)) == "red"
    assert type(str(kind(Colour.RED))) is str
