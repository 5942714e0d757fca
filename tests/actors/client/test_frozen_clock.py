"""A system works while a test tool has frozen the clock, by putting its own class in the place of `datetime`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = '''
import datetime as module
import sys

import odradek
from odradek import ActorSystem, SystemState, verify
import odradek_actors.client.system

real = module.datetime


class Meta(type):
    def __instancecheck__(cls, value):
        return isinstance(value, real)


def fake(at):
    return Fake(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, at.tzinfo)


class Fake(real, metaclass=Meta):
    """As freezegun has it: what it makes is of its own class again."""

    @classmethod
    def now(cls, tz=None):
        return fake(real(2026, 5, 1, 12, tzinfo=module.UTC))

    def astimezone(self, tz=None):
        return fake(real.astimezone(self, tz))

    def __sub__(self, other):
        found = real.__sub__(self, other)
        return fake(found) if isinstance(found, real) else found


for loaded in list(sys.modules.values()):
    if loaded.__name__.startswith("odradek"):
        for name, value in list(vars(loaded).items()):
            if value is real:
                setattr(loaded, name, Fake)

with ActorSystem.open(sys.argv[1], snapshot_interval=1) as system:
    system.create_topic("t", retention_ms=1_000_000)
    with system.producer("p") as producer, system.consumer("c", "g") as consumer:
        producer.send("t", "v").result()
        producer.send("t", "w", timestamp=Fake.now()).result()
        consumer.subscribe(["t"])
        consumer.wait_for_assignment()
        assert len(consumer.poll()) == 2
        consumer.commit()
    system.reset_offsets("h", ["t"], Fake.now())
    assert system.offsets_for_times("t", Fake.now()) == {0: 0}
    system.settle()
    assert system.check_replay().holds
    assert verify(system.log, snapshots=system.snapshots).is_sound
    assert SystemState.replay(system.log, Fake.now()).position == system.log.head().position
with ActorSystem.open(sys.argv[1]) as system:
    assert system.describe_group("g").committed[0].offset == 2
'''


def test_a_system_works_while_the_clock_is_frozen(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "log.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
