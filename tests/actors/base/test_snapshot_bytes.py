"""Golden bytes of our own snapshots: what gives other bytes, or another state from the same events, is a new schema.

Raise the version of the actor's `snapshot_schema`, so that snapshots taken before count no more, and the bytes here.
"""

from __future__ import annotations

from typing import Any

import pytest
from support.actors import World
from support.domain import NOON, after
from support.log import append

from odradek_events import MemoryLog
from odradek_events.snapshots.store import MemorySnapshots
from odradek_events.types import (
    ConsumerRegistered,
    ConsumerResumed,
    ConsumerSubscribed,
    MessageConsumed,
    MessageProduced,
    OffsetCommitted,
    PartitionsAssigned,
    ProducerEpochBumped,
    ProducerProgressed,
    ProducerRegistered,
    RecordsDeleted,
    ResumedPosition,
    TopicCreated,
    TopicRetentionSet,
)

HISTORY: dict[str, list[Any]] = {
    "topic/orders": [
        TopicCreated("orders", "t-1", 2, NOON),
        MessageProduced("orders", 1, 0, "m0", "p", 0, 0, NOON, b"key", b"value", (("h", b"1"),)),
        MessageProduced("orders", 1, 1, "m1", "p", 0, 1, NOON, None, b"value"),
        MessageProduced("orders", 1, 2, "m2", "q", 3, 0, NOON, b"key", None),
        MessageProduced("orders", 1, 3, "m3", "p", 0, 2, NOON),
        RecordsDeleted("orders", 1, 1, NOON),
        TopicRetentionSet("orders", None, 1_000_000, NOON),
    ],
    "producer/p": [
        ProducerRegistered("p", "p", 0, NOON),
        ProducerEpochBumped("p", 1, NOON),
        ProducerProgressed("p", 3, 4, NOON),
    ],
    "consumer/c": [
        ConsumerRegistered("c", NOON, "g"),
        ConsumerSubscribed("c", ("orders",), NOON),
        ConsumerResumed("c", (ResumedPosition("orders", "t-1", 1, 1),), NOON),
        MessageConsumed("orders", 1, 1, "m1", "c", NOON),
        OffsetCommitted("consumer/c", "orders", "t-1", 1, 2, after(1)),
    ],
    "consumer/m": [
        ConsumerRegistered("m", NOON, "g"),
        ConsumerSubscribed("m", (), NOON, "o.*"),
        PartitionsAssigned("m", (("orders", 0), ("orders", 1)), (ResumedPosition("orders", "t-1", 1, 1),), NOON),
    ],
    "group/g": [OffsetCommitted("group/g", "orders", "t-1", 1, 2, NOON, "c", "note")],
}

GOLDEN: dict[str, tuple[str, int, bytes]] = {
    "topic/orders": (
        "topic",
        3,
        b'{"topic":{"name":"orders","version":6,"topic_id":"t-1","created_at":"2024-05-01T12:00:00Z","partitions":['
        b'{"id":0,"created_at":"2024-05-01T12:00:00Z","log_start_offset":0,"high_watermark":0,"checksums":[0,0,0],'
        b'"sequences":[],"size_bytes":0,"size_marks":[[0,0]]},'
        b'{"id":1,"created_at":"2024-05-01T12:00:00Z","log_start_offset":1,"high_watermark":4,'
        b'"checksums":[2661897379,900581246,970658565],"sequences":[["p",0,[[0,0,2],[2,3,1]]],["q",3,[[0,2,1]]]],'
        b'"size_bytes":34,"size_marks":[[0,0]]}],"retention":{"retention_ms":null,"retention_bytes":1000000}},'
        b'"created_position":1}',
    ),
    "producer/p": (
        "producer",
        1,
        b'{"client_id":"p","version":2,"created_at":"2024-05-01T12:00:00Z","epoch":1,"message_count":3,'
        b'"counted_through":4,"transaction_id":null}',
    ),
    "consumer/c": (
        "consumer",
        2,
        b'{"consumer_id":"c","version":4,"registered_at":"2024-05-01T12:00:00Z","group_id":"g",'
        b'"subscriptions":["orders"],"positions":[["orders","t-1",1,2]],"committed":[["orders",1,"t-1",2,""]],'
        b'"pattern":null,"assignment":null,"is_manual":false}',
    ),
    "consumer/m": (
        "consumer",
        2,
        b'{"consumer_id":"m","version":2,"registered_at":"2024-05-01T12:00:00Z","group_id":"g",'
        b'"subscriptions":[],"positions":[["orders","t-1",1,1]],"committed":[],'
        b'"pattern":"o.*","assignment":[["orders",0],["orders",1]],"is_manual":false}',
    ),
    "group/g": (
        "group",
        2,
        b'{"group_id":"g","version":0,"committed":[["orders",1,"t-1",2,"note"]],"state":"Empty","generation":0,'
        b'"assignor":null,"leader":null,"members":[],"idle_since":"2024-05-01T12:00:00Z"}',
    ),
}


@pytest.mark.parametrize("stream", HISTORY)
def test_a_snapshot_has_the_bytes_of_its_schema(stream: str) -> None:
    log, snapshots = MemoryLog(), MemorySnapshots()
    append(log, "topic/before", TopicCreated("before", "t-0", 1, NOON))
    append(log, stream, *HISTORY[stream])
    world = World(log, snapshots=snapshots, snapshot_interval=1)
    system = world.open()
    system.query(stream, None).exception()
    world.close()

    found = snapshots.load(stream)
    assert found is not None
    assert (found.name, found.schema, found.payload) == GOLDEN[stream]
