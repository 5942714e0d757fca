"""Members hear of a rebalance from the group itself: with heartbeats as good as switched off, none may miss it."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest

from odradek import ActorSystem
from odradek_actors.client.consumer import ConsumerHandle

MEMBERS = 30


def poll_until(is_over: Event, consumer: ConsumerHandle) -> None:
    with consumer:
        consumer.subscribe(["orders"])
        while not is_over.is_set():
            consumer.poll(timeout=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("assignor", ["range", "cooperative-sticky"])
def test_members_that_join_together_get_one_generation(tmp_path: Path, assignor: str) -> None:
    is_over = Event()
    with ActorSystem.open(tmp_path / "log.db") as system, system.log.subscribe(types=["GroupAssigned"]) as shares:
        system.create_topic("orders", 2 * MEMBERS)
        threads = []
        for number in range(MEMBERS):
            consumer = system.consumer(
                f"c{number:02}", "g", assignors=[assignor], heartbeat_interval=600, session_timeout=1200
            )
            threads.append(Thread(target=poll_until, args=(is_over, consumer)))
            threads[-1].start()
        sizes: list[int] = []
        try:
            while sizes != [2] * MEMBERS:
                recorded = shares.take(timeout=10)
                assert recorded is not None, f"the shares stayed {sizes}"
                sizes = [len(given.partitions) for given in recorded.event.assignments]
        finally:
            is_over.set()
            for thread in threads:
                thread.join(30)
