"""Snapshots of your own aggregate: a cart is opened again without folding its whole stream.

A snapshot holds all that later decisions and answers need. Raise the schema's version when you change how events fold.
"""

import tempfile
from typing import ClassVar, Self

import msgspec

from odradek import ActorSystem, Aggregate, EventSourcedActor, SnapshotSchema, event


@event("ItemAdded", version=1)
class ItemAdded(msgspec.Struct, frozen=True):
    item: str


class CartSnap(msgspec.Struct, frozen=True):
    version: int
    items: list[str]


class Cart(Aggregate):
    def __init__(self, items: list[str], version: int = -1) -> None:
        self.items, self.version = items, version

    def _added(self, event: ItemAdded) -> None:
        self.items.append(event.item)

    appliers: ClassVar = {ItemAdded: _added}

    def snapshot(self) -> CartSnap:
        return CartSnap(self.version, self.items)

    @classmethod
    def restore(cls, snapshot: CartSnap) -> Self:
        print("  restored at version", snapshot.version)
        return cls(snapshot.items, snapshot.version)


class CartActor(EventSourcedActor[Cart]):
    snapshot_schema = SnapshotSchema("cart", 1, CartSnap)

    def initial_state(self) -> Cart:
        return Cart([])

    def decide(self, command: list[str]) -> list[ItemAdded]:
        return [ItemAdded(item) for item in command]

    def answer(self, query: str) -> str:
        return ", ".join(self.state.items)


with tempfile.TemporaryDirectory() as place:
    for interval, items in ((1000, ["tea", "milk"]), (1000, ["jam"]), (0, [])):  # 0: no snapshots
        with ActorSystem.open(f"{place}/shop.db", actors={"cart": CartActor}, snapshot_interval=interval) as system:
            cart = system.actor("cart/alice")
            cart.ask(items).result()
            print(f"interval {interval}: {cart.query('contents').result()}")
