"""Kill a producing process with SIGKILL at a random moment, again and again, and check what the log has afterwards.

Each round a child produces batches to one log file and prints every receipt once it is acknowledged. Killed, the log
is opened again: every acknowledged message must be there with its value, offsets must be dense, and `verify` must be
sound. All rounds go to one log, so each also recovers from the one before.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from odradek import ActorSystem, open_log, verify
from odradek_events.types import MessageProduced

BATCH = 50


def produce(path: str, durability: str, label: str) -> None:
    """Produce for ever; print `<partition> <offset> <value>` for each acknowledged message, a batch at a time."""
    with ActorSystem.open(path, durability=durability) as system, system.producer("crashing") as producer:  # type: ignore[arg-type]  # argparse has checked it
        number = 0
        while True:
            values = [f"{label}-{number + index}" for index in range(BATCH)]
            number += BATCH
            receipts = producer.send_batch("orders", [(value, value) for value in values]).result()
            lines = [f"{r.partition} {r.offset} {value}" for r, value in zip(receipts, values, strict=True)]
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()


def kill_one(path: Path, durability: str, label: str, delay: float) -> list[tuple[int, int, str]]:
    """Let a child produce for `delay` seconds after its first receipt, kill it, and return what it acknowledged."""
    command = [sys.executable, __file__, "--child", str(path), "--durability", durability, "--label", label]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        killer = threading.Timer(delay, child.send_signal, [signal.SIGKILL])
        killer.start()
        text = first + child.stdout.read()
        killer.join()
        assert child.wait(timeout=30) == -signal.SIGKILL, f"the child ended by itself with {child.returncode}"
    whole = text[: text.rfind("\n") + 1]  # a line cut short was not acknowledged to anybody
    return [(int(p), int(o), value) for p, o, value in (line.split(" ") for line in whole.splitlines())]


def check(path: Path, acknowledged: dict[tuple[int, int], str]) -> tuple[int, int]:
    """Check the log against every acknowledgement so far; return how many messages and events it holds."""
    with open_log(path) as log:
        report = verify(log)
        assert report.is_sound, report.findings
        stored: dict[tuple[int, int], str] = {}
        for recorded in log.read(types=["MessageProduced"]):
            event = recorded.event
            assert isinstance(event, MessageProduced)
            assert event.value is not None
            stored[event.partition, event.offset] = event.value.decode()
    lost = {place for place, value in acknowledged.items() if stored.get(place) != value}
    assert not lost, f"{len(lost)} acknowledged messages are not in the log, for instance {min(lost)}"
    for partition in {partition for partition, _ in stored}:
        offsets = sorted(offset for p, offset in stored if p == partition)
        assert offsets == list(range(len(offsets))), f"partition {partition} has gaps"
    assert len(set(stored.values())) == len(stored), "a message is stored twice"
    return len(stored), report.events


def main() -> None:
    """Run the rounds, or be the child."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--durability", choices=["full", "normal"], default="full")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child")
    parser.add_argument("--label", default="")
    arguments = parser.parse_args()
    if arguments.child:
        produce(arguments.child, arguments.durability, arguments.label)
        return
    choose = random.Random(arguments.seed)
    acknowledged: dict[tuple[int, int], str] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crash.db"
        with ActorSystem.open(path) as system:
            system.create_topic("orders", 3)
        for number in range(arguments.rounds):
            label = f"round{number}"
            for partition, offset, value in kill_one(path, arguments.durability, label, choose.uniform(0, 0.4)):
                acknowledged[partition, offset] = value
            stored, events = check(path, acknowledged)
            print(f"round {number + 1}: {len(acknowledged)} acknowledged, {stored} stored, {events} events, sound")
    print(f"{arguments.rounds} rounds of kill -9 with durability {arguments.durability}: nothing acknowledged was lost")


if __name__ == "__main__":
    main()
