"""Lost update: two sellers read the same number, and the second to write it back undoes the sale of the first."""

from collections.abc import Callable
from typing import Any

import pykka

from odradek import ActorSystem
from odradek.simulation import World

Stock = pykka.ActorRef["StockActor"]


class StockActor(pykka.ThreadingActor):
    """Knows how many items are left, and writes down what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 10

    def on_receive(self, message: Any) -> int:
        match message:
            case ("write", left):
                self.left = left
            case ("take", count):
                self.left -= count
            case _:
                pass  # only reads
        return self.left


def write_back(stock: Stock) -> None:
    """Read, calculate, write: between the two messages anybody else can do the same."""
    left: Any = stock.ask(("read",))
    stock.ask(("write", left - 1))


def take(stock: Stock) -> None:
    """Say what to do, and let the actor that owns the number calculate."""
    stock.ask(("take", 1))


def shop(world: World, sell_one: Callable[[Stock], None]) -> None:
    """Start two sellers, and count the stock when both are done."""
    stock = world.start(StockActor)
    sold: list[str] = []

    def sell(seller: str) -> None:
        sell_one(stock)
        sold.append(seller)

    def count_stock() -> None:
        left = stock.ask(("read",))
        assert left == 10 - len(sold), f"{left} of 10 items are left after {len(sold)} sales"

    for seller in ("ann", "bob"):
        world.spawn(sell, seller, name=seller)
    world.when_quiet(count_stock, name="auditor")


def buggy(system: ActorSystem, world: World) -> None:
    shop(world, write_back)


def fixed(system: ActorSystem, world: World) -> None:
    shop(world, take)
