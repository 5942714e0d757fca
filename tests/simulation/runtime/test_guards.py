"""Guards: what a seed does not determine raises in a world, and works as usual elsewhere."""

from __future__ import annotations

import logging
import random
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Callable

import pytest

from odradek import ActorSystem
from odradek.errors import ForbiddenInWorld, SimulationFailed
from odradek.simulation import World

FORBIDDEN: dict[str, tuple[Callable[[], object], str]] = {
    "time.time": (lambda: time.time(), "world.now()"),
    "time.monotonic": (lambda: time.monotonic(), "world.now()"),
    "time.sleep": (lambda: time.sleep(0), "world.sleep"),
    "uuid.uuid4": (lambda: uuid.uuid4(), "new_id"),
    "random.random": (lambda: random.random(), "world.draw"),
    "random.choice": (lambda: random.choice([1]), "world.draw"),
    "secrets.token_hex": (lambda: secrets.token_hex(), "world.draw"),
    "socket.socket": (lambda: socket.socket(), "no network"),
    "threading.Thread": (lambda: threading.Thread(target=int).start(), "world.spawn"),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_client_that_uses_it_is_told_what_to_use_instead(name: str) -> None:
    use, instead = FORBIDDEN[name]
    result = World().run(lambda system, world: world.spawn(use))
    assert result.failure is not None
    assert isinstance(result.failure.error, ForbiddenInWorld)
    assert name in result.failure.message
    assert instead in result.failure.message


@pytest.mark.parametrize("name", FORBIDDEN)
def test_it_works_again_after_the_world(name: str) -> None:
    World().run(lambda system, world: None)
    made = FORBIDDEN[name][0]()
    if isinstance(made, socket.socket):
        made.close()


def test_other_threads_are_not_guarded_while_a_world_runs() -> None:
    used: list[float] = []

    def start(system: ActorSystem, world: World) -> None:
        go.set()
        assert done.wait(10)

    def outside() -> None:
        assert go.wait(10)
        used.append(time.time() + random.random())
        done.set()

    go, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=outside)
    thread.start()
    World().run(start).check()
    thread.join()
    assert len(used) == 1


def test_logging_stamps_its_lines_in_a_world(caplog: pytest.LogCaptureFixture) -> None:
    World().run(lambda system, world: logging.getLogger("shop").warning("sold out")).check()
    assert [record.message for record in caplog.records] == ["sold out"]


def test_subscriptions_are_refused_in_a_world() -> None:
    def start(system: ActorSystem, world: World) -> None:
        next(iter(system.log.subscribe()))

    with pytest.raises(SimulationFailed, match=r"read the log with log\.read"):
        World().run(start).check()
