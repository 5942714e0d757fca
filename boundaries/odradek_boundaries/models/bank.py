"""Bank transfers: an account is never overdrawn, and no money goes to a closed account.

A transfer reads and writes two accounts. With one account per transaction, the deposit follows the withdrawal: in
between the account may be closed, and then it gets money that nobody can take out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.lab import Lab, Model
from odradek_boundaries.read_sets import Facts, facts
from odradek_boundaries.workload import Draw, Workload
from odradek_domain.aggregate import Aggregate
from odradek_events.schema.registry import event

__all__ = [
    "Account",
    "AccountClosed",
    "AccountOpened",
    "Close",
    "Deposited",
    "Transfer",
    "Withdrawn",
    "model",
]

_ACCOUNT = "account:{account}"


@event("bank.AccountOpened", tags=(_ACCOUNT,))
class AccountOpened(msgspec.Struct, frozen=True):
    """An account was opened with a balance."""

    account: str
    cents: int


@event("bank.Withdrawn", tags=(_ACCOUNT,))
class Withdrawn(msgspec.Struct, frozen=True):
    """Money left an account."""

    account: str
    cents: int


@event("bank.Deposited", tags=(_ACCOUNT,))
class Deposited(msgspec.Struct, frozen=True):
    """Money came to an account."""

    account: str
    cents: int


@event("bank.AccountClosed", tags=(_ACCOUNT,))
class AccountClosed(msgspec.Struct, frozen=True):
    """An account was closed."""

    account: str


class Transfer(msgspec.Struct, frozen=True):
    """Move money from one account to another."""

    source: str
    target: str
    cents: int


class Close(msgspec.Struct, frozen=True):
    """Pay out an account and close it."""

    account: str


class Account(Aggregate):
    """An account, as it would be without the lab."""

    def __init__(self) -> None:
        super().__init__()
        self.cents = 0
        self.is_open = False

    def close(self, command: Close) -> list[Withdrawn | AccountClosed]:
        """Decide to pay out the account and to close it."""
        if not self.is_open:
            raise ValueError(f"account {command.account} is closed already")
        return [Withdrawn(command.account, self.cents), AccountClosed(command.account)]

    def _opened(self, event: AccountOpened) -> None:
        self.cents, self.is_open = event.cents, True

    def _withdrawn(self, event: Withdrawn) -> None:
        self.cents -= event.cents

    def _deposited(self, event: Deposited) -> None:
        self.cents += event.cents

    def _closed(self, _: AccountClosed) -> None:
        self.is_open = False

    appliers: ClassVar = {
        AccountOpened: _opened,
        Withdrawn: _withdrawn,
        Deposited: _deposited,
        AccountClosed: _closed,
    }


class _Accounts(dict[str, Account]):
    """Several accounts, by name."""

    def apply_all(self, events: Sequence[Any]) -> None:
        for fact in events:
            self.setdefault(fact.account, Account()).apply(fact)


def _of(account: str) -> Facts:
    return facts(AccountOpened, Withdrawn, Deposited, AccountClosed, account=account)


def _transfer(accounts: _Accounts, command: Transfer) -> list[Withdrawn | Deposited]:
    source, target = accounts.get(command.source, Account()), accounts.get(command.target, Account())
    if command.source == command.target or not source.is_open or not target.is_open:
        raise ValueError("a transfer needs two open accounts")
    if source.cents < command.cents:
        raise ValueError(f"account {command.source} has {source.cents} cents, and not {command.cents}")
    return [Withdrawn(command.source, command.cents), Deposited(command.target, command.cents)]


def model(*, accounts: int = 200, cents: int = 500, skew: float = 0.8, count: int = 3000) -> Model:
    """Return the model. Accounts are drawn by Zipf with this skew, and begin with this balance."""
    lab = Lab(*(AccountOpened(f"a{number}", cents) for number in range(accounts)))
    lab.decides(Transfer, reads=lambda c: _of(c.source) | _of(c.target), state=lambda c: _Accounts())(_transfer)
    lab.decides(Close, reads=lambda c: _of(c.account), state=lambda c: Account())(Account.close)

    @lab.draw
    def transfer(r: Draw) -> Transfer:
        return Transfer(f"a{r.zipf(accounts, skew)}", f"a{r.zipf(accounts, skew)}", r.randrange(1, 200))

    @lab.draw
    def close(r: Draw) -> Close:
        return Close(f"a{r.randrange(accounts)}")

    @lab.always(per="account", state=Account)
    def no_account_is_overdrawn(known: Account) -> bool:
        return known.cents >= 0

    @lab.always(per="account", state=Account)
    def no_closed_account_has_money(known: Account) -> bool:
        return known.is_open or known.cents == 0

    boundaries = (
        Boundary("the whole bank"),
        Boundary("account, all read", by=("account",)),
        Boundary("account, written", by=("account",), checks="written"),
        Boundary("account, one per transaction", by=("account",), checks="unit"),
        Boundary("a query per decision", checks="facts"),
    )
    mix = {transfer: 97.0, close: 3.0}
    return Model(lab, boundaries, Workload(mix, count=count, per_second=400.0, service_ms=2.0, hop_ms=20.0))
