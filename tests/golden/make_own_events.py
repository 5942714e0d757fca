"""Write a log of somebody's own events, as a program wrote it through two versions: names and fields of the time.

    python make_own_events.py own-events.db

Run once, with the code that README.md names, which took a version 2 without a word about version 1.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from odradek_events import Append, Appended, SqliteLog, event
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue

START = datetime(2023, 1, 1, tzinfo=UTC)


def first_program(path: str) -> None:
    """Write events of version 1."""
    catalogue = Catalogue()

    @event("AccountOpened", catalogue=catalogue)
    class AccountOpened(msgspec.Struct, frozen=True):
        account: str

    @event("CashMoved", catalogue=catalogue)
    class CashMoved(msgspec.Struct, frozen=True):
        account: str
        amount: str  # euros, as text
        memo: str = ""

    ann = [AccountOpened("ann"), CashMoved("ann", "12.50", "salary"), CashMoved("ann", "-2")]
    write(path, catalogue, ("account/ann", ann))
    write(path, catalogue, ("account/bøb", [AccountOpened("bøb")]), ("account/bøb", [CashMoved("bøb", "0.07")]))


def second_program(path: str) -> None:
    """Write events of version 2: `memo` is `note`, and there is a tag."""
    catalogue = Catalogue()

    @event("AccountOpened", catalogue=catalogue)
    class AccountOpened(msgspec.Struct, frozen=True):
        account: str

    @event("CashMoved", version=2, tags=("account:{account}",), catalogue=catalogue)
    class CashMoved(msgspec.Struct, frozen=True):
        account: str
        amount: str
        note: str = ""

    write(path, catalogue, ("account/ann", [CashMoved("ann", "-0.50", "tea ☕")]))
    write(path, catalogue, ("account/cid", [AccountOpened("cid"), CashMoved("cid", "100")]))


def write(path: str, catalogue: Catalogue, *commits: tuple[str, list[Any]]) -> None:
    """Append commits as the program that knows these types, each on a day of its own."""
    with SqliteLog(path, codec=Codec(catalogue)) as log:
        for stream, events in commits:
            recorded_at = START + timedelta(days=log.head().position + 1)
            (verdict,) = log.append([Append(stream=stream, events=events)], recorded_at)
            assert isinstance(verdict, Appended), verdict


if __name__ == "__main__":
    first_program(sys.argv[1])
    second_program(sys.argv[1])
