"""A log as an object-centric event log, checked against the structure that OCEL 2.0 asks for."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.observed import START, Moved, OrderPlaced, Recorder, shop
from support.ocel import problems_of

from odradek import ActorSystem
from odradek_boundaries.observe import OcelSize, write_ocel
from odradek_events.log import MemoryLog
from odradek_events.log.port import ReadableLog
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue
from odradek_events.sqlite.log import SqliteLog

Document = dict[str, Any]


def exported(log: ReadableLog, **options: Any) -> Document:
    """Return the export of a log, whose structure is checked."""
    parts: list[bytes] = []
    size = write_ocel(log, parts.append, **options)
    document: Document = json.loads(b"".join(parts))
    assert problems_of(document) == []
    assert size == OcelSize(len(document["events"]), len(document["objects"]))
    return document


def relations_of(event: Document) -> dict[str, str]:
    """Return the objects of an event by their qualifiers."""
    return {relation["qualifier"]: relation["objectId"] for relation in event["relationships"]}


def values_of(event: Document) -> Document:
    """Return the attributes of an event."""
    return {attribute["name"]: attribute["value"] for attribute in event["attributes"]}


def test_every_event_relates_to_its_stream_its_tags_and_its_conversation() -> None:
    document = exported(shop(orders=2))

    first = document["events"][0]
    assert (first["id"], first["type"], first["time"]) == ("0", "observed.OrderPlaced", "2026-01-01T00:00:00Z")
    assert relations_of(first) == {
        "stream": "stream:order/0",
        "order": "tag:order:0",
        "customer": "tag:customer:customer-0",
        "conversation": "conversation:conversation-0",
    }
    assert len(document["events"]) == 6
    assert {each["id"]: each["type"] for each in document["objects"]}["stream:stock/all"] == "stream:stock"


def test_the_fields_of_an_event_are_attributes_of_the_types_that_ocel_has() -> None:
    record = Recorder()
    record("bank/1", Moved("ann", "bob", rate=0.25, due=START, slip=b"\0", notes=("a", "b")), by="c", because="c")
    document = exported(record.log)

    assert values_of(document["events"][0]) == {
        "version": 0,
        "event_id": "commit-0/0",
        "correlation_id": "c",
        "causation_id": "c",
        "source": "ann",
        "target": "bob",
        "event.actor": "teller",
        "rate": 0.25,
        "is_urgent": False,
        "due": "2026-01-01T00:00:00Z",
        "kind": "wire",
        "slip": "AA==",
        "notes": '["a","b"]',
    }


def test_a_field_without_a_value_is_not_an_attribute() -> None:
    record = Recorder()
    record("bank/1", Moved("ann", "bob"))

    assert values_of(exported(record.log)["events"][0]).keys().isdisjoint({"due", "correlation_id", "causation_id"})


def test_a_time_without_a_zone_is_in_utc() -> None:
    record = Recorder()
    record("bank/1", Moved("ann", "bob", due=datetime(2026, 2, 3)))  # noqa: DTZ001  # that is what is tested

    assert values_of(exported(record.log)["events"][0])["due"] == "2026-02-03T00:00:00Z"


def test_two_tags_of_one_kind_have_the_names_of_their_fields_as_qualifiers() -> None:
    record = Recorder()
    record("bank/1", Moved("ann", "bob"))

    assert relations_of(exported(record.log)["events"][0]) == {
        "stream": "stream:bank/1",
        "source": "tag:account:ann",
        "target": "tag:account:bob",
    }


def test_streams_tags_and_conversations_of_one_name_are_different_objects() -> None:
    record = Recorder()
    record("order/1", OrderPlaced(1), by="order/1")
    record("order:1/x", OrderPlaced(1), by="order:1")

    assert len(exported(record.log)["objects"]) == 6


def test_only_events_of_the_given_types_are_exported_with_their_objects() -> None:
    document = exported(shop(), types=["observed.StockTaken"])

    assert [each["id"] for each in document["events"]] == ["2", "5", "8", "11"]
    assert {each["type"] for each in document["objects"]} == {
        "stream:stock",
        "tag:item",
        "tag:order",
        "conversation",
    }


def test_an_event_of_an_unregistered_type_relates_to_its_stream_and_conversation(tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "shop.db", durability="off") as log:
        shop(log)
    with SqliteLog(tmp_path / "shop.db", codec=Codec(Catalogue()), read_only=True) as log:
        event = exported(log)["events"][0]

    assert event["type"] == "observed.OrderPlaced"
    assert relations_of(event).keys() == {"stream", "conversation"}


def test_an_empty_log_is_a_document_without_events() -> None:
    assert exported(MemoryLog()) == {"events": [], "objects": [], "eventTypes": [], "objectTypes": []}


@pytest.mark.slow
def test_more_objects_than_are_kept_in_memory_are_each_written_once() -> None:
    record = Recorder()
    record("order/all", *(OrderPlaced(number % 5500) for number in range(11_000)))

    assert len(exported(record.log)["objects"]) == 5502


def test_the_log_of_a_running_system_has_the_structure_of_ocel() -> None:
    log = MemoryLog()
    with ActorSystem.open(log) as system:
        system.create_topic("orders", 2)
        with system.producer("till") as producer:
            producer.send("orders", b"one").result(5)
        with system.consumer("reader") as consumer:
            consumer.subscribe(["orders"])
            consumer.poll(timeout=5)
            consumer.commit()
    document = exported(log)

    assert {"TopicCreated", "MessageProduced", "OffsetCommitted"} <= {each["type"] for each in document["events"]}


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda d: d.pop("objects"), "top level"),
        (lambda d: d["events"][0].pop("time"), "fields"),
        (lambda d: d["events"][0].update(time="yesterday"), "time yesterday"),
        (lambda d: d["events"][0].update(type="Nothing"), "not declared"),
        (lambda d: d["events"][1].update(id="0"), "an id twice"),
        (lambda d: d["events"][0]["attributes"].append({"name": "x", "value": 1}), "attribute"),
        (lambda d: d["events"][0]["attributes"][0].update(value="0"), "not the declared integer"),
        (lambda d: d["events"][0]["relationships"].append({"objectId": "x", "qualifier": "y"}), "relation to x"),
        (lambda d: d["objects"][0].update(type="Nothing"), "not declared"),
        (lambda d: d["objects"].append(d["objects"][0]), "an id twice"),
        (lambda d: d["eventTypes"].append(d["eventTypes"][0]), "twice"),
        (lambda d: d["eventTypes"][0]["attributes"][0].update(type="number"), "unknown type number"),
    ],
    ids=[
        "part",
        "time missing",
        "time wrong",
        "event type",
        "event twice",
        "attribute",
        "value",
        "relation",
        "object type",
        "object twice",
        "type twice",
        "attribute type",
    ],
)
def test_the_structural_check_can_fail(spoil: Callable[[Document], object], problem: str) -> None:
    document = copy.deepcopy(exported(shop()))
    spoil(document)

    assert problem in "; ".join(problems_of(document))
