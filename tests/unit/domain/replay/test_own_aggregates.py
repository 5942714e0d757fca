"""User-defined aggregates in SystemState: folded, compared and shown as built-in ones are, and never in their way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from support.accounts import Account, MoneyDeposited, MoneyWithdrawn
from support.domain import NOON, after, produced, record

from odradek_domain.aggregate import Aggregate, Folded
from odradek_domain.errors import AggregateFailed
from odradek_domain.registry import Aggregates, aggregate
from odradek_domain.replay.fold_check import FoldCheck
from odradek_domain.replay.state_difference import Change, state_difference
from odradek_domain.replay.system_state import SystemState
from odradek_events import MemoryLog, event
from odradek_events.errors import RegistrationError, UnknownEventType
from odradek_events.maintenance.verify import verify
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue
from odradek_events.types import TopicCreated

ACCOUNTS: dict[str, Callable[..., Folded]] = {"account": Account}
foreign = Catalogue()
PROBLEM = "at position 6 (test.MoneyDeposited) its aggregate raised ArithmeticError('13'); fix the model"


@event("test.InterestPaid", catalogue=foreign)
class InterestPaid(msgspec.Struct, frozen=True):
    """An event that only its own writer registers."""

    amount: int


class Strict(Aggregate):
    """An account that cannot fold an amount of 13."""

    def __init__(self, id: str) -> None:
        super().__init__()
        self.id = id
        self.amounts: list[int] = []

    def _deposited(self, event: MoneyDeposited) -> None:
        if event.amount == 13:
            raise ArithmeticError("13")
        self.amounts.append(event.amount)

    appliers = {MoneyDeposited: _deposited}


def deposited(*amounts: int) -> list[MoneyDeposited]:
    return [MoneyDeposited("alice", amount) for amount in amounts]


def history() -> MemoryLog:
    """Positions 0-6: two accounts and a topic."""
    log = MemoryLog()
    record(log, "account/alice", *deposited(5, 7), when=after(0))
    record(log, "topic/orders", TopicCreated("orders", "t-1", 1, NOON), when=after(1))
    record(log, "account/bob", *deposited(1), when=after(2))
    record(log, "topic/orders", produced(0), when=after(3))
    record(log, "account/alice", MoneyWithdrawn("alice", 2), *deposited(13), when=after(4))
    return log


def test_an_aggregate_is_folded_to_every_position_of_its_commits() -> None:
    balances = {}
    for position in (-1, 1, 3, 6):
        found = SystemState.replay(history(), position, aggregates=ACCOUNTS).aggregate("account/alice")
        balances[position] = None if found is None else (found.balance, found.version)
    assert balances == {-1: None, 1: (12, 1), 3: (12, 1), 6: (23, 3)}


def test_own_aggregates_are_those_of_registered_types_by_stream() -> None:
    state = SystemState.replay(history(), aggregates=ACCOUNTS)
    assert {stream: found.balance for stream, found in state.own_aggregates.items()} == {
        "account/alice": 23,
        "account/bob": 1,
    }
    assert state.is_folded("account/bob")
    assert state.aggregate("topic/orders") is state.topics["orders"]
    assert repr(state) == "<SystemState position=6 topics=1 producers=0 consumers=0 groups=0 account=2>"


def test_registered_aggregates_are_folded_without_being_passed() -> None:
    @aggregate("test-tally")
    class Tally(Account):
        pass

    log = MemoryLog()
    record(log, "test-tally/t", *deposited(5))
    assert isinstance(SystemState.replay(log).aggregate("test-tally/t"), Tally)
    assert SystemState.replay(log, aggregates={}).aggregate("test-tally/t") is None


def test_the_digest_does_not_depend_on_what_is_registered() -> None:
    digests = {
        SystemState.replay(history(), aggregates=aggregates).digest()
        for aggregates in ({}, ACCOUNTS, {"account": Strict}, {"other": Account})
    }
    assert len(digests) == 1


def test_a_difference_names_the_facts_of_own_aggregates() -> None:
    before, after = (SystemState.replay(history(), until, aggregates={"account": Strict}) for until in (0, 3))
    assert [change for change in state_difference(before, after) if change.stream.startswith("account/")] == [
        Change("account/alice", "version", 0, 1),
        Change("account/alice", "amounts.size", 1, 2),
        Change("account/alice", "amounts[1]", None, 7),
        Change("account/bob", "version", None, 0),
        Change("account/bob", "amounts.size", None, 1),
        Change("account/bob", "amounts[0]", None, 1),
        Change("account/bob", "id", None, "bob"),
    ]


def test_an_aggregate_whose_fold_raises_is_named_by_position_and_the_rest_is_folded() -> None:
    state = SystemState.replay(history(), aggregates={"account": Strict})
    assert dict(state.own_aggregates).keys() == {"account/bob"}
    assert state.topics["orders"].partitions[0].high_watermark == 1
    assert state.versions["account/alice"] == 3
    failure = state.failures["account/alice"]
    assert (failure.stream, failure.position) == ("account/alice", 6)
    assert str(failure) == f"'account/alice' cannot be folded: {PROBLEM}"
    assert isinstance(failure.__cause__, ArithmeticError)
    assert failure.__cause__.__traceback__ is not None
    with pytest.raises(AggregateFailed):
        state.aggregate("account/alice")


def test_the_state_before_the_event_that_cannot_be_folded_is_there() -> None:
    state = SystemState.replay(history(), 4, aggregates={"account": Strict})
    assert state.aggregate("account/alice").amounts == [5, 7]


def test_a_difference_says_why_a_stream_could_not_be_folded() -> None:
    before, after = (SystemState.replay(history(), until, aggregates={"account": Strict}) for until in (4, 6))
    changes = {change.fact: change.after for change in state_difference(before, after)}
    assert changes["failure"] == PROBLEM


def test_an_aggregate_that_cannot_be_made_fails_at_its_first_event() -> None:
    def broken(id: str) -> Account:
        raise LookupError(id)

    state = SystemState.replay(history(), aggregates={"account": broken})
    assert {stream: failure.position for stream, failure in state.failures.items()} == {
        "account/alice": 0,
        "account/bob": 3,
    }


def test_only_some_failures_keep_the_events_that_were_folded_in_their_traceback() -> None:
    log = MemoryLog()
    for number in range(120):
        record(log, f"account/{number}", *deposited(13))
    causes = [
        failure.__cause__ for failure in SystemState.replay(log, aggregates={"account": Strict}).failures.values()
    ]
    assert len(causes) == 120
    assert sum(cause is not None and cause.__traceback__ is not None for cause in causes) == 100


def test_an_unregistered_event_makes_the_state_of_its_stream_unknown_and_no_other() -> None:
    log = MemoryLog(codec=Codec(foreign))
    record(log, "account/alice", InterestPaid(1), InterestPaid(2))
    state = SystemState(ACCOUNTS)
    for stored in log.stored():
        state.apply_commit(Codec().commit(stored, opaque=True))
    assert isinstance(state.failures["account/alice"].__cause__, UnknownEventType)
    assert state.failures["account/alice"].position == 0
    assert "'test.InterestPaid' version 1, which is not registered" in str(state.failures["account/alice"])


def test_an_aggregate_that_walks_its_events_by_index_fails_at_the_commit() -> None:
    class ByIndex:
        version = -1

        def apply_all(self, events: Any) -> None:
            raise ArithmeticError(events[1])

    assert SystemState.replay(history(), aggregates={"account": ByIndex}).failures["account/alice"].position == 0


@pytest.mark.parametrize("aggregates", [5, "account", [("account", Account)]])
def test_aggregates_are_a_mapping(aggregates: Any) -> None:
    with pytest.raises(TypeError, match="aggregates must be a dict of stream types to classes, or None"):
        SystemState.replay(history(), aggregates=aggregates)
    with pytest.raises(RegistrationError):
        SystemState.replay(history(), aggregates={"topic": Account})


def test_a_state_takes_aggregates_and_snapshots_only() -> None:
    state = SystemState()
    state.put("account/alice", Account())
    assert state.versions == {"account/alice": -1}
    with pytest.raises(TypeError, match="state must be an aggregate"):
        state.put("account/alice", object())  # type: ignore[arg-type]  # the mistake under test


def test_verify_reports_an_aggregate_that_cannot_be_folded_as_a_mistake_and_not_as_damage() -> None:
    log = history()
    check = FoldCheck(aggregates=Aggregates({"account": Strict}))
    assert verify(log, on_commit=check.add).is_sound
    assert check.findings == []
    assert check.unfolded_streams == {"account/alice"}
    assert [(mistake.position, mistake.problem) for mistake in check.model_mistakes] == [
        (6, f"'account/alice' cannot be folded: {PROBLEM}")
    ]


def test_verify_reports_the_first_failure_of_each_stream_type() -> None:
    log = MemoryLog()
    for stream in ("account/a", "account/b", "deposit/c"):
        record(log, stream, *deposited(13))
    check = FoldCheck(aggregates={"account": Strict, "deposit": Strict})
    assert verify(log, on_commit=check.add).is_sound
    assert [mistake.position for mistake in check.model_mistakes] == [0, 2]
