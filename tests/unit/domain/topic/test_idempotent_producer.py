"""Idempotent appends at the topic: repeats are answered, gaps refused, older epochs fenced."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.domain import NOON, batch, given, given_topic, message, recreate, store

from odradek_domain.errors import OutOfOrderSequence, ProducerFenced
from odradek_domain.topic.topic import AppendDecision, AppendMessages, Topic


def topic_with_six_batches_of(producer: str = "p") -> Topic:
    """Six numbered batches of two, each followed by a message of somebody else, so that no two lie side by side."""
    topic = given_topic()
    for number in range(6):
        assert store(topic, batch(2, sequence=2 * number, producer=producer)).offsets == [3 * number, 3 * number + 1]
        store(topic, batch(1, producer="other"))
    return topic


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_repeat_of_any_of_the_last_five_batches_gets_its_original_offsets_and_no_events(number: int) -> None:
    topic = topic_with_six_batches_of()
    before = topic.snapshot()
    repeated = store(topic, batch(2, sequence=2 * number))
    assert repeated == AppendDecision([3 * number, 3 * number + 1], [], is_duplicate=True)
    assert topic.snapshot() == before


def test_a_duplicate_of_a_forgotten_batch_is_refused() -> None:
    topic = topic_with_six_batches_of()
    store(topic, batch(2, sequence=12))
    with pytest.raises(OutOfOrderSequence, match="do not send it again, or start a new epoch") as refused:
        store(topic, batch(2, sequence=0))
    error = refused.value
    assert (error.producer, error.topic, error.partition) == ("p", "orders", 0)
    assert (error.expected, error.sequence) == (14, 0)


def test_a_repeat_within_the_batch_being_decided_gets_the_offsets_of_its_original() -> None:
    topic = given_topic()
    first, repeat, second = topic.decide_appends([batch(2, sequence=0), batch(2, sequence=0), batch(1, sequence=2)])
    assert isinstance(first, AppendDecision)
    assert isinstance(second, AppendDecision)
    assert repeat == AppendDecision([0, 1], [], is_duplicate=True)
    assert (first.offsets, second.offsets) == ([0, 1], [2])


def test_a_duplicate_may_be_batched_differently_within_one_run() -> None:
    topic = given_topic()
    store(topic, batch(2, sequence=0))
    store(topic, batch(2, sequence=2))
    assert store(topic, batch(3, sequence=1)).offsets == [1, 2, 3]


def test_a_gap_is_refused_until_the_missing_batch_is_sent() -> None:
    topic = given_topic()
    store(topic, batch(2, sequence=0))
    with pytest.raises(OutOfOrderSequence, match="sent sequence 3 to orders/0, expected 2; send the missing") as no:
        store(topic, batch(1, sequence=3))
    assert (no.value.expected, no.value.sequence) == (2, 3)
    store(topic, batch(1, sequence=2))
    assert store(topic, batch(1, sequence=3)).offsets == [3]


class Walked(tuple[int, ...]):
    """Partitions of messages that know how often they were counted through."""

    walks = 0

    def count(self, value: object, /) -> int:
        """Count one value."""
        type(self).walks += 1
        return super().count(value)

    def __iter__(self) -> Iterator[int]:
        """Go over all of them."""
        type(self).walks += 1
        return super().__iter__()


def test_the_messages_of_a_batch_are_not_walked_over_for_each_of_its_partitions() -> None:
    topic = given_topic(partitions=50)
    places = Walked(range(50))
    wide = AppendMessages(
        tuple(message() for _ in places), places, "p", base_sequences=tuple((place, 0) for place in range(50))
    )
    Walked.walks = 0

    assert [store(topic, wide).is_duplicate for _ in range(2)] == [False, True]

    assert Walked.walks < 20


def test_a_partly_stored_batch_is_refused() -> None:
    topic = given_topic()
    store(topic, batch(2, sequence=0))
    with pytest.raises(OutOfOrderSequence):
        store(topic, batch(2, sequence=1))
    assert topic.message_count == 2


def test_a_first_batch_starts_at_0() -> None:
    with pytest.raises(OutOfOrderSequence) as refused:
        store(given_topic(), batch(1, sequence=4))
    assert refused.value.expected == 0


def test_an_older_epoch_is_fenced() -> None:
    topic = given_topic()
    store(topic, batch(1, sequence=0, epoch=2))
    for sequence in (0, 1):
        with pytest.raises(ProducerFenced, match="epoch 1 is fenced by epoch 2; open a new producer") as refused:
            store(topic, batch(1, sequence=sequence, epoch=1))
        assert (refused.value.producer, refused.value.epoch, refused.value.current) == ("p", 1, 2)


def test_a_new_epoch_starts_at_0_and_nowhere_else() -> None:
    topic = given_topic()
    store(topic, batch(3, sequence=0))
    with pytest.raises(OutOfOrderSequence):
        store(topic, batch(1, sequence=3, epoch=1))
    assert store(topic, batch(1, sequence=0, epoch=1)).offsets == [3]
    assert store(topic, batch(1, sequence=1, epoch=1)).offsets == [4]


def test_a_refused_first_batch_of_a_new_epoch_does_not_fence_older_epochs() -> None:
    topic = given_topic()
    store(topic, batch(1, sequence=0))
    with pytest.raises(OutOfOrderSequence):
        store(topic, batch(1, sequence=5, epoch=1))
    assert store(topic, batch(1, sequence=1)).offsets == [1]


def test_producers_number_their_messages_independently() -> None:
    topic = given_topic()
    offsets = [
        store(topic, batch(1, sequence=sequence, producer=producer)).offsets[0]
        for sequence in range(3)
        for producer in ("a", "b")
    ]
    assert offsets == [0, 1, 2, 3, 4, 5]
    assert store(topic, batch(1, sequence=1, producer="a")).offsets == [2]
    assert store(topic, batch(1, sequence=1, producer="b")).offsets == [3]


def test_partitions_are_numbered_independently() -> None:
    topic = given_topic(partitions=2)
    store(topic, batch(2, sequence=0, partition=0))
    assert store(topic, batch(1, sequence=0, partition=1)).offsets == [0]
    store(topic, batch(1, sequence=0, partition=1, epoch=1))
    assert store(topic, batch(1, sequence=2, partition=0)).offsets == [2]


def test_without_numbers_a_repeat_is_stored_again() -> None:
    topic = given_topic()
    assert store(topic, batch(1)).offsets == [0]
    assert store(topic, batch(1)).offsets == [1]


def over_two_partitions(sequence_0: int, sequence_1: int) -> AppendMessages:
    messages = tuple(message(id=str(number)) for number in range(3))
    return AppendMessages(messages, (0, 1, 0), "p", 0, ((0, sequence_0), (1, sequence_1)))


def test_a_repeat_over_several_partitions_gets_its_offsets_in_the_order_of_its_messages() -> None:
    topic = given_topic(partitions=2)
    store(topic, batch(4, partition=1))
    assert store(topic, over_two_partitions(0, 0)).offsets == [0, 4, 1]
    assert store(topic, over_two_partitions(0, 0)) == AppendDecision([0, 4, 1], [], is_duplicate=True)


def test_an_append_with_one_partition_already_stored_is_refused_as_a_whole() -> None:
    topic = given_topic(partitions=2)
    store(topic, batch(1, sequence=0, partition=1))
    with pytest.raises(OutOfOrderSequence, match="sent sequence 0 to orders/1, expected 1") as refused:
        store(topic, over_two_partitions(0, 0))
    assert refused.value.partition == 1
    assert topic.partitions[0].high_watermark == 0


def test_sequences_start_again_with_a_topic_created_again() -> None:
    topic = given_topic()
    store(topic, batch(3, sequence=0, epoch=4))
    recreate(topic)
    assert store(topic, batch(1, sequence=0, epoch=4)).offsets == [0]


def test_deleted_records_do_not_make_a_repeat_new() -> None:
    topic = given_topic()
    store(topic, batch(3, sequence=0))
    given(topic, *topic.delete_records(0, 3, NOON))
    assert store(topic, batch(3, sequence=0)).is_duplicate


def test_numbered_messages_applied_together_with_unnumbered_ones_are_remembered() -> None:
    topic = given_topic()
    unnumbered, numbered = topic.decide_appends([batch(1), batch(1, sequence=0)])
    assert isinstance(unnumbered, AppendDecision)
    assert isinstance(numbered, AppendDecision)
    topic.apply_all([*unnumbered.events, *numbered.events])
    assert store(topic, batch(1, sequence=0)) == AppendDecision([1], [], is_duplicate=True)


def test_sequences_of_several_producers_applied_together_are_kept_apart() -> None:
    topic = given_topic()
    commands = [
        batch(2, sequence=0, producer="a"),
        batch(1, sequence=0, producer="b"),
        batch(1, sequence=2, producer="a"),
    ]
    decided = topic.decide_appends(commands)
    topic.apply_all([event for one in decided if isinstance(one, AppendDecision) for event in one.events])
    repeats = [store(topic, command) for command in commands]
    assert [(repeat.offsets, repeat.is_duplicate) for repeat in repeats] == [([0, 1], True), ([2], True), ([3], True)]
