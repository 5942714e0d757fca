"""Worlds to run actors in: plain, and on either store with every actor recovering after every command.

From its stream alone on the one store; on the other from a snapshot taken after every commit, and what came after it.
A plain world on SQLite would add a quarter to the time and no path: the contract suite compares the stores.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.actors import World

from odradek_actors.client.system import ActorSystem
from odradek_events import MemoryLog, SqliteLog
from odradek_events.testing import FaultyLog

WORLDS = [
    "memory",
    pytest.param("sqlite-recovering", marks=pytest.mark.on_disk),
    pytest.param("memory-recovering", marks=pytest.mark.square),
]


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Give a plain world, and one on each store with every actor recovering in place after each command."""
    store, _, recovering = request.param.partition("-")
    log = MemoryLog() if store == "memory" else SqliteLog(tmp_path / "log.db", durability="off")
    interval = {"memory-recovering": 0, "sqlite-recovering": 1}.get(request.param, 10_000)
    world = World(log, recovering=bool(recovering), snapshot_interval=interval)
    yield world
    world.close()


@pytest.fixture
def system(world: World) -> ActorSystem:
    """Give a system in that world."""
    return world.open()


@pytest.fixture
def faulty() -> Iterator[FaultyLog]:
    """Give a log that fails when told to."""
    log = FaultyLog()
    yield log
    log.is_away = log.is_unreadable = False


@pytest.fixture
def faulty_world(faulty: FaultyLog) -> Iterator[World]:
    """Give a world on the faulty log."""
    world = World(faulty)
    yield world
    faulty.is_away = faulty.is_unreadable = False
    world.close()


@pytest.fixture
def frequent_thread_switches() -> Iterator[None]:
    """Let threads take turns a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    """Fail a test whose actors outlive it."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    deadline = time.monotonic() + 10
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in left), f"still running: {left}"


@pytest.fixture
def replayed(world: World) -> Iterator[None]:
    """Fail a test that leaves behind a system whose actors are not what the log says."""
    yield
    for system in world.systems:
        system.settle()
        check = system.check_replay()
        assert check.holds, check
