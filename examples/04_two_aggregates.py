"""Two aggregates: a topic of orders, and a group with the offsets that it has committed.

Each has its own stream and is consistent by itself. No transaction spans the two: the group commits after the topic was
read. So processing must be repeatable, and the two agree only eventually.
"""

import tempfile
from pathlib import Path

from odradek import ActorSystem, SystemState, open_log


def ship(system: ActorSystem, *, commits: bool) -> list[str]:
    """Ship the orders that the group has not committed; without `commits`, its offsets stay as they are."""
    with system.consumer("shipping-1", group="shipping") as consumer:
        consumer.subscribe(["orders"])
        shipped = [message.value.decode() for message in consumer.poll() if message.value]
        if commits:
            consumer.commit()
    return shipped


def lag(state: SystemState) -> int:
    """Return how many orders the group has not committed, which takes the state of both aggregates."""
    ordered = sum(part.high_watermark for topic in state.topics.values() for part in topic.partitions)
    return ordered - sum(done.offset for group in state.groups.values() for done in group.committed.all())


def main() -> None:
    """Order and ship, stop once before the commit, and look at the log."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "orders.db"
        with ActorSystem.open(path) as system, system.producer("shop") as shop:
            shop.send_batch("orders", ["tea", "cake", "milk"]).result()
            shipped = ship(system, commits=True)
            shop.send("orders", "jam").result()
            shipped += ship(system, commits=False)  # stops before the commit: the jam will be shipped again
            shipped += ship(system, commits=True)
        print(f"shipped: {', '.join(shipped)} (at least once: remember the message ids of what was shipped)")
        with open_log(path, read_only=True) as log:
            for stream in ("topic/orders", "group/shipping"):
                print(f"events of {stream}:")
                for recorded in log.read(stream=stream, types=["MessageProduced", "OffsetCommitted"]):
                    place = f"version {recorded.version}, position {recorded.position}"
                    print(f"  {place}: {recorded.type} offset {recorded.event.offset}")
            lags = [lag(SystemState.replay(log, until=position)) for position in range(log.head().position + 1)]
            changes = [(now, at) for at, now in enumerate(lags) if at and now != lags[at - 1]]
            print("lag of the group: " + ", ".join(f"{now} from position {at}" for now, at in changes))


if __name__ == "__main__":
    main()
