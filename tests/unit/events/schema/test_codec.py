"""The stored form of events, byte for byte: a change here breaks every existing log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from odradek_events import Append, Appended, MemoryLog, event, types
from odradek_events.errors import DamagedCommit, UnknownEventType
from odradek_events.record import CommitMetadata, Decision, StoredCommit
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import CATALOGUE, Catalogue, OffsetTag

T = datetime(2024, 5, 1, 12, 0, 0, 250000, tzinfo=UTC)
AT = '"timestamp":"2024-05-01T12:00:00.250000Z"'

GOLDEN: list[tuple[Any, str]] = [
    (
        types.TopicCreated(topic="orders", topic_id="t-1", partition_count=3, timestamp=T),
        '{"type":"TopicCreated","topic":"orders","topic_id":"t-1","partition_count":3,' + AT + "}",
    ),
    (
        types.PartitionsAdded(topic="orders", partition_count=5, timestamp=T),
        '{"type":"PartitionsAdded","topic":"orders","partition_count":5,' + AT + "}",
    ),
    (
        types.TopicDeleted(topic="orders", topic_id="t-1", timestamp=T),
        '{"type":"TopicDeleted","topic":"orders","topic_id":"t-1",' + AT + "}",
    ),
    (
        types.RecordsDeleted(topic="orders", partition=0, log_start_offset=7, timestamp=T),
        '{"type":"RecordsDeleted","topic":"orders","partition":0,"log_start_offset":7,' + AT + "}",
    ),
    (
        types.MessageProduced(
            topic="orders",
            partition=1,
            offset=2,
            message_id="m-1",
            producer_id="p-1",
            producer_epoch=0,
            sequence=-1,
            timestamp=T,
        ),
        '{"type":"MessageProduced","topic":"orders","partition":1,"offset":2,"message_id":"m-1","producer_id":"p-1",'
        '"producer_epoch":0,"sequence":-1,' + AT + "}",
    ),
    (
        types.MessageProduced(
            topic="ørders",
            partition=1,
            offset=2,
            message_id="m-1",
            producer_id="p-1",
            producer_epoch=4,
            sequence=9,
            timestamp=T,
            key=b"alice",
            value=b"\x00\xff",
            headers=(("trace", b"1"), ("trace", b"")),
        ),
        '{"type":"MessageProduced","topic":"ørders","partition":1,"offset":2,"message_id":"m-1","producer_id":"p-1",'
        '"producer_epoch":4,"sequence":9,' + AT + ',"key":"YWxpY2U=","value":"AP8=",'
        '"headers":[["trace","MQ=="],["trace",""]]}',
    ),
    (
        types.ProducerRegistered(producer_id="p-1", client_id="checkout", epoch=0, timestamp=T, transaction_id="tx"),
        '{"type":"ProducerRegistered","producer_id":"p-1","client_id":"checkout","epoch":0,'
        + AT
        + ',"transaction_id":"tx"}',
    ),
    (
        types.ProducerEpochBumped(producer_id="p-1", epoch=1, timestamp=T),
        '{"type":"ProducerEpochBumped","producer_id":"p-1","epoch":1,' + AT + "}",
    ),
    (
        types.ProducerProgressed(producer_id="p-1", message_count=5, counted_through=9, timestamp=T),
        '{"type":"ProducerProgressed","producer_id":"p-1","message_count":5,"counted_through":9,' + AT + "}",
    ),
    (
        types.ConsumerRegistered(consumer_id="c-1", timestamp=T, group_id="billing"),
        '{"type":"ConsumerRegistered","consumer_id":"c-1",' + AT + ',"group_id":"billing"}',
    ),
    (
        types.ConsumerSubscribed(consumer_id="c-1", topics=("orders", "payments"), timestamp=T),
        '{"type":"ConsumerSubscribed","consumer_id":"c-1","topics":["orders","payments"],' + AT + "}",
    ),
    (
        types.ConsumerResumed(
            consumer_id="c-1", positions=(types.ResumedPosition("orders", "t-1", 0, 3),), timestamp=T
        ),
        '{"type":"ConsumerResumed","consumer_id":"c-1","positions":[["orders","t-1",0,3]],' + AT + "}",
    ),
    (
        types.MessageConsumed(topic="orders", partition=0, offset=2, message_id="m-1", consumer_id="c-1", timestamp=T),
        '{"type":"MessageConsumed","topic":"orders","partition":0,"offset":2,"message_id":"m-1","consumer_id":"c-1",'
        + AT
        + "}",
    ),
    (
        types.OffsetCommitted(
            owner="group/billing",
            topic="orders",
            topic_id="t-1",
            partition=0,
            offset=3,
            timestamp=T,
            consumer_id="c-1",
            metadata="note",
            is_reset=True,
        ),
        '{"type":"OffsetCommitted","owner":"group/billing","topic":"orders","topic_id":"t-1","partition":0,"offset":3,'
        + AT
        + ',"consumer_id":"c-1","metadata":"note","is_reset":true}',
    ),
    (
        types.OffsetReset(
            owner="consumer/c-1", topic="orders", topic_id="t-1", partition=0, offset=0, reason="seek", timestamp=T
        ),
        '{"type":"OffsetReset","owner":"consumer/c-1","topic":"orders","topic_id":"t-1","partition":0,"offset":0,'
        '"reason":"seek",' + AT + "}",
    ),
    (
        types.TopicRetentionSet(topic="orders", retention_ms=604_800_000, retention_bytes=None, timestamp=T),
        '{"type":"TopicRetentionSet","topic":"orders","retention_ms":604800000,"retention_bytes":null,' + AT + "}",
    ),
    (
        types.ConsumerSubscribed(consumer_id="c-1", topics=(), timestamp=T, pattern="orders-.*"),
        '{"type":"ConsumerSubscribed","consumer_id":"c-1","topics":[],' + AT + ',"pattern":"orders-.*"}',
    ),
    (
        types.PartitionsAssigned(
            consumer_id="c-1",
            partitions=(("orders", 0), ("orders", 1)),
            positions=(types.ResumedPosition("orders", "t-1", 0, 3),),
            timestamp=T,
            member_id="m-1",
            generation=2,
        ),
        '{"type":"PartitionsAssigned","consumer_id":"c-1","partitions":[["orders",0],["orders",1]],"positions":[["orders","t-1",0,3]],'
        + AT
        + ',"member_id":"m-1","generation":2}',
    ),
    (
        types.PartitionsAssigned(
            consumer_id="c-1", partitions=(("orders", 0),), positions=(), timestamp=T, is_manual=True
        ),
        '{"type":"PartitionsAssigned","consumer_id":"c-1","partitions":[["orders",0]],"positions":[],'
        + AT
        + ',"is_manual":true}',
    ),
    (
        types.PartitionsRevoked(consumer_id="c-1", partitions=(("orders", 0),), timestamp=T, generation=2),
        '{"type":"PartitionsRevoked","consumer_id":"c-1","partitions":[["orders",0]],' + AT + ',"generation":2}',
    ),
    (
        types.PartitionsRevoked(
            consumer_id="c-1", partitions=(("orders", 0),), timestamp=T, generation=2, is_lost=True
        ),
        '{"type":"PartitionsRevoked","consumer_id":"c-1","partitions":[["orders",0]],'
        + AT
        + ',"generation":2,"is_lost":true}',
    ),
    (
        types.MemberJoined(
            group_id="billing",
            member_id="m-1",
            consumer_id="c-1",
            topics=("orders",),
            assignors=("range", "sticky"),
            session_timeout_ms=45000,
            rebalance_timeout_ms=300000,
            run_id="r-1",
            timestamp=T,
        ),
        '{"type":"MemberJoined","group_id":"billing","member_id":"m-1","consumer_id":"c-1","topics":["orders"],"assignors":["range","sticky"],"session_timeout_ms":45000,"rebalance_timeout_ms":300000,"run_id":"r-1",'
        + AT
        + "}",
    ),
    (
        types.MemberJoined(
            group_id="billing",
            member_id="m-1",
            consumer_id="c-1",
            topics=(),
            assignors=("range",),
            session_timeout_ms=45000,
            rebalance_timeout_ms=300000,
            run_id="r-1",
            timestamp=T,
            pattern="o.*",
            instance_id="i-1",
        ),
        '{"type":"MemberJoined","group_id":"billing","member_id":"m-1","consumer_id":"c-1","topics":[],"assignors":["range"],"session_timeout_ms":45000,"rebalance_timeout_ms":300000,"run_id":"r-1",'
        + AT
        + ',"pattern":"o.*","instance_id":"i-1"}',
    ),
    (
        types.StaticMemberReplaced("billing", "i-1", "m-1", "m-2", "c-1", T, ("range",)),
        '{"type":"StaticMemberReplaced","group_id":"billing","instance_id":"i-1","old_member_id":"m-1","member_id":"m-2","consumer_id":"c-1",'
        + AT
        + ',"assignors":["range"]}',
    ),
    (
        types.StaticMemberReplaced(
            group_id="billing", instance_id="i-1", old_member_id="m-1", member_id="m-2", consumer_id="c-1", timestamp=T
        ),
        '{"type":"StaticMemberReplaced","group_id":"billing","instance_id":"i-1","old_member_id":"m-1","member_id":"m-2","consumer_id":"c-1",'
        + AT
        + "}",
    ),
    (
        types.MemberLeft(group_id="billing", member_id="m-1", reason="it left", timestamp=T),
        '{"type":"MemberLeft","group_id":"billing","member_id":"m-1","reason":"it left",' + AT + "}",
    ),
    (
        types.RebalanceStarted(group_id="billing", reason="c-1 joined again", timestamp=T),
        '{"type":"RebalanceStarted","group_id":"billing","reason":"c-1 joined again",' + AT + "}",
    ),
    (
        types.GenerationStarted(
            group_id="billing", generation=2, assignor="range", leader="m-1", members=("m-1", "m-2"), timestamp=T
        ),
        '{"type":"GenerationStarted","group_id":"billing","generation":2,"assignor":"range","leader":"m-1","members":["m-1","m-2"],'
        + AT
        + "}",
    ),
    (
        types.GroupAssigned(
            group_id="billing",
            generation=2,
            assignments=(types.MemberAssignment("m-1", (("orders", 0),)), types.MemberAssignment("m-2", (), b"\x00")),
            timestamp=T,
        ),
        '{"type":"GroupAssigned","group_id":"billing","generation":2,"assignments":[["m-1",[["orders",0]],""],["m-2",[],"AA=="]],'
        + AT
        + "}",
    ),
    (
        types.OffsetsExpired(
            owner="group/billing", partitions=(("orders", 0),), reason="the group was idle", timestamp=T
        ),
        '{"type":"OffsetsExpired","owner":"group/billing","partitions":[["orders",0]],"reason":"the group was idle",'
        + AT
        + "}",
    ),
    (
        types.GroupDeleted(group_id="billing", timestamp=T),
        '{"type":"GroupDeleted","group_id":"billing",' + AT + "}",
    ),
    (
        types.PolicyAdvanced(
            policy="transfers", position=7, commands=(types.SentCommand(5, "account/bob"),), timestamp=T
        ),
        '{"type":"PolicyAdvanced","policy":"transfers","position":7,"commands":[[5,"account/bob"]],' + AT + "}",
    ),
    (
        types.PolicyStopped(policy="transfers", position=8, reason="ValueError: no", timestamp=T),
        '{"type":"PolicyStopped","policy":"transfers","position":8,"reason":"ValueError: no",' + AT + "}",
    ),
]

TAGS: dict[str, dict[str, int | None]] = {
    "TopicCreated": {"topic:orders": None},
    "PartitionsAdded": {"topic:orders": None},
    "TopicDeleted": {"topic:orders": None},
    "TopicRetentionSet": {"topic:orders": None},
    "RecordsDeleted": {"topic:orders": None, "partition:orders/0": None},
    "MessageProduced": {"topic:orders": None, "partition:orders/1": 2, "producer:p-1": None},
    "ProducerRegistered": {"producer:p-1": None},
    "ProducerEpochBumped": {"producer:p-1": None},
    "ProducerProgressed": {"producer:p-1": None},
    "ConsumerRegistered": {"consumer:c-1": None},
    "ConsumerSubscribed": {"consumer:c-1": None},
    "ConsumerResumed": {"consumer:c-1": None},
    "MessageConsumed": {"topic:orders": None, "partition:orders/0": None, "consumer:c-1": None},
    "OffsetCommitted": {"topic:orders": None, "partition:orders/0": None, "owner:group/billing": None},
    "OffsetReset": {"topic:orders": None, "partition:orders/0": None, "owner:consumer/c-1": None},
    "PartitionsAssigned": {"consumer:c-1": None},
    "PartitionsRevoked": {"consumer:c-1": None},
    "MemberJoined": {"group:billing": None, "owner:group/billing": None, "consumer:c-1": None},
    "StaticMemberReplaced": {"group:billing": None, "owner:group/billing": None, "consumer:c-1": None},
    "MemberLeft": {"group:billing": None, "owner:group/billing": None},
    "RebalanceStarted": {"group:billing": None, "owner:group/billing": None},
    "GenerationStarted": {"group:billing": None, "owner:group/billing": None},
    "GroupAssigned": {"group:billing": None, "owner:group/billing": None},
    "OffsetsExpired": {"owner:group/billing": None},
    "GroupDeleted": {"group:billing": None, "owner:group/billing": None},
    "PolicyAdvanced": {"policy:transfers": None},
    "PolicyStopped": {"policy:transfers": None},
}


def stored(events: bytes, *pairs: tuple[str, int], count: int = 1, position: int = 0) -> StoredCommit:
    """Return a stored commit of these events, as in a log of another program."""
    metadata = CommitMetadata("c", "", T, (Decision(count),), pairs)
    return StoredCommit(position, position + count - 1, "s/1", 0, msgspec.json.encode(metadata), b"", events)


@pytest.mark.parametrize(("item", "golden"), GOLDEN, ids=lambda value: type(value).__name__)
def test_every_event_has_its_golden_bytes(item: Any, golden: str) -> None:
    with MemoryLog() as log:
        assert isinstance(log.append([Append(stream="s/1", events=[item])], T)[0], Appended)
        (row,) = log.stored()
        assert row.events.decode() == f"[{golden}]"
        assert [recorded.event for recorded in log.read()] == [item]


@pytest.mark.parametrize(("item", "golden"), GOLDEN, ids=lambda value: type(value).__name__)
def test_golden_bytes_are_decoded_to_the_same_event(item: Any, golden: str) -> None:
    entry = CATALOGUE.by_name(type(item).__name__)
    assert entry is not None
    row = stored(f"[{golden}]".encode(), (entry.name, entry.version))
    assert Codec().commit(row).events == [item]


def test_every_type_of_the_catalogue_has_golden_bytes_and_tags() -> None:
    ours = {entry for entry in types.__all__ if CATALOGUE.by_name(entry) is not None}
    assert {type(item).__name__ for item, _ in GOLDEN} == ours == set(TAGS)
    assert set(types.__all__) - ours == {"MemberAssignment", "ResumedPosition", "SentCommand"}


@pytest.mark.parametrize("item", [item for item, _ in GOLDEN if getattr(item, "topic", "orders") == "orders"])
def test_every_event_has_its_golden_tags(item: Any) -> None:
    name = type(item).__name__
    assert Codec().index([item]) == {f"type:{name}": None, **TAGS[name]}


def test_metadata_has_its_golden_bytes() -> None:
    with MemoryLog() as log:
        request = Append(
            stream="topic/orders",
            events=[item for item, _ in GOLDEN[:2]],
            commit_id="c-1",
            actor="topic-1",
            decisions=(Decision(1, "correlation", "causation"), Decision(1)),
        )
        log.append([request], T)
        (row,) = log.stored()
    assert row.metadata.decode() == (
        '{"commit_id":"c-1","actor":"topic-1","recorded_at":"2024-05-01T12:00:00.250000Z",'
        '"decisions":[[1,"correlation","causation"],[1,"",""]],"types":[["PartitionsAdded",1],["TopicCreated",1]]}'
    )


def test_an_index_entry_has_the_lowest_offset_of_its_commit() -> None:
    first, second = GOLDEN[4][0], GOLDEN[12][0]
    later = msgspec.structs.replace(first, offset=5)
    assert Codec().index([second, first, later])["partition:orders/1"] == 2
    assert Codec().index([second, first, later])["partition:orders/0"] is None


def test_an_index_entry_has_the_lowest_offset_even_if_offsets_fall() -> None:
    catalogue = Catalogue()

    @event("Sampled", tags=(OffsetTag("series:{series}"), OffsetTag("by-row", "row"), "all"), catalogue=catalogue)
    class Sampled(msgspec.Struct, frozen=True):
        series: str
        offset: int
        row: int

    falling = [Sampled("a", 5, 0), Sampled("b", 4, 3), Sampled("a", 3, 2), Sampled("b", 1, 9), Sampled("a", 4, 1)]
    assert Codec(catalogue).index(falling) == {
        "type:Sampled": None,
        "series:a": 3,
        "series:b": 1,
        "by-row": 0,
        "all": None,
    }


def test_a_tag_without_fields_also_has_an_offset() -> None:
    catalogue = Catalogue()

    @event("Counted", tags=(OffsetTag("ledger"),), catalogue=catalogue)
    class Counted(msgspec.Struct, frozen=True):
        offset: int

    assert Codec(catalogue).index([Counted(7), Counted(8)]) == {"type:Counted": None, "ledger": 7}
    assert Codec(catalogue).tags_of(Counted(7)) == ("ledger",)


# -- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "events",
    [
        b"",
        b"[",
        b"{}",
        b"[1]",
        b"null",
        b"[{}]",
        b"[]",
        b'[{"type":"Other","topic":"a"}]',
        b"\xff",
        b'[{"type":"TopicDeleted","topic":"\xff"}]',
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_events_that_do_not_decode_are_a_damaged_commit_with_its_position(events: bytes, version: int) -> None:
    row = stored(events, ("TopicDeleted", version), ("TopicCreated", version), position=4)
    with pytest.raises((DamagedCommit, UnknownEventType), match="position 4"):
        Codec().commit(row)


@pytest.mark.parametrize("metadata", [b"", b"{}", b"[]", b"\xff", b'{"commit_id":1}'])
def test_metadata_that_does_not_decode_is_a_damaged_commit_with_its_position(metadata: bytes) -> None:
    row = msgspec.structs.replace(stored(b"[]"), metadata=metadata)
    with pytest.raises(DamagedCommit, match="position 0 is damaged: its metadata cannot be decoded"):
        Codec().commit(row)


def test_a_commit_with_too_few_events_is_damaged() -> None:
    row = stored(GOLDEN[0][1].encode().join((b"[", b"]")), ("TopicCreated", 1), count=2)
    with pytest.raises(DamagedCommit, match="it has 1 events, which does not match its positions"):
        Codec().commit(row)
