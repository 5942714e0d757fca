"""A user-defined aggregate and its actor: a bank account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.messages.recovery import SnapshotSchema
from odradek_domain.aggregate import Aggregate
from odradek_events import event


@event("test.MoneyDeposited", version=1, tags=("account:{account}",))
class MoneyDeposited(msgspec.Struct, frozen=True):
    account: str
    amount: int


@event("test.MoneyWithdrawn", version=1, tags=("account:{account}",))
class MoneyWithdrawn(msgspec.Struct, frozen=True):
    account: str
    amount: int


class NotRegistered(msgspec.Struct, frozen=True):
    pass


class Overdrawn(Exception):
    pass


class Deposit(msgspec.Struct, frozen=True):
    amount: int


class Withdraw(msgspec.Struct, frozen=True):
    amount: int


class Balance(msgspec.Struct, frozen=True):
    pass


class Account(Aggregate):
    __slots__ = ("balance",)

    def __init__(self) -> None:
        super().__init__()
        self.balance = 0

    def snapshot(self) -> dict[str, int]:
        return {"balance": self.balance}

    def _deposited(self, event: MoneyDeposited) -> None:
        self.balance += event.amount

    def _withdrawn(self, event: MoneyWithdrawn) -> None:
        self.balance -= event.amount

    appliers = {MoneyDeposited: _deposited, MoneyWithdrawn: _withdrawn}


class AccountActor(EventSourcedActor[Account]):
    def initial_state(self) -> Account:
        return Account()

    def decide(self, command: Any) -> Sequence[Any]:
        match command:
            case Deposit(0):
                return []
            case Deposit(amount):
                return [MoneyDeposited(self.id, amount)]
            case Withdraw(amount) if amount > self.state.balance:
                raise Overdrawn(f"{self.state.balance} is less than {amount}")
            case Withdraw(amount):
                return [MoneyWithdrawn(self.id, amount)]
            case _:
                return [NotRegistered()]

    def respond(self, command: Any, events: Sequence[Any]) -> int:
        if command == Deposit(13):
            raise ArithmeticError("no words for 13")
        return self.state.balance

    def answer(self, query: Any) -> int:
        if isinstance(query, Balance):
            return self.state.balance
        raise LookupError("what?")


class AccountSnapshot(msgspec.Struct, frozen=True):
    version: int
    balance: int


class SavedAccount(Account):
    """An account that can be restored."""

    def snapshot(self) -> Any:
        return AccountSnapshot(self.version, self.balance)

    @classmethod
    def restore(cls, snapshot: AccountSnapshot) -> SavedAccount:
        account = cls()
        account.version, account.balance = snapshot.version, snapshot.balance
        return account


class SavedAccountActor(AccountActor):
    """An account's actor with snapshots."""

    snapshot_schema = SnapshotSchema("account", 1, AccountSnapshot)

    def initial_state(self) -> Account:
        return SavedAccount()
