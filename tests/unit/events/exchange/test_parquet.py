"""Parquet: one row per event, typed columns, bounded row groups, and a clear error if pyarrow is missing."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow
import pyarrow.parquet
import pytest
from support.log import START, append, at, created, produced

from odradek_events import Append, LogStore, MemoryLog, event
from odradek_events.errors import DamagedCommit, LogNotWritable
from odradek_events.exchange.parquet import export_parquet, write_parquet
from odradek_events.record import Decision
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue

ELSEWHERE = Catalogue()


@event("ParquetTestOdd", catalogue=ELSEWHERE)
class Odd(msgspec.Struct, frozen=True):
    """An event whose fields have the names of columns and other types."""

    topic: int
    partition: str
    offset: int
    key: str
    value: list[int]
    timestamp: str


def rows(log: LogStore, until: int | datetime | None = None) -> list[dict[str, Any]]:
    output = io.BytesIO()
    write_parquet(log, output.write, until=until)
    found: list[dict[str, Any]] = pyarrow.parquet.read_table(io.BytesIO(output.getvalue())).to_pylist()
    return found


def test_each_event_is_exported_as_a_row_with_typed_columns() -> None:
    with MemoryLog() as log:
        request = Append(
            stream="topic/ä",
            events=[created("ä"), produced(0, "ä", partition=1, value=b"\x00\xff")],
            commit_id="c-1",
            actor="topic ä",
            decisions=(Decision(1, "k", "w"), Decision(1, "l", "v")),
        )
        log.append([request], at(0.25))
        append(log, "topic/b", created("b"), when=1)
        first, second, third = rows(log)
        stored = msgspec.json.decode(next(log.stored()).events, type=list[msgspec.Raw])
    assert second == {
        "position": 1,
        "stream": "topic/ä",
        "version": 1,
        "type": "MessageProduced",
        "schema_version": 1,
        "recorded_at": at(0.25),
        "event_id": "c-1/1",
        "commit_id": "c-1",
        "correlation_id": "l",
        "causation_id": "v",
        "actor": "topic ä",
        "timestamp": START,
        "topic": "ä",
        "partition": 1,
        "offset": 0,
        "key": None,
        "value": b"\x00\xff",
        "event": bytes(stored[1]).decode(),
    }
    assert (first["type"], first["correlation_id"], first["topic"], first["offset"]) == ("TopicCreated", "k", "ä", None)
    assert (third["position"], third["version"], third["event_id"]) == (2, 0, "topic/b@0/0")


def test_fields_of_other_types_stay_in_the_event(tmp_path: Path) -> None:
    with MemoryLog(Codec(ELSEWHERE)) as log:
        append(log, "odd/1", Odd(topic=1, partition="x", offset=1 << 70, key="ä", value=[1], timestamp="now"))
        (row,) = rows(log)
        assert [row[name] for name in ("topic", "partition", "offset", "key", "value", "timestamp")] == [
            None,
            None,
            None,
            "ä".encode(),
            None,
            None,
        ]
        log.codec = Codec()
        (unknown,) = rows(log)
        assert (unknown["type"], unknown["schema_version"], unknown["key"]) == ("ParquetTestOdd", 1, None)
        assert unknown["event"] == row["event"]


def test_an_empty_log_is_exported_as_a_table_without_rows() -> None:
    with MemoryLog() as log:
        assert rows(log) == []


def test_a_parquet_export_ends_with_the_last_whole_commit_before_its_bound() -> None:
    with MemoryLog() as log:
        append(log, "topic/a", created("a"), produced(0, "a"), when=0)
        append(log, "topic/a", produced(1, "a"), produced(2, "a"), when=1)
        assert [len(rows(log, until)) for until in (-1, 0, 1, 2, 3, None, at(0), datetime(2000, 1, 1, tzinfo=UTC))] == [
            0,
            0,
            2,
            2,
            4,
            4,
            2,
            0,
        ]


@pytest.mark.slow
def test_a_parquet_file_records_the_head_and_limits_its_row_groups(tmp_path: Path) -> None:
    with MemoryLog() as log:
        for number in range(9):
            append(log, "topic/a", *(produced(number * 100 + n, "a", value=b"x" * 60_000) for n in range(100)))
        head = export_parquet(log, tmp_path / "x.parquet")
        assert head == log.head()
    with pyarrow.parquet.ParquetFile(tmp_path / "x.parquet") as file:
        assert file.schema_arrow.metadata[b"odradek.head"].decode() == head.to_text()
        groups = [file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)]
    assert groups == [300, 300, 300]


def test_a_damaged_log_is_not_exported_and_nothing_is_overwritten(tmp_path: Path) -> None:
    with MemoryLog() as log:
        append(log, "topic/a", created("a"))
        log._rows[0] = msgspec.structs.replace(log._rows[0], digest=bytes(32))
        with pytest.raises(DamagedCommit, match="position 0"):
            export_parquet(log, tmp_path / "x.parquet")
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "x.parquet").write_text("precious")
        with pytest.raises(LogNotWritable, match="already exists"):
            export_parquet(log, tmp_path / "x.parquet")
    assert (tmp_path / "x.parquet").read_text() == "precious"
