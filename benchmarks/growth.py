"""Measure whether conditional appends and reads by tag take the same time in logs of 1 k, 100 k and 1 M events.

Each log has payments, in commits of 100: of one type, in one of four currencies (each a tag of a quarter of all
events), to accounts with ten payments each, spread evenly over the whole log. The logs take turns in each round.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from odradek import Append, Appended, Condition, Query, QueryItem, SqliteLog, event
from odradek_events import Rejected

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIZES = (1_000, 100_000, 1_000_000)
COMMIT = 100
PAYMENTS_PER_ACCOUNT = 10
CURRENCIES = ("chf", "eur", "gbp", "usd")


@event("growth.Paid", tags=("account:{account}", "currency:{currency}"))
class Paid(msgspec.Struct, frozen=True):
    """A payment."""

    account: str
    currency: str
    cents: int


class Grown:
    """A log of `size` payments."""

    def __init__(self, folder: Path, size: int) -> None:
        self.size = size
        self.accounts = size // PAYMENTS_PER_ACCOUNT
        self.log = SqliteLog(folder / f"{size}.db", durability="off")
        self._new = 0
        for first in range(0, size, COMMIT):
            paid = [self.payment(number) for number in range(first, first + COMMIT)]
            self.log.append([Append(stream=f"ledger/{first // COMMIT % 64}", events=paid)], NOW)

    def payment(self, number: int) -> Paid:
        """Return the payment of that number: accounts take turns, so each is spread over the whole log."""
        return Paid(f"{number % self.accounts}", CURRENCIES[number % len(CURRENCIES)], number)

    def new_account(self) -> str:
        """Return an account without payments."""
        self._new += 1
        return f"new-{self._new}"

    def append(self, condition: Condition | None, account: str) -> Appended | Rejected:
        """Append one payment."""
        request = Append(stream=f"account/{account}", events=[Paid(account, "eur", 1)], condition=condition)
        (verdict,) = self.log.append([request], NOW)
        assert isinstance(verdict, Appended | Rejected)
        return verdict


def unconditional(grown: Grown, _: int) -> None:
    """Append without a condition, to compare with."""
    assert isinstance(grown.append(None, grown.new_account()), Appended)


def on_one_tag(grown: Grown, _: int) -> None:
    """Append if the account has no payment."""
    account = grown.new_account()
    assert isinstance(grown.append(Condition(Query((QueryItem((), (f"account:{account}",)),))), account), Appended)


def on_type_and_tags(grown: Grown, _: int) -> None:
    """Append if the account has no payment in euros: a rare tag, with a type and a tag that all commits have."""
    account = grown.new_account()
    item = QueryItem(("growth.Paid",), ("currency:eur", f"account:{account}"))
    assert isinstance(grown.append(Condition(Query((item,))), account), Appended)


def on_what_was_read(grown: Grown, number: int) -> None:
    """Read an account, and append to it if it has not changed since: the usual use of a condition."""
    head = grown.log.head().position
    account = f"{number % grown.accounts}"
    query = Query((QueryItem(("growth.Paid",), (f"account:{account}",)),))
    read = sum(1 for _ in grown.log.read(query=query))
    assert read >= PAYMENTS_PER_ACCOUNT
    assert isinstance(grown.append(Condition(query, head), account), Appended)


def refused(grown: Grown, number: int) -> None:
    """Make a refused append, since the account has payments."""
    account = f"{number % grown.accounts}"
    assert isinstance(grown.append(Condition(Query((QueryItem((), (f"account:{account}",)),))), account), Rejected)


def tagged_read(grown: Grown, number: int) -> None:
    """Read the ten payments of an account."""
    tags = [f"account:{number % grown.accounts}"]
    assert sum(1 for _ in grown.log.read(tags=tags)) >= PAYMENTS_PER_ACCOUNT


def tagged_read_from_the_end(grown: Grown, number: int) -> None:
    """Read the payments of an account in the last tenth of the log."""
    tags = [f"account:{number % grown.accounts}", "currency:" + CURRENCIES[number % len(CURRENCIES)]]
    sum(1 for _ in grown.log.read(after=grown.size * 9 // 10, tags=tags, types=["growth.Paid"]))


QUESTIONS: tuple[Callable[[Grown, int], None], ...] = (
    unconditional,
    on_one_tag,
    on_type_and_tags,
    on_what_was_read,
    refused,
    tagged_read,
    tagged_read_from_the_end,
)


def main() -> None:
    """Build the logs, measure, and print medians in microseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="how often each operation is measured on each log")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        logs = [Grown(Path(folder), size) for size in SIZES]
        times: dict[tuple[str, int], list[float]] = {}
        for number in range(rounds):
            for question in QUESTIONS:
                for grown in logs:
                    begin = time.perf_counter()
                    question(grown, number * 7919)
                    seconds = time.perf_counter() - begin
                    times.setdefault((question.__name__, grown.size), []).append(seconds)
        table = Table(title=f"medians of {rounds}, microseconds, durability off")
        for column in ("operation", *(f"{size:,} events" for size in SIZES), "largest / smallest"):
            table.add_column(column, justify="left" if column == "question" else "right")
        for question in QUESTIONS:
            medians = [statistics.median(times[question.__name__, size]) for size in SIZES]
            cells = [f"{median * 1e6:,.0f}" for median in medians]
            table.add_row(question.__name__.replace("_", " "), *cells, f"{medians[-1] / medians[0]:.2f}")
        Console().print(table)
        for grown in logs:
            grown.log.close()


if __name__ == "__main__":
    main()
