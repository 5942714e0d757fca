"""`odradek groups` and `odradek offsets`: who reads what, how far they are, and moving them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.actors import World
from support.cli import Outcome, here, produced, refused
from support.groups import balance, member

from odradek import ActorSystem, SqliteLog, SystemState, open_log

COFFEE = "café ☕"
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten messages in each of the two partitions of orders, a second apart from noon on; group billing is at 4 of 0."""
    path = tmp_path_factory.mktemp("groups") / "orders.db"
    with ActorSystem.open(path) as system:
        system.create_topic("orders", 2)
        for partition in range(2):
            for second in range(10):
                at = NOON + timedelta(seconds=second)
                system.producer().send("orders", "x", partition=partition, timestamp=at).result()
        system.reset_offsets("billing", [("orders", 0)], 4)
    return path


@pytest.fixture
def log(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(written, tmp_path))


@pytest.fixture
def live(log: Path) -> Iterator[Path]:
    """The log while a consumer of the group reads both partitions."""
    with ActorSystem.open(log) as system:
        balance(system, member(system, "c", "orders", group="billing"), partitions=2, group="billing")
        yield log


def committed(log: Path, group: str = "billing") -> dict[int, int]:
    with open_log(log, read_only=True) as opened:
        groups = SystemState.replay(opened).groups
    return {item.partition: item.offset for item in groups[group].committed.all()} if group in groups else {}


def reset(log: Path, *options: object, group: str = "billing", topic: str = "orders") -> Outcome:
    return here("offsets", "reset", log, group, "--topic", topic, *options)


def rows(outcome: Outcome) -> list[list[str]]:
    assert outcome.code == 0, outcome
    return [text.split() for text in outcome.lines]


# -- help -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "commands"), [("groups", ["list", "describe", "delete"]), ("offsets", ["reset"])])
def test_without_a_subcommand_it_says_what_there_is(name: str, commands: list[str]) -> None:
    outcome = here(name)
    assert outcome.code == 0
    assert all(f"\n  {command} " in outcome.text for command in commands)
    assert outcome.text == here(name, "--help").text


@pytest.mark.parametrize("name", ["groups list", "groups describe", "groups delete", "offsets reset", "offsets delete"])
def test_every_subcommand_has_help_with_an_example(name: str) -> None:
    outcome = here(*name.split(), "--help")
    assert outcome.code == 0
    assert f"Example:\n    odradek {name} " in outcome.text


# -- looking ----------------------------------------------------------------------------------------------------------


def test_groups_are_listed_with_their_lag(log: Path) -> None:
    reset(log, "--to-latest", group=COFFEE)
    assert ["billing", "Empty", "0", "0", "orders", "6"] in rows(here("groups", "list", log))
    assert here("groups", "list", log, "--json").json == [
        {"group": "billing", "state": "Empty", "generation": 0, "members": 0, "topics": ["orders"], "lag": 6},
        {"group": COFFEE, "state": "Empty", "generation": 0, "members": 0, "topics": ["orders"], "lag": 0},
    ]


@pytest.mark.parametrize("kind", ["groups", "topics"])
def test_a_log_instead_of_a_subcommand_is_listed(log: Path, kind: str) -> None:
    assert here(kind, log).text == here(kind, "list", log).text
    assert here(kind, log, "--json").json == here(kind, "list", log, "--json").json
    refused(here(kind, log.with_name("other.db")), 3, "there is no log at")
    refused(here(kind, "desribe", log), 2, "Did you mean 'describe'?")


def test_a_log_without_groups_says_so(tmp_path: Path) -> None:
    open_log(tmp_path / "empty.db").close()
    assert here("groups", "list", tmp_path / "empty.db").text == "There are no groups.\n"
    assert here("groups", "list", tmp_path / "empty.db", "--json").json == []


def test_a_group_is_described_while_its_members_read(live: Path) -> None:
    before = live.stat().st_size
    outcome = here("groups", "describe", live, "billing")
    found = here("groups", "describe", live, "billing", "--json").json
    (who,) = found["members"]

    assert outcome.lines[0] == f"Group billing: Stable, generation 1, range by {who['member_id']}"
    assert outcome.lines[1] == "6 messages behind"
    assert [who["member_id"], "c", "-", "orders", "orders/0", "orders/1"] in rows(outcome)
    assert ["orders", "0", "4", "10", "6", "c"] in rows(outcome)
    assert ["orders", "1", "-", "10", "-", "c"] in rows(outcome)
    assert (found["group"], found["state"], found["generation"], found["lag"]) == ("billing", "Stable", 1, 6)
    assert (who["consumer_id"], who["topics"], who["partitions"]) == ("c", ["orders"], [["orders", 0], ["orders", 1]])
    assert [(part["partition"], part["committed"], part["lag"]) for part in found["partitions"]] == [
        (0, 4, 6),
        (1, None, None),
    ]
    assert live.stat().st_size == before


def test_a_group_that_reads_by_pattern_shows_the_pattern(log: Path) -> None:
    with ActorSystem.open(log) as system:
        balance(system, member(system, "c", pattern="ord.*"), partitions=2)
        assert "/ord.*/" in here("groups", "describe", log, "g").text
        assert here("groups", "describe", log, "g", "--json").json["members"][0]["pattern"] == "ord.*"


def test_a_group_without_members_says_since_when(log: Path) -> None:
    assert (
        here("groups", "describe", log, "billing").lines[0].startswith("Group billing: Empty, generation 0, idle since")
    )


def test_what_was_committed_in_a_deleted_topic_is_no_lag(log: Path) -> None:
    here("topics", "delete", log, "orders")
    assert here("groups", "list", log, "--json").json[0]["lag"] is None
    assert here("groups", "describe", log, "billing", "--json").json["partitions"] == []
    assert here("groups", "describe", log, "billing").lines[1] == "0 messages behind"


@pytest.mark.parametrize("name", ["describe", "delete"])
def test_an_unknown_group_is_no_such_place(log: Path, name: str) -> None:
    refused(here("groups", name, log, "nobody"), 6, "there is no group 'nobody'", "odradek groups list")


def test_a_deleted_group_is_gone_and_its_history_stays(log: Path) -> None:
    assert here("groups", "delete", log, "billing").text == "Deleted group billing.\n"
    assert here("groups", "list", log).text == "There are no groups.\n"
    refused(here("groups", "describe", log, "billing"), 6, "there is no group")
    refused(here("groups", "delete", log, "billing"), 6, "there is no group")
    assert "GroupDeleted" in here("log", log, "--stream", "group/billing").text
    reset(log, "--to-latest")
    assert here("groups", "delete", log, "billing", "--json").json == {"deleted": "billing"}


# -- resetting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--to-earliest"], 0),
        (["--to-latest"], 10),
        (["--to-offset", 7], 7),
        (["--to-offset", 0], 0),
        (["--to-offset", 99], 10),
        (["--to-datetime", "2024-05-01T12:00:06"], 6),
        (["--to-datetime", "2024-05-01T14:00:06+02:00"], 6),
        (["--to-datetime", "2024-05-02"], 10),
        (["--by-duration", "1h30m"], 10),
        (["--by-duration", "5200w"], 0),
        (["--by-duration", "9223372036854775807ms"], 0),
        (["--shift-by", 3], 7),
        (["--shift-by", "-3"], 1),
        (["--shift-by", "-99"], 0),
        (["--shift-by", 0], 4),
        (["--shift-by", (1 << 63) - 1], 10),
        (["--shift-by", 1 - (1 << 63)], 0),
        (["--to-offset", (1 << 63) - 1], 10),
    ],
)
def test_offsets_go_where_they_are_told_and_a_dry_run_says_so_first(
    log: Path, options: list[object], expected: int
) -> None:
    planned = reset(log, "--partition", 0, *options, "--dry-run", "--json").json
    assert committed(log) == {0: 4}
    done = reset(log, "--partition", 0, *options, "--json").json

    assert committed(log) == {0: expected}
    assert planned == done
    assert [(item["partition"], item["before"], item["after"]) for item in done] == [(0, 4, expected)]


def test_a_reset_says_what_it_changed_and_what_it_could_not_reach(log: Path) -> None:
    here("topics", "delete-records", log, "orders", 1, 5)
    outcome = reset(log, "--to-offset", 4)
    assert outcome.lines[0] == "Changed 1 committed offset of group billing."
    assert ["orders", "0", "4", "4"] in rows(outcome)
    assert ["orders", "1", "-", "5", *["4", "is", "before", "the", "first", "message"]] in rows(outcome)
    outcome = reset(log, "--to-offset", 11, "--dry-run")
    assert outcome.lines[0] == "Would change 2 committed offsets of group billing."
    assert ["orders", "0", "4", "10", *["11", "is", "beyond", "the", "end"]] in rows(outcome)
    outcome = reset(log, "--to-datetime", "2030-01-01")
    assert ["orders", "1", "5", "10", *["no", "message", "at", "or", "after", "that", "time"]] in rows(outcome)


def test_a_group_is_begun_by_a_reset_whatever_its_name(log: Path) -> None:
    assert reset(log, "--to-offset", 3, group=COFFEE, topic="orders").code == 0
    assert committed(log, COFFEE) == {0: 3, 1: 3}
    assert here("groups", "describe", log, COFFEE).lines[0].startswith(f"Group {COFFEE}: Empty")


def test_several_topics_are_reset_at_once(log: Path) -> None:
    produced(log, "payments", b"1 euro\n")
    found = reset(log, "--topic", "payments", "--to-latest", "--json").json
    assert [(item["topic"], item["partition"], item["after"]) for item in found] == [
        ("orders", 0, 10),
        ("orders", 1, 10),
        ("payments", 0, 1),
    ]


def test_a_group_that_another_process_reads_is_shown_what_would_change_and_not_changed(live: Path) -> None:
    refused(reset(live, "--to-latest"), 4, "writing")
    outcome = reset(live, "--to-latest", "--dry-run")
    assert outcome.code == 0
    assert outcome.complaint == (
        "The group has 1 member in the log; its offsets can be reset only while it has none.\n"
    )
    refused(here("groups", "delete", live, "billing"), 4, "writing")
    assert committed(live) == {0: 4}


def test_members_of_a_process_that_died_are_listed_until_the_group_is_used(log: Path) -> None:
    world = World(SqliteLog(log))
    balance(system := world.open(), member(system, "c", "orders", group="billing"), partitions=2, group="billing")
    world.crash()
    world.close()

    assert here("groups", "list", log, "--json").json[0]["members"] == 1
    assert reset(log, "--to-latest").code == 0
    assert committed(log) == {0: 10, 1: 10}
    assert here("groups", "list", log, "--json").json[0]["members"] == 0


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
def test_what_is_not_there_is_not_reset(log: Path, dry_run: list[str]) -> None:
    refused(reset(log, "--to-latest", *dry_run, topic="payments"), 6, "there is no topic 'payments'")
    refused(reset(log, "--to-datetime", "2024-05-01", *dry_run, topic="payments"), 6, "there is no topic 'payments'")
    refused(reset(log, "--to-latest", "--partition", 2, *dry_run), 6, "no partition 2")
    refused(reset(log, "--shift-by", 1, *dry_run), 7, "no committed offset in orders/1")
    assert committed(log) == {0: 4}
    here("topics", "delete", log, "orders")
    refused(reset(log, "--to-latest", *dry_run), 6, "there is no topic 'orders'")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ["--to-earliest", "--shift-by", "give one of them"]),
        (["--to-earliest", "--to-latest"], ["give only one of them"]),
        (["--to-offset", 0, "--shift-by", 0], ["give only one of them"]),
        (["--to-offset", "-1"], ["--to-offset"]),
        (["--to-offset", "x"], ["--to-offset", "'x' is not a whole number"]),
        (["--to-datetime", "tomorrow"], ["--to-datetime", "'tomorrow' is not a time", "2026-01-31T12:00:00Z"]),
        (["--by-duration", "7x"], ["--by-duration", "'7x' is not a duration"]),
        (["--by-duration", "-7d"], ["--by-duration"]),
        (["--to-offset", 1 << 63], ["--to-offset", "is not in the range"]),
        (["--shift-by", -(1 << 63)], ["--shift-by", "is not in the range"]),
        (["--shift-by", "1.5"], ["--shift-by", "'1.5' is not a whole number"]),
        (["--to-latest", "--partition", "-1"], ["--partition"]),
        (["--to-latest", "--topic", "a", "--partition", "0"], ["--partition", "one topic"]),
        (["--to-latest", "--topic", "a b"], ["--topic", "'a b' is not a topic name"]),
    ],
)
def test_a_wrong_option_is_one_sentence_and_no_log(tmp_path: Path, options: list[object], words: list[str]) -> None:
    path = tmp_path / "x.db"
    refused(reset(path, *options), 2, *words)
    refused(reset(path, *options, "--dry-run"), 2, *words)
    assert not path.exists()


def test_a_wrong_group_or_a_missing_topic_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    refused(reset(path, "--to-latest", group=""), 2, "GROUP")
    refused(here("offsets", "reset", path, "g", "--to-latest"), 2, "--topic")
    refused(here("offsets", "delete", path, "g"), 2, "--topic")
    refused(here("groups", "describe", path, ""), 2, "GROUP")
    refused(here("offsets", "frobnicate"), 2, "no such command 'frobnicate'")
    assert not path.exists()


@pytest.mark.parametrize(
    "command",
    [
        "groups list LOG",
        "groups describe LOG g",
        "groups delete LOG g",
        "offsets reset LOG g --topic t --to-latest",
        "offsets reset LOG g --topic t --to-latest --dry-run",
        "offsets delete LOG g --topic t",
    ],
)
def test_a_missing_log_is_not_made(tmp_path: Path, command: str) -> None:
    path = tmp_path / "none.db"
    refused(here(*command.replace("LOG", str(path)).split()), 3, "there is no log")
    assert not path.exists()


# -- forgetting -------------------------------------------------------------------------------------------------------


def test_a_group_forgets_what_it_is_told_to(log: Path) -> None:
    reset(log, "--to-offset", 4)
    outcome = here("offsets", "delete", log, "billing", "--topic", "orders", "--partition", 1)
    assert outcome.text == "Deleted 1 committed offset of group billing.\n"
    assert committed(log) == {0: 4}
    forgotten = here("offsets", "delete", log, "billing", "--topic", "orders", "--json").json
    assert forgotten == [{"topic": "orders", "partition": 0, "offset": 4}]
    assert here("offsets", "delete", log, "billing", "--topic", "orders", "--json").json == []
    refused(here("offsets", "delete", log, "nobody", "--topic", "orders"), 6, "there is no group 'nobody'")


def test_what_was_committed_in_a_deleted_topic_can_be_forgotten(log: Path) -> None:
    here("topics", "delete", log, "orders")
    assert here("offsets", "delete", log, "billing", "--topic", "orders").code == 0
    assert committed(log) == {}
