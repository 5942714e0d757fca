"""Replay: rebuild the state of the system at any position or time, and find the events that explain it.

`SystemState.replay` folds the log with the same code that runs live. A position is an event's place in the whole log.
"""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from odradek import ActorSystem, SystemState, open_log, verify


def live(path: Path) -> datetime:
    """Produce and consume, return a time in the middle, and check that the replayed state equals the live one."""
    with ActorSystem.open(path) as system:
        system.create_topic("readings", partitions=2)
        with system.producer("sensor") as producer, system.consumer("display", group="screens") as consumer:
            producer.send_batch("readings", [(f"room {n % 4}", f"{20 + n} C") for n in range(6)]).result()
            middle = datetime.now(UTC)
            producer.send_batch("readings", [(f"room {n % 4}", f"{30 + n} C") for n in range(4)]).result()
            consumer.subscribe(["readings"])
            while consumer.poll(timeout=0.1):
                consumer.commit()
            system.delete_records("readings", partition=0, before_offset=1)
            system.settle()
            check = system.check_replay()
            print(f"live and replayed: {check.streams} streams, {'equal' if check.holds else check.mismatches}")
    return middle


def bounds(state: SystemState) -> str:
    """Return the readable offsets of each partition."""
    partitions = state.topics["readings"].partitions
    return ", ".join(f"{part.id}: offsets {part.log_start_offset} to {part.high_watermark}" for part in partitions)


def main() -> None:
    """Run a system, then look at its states in the past."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "readings.db"
        middle = live(path)
        with open_log(path, read_only=True) as log:
            print(f"the log ends at position {log.head().position}")
            print(f"at position 0:   {bounds(SystemState.replay(log, until=0))}")
            print(f"in the middle:   {bounds(SystemState.replay(log, until=middle))}")
            print(f"at the end:      {bounds(SystemState.replay(log))}")
            print(f"again, the same: {SystemState.replay(log).digest() == SystemState.replay(log).digest()}")
            for recorded in log.read(types=["RecordsDeleted"], tags=["topic:readings"]):
                print(f"why partition 0 begins at 1: {recorded.type} at position {recorded.position}")
                print(f"  by {recorded.metadata.actor}, version {recorded.version} of stream {recorded.stream}")
            print(f"the chain of digests holds: {verify(log).is_sound}")


if __name__ == "__main__":
    main()
