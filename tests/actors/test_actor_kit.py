"""The actor kit: what it drives, and that it finds what a restart brings to light."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from support.accounts import (
    Account,
    AccountActor,
    AccountSnapshot,
    Balance,
    Deposit,
    MoneyDeposited,
    MoneyWithdrawn,
    Overdrawn,
    SavedAccount,
    SavedAccountActor,
    Withdraw,
)

from odradek.testing import ActorKit
from odradek_actors.errors import RequestTimedOut
from odradek_actors.infrastructure.directory import ActorClass

ACTORS: list[ActorClass] = [AccountActor, SavedAccountActor]


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("rejecting", [False, True])
def test_a_sound_actor_is_driven_to_the_end(actor: ActorClass, rejecting: bool) -> None:
    with ActorKit(actor, "account/alice", rejecting=rejecting) as kit:
        assert kit.query(Balance()) == 0
        assert kit.send(Deposit(100)).events == [MoneyDeposited("alice", 100)]
        assert kit.send(Withdraw(30)).result() == 70
        assert kit.query(Balance()) == 70
        assert kit.send(Deposit(0)).events == []
        assert (kit.state.balance, kit.state.version) == (70, 1)
        assert kit.events == [MoneyDeposited("alice", 100), MoneyWithdrawn("alice", 30)]


def test_sent_carries_the_error_of_a_refused_command() -> None:
    with ActorKit(AccountActor, "account/alice") as kit:
        kit.send(Deposit(10))
        refused = kit.send(Withdraw(11))

        assert isinstance(refused.error, Overdrawn)
        assert refused.events == []
        with pytest.raises(Overdrawn):
            refused.result()
        assert kit.send(Withdraw(10)).result() == 0


def test_exceptions_in_respond_and_answer_are_reported() -> None:
    with ActorKit(SavedAccountActor, "account/alice") as kit:
        sent = kit.send(Deposit(13))
        assert isinstance(sent.error, ArithmeticError)
        assert sent.events == [MoneyDeposited("alice", 13)]
        with pytest.raises(LookupError):
            kit.query("what")
        assert kit.send(Deposit(1)).result() == 14  # and "what" is asked again


def test_the_kits_state_is_a_copy() -> None:
    with ActorKit(AccountActor, "account/alice") as kit:
        kit.state.balance = 1_000_000
        assert isinstance(kit.send(Withdraw(5)).error, Overdrawn)


# -- what it finds -----------------------------------------------------------------------------------------------------


class DecidesAndChanges(AccountActor):
    """Changes its state when it decides, which is lost with the next restart."""

    def decide(self, command: Any) -> Sequence[Any]:
        if isinstance(command, Withdraw):
            self.state.balance -= command.amount
            raise Overdrawn
        return super().decide(command)


class ChangesBeforeItIsStored(AccountActor):
    """Changes its state when it decides; `apply` takes it back where the event is stored."""

    def decide(self, command: Any) -> Sequence[Any]:
        events = super().decide(command)
        self.state.balance += command.amount
        return events

    def on_applied(self, events: Sequence[Any], first_position: int) -> None:
        if not self.is_recovering_now:
            self.state.balance -= events[0].amount

    @property
    def is_recovering_now(self) -> bool:
        return self._phase == "recovering"


class Remembers(AccountActor):
    """Answers from a memory of its own, which no event brings back."""

    _asked = 0

    def decide(self, command: Any) -> Sequence[Any]:
        self._asked += 1
        return super().decide(command)

    def answer(self, query: Any) -> int:
        return self._asked


class AppliesMore(AccountActor):
    """Follows from events in the actor what only its first life sees."""

    def on_applied(self, events: Sequence[Any], first_position: int) -> None:
        if self._phase != "recovering":
            self.state.balance += 1


class Forgets(SavedAccount):
    """Loses what its snapshot does not hold."""

    @classmethod
    def restore(cls, snapshot: AccountSnapshot) -> SavedAccount:
        account = cls()
        account.version = snapshot.version
        return account


class ForgetsActor(SavedAccountActor):
    def initial_state(self) -> Account:
        return Forgets()


class FailsToRestore(SavedAccountActor):
    def restore(self, snapshot: Any) -> Account:
        raise ArithmeticError("no restore")


class FailsToTake(SavedAccountActor):
    def take_snapshot(self) -> msgspec.Struct:
        raise ArithmeticError("no snapshot")


class RestoresToNoVersion(SavedAccountActor):
    def restore(self, snapshot: Any) -> Account:
        return SavedAccount()


class TakesSomethingElse(SavedAccountActor):
    def take_snapshot(self) -> msgspec.Struct:
        return Deposit(1)


class Unseen(SavedAccount):
    """Cannot be compared."""

    def snapshot(self) -> Any:
        raise ArithmeticError("no snapshot")


class UnseenActor(SavedAccountActor):
    def initial_state(self) -> Account:
        return Unseen()


class NotToBeRead(SavedAccountActor):
    """Its snapshots are written as what its type does not read."""

    def take_snapshot(self) -> msgspec.Struct:
        return AccountSnapshot(self.state.version, "lots")  # type: ignore[arg-type]  # the mistake under test


class NotInTheSnapshot(SavedAccountActor):
    """Notes in the actor what is not in its snapshot, and answers from it."""

    _deposits = 0

    def on_applied(self, events: Sequence[Any], first_position: int) -> None:
        self._deposits += len(events)

    def answer(self, query: Any) -> int:
        return self._deposits


FINDS: list[tuple[ActorClass, str]] = [
    (DecidesAndChanges, "stored no event but changed the actor"),
    (Remembers, "recovered from its stream alone, the actor differs"),
    (AppliesMore, r"state\['balance'\] was 101 and is 100"),
    (ForgetsActor, "recovered from its snapshot at version 0"),
    (FailsToRestore, r"restore \(by default the aggregate's classmethod restore\(\)\) failed: ArithmeticError"),
    (FailsToTake, r"take_snapshot \(by default the aggregate's snapshot\(\)\) failed: ArithmeticError"),
    (RestoresToNoVersion, "restore .*the aggregate is at -1"),
    (TakesSomethingElse, "take_snapshot .*returned a Deposit, not the schema's AccountSnapshot"),
    (UnseenActor, "take_snapshot .*failed: ArithmeticError"),
    (NotToBeRead, "the snapshot cannot be read back"),
    (NotInTheSnapshot, "the actor differs"),
]


@pytest.mark.parametrize(("actor", "reason"), FINDS, ids=[actor.__name__ for actor, _ in FINDS])
def test_the_kit_finds_faults_that_a_restart_reveals(actor: ActorClass, reason: str) -> None:
    def drive() -> None:
        with ActorKit(actor, "account/alice") as kit:
            kit.query(Balance())
            kit.send(Deposit(100))
            kit.send(Withdraw(30))

    with pytest.raises(AssertionError, match=reason):
        drive()


def test_the_kit_finds_state_that_changes_before_the_append() -> None:
    def drive(*, rejecting: bool) -> None:
        with ActorKit(ChangesBeforeItIsStored, "account/alice", rejecting=rejecting) as kit:
            kit.send(Deposit(100))

    drive(rejecting=False)
    with pytest.raises(AssertionError, match="rejected by the log, changed the actor"):
        drive(rejecting=True)


def test_a_finding_says_after_which_command_what_differs() -> None:
    with pytest.raises(AssertionError) as found, ActorKit(AppliesMore, "account/alice") as kit:
        kit.send(Deposit(100))

    assert str(found.value).splitlines()[0].startswith("after Deposit(amount=100), recovered")


class NeverAnswers(AccountActor):
    def reply(self, request: Any, value: object) -> None:
        if not isinstance(value, int):
            super().reply(request, value)


def test_the_kit_waits_for_an_answer_only_until_its_timeout() -> None:
    with pytest.raises(RequestTimedOut), ActorKit(NeverAnswers, "account/alice", timeout=0.1) as kit:
        kit.send(Deposit(100))


def test_the_error_of_a_test_is_not_hidden_by_the_kit() -> None:
    with pytest.raises(ZeroDivisionError), ActorKit(AccountActor, "account/alice"):
        raise ZeroDivisionError


def test_the_kit_needs_no_test_framework() -> None:
    program = "import sys, odradek.testing; sys.exit('pytest' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment, timeout=60).returncode == 0
