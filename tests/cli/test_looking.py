"""`odradek log`, `state`, `diff`, `stats`, `verify`, `backup`: what a log holds, at any moment, and if it is sound."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from support.cli import COMMAND, here, odradek, refused
from support.log import append, produced

from odradek import ActorSystem, Append, SqliteLog, SystemState, event, open_log
from odradek.cli.output import format_count
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue
from odradek_events.snapshots.sqlite import open_snapshots
from odradek_events.snapshots.store import StoredSnapshot

ELSEWHERE = Catalogue()


@event("CliTestThing", version=1, tags=("thing:{name}",), catalogue=ELSEWHERE)
class Thing(msgspec.Struct, frozen=True):
    """An event that the command knows nothing of."""

    name: str


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve messages in two partitions of orders; billing has read eight of them."""
    path = tmp_path_factory.mktemp("looking") / "orders.db"
    with ActorSystem.open(path) as system:
        system.create_topic("orders", 2)
        with system.producer("till") as producer:
            for partition in range(2):
                entries = [(b"k", b"%d-%d" % (partition, offset)) for offset in range(6)]
                producer.send_batch("orders", entries, partition=partition).result()
        with system.consumer("billing-1", "billing") as consumer:
            consumer.subscribe(["orders"])
            consumer.poll(4)
            consumer.poll(4)
            consumer.commit()
    return path


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A log with an event of a type that the command does not know."""
    path = tmp_path / "strange.db"
    with ActorSystem.open(path) as system:
        system.create_topic("orders")
    with SqliteLog(path, codec=Codec(ELSEWHERE)) as opened:
        recorded_at = opened.head().recorded_at
        assert recorded_at is not None
        opened.append([Append(stream="thing/1", events=[Thing("one")])], recorded_at)
    return path


def head_of(log: Path) -> int:
    with SqliteLog(log, read_only=True) as opened:
        return opened.head().position


# -- log --------------------------------------------------------------------------------------------------------------


def test_every_event_is_a_line_in_order(log: Path) -> None:
    lines = here("log", log).lines
    assert len(lines) == head_of(log) + 1
    assert [int(line.split()[0]) for line in lines] == list(range(len(lines)))
    assert "topic/orders" in lines[0]
    assert "TopicCreated  topic=orders" in lines[0]
    events = here("log", log, "--json").json_lines
    assert [event["position"] for event in events] == list(range(len(lines)))
    assert events[0]["event"]["topic"] == "orders"
    assert events[0]["stream"] == "topic/orders"


def test_filters_narrow_it_down(log: Path) -> None:
    produced = here("log", log, "--type", "MessageProduced", "--json").json_lines
    assert [item["event"]["offset"] for item in produced] == [*range(6), *range(6)]
    both = here("log", log, "--tag", "partition:orders/1", "--tag", "producer:till", "--json").json_lines
    assert [(item["event"]["partition"], item["event"]["offset"]) for item in both] == [(1, n) for n in range(6)]
    either = here("log", log, "--type", "TopicCreated", "--type", "ProducerRegistered", "--json").json_lines
    assert {item["type"] for item in either} == {"TopicCreated", "ProducerRegistered"}
    group = here("log", log, "--stream", "group/billing", "--json").json_lines
    assert [item["type"] for item in group] == [
        "MemberJoined",
        "GenerationStarted",
        "GroupAssigned",
        *["OffsetCommitted"] * 2,
        "MemberLeft",
    ]


def test_places_bound_it_by_position_and_by_time(log: Path) -> None:
    assert [item["position"] for item in here("log", log, "--after", 3, "--until", 6, "--json").json_lines] == [4, 5, 6]
    assert len(here("log", log, "--limit", 2).lines) == 2
    assert here("log", log, "--until", -1).output == b""
    everything = here("log", log).lines
    assert here("log", log, "--after", "2000-01-01", "--until", "2999-12-31T23:59:59+02:00").lines == everything
    first_commit = here("log", log, "--json", "--limit", 1).json["recorded_at"]
    assert here("log", log, "--until", first_commit, "--json").json_lines[0]["position"] == 0


def test_events_of_unknown_types_are_shown_as_they_are_stored(strange: Path) -> None:
    *_, last = here("log", strange).lines
    assert last.endswith("CliTestThing  name=one")
    assert here("log", strange, "--json").json_lines[-1]["event"] == {"type": "CliTestThing", "name": "one"}


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    with ActorSystem.open(tmp_path / "bad.db") as system, system.producer() as producer:
        producer.send("orders", b"\x1b[2Jgone\nnext \xf0\x9f\xa7\xb5").result()
    printed = here("log", tmp_path / "bad.db", "--type", "MessageProduced").text
    assert "value=\\x1b[2Jgone\\nnext 🧵" in printed
    assert printed.count("\n") == 1


def test_a_reader_that_goes_away_ends_it_quietly(log: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        for command in (["log", str(log)], ["state", str(log)], ["stats", str(log), "--json"]):
            process = subprocess.run([*COMMAND, *command], stdout=closed, stderr=subprocess.PIPE)
            assert (process.returncode, process.stderr) == (141, b""), command


# -- state and diff ---------------------------------------------------------------------------------------------------


def test_state_shows_topics_consumers_and_lag(log: Path) -> None:
    outcome = here("state", log)
    assert outcome.code == 0
    words = [line.split() for line in outcome.lines]
    assert ["orders", "0", "0", "6", "6"] in words
    assert ["till", "0", "12"] in words
    assert [row[1:3] for row in words if row[:1] == ["group/billing"]] == [["orders", "0"], ["orders", "1"]]
    assert "\x1b" not in outcome.text


def test_state_as_json_is_the_replayed_state(log: Path) -> None:
    found = here("state", log, "--json").json
    with open_log(log, read_only=True) as opened:
        state = SystemState.replay(opened)
    assert found["digest"] == state.digest()
    assert found["position"] == state.position
    assert found["versions"] == state.versions
    assert sum(lag["lag"] for lag in found["lags"]) == 4


def test_state_at_a_position_may_split_a_commit(log: Path) -> None:
    position = here("log", log, "--type", "MessageProduced", "--json").json_lines[2]["position"]
    partition = here("state", log, "--at", position, "--json").json["aggregates"]["topic/orders"]["partitions"][0]
    assert partition["high_watermark"] == 3
    assert here("state", log, "--at", -1, "--json").json["aggregates"] == {}
    assert here("state", log, "--at", "2000-01-01T00:00:00Z", "--json").json["position"] == -1


def test_diff_tells_what_changed(log: Path) -> None:
    first, *_, last = (item["position"] for item in here("log", log, "--type", "MessageProduced", "--json").json_lines)
    changes = here("diff", log, first, last, "--json").json["changes"]
    marks = {(c["stream"], c["fact"]): (c["before"], c["after"]) for c in changes}
    assert marks["topic/orders", "partition 0 high_watermark"] == (1, 6)
    assert marks["topic/orders", "partition 1 high_watermark"] == (0, 6)
    text = here("diff", log, first, last).lines
    assert text[1:3] == ["topic/orders", f"  version: 1 -> {marks['topic/orders', 'version'][1]}"]
    assert "  partition 0 high_watermark: 1 -> 6" in text


def test_diff_from_the_empty_log_to_the_head_and_back(log: Path) -> None:
    forth = here("diff", log, -1, "head", "--json").json["changes"]
    back = here("diff", log, "head", -1, "--json").json["changes"]
    assert {(c["stream"], c["fact"], c["after"]) for c in forth} == {
        (c["stream"], c["fact"], c["before"]) for c in back
    }
    assert here("diff", log, 5, 5, "--json").json["changes"] == []


@pytest.mark.parametrize("command", [["state", "--at"], ["log", "--after"], ["log", "--until"]])
def test_a_place_that_is_none_is_refused_with_what_to_write(log: Path, command: list[str]) -> None:
    name, option = command
    words = (option, "a position like 41, a time like 2026-01-31T12:00:00Z")
    for place in ("yesterday", "", "1.5", "2026-13-01", "١٢"):
        refused(here(name, log, option, place), 2, *words)
    for position in (head_of(log) + 1, -2):
        refused(here(name, log, option, position), 6, f"position {position} is outside the log")


def test_diff_refuses_bad_places_too(log: Path) -> None:
    refused(here("diff", log, "x", "head"), 2, "for A", "a position like 41")
    refused(here("diff", log, "0", "--bogus"), 2)
    refused(here("diff", log, "0", 10**9), 6, "outside the log")


def test_a_stream_that_is_no_name_is_refused(log: Path) -> None:
    refused(here("log", log, "--stream", "orders"), 2, "not a stream name")


# -- verify, stats, backup --------------------------------------------------------------------------------------------


def test_verify_prints_head_and_digest_of_a_sound_log(log: Path) -> None:
    outcome = here("verify", log)
    assert outcome.code == 0
    assert outcome.lines[-1] == "sound"
    with SqliteLog(log, read_only=True) as opened:
        head = opened.head()
    noted = f"{head.position}:{head.digest.hex()}"
    assert outcome.lines[-2] == f"head {noted}"
    assert here("verify", log, "--json").json["is_sound"] is True
    assert here("verify", log, "--json").json["position_and_digest"] == noted


def test_verify_finds_the_loss_of_an_end_against_a_noted_head(log: Path, tmp_path: Path) -> None:
    noted = here("verify", log, "--json").json["position_and_digest"]
    assert here("verify", log, "--head", noted).code == 0
    shorter = tmp_path / "shorter.db"
    assert here("backup", log, shorter).code == 0
    with sqlite3.connect(shorter) as connection:
        connection.execute("DROP TRIGGER commits_are_not_deleted")
        ((last,),) = connection.execute("SELECT max(first_position) FROM commits").fetchall()
        connection.execute("DELETE FROM commits WHERE first_position = ?", (last,))
        connection.execute("DELETE FROM tags WHERE first_position = ?", (last,))
    connection.close()
    SqliteLog(tmp_path / "empty.db").close()
    for damaged in (shorter, tmp_path / "empty.db"):
        outcome = here("verify", damaged, "--head", noted)
        refused(outcome, 1, "is damaged")
        assert any("before the known head" in line for line in outcome.lines)
    empty = here("verify", tmp_path / "empty.db", "--json").json["position_and_digest"]
    assert here("verify", log, "--head", empty).code == 0


def test_verify_looks_at_the_snapshots_beside_a_log(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert here("backup", log, copy).code == 0
    with SqliteLog(copy) as opened, closing(open_snapshots(opened)) as snapshots:
        append(opened, "topic/orders", produced(6), when=10**9)
        end = opened.commit_end(opened.head().position)
        assert end is not None
        snapshots.save([StoredSnapshot.sealed(end, "Topic", 1, b"state")])
    outcome = here("verify", copy)
    assert outcome.code == 0
    assert "snapshots: 1" in outcome.lines
    Path(f"{copy}.snapshots").rename(tmp_path / "older.db.snapshots")
    older = tmp_path / "older.db"
    assert here("backup", log, older).code == 0
    outcome = here("verify", older)
    refused(outcome, 1, "is damaged: 1 finding")
    assert "a snapshot of 'topic/orders' was taken here, but the log ends before it" in outcome.lines[0]
    (tmp_path / "older.db.snapshots").write_bytes(b"nothing like it")
    outcome = here("verify", older)
    assert outcome.code == 0
    assert any(line.startswith("not part of the log, so not damage of it: ") for line in outcome.lines)


@pytest.mark.parametrize("text", ["41", "41:abc", "head", ""])
def test_a_noted_head_that_is_none_is_refused(log: Path, text: str) -> None:
    refused(here("verify", log, "--head", text), 2, "--head", "is not a head; use POSITION:DIGEST")


def test_verify_reports_a_damaged_last_commit_too(log: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.db"
    assert here("backup", log, damaged).code == 0
    with sqlite3.connect(damaged) as connection:
        connection.execute("DROP TRIGGER commits_are_not_changed")
        connection.execute("UPDATE commits SET metadata = '{' WHERE last_position = ?", (head_of(log),))
    connection.close()
    outcome = here("verify", damaged)
    refused(outcome, 1, "is damaged")
    assert any("its metadata cannot be decoded" in line for line in outcome.lines)


def test_verify_reports_damage_by_position(log: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.db"
    assert here("backup", log, damaged).code == 0
    with sqlite3.connect(damaged) as connection:
        connection.execute("DROP TRIGGER commits_are_not_changed")
        connection.execute(
            "UPDATE commits SET events = replace(events, '\"till\"', '\"tilt\"') WHERE first_position = 2"
        )
    connection.close()
    outcome = here("verify", damaged)
    refused(outcome, 1, "is damaged")
    assert outcome.lines[0].startswith("position 2: ")
    found = here("verify", damaged, "--json")
    assert found.code == 1
    assert found.json["is_sound"] is False
    assert found.json["findings"][0]["position"] == 2


def test_unknown_types_are_no_damage(strange: Path) -> None:
    outcome = here("verify", strange)
    assert outcome.code == 0
    assert "type not registered here, which is not damage: CliTestThing" in outcome.lines


def test_stats_count_events_by_type_and_stream(log: Path) -> None:
    found = here("stats", log, "--json").json
    assert found["events"] == head_of(log) + 1 == sum(found["events_by_type"].values())
    assert found["events_by_type"]["MessageProduced"] == 12
    assert found["events_by_type"]["MessageConsumed"] == 8
    assert found["events_by_stream_type"]["topic"] == 13
    assert sum(stream["events"] for stream in found["biggest_streams"]) == found["events"]
    assert found["file_bytes"] == log.stat().st_size
    assert ["MessageProduced", "12"] in [line.split() for line in here("stats", log).lines]


def test_a_backup_is_the_same_log_and_overwrites_nothing(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with ActorSystem.open(log):
        outcome = odradek("backup", log, copy)
    assert outcome.code == 0
    assert here("verify", copy, "--json").json["digest"] == here("verify", log, "--json").json["digest"]
    refused(here("backup", log, copy), 5, "already exists")
    refused(here("backup", log, tmp_path / "no" / "copy.db"), 5, "directory does not exist")


def test_an_empty_log_is_a_log(tmp_path: Path) -> None:
    SqliteLog(tmp_path / "empty.db").close()
    for command in ("log", "state", "verify", "stats"):
        outcome = here(command, tmp_path / "empty.db", "--json")
        assert outcome.code == 0
        assert outcome.complaint == ""
        assert command == "log" or isinstance(json.loads(outcome.output), dict)


# -- what is not a log -------------------------------------------------------------------------------------------------

COMMANDS: list[list[str]] = [
    ["log"],
    ["state"],
    ["diff", "0", "1"],
    ["verify"],
    ["stats"],
    ["backup", "copy.db"],
    ["consume", "orders"],
    ["consume", "orders", "--group", "g"],
    ["produce", "orders"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_no_log_is_said_to_be_none_and_left_alone(tmp_path: Path, command: list[str]) -> None:
    name, *rest = command
    text, foreign, newer = tmp_path / "notes.txt", tmp_path / "foreign.db", tmp_path / "newer.db"
    text.write_text("not a log\n" * 100)
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    SqliteLog(newer).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = {path: path.read_bytes() for path in (text, foreign, newer)}
    refused(here(name, text, *rest), 3, "is not an Odradek log")
    refused(here(name, foreign, *rest), 3, "another program's database")
    refused(here(name, newer, *rest), 3, "format 99", "upgrade")
    refused(here(name, tmp_path, *rest), 3, "it is a directory")
    refused(here(name, ":memory:", *rest), 2, "in memory")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("command", [command for command in COMMANDS if command[0] != "produce"], ids=" ".join)
def test_a_log_that_is_not_there_is_said_to_be_missing(tmp_path: Path, command: list[str]) -> None:
    name, *rest = command
    refused(here(name, tmp_path / "no.db", *rest), 3, "there is no log at")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--type", "Nope"], "the log has no event of type 'Nope'; 'odradek stats LOG' lists"),
        (["--tag", "topic:nope", "--type", "TopicCreated"], "the log has no event with tag 'topic:nope'; "),
        (["--stream", "topic/nope"], "the log has no stream 'topic/nope'; "),
        (["--type", "Nope", "--type", "Neither"], "no event of type 'Nope', and no event of type 'Neither'; "),
    ],
)
def test_where_nothing_is_printed_what_is_nowhere_in_the_log_is_named(
    log: Path, options: list[str], words: str
) -> None:
    outcome = here("log", log, *options)
    assert (outcome.code, outcome.output) == (0, b"")
    assert words in outcome.complaint
    assert outcome.complaint.count("\n") == 1


def test_nothing_in_the_part_asked_for_needs_no_explanation(log: Path) -> None:
    assert here("log", log, "--type", "TopicCreated", "--after", "head").complaint == ""
    assert here("log", log, "--type", "MessageProduced", "--type", "Nope", "--limit", 1).complaint == ""


def test_verify_says_how_many_events_it_could_not_count(log: Path, tmp_path: Path) -> None:
    damaged = damaged_at(log, tmp_path / "damaged.db", 2)
    whole, outcome = here("verify", log, "--json").json, here("verify", damaged)
    found = here("verify", damaged, "--json").json
    assert whole["unread_events"] == 0
    assert found["events"] + found["unread_events"] == whole["events"]
    said = f", and {format_count(found['unread_events'], 'event')} that cannot be read"
    assert any(line.endswith(said) for line in outcome.lines)


@pytest.mark.parametrize("command", [["log"], ["log", "--json"], ["state"], ["stats"]])
def test_a_damaged_commit_ends_a_command_with_the_exit_code_of_verify(
    log: Path, tmp_path: Path, command: list[str]
) -> None:
    damaged = damaged_at(log, tmp_path / "damaged.db", 2)
    outcome = here(command[0], damaged, *command[1:])
    refused(outcome, here("verify", damaged).code, "the commit at position 2 is damaged: its digest does not continue")
    shown = here(command[0], log, *command[1:])
    if command[0] == "log":
        assert outcome.lines == shown.lines[: len(outcome.lines)]
        assert len(outcome.lines) < len(shown.lines)


# -- salvage ----------------------------------------------------------------------------------------------------------


def damaged_at(log: Path, path: Path, position: int) -> Path:
    """Copy a log and damage the commit at a position."""
    assert here("backup", log, path).code == 0
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER commits_are_not_changed")
        connection.execute("UPDATE commits SET events = '[]' WHERE first_position = ?", (position,))
    connection.close()
    return path


def test_salvage_copies_a_sound_log_whole(log: Path, tmp_path: Path) -> None:
    outcome = here("salvage", log, tmp_path / "new.db")
    assert outcome.code == 0
    noted = here("verify", log, "--json").json["position_and_digest"]
    assert outcome.lines == [outcome.lines[0]]
    assert outcome.lines[0].endswith(f"head {noted}")
    assert here("verify", tmp_path / "new.db", "--head", noted).code == 0
    assert SystemState.replay(SqliteLog(log, read_only=True)).digest() == (
        SystemState.replay(SqliteLog(tmp_path / "new.db", read_only=True)).digest()
    )


def test_salvage_says_what_it_left_out_and_why(log: Path, tmp_path: Path) -> None:
    damaged = damaged_at(log, tmp_path / "damaged.db", 2)
    outcome = here("salvage", damaged, tmp_path / "new.db")
    refused(outcome, 1, "is damaged at position 2", "does not continue the chain", "ends before it")
    last = head_of(log)
    assert outcome.lines[0].startswith("Copied 2 events in 2 commits")
    said = f"also damaged in {damaged}, and repaired in the copy"
    assert outcome.lines[1] == f"{said}: the trigger commits_are_not_changed is missing or was changed"
    assert outcome.lines[2].startswith(f"left out: {last - 1} events, positions 2 to {last}; ")
    assert here("verify", tmp_path / "new.db").code == 0
    found = here("salvage", damaged, tmp_path / "again.db", "--json")
    assert found.code == 1
    assert (found.json["head"], found.json["is_whole"], found.json["left_out_events"]) == (1, False, last - 1)
    refused(here("salvage", damaged, tmp_path / "new.db"), 5, "already exists")


def test_a_file_that_no_command_opens_is_salvaged_as_far_as_it_goes(log: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.db"
    assert here("backup", log, cut).code == 0
    cut.write_bytes(cut.read_bytes()[: -2 * 4096])
    refused(here("verify", cut), 1, "is damaged", "odradek salvage")
    outcome = here("salvage", cut, tmp_path / "new.db")
    assert "its index cannot be read" in outcome.text
    assert here("verify", tmp_path / "new.db").code == 0


def test_how_much_of_a_file_cut_short_is_gone_is_not_claimed_to_be_known(tmp_path: Path) -> None:
    cut = tmp_path / "cut.db"
    many = tmp_path / "many.db"
    with SqliteLog(many, durability="off") as opened:
        for number in range(200):
            append(opened, "topic/orders", produced(number, value=b"x" * 500), when=number)
    cut.write_bytes(many.read_bytes()[: many.stat().st_size // 2])
    outcome = here("salvage", cut, tmp_path / "new.db")
    refused(outcome, 1, "cut.db is damaged at position")
    assert outcome.lines[-1].startswith("left out: at least ")
    assert outcome.lines[-1].endswith("; what followed is unknown")
    assert here("salvage", cut, tmp_path / "again.db", "--json").json["is_end_known"] is False


@pytest.mark.parametrize("length", [64, 4096])
def test_a_log_whose_first_page_is_damaged_is_told_from_another_file_and_salvaged(
    log: Path, tmp_path: Path, length: int
) -> None:
    damaged = tmp_path / "damaged.db"
    assert here("backup", log, damaged).code == 0
    damaged.write_bytes(b"\x55" * length + damaged.read_bytes()[length:])
    said = refused(here("verify", damaged), 1, f"{damaged} is damaged", "first page", "odradek salvage", "backup")
    assert "odradek verify" not in said
    refused(here("log", damaged), 1, "damaged", "odradek verify")
    outcome = here("salvage", damaged, tmp_path / "new.db")
    assert outcome.code == 0
    assert "repaired in the copy: its first page cannot be read" in outcome.lines[1]
    assert (
        here("verify", tmp_path / "new.db", "--head", here("verify", log, "--json").json["position_and_digest"]).code
        == 0
    )


def test_what_is_no_log_is_told_alike_by_verify_and_salvage(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("text", b"a longer text\n" * 3000)):
        file = tmp_path / name
        file.write_bytes(content)
        assert refused(here("verify", file), 3) == refused(here("salvage", file, tmp_path / "new.db"), 3)


def test_of_a_log_without_a_sound_commit_no_copy_is_made(log: Path, tmp_path: Path) -> None:
    damaged = damaged_at(log, tmp_path / "damaged.db", 0)
    refused(here("salvage", damaged, tmp_path / "new.db"), 1, "no commit of", "restore a backup")
    assert not (tmp_path / "new.db").exists()
