"""`odradek produce`: every line a message, byte for byte, and a clear word about what is stored."""

from __future__ import annotations

import io
import os
import resource
import signal
from pathlib import Path

import pytest
from support.cli import here, odradek, produced, refused, running, wait_for

from odradek import ActorSystem, LogError, SqliteLog, SystemState, open_log
from odradek.cli.commands.produce import send_lines
from odradek.cli.exit_codes import CommandError, ExitCode

MEBIBYTE = 1 << 20


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


def values(log: Path, topic: str = "orders") -> list[bytes]:
    return here("consume", log, topic).output.split(b"\n")[:-1]


def test_every_line_of_stdin_is_a_message(log: Path) -> None:
    outcome = here("produce", log, "orders", stdin=b"one\ntwo\nthree\n")
    assert outcome.code == 0
    assert outcome.complaint == ""
    assert outcome.lines == [
        f"Stored 3 messages in orders of {log}.",
        "  partition 0: 3 messages, offsets 0 to 2, positions 2 to 4",
    ]
    assert values(log) == [b"one", b"two", b"three"]


def test_a_file_is_read_like_stdin_and_a_dash_is_stdin(log: Path, tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"one\ntwo")
    assert here("produce", log, "orders", tmp_path / "lines", "--json").json["stored"] == 2
    assert here("produce", log, "orders", "-", "--json", stdin=b"three").json["stored"] == 1
    assert values(log) == [b"one", b"two", b"three"]


def test_bytes_stay_as_they_are(log: Path) -> None:
    lines = [b"", b"\r", b"\x00\xff\xfe", b"caf\xc3\xa9", "漢字 🧵".encode(), b"  spaces  ", b"tab\t", b""]
    produced(log, "orders", b"\n".join(lines) + b"\n")
    assert values(log) == lines


def test_nothing_to_read_stores_nothing(log: Path) -> None:
    outcome = here("produce", log, "orders", "--partitions", 2, "--json")
    assert outcome.json == {"log": str(log), "topic": "orders", "stored": 0, "partitions": []}
    assert here("consume", log, "orders").output == b""


def test_keys_end_at_the_first_separator_and_decide_the_partition(log: Path) -> None:
    produced(log, "orders", b"alice:1:tea\nbob:2\nalone\n:empty\nalice:3\n", "--key-separator", ":", "--partitions", 4)
    messages = here("consume", log, "orders", "--format", "json").json_lines
    by_value = {message["value"]: (message["key"], message["partition"]) for message in messages}
    assert {value: key for value, (key, _) in by_value.items()} == {
        "1:tea": "alice",
        "2": "bob",
        "alone": None,
        "empty": "",
        "3": "alice",
    }
    assert by_value["1:tea"] == by_value["3"]


def test_a_topic_keeps_its_partitions(log: Path) -> None:
    produced(log, "orders", b"one\n", "--partitions", 3)
    again = here("produce", log, "orders", "--partitions", 5, stdin=b"two\n")
    assert again.complaint == "odradek: topic 'orders' already exists with 3 partitions; --partitions is ignored\n"
    assert here("produce", log, "orders", "--partitions", 3, stdin=b"").complaint == ""
    with open_log(log, read_only=True) as opened:
        assert SystemState.replay(opened).topics["orders"].partition_count == 3


def test_the_summary_says_where_everything_is(log: Path) -> None:
    lines = b"".join(b"%d:%d\n" % (number % 7, number) for number in range(1000))
    outcome = here("produce", log, "orders", "--partitions", 3, "--key-separator", ":", "--json", stdin=lines)
    partitions = outcome.json["partitions"]
    assert outcome.json["stored"] == 1000 == sum(part["messages"] for part in partitions)
    assert all(part["last_offset"] - part["first_offset"] + 1 == part["messages"] for part in partitions)
    with open_log(log, read_only=True) as opened:
        events = {recorded.position: recorded.event for recorded in opened.read(types=["MessageProduced"])}
    for part in partitions:
        for end in ("first", "last"):
            event = events[part[f"{end}_position"]]
            assert (event.partition, event.offset) == (part["partition"], part[f"{end}_offset"])


def test_a_client_id_goes_on_where_it_stopped(log: Path) -> None:
    produced(log, "orders", b"one\ntwo\n", "--client-id", "till")
    produced(log, "orders", b"three\n", "--client-id", "till")
    with open_log(log, read_only=True) as opened:
        assert SystemState.replay(opened).producers["till"].message_count == 3


def test_a_line_above_the_limit_is_named_and_what_came_before_is_stored(log: Path) -> None:
    lines = b"one\n" + b"x" * MEBIBYTE + b"\n" + b"y" * (MEBIBYTE + 1) + b"\nfour\n"
    outcome = here("produce", log, "orders", stdin=lines)
    refused(outcome, 2, "line 3", f"limit of {MEBIBYTE} bytes", "2 lines are durable")
    assert [len(value) for value in values(log)] == [3, MEBIBYTE]


def test_a_key_counts_and_its_separator_does_not(log: Path) -> None:
    fits = b"key::" + b"x" * (MEBIBYTE - 3)
    assert here("produce", log, "orders", "--key-separator", "::", stdin=fits).code == 0
    refused(here("produce", log, "orders", "--key-separator", "::", stdin=fits + b"x"), 2, "line 1", "0 lines")


@pytest.mark.parametrize("topic", ["", ".", "..", "a/b", "a b", "ä", "x" * 250, "a\nb"])
def test_an_illegal_topic_name_is_refused_and_makes_no_log(log: Path, topic: str) -> None:
    refused(here("produce", log, topic, stdin=b"x\n"), 2, "is not a topic name")
    assert not log.exists()


@pytest.mark.parametrize("partitions", ["0", "-1", "10001", "many"])
def test_an_impossible_number_of_partitions_is_refused(log: Path, partitions: str) -> None:
    refused(here("produce", log, "orders", "--partitions", partitions, stdin=b"x\n"), 2, "--partitions")
    assert not log.exists()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--key-separator", ""], "--key-separator"),
        (["--client-id", ""], "--client-id"),
        (["--batch", "0"], "--batch"),
        (["--durability", "maybe"], "--durability"),
    ],
)
def test_a_bad_option_is_named(log: Path, options: list[str], word: str) -> None:
    refused(here("produce", log, "orders", *options, stdin=b"x\n"), 2, word)
    assert not log.exists()


def test_a_file_that_is_not_there_makes_no_log(log: Path, tmp_path: Path) -> None:
    refused(here("produce", log, "orders", tmp_path / "nothing"), 3, "nothing cannot be read", "No such file")
    refused(here("produce", log, "orders", tmp_path), 3, "cannot be read", "directory")
    assert not log.exists()


def test_a_log_that_another_process_writes_is_refused(log: Path) -> None:
    with ActorSystem.open(log):
        refused(odradek("produce", log, "orders", stdin=b"x\n"), 4, f"process {os.getpid()}")


def test_without_room_for_a_log_there_is_one_sentence(log: Path) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    refused(odradek("produce", log, "orders", stdin=b"x\n" * 10, before=no_room), 5, str(log))


def test_a_full_disk_ends_with_the_number_of_durable_lines(log: Path) -> None:
    lines = io.BytesIO(b"".join(b"%06d %s\n" % (number, b"x" * 92) for number in range(20_000)))
    with SqliteLog(log) as opened:
        assert opened._writer is not None
        opened._writer.execute("PRAGMA max_page_count = 100")
        with ActorSystem.open(opened) as system:
            producer = system.producer()
            with pytest.raises(CommandError) as failure:
                send_lines(producer, "orders", lines, batch=100)
    assert failure.value.code is ExitCode.UNWRITABLE
    stored = len(values(log))
    assert 0 < stored < 20_000
    assert "no space left" in str(failure.value)
    assert f"{stored} lines are durable, and line " in str(failure.value)


def test_an_interrupted_command_says_how_many_lines_are_durable(log: Path) -> None:
    with running("produce", log, "orders", "--batch", 10) as process:
        assert process.stdin is not None
        process.stdin.write(b"line\n" * 2005)
        process.stdin.flush()
        wait_for(lambda: is_readable(log), process)
        with SqliteLog(log, read_only=True) as reader:
            reader.wait_for(2000, timeout=60)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    stored = len(values(log))
    assert complaint.decode() == f"odradek: interrupted; {stored} lines are durable\n"


def is_readable(log: Path) -> bool:
    """Say whether a log is there, and no longer about to be made."""
    try:
        SqliteLog(log, read_only=True).close()
    except LogError:
        return False
    return True
