"""`odradek topics`: what a log has, and what changes it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.cli import here, produced, refused

from odradek import ActorSystem, SystemState, open_log
from odradek.cli.formats.quantities import format_duration, format_size, parse_duration_ms, parse_size

WRITING = ["create", "delete", "add-partitions", "set-retention", "delete-records"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six messages in orders, which has two partitions, and one in payments."""
    path = tmp_path_factory.mktemp("topics") / "orders.db"
    here("topics", "create", path, "orders", "--partitions", 2)
    produced(path, "orders", b"0\n1\n2\n3\n4\n5\n")
    return produced(path, "payments", b"1 euro\n")


@pytest.fixture
def log(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(written, tmp_path))


def test_without_a_subcommand_it_says_what_there_is() -> None:
    outcome = here("topics")
    assert outcome.code == 0
    assert all(f"\n  {name} " in outcome.text for name in ["list", "describe", *WRITING])
    assert outcome.text == here("topics", "--help").text


@pytest.mark.parametrize("name", ["list", "describe", *WRITING])
def test_every_subcommand_has_help_with_an_example(name: str) -> None:
    outcome = here("topics", name, "--help")
    assert outcome.code == 0
    assert f"Example:\n    odradek topics {name} " in outcome.text


def test_a_topic_is_created_with_its_log_and_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    limits = ("--retention-time", "1h30m", "--retention-size", "64MiB")
    outcome = here("topics", "create", path, "orders", "--partitions", 3, *limits)
    assert outcome.code == 0, outcome
    assert outcome.lines[0] == "Created orders."
    assert "Retention: time 90m, size of each partition 64MiB" in outcome.lines

    topic = here("topics", "describe", path, "orders", "--json").json

    assert [part["id"] for part in topic["partitions"]] == [0, 1, 2]
    assert (topic["retention_ms"], topic["retention_bytes"]) == (5_400_000, 64 << 20)
    refused(here("topics", "create", path, "orders"), 7, "topic 'orders' already exists")


def test_topics_are_listed_with_their_messages_and_limits(log: Path) -> None:
    here("topics", "set-retention", log, "payments", "--retention-time", "7d")
    rows = [text.split() for text in here("topics", "list", log).lines]
    assert ["orders", "2", "6", "-", "-"] in rows
    assert ["payments", "1", "1", "7d", "-"] in rows
    found = here("topics", "list", log, "--json").json
    assert [(topic["name"], topic["retention_ms"]) for topic in found] == [("orders", None), ("payments", 604_800_000)]


def test_a_log_without_topics_says_so(tmp_path: Path) -> None:
    open_log(tmp_path / "empty.db").close()
    assert here("topics", "list", tmp_path / "empty.db").text == "There are no topics.\n"
    assert here("topics", "list", tmp_path / "empty.db", "--json").json == []


def test_looking_needs_no_lock_and_changes_nothing(log: Path) -> None:
    with ActorSystem.open(log) as system:
        system.settle()
        before = system.log.head()
        assert here("topics", "list", log).code == 0
        assert here("topics", "describe", log, "orders").code == 0
        for name, *more in (("create", "x"), ("delete", "orders"), ("set-retention", "orders", "--retention-size", 1)):
            refused(here("topics", name, log, *more), 4)
        assert system.log.head() == before


def test_what_writers_print_is_what_describe_prints_afterwards(log: Path) -> None:
    for name, *more in (
        ("add-partitions", 3),
        ("set-retention", "--retention-size", 5),
        ("delete-records", 0, 1),
    ):
        printed = here("topics", name, log, "orders", *more, "--json").json
        assert printed == here("topics", "describe", log, "orders", "--json").json


def test_partitions_are_added_and_never_taken_away(log: Path) -> None:
    outcome = here("topics", "add-partitions", log, "orders", 4)
    assert outcome.lines[0] == "orders now has 4 partitions."
    refused(here("topics", "add-partitions", log, "orders", 3), 7, "has 4 partitions, so it cannot get 3")


def test_a_deleted_topic_is_gone_and_its_history_stays(log: Path) -> None:
    assert here("topics", "delete", log, "orders").text == "Deleted orders.\n"
    assert here("topics", "delete", log, "payments", "--json").json == {"deleted": "payments"}
    refused(here("topics", "describe", log, "orders"), 6, "there is no topic 'orders'", "odradek topics list LOG")
    assert len(here("log", log, "--type", "MessageProduced").lines) == 7


def test_messages_beyond_the_limits_go_at_once(log: Path) -> None:
    outcome = here("topics", "set-retention", log, "payments", "--retention-size", 1)
    assert outcome.lines[0] == "Set the retention of payments."
    assert outcome.lines[-2].split() == ["0", "0", "1", "1"]  # the newest stays
    produced(log, "payments", b"2 euro\n")

    here("topics", "set-retention", log, "payments", "--retention-time", "1w")

    assert here("consume", log, "payments").text == "2 euro\n"
    with open_log(log, read_only=True) as opened:
        assert SystemState.replay(opened).topics["payments"].retention.retention_bytes == 1


def test_old_messages_go_by_their_own_time(log: Path) -> None:
    now = datetime.now(UTC)
    with ActorSystem.open(log) as system, system.producer("old") as producer:
        for days in (9, 8, 1):
            producer.send("aged", str(days), timestamp=now - timedelta(days=days)).result()
    here("topics", "set-retention", log, "aged", "--retention-time", "7d")
    assert here("consume", log, "aged").text == "1\n"


def test_none_takes_a_limit_away_and_leaves_the_other(log: Path) -> None:
    here("topics", "set-retention", log, "orders", "--retention-time", "7d", "--retention-size", "1GiB")
    topic = here("topics", "set-retention", log, "orders", "--retention-time", "none", "--json").json
    assert (topic["retention_ms"], topic["retention_bytes"]) == (None, 1 << 30)


@pytest.mark.parametrize("end", ["end", "-1"])
def test_records_are_deleted_below_an_offset_or_up_to_the_end(log: Path, end: str) -> None:
    outcome = here("topics", "delete-records", log, "payments", 0, end)
    assert outcome.lines[0] == "payments/0 now starts at offset 1."
    assert here("consume", log, "payments").text == ""
    refused(here("topics", "delete-records", log, "payments", 0, 2), 6, "offset 2 of payments/0 is out of range")
    refused(here("topics", "delete-records", log, "payments", 1, 0), 6, "has no partition 1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", "x.db", "a b"], ["TOPIC", "'a b' is not a topic name"]),
        (["create", "x.db", "a", "--partitions", "0"], ["--partitions"]),
        (["create", "x.db", "a", "--retention-time", "7x"], ["--retention-time", "'7x' is not a duration", "7d"]),
        (["create", "x.db", "a", "--retention-time", ""], ["'' is not a duration"]),
        (["create", "x.db", "a", "--retention-time", "0s"], ["'0s' is not a duration"]),
        (["create", "x.db", "a", "--retention-time", "-7d"], ["--retention-time"]),
        (["create", "x.db", "a", "--retention-size", "64 Mib."], ["--retention-size", "is not a size", "64MiB"]),
        (["create", "x.db", "a", "--retention-size", "0"], ["'0' is not a size"]),
        (["set-retention", "x.db", "a"], ["--retention-time / --retention-size", "give one of them"]),
        (["delete-records", "x.db", "a", "0", "-2"], ["OFFSET", "'-2' is not an offset"]),
        (["delete-records", "x.db", "a", "-1", "0"], ["PARTITION"]),
        (["delete-records", "x.db", "a", "0", "head"], ["'head' is not an offset; use a number like 1500, or end"]),
        (["frobnicate"], ["no such command 'frobnicate'", "odradek topics --help"]),
    ],
)
def test_a_wrong_value_is_one_sentence_and_no_log(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    path = tmp_path / "x.db"
    refused(here("topics", *(path if argument == "x.db" else argument for argument in arguments)), 2, *words)
    assert not path.exists()


@pytest.mark.parametrize("name", ["list", "describe", *WRITING[1:]])
def test_a_missing_log_is_not_made_but_by_create(tmp_path: Path, name: str) -> None:
    path = tmp_path / "none.db"
    more = {"list": [], "add-partitions": ["t", 2], "set-retention": ["t", "--retention-size", 1]}
    more["delete-records"] = ["t", 0, 0]
    refused(here("topics", name, path, *more.get(name, ["t"])), 3, "there is no log")
    assert not path.exists()


@given(st.integers(1, (1 << 63) - 1))
@example(604_800_000)
@example(64 << 20)
def test_durations_and_sizes_are_read_as_they_are_shown(value: int) -> None:
    assert parse_duration_ms("x", format_duration(value)) == value
    assert parse_size("x", format_size(value)) == value


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("1ms", 1), ("90s", 90_000), ("12h", 43_200_000), ("7d", 604_800_000), ("1w", 604_800_000), ("1h30m", 5_400_000)],
)
def test_durations_have_units(text: str, milliseconds: int) -> None:
    assert parse_duration_ms("x", text) == milliseconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("500", 500), ("1B", 1), ("64MiB", 64 << 20), ("64mib", 64 << 20), ("2 GB", 2 * 10**9), ("1KiB", 1024)],
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert parse_size("x", text) == size


def test_what_is_shown_is_the_largest_unit_that_fits() -> None:
    assert [format_duration(ms) for ms in (1, 1500, 90_000, 86_400_000, 14 * 86_400_000)] == [
        "1ms",
        "1500ms",
        "90s",
        "1d",
        "14d",
    ]
    assert [format_size(size) for size in (1, 1000, 1024, 1_500_000, 3 << 30)] == [
        "1B",
        "1KB",
        "1KiB",
        "1500KB",
        "3GiB",
    ]
