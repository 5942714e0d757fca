"""`odradek project`: views of a log that other programs read."""

from __future__ import annotations

import json
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.cli import here, refused, running

from odradek import ActorSystem
from odradek_events.projections.view_file import open_views

QUIET: dict[str, Any] = {"progress_interval": 3600.0}
NAMES = ["topic_catalogue", "consumer_lag", "messages_by_key"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Give a log with three messages, two of them read and committed by billing."""
    path = tmp_path / "orders.db"
    with ActorSystem.open(path, **QUIET) as system, system.producer("till") as producer:
        producer.send_batch("orders", [("a", "1"), ("b", "2"), ("a", None)]).result()
        with system.consumer("billing-1", "billing") as consumer:
            consumer.subscribe(["orders"])
            consumer.poll(2)
            consumer.commit()
    return path


@pytest.fixture
def views(tmp_path: Path) -> Path:
    return tmp_path / "views.db"


def rows(views: Path, query: str) -> list[Any]:
    with closing(open_views(views)) as db:
        return db.execute(query).fetchall()


def send(log: Path, value: str) -> None:
    with ActorSystem.open(log, **QUIET) as system, system.producer("till") as producer:
        producer.send("orders", value, key="c").result()


def test_the_views_of_a_log_are_tables(log: Path, views: Path) -> None:
    outcome = here("project", log, views)
    assert (outcome.code, outcome.complaint) == (0, "")
    assert [line.split()[0] for line in outcome.lines[3:6]] == NAMES
    assert outcome.lines[-1].endswith("events applied")
    assert rows(views, "SELECT topic, partitions, readable_messages FROM topic_catalogue") == [("orders", 1, 3)]
    assert rows(views, "SELECT owner, committed, end_offset, lag FROM consumer_lag") == [("group/billing", 2, 3, 1)]
    assert rows(views, "SELECT owner, lag FROM consumer_lag_now") == [("group/billing", 1)]
    assert rows(views, "SELECT key, value, is_tombstone, messages FROM messages_by_key") == [
        (b"a", None, 1, 2),
        (b"b", b"2", 0, 1),
    ]


def test_the_next_time_only_what_is_new_is_applied(log: Path, views: Path) -> None:
    assert here("project", log, views).code == 0
    assert here("project", log, views, "--json").json["events"] == 0
    send(log, "more")
    found = here("project", log, views, "--json").json
    assert found["events"] == 3  # the one message, in each view
    assert list(found["projections"]) == NAMES
    assert {lag["events"] for lag in found["projections"].values()} == {0}
    assert here("project", log, views, "--rebuild", "--json").json["events"] > 3
    assert rows(views, "SELECT lag FROM consumer_lag_now") == [(2,)]


def test_only_some_may_be_wanted(log: Path, views: Path) -> None:
    found = here("project", log, views, "--only", "consumer_lag", "--json").json
    assert list(found["projections"]) == ["consumer_lag"]
    assert rows(views, "SELECT projection FROM projection_checkpoints") == [("consumer_lag",)]
    refused(here("project", log, views, "--only", "nothing"), 2, "'nothing'", *NAMES)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_following_keeps_the_views_up_while_another_process_writes(log: Path, views: Path, number: int) -> None:
    with running("project", log, views, "--follow", "--json") as process:
        assert process.stdout is not None
        position = json.loads(process.stdout.readline())["projections"]["consumer_lag"]["position"]
        send(log, "more")
        while position < end_of(log):
            position = json.loads(process.stdout.readline())["projections"]["messages_by_key"]["position"]
        assert rows(views, "SELECT value FROM messages_by_key WHERE key = X'63'") == [(b"more",)]
        process.send_signal(number)
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert complaint.decode() == f"odradek: interrupted; the views are at position {position}\n"


def end_of(log: Path) -> int:
    return int(here("log", log, "--json").json_lines[-1]["position"])


def test_mistakes_are_one_sentence(log: Path, views: Path, tmp_path: Path) -> None:
    refused(here("project", tmp_path / "no.db", views), 3, "no.db")
    refused(here("project", log, log), 3, "is not a views file", "left unchanged")
    refused(here("project", log, tmp_path / "no" / "views.db"), 5, "directory")
    assert here("project", log, views).code == 0
    other = tmp_path / "other.db"
    send(other, "x")
    refused(here("project", other, views), 7, "was not built from", "rebuild")
    assert here("project", other, views, "--rebuild").code == 0
    assert rows(views, "SELECT key FROM messages_by_key") == [(b"c",)]
