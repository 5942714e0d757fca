"""`odradek simulate`: it runs, it is repeatable, and it says so when something does not hold."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.cli import here, odradek, produced, refused, running, wait_for

from odradek import ActorSystem, open_log
from odradek.cli.commands.simulate.threads import show
from odradek.cli.exit_codes import CommandError
from odradek.simulation import Invariant, Workload, run_workload
from odradek_events.snapshots.sqlite import open_snapshots

SMALL = ["--messages", "600", "--batch", "20", "--keys", "30"]


def sent(log: Path, seed: int) -> dict[int, list[tuple[Any, Any]]]:
    """Run a simulation and return what each producer sent to each topic, in its order."""
    assert here("simulate", *SMALL, "--log", log, "--overwrite", "--seed", seed).code == 0
    messages: dict[int, list[tuple[Any, Any]]] = {}
    for topic in ("topic-1", "topic-2"):
        for item in here("consume", log, topic, "--format", "json").json_lines:
            producer, number = map(int, item["value"].split(" ")[:2])
            messages.setdefault(producer, []).append((number, (topic, item["key"], item["value"])))
    return {producer: sorted(entries) for producer, entries in messages.items()}


def test_a_run_without_faults_holds_and_shows_its_tables() -> None:
    outcome = here("simulate", *SMALL)
    assert outcome.code == 0
    assert outcome.complaint == ""
    for title in ("Throughput", "Latency (ms)", "Partitions, and how many", "Events", "Verdict"):
        assert title in outcome.text
    assert outcome.text.count(" yes") == 7
    assert "\x1b" not in outcome.text


def test_its_log_is_sound_and_holds_what_the_report_says(tmp_path: Path) -> None:
    log = tmp_path / "run.db"
    report = here("simulate", *SMALL, "--log", log, "--durability", "off", "--json").json
    assert all(invariant["holds"] for invariant in report["invariants"])
    assert report["produced"]["messages"] == 600
    assert report["consumed"]["messages"] == 1800
    assert report["events_by_type"]["MessageProduced"] == 600
    assert report["events_by_type"]["MessageConsumed"] == 1800
    assert report["send_latency"]["p50_ms"] <= report["send_latency"]["p99_ms"] <= report["send_latency"]["max_ms"]
    assert sum(part["high_watermark"] for part in report["partitions"]) == 600
    assert all(lag == 0 for part in report["partitions"] for lag in part["lag"].values() if lag is not None)
    assert here("verify", log).code == 0
    assert here("stats", log, "--json").json["events_by_type"]["MessageProduced"] == 600


def test_the_same_seed_sends_the_same_messages_and_another_seed_others(tmp_path: Path) -> None:
    first = sent(tmp_path / "run.db", 7)
    assert sent(tmp_path / "run.db", 7) == first
    assert sent(tmp_path / "run.db", 8) != first
    assert {producer: len(entries) for producer, entries in first.items()} == {1: 150, 2: 150, 3: 150, 4: 150}


def test_members_share_what_a_group_reads_and_the_rest_read_alone(tmp_path: Path) -> None:
    log = tmp_path / "run.db"
    options = ["--producers", "3", "--consumers", "3", "--groups", "1", "--topics", "1", "--partitions", "2"]
    assert here("simulate", *SMALL, *options, "--log", log).code == 0
    state = here("state", log, "--json").json["aggregates"]
    assert {name for name in state if name.startswith("group/")} == {"group/group-1"}
    members = {name: found["group_id"] for name, found in state.items() if name.startswith("consumer/")}
    assert members == {
        "consumer/consumer-2": None,
        "consumer/consumer-3": None,
        "consumer/group-1-member-1": "group-1",
        "consumer/group-1-member-2": "group-1",
    }
    assert len(state["topic/topic-1"]["partitions"]) == 2


def test_members_that_leave_stall_and_die_are_replaced_and_everything_is_read() -> None:
    options = ["--messages", "12000", "--batch", "5", "--members", "3", "--churn", "3", "--groups", "1"]
    report = here("simulate", *options, "--consumers", "1", "--json").json
    assert all(invariant["holds"] for invariant in report["invariants"])
    (group,) = report["groups"]
    assert group["joined"] >= 3 + 2  # the one that stalled comes back, or another comes for it
    assert group["dismissed"] >= 1
    assert group["generations"] > 3
    assert report["consumed"]["messages"] == 12000


@pytest.mark.parametrize("json", [True, False])
def test_a_verdict_that_does_not_hold_is_printed_and_fails_the_command(
    json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    good = run_workload(Workload(messages=10, consumers=0, groups=0))
    report = msgspec.structs.replace(good, invariants=(Invariant("live == replay", False, "topic/t differs"),))
    with pytest.raises(CommandError, match=r"^'live == replay' does not hold \(topic/t differs\)$") as failed:
        show(report, json=json)
    assert failed.value.code == 1
    printed = capsys.readouterr().out
    assert ('"holds":false,"problem":"topic/t differs"' if json else "NO: topic/t differs") in printed


@pytest.mark.parametrize("options", [["--messages", "0"], ["--consumers", "0"], ["--messages", "2", "--batch", "1"]])
def test_small_runs_hold_too(options: list[str]) -> None:
    assert here("simulate", *SMALL, *options, "--json").code == 0


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--groups", "5"], "5 groups are more than the 3 readers"),
        (["--partitions", "0"], "--partitions"),
        (["--partitions", "-3"], "--partitions"),
        (["--topics", "0"], "--topics"),
        (["--producers", "0"], "--producers"),
        (["--message-size", "3"], "--message-size"),
        (["--key-skew", "-1"], "--key-skew"),
        (["--messages", "-1"], "--messages"),
    ],
)
def test_impossible_numbers_are_refused(options: list[str], word: str) -> None:
    refused(here("simulate", *options), 2, word)


def test_only_a_log_that_nobody_writes_is_replaced_and_only_when_asked(tmp_path: Path) -> None:
    log, notes = tmp_path / "run.db", tmp_path / "notes.txt"
    produced(log, "orders", b"mine\n")
    refused(here("simulate", "--log", log), 2, "exists already", "--overwrite")
    with ActorSystem.open(log):
        refused(odradek("simulate", "--log", log, "--overwrite"), 4, "open for writing by process")
    assert here("consume", log, "orders").output == b"mine\n"
    notes.write_text("mine")
    refused(here("simulate", "--log", notes, "--overwrite"), 3, "not an Odradek log")
    assert notes.read_text() == "mine"
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    refused(here("simulate", "--log", tmp_path / "other.db", "--overwrite"), 3, "another program's database")
    refused(here("simulate", "--log", tmp_path / "no" / "run.db"), 5, "directory does not exist")
    assert "topic/orders" in snapshotted(log)
    assert here("simulate", *SMALL, "--log", log, "--overwrite").code == 0
    refused(here("consume", log, "orders"), 6, "there is no topic")
    assert "topic/orders" not in snapshotted(log)


def snapshotted(path: Path) -> set[str]:
    """Return the streams that have snapshots beside a log."""
    with open_log(path, read_only=True) as log, closing(open_snapshots(log)) as snapshots:
        return {mark.end.stream for mark in snapshots.scan()}


def test_an_interrupted_run_closes_in_order_and_says_what_was_done(tmp_path: Path) -> None:
    log = tmp_path / "run.db"
    with running("simulate", "--messages", 100000000, "--durability", "off", "--log", log) as process:
        wait_for(lambda: _size(log) + _size(Path(f"{log}-wal")) > 1_000_000, process)
        process.send_signal(signal.SIGINT)
        output, complaint = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, b"")
    assert b"messages were produced and " in complaint
    assert complaint.endswith(b"consumed, and everything was closed in order\n")
    assert not os.path.exists(f"{log}-wal")
    assert here("verify", log).code == 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
