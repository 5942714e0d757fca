"""Kill a working process with SIGKILL at random moments, many times, and check the log after each kill.

In each round a child process opens the log. Three producers send batches of many sizes, with several requests in
flight, while a group polls and commits; the child prints every acknowledged message and commit. It is killed while it
opens the log, right after its first receipt, or later. Then the log is read from where the previous round ended:
acknowledged messages must be at their offsets, every batch complete or absent, no message duplicated, no offset
missing, and each digest must continue the chain. Every 50 rounds, and at the end, the whole log is checked like this,
`verify` must find no damage, snapshots included, and the actors of a new system must have the state of a replay. All
rounds use one log, so each round also recovers from the previous one.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from contextlib import closing
from pathlib import Path

from crash_check import LARGEST_BATCH, PARTITIONS, Promised, Seen, ends_in_half_a_transaction

from odradek import ActorSystem, ProducerHandle, Promise, Receipt, open_log, verify
from odradek_events.snapshots.sqlite import open_snapshots

PRODUCERS = 3
UNANSWERED = 4
BATCHES_OF_ONE = 1_000_000  # batch numbers available to one producer in one round
SIZES = [(1, 100), (5, 100), (50, 100), (500, 100), (LARGEST_BATCH, 10), (5, 4000), (50, 4000), (1, 200_000)]
WHOLE_EVERY = 50
SNAPSHOT_INTERVAL = 500  # events: short, so that some kills happen while snapshots are saved
SAYING = threading.Lock()


def say(lines: list[str]) -> None:
    """Print acknowledgements, one thread at a time."""
    with SAYING:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()


def produce(producer: ProducerHandle, number: int, choose: random.Random) -> None:
    """Send batches forever, a few in flight at a time, and print the receipts."""
    unanswered: deque[tuple[int, Promise[list[Receipt]]]] = deque()
    for batch in range(number * BATCHES_OF_ONE, (number + 1) * BATCHES_OF_ONE):
        size, padding = choose.choice(SIZES)
        first = batch * LARGEST_BATCH
        values = [f"{message} {size} {'x' * padding}" for message in range(first, first + size)]
        unanswered.append((first, producer.send_batch("orders", [(None, value) for value in values])))
        if len(unanswered) >= UNANSWERED:
            first, promise = unanswered.popleft()
            receipts = enumerate(promise.result(), first)
            say([f"stored {receipt.partition} {receipt.offset} {message}" for message, receipt in receipts])


def consume(system: ActorSystem) -> None:
    """Poll and commit forever, and print the committed offsets."""
    consumer = system.consumer("crashing", group="crashing")
    consumer.subscribe(["orders"])
    while True:
        ends = {message.partition: message.offset + 1 for message in consumer.poll(200)}
        consumer.commit()
        say([f"committed {partition} {offset}" for partition, offset in ends.items()])


def work(path: str, durability: str, round_number: int) -> None:
    """Open the log and work on it until killed."""
    settings = {"progress_interval": 0.05, "snapshot_interval": SNAPSHOT_INTERVAL}
    system = ActorSystem.open(path, durability=durability, **settings)  # type: ignore[arg-type]  # argparse has checked it
    for index in range(PRODUCERS):
        number = round_number * PRODUCERS + index
        arguments = system.producer(f"p{index}"), number, random.Random(number)
        threading.Thread(target=produce, args=arguments, daemon=True).start()
    consume(system)


def kill_one(path: Path, durability: str, round_number: int, choose: random.Random, promised: Promised) -> None:
    """Let a child work for a while, kill it, and note its acknowledgements."""
    moment = choose.choice(["opening", "beginning", "working"])
    delay = choose.uniform(*{"opening": (0.15, 0.6), "beginning": (0.0, 0.01), "working": (0.0, 0.3)}[moment])
    command = [sys.executable, __file__, "--child", str(round_number), str(path), "--durability", durability]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        first = "" if moment == "opening" else child.stdout.readline()
        killer = threading.Timer(delay, child.send_signal, [signal.SIGKILL])
        killer.start()
        text = first + child.stdout.read()
        killer.join()
        assert child.wait(timeout=30) == -signal.SIGKILL, (
            f"the child ended before the kill, with exit code {child.returncode}"
        )
    for line in text[: text.rfind("\n") + 1].splitlines():  # a partial line is not an acknowledgement
        promised.note(line)


def check_whole(path: Path, seen: Seen, promised: Promised) -> None:
    """Read the whole log again: no commit may have changed, and `verify` must find no damage."""
    with open_log(path, read_only=True) as log:
        again = Seen()
        again.read_on(log)
        assert (again.position, again.digest, again.places) == (seen.position, seen.digest, seen.places)
        again.compare(promised)
        again.find_nothing_twice()
        with closing(open_snapshots(log)) as snapshots:
            assert seen.count < 100_000 or next(iter(snapshots.scan()), None), "no snapshot was ever saved"
            report = verify(log, snapshots=snapshots)
        assert report.is_sound, report.findings
        assert (report.head, report.digest) == (seen.position, seen.digest.hex())


def check_recovery(path: Path, seen: Seen) -> None:
    """Open the system again: it must continue where the log ends, and its actors must have the state of a replay."""
    with ActorSystem.open(path) as system:
        description = system.describe_topic("orders")
        assert [partition.high_watermark for partition in description.partitions] == list(map(len, seen.places))
        assert sum(system.producer(f"p{index}").message_count for index in range(PRODUCERS)) == seen.count
        committed = {place.partition: place.offset for place in system.committed_offsets("crashing")}
        assert [committed.get(partition, 0) for partition in range(PARTITIONS)] == seen.committed
        assert system.check_replay().holds


def main() -> None:
    """Run the rounds, or be the child."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--durability", choices=["full", "normal"], default="full")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2, metavar=("ROUND", "LOG"))
    arguments = parser.parse_args()
    if arguments.child:
        work(arguments.child[1], arguments.durability, int(arguments.child[0]))
        return
    began = time.monotonic()
    choose = random.Random(arguments.seed)
    promised, seen, half, unanswered = Promised(), Seen(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crash.db"
        with ActorSystem.open(path) as system:
            system.create_topic("orders", PARTITIONS)
        for number in range(1, arguments.rounds + 1):
            before, stored = len(promised), seen.count
            kill_one(path, arguments.durability, number, choose, promised)
            half += ends_in_half_a_transaction(path)
            with open_log(path, read_only=choose.random() < 0.5) as log:  # a writer's close empties the write-ahead log
                seen.read_on(log)
            seen.compare(promised, since=before)
            unanswered += seen.count - stored > len(promised) - before
            if number % WHOLE_EVERY == 0 or number == arguments.rounds:
                check_whole(path, seen, promised)
                check_recovery(path, seen)
                print(
                    f"round {number}: {len(promised)} messages acknowledged, {seen.count} stored, "
                    f"offsets {promised.committed} committed, {seen.position + 1} events, sound",
                    flush=True,
                )
    print(f"killed during the write of a transaction: {half} times; between commit and receipt: {unanswered} times")
    print(
        f"{arguments.rounds} rounds of kill -9 with durability {arguments.durability} in "
        f"{time.monotonic() - began:.0f} s: no acknowledged message was lost, no batch is partial or duplicated"
    )


if __name__ == "__main__":
    main()
