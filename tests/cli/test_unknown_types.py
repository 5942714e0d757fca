"""The command on a log whose events it does not know: looking works, and what would be wrong is refused by position."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from support.cli import here

from odradek import ActorSystem, Append, SqliteLog, event
from odradek.cli.formats.events import event_fields
from odradek_events.schema.codec import Codec, OpaqueEvent
from odradek_events.schema.registry import Catalogue

LATER = datetime(2100, 1, 1, tzinfo=UTC)
ELSEWHERE = Catalogue()


@event("TopicCreated", version=2, since=2, catalogue=ELSEWHERE)
class TopicOfTomorrow(msgspec.Struct, frozen=True):
    """A type of ours in a version to come."""

    topic: str
    colour: str


@event("elsewhere.Shipped", catalogue=ELSEWHERE)
class Shipped(msgspec.Struct, frozen=True):
    """A type of somebody's."""

    parcel: str


@event("elsewhere.Priced", catalogue=ELSEWHERE)
class Priced(msgspec.Struct, frozen=True):
    """A type as it was stored."""

    price: int


@event("elsewhere.Priced")
class PricedInCents(msgspec.Struct, frozen=True):
    """The same type, after its field was renamed by mistake."""

    cents: int


def written(path: Path, *appends: Append) -> Path:
    """Return a log of ours with appends of another program's at its end."""
    with ActorSystem.open(path) as system:
        system.create_topic("orders")
    with SqliteLog(path, codec=Codec(ELSEWHERE)) as log:
        log.append(appends, LATER)
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A log with somebody's events in a stream of their own."""
    return written(tmp_path / "mixed.db", Append(stream="parcel/1", events=[Shipped("p"), Shipped("q")]))


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A log with an event of a version to come in a stream of ours."""
    return written(tmp_path / "newer.db", Append(stream="topic/orders", events=[TopicOfTomorrow("orders", "red")]))


def test_looking_at_a_log_works_whatever_it_holds(mixed: Path, newer: Path) -> None:
    for path, name, version in ((mixed, "elsewhere.Shipped", 1), (newer, "TopicCreated", 2)):
        last = here("log", path, "--json").json_lines[-1]
        assert (last["type"], last["schema_version"], last["event"]["type"]) == (name, version, name)
        assert here("log", path, "--type", name).lines[-1].split()[0] == str(last["position"])
        assert name in here("stats", path, "--json").json["events_by_type"]
        checked = here("verify", path)
        assert checked.code == 0
        assert f"type not registered here, which is not damage: {name}" in checked.lines


def test_streams_of_others_are_no_part_of_the_state_and_stop_nothing(mixed: Path) -> None:
    found = here("state", mixed, "--json").json
    assert found["versions"] == {"parcel/1": 1, "topic/orders": 0}
    assert here("diff", mixed, 0, "head", "--json").json["changes"] == [
        {"stream": "parcel/1", "fact": "version", "before": None, "after": 1}
    ]


@pytest.mark.parametrize("command", [["state"], ["state", "--json"], ["diff", 0, "head"]])
def test_a_state_that_would_be_wrong_is_refused_with_type_version_and_position(
    newer: Path, command: list[object]
) -> None:
    name, *rest = command
    outcome = here(name, newer, *rest)
    assert outcome.code == 3
    assert "the event at position 1 is a 'TopicCreated' version 2, which is not registered" in outcome.complaint
    assert len(outcome.complaint.splitlines()) == 1


def test_the_state_before_the_unknown_event_is_there(newer: Path) -> None:
    outcome = here("state", newer, "--at", 0)
    assert outcome.code == 0
    assert "orders" in outcome.text


def test_verify_tells_a_mistake_in_a_model_from_damage(tmp_path: Path) -> None:
    path = tmp_path / "priced.db"
    with SqliteLog(path, codec=Codec(ELSEWHERE)) as log:
        log.append([Append(stream="item/1", events=[Priced(5)])], LATER)
    said = (
        "event type 'elsewhere.Priced' version 1 at position 0 has no field 'cents'; declare version 2 with an Upcaster"
    )
    checked = here("verify", path)
    assert checked.code == 3
    assert f"mistake in a model, which is not damage: {said}" in checked.lines
    assert "is sound, but 1 mistake in a model must be fixed to read it" in checked.complaint
    assert here("verify", path, "--json").json["model_mistakes"] == [{"position": 0, "problem": said}]
    assert "price=5" in here("log", path).text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"123456789012345678901234567890", "123456789012345678901234567890"),
        (b"-9223372036854775809", "-9223372036854775809"),
        (b"1e400", "1e400"),
        (b"1" * 5000, "1" * 59 + "…"),
        (b"[" * 3000 + b"]" * 3000, "[" * 20),
        (b'"\\ud800"', "ud800"),
    ],
)
def test_values_that_no_decoder_takes_are_printed_as_they_are_stored(value: bytes, shown: str) -> None:
    event = OpaqueEvent("elsewhere.Shipped", 1, b'{"type":"elsewhere.Shipped","parcel":' + value + b"}")
    assert shown in event_fields(event)
