"""Accounts, and a policy that pays in at one what another paid out to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import msgspec

from odradek import Aggregate, EventSourcedActor, Policy, Query, QueryItem, Reaction, Recorded, event
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorError
from odradek_events.errors import LogError
from odradek_events.log.port import ReadableLog

ACCOUNTS = ("ann", "bob", "cid")
WAGE = 100


@event("test.PaidOut", tags=("account:{account}",))
class PaidOut(msgspec.Struct, frozen=True):
    account: str
    cents: int
    to: str
    cause: str


@event("test.PaidIn", tags=("account:{account}",))
class PaidIn(msgspec.Struct, frozen=True):
    account: str
    cents: int
    cause: str


class PayOut(msgspec.Struct, frozen=True):
    cents: int
    to: str


class PayIn(msgspec.Struct, frozen=True):
    cents: int


class Account(Aggregate):
    """Balance, causes of what was paid, and what was paid out in all."""

    def __init__(self) -> None:
        super().__init__()
        self.cents = 0
        self.causes: list[str] = []

    def _paid_out(self, event: PaidOut) -> None:
        self.cents -= event.cents
        self.causes.append(event.cause)

    def _paid_in(self, event: PaidIn) -> None:
        self.cents += event.cents
        self.causes.append(event.cause)

    appliers: ClassVar = {PaidOut: _paid_out, PaidIn: _paid_in}


class AccountActor(EventSourcedActor[Account]):
    """Takes each command once, known by its cause."""

    def initial_state(self) -> Account:
        return Account()

    def decide(self, command: PayOut | PayIn) -> PaidOut | PaidIn | None:
        if self.cause in self.state.causes:
            return None
        if isinstance(command, PayIn):
            return PaidIn(self.id, command.cents, self.cause)
        return PaidOut(self.id, command.cents, command.to, self.cause)

    def answer(self, query: str) -> int:
        return self.state.cents


def pay_in(recorded: Recorded) -> Reaction:
    """React to a PaidOut."""
    return Reaction(f"account/{recorded.event.to}", PayIn(recorded.event.cents))


PAID_OUT = Query((QueryItem(("test.PaidOut",)),))
TRANSFERS = Policy("transfers", PAID_OUT, pay_in)


def transfer(system: ActorSystem, name: str, count: int) -> None:
    """Get a wage, then pay others. A command that fails, or that a crash interrupted, is sent again."""
    others = [other for other in ACCOUNTS if other != name]
    pay(system, name, PayIn(WAGE), f"{name} {WAGE}")
    for number in range(1, count + 1):
        pay(system, name, PayOut(number, others[number % len(others)]), f"{name} {number}")


def pay(system: ActorSystem, name: str, command: PayIn | PayOut, cause: str) -> None:
    """Send a command to an account until it succeeds."""
    until_done(lambda: system.actor(f"account/{name}").ask(command, causation_id=cause).result(120))


def until_done(request: Callable[[], int]) -> int:
    """Make a request until it succeeds, and return its answer; an error that cannot pass is raised."""
    while True:
        try:
            return request()
        except (ActorError, LogError) as error:
            if not error.retriable:
                raise


def owed(log: ReadableLog) -> list[tuple[str, str]]:
    """Return what was paid out and not paid in, by event id and account; AssertionError if it was paid in twice."""
    paid_out = [(found.metadata.event_id, found.event.to) for found in log.read(types=["test.PaidOut"])]
    for found in log.read(types=["test.PaidIn"]):
        key = found.event.cause, found.event.account
        if key in paid_out:
            paid_out.remove(key)
        else:
            assert "/" not in found.event.cause or found.event.account not in ACCOUNTS, f"{key} was paid in twice"
    return paid_out
