"""A small world with a planted bug: two clerks who sell at the same time write back the same number."""

from __future__ import annotations

from typing import Any

import pykka

from odradek import ActorSystem
from odradek.simulation import World

__all__ = ["Clerk", "Stock", "forget_to_start", "sell", "sell_nothing", "sell_slowly"]


class Stock(pykka.ThreadingActor):
    """Knows how many items are left; a clerk that wrote back an old number made it forget a sale."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.sold = 10, 0

    def on_receive(self, message: Any) -> None:
        what, value = message
        if what == "read":
            value.tell(self.left)
            return
        self.left = value
        self.sold += 1
        assert self.left == 10 - self.sold, "a sale was lost"


class Clerk(pykka.ThreadingActor):
    """Sells one item: reads the stock, and writes it back."""

    def __init__(self, stock: pykka.ActorRef[Stock]) -> None:
        super().__init__()
        self.stock = stock

    def on_receive(self, message: Any) -> None:
        self.stock.tell(("read", self.actor_ref) if message == "sell" else ("write", message - 1))


def sell(system: ActorSystem, world: World) -> None:
    """Start three customers who buy up to four items each, each from a clerk of its own."""
    stock = world.start(Stock)

    def buy(clerk: pykka.ActorRef[Clerk]) -> None:
        for _ in range(1 + world.draw(4)):
            clerk.tell("sell")
            world.sleep(0.01)

    for number in range(3):
        world.spawn(buy, world.start(Clerk, stock), name=f"customer-{number}")


def sell_slowly(system: ActorSystem, world: World) -> None:
    """Sell to one customer after another, so that no sale is lost; nobody wants a refund."""
    stock = world.start(Stock)
    world.sometimes("a refund")

    def buy(clerk: pykka.ActorRef[Clerk]) -> None:
        clerk.tell("sell")
        world.sleep(1.0)

    for number in range(2):
        world.spawn(buy, world.start(Clerk, stock), name=f"customer-{number}").result()


def forget_to_start(system: ActorSystem, world: World) -> None:
    """Fail before any client starts."""
    raise RuntimeError("nothing is prepared")


def sell_nothing(system: ActorSystem, world: World) -> None:
    """Have no customers."""
