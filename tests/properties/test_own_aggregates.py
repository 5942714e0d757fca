"""Properties of user-defined aggregates in states: equal to a bare fold at every position, and without side effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from support.accounts import Account, MoneyDeposited, MoneyWithdrawn
from support.domain import NOON, produced, record

from odradek_domain.aggregate import Aggregate, Folded
from odradek_domain.replay.state_difference import state_difference, state_facts
from odradek_domain.replay.system_state import SystemState
from odradek_events import MemoryLog
from odradek_events.types import TopicCreated

POISON = 9


class Ledger(Aggregate):
    """An account with nested state, which cannot fold one amount."""

    def __init__(self, id: str) -> None:
        super().__init__()
        self.id = id
        self.by_kind: dict[str, list[int]] = {"in": [], "out": []}

    def _deposited(self, event: MoneyDeposited) -> None:
        if event.amount == POISON:
            raise ArithmeticError(event.amount)
        self.by_kind["in"].append(event.amount)

    def _withdrawn(self, event: MoneyWithdrawn) -> None:
        self.by_kind["out"].append(event.amount)

    appliers = {MoneyDeposited: _deposited, MoneyWithdrawn: _withdrawn}


MODELS: list[dict[str, Callable[..., Folded]]] = [{}, {"account": Account}, {"account": Ledger}, {"topics": Account}]
STREAMS = ("account/a", "account/b", "topic/orders")
_amounts = st.lists(st.integers(-POISON, POISON), min_size=1, max_size=4)
_histories = st.lists(st.tuples(st.sampled_from(STREAMS), _amounts), max_size=12)
History = list[tuple[str, list[int]]]


def logged(history: History) -> MemoryLog:
    """Return a log of a topic and two accounts."""
    log = MemoryLog()
    record(log, "topic/orders", TopicCreated("orders", "t-1", 1, NOON))
    offset = 0
    for stream, amounts in history:
        if stream.startswith("topic/"):
            record(log, stream, *(produced(offset + number) for number in range(len(amounts))))
            offset += len(amounts)
        else:
            record(log, stream, *(_moved(stream, amount) for amount in amounts))
    return log


def _moved(stream: str, amount: int) -> MoneyDeposited | MoneyWithdrawn:
    return MoneyDeposited(stream, amount) if amount >= 0 else MoneyWithdrawn(stream, -amount)


@given(_histories, st.integers(0, 30))
def test_a_state_is_the_bare_fold_at_every_position(history: History, back: int) -> None:
    log = logged(history)
    until = max(-1, log.head().position - back)
    expected: dict[str, Any] = {}
    for recorded in log.read(until=until):
        if recorded.stream.startswith("account/"):
            expected.setdefault(recorded.stream, Account()).apply(recorded.event)

    state = SystemState.replay(log, until, aggregates={"account": Account})

    found = {stream: (each.balance, each.version) for stream, each in state.own_aggregates.items()}
    assert found == {stream: (each.balance, each.version) for stream, each in expected.items()}
    assert state.failures == {}


@given(_histories)
def test_what_is_registered_changes_neither_the_digest_nor_built_in_aggregates(history: History) -> None:
    log = logged(history)
    states = [SystemState.replay(log, aggregates=models) for models in MODELS]
    assert len({state.digest() for state in states}) == 1
    assert all(state.snapshots() == states[0].snapshots() and state.versions == states[0].versions for state in states)


@given(_histories)
def test_a_failure_is_named_by_the_first_event_that_cannot_be_folded_and_concerns_its_stream_alone(
    history: History,
) -> None:
    log = logged(history)
    first: dict[str, int] = {}
    for recorded in log.read():
        if getattr(recorded.event, "amount", None) == POISON and isinstance(recorded.event, MoneyDeposited):
            first.setdefault(recorded.stream, recorded.position)

    state = SystemState.replay(log, aggregates={"account": Ledger})

    assert {stream: failure.position for stream, failure in state.failures.items()} == first
    assert state.own_aggregates.keys() == {stream for stream, _ in history if stream[0] == "a"} - first.keys()


@given(_histories, st.integers(0, 30), st.integers(0, 30))
def test_a_difference_has_exactly_the_facts_that_differ(history: History, one: int, other: int) -> None:
    log = logged(history)
    head = log.head().position
    before, after = (
        SystemState.replay(log, min(until, head), aggregates={"account": Ledger}) for until in (one, other)
    )
    old, new = state_facts(before), state_facts(after)
    differing = {
        (stream, fact)
        for stream in old.keys() | new.keys()
        for fact in old.get(stream, {}).keys() | new.get(stream, {}).keys()
        if old.get(stream, {}).get(fact) != new.get(stream, {}).get(fact)
    }
    assert {(change.stream, change.fact) for change in state_difference(before, after)} == differing
    assert state_difference(after, after) == []
