"""Export a log to Parquet, for pandas, DuckDB and similar tools: one row per event. Needs the library pyarrow.

The fields that people query most have their own columns; the column `event` has the whole event as JSON. Rows are in
log order, so a range of positions is a range of row groups. A Parquet export cannot be imported; use `jsonl` for that.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from odradek_events.exchange.errors import LibraryMissing
from odradek_events.exchange.jsonl import checked_commits, end_of, new_export
from odradek_events.log.port import ReadableLog, check_log
from odradek_events.record import Commit, Head, StoredCommit, type_name
from odradek_events.validation import check_function

__all__ = ["export_parquet", "write_parquet"]

_GROUP_ROWS = 50_000
_GROUP_BYTES = 16 << 20  # of events: bounds the memory
_MAX = (1 << 63) - 1
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


def export_parquet(
    log: ReadableLog,
    target: str | os.PathLike[str],
    *,
    until: int | datetime | None = None,
    progress: Callable[[int], None] | None = None,
) -> Head:
    """Export the events of `log` up to its current head to the new Parquet file `target`; return where it ends.

    See `write_parquet`. Raises LogNotWritable if the target exists.
    """
    check_log(log)
    check_function("progress", progress)
    with new_export(target) as file:
        return write_parquet(log, file.write, until=until, progress=progress)


def write_parquet(
    log: ReadableLog,
    write: Callable[[bytes], object],
    *,
    until: int | datetime | None = None,
    progress: Callable[[int], None] | None = None,
) -> Head:
    """Write the events of `log` as Parquet up to the last whole commit at or before `until`; return where that is.

    `key`, `value`, `topic`, `partition`, `offset` and `timestamp` (the event's own time; `recorded_at` is the log's)
    are filled for events of registered types with such fields. Both times are in microseconds, UTC. The file's metadata
    has the head under `odradek.head`. Raises LibraryMissing without pyarrow, and DamagedCommit for a commit that is not
    sound.
    """
    arrow, parquet = _libraries()
    end = end_of(log, until)
    schema = _schema(arrow).with_metadata({"odradek.head": end.to_text()})
    rows = _Rows(schema.names)
    with parquet.ParquetWriter(arrow.PythonFile(_Output(write), mode="w"), schema, compression="zstd") as writer:
        for stored, commit in checked_commits(log, end, progress):
            rows.add(stored, commit)
            if rows.is_full:
                writer.write_table(arrow.table(rows.take(), schema=schema))
        if not rows.is_empty:
            writer.write_table(arrow.table(rows.take(), schema=schema))
    return end


class _Rows:
    """Collects events as columns until they fill a row group."""

    def __init__(self, names: list[str]) -> None:
        self._columns: dict[str, list[Any]] = {name: [] for name in names}
        self._bytes = 0

    @property
    def is_empty(self) -> bool:
        return not self._columns["position"]

    @property
    def is_full(self) -> bool:
        return len(self._columns["position"]) >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES

    def take(self) -> dict[str, list[Any]]:
        """Return the collected columns, and start empty."""
        columns = self._columns
        self._columns = {name: [] for name in columns}
        self._bytes = 0
        return columns

    def add(self, stored: StoredCommit, commit: Commit) -> None:
        columns, metadata = self._columns, commit.metadata
        count = len(commit.events)
        versions = dict(metadata.types)
        types = [type_name(item) for item in commit.events]
        columns["position"].extend(range(stored.first_position, stored.first_position + count))
        columns["stream"].extend([stored.stream] * count)
        columns["version"].extend(range(stored.first_version, stored.first_version + count))
        columns["type"].extend(types)
        columns["schema_version"].extend([versions.get(name, 0) for name in types])
        columns["recorded_at"].extend([metadata.recorded_at] * count)
        columns["event_id"].extend([f"{metadata.commit_id}/{index}" for index in range(count)])
        columns["commit_id"].extend([metadata.commit_id] * count)
        columns["actor"].extend([metadata.actor] * count)
        for name in ("correlation_id", "causation_id"):
            ids = [value for made in metadata.decisions for value in [getattr(made, name)] * made.event_count]
            columns[name].extend((ids + [""] * count)[:count])
        for name, kind in _FIELDS.items():
            columns[name].extend([kind(getattr(item, name, None)) for item in commit.events])
        columns["event"].extend([str(bytes(raw), "utf-8") for raw in _split(stored.events)])
        self._bytes += len(stored.events)


class _Output:
    """The interface that pyarrow needs of a file that is only written sequentially, such as a pipe."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._place = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        self._write(data)
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place

    def flush(self) -> None:
        """Do nothing: the owner of the output flushes it."""

    def close(self) -> None:
        self.closed = True


def _libraries() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise LibraryMissing("Parquet", "pyarrow", "odradek[parquet]") from error
    return pyarrow, pyarrow.parquet


def _schema(arrow: Any) -> Any:
    text, number, time = arrow.string(), arrow.int64(), arrow.timestamp("us", tz="UTC")
    return arrow.schema(
        [
            ("position", number),
            ("stream", text),
            ("version", number),
            ("type", text),
            ("schema_version", number),
            ("recorded_at", time),
            ("event_id", text),
            ("commit_id", text),
            ("correlation_id", text),
            ("causation_id", text),
            ("actor", text),
            ("timestamp", time),
            ("topic", text),
            ("partition", number),
            ("offset", number),
            ("key", arrow.binary()),
            ("value", arrow.binary()),
            ("event", text),
        ]
    )


def _time(value: object) -> datetime | None:
    return value if isinstance(value, datetime) and value.tzinfo is not None else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return value if type(value) is int and -_MAX <= value <= _MAX else None


def _bytes(value: object) -> bytes | None:
    return value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else None


_FIELDS: dict[str, Callable[[object], object]] = {
    "timestamp": _time,
    "topic": _text,
    "partition": _number,
    "offset": _number,
    "key": _bytes,
    "value": _bytes,
}
