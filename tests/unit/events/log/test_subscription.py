"""Subscriptions whose reader is interrupted: every event is returned once, and the writer never waits for a reader."""

from __future__ import annotations

import threading

import pytest
from support.interruption import Interrupted, interruptions
from support.log import append, produced

from odradek_events.log.memory import MemoryLog
from odradek_events.log.subscription import Growth


@pytest.mark.parametrize("how", ["take", "next"])
def test_a_subscription_interrupted_anywhere_returns_every_event_once(how: str) -> None:
    log = MemoryLog()
    returned: list[int] = []
    subscription = log.subscribe()
    count = 0
    for run in interruptions("events"):
        append(log, "topic/orders", produced(count), produced(count + 1))
        count += 2
        try:
            recorded = run(subscription.__next__ if how == "next" else subscription.take)
        except Interrupted:
            continue
        returned.append(recorded.position)
    while (found := subscription.take(0)) is not None:
        returned.append(found.position)
    assert returned == list(range(count))
    assert count > 100


def test_notify_wakes_readers_and_never_waits_for_them() -> None:
    growth = Growth()
    grown = threading.Event()
    readers = [threading.Thread(target=growth.wait, args=(grown.is_set, 20), daemon=True) for _ in range(5)]
    for reader in readers:
        reader.start()
    abandoned = threading.Lock()  # of a reader that was interrupted before it took it out again
    abandoned.acquire()
    growth._waiting[abandoned] = None
    grown.set()
    growth.notify()
    for reader in readers:
        reader.join(10)
    assert not any(reader.is_alive() for reader in readers)
    growth.notify()
    assert not growth._waiting
