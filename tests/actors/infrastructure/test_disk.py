"""A system on a disk that is full or does not sync: who waits is told or served later, nothing is lost or twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.actors import World, in_threads, produce, read_all, stored_values, values
from support.disk import led_to, write_ahead_descriptors

from odradek_actors.errors import DeliveryTimedOut
from odradek_events import SqliteLog
from odradek_events.errors import OutcomeUnknown
from odradek_events.maintenance.verify import verify
from odradek_events.testing import FaultyLog


class Disk:
    """A log on disk whose writer's syncs can be made to fail, and the world on it."""

    def __init__(self, path: Path) -> None:
        self.log = SqliteLog(path)
        (self.descriptor,) = write_ahead_descriptors(path)  # the writer's, as nobody has read yet
        self.world = World(self.log)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "log.db")
    yield disk
    disk.world.close()


def test_producers_retry_after_a_failed_sync_and_store_everything_once(disk: Disk) -> None:
    system = disk.world.open()
    system.create_topic("orders")
    produce(system, "orders", "before")
    wanted = {"before"}
    with led_to("/dev/null", disk.descriptor):

        def send(client: str) -> None:
            receipts = [system.producer(client).send("orders", f"{client}-{number}") for number in range(20)]
            assert len({receipt.result().offset for receipt in receipts}) == 20

        in_threads(*(lambda client=client: send(client) for client in "abc"))
        wanted |= {f"{client}-{number}" for client in "abc" for number in range(20)}
    stored = stored_values(disk.log, "orders")
    assert len(stored) == 61
    assert set(stored) == wanted
    assert system.check_replay().holds
    assert verify(disk.log).is_sound


def test_a_failed_sync_is_an_unknown_outcome_for_create_topic(disk: Disk) -> None:
    system = disk.world.open()
    with (
        led_to("/dev/null", disk.descriptor),
        pytest.raises(OutcomeUnknown, match=r"failed \(disk I/O error\) and may or may not be stored; read the log"),
    ):
        system.create_topic("orders")
    assert system.list_topics() == []
    system.create_topic("orders")
    assert system.list_topics() == ["orders"]


def test_a_commit_that_could_not_be_synced_is_an_error_and_can_be_repeated(disk: Disk) -> None:
    system = disk.world.open()
    produce(system, "orders", "a", "b", "c")
    consumer = system.consumer("c", group="g")
    consumer.subscribe(["orders"])
    assert values(read_all(consumer, 3)) == ["a", "b", "c"]
    with led_to("/dev/null", disk.descriptor), pytest.raises(OutcomeUnknown):
        consumer.commit()
    consumer.commit()
    assert [(place.partition, place.offset) for place in system.committed_offsets("g")] == [(0, 3)]
    assert system.check_replay().holds


def test_delivery_timed_out_quotes_the_error_of_the_disk(faulty_world: World, faulty: FaultyLog) -> None:
    system = faulty_world.open(delivery_timeout=0.2)
    system.create_topic("orders")
    faulty.lose_answer("topic/orders", times=1_000_000, written=False)
    with pytest.raises(DeliveryTimedOut, match=r"not acknowledged within 0\.2 s.*\(last error: .+\)") as raised:
        system.producer("p").send("orders", "x").result()
    assert raised.value.reason is not None
    assert raised.value.__cause__ is raised.value.reason


LIMITED = """
import resource, sys
from odradek import ActorSystem, open_log, verify
from odradek_events.errors import LogFull

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

path = sys.argv[1]
system = ActorSystem.open(path, snapshot_interval=50)
system.create_topic("orders", 2)
consumer = system.consumer("c", group="g")
consumer.subscribe(["orders"])
acknowledged, refused, number = [], 0, 0
for size in (150_000, 400_000):
    limit(size)
    while True:
        promises = []
        for client in "ab":
            for _ in range(3):
                number += 1
                promises.append((number, system.producer(client).send("orders", f"{number} " + "x" * 2000)))
        before = refused
        for sent, promise in promises:
            try:
                promise.result()
                acknowledged.append(sent)
            except LogFull as error:
                assert error.retriable
                assert "free some space and retry" in str(error), error
                refused += 1
        if refused > before:
            break
    for topic in range(100_000):
        try:
            system.create_topic(f"t{size}-{topic}")
        except LogFull:
            break
    try:
        consumer.poll(5)
        consumer.commit()
    except LogFull:
        pass  # what is left may be enough for so little
limit(resource.RLIM_INFINITY)
receipts = system.producer("a").send_batch("orders", [f"{number + n} " for n in range(1, 11)]).result()
acknowledged += range(number + 1, number + 11)
consumer.poll(5)
consumer.commit()
assert system.check_replay().holds
system.close()
with open_log(path, read_only=True) as log:
    assert verify(log).is_sound
    stored = [int(r.event.value.split()[0]) for r in log.read(types=["MessageProduced"])]
print(sorted(stored) == sorted(acknowledged), len(stored) == len(set(stored)), refused > 0)
"""


def test_on_a_full_disk_calls_fail_at_once_and_work_again_once_there_is_room(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "log.db")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.stdout, done.stderr) == ("True True True\n", "")
