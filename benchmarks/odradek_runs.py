"""The measurements of Odradek. Each function does one run in an empty directory and returns a figure."""

from __future__ import annotations

import statistics
import time
from collections import deque
from pathlib import Path

from odradek import ActorSystem, SystemState, open_log

VALUE = b"v" * 100
KEYS = [b"key-%02d" % number for number in range(100)]
PARTITIONS = 3


def entries(count: int) -> list[tuple[bytes, bytes]]:
    """Return `count` messages: 100-byte values under 100 keys of 6 bytes."""
    return [(KEYS[number % len(KEYS)], VALUE) for number in range(count)]


def produce(folder: Path, batch: int, total: int, window: int) -> float:
    """Return durable messages/s: `send_batch` through producer, topic and journal, with `window` batches in flight."""
    with ActorSystem.open(folder / "produce.db") as system, system.producer("bench") as producer:
        system.create_topic("orders", PARTITIONS)
        messages = entries(batch)
        producer.send_batch("orders", messages).result()
        waiting: deque[object] = deque()
        begin = time.perf_counter()
        for _ in range(total // batch):
            if len(waiting) >= window:
                waiting.popleft().result()  # type: ignore[attr-defined]  # promises
            waiting.append(producer.send_batch("orders", messages))
        while waiting:
            waiting.popleft().result()  # type: ignore[attr-defined]  # promises
        return total / (time.perf_counter() - begin)


def single_send(folder: Path, count: int) -> float:
    """Return the median seconds of one acknowledged send, without concurrency."""
    with ActorSystem.open(folder / "send.db") as system, system.producer("bench") as producer:
        system.create_topic("orders", PARTITIONS)
        producer.send("orders", VALUE, key=KEYS[0]).result()
        times = []
        for number in range(count):
            begin = time.perf_counter()
            producer.send("orders", VALUE, key=KEYS[number % len(KEYS)]).result()
            times.append(time.perf_counter() - begin)
        return statistics.median(times)


def consume(folder: Path, total: int, poll: int, group: str | None) -> float:
    """Return messages/s polled, recorded and committed, from the start of a topic much longer than its tail."""
    with ActorSystem.open(folder / "consume.db", durability="full") as system:
        system.create_topic("orders", PARTITIONS)
        with system.producer("bench") as producer:
            for _ in range(total // 1000):
                producer.send_batch("orders", entries(1000))
            producer.flush()
        with system.consumer("reader", group) as consumer:
            consumer.subscribe(["orders"])
            begin = time.perf_counter()
            count = 0
            while count < total:
                count += len(consumer.poll(poll, timeout=5))
                consumer.commit()
            return count / (time.perf_counter() - begin)


def write_log(path: Path, total: int, batch: int) -> None:
    """Write a log of `total` messages for replaying."""
    with ActorSystem.open(path, durability="off") as system, system.producer("bench") as producer:
        system.create_topic("orders", PARTITIONS)
        messages = entries(batch)
        for _ in range(total // batch):
            producer.send_batch("orders", messages)
        producer.flush()


def replay(path: Path, total: int) -> float:
    """Return events/s of rebuilding the whole system state from the log."""
    with open_log(path, read_only=True) as log:
        begin = time.perf_counter()
        state = SystemState.replay(log)
        seconds = time.perf_counter() - begin
        assert state.topics["orders"].message_count == total
        return (state.position + 1) / seconds
