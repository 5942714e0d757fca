"""Logs written by earlier code are read, replayed, verified and written on by the code of today."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.log import append, produced

from odradek import ActorSystem
from odradek_domain.replay.system_state import SystemState
from odradek_events import SqliteLog, Upcaster, event, open_log, types
from odradek_events.errors import UnknownEventType
from odradek_events.log.port import ReadableLog
from odradek_events.maintenance.backup import backup
from odradek_events.maintenance.salvage import salvage
from odradek_events.maintenance.verify import verify
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import CATALOGUE, Catalogue

HERE = Path(__file__).parent
FORMAT_1 = HERE / "format-1.db"
OWN_EVENTS = HERE / "own-events.db"


def expected(path: Path) -> Any:
    """Return what is to be found in a log."""
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def told(log: ReadableLog) -> Any:
    """Return what a log says of itself, as JSON gives it back: its end, its events, and the state they lead to."""
    head = log.head()
    found = {
        "head": f"{head.position}:{head.digest.hex()}",
        "recorded_at": [log.codec.metadata(stored).recorded_at for stored in log.stored()],
        "events": [
            [
                recorded.position,
                recorded.stream,
                recorded.version,
                recorded.metadata.schema_version,
                recorded.metadata.event_id,
                recorded.metadata.actor,
                recorded.metadata.correlation_id,
                recorded.metadata.causation_id,
                recorded.event,
            ]
            for recorded in log.read()
        ],
        "state": state_told(SystemState.replay(log)),
    }
    return json.loads(msgspec.json.encode(found))


def state_told(state: SystemState) -> dict[str, Any]:
    """Return a state in words that people read, bodies and checksums left out."""
    return {
        "versions": state.versions,
        "topics": {
            topic.name: {
                "id": topic.topic_id,
                "partitions": [[part.log_start_offset, part.high_watermark] for part in topic.partitions],
            }
            for topic in state.topics.values()
        },
        "producers": {
            producer.client_id: [producer.epoch, producer.message_count, producer.transaction_id]
            for producer in state.producers.values()
        },
        "consumers": {
            consumer.id: {
                "group": consumer.group_id,
                "positions": {topic: consumer.positions(topic) for topic in consumer.subscriptions},
                "committed": consumer.committed.all(),
            }
            for consumer in state.consumers.values()
        },
        "groups": {group.id: group.committed.all() for group in state.groups.values()},
    }


@pytest.fixture
def format_1(tmp_path: Path) -> Path:
    """A copy of the log of format 1: SQLite keeps files of its own beside what it reads."""
    return Path(shutil.copy(FORMAT_1, tmp_path / "format-1.db"))


def test_a_log_of_format_1_is_read_as_it_was_meant(format_1: Path) -> None:
    with open_log(format_1, read_only=True) as log:
        assert told(log) == expected(FORMAT_1)


def test_a_log_of_format_1_is_sound(format_1: Path) -> None:
    with open_log(format_1, read_only=True) as log:
        report = verify(log)
    assert (report.is_sound, report.findings, report.unknown_types) == (True, (), ())
    assert f"{report.head}:{report.digest}" == expected(FORMAT_1)["head"]


def test_the_index_of_a_log_of_format_1_leads_to_its_events(format_1: Path) -> None:
    with open_log(format_1, read_only=True) as log:
        for recorded in log.read():
            for tag in log.codec.tags_of(recorded.event):
                (found,) = log.read(
                    after=recorded.position - 1, until=recorded.position, tags=[tag], types=[recorded.type]
                )
                assert found.event == recorded.event
        assert log.locate("partition:orders/2", 150) == expected(FORMAT_1)["events"][-200][0]


def test_a_log_of_format_1_replays_to_the_same_state_step_by_step(format_1: Path, tmp_path: Path) -> None:
    with open_log(format_1, read_only=True) as log:
        assert isinstance(log, SqliteLog)
        backup(log, tmp_path / "backup.db")
        step_by_step = SystemState()
        for commit in log.commits():
            step_by_step.apply_commit(commit)
            assert step_by_step.digest() == SystemState.replay(log, until=commit.last_position).digest()
    with open_log(tmp_path / "backup.db", read_only=True) as log:
        assert SystemState.replay(log).digest() == step_by_step.digest()


def test_a_log_of_format_1_is_written_on(format_1: Path) -> None:
    position = int(expected(FORMAT_1)["head"].partition(":")[0])
    with open_log(format_1) as log:
        assert append(log, "topic/orders", produced(7), when=1e9).first_position == position + 1
        assert log.stream_version("topic/orders") == expected(FORMAT_1)["state"]["versions"]["topic/orders"] + 1
    with open_log(format_1, read_only=True) as log:
        assert verify(log).is_sound
        assert SystemState.replay(log).topics["orders"].partitions[0].high_watermark == 8


def test_actors_go_on_where_a_log_of_format_1_ends(format_1: Path) -> None:
    with ActorSystem.open(format_1) as system:
        with system.producer(client_id="checkout") as producer:
            receipt = producer.send("orders", "next", partition=0).result(timeout=10)
            assert receipt.offset == 7
        with system.consumer("c9", group="billing") as consumer:
            consumer.subscribe(["orders"])
            due = {(0, offset) for offset in range(2, 8)} | {(2, offset) for offset in range(201)}
            while due:
                polled = {(record.partition, record.offset) for record in consumer.poll(max_messages=500, timeout=10)}
                assert polled
                assert polled <= due
                due -= polled
            consumer.commit()
        assert system.check_replay().holds
    with open_log(format_1, read_only=True) as log:
        assert verify(log).is_sound


# -- somebody's own events --------------------------------------------------------------------------------------------


def in_cents(amount: str) -> int:
    """Return an amount of euros as cents, exactly."""
    sign = -1 if amount.startswith("-") else 1
    euros, _, cents = amount.removeprefix("-").partition(".")
    return sign * (int(euros) * 100 + int(cents or 0))


TODAY = Catalogue()


@event("AccountOpened", catalogue=TODAY)
class AccountOpened(msgspec.Struct, frozen=True):
    """An account came into being."""

    account: str


@event(
    "MoneyMoved",
    version=3,
    formerly=("CashMoved",),
    tags=("account:{account}",),
    tags_since=2,
    upcasters=(
        Upcaster(1).rename("memo", "note", default=""),
        Upcaster(2).rename("amount", "cents").convert("cents", in_cents).add("currency", "EUR"),
    ),
    catalogue=TODAY,
)
class MoneyMoved(msgspec.Struct, frozen=True):
    """Money was paid in or out."""

    account: str
    cents: int
    currency: str
    note: str = ""


MOVED = [
    MoneyMoved("ann", 1250, "EUR", "salary"),
    MoneyMoved("ann", -200, "EUR"),
    MoneyMoved("bøb", 7, "EUR"),
    MoneyMoved("ann", -50, "EUR", "tea ☕"),
    MoneyMoved("cid", 10000, "EUR"),
]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[SqliteLog]:
    """The log of somebody's own events, read by the program of today."""
    path = shutil.copy(OWN_EVENTS, tmp_path / "own-events.db")
    with SqliteLog(path, read_only=True, codec=Codec(TODAY)) as log:
        yield log


def test_own_events_of_older_versions_are_read_as_those_of_today(own: SqliteLog) -> None:
    assert [recorded.event for recorded in own.read(types=["MoneyMoved"])] == MOVED
    assert [recorded.metadata.schema_version for recorded in own.read(types=["MoneyMoved"])] == [1, 1, 1, 2, 2]
    assert [recorded.event.account for recorded in own.read(types=["AccountOpened"])] == ["ann", "bøb", "cid"]


def test_own_events_are_found_by_tags_that_they_were_stored_without(own: SqliteLog) -> None:
    assert [recorded.event for recorded in own.read(tags=["account:ann"])] == [MOVED[0], MOVED[1], MOVED[3]]


def test_a_log_of_own_events_is_sound_known_or_not(own: SqliteLog) -> None:
    assert (verify(own).findings, verify(own).unknown_types) == ((), ())
    own.codec = Codec(Catalogue())
    assert (verify(own).findings, verify(own).unknown_types) == ((), ("AccountOpened", "CashMoved"))
    with pytest.raises(UnknownEventType, match="position 0 is a 'AccountOpened' version 1"):
        list(own.read())


def test_own_events_of_today_are_written_beside_the_older_ones(tmp_path: Path) -> None:
    path = shutil.copy(OWN_EVENTS, tmp_path / "copy.db")
    with SqliteLog(path, codec=Codec(TODAY)) as log:
        append(log, "account/ann", MoneyMoved("ann", 1, "CHF"), when=0)
        assert [recorded.event.cents for recorded in log.read(tags=["account:ann"])] == [1250, -200, -50, 1]
        assert verify(log).is_sound


def test_a_log_of_format_1_holds_every_type_that_it_was_written_with(format_1: Path) -> None:
    with open_log(format_1, read_only=True) as log:
        held = {recorded.type for recorded in log.read()}
    assert len(held) == 14
    assert held <= {name for name in types.__all__ if CATALOGUE.by_name(name) is not None}


@pytest.mark.parametrize("golden", [FORMAT_1, OWN_EVENTS], ids=lambda path: path.stem)
def test_an_earlier_log_without_its_first_page_is_salvaged_by_that_of_today(golden: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"\xff" * 4096 + golden.read_bytes()[4096:])
    assert salvage(damaged, tmp_path / "new.db").is_whole
    with open_log(golden, read_only=True) as whole, open_log(tmp_path / "new.db", read_only=True) as copy:
        assert copy.head() == whole.head()
        assert list(copy.stored()) == list(whole.stored())
