"""A shop: orders of customers, stock of products, payments.

A customer has at most three unpaid orders, and no product is sold more often than it is in stock. An order reads the
customer and the product. With one of them per transaction, a policy reserves the stock after the order is placed. Two
orders in that time oversell the product, although nothing that either of them read has changed before it was appended:
exposed and stale are 0, late is not.
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

__all__ = ["OrderPlaced", "Paid", "Pay", "PlaceOrder", "Restock", "StockReceived", "StockReserved", "model"]

_UNPAID = 3


@event("shop.StockReceived", tags=("product:{product}",))
class StockReceived(msgspec.Struct, frozen=True):
    """Pieces of a product arrived."""

    product: str
    pieces: int


@event("shop.StockReserved", tags=("product:{product}",))
class StockReserved(msgspec.Struct, frozen=True):
    """Pieces of a product are reserved for an order."""

    product: str
    pieces: int
    order: str


@event("shop.OrderPlaced", tags=("customer:{customer}",))
class OrderPlaced(msgspec.Struct, frozen=True):
    """A customer ordered."""

    customer: str
    order: str


@event("shop.Paid", tags=("customer:{customer}",))
class Paid(msgspec.Struct, frozen=True):
    """A customer paid for all orders so far."""

    customer: str


class PlaceOrder(msgspec.Struct, frozen=True):
    """Order pieces of a product."""

    customer: str
    order: str
    product: str
    pieces: int = 1


class Pay(msgspec.Struct, frozen=True):
    """Pay for all orders."""

    customer: str


class Restock(msgspec.Struct, frozen=True):
    """Receive pieces of a product."""

    product: str
    pieces: int


class _Stock:
    """The pieces of one product that are not reserved."""

    def __init__(self) -> None:
        self.pieces = 0

    def apply_all(self, events: Sequence[Any]) -> None:
        for fact in events:
            if isinstance(fact, StockReceived):
                self.pieces += fact.pieces
            elif isinstance(fact, StockReserved):
                self.pieces -= fact.pieces


class _Customer(_Stock):
    """A customer's unpaid orders, and the stock of the product to order."""

    def __init__(self) -> None:
        super().__init__()
        self.unpaid = 0

    def apply_all(self, events: Sequence[Any]) -> None:
        super().apply_all(events)
        for fact in events:
            if isinstance(fact, OrderPlaced):
                self.unpaid += 1
            elif isinstance(fact, Paid):
                self.unpaid = 0


def _place(known: _Customer, c: PlaceOrder) -> list[OrderPlaced | StockReserved]:
    if known.unpaid >= _UNPAID:
        raise ValueError(f"{c.customer} has {known.unpaid} unpaid orders")
    if known.pieces < c.pieces:
        raise ValueError(f"{c.product} is sold out")
    return [OrderPlaced(c.customer, c.order), StockReserved(c.product, c.pieces, c.order)]


def model(*, products: int = 20, customers: int = 200, skew: float = 1.0, count: int = 4000) -> Model:
    """Return the model. Products are drawn by Zipf with this skew."""
    lab = Lab(*(StockReceived(f"p{number}", 10) for number in range(products)))
    lab.decides(
        PlaceOrder,
        reads=lambda c: (
            facts(OrderPlaced, Paid, customer=c.customer) | facts(StockReceived, StockReserved, product=c.product)
        ),
        state=lambda c: _Customer(),
    )(_place)
    lab.decides(Pay, reads=lambda c: facts(OrderPlaced, Paid, customer=c.customer), state=lambda c: _Customer())(
        lambda known, c: Paid(c.customer) if known.unpaid else None
    )
    lab.decides(
        Restock, reads=lambda c: facts(StockReceived, StockReserved, product=c.product), state=lambda c: _Stock()
    )(lambda known, c: StockReceived(c.product, c.pieces) if known.pieces < c.pieces else None)

    @lab.draw
    def place_order(r: Draw) -> PlaceOrder:
        customer = f"k{r.randrange(customers)}"
        return PlaceOrder(customer, f"o{r.getrandbits(40):x}", f"p{r.zipf(products, skew)}", r.randrange(1, 3))

    @lab.draw
    def pay(r: Draw) -> Pay:
        return Pay(f"k{r.randrange(customers)}")

    @lab.draw
    def restock(r: Draw) -> Restock:
        return Restock(f"p{r.zipf(products, skew)}", 10)

    @lab.always(per="product", state=_Stock)
    def nothing_is_oversold(known: _Stock) -> bool:
        return known.pieces >= 0

    @lab.always(per="customer", state=_Customer)
    def nobody_has_too_many_unpaid_orders(known: _Customer) -> bool:
        return known.unpaid <= _UNPAID

    units = ("customer", "product")
    boundaries = (
        Boundary("the whole shop"),
        Boundary("customer and product, all read", by=units),
        Boundary("customer and product, written", by=units, checks="written"),
        Boundary("customer or product, one per transaction", by=units, checks="unit"),
        Boundary("a query per decision", checks="facts"),
    )
    mix = {place_order: 60.0, pay: 30.0, restock: 10.0}
    return Model(lab, boundaries, Workload(mix, count=count, per_second=500.0, service_ms=1.0))
