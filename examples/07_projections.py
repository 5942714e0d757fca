"""A view of your own: what each customer has spent, in an SQLite table that is updated from the log.

The table and its checkpoint change in one transaction. So after a crash the next run continues exactly where the table
is: it counts nothing twice and leaves nothing out. Any SQLite client may read the table at the same time.
"""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from odradek import ActorSystem, ProjectionRunner, Query, QueryItem, Recorded, open_log, open_views


class Spending:
    name = "spending"
    version = 1  # raise it when the table's definition changes, and rebuild
    query = Query((QueryItem(types=("MessageProduced",), tags=("topic:orders",)),))

    def create(self, db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE spending (customer TEXT PRIMARY KEY, cents INTEGER, orders INTEGER)")

    def apply(self, db: sqlite3.Connection, recorded: Recorded) -> None:
        event = recorded.event
        db.execute(
            "INSERT INTO spending VALUES (?, ?, 1) "
            "ON CONFLICT DO UPDATE SET cents = cents + excluded.cents, orders = orders + 1",
            (event.key.decode(), int(event.value)),
        )


def order(path: Path, *orders: tuple[str, str]) -> None:
    with ActorSystem.open(path) as system, system.producer("shop") as shop:
        shop.send_batch("orders", orders).result()


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path, views = Path(directory) / "orders.db", Path(directory) / "views.db"
        order(path, ("alice", "250"), ("bob", "990"))
        for _ in range(2):
            with open_log(path, read_only=True) as log, ProjectionRunner(log, views, [Spending()]) as runner:
                print(f"behind by {runner.lag()['spending'].events} events, applied {runner.catch_up()}")
            order(path, ("alice", "120"))
        with open_log(path, read_only=True) as log, ProjectionRunner(log, views, [Spending()]) as runner:
            print(f"rebuilt from {runner.rebuild()} orders")
        with closing(open_views(views)) as reader:
            for customer, cents, orders in reader.execute("SELECT * FROM spending ORDER BY customer"):
                print(f"{customer} spent {cents} cents in {orders} orders")


if __name__ == "__main__":
    main()
