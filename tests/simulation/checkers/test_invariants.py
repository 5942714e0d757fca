"""Invariants of a log, judged as it grows and as a whole, and of states that must be equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accounts import Account, MoneyDeposited
from support.domain import NOON
from support.log import append
from support.profiles import fewer

from odradek import ActorSystem, ReplayCheck, SystemState
from odradek_events import MemoryLog
from odradek_events.record import Commit, CommitMetadata
from odradek_events.snapshots.store import MemorySnapshots, StoredSnapshot
from odradek_events.types import MessageProduced, TopicCreated, TopicDeleted
from odradek_simulation.checkers.finding import Finding
from odradek_simulation.checkers.history import History
from odradek_simulation.checkers.invariants import (
    AnswerCheck,
    InvariantChecker,
    check_log,
    check_replay,
    check_same_state,
)

CREATED = TopicCreated("t", "t-1", 2, NOON)
METADATA = CommitMetadata("id", "", NOON, (), ())


def produced(offset: int, sequence: int = -1, epoch: int = 0, partition: int = 0) -> MessageProduced:
    return MessageProduced("t", partition, offset, "id", "p", epoch, sequence, NOON)


def log_of(*events: Any) -> MemoryLog:
    log = MemoryLog()
    append(log, "topic/t", CREATED, *events)
    return log


def kinds(findings: Sequence[Finding]) -> list[str]:
    return [each.checker for each in findings]


def test_positions_and_versions_without_gaps_are_expected() -> None:
    def judged(position: int, version: int) -> list[str]:
        checker = InvariantChecker()
        checker.add(Commit(0, "topic/t", 0, [CREATED], METADATA))
        return kinds(checker.add(Commit(position, "topic/t", version, [produced(0)], METADATA)))

    assert judged(1, 1) == []
    assert judged(2, 1) == judged(1, 2) == ["gapless"]


def test_a_skipped_offset_is_found_with_its_position() -> None:
    assert InvariantChecker().follow(log_of(produced(0), produced(0, partition=1), produced(1))) == []
    (finding,) = InvariantChecker().follow(log_of(produced(0), produced(2)))
    assert finding.checker == "dense-offsets"
    assert "offset 2 in partition 0, expected 1" in finding.problem
    assert finding.evidence == {"position": 0, "stream": "topic/t"}


@pytest.mark.parametrize(
    ("sequences", "checkers"),
    [
        ([(0, 0), (0, 1), (0, 2)], []),
        ([(0, 0), (1, 0), (1, 1)], []),
        ([(0, 0), (0, -1), (0, 1)], []),  # one without a number
        ([(0, 0), (0, 1), (0, 1)], ["repeated-sequence"]),
        ([(0, 0), (0, 2)], ["repeated-sequence"]),
        ([(0, 1)], ["repeated-sequence"]),
        ([(1, 0), (0, 1)], ["repeated-sequence"]),  # of a fenced epoch
    ],
)
def test_a_batch_delivered_twice_is_stored_once_and_in_order(
    sequences: list[tuple[int, int]], checkers: list[str]
) -> None:
    events = [produced(offset, sequence, epoch) for offset, (epoch, sequence) in enumerate(sequences)]
    assert kinds(InvariantChecker().follow(log_of(*events))) == checkers


def test_sequences_begin_again_with_a_new_topic_of_the_same_name() -> None:
    log = log_of(produced(0, 0), TopicDeleted("t", "t-1", NOON), TopicCreated("t", "t-2", 1, NOON), produced(0, 0))
    assert InvariantChecker().follow(log) == []


def test_following_reads_each_commit_once() -> None:
    log, checker = log_of(produced(0)), InvariantChecker()
    assert checker.follow(log) == checker.follow(log) == []
    append(log, "topic/t", produced(1))
    append(log, "account/1", MoneyDeposited("1", 5))
    append(log, "account/1", MoneyDeposited("1", 5))
    assert checker.follow(log) == []
    assert checker.state.topics["t"].partitions[0].high_watermark == 2
    assert checker.state.digest() == SystemState.replay(log).digest()


def test_the_state_after_each_commit_can_be_looked_at() -> None:
    log, checker = log_of(produced(0)), InvariantChecker()
    append(log, "topic/t", produced(1))
    append(log, "topic/t", produced(3))
    seen = [(checker.state.position, kinds(findings)) for findings in checker.each_commit(log)]
    assert seen == [(1, []), (2, []), (2, ["dense-offsets"])]
    assert list(checker.each_commit(log)) == []


def test_a_log_that_lost_or_changed_what_it_had_is_found() -> None:
    full = log_of(produced(0))
    append(full, "topic/t", produced(1))
    shorter, other = log_of(produced(0)), log_of(produced(0), produced(1))

    def reopened(log: MemoryLog, **how: bool) -> list[str]:
        checker = InvariantChecker()
        assert checker.follow(full) == []
        return [each.problem for each in checker.reopen(log, **how)]

    assert reopened(full) == []
    assert reopened(shorter, may_be_shorter=True) == []
    assert reopened(shorter) == ["the log ended at position 2 and now ends at 1"]
    assert reopened(other) == ["the log up to position 2 differs from what it was before"]
    assert reopened(log_of(produced(0, 0)), may_be_shorter=True) == [
        "the log up to position 1 differs from what it was before"
    ]
    assert reopened(MemoryLog(), may_be_shorter=True) == []


def test_a_log_that_shrinks_while_it_is_followed_is_found() -> None:
    checker = InvariantChecker()
    checker.follow(log_of(produced(0)))
    (finding,) = checker.follow(MemoryLog())
    assert str(finding) == "changed-prefix: the log ended at position 1 and now ends at -1"


def test_a_client_that_is_told_of_more_than_is_stored_is_found() -> None:
    with ActorSystem.open() as system:
        checker, found = InvariantChecker(), list[Finding]()
        history = History(on_end=lambda operation: found.extend(checker.observe(operation)))
        client = history.client("p")
        system.create_topic("t")
        with system.producer("p") as producer:
            send = client.send("t", ["a"])
            receipts = producer.send_batch("t", ["a"]).result()
        client.acknowledge(send, receipts)
        assert [each.problem for each in found] == [
            "p was told of offset 0 of t/0 when the log had the offsets below 0"
        ]
        found.clear()
        checker.follow(system.log)
        client.acknowledge(send, receipts)
        assert found == []
        system.delete_topic("t")
        checker.follow(system.log)
        client.acknowledge(send, receipts)
        assert found == []


def test_every_command_is_answered_once() -> None:
    check = AnswerCheck()
    check.asked(1, "Poll of c")
    check.asked(2, "Send of p")
    check.answered(1, "Poll of c")
    assert [each.problem for each in check.findings()] == ["Send of p was never answered"]
    check.answered(1, "Poll of c")
    check.answered(2, "Send of p")
    assert [each.problem for each in check.findings()] == ["Poll of c was answered again"]


def test_what_was_open_at_a_crash_needs_no_answer() -> None:
    check = AnswerCheck()
    check.asked(1, "Poll of c")
    check.crash()
    assert check.findings() == []


def test_a_replay_that_differs_is_found() -> None:
    assert check_replay(ReplayCheck(3, 9, (), "one", "one")) == []
    (finding,) = check_replay(ReplayCheck(3, 9, ("topic/t",), "one", "other"))
    assert str(finding) == "live-replay: the live state differs from the replayed one in topic/t"
    (finding,) = check_replay(ReplayCheck(3, 9, (), "one", "other"))
    assert "no single aggregate" in finding.problem


def test_a_live_state_that_was_not_compared_is_found() -> None:
    check = ReplayCheck(3, 9, ("topic/t",), "one", "other", not_compared={"account/a": "state: it has no public one"})
    differing, uncompared = check_replay(check)
    assert differing.evidence["streams"] == ("topic/t",)
    assert str(uncompared) == "live-replay: the live state of account/a was not compared: state: it has no public one"


def test_states_that_must_be_equal_are_compared_fact_by_fact() -> None:
    once, twice = (SystemState.replay(log_of(*events)) for events in ([produced(0)], [produced(0), produced(1)]))
    assert check_same_state("repeated-command", once, once) == []
    (finding,) = check_same_state("repeated-command", once, twice)
    assert finding.checker == "repeated-command"
    assert "topic/t has partition 0 high_watermark 2 instead of 1" in finding.problem


def test_user_defined_aggregates_must_be_equal_too() -> None:
    one, other = SystemState(), SystemState()
    for state, balance in ((one, 5), (other, 6)):
        account = Account()
        account.version, account.balance = 0, balance
        state.put("account/a", account)
    assert one.digest() == other.digest()
    (finding,) = check_same_state("repeated-command", one, other)
    assert "account/a has balance 6 instead of 5" in finding.problem


def test_a_whole_log_and_its_snapshots_are_judged() -> None:
    log, snapshots = MemoryLog(), MemorySnapshots()
    with ActorSystem.open(log, snapshots=snapshots) as system:
        system.create_topic("t")
        with system.producer("p") as producer:
            producer.send("t", "a").result()
    assert kinds(check_log(log_of(produced(1)))) == ["log"]
    assert check_log(log, snapshots) == []
    good = snapshots.load("topic/t")
    assert good is not None
    payload = good.payload.replace(b'"high_watermark":1', b'"high_watermark":2')
    snapshots.save([StoredSnapshot.sealed(good.end, good.name, good.schema, payload)])
    (finding,) = check_log(log, snapshots)
    assert "differs from the state folded from the log" in finding.problem


@fewer(4)
@given(st.lists(st.tuples(st.integers(0, 1), st.booleans()), max_size=12), st.integers(1, 4))
def test_a_log_that_keeps_its_promises_gives_no_findings(sends: list[tuple[int, bool]], each: int) -> None:
    log, checker, ends, sequences = MemoryLog(), InvariantChecker(), [0, 0], [0, 0]
    append(log, "topic/t", CREATED)
    epoch = 0
    for number, (partition, is_reopened) in enumerate(sends):
        if is_reopened:
            epoch, sequences = epoch + 1, [0, 0]
        append(log, "topic/t", produced(ends[partition], sequences[partition], epoch, partition))
        ends[partition] += 1
        sequences[partition] += 1
        if number % each == 0:
            assert checker.follow(log) == []
    assert checker.follow(log) == []
    assert checker.reopen(log) == []
    assert check_log(log) == []
