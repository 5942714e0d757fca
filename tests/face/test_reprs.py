"""What a debugger or a notebook shows of the public objects: one line, and no memory address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.accounts import Account, AccountActor, Deposit, MoneyDeposited

from odradek import ActorSystem, Append, DecisionModel, MemoryLog, ProjectionRunner, Query, QueryItem, SystemState
from odradek.testing import ActorKit, given
from odradek_actors.base.actor import ActorContext
from odradek_actors.runtime.threads import ThreadedRuntime
from odradek_actors.settings import Settings
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import CATALOGUE
from odradek_events.snapshots.store import MemorySnapshots

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def log() -> MemoryLog:
    """Give a log with two deposits."""
    log = MemoryLog()
    log.append([Append(stream="account/a", events=[MoneyDeposited("a", 5), MoneyDeposited("a", 6)])], NOON)
    return log


def test_an_aggregate_shows_its_public_attributes_and_its_version() -> None:
    class Labelled(Account):
        """An account with attributes of its own."""

        def __init__(self) -> None:
            super().__init__()
            self.label, self._hidden = "x" * 200, 1

    assert repr(Account()) == "<Account balance=0 version=-1>"
    assert repr(Labelled()) == f"<Labelled balance=0 label='{'x' * 79}… version=-1>"


def test_events_and_commits_show_where_they_are(log: MemoryLog) -> None:
    assert repr(list(log.read())[1]) == (
        "<Recorded position=1 stream='account/a' version=1 MoneyDeposited(account='a', amount=6)>"
    )
    assert repr(next(log.commits())) == "<Commit position=0 stream='account/a' version=0 events=2>"
    head = log.head()
    assert repr(head) == f"<Head 1:{head.digest.hex()} recorded_at=2024-05-01T12:00:00+00:00>"
    assert repr(MemoryLog().head()) == f"<Head -1:{'0' * 64}>"


def test_a_subscription_shows_how_far_it_is(log: MemoryLog) -> None:
    with log.subscribe() as subscription:
        assert repr(subscription) == "<Subscription position=-1 on <MemoryLog head=1>>"
        next(subscription)
    assert repr(subscription) == "<Subscription position=0 stopped on <MemoryLog head=1>>"


def test_event_types_show_their_version_and_class() -> None:
    kind = CATALOGUE.by_name("test.MoneyDeposited")
    assert repr(kind) == "<EventType 'test.MoneyDeposited' version=1 of support.accounts.MoneyDeposited>"


def test_a_scenario_shows_its_aggregate_and_its_outcome() -> None:
    scenario = given(Account(), MoneyDeposited("a", 5))
    assert repr(scenario) == "<Scenario of <Account balance=5 version=0> events=1>"
    outcome = scenario.when(lambda account: [MoneyDeposited("a", 1)])
    assert repr(outcome).endswith(": [MoneyDeposited(account='a', amount=1)]>")


def test_a_kit_shows_its_stream() -> None:
    with ActorKit(AccountActor, "account/a") as kit:
        kit.send(Deposit(1))
        assert repr(kit) == "<ActorKit 'account/a' version=0>"


def test_an_actor_shows_its_stream_and_what_it_does() -> None:
    with closing(ThreadedRuntime()) as runtime:
        actor = AccountActor(ActorContext(runtime, Settings()), "account/a")
        assert repr(actor) == "<AccountActor 'account/a' recovering>"


def things(log: MemoryLog, path: Path) -> Iterator[Any]:
    with ActorSystem.open(path / "log.db", actors={"account": AccountActor}) as system, system.producer() as producer:
        handle = system.actor("account/a")
        yield from (system, handle, handle.ask(Deposit(1)), producer, system.runtime, system.snapshots, system.log)
        yield from (system.state(), system.check_replay())
    with ProjectionRunner(log, path / "views.db", ()) as runner:
        yield runner
    yield from (SystemState.replay(log), CATALOGUE, Codec(), MemorySnapshots())
    yield DecisionModel(Query((QueryItem(),)), Account)


def test_nothing_shows_a_memory_address(log: MemoryLog, tmp_path: Path) -> None:
    shown = [repr(thing) for thing in things(log, tmp_path)]
    assert len(shown) > 10
    assert [text for text in shown if " at 0x" in text or "\n" in text] == []
