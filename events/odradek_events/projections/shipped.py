"""Projections that come with Odradek: a catalogue of topics, consumer lag over time, and the latest message by key.

Run them with a ProjectionRunner, and read their tables with any SQLite client.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from odradek_events.projections.runner import Projection
from odradek_events.record import Query, QueryItem, Recorded
from odradek_events.types import (
    GroupDeleted,
    MessageProduced,
    OffsetCommitted,
    OffsetReset,
    OffsetsExpired,
    PartitionsAdded,
    RecordsDeleted,
    TopicCreated,
    TopicDeleted,
)

__all__ = ["ConsumerLag", "MessagesByKey", "TopicCatalogue", "shipped_projections"]

_TOPIC_EVENTS = ("TopicCreated", "PartitionsAdded", "RecordsDeleted", "TopicDeleted", "MessageProduced")
_COMMITS = ("OffsetCommitted", "OffsetReset", "OffsetsExpired", "GroupDeleted")


def shipped_projections() -> tuple[Projection, ...]:
    """Return one instance of each."""
    return TopicCatalogue(), ConsumerLag(), MessagesByKey()


class TopicCatalogue:
    """Every topic that was ever created, one row per creation, and its partitions with their offsets.

    `topic_catalogue`: topic, topic_id, created_at, deleted_at, partitions, readable_messages, produced_messages.
    `topic_catalogue_partitions`: topic, topic_id, partition, log_start_offset, high_watermark. Times are recorded-at.
    """

    name = "topic_catalogue"
    version = 1
    query = Query((QueryItem(_TOPIC_EVENTS),))

    def create(self, db: sqlite3.Connection) -> None:
        """Create the tables."""
        db.execute(
            "CREATE TABLE topic_catalogue_topics (topic TEXT NOT NULL, topic_id TEXT NOT NULL, "
            "created_at TEXT NOT NULL, deleted_at TEXT, PRIMARY KEY (topic, topic_id)) WITHOUT ROWID"
        )
        db.execute("CREATE UNIQUE INDEX topic_catalogue_now ON topic_catalogue_topics (topic) WHERE deleted_at IS NULL")
        db.execute(
            "CREATE TABLE topic_catalogue_partitions (topic TEXT NOT NULL, topic_id TEXT NOT NULL, partition INTEGER, "
            "log_start_offset INTEGER NOT NULL DEFAULT 0, high_watermark INTEGER NOT NULL DEFAULT 0, "
            "PRIMARY KEY (topic, topic_id, partition)) WITHOUT ROWID"
        )
        db.execute(
            "CREATE VIEW topic_catalogue AS SELECT t.*, count(p.partition) AS partitions, "
            "coalesce(sum(p.high_watermark - p.log_start_offset), 0) AS readable_messages, "
            "coalesce(sum(p.high_watermark), 0) AS produced_messages FROM topic_catalogue_topics AS t "
            "LEFT JOIN topic_catalogue_partitions AS p USING (topic, topic_id) GROUP BY topic, topic_id"
        )

    def apply(self, db: sqlite3.Connection, recorded: Recorded) -> None:
        """Keep the tables up to date."""
        at = recorded.commit.recorded_at.isoformat()
        match recorded.event:
            case MessageProduced(topic=topic, partition=partition, offset=offset):
                self._set(db, "high_watermark", topic, partition, offset + 1)
            case TopicCreated(topic=topic, topic_id=topic_id, partition_count=count):
                db.execute("INSERT INTO topic_catalogue_topics VALUES (?, ?, ?, NULL)", (topic, topic_id, at))
                self._add_partitions(db, topic, topic_id, count)
            case PartitionsAdded(topic=topic, partition_count=count):
                self._add_partitions(db, topic, _current_id(db, topic), count)
            case RecordsDeleted(topic=topic, partition=partition, log_start_offset=start):
                self._set(db, "log_start_offset", topic, partition, start)
            case TopicDeleted(topic=topic, topic_id=topic_id):
                db.execute(
                    "UPDATE topic_catalogue_topics SET deleted_at = ? WHERE topic = ? AND topic_id = ?",
                    (at, topic, topic_id),
                )
            case _:
                pass

    def _set(self, db: sqlite3.Connection, column: str, topic: str, partition: int, value: int) -> None:
        db.execute(
            f"UPDATE topic_catalogue_partitions SET {column} = ?3 WHERE topic = ?1 AND partition = ?2 AND topic_id = "
            "(SELECT topic_id FROM topic_catalogue_topics WHERE topic = ?1 AND deleted_at IS NULL)",
            (topic, partition, value),
        )

    def _add_partitions(self, db: sqlite3.Connection, topic: str, topic_id: str, count: int) -> None:
        db.executemany(
            "INSERT OR IGNORE INTO topic_catalogue_partitions (topic, topic_id, partition) VALUES (?, ?, ?)",
            [(topic, topic_id, number) for number in range(count)],
        )


def _current_id(db: sqlite3.Connection, topic: str) -> str:
    row = db.execute(
        "SELECT topic_id FROM topic_catalogue_topics WHERE topic = ? AND deleted_at IS NULL", (topic,)
    ).fetchone()
    return "" if row is None else str(row[0])


class ConsumerLag:
    """The lag of each owner of committed offsets, at each commit and now.

    `consumer_lag`: one row for each commit or reset, in log order: position, at, owner, consumer_id, topic, topic_id,
    partition, committed, end_offset, lag. `consumer_lag_now`: the current committed offsets, with the current end
    offset and lag. A commit for a deleted topic has neither end offset nor lag.
    """

    name = "consumer_lag"
    version = 2
    query = Query((QueryItem((*_TOPIC_EVENTS, *_COMMITS)),))

    def create(self, db: sqlite3.Connection) -> None:
        """Create the tables."""
        db.execute(
            "CREATE TABLE consumer_lag (position INTEGER PRIMARY KEY, at TEXT NOT NULL, owner TEXT NOT NULL, "
            "consumer_id TEXT, topic TEXT NOT NULL, topic_id TEXT NOT NULL, partition INTEGER NOT NULL, "
            "committed INTEGER NOT NULL, end_offset INTEGER, lag INTEGER)"
        )
        db.execute("CREATE INDEX consumer_lag_by_owner ON consumer_lag (owner, topic, partition, position)")
        db.execute(
            "CREATE TABLE consumer_lag_partitions (topic TEXT NOT NULL, partition INTEGER, topic_id TEXT NOT NULL, "
            "start INTEGER NOT NULL DEFAULT 0, end INTEGER NOT NULL DEFAULT 0, "
            "PRIMARY KEY (topic, partition)) WITHOUT ROWID"
        )
        db.execute(
            "CREATE TABLE consumer_lag_committed (owner TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER, "
            "topic_id TEXT NOT NULL, committed INTEGER NOT NULL, PRIMARY KEY (owner, topic, partition)) WITHOUT ROWID"
        )
        db.execute(
            "CREATE VIEW consumer_lag_now AS SELECT c.owner, c.topic, c.topic_id, c.partition, c.committed, "
            "p.end AS end_offset, max(0, p.end - max(c.committed, p.start)) AS lag FROM consumer_lag_committed AS c "
            "LEFT JOIN consumer_lag_partitions AS p USING (topic, partition, topic_id)"
        )

    def apply(self, db: sqlite3.Connection, recorded: Recorded) -> None:
        """Record commits, and track the partitions' start and end offsets that lag is computed from."""
        match recorded.event:
            case MessageProduced(topic=topic, partition=partition, offset=offset):
                self._set(db, "end", topic, partition, offset + 1)
            case TopicCreated(topic=topic, topic_id=topic_id, partition_count=count):
                self._add_partitions(db, topic, topic_id, count)
            case PartitionsAdded(topic=topic, partition_count=count):
                row = db.execute(
                    "SELECT topic_id FROM consumer_lag_partitions WHERE topic = ? LIMIT 1", (topic,)
                ).fetchone()
                self._add_partitions(db, topic, "" if row is None else row[0], count)
            case RecordsDeleted(topic=topic, partition=partition, log_start_offset=start):
                self._set(db, "start", topic, partition, start)
            case TopicDeleted(topic=topic):
                db.execute("DELETE FROM consumer_lag_partitions WHERE topic = ?", (topic,))
            case OffsetCommitted() as committed:
                self._note(db, recorded, committed, committed.consumer_id)
            case OffsetReset() as reset if recorded.stream.startswith("group/"):  # a consumer's moves its position only
                self._note(db, recorded, reset, None)
            case OffsetsExpired(owner=owner, partitions=places):
                gone = [(owner, topic, partition) for topic, partition in places]
                forget = "DELETE FROM consumer_lag_committed WHERE owner = ? AND topic = ? AND partition = ?"
                db.executemany(forget, gone)
            case GroupDeleted(group_id=group):
                db.execute("DELETE FROM consumer_lag_committed WHERE owner = ?", (f"group/{group}",))
            case _:
                pass

    def _note(self, db: sqlite3.Connection, recorded: Recorded, event: Any, consumer_id: str | None) -> None:
        row = db.execute(
            "SELECT start, end FROM consumer_lag_partitions WHERE topic = ? AND partition = ? AND topic_id = ?",
            (event.topic, event.partition, event.topic_id),
        ).fetchone()
        end = None if row is None else row[1]
        lag = None if row is None else max(0, row[1] - max(event.offset, row[0]))
        at = recorded.commit.recorded_at.isoformat()
        place = (event.owner, consumer_id, event.topic, event.topic_id, event.partition)
        db.execute(
            "INSERT INTO consumer_lag VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (recorded.position, at, *place, event.offset, end, lag),
        )
        db.execute(  # offsets committed for an earlier topic of the same name are obsolete
            "DELETE FROM consumer_lag_committed WHERE owner = ? AND topic = ? AND topic_id <> ?",
            (event.owner, event.topic, event.topic_id),
        )
        db.execute(
            "INSERT OR REPLACE INTO consumer_lag_committed VALUES (?, ?, ?, ?, ?)",
            (event.owner, event.topic, event.partition, event.topic_id, event.offset),
        )

    def _set(self, db: sqlite3.Connection, column: str, topic: str, partition: int, value: int) -> None:
        db.execute(
            f"UPDATE consumer_lag_partitions SET {column} = ? WHERE topic = ? AND partition = ?",
            (value, topic, partition),
        )

    def _add_partitions(self, db: sqlite3.Connection, topic: str, topic_id: str, count: int) -> None:
        db.executemany(
            "INSERT OR IGNORE INTO consumer_lag_partitions (topic, partition, topic_id) VALUES (?, ?, ?)",
            [(topic, number, topic_id) for number in range(count)],
        )


class MessagesByKey:
    """The latest message for each key of each topic, as compaction would keep it, and the number of messages.

    `messages_by_key`: topic, key, partition, offset, position, value, is_tombstone, messages. Messages without a key
    are skipped. Deleting a topic deletes its rows; deleting records does not.
    """

    name = "messages_by_key"
    version = 1
    query = Query((QueryItem(("MessageProduced", "TopicDeleted")),))

    def create(self, db: sqlite3.Connection) -> None:
        """Create the table."""
        db.execute(
            "CREATE TABLE messages_by_key (topic TEXT NOT NULL, key BLOB NOT NULL, partition INTEGER NOT NULL, "
            '"offset" INTEGER NOT NULL, position INTEGER NOT NULL, value BLOB, is_tombstone INTEGER NOT NULL, '
            "messages INTEGER NOT NULL, PRIMARY KEY (topic, key)) WITHOUT ROWID"
        )

    def apply(self, db: sqlite3.Connection, recorded: Recorded) -> None:
        """Replace the previous message for the key."""
        event = recorded.event
        if isinstance(event, TopicDeleted):
            db.execute("DELETE FROM messages_by_key WHERE topic = ?", (event.topic,))
        elif event.key is not None:
            db.execute(
                "INSERT INTO messages_by_key VALUES (?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET "
                'partition = excluded.partition, "offset" = excluded."offset", position = excluded.position, '
                "value = excluded.value, is_tombstone = excluded.is_tombstone, messages = messages + 1",
                (
                    event.topic,
                    event.key,
                    event.partition,
                    event.offset,
                    recorded.position,
                    event.value,
                    event.value is None,
                ),
            )
