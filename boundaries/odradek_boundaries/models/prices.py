"""Prices that change: a customer pays the price that was shown, if it is the current one or the one before.

Orders of a product do not depend on each other, only on its prices. A unit per product makes them conflict; a query for
its prices does not. After the example of dcb.events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.lab import Lab, Model
from odradek_boundaries.read_sets import facts
from odradek_boundaries.workload import Draw, Workload
from odradek_events.schema.registry import event

__all__ = ["ChangePrice", "Order", "Ordered", "PriceSet", "model"]


@event("prices.PriceSet", tags=("product:{product}",))
class PriceSet(msgspec.Struct, frozen=True):
    """A product has this price from now on."""

    product: str
    cents: int


@event("prices.Ordered", tags=("order:{order}", "product:{product}"))
class Ordered(msgspec.Struct, frozen=True):
    """A product was ordered at a price."""

    order: str
    product: str
    cents: int


class ChangePrice(msgspec.Struct, frozen=True):
    """Give a product another price."""

    product: str
    cents: int


class Order(msgspec.Struct, frozen=True):
    """Order a product at the price that was shown."""

    order: str
    product: str
    cents: int


class _Prices:
    """The current price of a product and the one before, and whether one was ordered at another."""

    def __init__(self) -> None:
        self.valid: list[int] = []
        self.is_wrong = False

    def apply_all(self, events: Sequence[Any]) -> None:
        for fact in events:
            if isinstance(fact, PriceSet):
                self.valid = [*self.valid[-1:], fact.cents]
            else:
                self.is_wrong = self.is_wrong or fact.cents not in self.valid


def _order(known: _Prices, c: Order) -> Ordered:
    if c.cents not in known.valid:
        raise ValueError(f"{c.product} no longer costs {c.cents} cents")
    return Ordered(c.order, c.product, c.cents)


def _change(known: _Prices, c: ChangePrice) -> PriceSet | None:
    return None if known.valid[-1:] == [c.cents] else PriceSet(c.product, c.cents)


def model(*, products: int = 10, prices: int = 3, skew: float = 1.0, count: int = 2000) -> Model:
    """Return the model. Products are drawn by Zipf with this skew; each has one of a few prices at a time."""
    lab = Lab(*(PriceSet(f"p{number}", 100) for number in range(products)))
    for command, decide in ((Order, _order), (ChangePrice, _change)):
        lab.decides(command, reads=lambda c: facts(PriceSet, product=c.product), state=lambda c: _Prices())(decide)

    @lab.draw
    def order(r: Draw) -> Order:
        cents = 100 + 10 * r.randrange(prices)
        return Order(f"o{r.getrandbits(40):x}", f"p{r.zipf(products, skew)}", cents)

    @lab.draw
    def change_price(r: Draw) -> ChangePrice:
        return ChangePrice(f"p{r.zipf(products, skew)}", 100 + 10 * r.randrange(prices))

    @lab.always(per="product", state=_Prices)
    def nobody_pays_an_old_price(known: _Prices) -> bool:
        return not known.is_wrong

    boundaries = (
        Boundary("one unit"),
        Boundary("product", by=("product",)),
        Boundary("order, one per transaction", by=("order", "product"), checks="unit"),
        Boundary("a query per decision", checks="facts"),
    )
    workload = Workload({order: 90.0, change_price: 10.0}, count=count, per_second=500.0, service_ms=2.0)
    return Model(lab, boundaries, workload)
