"""`odradek.verify` and `odradek verify`: the structure of a log, its fold and its snapshots together."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from support.cli import here
from support.log import append, produced

import odradek
from odradek import ActorSystem, SqliteLog
from odradek_events.snapshots.sqlite import SqliteSnapshots, open_snapshots
from odradek_events.snapshots.store import StoredSnapshot


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of topics, producers, consumers and a group, with a snapshot of each."""
    path = tmp_path / "log.db"
    with ActorSystem.open(path, durability="off", snapshot_interval=1) as system:
        system.create_topic("orders", 2)
        with system.producer("till") as producer:
            for number in range(20):
                producer.send("orders", b"%d" % number)
            producer.flush()
        with system.consumer("reader", "group") as consumer:
            consumer.subscribe(["orders"])
            while consumer.poll() == []:
                pass
            consumer.commit()
    return path


def verified(path: Path) -> list[str]:
    with SqliteLog(path, read_only=True) as log, closing(open_snapshots(log)) as snapshots:
        report = odradek.verify(log, snapshots=snapshots)
        assert report.snapshots > 0
        return [finding.problem for finding in report.findings]


def streams(path: Path) -> list[str]:
    with closing(SqliteSnapshots(f"{path}.snapshots")) as store:
        return sorted({mark.end.stream for mark in store.scan()})


def forge(path: Path, stream: str, old: bytes, new: bytes) -> None:
    """Change a stream's newest snapshot, with a right checksum."""
    with closing(SqliteSnapshots(f"{path}.snapshots")) as store:
        found = store.load(stream)
        assert found is not None
        payload = found.payload.replace(old, new)
        assert payload != found.payload
        store.save([StoredSnapshot.sealed(found.end, found.name, found.schema, payload)])


def test_a_log_and_its_snapshots_have_no_findings(path: Path) -> None:
    kinds = {stream.partition("/")[0] for stream in streams(path)}
    assert kinds >= {"topic", "producer", "consumer"}
    assert verified(path) == []


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("topic", b'"high_watermark":', b'"high_watermark":1'),
        ("topic", b'"created_position":', b'"created_position":1'),
        ("topic", b'"version":', b'"version":1'),
        ("producer", b'"version":', b'"version":1'),
        ("consumer", b'"version":', b'"version":1'),
        ("topic", b'{"topic"', b'{"nothing"'),
    ],
)
def test_a_forged_snapshot_is_found(path: Path, kind: str, old: bytes, new: bytes) -> None:
    stream = next(name for name in streams(path) if name.startswith(f"{kind}/"))
    forge(path, stream, old, new)
    (problem,) = verified(path)
    assert repr(stream) in problem
    assert "delete the snapshots" in problem
    outcome = here("verify", path)
    assert outcome.code == 1
    assert problem in outcome.text


def test_a_stale_snapshot_under_a_newer_version_is_found(path: Path) -> None:
    stream = next(name for name in streams(path) if name.startswith("topic/"))
    with closing(SqliteSnapshots(f"{path}.snapshots")) as store:
        newest = store.load(stream)
        assert newest is not None
        older = store.load(stream, newest.end.version - 1)
        assert older is not None
        store.save([StoredSnapshot.sealed(newest.end, older.name, older.schema, older.payload)])
    (problem,) = verified(path)
    assert "differs from the state folded from the log" in problem


def test_snapshots_of_another_schema_are_ignored(path: Path) -> None:
    with closing(SqliteSnapshots(f"{path}.snapshots")) as store:
        found = store.load(streams(path)[0])
        assert found is not None
        store.save([StoredSnapshot.sealed(found.end, found.name, found.schema + 1, b"another form")])
        store.save([StoredSnapshot.sealed(found.end, "of a model", 1, b"another form")])
    assert verified(path) == []


def test_a_history_that_cannot_be_folded_is_a_finding_of_the_command(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with SqliteLog(path) as log:
        append(log, "topic/orders", produced(0))
    outcome = here("verify", path)
    assert outcome.code == 1
    assert outcome.lines[0] == ("position 0: it cannot be folded (partition 0 of a topic that has 0 partitions)")
    assert here("verify", path, "--json").json["is_sound"] is False


def test_the_golden_logs_are_sound_and_streams_of_own_types_are_counted() -> None:
    golden = Path(__file__).parents[2] / "golden"
    with SqliteLog(golden / "format-1.db", read_only=True) as log:
        assert odradek.verify(log).is_sound
    with SqliteLog(golden / "own-events.db", read_only=True) as log:
        report = odradek.verify(log)
        assert report.is_sound
        assert report.unfolded_streams > 0
        assert msgspec.json.encode(report)
