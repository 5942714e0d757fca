"""Deciding appends in a batch equals deciding them one by one, and offsets are dense for any commands."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st
from support.domain import given_topic, in_batches, message, outcome, store_one_by_one

from odradek_domain.errors import DomainError
from odradek_domain.topic.topic import AppendDecision, AppendMessages, Topic
from odradek_events.types import MessageProduced

PARTITIONS = 3

# Built once, because building them for each command takes longer than to draw from them.
COUNTS = st.integers(1, 25)
PRODUCERS = st.sampled_from("ab")
MISHAPS = st.sampled_from(["none"] * 5 + ["repeat", "gap", "half", "old epoch", "new epoch", "odd"])
PLACES = st.lists(st.integers(0, PARTITIONS - 1), min_size=1, max_size=4).map(tuple)
ODDITIES = st.sampled_from(["unnumbered", "no such partition", "wrong topic", "misnumbered"])


@st.composite
def append_commands(draw: st.DrawFn) -> list[AppendMessages]:
    """Draw commands of a few producers whose sequences are mostly right, and sometimes wrong in every possible way."""
    due: dict[tuple[str, int, int], int] = defaultdict(int)  # (producer, epoch, partition) -> next sequence
    epochs = {"a": 0, "b": 0}
    sent: list[AppendMessages] = []
    for number in range(draw(COUNTS)):
        producer = draw(PRODUCERS)
        mishap = draw(MISHAPS)
        if mishap == "repeat" and sent:
            sent.append(draw(st.sampled_from(sent[-7:])))
            continue
        if mishap == "new epoch":
            epochs[producer] += 1
        epoch = max(0, epochs[producer] - (mishap == "old epoch"))
        partitions = draw(PLACES)
        messages = tuple(message(b"%d" % index, id=f"m{number}-{index}") for index in range(len(partitions)))
        topic_id = None
        bases = []
        for partition in sorted(set(partitions)):
            base = due[producer, epoch, partition]
            if mishap == "none":
                due[producer, epoch, partition] = base + partitions.count(partition)
            bases.append((partition, max(0, base + {"gap": 2, "half": -1}.get(mishap, 0))))
        if mishap == "odd":
            kind = draw(ODDITIES)
            topic_id = "t-0" if kind == "wrong topic" else "t-1"
            if kind == "no such partition":
                partitions = (PARTITIONS, *partitions[1:])
            bases = [(PARTITIONS - 1, 0), (0, 7)] if kind == "misnumbered" else []
        sent.append(AppendMessages(messages, partitions, producer, epoch, tuple(bases), topic_id))
    return sent


@given(append_commands(), st.lists(st.integers(0, 6), max_size=6))
def test_deciding_a_merged_batch_equals_deciding_its_messages_one_by_one(
    commands: list[AppendMessages], sizes: list[int]
) -> None:
    alone, merged = given_topic(partitions=PARTITIONS), given_topic(partitions=PARTITIONS)
    expected = store_one_by_one(alone, commands)
    decided: list[AppendDecision | DomainError] = []
    for group in in_batches(commands, sizes):
        together = merged.decide_appends(group)
        merged.apply_all([item for one in together if isinstance(one, AppendDecision) for item in one.events])
        decided.extend(together)
    assert [outcome(one) for one in decided] == [outcome(one) for one in expected]
    assert merged.snapshot() == alone.snapshot()


@given(append_commands())
def test_deciding_changes_nothing(commands: list[AppendMessages]) -> None:
    topic = given_topic(partitions=PARTITIONS)
    half = len(commands) // 2
    store_one_by_one(topic, commands[:half])
    before = topic.snapshot()
    first = topic.decide_appends(commands[half:])
    assert topic.snapshot() == before
    assert [outcome(one) for one in topic.decide_appends(commands[half:])] == [outcome(one) for one in first]


@given(append_commands())
def test_offsets_are_dense_from_0_and_high_watermarks_never_fall(commands: list[AppendMessages]) -> None:
    topic = given_topic(partitions=PARTITIONS)
    watermarks = [0] * PARTITIONS
    stored: list[list[MessageProduced]] = [[] for _ in range(PARTITIONS)]
    for command in commands:
        for decided in store_one_by_one(topic, [command]):
            if isinstance(decided, AppendDecision):
                for item in decided.events:
                    stored[item.partition].append(item)
        now = [int(partition.high_watermark) for partition in topic.partitions]
        assert all(new >= old for new, old in zip(now, watermarks, strict=True))
        watermarks = now
    for partition, items in zip(topic.partitions, stored, strict=True):
        assert [item.offset for item in items] == list(range(len(items)))
        assert partition.high_watermark == len(items)
        assert topic.read(partition.id, 0, len(items)) == items


@given(append_commands())
def test_a_numbered_message_is_stored_once(commands: list[AppendMessages]) -> None:
    topic = given_topic(partitions=PARTITIONS)
    store_one_by_one(topic, commands)
    for partition in topic.partitions:
        numbered = [
            (item.producer_id, item.producer_epoch, item.sequence)
            for item in topic.read(partition.id, 0, partition.high_watermark)
            if item.sequence >= 0
        ]
        assert len(set(numbered)) == len(numbered)


@given(append_commands(), st.data())
def test_the_last_five_batches_of_a_producer_can_be_repeated(
    commands: list[AppendMessages], data: st.DataObject
) -> None:
    topic = given_topic(partitions=PARTITIONS)
    accepted: list[tuple[AppendMessages, AppendDecision]] = []
    for command in commands:
        for decided in store_one_by_one(topic, [command]):
            if isinstance(decided, AppendDecision) and decided.events and len(command.base_sequences) == 1:
                accepted.append((command, decided))
    last = _last_five(topic, accepted)
    if last:
        command, decided = data.draw(st.sampled_from(last))
        assert topic.decide_appends([command]) == [AppendDecision(decided.offsets, [], is_duplicate=True)]


def _last_five(
    topic: Topic, accepted: list[tuple[AppendMessages, AppendDecision]]
) -> list[tuple[AppendMessages, AppendDecision]]:
    """Return the last five batches of each producer's current epoch in each partition."""
    by_place: dict[tuple[str, int], list[tuple[AppendMessages, AppendDecision]]] = defaultdict(list)
    for command, decided in accepted:
        ((partition, _),) = command.base_sequences
        if topic.partitions[partition].sequences[command.producer_id].epoch == command.producer_epoch:
            by_place[command.producer_id, partition].append((command, decided))
    return [entry for entries in by_place.values() for entry in entries[-5:]]
