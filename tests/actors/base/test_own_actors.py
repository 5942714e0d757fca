"""An aggregate and an actor of one's own: a bank account on EventSourcedActor."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from support.accounts import Account, AccountActor, Balance, Deposit, Overdrawn, SavedAccountActor, Withdraw
from support.actors import World, event_types, in_threads

from odradek.testing import ActorKit
from odradek_actors.base.actor import ActorContext
from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorFailed
from odradek_actors.messages.core import GetSnapshot
from odradek_domain.replay.system_state import SystemState
from odradek_events.errors import EventNotSerializable, InvalidStream, LogFull, OutcomeUnknown
from odradek_events.testing import FaultyLog


@pytest.fixture
def bank(world: World) -> ActorSystem:
    """Give a system with accounts."""
    return world.open(actors={"account": AccountActor})


def test_a_command_is_answered_once_its_events_are_applied(bank: ActorSystem) -> None:
    alice = bank.actor("account/alice")

    assert alice.ask(Deposit(100)).result() == 100
    assert alice.ask(Withdraw(30)).result() == 70
    assert alice.query(Balance()).result() == 70


def test_a_refusal_is_the_answer_and_changes_nothing(world: World, bank: ActorSystem) -> None:
    alice = bank.actor("account/alice")
    alice.ask(Deposit(10)).result()

    with pytest.raises(Overdrawn):
        alice.ask(Withdraw(11)).result()

    assert alice.query(Balance()).result() == 10
    assert event_types(world.log, "account/alice") == ["test.MoneyDeposited"]


def test_an_exception_in_answer_is_the_answer_and_the_actor_continues(bank: ActorSystem) -> None:
    alice = bank.actor("account/alice")

    with pytest.raises(LookupError):
        alice.query("?").result()

    assert alice.ask(Deposit(1)).result() == 1


def test_an_exception_in_respond_is_the_answer_and_the_events_stay(bank: ActorSystem) -> None:
    alice = bank.actor("account/alice")

    with pytest.raises(ArithmeticError):
        alice.ask(Deposit(13)).result(10)

    assert alice.query(Balance()).result() == 13


def test_an_unregistered_event_is_refused_and_the_actor_continues(bank: ActorSystem) -> None:
    alice = bank.actor("account/alice")

    with pytest.raises(EventNotSerializable):
        alice.ask("unknown").result(10)

    assert alice.ask(Deposit(1)).result() == 1


def test_a_command_without_events_is_answered_without_an_append(world: World, bank: ActorSystem) -> None:
    assert bank.actor("account/alice").ask(Deposit(0)).result() == 0
    assert event_types(world.log, "account/alice") == []


def test_actors_of_one_type_share_nothing(bank: ActorSystem) -> None:
    bank.actor("account/alice").ask(Deposit(5)).result()

    assert bank.actor("account/bob").query(Balance()).result() == 0


def test_an_account_is_there_again_in_the_next_run(world: World, bank: ActorSystem) -> None:
    bank.actor("account/alice").ask(Deposit(5)).result()
    world.crash()

    again = world.open(actors={"account": AccountActor})

    assert again.actor("account/alice").query(Balance()).result() == 5


def test_commands_of_many_threads_are_each_decided_on_the_state_the_others_left(bank: ActorSystem) -> None:
    alice = bank.actor("account/alice")
    alice.ask(Deposit(50)).result()
    outcomes: list[BaseException | None] = []

    def withdraw() -> None:
        for promise in [alice.ask(Withdraw(1)) for _ in range(20)]:
            outcomes.append(promise.exception(20))

    in_threads(*[withdraw] * 4)

    assert sum(error is None for error in outcomes) == 50
    assert all(error is None or isinstance(error, Overdrawn) for error in outcomes)
    assert alice.query(Balance()).result() == 0


@pytest.mark.parametrize("actor", [AccountActor, SavedAccountActor])
@pytest.mark.parametrize("rejecting", [False, True])
def test_an_account_is_the_same_after_every_restart(actor: type[AccountActor], rejecting: bool) -> None:
    with ActorKit(actor, "account/alice", rejecting=rejecting) as kit:
        assert kit.query(Balance()) == 0
        for amount in (5, 13, 0, 7):
            kit.send(Deposit(amount))
        assert isinstance(kit.send(Withdraw(26)).error, Overdrawn)
        assert isinstance(kit.send("unknown").error, EventNotSerializable)
        assert kit.send(Withdraw(25)).result() == 0


def test_a_stream_without_a_registered_actor_is_refused(bank: ActorSystem) -> None:
    with pytest.raises(LookupError, match="actors="):
        bank.actor("invoice/1")
    with pytest.raises(InvalidStream):
        bank.actor("account")


def test_own_streams_count_in_the_state_and_in_the_check(world: World, bank: ActorSystem) -> None:
    bank.actor("account/alice").ask(Deposit(5)).result()
    bank.create_topic("orders")
    bank.settle()

    check = bank.check_replay()

    assert check.holds
    assert bank.state().versions["account/alice"] == 0
    assert SystemState.replay(world.log).digest() == bank.state().digest()
    assert bank.query("account/alice", GetSnapshot()).result().version == 0


def test_events_whose_type_is_not_registered_here_do_not_hinder_the_state(world: World) -> None:
    stranger = world.open(actors={"account": AccountActor})
    stranger.actor("account/alice").ask(Deposit(5)).result()
    world.crash()
    system = world.open()
    system.create_topic("orders")

    assert system.state().versions == {"account/alice": 0, "topic/orders": 0}
    assert system.check_replay().holds


def test_a_correlation_id_reaches_the_log(world: World, bank: ActorSystem) -> None:
    bank.actor("account/alice").ask(Deposit(5), correlation_id="c-1").result()

    (recorded,) = world.log.read(stream="account/alice")
    assert recorded.metadata.correlation_id == "c-1"
    assert recorded.metadata.actor == "AccountActor"


def test_a_command_of_unknown_outcome_gets_that_error_and_the_actor_recovers(
    faulty: FaultyLog, faulty_world: World
) -> None:
    bank = faulty_world.open(actors={"account": AccountActor})
    alice = bank.actor("account/alice")
    for written in (True, False):
        faulty.lose_answer("account/", written=written)
        with pytest.raises(OutcomeUnknown):
            alice.ask(Deposit(5)).result()
    assert alice.query(Balance()).result() == 5

    faulty.reject("account/")
    with pytest.raises(LogFull):
        alice.ask(Deposit(5)).result()
    assert alice.ask(Deposit(5)).result() == 10


def test_a_killed_actor_answers_every_waiting_caller(faulty: FaultyLog, faulty_world: World) -> None:
    bank = faulty_world.open(actors={"account": AccountActor})
    alice = bank.actor("account/alice")
    hold = faulty.hold("account/")
    under_way = alice.ask(Deposit(5))
    waiting = alice.ask(Deposit(7))
    assert hold.reached.wait(10)

    faulty_world.runtime.kill("account/alice")
    hold.release()

    assert isinstance(under_way.exception(10), OutcomeUnknown)
    assert waiting.exception(10) is not None
    assert alice.query(Balance()).result() == 5


class Broken(EventSourcedActor[Account]):
    def initial_state(self) -> Account:
        raise ArithmeticError("no state")


class Unfoldable(AccountActor):
    def on_applied(self, events: Sequence[Any], first_position: int) -> None:
        raise ArithmeticError("it does not like what was applied")


def test_an_actor_that_cannot_be_created_is_an_error_for_the_caller() -> None:
    with ActorSystem.open(actors={"account": Broken}) as system, pytest.raises(ArithmeticError):
        system.actor("account/alice").ask(Deposit(1)).result(10)


def test_an_actor_that_starts_slowly_does_not_delay_others(world: World) -> None:
    may_begin = threading.Event()

    class Slow(AccountActor):
        def initial_state(self) -> Account:
            assert may_begin.wait(10)
            return super().initial_state()

    system = world.open(actors={"account": Slow})
    depositing = system.actor("account/alice").ask(Deposit(100))

    assert system.create_topic("orders").name == "orders"
    assert not depositing.done()
    may_begin.set()
    assert depositing.result(10) == 100


def test_an_actor_that_failed_to_start_can_start_later(world: World) -> None:
    is_asked = threading.Event()

    class Unlucky(AccountActor):
        failures = 1

        def initial_state(self) -> Account:
            if Unlucky.failures:
                Unlucky.failures -= 1
                assert is_asked.wait(10)  # a request that comes after its end goes to its successor
                raise ArithmeticError("not now")
            return super().initial_state()

    system = world.open(actors={"account": Unlucky})
    depositing = system.actor("account/alice").ask(Deposit(1))
    is_asked.set()
    with pytest.raises(ArithmeticError):
        depositing.result(10)

    world.runtime.actors["account/alice"].actor_stopped.wait(10)

    assert system.actor("account/alice").ask(Deposit(100)).result(10) == 100


def test_an_actor_that_fails_after_every_apply_stops_with_an_error() -> None:
    with ActorSystem.open(actors={"account": Unfoldable}, retry_backoff=0.001) as system:
        promise = system.actor("account/alice").ask(Deposit(5))

        assert isinstance(promise.exception(10), ActorFailed)


def test_an_actor_may_look_at_its_context(world: World) -> None:
    seen: list[ActorContext] = []

    class Curious(AccountActor):
        def on_start(self) -> None:
            seen.append(self.context)
            super().on_start()

    system = world.open(actors={"account": Curious})
    system.actor("account/alice").ask(Deposit(1)).result()

    assert seen[0].settings == system.settings
