"""At most once: commit, then process. If a worker dies in between, no job is done twice, and some are lost.

This is example 11 with the commit moved before the jobs. The next worker begins at the committed offset, so the jobs
that the first one had committed and not done are lost: at most one poll's worth. This suits jobs that are worse done
twice than not at all, such as a message to a person.
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
    """Run in the worker: commit ten jobs at a time, then do them; die at job `dies_at`."""
    with ActorSystem.open(path) as system, system.consumer("worker", group="workers") as consumer:
        consumer.subscribe(["jobs"])
        while messages := consumer.poll(max_messages=10, timeout=1.0):
            consumer.commit()
            for message in messages:
                print(message.offset, flush=True)  # the job: its effect is outside and remains
                if message.offset == dies_at:
                    os.kill(os.getpid(), signal.SIGKILL)


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
        print(f"the first worker had committed jobs 0 to {second[0] - 1} and died after job {first[-1]}")
        print(f"the second continued at job {second[0]}, where the first had committed")
        done = first + second
        print(f"lost: {JOBS - len(set(done))}; done twice: {len(done) - len(set(done))}")


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 1 else main()
