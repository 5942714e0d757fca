"""At least once: process, then commit. A worker that dies in between loses no work, and does some of it again.

The worker is a process of its own, and it really dies (SIGKILL). Who takes over begins at the committed offset, so what
the dead one had done since its last commit is done twice: at most what was polled since.
Where twice is too often, remember with each result which (topic, partition, offset) it came of.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from odradek import ActorSystem

JOBS = 30


def work(path: str, dies_at: int) -> None:
    """Be a worker: do jobs, ten at a time, and commit them when they are done; die in the middle of one."""
    with ActorSystem.open(path) as system, system.consumer("worker", group="workers") as consumer:
        consumer.subscribe(["jobs"])
        while messages := consumer.poll(max_messages=10, timeout=1.0):
            for message in messages:
                print(message.offset, flush=True)  # the work itself: its effect is outside, and stays
                if message.offset == dies_at:
                    os.kill(os.getpid(), signal.SIGKILL)
            consumer.commit()


def run(path: Path, dies_at: int) -> list[int]:
    """Start a worker, and return which jobs it did until its end."""
    child = subprocess.run([sys.executable, __file__, str(path), str(dies_at)], stdout=subprocess.PIPE, text=True)
    return [int(line) for line in child.stdout.split()]


def main() -> None:
    """Let one worker die and another take over; count."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "jobs.db"
        with ActorSystem.open(path) as system, system.producer() as producer:
            producer.send_batch("jobs", [f"job {number}" for number in range(JOBS)]).result()
        first, second = run(path, dies_at=13), run(path, dies_at=-1)
        print(f"the first worker did jobs {first[0]} to {first[-1]} and died before it committed the last of them")
        print(f"the second went on at job {second[0]}, where the first had committed")
        done = first + second
        print(f"lost: {JOBS - len(set(done))}; done twice: {len(done) - len(set(done))}")


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 1 else main()
