"""A process killed in the middle of producing: whatever it acknowledged is there."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from odradek_actors.client.system import ActorSystem
from odradek_domain.replay.system_state import SystemState
from odradek_events import SqliteLog
from odradek_events.maintenance.verify import verify

pytestmark = pytest.mark.slow

PRODUCE = """
import sys
from odradek_actors.client.system import ActorSystem
system = ActorSystem.open(sys.argv[1], progress_interval=0.02)
producer = system.producer("p")
number = int(sys.argv[2])
while True:
    promises = []
    for _ in range(2):
        promises.append((number, producer.send_batch("orders", [str(n) for n in range(number, number + 25)])))
        number += 25
    for first, promise in promises:
        offsets = [receipt.offset for receipt in promise.result()]
        sys.stdout.write(f"{first} {offsets[0]} {offsets[-1]}\\n")
        sys.stdout.flush()
"""


def produce_until_killed(path: Path, first: int, lines: int) -> list[tuple[int, int, int]]:
    """Run a producing process, kill it once it has acknowledged so many batches, and return all that it did."""
    with subprocess.Popen(
        [sys.executable, "-c", PRODUCE, str(path), str(first)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        acknowledged += process.stdout.read().splitlines()
    whole = [line.split() for line in acknowledged if len(line.split()) == 3]
    assert len(whole) >= lines, "the process ended before it was killed"
    return [(int(number), int(low), int(high)) for number, low, high in whole]


@pytest.mark.parametrize("seed", range(2))
def test_every_acknowledged_message_survives_a_killed_process(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "log.db"
    choice = random.Random(seed)
    acknowledged: list[tuple[int, int, int]] = []
    for life in range(3):
        acknowledged += produce_until_killed(path, life * 1_000_000, choice.randint(1, 25))

    with SqliteLog(path) as log:
        assert verify(log).is_sound
        events = [recorded.event for recorded in log.read(types=("MessageProduced",))]
        with ActorSystem.open(log, progress_interval=3600.0) as system:
            assert system.producer("p").message_count == len(events)
            assert system.producer("p").send("orders", "after").result().offset == len(events)
            system.producer("p").close()
            assert system.check_replay().holds
            assert SystemState.replay(log).digest() == system.state().digest()

    assert [event.offset for event in events] == list(range(len(events)))
    values = [(event.value or b"").decode() for event in events]
    assert len(set(values)) == len(values)
    for number, low, high in acknowledged:
        assert values[low : high + 1] == [str(n) for n in range(number, number + 25)]
