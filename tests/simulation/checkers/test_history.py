"""History: what clients record of their sends, polls, commits and assignments."""

from __future__ import annotations

from typing import Any

import pytest
from support.domain import NOON

from odradek import ActorSystem, ConsumerRecord, Receipt, TopicPartition
from odradek.errors import (
    ActorFailed,
    CommitWouldGoBackwards,
    ConsumerClosed,
    DeliveryTimedOut,
    InvalidTopicName,
    MessageTooLarge,
    OutcomeUnknown,
    RequestTimedOut,
    TopicNotFound,
)
from odradek_actors.client.producer import ProducerHandle
from odradek_simulation.checkers.history import Commit, History, Outcome, Poll, Reassignment, Send, Stretch

ZERO, ONE = TopicPartition("t", 0), TopicPartition("t", 1)


def receipt(offset: int, partition: int = 0) -> Receipt:
    return Receipt("t", partition, offset, 0, NOON)


def record(value: bytes, offset: int, partition: int = 0) -> ConsumerRecord:
    return ConsumerRecord("t", partition, offset, b"k", value, (), NOON, "id")


def test_a_send_knows_its_values_and_once_acknowledged_their_places() -> None:
    client = History().client("p")
    send = client.send("t", ["a", ("k", b"b"), ("k", "c", [])])
    assert (send.outcome, send.values, send.messages) == (Outcome.INFO, [b"a", b"b", b"c"], ())
    client.acknowledge(send, [receipt(7), receipt(0, partition=1), receipt(8)])
    assert (send.outcome, send.answers) == (Outcome.OK, 1)
    assert send.messages == (Stretch(ZERO, 7, [b"a", b"c"]), Stretch(ONE, 0, [b"b"]))


def test_messages_that_are_not_consecutive_are_stretches_of_their_own() -> None:
    poll = (
        History().client("c").polled([record(b"a", 0), record(b"b", 1), record(b"x", 0, partition=1), record(b"d", 3)])
    )
    assert [(each.partition, each.begin, each.end) for each in poll.messages] == [
        (ZERO, 0, 2),
        (ONE, 0, 1),
        (ZERO, 3, 4),
    ]


@pytest.mark.parametrize(
    ("error", "outcome", "answers"),
    [
        (TopicNotFound("t"), Outcome.FAIL, 1),
        (MessageTooLarge(2, 1), Outcome.FAIL, 1),
        (OutcomeUnknown("log", "t"), Outcome.INFO, 1),
        (DeliveryTimedOut("t", 1.0), Outcome.INFO, 1),
        (ActorFailed("topic/t", "x"), Outcome.INFO, 1),
        (RequestTimedOut(1.0), Outcome.INFO, 0),
        (KeyboardInterrupt(), Outcome.INFO, 0),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, BaseException) else "",
)
def test_an_error_says_whether_a_send_failed_or_its_outcome_is_unknown(
    error: BaseException, outcome: Outcome, answers: int
) -> None:
    client = History().client("p")
    send = client.send("t", ["a"])
    client.refuse(send, error)
    assert (send.outcome, send.answers, send.error) == (outcome, answers, error)


def test_a_commit_is_recorded_with_its_answer() -> None:
    client = History().client("c")
    with client.commit() as accepted:
        pass
    with pytest.raises(TopicNotFound), client.commit() as refused:
        raise TopicNotFound("t")
    with pytest.raises(KeyboardInterrupt), client.commit() as interrupted:
        raise KeyboardInterrupt
    assert [(each.outcome, each.answers) for each in (accepted, refused, interrupted)] == [
        (Outcome.OK, 1),
        (Outcome.FAIL, 1),
        (Outcome.INFO, 0),
    ]


def test_an_answer_that_comes_after_a_timeout_counts() -> None:
    client = History().client("p")
    send = client.send("t", ["a"])
    client.refuse(send, RequestTimedOut(1.0))
    client.acknowledge(send, [receipt(0)])
    assert (send.outcome, send.answers, send.error) == (Outcome.OK, 1, None)


def test_a_receipt_of_acks_0_leaves_the_outcome_unknown() -> None:
    client = History().client("p")
    send = client.send("t", ["a"])
    client.acknowledge(send, [receipt(-1)])
    assert (send.outcome, send.answers, send.messages) == (Outcome.INFO, 1, ())


def test_operations_of_all_clients_are_in_the_order_of_their_beginning() -> None:
    seconds = iter(range(100))
    history = History(lambda: float(next(seconds)))
    one, other = history.client("one"), history.client("other", "group")
    send = one.send("t", ["a"])
    with other.commit({ZERO: 3}) as commit:
        other.on_partitions_lost([ONE])
        one.acknowledge(send, [receipt(0)])
    other.sought("t", 0)
    assert [(each.number, each.client, type(each)) for each in history.operations] == [
        (0, "one", Send),
        (1, "other", Commit),
        (2, "other", Reassignment),
        (3, "other", Reassignment),
    ]
    assert (send.began_at, send.ended_at) == (0.0, 4.0)
    assert (commit.began_at, commit.ended_at, commit.offsets) == (1.0, 5.0, {ZERO: 3})
    assert [(each.kind, each.partitions) for each in history.of(Reassignment)] == [
        ("revoked", (ONE,)),
        ("sought", (ZERO,)),
    ]
    assert (one.reader, other.reader) == ("one", "group")
    assert repr(history) == "<History sends=1 polls=0 commits=1 reassignments=2>"


def test_a_history_of_numbers_keeps_a_number_in_place_of_each_value() -> None:
    history = History(number_of=lambda key, value: len(key or b"") * 100 + len(value or b""))
    client = history.client("c")
    assert list(client.send("t", [("ab", "xyz"), "x"]).values) == [203, 1]
    assert [list(each.values) for each in client.polled([record(b"xyz", 0), record(b"", 1)]).messages] == [[103, 100]]


def test_each_operation_that_ends_is_passed_on() -> None:
    ended: list[object] = []
    history = History(on_end=ended.append)
    client = history.client("c")
    send = client.send("t", ["a"])
    poll = client.polled([])
    client.refuse(send, TopicNotFound("t"))
    assert ended == [poll, send]


def test_clients_after_a_crash_belong_to_another_process() -> None:
    history = History()
    before = history.client("p").send("t", ["a"])
    history.crash()
    after = history.client("p").send("t", ["b"])
    assert (before.process, after.process) == (0, 1)


def test_a_recorder_writes_down_what_handles_are_told() -> None:
    with ActorSystem.open() as system:
        system.create_topic("t")
        history = History(system.runtime.monotonic)
        producing, consuming = history.client("p"), history.client("c", "g")
        with system.producer("p") as producer:
            producing.send_batch(producer, "t", ["a", "b"]).result()
            with pytest.raises(InvalidTopicName):
                producing.send_batch(producer, "..", ["c"])
        with system.consumer("c", "g") as consumer:
            consumer.subscribe(["t"], listener=consuming)
            poll = consuming.polled(consumer.poll())
            consuming.commit_async(consumer).result()
            with pytest.raises(CommitWouldGoBackwards):
                consuming.commit_async(consumer, {ZERO: 1}).result()
        with pytest.raises(ConsumerClosed):
            consuming.commit_async(consumer)
    assert [(send.outcome, send.messages) for send in history.of(Send)] == [
        (Outcome.OK, poll.messages),
        (Outcome.FAIL, ()),
    ]
    assert poll.messages == (Stretch(ZERO, 0, [b"a", b"b"]),)
    assert [each.kind for each in history.of(Reassignment)] == ["assigned", "revoked"]
    assert list(history.of(Poll)) == [poll]
    assert [(commit.outcome, commit.answers) for commit in history.of(Commit)] == [
        (Outcome.OK, 1),
        (Outcome.FAIL, 1),
        (Outcome.FAIL, 1),
    ]


class Unreachable(ProducerHandle):
    """A producer whose actor does not answer when it is opened, so that nothing is sent."""

    def send_batch(self, *_: object, **__: object) -> Any:
        raise RequestTimedOut(30.0)


def test_a_send_that_times_out_before_it_is_made_has_certainly_failed() -> None:
    recorder = History().client("p")
    with ActorSystem.open() as system, pytest.raises(RequestTimedOut):
        recorder.send_batch(Unreachable(system, "p"), "t", ["a"])
    (send,) = recorder.operations
    assert (send.outcome, send.answers) == (Outcome.FAIL, 1)
