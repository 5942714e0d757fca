"""Two aggregates and what lies between them: a topic of orders, and the offsets that a group has committed.

Each is one stream and one unit of consistency. No transaction spans the two: a commit is a claim about the topic, made
later. Who acts in between has to be repeatable, and who compares the two sees them agree only in the end.
"""

import tempfile
from pathlib import Path

from odradek import ActorSystem, SystemState, open_log


def ship(system: ActorSystem, *, commits: bool) -> list[str]:
    """Ship what the group has not dealt with yet; without the commit the group never hears of it."""
    with system.consumer("shipping-1", group="shipping") as consumer:
        consumer.subscribe(["orders"])
        shipped = [message.value.decode() for message in consumer.poll() if message.value]
        if commits:
            consumer.commit()
    return shipped


def lag(state: SystemState) -> int:
    """Return how many orders the group has not dealt with: a question that neither aggregate can answer alone."""
    ordered = sum(part.high_watermark for topic in state.topics.values() for part in topic.partitions)
    return ordered - sum(done.offset for group in state.groups.values() for done in group.committed.all())


def main() -> None:
    """Order and ship, stop between the two aggregates once, and look at the log."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "orders.db"
        with ActorSystem.open(path) as system, system.producer("shop") as shop:
            shop.send_batch("orders", ["tea", "cake", "milk"]).result()
            shipped = ship(system, commits=True)
            shop.send("orders", "jam").result()
            shipped += ship(system, commits=False)  # it stops here: the jam is on its way, and the group does not know
            shipped += ship(system, commits=True)
        print(f"shipped: {', '.join(shipped)} (at least once: remember the message ids of what was shipped)")
        with open_log(path, read_only=True) as log:
            for stream in ("topic/orders", "group/shipping"):
                print(f"what {stream} knows:")
                for recorded in log.read(stream=stream, types=["MessageProduced", "OffsetCommitted"]):
                    place = f"version {recorded.version}, position {recorded.position}"
                    print(f"  {place}: {recorded.type} offset {recorded.event.offset}")
            lags = [lag(SystemState.replay(log, until=position)) for position in range(log.head().position + 1)]
            changes = [(now, at) for at, now in enumerate(lags) if at and now != lags[at - 1]]
            print("lag of the group: " + ", ".join(f"{now} from position {at}" for now, at in changes))


if __name__ == "__main__":
    main()
