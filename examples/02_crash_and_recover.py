"""A real crash: a process is killed (SIGKILL) while it produces. Every acknowledged message is stored.

The child prints an offset once it has the receipt, that is, once the message is synced to disk. The log may also hold a
few messages whose receipts the child never printed: after a crash, only the log tells which sends were stored. A
consumer then closes after polling and before committing: those messages are delivered again.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from odradek import ActorSystem, open_log, verify


def produce_forever(path: str) -> None:
    """Run in the child: send numbered messages and print the offset of each acknowledged one."""
    with ActorSystem.open(path) as system, system.producer("worker") as producer:
        number = 0
        while True:
            receipt = producer.send("jobs", f"job {number}").result()
            print(receipt.offset, flush=True)
            number += 1


def kill_while_producing(path: Path) -> int:
    """Start the child, kill it while it produces, and return the last offset that it printed."""
    child = subprocess.Popen([sys.executable, __file__, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    reported = [int(child.stdout.readline()) for _ in range(100)]
    child.kill()  # SIGKILL: no handler, no flush
    reported += [int(line) for line in child.communicate()[0].splitlines() if line.strip()]
    return reported[-1]


def main() -> None:
    """Crash, look at the log, and continue."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "jobs.db"
        acknowledged = kill_while_producing(path) + 1
        print(f"killed after at least {acknowledged} acknowledged messages")
        with open_log(path) as log:
            print(f"the log is {'sound' if verify(log).is_sound else 'damaged'}")
        with ActorSystem.open(path) as system:
            stored = system.describe_topic("jobs").message_count
            print(f"lost: {max(0, acknowledged - stored)}; stored without a printed receipt: {stored - acknowledged}")
            with system.consumer("c1", group="g") as consumer:
                consumer.subscribe(["jobs"])
                done = consumer.poll(max_messages=10)
                consumer.commit()
                lost = consumer.poll(max_messages=5)  # polled, but never committed
            print(f"c1 polled offsets 0 to {lost[-1].offset} and committed {done[-1].offset + 1}")
        with ActorSystem.open(path) as system, system.consumer("c1", group="g") as consumer:
            print(f"c1 is back and gets offset {consumer.poll(max_messages=1)[0].offset} again: at least once")


if __name__ == "__main__":
    produce_forever(sys.argv[1]) if len(sys.argv) > 1 else main()
