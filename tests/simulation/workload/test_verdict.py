"""The verdict finds what a run lost, repeated, changed or put out of order."""

from __future__ import annotations

from odradek import ActorSystem, ConsumerRecord, Receipt, ReplayCheck, SystemState, TopicPartition
from odradek_simulation.workload.tally import ProducerTally, ReaderTally, checksum
from odradek_simulation.workload.verdict import judge

PLACE = TopicPartition("t", 0)
OFFSETS = "every acknowledged message has its own offset, without gaps"
GOT = "every consumer got every message exactly once"
AT_LEAST = "every group got every message at least once, every other consumer exactly once"
CONTENT = "every message arrived as it was sent"
ORDER = "every partition keeps the order of each producer"


class Run:
    """Two messages sent, stored and consumed; a test then breaks one thing."""

    def __init__(self) -> None:
        sent = [(b"k", b"1 1 x"), (b"k", b"1 2 x")]
        with ActorSystem.open() as system:
            with system.producer() as producer:
                self.receipts: list[Receipt] = producer.send_batch("t", sent).result()
            with system.consumer("c") as consumer:
                consumer.subscribe(["t"])
                self.messages: list[ConsumerRecord] = consumer.poll()
            system.settle()
            self.replay: ReplayCheck = system.check_replay()
            self.state: SystemState = system.state()
        self.content = sum(checksum(key, value) for key, value in sent)
        self.topics = ["t"]

    def broken(
        self,
        *polls: list[ConsumerRecord],
        receipts: list[Receipt] | None = None,
        churn: bool = False,
        reassigned: bool = False,
    ) -> list[str]:
        """Return the names of the invariants that do not hold where a reader got these polls (default: everything)."""
        producer, reader = ProducerTally("producer-1"), ReaderTally("reader", may_repeat=churn)
        producer.acknowledge(self.receipts if receipts is None else receipts, self.content)
        consumer = reader.new_consumer()
        for poll in polls or (self.messages,):
            consumer.receive(poll)
            if reassigned:
                consumer.on_partitions_assigned([PLACE])
        reader.collect()
        verdict = judge(self.topics, [producer], [reader], self.state, self.replay)
        assert all(bool(invariant.problem) is not invariant.holds for invariant in verdict)
        return [invariant.name for invariant in verdict if not invariant.holds]


def test_a_good_run_breaks_nothing() -> None:
    run = Run()
    first, second = run.messages
    assert run.broken() == []
    assert run.broken([first], [second]) == []


def test_a_lost_a_repeated_and_a_swapped_message_are_found() -> None:
    run = Run()
    first, second = run.messages
    assert run.broken([first]) == [GOT, CONTENT]
    assert run.broken([second]) == [GOT, CONTENT]
    assert run.broken([first, second, second]) == [GOT, ORDER]
    assert run.broken([first], [second], [second]) == [GOT, ORDER]
    assert run.broken([second, first]) == [GOT, ORDER]
    assert run.broken([second], [first]) == [GOT, ORDER]


def test_a_message_that_comes_again_is_a_problem_only_without_churn() -> None:
    run = Run()
    first, second = run.messages
    assert run.broken([first, second], [second], reassigned=True) == [GOT]
    assert run.broken([first, second], [second], churn=True, reassigned=True) == []
    assert run.broken([first, second], [second], churn=True) == [AT_LEAST, ORDER]
    assert run.broken([second, first], churn=True) == [AT_LEAST, ORDER]


def test_a_value_that_arrives_changed_is_found() -> None:
    run = Run()
    run.content += 1
    assert run.broken() == [CONTENT]


def test_an_offset_given_twice_or_not_at_all_is_found() -> None:
    run = Run()
    first, second = run.receipts
    assert run.broken(receipts=[first, first]) == [OFFSETS]
    assert run.broken(receipts=[second, first]) == [ORDER]


def test_a_topic_that_does_not_belong_to_the_workload_is_not_judged() -> None:
    run = Run()
    run.topics = ["other"]
    assert run.broken(receipts=[]) == [GOT]
    run.topics = ["t"]
    assert run.broken(receipts=[]) == [OFFSETS, GOT]


def test_a_replay_that_differs_is_found() -> None:
    run = Run()
    run.replay = ReplayCheck(3, 9, ("topic/t",), "one", "other")
    assert run.broken() == ["live == replay"]
