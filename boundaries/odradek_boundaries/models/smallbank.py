"""SmallBank: a benchmark of snapshot isolation (Alomari, Cahill, Fekete, Roehm, ICDE 2008), as events.

A customer has a savings and a checking account. WriteCheck reads both and writes checking; TransactSavings reads and
writes savings. A boundary that checks only what is written (snapshot isolation) lets both pass at the same time, and
the check is no longer covered: write skew, which shows as exposed decisions. Without one of the two commands, all that
is read is also written, or changes only together with something that is, and nothing is exposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.lab import Lab, Model
from odradek_boundaries.read_sets import Facts, facts
from odradek_boundaries.workload import Draw, Workload
from odradek_events.schema.registry import event

__all__ = [
    "Amalgamate",
    "CheckingMoved",
    "DepositChecking",
    "SavingsMoved",
    "TransactSavings",
    "WriteCheck",
    "model",
]


@event("smallbank.SavingsMoved", tags=("savings:{customer}", "customer:{customer}"))
class SavingsMoved(msgspec.Struct, frozen=True):
    """Money came to a savings account, or left it."""

    customer: int
    cents: int


@event("smallbank.CheckingMoved", tags=("checking:{customer}", "customer:{customer}"))
class CheckingMoved(msgspec.Struct, frozen=True):
    """Money came to a checking account, or left it."""

    customer: int
    cents: int


class DepositChecking(msgspec.Struct, frozen=True):
    """Put money into a checking account."""

    customer: int
    cents: int


class TransactSavings(msgspec.Struct, frozen=True):
    """Put money into a savings account, or take it out."""

    customer: int
    cents: int


class WriteCheck(msgspec.Struct, frozen=True):
    """Take money from a checking account, up to what the customer has in both."""

    customer: int
    cents: int


class Amalgamate(msgspec.Struct, frozen=True):
    """Move all money of a customer to another customer's checking account."""

    source: int
    target: int


class _Balances:
    """The savings and the checking of each customer."""

    def __init__(self) -> None:
        self.savings: dict[int, int] = {}
        self.checking: dict[int, int] = {}

    def apply_all(self, events: Sequence[Any]) -> None:
        for fact in events:
            accounts = self.savings if isinstance(fact, SavingsMoved) else self.checking
            accounts[fact.customer] = accounts.get(fact.customer, 0) + fact.cents

    def total(self, customer: int) -> int:
        return self.savings.get(customer, 0) + self.checking.get(customer, 0)


def _both(customer: int) -> Facts:
    return facts(SavingsMoved, customer=customer) | facts(CheckingMoved, customer=customer)


def _transact_savings(known: _Balances, c: TransactSavings) -> SavingsMoved:
    if known.savings.get(c.customer, 0) + c.cents < 0:
        raise ValueError("too little savings")
    return SavingsMoved(c.customer, c.cents)


def _write_check(known: _Balances, c: WriteCheck) -> CheckingMoved:
    if known.total(c.customer) < c.cents:
        raise ValueError("too little money")
    return CheckingMoved(c.customer, -c.cents)


def _amalgamate(known: _Balances, c: Amalgamate) -> list[Any]:
    if c.source == c.target:
        raise ValueError("one customer")
    savings, checking = known.savings.get(c.source, 0), known.checking.get(c.source, 0)
    return [
        SavingsMoved(c.source, -savings),
        CheckingMoved(c.source, -checking),
        CheckingMoved(c.target, savings + checking),
    ]


def model(*, customers: int = 20, without: tuple[str, ...] = (), count: int = 4000) -> Model:
    """Return the model; `without` names commands that are left out, such as "write_check"."""
    begins = [kind(customer, 300) for customer in range(customers) for kind in (SavingsMoved, CheckingMoved)]
    lab = Lab(*begins)
    lab.decides(
        DepositChecking, reads=lambda c: facts(CheckingMoved, customer=c.customer), state=lambda c: _Balances()
    )(lambda known, c: CheckingMoved(c.customer, c.cents))
    lab.decides(TransactSavings, reads=lambda c: facts(SavingsMoved, customer=c.customer), state=lambda c: _Balances())(
        _transact_savings
    )
    lab.decides(WriteCheck, reads=lambda c: _both(c.customer), state=lambda c: _Balances())(_write_check)
    lab.decides(
        Amalgamate,
        reads=lambda c: _both(c.source) | facts(CheckingMoved, customer=c.target),
        state=lambda c: _Balances(),
    )(_amalgamate)

    @lab.draw
    def deposit_checking(r: Draw) -> DepositChecking:
        return DepositChecking(r.zipf(customers), r.randrange(1, 100))

    @lab.draw
    def transact_savings(r: Draw) -> TransactSavings:
        return TransactSavings(r.zipf(customers), r.randrange(-150, 150))

    @lab.draw
    def write_check(r: Draw) -> WriteCheck:
        return WriteCheck(r.zipf(customers), r.randrange(1, 200))

    @lab.draw
    def amalgamate(r: Draw) -> Amalgamate:
        return Amalgamate(r.zipf(customers), r.zipf(customers))

    @lab.always(per="savings", state=_Balances)
    def savings_are_never_negative(known: _Balances) -> bool:
        return all(cents >= 0 for cents in known.savings.values())

    accounts = ("savings", "checking")
    boundaries = (
        Boundary("the whole bank"),
        Boundary("customer", by=("customer",)),
        Boundary("account, all read", by=accounts),
        Boundary("account, written", by=accounts, checks="written"),
        Boundary("account, one per transaction", by=accounts, checks="unit"),
        Boundary("a query per decision", checks="facts"),
    )
    weights = {deposit_checking: 25.0, transact_savings: 25.0, write_check: 25.0, amalgamate: 15.0}
    mix = {draw: weight for draw, weight in weights.items() if draw.__name__ not in without}
    return Model(lab, boundaries, Workload(mix, count=count, per_second=600.0, service_ms=2.0))
