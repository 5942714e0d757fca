"""Events that were stored before their type changed, and following a log as it grows.

Last year's program stored prices in euros. Today's class declares an Upcaster, which reads version 1 as version 2; the
stored events do not change. A subscriber reads the stored events and then new ones, each exactly once.
"""

import threading
from datetime import UTC, datetime

import msgspec

from odradek import Append, MemoryLog, Upcaster, event
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue

last_year = Catalogue()  # a second catalogue, as this example stands for two programs


@event("Priced", version=1, catalogue=last_year)
class OldPriced(msgspec.Struct, frozen=True):
    name: str
    euros: float


def cents(euros: float) -> int:
    return round(euros * 100)


@event("Priced", version=2, upcasters=[Upcaster(1).convert("euros", cents).rename("euros", "cents").add("by", "?")])
class Priced(msgspec.Struct, frozen=True):
    name: str
    cents: int
    by: str


def store(log: MemoryLog, *events: object) -> None:
    log.append([Append(stream="list/2026", events=events)], datetime.now(UTC))


def main() -> None:
    log = MemoryLog(codec=Codec(last_year))
    store(log, OldPriced("tea", 1.2), OldPriced("milk", 0.95))
    log.codec = Codec()  # with a file, today's program would open it
    with log.subscribe(types=["Priced"]) as prices:

        def follow() -> None:
            for recorded in prices:  # waits for further events until it is stopped
                print(recorded.position, recorded.metadata.schema_version, recorded.event)
                if recorded.event.name == "jam":
                    prices.stop()

        follower = threading.Thread(target=follow)
        follower.start()
        store(log, Priced("jam", 310, by="ann"))
        follower.join()
    print("the log has reached position", log.wait_for(2, timeout=5).position)


if __name__ == "__main__":
    main()
