"""At least once: process, then commit. If a worker dies in between, no job is lost, and some are done twice.

The worker is a separate process and is really killed (SIGKILL). The next worker begins at the committed offset, so it
repeats the jobs that the first one had done since its last commit: at most one poll's worth.
If a job must not be done twice, store (topic, partition, offset) with its result and skip what is there already.
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
    """Run in the worker: do ten jobs at a time, then commit them; die at job `dies_at`."""
    with ActorSystem.open(path) as system, system.consumer("worker", group="workers") as consumer:
        consumer.subscribe(["jobs"])
        while messages := consumer.poll(max_messages=10, timeout=1.0):
            for message in messages:
                print(message.offset, flush=True)  # the job: its effect is outside and remains
                if message.offset == dies_at:
                    os.kill(os.getpid(), signal.SIGKILL)
            consumer.commit()


def run(path: Path, dies_at: int) -> list[int]:
    """Start a worker, and return the jobs that it did."""
    child = subprocess.run([sys.executable, __file__, str(path), str(dies_at)], stdout=subprocess.PIPE, text=True)
    return [int(line) for line in child.stdout.split()]


def main() -> None:
    """Let one worker die and another take over, and count the jobs."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "jobs.db"
        with ActorSystem.open(path) as system, system.producer() as producer:
            producer.send_batch("jobs", [f"job {number}" for number in range(JOBS)]).result()
        first, second = run(path, dies_at=13), run(path, dies_at=-1)
        print(f"the first worker did jobs {first[0]} to {first[-1]} and died before it committed the last of them")
        print(f"the second continued at job {second[0]}, where the first had committed")
        done = first + second
        print(f"lost: {JOBS - len(set(done))}; done twice: {len(done) - len(set(done))}")


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 1 else main()
