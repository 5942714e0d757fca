"""Double delivery: the answer is late, the client tries again, and the customer pays twice."""

from functools import partial
from typing import Any

import pykka

from odradek import ActorSystem
from odradek.simulation import World

PATIENCE = 0.001  # virtual seconds, in which ten steps are taken


class BankActor(pykka.ThreadingActor):
    """Charges accounts. If it `remembers` payments, it answers a repeated one without charging again."""

    def __init__(self, remembers: bool) -> None:
        super().__init__()
        self.remembers = remembers
        self.payments: list[str] = []

    def on_receive(self, message: Any) -> list[str]:
        match message:
            case ("charge", payment) if not (self.remembers and payment in self.payments):
                self.payments.append(payment)
        return list(self.payments)


def pay(bank: pykka.ActorRef[BankActor], payment: str) -> None:
    """Charge the account, and try again after a timeout."""
    for _ in range(10):
        try:
            bank.ask(("charge", payment), timeout=PATIENCE)
        except pykka.Timeout:
            continue
        return


def shop(remembers: bool, world: World) -> None:
    """Have three customers pay once each, and look at the account."""
    bank = world.start(BankActor, remembers)

    def look() -> None:
        payments: Any = bank.ask(("look",))
        assert len(payments) == len(set(payments)), f"the bank charged {', '.join(payments)}"

    for customer in ("ann", "bob", "cid"):
        world.spawn(partial(pay, bank, f"{customer}'s order"), name=customer)
    world.when_quiet(look, name="auditor")


def buggy(system: ActorSystem, world: World) -> None:
    shop(False, world)


def fixed(system: ActorSystem, world: World) -> None:
    shop(True, world)
