"""A policy: what one account pays to another is paid in there, at least once, and never twice.

Each account has a stream of its own, and no transaction spans two. So a policy reacts to each payment with a command to
the other account. After a crash it may send that again: the account refuses a command whose cause it knows already.
"""

from typing import ClassVar

import msgspec

from odradek import ActorSystem, Aggregate, EventSourcedActor, Policy, Query, QueryItem, Reaction, Recorded, event


@event("Paid", tags=("account:{account}",))
class Paid(msgspec.Struct, frozen=True):
    account: str
    cents: int  # negative: paid out
    to: str
    cause: str


class Account(Aggregate):
    cents = 0
    causes: frozenset[str] = frozenset()

    def _paid(self, event: Paid) -> None:
        self.cents += event.cents
        self.causes |= {event.cause}

    appliers: ClassVar = {Paid: _paid}


class AccountActor(EventSourcedActor[Account]):
    def initial_state(self) -> Account:
        return Account()

    def decide(self, command: tuple[int, str]) -> Paid | None:
        is_known = self.cause in self.state.causes  # the cause is the id of the event that the policy reacts to
        return None if is_known else Paid(self.id, *command, self.cause)


def pay_in(recorded: Recorded) -> Reaction | None:
    paid = recorded.event
    return Reaction(f"account/{paid.to}", (-paid.cents, "")) if paid.to else None


policy = Policy("transfers", Query((QueryItem(("Paid",)),)), pay_in)
with ActorSystem.open(actors={"account": AccountActor}, policies=[policy]) as system:
    alice, bob = system.actor("account/alice"), system.actor("account/bob")
    alice.ask((100, ""), causation_id="wage").result()
    alice.ask((-30, "bob"), causation_id="rent").result()
    system.settle()
    *_, out, into = system.log.read(types=["Paid"])
    print(f"{out.event}\nled to {into.event}")
    print("bob is at version", bob.ask((30, ""), causation_id=out.metadata.event_id).result(), "if asked again")
    print({stream: account.cents for stream, account in system.state().own_aggregates.items()})
