"""`odradek boundaries observe`: what a log shows, as tables, as a graph, as JSON and for process mining."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from support.cli import here, odradek, refused
from support.observed import OrderPlaced, Recorder, shop
from support.ocel import problems_of

from odradek import SqliteLog
from odradek.cli.exit_codes import ExitCode

OBSERVE = ("boundaries", "observe")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("observe") / "shop.db"
    with SqliteLog(path, durability="off") as opened:
        shop(opened)
    return path


def test_it_prints_what_the_log_shows_apart_from_guesses(log: Path) -> None:
    outcome = here(*OBSERVE, log)

    assert outcome.code == ExitCode.OK
    assert outcome.lines[0] == "12 events in 12 decisions of 12 commits; 4 conversations, by correlation id"
    facts, _, guesses = outcome.text.partition(
        "\nGuesses, since a log has what decisions wrote, and not what they read:\n"
    )
    assert "What the log shows:" in facts
    (pattern,) = (line for line in facts.splitlines() if line.startswith("order, payment, stock"))
    assert pattern.split()[3:] == ["4", "3.00", "3", "2.00", "2", "3.00", "3", "30.00", "30.00", "30.00"]
    *guessed, cannot_tell = guesses.splitlines()[1:]
    assert guessed
    assert all(guess.endswith("; then run the lab with your read-sets") for guess in guessed)
    assert cannot_tell.startswith("What a log cannot tell: conflict rates")


def test_json_keeps_facts_and_guesses_apart(log: Path) -> None:
    found = here(*OBSERVE, log, "--json").json

    assert found.keys() == {"sound", "guesses", "cannot_tell"}
    assert found["sound"]["conversations"] == 4
    assert {guess["guess"] for guess in found["guesses"]} == {"merge", "split"}
    assert all("then run the lab" in guess["text"] for guess in found["guesses"])


def test_mermaid_has_a_node_for_a_unit_and_an_arrow_for_its_hops(log: Path) -> None:
    lines = here(*OBSERVE, log, "--format", "mermaid", "--limit", "1").lines

    assert lines == [
        "flowchart LR",
        '    u0["stock/all<br/>4 conversations<br/>4 events"]',
        '    u1["other units of order<br/>4 conversations<br/>4 events"]',
        '    u2["other units of payment<br/>4 conversations<br/>4 events"]',
        "    u1 -->|4| u0",
        "    u1 -->|4| u2",
    ]


def test_names_of_units_do_not_break_the_graph(tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "odd.db", durability="off") as opened:
        Recorder(opened)('order/a"]; end', OrderPlaced(1), by="c")

    text = here(*OBSERVE, tmp_path / "odd.db", "--format", "mermaid").lines[1]
    assert text.startswith('    u0["order/a#34;#93;#59; #101;nd<br/>')


def test_units_may_be_the_values_of_tags(log: Path) -> None:
    found = here(*OBSERVE, log, "--by", "customer", "--by", "order", "--json").json["sound"]

    assert found["by"] == ["customer", "order"]
    assert [kind["kind"] for kind in found["kinds"]] == ["customer", "order"]


def test_a_tag_that_no_type_has_is_refused(log: Path) -> None:
    refused(here(*OBSERVE, log, "--by", "castomer"), ExitCode.USAGE, "has a tag 'castomer:...'; use one of", "customer")


def test_a_type_that_the_log_does_not_have_is_named(log: Path) -> None:
    outcome = here(*OBSERVE, log, "--types", "observed.OrderPlaced", "--types", "observed.OrderPlased")

    assert outcome.lines[0].startswith("4 events in 4 decisions")
    assert outcome.complaint == (
        "the log has no event of type 'observed.OrderPlased'; 'odradek stats LOG' lists its types\n"
    )


def test_ocel_goes_to_stdout(log: Path) -> None:
    outcome = here(*OBSERVE, log, "--format", "ocel")

    assert problems_of(outcome.json) == []
    assert outcome.complaint == "wrote 12 events and 22 objects to stdout\n"


def test_ocel_goes_to_a_file_that_is_not_replaced_by_accident(log: Path, tmp_path: Path) -> None:
    target = tmp_path / "shop.json"
    assert here(*OBSERVE, log, "--format", "ocel", "-o", target).code == ExitCode.OK
    whole = target.read_bytes()

    again = here(*OBSERVE, log, "--format", "ocel", "-o", target, "--types", "observed.OrderPlaced")
    refused(again, ExitCode.USAGE, "exists already; use --overwrite to replace it")
    assert target.read_bytes() == whole

    options = "--types", "observed.OrderPlaced", "--overwrite"
    assert here(*OBSERVE, log, "--format", "ocel", "-o", target, *options).code == ExitCode.OK
    assert len(json.loads(target.read_bytes())["events"]) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["shop.json"]


def test_ocel_never_replaces_the_log(log: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(log)

    refused(here(*OBSERVE, log, "--format", "ocel", "-o", link, "--overwrite"), ExitCode.USAGE, "is the log itself")


def test_ocel_into_a_missing_folder_is_refused(log: Path, tmp_path: Path) -> None:
    outcome = here(*OBSERVE, log, "--format", "ocel", "-o", tmp_path / "none" / "shop.json")
    refused(outcome, ExitCode.UNWRITABLE, "its directory does not exist")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--output", "x.json"), "only with --format ocel"),
        (("--overwrite",), "only with --format ocel"),
        (("--format", "mermaid", "--json"), "cannot be combined with --format mermaid"),
        (("--format", "ocel", "--json"), "cannot be combined with --format ocel"),
        (("--format", "ocel", "--by", "order"), "which has both streams and tags"),
        (("--limit", "0"), "0 is not in the range"),
    ],
    ids=" ".join,
)
def test_options_that_contradict_each_other_are_refused(log: Path, options: tuple[str, ...], words: str) -> None:
    refused(here(*OBSERVE, log, *options), ExitCode.USAGE, words)


def test_an_empty_log_has_nothing_to_show(tmp_path: Path) -> None:
    SqliteLog(tmp_path / "empty.db").close()
    outcome = here(*OBSERVE, tmp_path / "empty.db")

    assert outcome.code == ExitCode.OK
    assert outcome.lines == ["0 events in 0 decisions of 0 commits; 0 conversations, by correlation id"]
    assert here(*OBSERVE, tmp_path / "empty.db", "--format", "mermaid").lines == ["flowchart LR"]
    assert here(*OBSERVE, tmp_path / "empty.db", "--format", "ocel").json["events"] == []


def test_a_log_without_correlation_ids_says_that_conversations_are_unknown(tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "plain.db", durability="off") as opened:
        Recorder(opened)("order/1", OrderPlaced(1))
    outcome = here(*OBSERVE, tmp_path / "plain.db")

    assert "1 decision without a correlation id: the conversation is unknown" in outcome.lines
    assert "- nothing to merge or to split stands out" in outcome.lines


@pytest.mark.parametrize("options", [(), ("--format", "ocel")], ids=["table", "ocel"])
def test_a_damaged_log_is_reported_and_leaves_no_file(log: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    damaged = tmp_path / "damaged.db"
    assert here("backup", log, damaged).code == ExitCode.OK
    with closing(sqlite3.connect(damaged)) as connection, connection:
        connection.execute("DROP TRIGGER commits_are_not_changed")
        connection.execute("UPDATE commits SET events = '[]' WHERE first_position = 5")
    target = ("-o", tmp_path / "damaged.json") if options else ()

    refused(here(*OBSERVE, damaged, *options, *target), ExitCode.BROKEN, "the commit at position 5 is damaged")
    assert not [path for path in tmp_path.iterdir() if "json" in path.name]


def test_types_of_the_user_are_known_with_module(log: Path, tmp_path: Path) -> None:
    (tmp_path / "shop_models.py").write_text(
        "import msgspec\nfrom odradek import event\n\n"
        '@event("observed.OrderPlaced", tags=("order:{order}", "customer:{customer}"))\n'
        "class OrderPlaced(msgspec.Struct, frozen=True):\n    order: int\n    customer: str\n"
    )
    without = odradek(*OBSERVE, log, place=tmp_path)
    assert "12 events of types that are not registered here: the tags are unknown; --module imports your types" in (
        without.lines
    )
    found = odradek("--module", "shop_models", *OBSERVE, log, "--by", "customer", "--json", place=tmp_path).json[
        "sound"
    ]
    assert found["unreadable"] == 8
    assert {"customer", "unreadable"} == {kind["kind"] for kind in found["kinds"]}


def test_the_log_of_a_simulation_is_observed_as_a_whole(tmp_path: Path) -> None:
    run = tmp_path / "run.db"
    assert here("simulate", "--runtime", "seeded", "--log", run, "--seed", "3").code == ExitCode.OK
    found = here(*OBSERVE, run, "--json").json["sound"]

    assert found["events"] == here("stats", run, "--json").json["events"]
    assert found["unreadable"] == 0
    assert ["consumer", "group"] in [pattern["kinds"] for pattern in found["patterns"]]
    assert problems_of(here(*OBSERVE, run, "--format", "ocel").json) == []


def test_the_help_of_the_command_imports_no_lab() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "odradek", *OBSERVE, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "odradek_boundaries" not in done.stderr
    assert "rich" not in done.stderr
