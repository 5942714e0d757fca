"""Deadlock: two clerks lock two accounts in opposite order, and each waits for the one that the other holds."""

from typing import Any

import pykka

from odradek import ActorSystem
from odradek.simulation import World


class AccountActor(pykka.ThreadingActor):
    """Can be locked by one clerk at a time; the others wait in line."""

    def __init__(self) -> None:
        super().__init__()
        self.line: list[pykka.ActorRef[Any]] = []

    def on_receive(self, message: Any) -> None:
        match message:
            case ("lock", clerk):
                self.line.append(clerk)
                if len(self.line) > 1:
                    return
            case _:
                self.line.pop(0)
        if self.line:
            self.line[0].tell(("locked",))


Account = pykka.ActorRef[AccountActor]


class ClerkActor(pykka.ThreadingActor):
    """Locks the accounts one after the other, transfers, and unlocks them."""

    def __init__(self, accounts: list[Account], transfers: list[str]) -> None:
        super().__init__()
        self.accounts, self.transfers = accounts, transfers
        self.locked = 0

    def on_start(self) -> None:
        self.accounts[0].tell(("lock", self.actor_ref))

    def on_receive(self, message: Any) -> None:
        self.locked += 1
        if self.locked < len(self.accounts):
            self.accounts[self.locked].tell(("lock", self.actor_ref))
            return
        self.transfers.append("done")
        for account in self.accounts:
            account.tell(("unlock",))


def transfer(world: World, first: list[int], second: list[int]) -> None:
    """Start two clerks, which lock the accounts of these numbers in this order."""
    accounts = [world.start(AccountActor), world.start(AccountActor)]
    transfers: list[str] = []
    for order in (first, second):
        world.start(ClerkActor, [accounts[number] for number in order], transfers)
    world.eventually(lambda _: len(transfers) == 2, within=1.0, name="both transfers are done")


def buggy(system: ActorSystem, world: World) -> None:
    transfer(world, [0, 1], [1, 0])


def fixed(system: ActorSystem, world: World) -> None:
    transfer(world, [0, 1], [0, 1])
