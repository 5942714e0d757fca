"""Small logs of a shop, for tests of observing a log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from odradek_events import event
from odradek_events.log import MemoryLog
from odradek_events.log.port import LogStore
from odradek_events.record import Append, Appended, Decision

__all__ = ["START", "Moved", "OrderPlaced", "PaymentTaken", "Recorder", "StockTaken", "shop"]

START = datetime(2026, 1, 1, tzinfo=UTC)


@event("observed.OrderPlaced", tags=("order:{order}", "customer:{customer}"))
class OrderPlaced(msgspec.Struct, frozen=True):
    """A customer placed an order."""

    order: int
    customer: str = "ann"


@event("observed.PaymentTaken", tags=("order:{order}",))
class PaymentTaken(msgspec.Struct, frozen=True):
    """An order was paid."""

    order: int
    cents: int = 100


@event("observed.StockTaken", tags=("item:{item}", "order:{order}"))
class StockTaken(msgspec.Struct, frozen=True):
    """Pieces of an item were taken for an order."""

    item: str
    order: int


@event("observed.Moved", tags=("account:{source}", "account:{target}"))
class Moved(msgspec.Struct, frozen=True):
    """Money was moved, with a field of every kind that an export has to tell apart."""

    source: str
    target: str
    actor: str = "teller"
    rate: float = 0.5
    is_urgent: bool = False
    due: datetime | None = None
    kind: Literal["wire", "cash"] = "wire"
    slip: bytes = b""
    notes: tuple[str, ...] = ()


class Recorder:
    """Appends decisions to a log, one commit each, unless `commit` gets several."""

    def __init__(self, log: LogStore | None = None) -> None:
        self.log = MemoryLog() if log is None else log

    def __call__(self, stream: str, *events: Any, by: str = "", because: str = "", ms: float = 0) -> str:
        """Append a decision at `ms` after the start; return the id of its first event."""
        return self.commit(stream, [(by, because, events)], ms)

    def commit(self, stream: str, decisions: Sequence[tuple[str, str, Sequence[Any]]], ms: float = 0) -> str:
        """Append several decisions, given by correlation id, causation id and events, in one commit."""
        request = Append(
            stream=stream,
            events=[event for _, _, events in decisions for event in events],
            commit_id=f"commit-{self.log.head().position + 1}",
            decisions=tuple(Decision(len(events), by, because) for by, because, events in decisions),
        )
        (verdict,) = self.log.append([request], START + timedelta(milliseconds=ms))
        assert isinstance(verdict, Appended), verdict
        return f"{request.commit_id}/0"


def shop(log: LogStore | None = None, orders: int = 4) -> LogStore:
    """Return a log of orders, each of which is paid 10 ms later and takes stock 30 ms later."""
    record = Recorder(log)
    for order in range(orders):
        by, ms = f"conversation-{order}", 100 * order
        placed = record(f"order/{order}", OrderPlaced(order, f"customer-{order % 2}"), by=by, because=by, ms=ms)
        record(f"payment/{order}", PaymentTaken(order), by=by, because=placed, ms=ms + 10)
        record("stock/all", StockTaken(f"item-{order % 3}", order), by=by, because=placed, ms=ms + 30)
    return record.log
