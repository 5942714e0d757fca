"""The state of own actors: in `system.state()`, in time travel, and compared by `check_replay`, never only claimed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support.accounts import Account, AccountActor, Balance, Deposit, MoneyDeposited
from support.actors import World

from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.client.system import ActorSystem
from odradek_domain.aggregate import Aggregate
from odradek_domain.registry import aggregate
from odradek_domain.replay.state_difference import Change
from odradek_domain.replay.system_state import SystemState


class Model(Aggregate):
    """Base of the models here: an account that sums its deposits."""

    def __init__(self) -> None:
        super().__init__()
        self.cents = 0

    def _deposited(self, event: MoneyDeposited) -> None:
        self.cents += event.amount

    appliers = {MoneyDeposited: _deposited}


class Drifting(Model):
    """A model whose state depends on how often this process has folded it: its live state is not the replayed one."""

    folds = iter(range(1_000_000))

    def _deposited(self, event: MoneyDeposited) -> None:
        self.cents += event.amount
        self.fold = next(Drifting.folds)

    appliers = {MoneyDeposited: _deposited}


class Private(Aggregate):
    """A model without public state."""

    def __init__(self) -> None:
        super().__init__()
        self._cents = 0

    def _deposited(self, event: MoneyDeposited) -> None:
        self._cents += event.amount

    appliers = {MoneyDeposited: _deposited}


class Locked(Model):
    """A model that cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Opaque(Model):
    """A model with one attribute that cannot be compared."""

    def __init__(self) -> None:
        super().__init__()
        self.mark = object()


class Unreadable(Model):
    """A model whose snapshot raises."""

    def snapshot(self) -> object:
        raise ArithmeticError("no snapshot")


class Fragile(Model):
    """A model that cannot fold an amount of 13."""

    def _deposited(self, event: MoneyDeposited) -> None:
        if event.amount == 13:
            raise ArithmeticError("13")
        self.cents += event.amount

    appliers = {MoneyDeposited: _deposited}


def actor_of(make: Callable[[], Any]) -> type[EventSourcedActor[Any]]:
    """Return a class of actors that own what `make` returns, and take amounts as commands."""

    class ModelActor(EventSourcedActor[Any]):
        def initial_state(self) -> Any:
            return make()

        def decide(self, command: int) -> Sequence[Any]:
            return [MoneyDeposited(self.id, command)]

        def answer(self, query: Any) -> int:
            return 0

    return ModelActor


def opened(world: World, make: Callable[[], Any], *amounts: int) -> ActorSystem:
    """Open a system with one account and some deposits."""
    system = world.open(actors={"account": actor_of(make)})
    for amount in amounts:
        system.actor("account/alice").ask(amount).result()
    return system


def test_the_state_has_running_and_resting_aggregates(world: World) -> None:
    opened(world, Model, 5, 7)
    world.crash()
    system = world.open(actors={"account": actor_of(Model)})
    system.actor("account/bob").ask(1).result()

    state = system.state()

    assert {stream: found.cents for stream, found in state.own_aggregates.items()} == {
        "account/alice": 12,
        "account/bob": 1,
    }
    assert state.versions == {"account/alice": 1, "account/bob": 0}
    assert state.digest() == SystemState.replay(world.log).digest()


def test_a_system_travels_in_time_with_the_aggregates_of_its_actors(world: World) -> None:
    system = opened(world, Model, 5, 7, 1)

    balances = [
        SystemState.replay(system.log, position, aggregates=system.aggregates).aggregate("account/alice").cents
        for position in range(3)
    ]

    assert balances == [5, 12, 13]


def test_the_state_is_a_copy_that_later_commands_do_not_change(world: World) -> None:
    system = opened(world, Model, 5)
    state = system.state()
    system.actor("account/alice").ask(7).result()
    assert state.aggregate("account/alice").cents == 5


def test_the_check_compares_own_aggregates_field_by_field(world: World) -> None:
    system = opened(world, Drifting, 5)

    check = system.check_replay()

    assert not check.holds
    assert check.mismatches == ("account/alice",)
    (difference,) = check.differences
    assert (difference.stream, difference.fact) == ("account/alice", "fold")
    assert check.not_compared == {}


def test_the_check_counts_own_aggregates_that_it_compared(world: World) -> None:
    system = opened(world, Model, 5)
    system.create_topic("orders")
    system.actor("account/bob").query("anything").result()  # a live aggregate without events
    system.settle()

    check = system.check_replay()

    assert (check.holds, check.streams, check.differences) == (True, 2, ())


def test_the_check_compares_snapshots_where_there_are_some(world: World) -> None:
    system = world.open(actors={"account": AccountActor})
    system.actor("account/alice").ask(Deposit(5)).result()
    check = system.check_replay()
    assert (check.holds, check.streams) == (True, 1)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Private, "state: Private has neither snapshot() nor public attributes"),
        (Opaque, "mark: object has neither an equality nor public attributes"),
        (Unreadable, "state: reading the state of Unreadable raised ArithmeticError('no snapshot')"),
        (Locked, "its actor answered TypeError("),
    ],
)
def test_the_check_names_what_it_did_not_compare_and_does_not_hold(
    world: World, make: Callable[[], Any], reason: str
) -> None:
    system = opened(world, make, 5)
    system.create_topic("orders")
    system.settle()

    check = system.check_replay()

    assert not check.holds
    assert check.mismatches == ()
    assert check.not_compared.keys() == {"account/alice"}
    assert check.not_compared["account/alice"].startswith(reason)


def test_an_aggregate_that_cannot_be_copied_is_in_the_state_as_folded(world: World) -> None:
    system = opened(world, Locked, 5, 7)
    assert system.state().aggregate("account/alice").cents == 12


def test_the_check_finds_a_difference_beside_what_it_cannot_compare(world: World) -> None:
    class Both(Drifting):
        def __init__(self) -> None:
            super().__init__()
            self.mark = object()

    check = opened(world, Both, 5).check_replay()
    assert check.mismatches == ("account/alice",)
    assert check.not_compared.keys() == {"account/alice"}


def test_an_aggregate_whose_fold_raises_leaves_the_state_of_everything_else(world: World) -> None:
    opened(world, Model, 5, 13)
    world.crash()
    system = world.open(actors={"account": actor_of(Fragile)}, retry_backoff=0.0001)
    system.create_topic("orders")
    system.actor("account/bob").ask(1).result()
    assert system.actor("account/alice").query(Balance()).exception() is not None

    state = system.state()

    assert state.aggregate("account/bob").cents == 1
    assert "orders" in state.topics
    assert state.failures["account/alice"].position == 1
    assert state.versions["account/alice"] == 1
    assert system.check_replay().holds


def test_an_actor_that_cannot_make_its_aggregate_is_named_and_hides_nothing(world: World) -> None:
    def broken() -> Model:
        raise ArithmeticError("no state")

    opened(world, Model, 5)
    world.crash()
    system = world.open(actors={"account": actor_of(broken)}, retry_backoff=60.0)
    system.create_topic("orders")
    with pytest.raises(ArithmeticError):
        system.actor("account/alice").ask(1).result()

    assert "orders" in system.state().topics
    assert system.state().failures.keys() == {"account/alice"}
    assert system.check_replay().not_compared == {"account/alice": "its actor answered ArithmeticError('no state')"}


def test_an_actor_whose_aggregate_is_not_the_registered_one_is_named(world: World) -> None:
    aggregate("test-two")(Account)
    system = world.open(actors={"test-two": actor_of(Model)})
    system.actor("test-two/x").ask(5).result()

    check = system.check_replay()

    assert not check.holds
    assert check.not_compared == {
        "test-two/x": "streams of type 'test-two' have two aggregates, Account, which is registered, and Model of "
        "ModelActor; use one of them"
    }


def test_differences_have_the_replayed_value_before_and_the_live_one_after(world: World) -> None:
    system = opened(world, Drifting, 5)
    (change,) = system.check_replay().differences
    assert isinstance(change, Change)
    assert isinstance(change.before, int)
    assert isinstance(change.after, int)
    assert change.before > change.after
