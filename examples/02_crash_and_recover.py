"""A real crash: a process is killed (SIGKILL) while it produces. What it was told is stored, is stored.

The child prints an offset after its receipt came, that is, after the message was synced to disk. The log may also hold
a few messages whose receipts never got out: after the death of a process that outcome is unknown until the log is read.
Then a consumer dies, in effect, after it polled and before it committed: its messages are delivered again.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from odradek import ActorSystem, open_log, verify


def produce_for_ever(path: str) -> None:
    """Be the child: send numbered messages and say which ones are acknowledged."""
    with ActorSystem.open(path) as system, system.producer("worker") as producer:
        number = 0
        while True:
            receipt = producer.send("jobs", f"job {number}").result()
            print(receipt.offset, flush=True)
            number += 1


def kill_while_producing(path: Path) -> int:
    """Run the child, kill it in the middle of its work, and return the last offset it reported."""
    child = subprocess.Popen([sys.executable, __file__, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    reported = [int(child.stdout.readline()) for _ in range(100)]
    child.kill()  # SIGKILL: no handler, no flush, no goodbye
    reported += [int(line) for line in child.communicate()[0].splitlines() if line.strip()]
    return reported[-1]


def main() -> None:
    """Crash, look, and go on."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "jobs.db"
        acknowledged = kill_while_producing(path) + 1
        print(f"killed after at least {acknowledged} acknowledged messages")
        with open_log(path) as log:
            print(f"the log is {'sound' if verify(log).is_sound else 'damaged'}")
        with ActorSystem.open(path) as system:
            stored = system.describe_topic("jobs").message_count
            print(f"lost: {max(0, acknowledged - stored)}; stored without anybody being told: {stored - acknowledged}")
            with system.consumer("c1", group="g") as consumer:
                consumer.subscribe(["jobs"])
                done = consumer.poll(max_messages=10)
                consumer.commit()
                lost = consumer.poll(max_messages=5)  # polled, but never committed: gone with its reader
            print(f"c1 polled offsets 0 to {lost[-1].offset} and committed {done[-1].offset + 1}")
        with ActorSystem.open(path) as system, system.consumer("c1", group="g") as consumer:
            print(f"c1 is back and gets offset {consumer.poll(max_messages=1)[0].offset} again: at least once")


if __name__ == "__main__":
    produce_for_ever(sys.argv[1]) if len(sys.argv) > 1 else main()
