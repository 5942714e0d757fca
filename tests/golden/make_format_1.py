"""Write a log of format 1 that holds every event type of the catalogue, each with what is special about it.

    python make_format_1.py format-1.db

Run once, with the code that README.md names; kept to tell what is in the file. Facts are written as they are, without
the aggregates: what was stored then is what counts, whatever later rules would decide.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from odradek_events import Append, Appended, Decision, EventLog, open_log
from odradek_events.types import (
    ConsumerRegistered,
    ConsumerResumed,
    ConsumerSubscribed,
    MessageConsumed,
    MessageProduced,
    OffsetCommitted,
    OffsetReset,
    PartitionsAdded,
    ProducerEpochBumped,
    ProducerProgressed,
    ProducerRegistered,
    RecordsDeleted,
    ResumedPosition,
    TopicCreated,
    TopicDeleted,
)

START = datetime(2024, 2, 29, 23, 59, 58, 750000, tzinfo=UTC)
KAEUFER = "käufer-☃"
GROUP = "группа 1"


def at(seconds: float) -> datetime:
    """Return a moment so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def said(
    offset: int,
    value: bytes | None,
    *,
    topic: str = "orders",
    partition: int = 0,
    key: bytes | None = None,
    producer: str = "checkout",
    epoch: int = 0,
    sequence: int = -1,
    headers: tuple[tuple[str, bytes], ...] = (),
) -> MessageProduced:
    """Return a message of the second in which its offset would fall."""
    name = f"{topic}-{partition}-{offset}"
    return MessageProduced(topic, partition, offset, name, producer, epoch, sequence, at(offset), key, value, headers)


def committed(owner: str, offset: int, topic_id: str = "t-1", **more: Any) -> OffsetCommitted:
    """Return a commit for partition 0 of orders."""
    return OffsetCommitted(owner, "orders", topic_id, 0, offset, at(50), **more)


COMMITS: list[tuple[str, list[Any]]] = [
    ("topic/orders", [TopicCreated("orders", "t-1", 2, START)]),
    ("producer/checkout", [ProducerRegistered("checkout", "checkout", 0, START, "tx-1")]),
    (f"producer/{KAEUFER}", [ProducerRegistered(KAEUFER, KAEUFER, 0, START)]),
    # numbered from 0 in each partition, two commands in one commit
    (
        "topic/orders",
        [
            said(0, b"1 tea", key=b"alice", sequence=0),
            said(1, b"2 teas", key=b"alice", sequence=1),
            said(0, b"1 cake", key=b"bob", partition=1, sequence=0),
        ],
    ),
    # not numbered; absent, empty, binary, Unicode; headers whose names repeat
    (
        "topic/orders",
        [
            said(2, None, key=b"alice", producer=KAEUFER),
            said(3, b"", key=b"", producer=KAEUFER),
            said(4, bytes(range(256)), producer=KAEUFER, headers=(("trace", b"1"), ("trace", b""), ("ключ", b"\xff"))),
            said(5, 'žluťoučký kůň 🧵\x00\n"\\'.encode(), producer=KAEUFER),
        ],
    ),
    ("topic/orders", [PartitionsAdded("orders", 3, at(10))]),
    ("topic/orders", [said(0, b"in the new partition", partition=2, producer=KAEUFER)]),
    ("topic/orders", [RecordsDeleted("orders", 0, 2, at(11))]),
    ("producer/checkout", [ProducerProgressed("checkout", 3, 5, at(12))]),
    ("producer/checkout", [ProducerEpochBumped("checkout", 1, at(13))]),
    ("topic/orders", [said(6, b"of a new life", epoch=1, sequence=0)]),
    # a topic that is deleted, and created again in one commit: other types beside each other
    ("topic/returns", [TopicCreated("returns", "t-2", 1, at(14))]),
    ("topic/returns", [said(0, b"forgotten", topic="returns", producer=KAEUFER)]),
    ("topic/returns", [TopicDeleted("returns", "t-2", at(15)), TopicCreated("returns", "t-3", 2, at(15))]),
    ("topic/returns", [said(0, b"remembered", topic="returns", producer=KAEUFER)]),
    ("topic/gone", [TopicCreated("gone", "t-4", 1, at(16))]),
    ("topic/gone", [TopicDeleted("gone", "t-4", at(17))]),
    # a consumer in a group
    ("consumer/c1", [ConsumerRegistered("c1", at(20), "billing")]),
    ("consumer/c1", [ConsumerSubscribed("c1", ("orders",), at(20))]),
    ("consumer/c1", [OffsetReset("consumer/c1", "orders", "t-1", 0, 2, "earliest", at(21))]),
    (
        "consumer/c1",
        [MessageConsumed("orders", 0, offset, f"orders-0-{offset}", "c1", at(22)) for offset in (2, 3, 4)],
    ),
    ("group/billing", [committed("group/billing", 4, consumer_id="c1", metadata="note ✓")]),
    ("consumer/c1", [ConsumerResumed("c1", (ResumedPosition("orders", "t-1", 0, 4),), at(23))]),
    ("group/billing", [committed("group/billing", 2, consumer_id="c1", is_reset=True)]),
    ("group/billing", [OffsetReset("group/billing", "orders", "t-1", 1, 1, "operator", at(24))]),
    # a consumer on its own, that unsubscribes, and another that changed its group
    ("consumer/c2", [ConsumerRegistered("c2", at(30))]),
    ("consumer/c2", [ConsumerSubscribed("c2", ("returns", "orders"), at(30))]),
    ("consumer/c2", [MessageConsumed("orders", 1, 0, "orders-1-0", "c2", at(31))]),
    ("consumer/c2", [OffsetCommitted("consumer/c2", "orders", "t-1", 1, 1, at(32))]),
    ("consumer/c2", [ConsumerSubscribed("c2", (), at(33))]),
    ("consumer/c3", [ConsumerRegistered("c3", at(34), "billing")]),
    ("consumer/c3", [ConsumerRegistered("c3", at(35), GROUP)]),
    (f"group/{GROUP}", [OffsetCommitted(f"group/{GROUP}", "orders", "t-1", 2, 1, at(36), "c3")]),
    # many in one commit
    ("topic/orders", [said(1 + n, b"line %d" % n, partition=2, sequence=n, epoch=1) for n in range(200)]),
]
DECISIONS = {3: (Decision(2, "order-1", "m-1"), Decision(1, "order-2", "m-2")), 16: (Decision(1, "clean-up"),)}


def write(log: EventLog, commits: Sequence[tuple[str, list[Any]]]) -> None:
    """Append each commit in a second of its own, every third in that of its predecessor."""
    for number, (stream, events) in enumerate(commits):
        request = Append(
            stream=stream,
            events=events,
            commit_id=f"commit-{number}" if number % 2 else "",
            actor="maker" if number % 4 else "",
            decisions=DECISIONS.get(number, ()),
        )
        (verdict,) = log.append([request], at(number - (number % 3 == 2)))
        assert isinstance(verdict, Appended), verdict


if __name__ == "__main__":
    with open_log(sys.argv[1]) as opened:
        write(opened, COMMITS)
