"""`odradek consume`: without a group it only looks, with one it takes part."""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support.cli import COMMAND, here, odradek, produced, refused, running
from support.disk import tampering

from odradek import ActorSystem, SqliteLog


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten messages, 0 to 9, in one partition."""
    path = tmp_path_factory.mktemp("consume") / "orders.db"
    return produced(path, "orders", b"".join(b"%d\n" % number for number in range(10)))


@pytest.fixture
def log(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(written, tmp_path))


@pytest.fixture
def spread(tmp_path: Path) -> Path:
    """Sixty messages with keys in three partitions, ten, twenty and thirty."""
    with ActorSystem.open(tmp_path / "spread.db") as system:
        system.create_topic("orders", 3)
        with system.producer() as producer:
            for partition in range(3):
                entries = [(b"k", b"%d-%d" % (partition, offset)) for offset in range(10 * (partition + 1))]
                producer.send_batch("orders", entries, partition=partition).result()
    return tmp_path / "spread.db"


def head_of(log: Path) -> int:
    with SqliteLog(log, read_only=True) as opened:
        return opened.head().position


def numbers(*wanted: int) -> bytes:
    return b"".join(b"%d\n" % number for number in wanted)


# -- without a group --------------------------------------------------------------------------------------------------


def test_looking_prints_values_and_leaves_no_trace(log: Path) -> None:
    before = head_of(log)
    assert here("consume", log, "orders").output == numbers(*range(10))
    assert here("consume", log, "orders").output == numbers(*range(10))
    assert head_of(log) == before


def test_looking_works_while_another_process_writes(log: Path) -> None:
    with ActorSystem.open(log) as system, system.producer() as producer:
        producer.send("orders", b"new").result()
        assert odradek("consume", log, "orders").output == numbers(*range(10)) + b"new\n"


def test_it_begins_and_ends_where_it_is_told(log: Path) -> None:
    assert here("consume", log, "orders", "--from", 7).output == numbers(7, 8, 9)
    assert here("consume", log, "orders", "--from", 7, "--max", 2).output == numbers(7, 8)
    assert here("consume", log, "orders", "--from", "latest").output == b""
    assert here("consume", log, "orders", "--from", 10).output == b""
    assert here("consume", log, "orders", "--max", 1).output == numbers(0)


def test_an_offset_counts_in_every_partition_that_has_it(spread: Path) -> None:
    printed = here("consume", spread, "orders", "--from", 18, "--format", "%p/%o").lines
    assert printed == ["1/18", "1/19", *(f"2/{offset}" for offset in range(18, 30))]


def test_deleted_records_and_earlier_incarnations_are_not_there(log: Path) -> None:
    with ActorSystem.open(log) as system:
        system.delete_records("orders", 0, 6)
    assert here("consume", log, "orders").output == numbers(6, 7, 8, 9)
    refused(here("consume", log, "orders", "--from", 3), 6, "offset 3 of orders/0 is out of range", "from 6 to 10")
    with ActorSystem.open(log) as system:
        system.delete_topic("orders")
    refused(here("consume", log, "orders"), 6, "there is no topic 'orders'")
    produced(log, "orders", b"again\n")
    assert here("consume", log, "orders").output == b"again\n"


def test_following_goes_on_until_it_has_enough(log: Path) -> None:
    with (
        ActorSystem.open(log) as system,
        system.producer() as producer,
        running("consume", log, "orders", "--from", 9, "--follow", "--max", 3) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"9\n"  # printed at once, not when the command ends
        producer.send("orders", b"10").result()
        assert process.stdout.readline() == b"10\n"
        producer.send_batch("orders", [b"11", b"12"]).result()
        assert process.stdout.read() == b"11\n"
        assert process.wait(timeout=30) == 0


def test_following_passes_over_a_deletion_to_the_next_incarnation(log: Path) -> None:
    with (
        ActorSystem.open(log) as system,
        system.producer() as producer,
        running("consume", log, "orders", "--from", 9, "--follow", "--max", 2) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"9\n"
        system.delete_topic("orders")
        system.create_topic("orders", 2)
        producer.send("orders", b"first again", partition=1).result()
        assert process.stdout.read() == b"first again\n"
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_says_how_many_it_printed(log: Path, number: signal.Signals) -> None:
    with running("consume", log, "orders", "--follow", "--from", 8) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"8\n"
        process.send_signal(number)
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert complaint == b"odradek: interrupted after 2 messages\n"


# -- with a group -----------------------------------------------------------------------------------------------------


def test_a_group_goes_on_where_it_stopped(log: Path) -> None:
    assert odradek("consume", log, "orders", "--group", "billing", "--max", 4).output == numbers(0, 1, 2, 3)
    assert here("consume", log, "orders", "--group", "billing").output == numbers(4, 5, 6, 7, 8, 9)
    assert here("consume", log, "orders", "--group", "billing").output == b""
    produced(log, "orders", b"10\n")
    assert here("consume", log, "orders", "--group", "billing", "--consumer-id", "other").output == numbers(10)


def test_groups_are_independent_and_each_gets_everything(spread: Path) -> None:
    for group in ("billing", "shipping"):
        printed = here("consume", spread, "orders", "--group", group, "--format", "%p/%o").lines
        assert sorted(printed) == sorted(f"{p}/{o}" for p in range(3) for o in range(10 * (p + 1)))


def test_a_group_begins_at_an_offset_when_told_and_goes_on_from_there(log: Path) -> None:
    assert here("consume", log, "orders", "--group", "billing").output == numbers(*range(10))
    assert here("consume", log, "orders", "--group", "billing", "--from", 8).output == numbers(8, 9)
    assert here("consume", log, "orders", "--group", "billing", "--from", "earliest").output == b""
    refused(here("consume", log, "orders", "--group", "billing", "--from", 11), 6, "offset 11")


def test_latest_counts_only_where_nothing_is_committed(log: Path) -> None:
    assert here("consume", log, "orders", "--group", "old", "--max", 4).output == numbers(0, 1, 2, 3)
    assert here("consume", log, "orders", "--group", "old", "--from", "latest", "--max", 1).output == numbers(4)
    assert here("consume", log, "orders", "--group", "new", "--from", "latest").output == b""


def test_what_could_not_be_printed_is_given_again(log: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        process = subprocess.run(
            [*COMMAND, "consume", str(log), "orders", "--group", "billing"], stdout=closed, stderr=subprocess.PIPE
        )
    assert (process.returncode, process.stderr) == (141, b"")
    assert here("consume", log, "orders", "--group", "billing").output == numbers(*range(10))


def test_a_group_needs_the_log_for_itself(log: Path) -> None:
    with ActorSystem.open(log):
        refused(odradek("consume", log, "orders", "--group", "billing"), 4, "open for writing by process")


# -- formats ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A message with everything, a tombstone, and one that is no text."""
    with ActorSystem.open(tmp_path / "odd.db") as system, system.producer() as producer:
        producer.send("odd", "1 tea ☕", key="alice", headers=[("trace", b"7"), ("lang", b"en")]).result()
        producer.send("odd", None, key=b"").result()
        producer.send("odd", b"\xff\x00", key=b"\xfe").result()
    return tmp_path / "odd.db"


def test_a_template_puts_fields_where_they_are_wanted(odd: Path) -> None:
    template = "%t/%p/%o\\t%k=%v [%h] 100%%\\\\"
    assert here("consume", odd, "odd", "--format", template).output.split(b"\n") == [
        "odd/0/0\talice=1 tea ☕ [trace=7,lang=en] 100%\\".encode(),
        b"odd/0/1\t= [] 100%\\",
        b"odd/0/2\t\xfe=\xff\x00 [] 100%\\",
        b"",
    ]


def test_json_tells_text_from_bytes_and_absent_from_empty(odd: Path) -> None:
    first, second, third = here("consume", odd, "odd", "--format", "json").json_lines
    assert (first["key"], first["value"], first["offset"]) == ("alice", "1 tea ☕", 0)
    assert first["headers"] == [{"name": "trace", "value": "7"}, {"name": "lang", "value": "en"}]
    assert (second["key"], second["value"]) == ("", None)
    assert base64.b64decode(third["value_base64"]) == b"\xff\x00"
    assert base64.b64decode(third["key_base64"]) == b"\xfe"
    assert "value" not in third
    assert first["timestamp"].endswith("Z")


@pytest.mark.parametrize("template", ["%z", "%", "a\\", "\\q"])
def test_an_unknown_placeholder_is_refused(odd: Path, template: str) -> None:
    refused(here("consume", odd, "odd", "--format", template), 2, "--format", "is not a placeholder")


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [(), ("--group", "g")])
def test_a_topic_that_is_not_there_is_no_reason_to_write(log: Path, group: tuple[str, ...]) -> None:
    before = head_of(log)
    refused(here("consume", log, "nothing", *group), 6, "there is no topic 'nothing'; 'odradek topics list LOG' lists")
    assert head_of(log) == before


@pytest.mark.parametrize("group", [(), ("--group", "g")])
def test_a_log_that_is_not_there_is_not_made(tmp_path: Path, group: tuple[str, ...]) -> None:
    refused(here("consume", tmp_path / "no.db", "orders", *group), 3, "there is no log at")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--from", "middle"], ["--from", "use earliest, latest, or an offset"]),
        (["--from", "-1"], ["--from"]),
        (["--from", "9" * 30], ["--from"]),
        (["--max", "0"], ["--max"]),
        (["--consumer-id", "me"], ["--consumer-id", "needs --group"]),
        (["--group", "g", "--follow"], ["--follow", "not with --group"]),
        (["--group", ""], ["--group"]),
        (["--group", "g", "--consumer-id", ""], ["--consumer-id"]),
        (["--from", "99"], []),
    ],
)
def test_a_bad_option_is_named(log: Path, options: list[str], words: list[str]) -> None:
    refused(here("consume", log, "orders", *options), 2 if words else 6, *words)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_a_reader_did_not_take_is_not_committed(tmp_path: Path, unbuffered: str) -> None:
    path = tmp_path / "log.db"
    with ActorSystem.open(path) as system, system.producer() as producer:
        producer.send_batch("orders", [b"%06d" % number + b"x" * 200 for number in range(3000)]).result()
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}

    with running("consume", path, "orders", "--group", "g", environment=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"000000")
        process.stdout.close()
        assert process.wait(timeout=30) == 141

    with ActorSystem.open(path) as system:
        assert system.committed_offsets("g") == ()


def test_a_closed_output_or_input_is_no_traceback(log: Path) -> None:
    for arguments in (["stats", str(log), ">&-"], ["produce", str(log), "orders", "<&-"]):
        quoted = " ".join([*map(shlex.quote, [*COMMAND, *arguments[:-1]]), arguments[-1]])
        ended = subprocess.run(["sh", "-c", quoted], capture_output=True, timeout=30)
        assert b"Traceback" not in ended.stderr
        assert ended.returncode == 0, ended.stderr


def test_commands_that_recover_from_a_damaged_commit_end_as_verify_does(tmp_path: Path) -> None:
    log = tmp_path / "damaged.db"
    with ActorSystem.open(log, snapshot_interval=0) as system, system.producer("till") as producer:
        system.create_topic("orders")
        for number in range(3):
            producer.send("orders", b"%d" % number).result()
    with tampering(log) as raw:
        raw.execute("UPDATE commits SET events = replace(events, '\"offset\":1', '\"offset\":7')")
    verified = here("verify", log)
    reading = [["consume", log, "orders"], ["topics", "describe", log, "orders"]]
    for command in (*reading, ["topics", "add-partitions", log, "orders", "5"]):
        outcome = here(*command)
        assert (outcome.code, outcome.output) == (verified.code, b"")
        assert "is damaged: its digest does not continue the chain" in outcome.complaint
