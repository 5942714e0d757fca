"""`odradek boundaries`: explain, run, check and why, for models that are shipped and of one's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import here

from odradek import ActorSystem
from odradek.cli.exit_codes import ExitCode

OWN = """
import msgspec
from odradek import event
from odradek.boundaries import Boundary, Lab, Workload, facts

@event("cli.SeatTaken", tags=("seat:{seat}", "guest:{guest}"))
class SeatTaken(msgspec.Struct, frozen=True):
    seat: int
    guest: int

class Take(msgspec.Struct, frozen=True):
    seat: int
    guest: int

lab = Lab()

@lab.decides(Take, reads=lambda c: facts(SeatTaken, seat=c.seat))
def take(known, c):
    if known:
        raise ValueError("taken")
    return SeatTaken(c.seat, c.guest)

@lab.always(per="seat")
def a_seat_is_taken_once(known):
    return len(known) <= 1

@lab.draw
def draw_take(r):
    return Take(r.randrange(40), r.randrange(40))

boundaries = [Boundary("guest", by=("guest",), checks="unit"), Boundary("query", checks="facts")]
workload = Workload({draw_take: 1}, count=200, per_second=1000, service_ms=3)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_explain_prints_which_boundary_keeps_which_decision() -> None:
    outcome = here("boundaries", "explain")

    assert outcome.code == ExitCode.OK
    (row,) = (line for line in outcome.lines if line.startswith("Commit"))
    assert "kept: owner, topic " in row
    assert "NOT KEPT: owner, topic " in row


def test_explain_as_json_has_a_cell_for_every_boundary() -> None:
    found = here("boundaries", "explain", "bank", "--json").json

    assert found["boundaries"][0] == "the whole bank"
    assert [cell["is_kept"] for cell in found["rows"]["Transfer"]] == [True, True, True, False, True]


def test_run_prints_every_metric_with_best_and_worst(folder: Path) -> None:
    workload = "count = 60\nper_second = 900.0\n[model]\nnames = 5\n[mix]\nregister = 1\nclose = 1\n"
    (folder / "busy.toml").write_text(workload)
    outcome = here("boundaries", "run", "usernames", "--workload", "busy.toml", "--seeds", "2", "--jobs", "1")

    assert outcome.code == ExitCode.OK
    assert outcome.lines[0] == "usernames: mean of 2 seeds, with the range; * best, ! worst"
    (conflicts,) = (line for line in outcome.lines if line.startswith("conflict_share"))
    assert " !" in conflicts
    assert " *" in conflicts
    assert " to " in conflicts


def test_run_writes_a_report_that_why_explains(folder: Path) -> None:
    ran = here("boundaries", "run", "usernames", "--jobs", "1", "-o", "out/report", "--json")
    assert (ran.code, ran.complaint) == (ExitCode.OK, "wrote out/report/report.html\n")
    pictures = ["attempts.svg", "clients.svg", "conflicts.svg", "folds.svg", "loads.svg", "story-1.svg"]
    files = sorted(path.name for path in (folder / "out" / "report").iterdir())
    assert files == sorted([*pictures, "report.html", "report.json", "workload.toml"])
    assert [row["boundary"] for row in ran.json][1] == "account, one per transaction"

    again = here("boundaries", "run", "usernames", "--jobs", "1", "--workload", "out/report/workload.toml", "--json")
    assert again.json == ran.json

    told = here("boundaries", "why", "out/report", "--boundary", "account, one per transaction")
    assert told.lines[0].startswith("Under 'account, one per transaction' no_name_is_taken_twice was broken for name:n")
    assert "reads, and decides" in told.lines[2]
    assert "unaware of that" in told.lines[-1]
    as_json = here(
        "boundaries", "why", "out/report/report.json", "--boundary", "account, one per transaction", "--json"
    )
    assert as_json.json["story"]["what"] == "no_name_is_taken_twice"
    assert here("boundaries", "why", "out/report", "--boundary", "name").lines == [
        "Under 'name' no rule was broken and no decision was stale."
    ]


def test_a_report_without_matplotlib_says_what_to_install_before_the_run(folder: Path) -> None:
    program = """
import sys
sys.modules["matplotlib"] = None
from odradek.cli import app
sys.argv = ["odradek", "boundaries", "run", "kafka", "-o", "report"]
raise SystemExit(app())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, timeout=60)

    assert done.returncode == ExitCode.REFUSED
    assert done.stderr.decode().endswith(
        "the plots of a report need matplotlib, which is not installed; run: pip install 'odradek[plots]'\n"
    )
    assert not (folder / "report").exists()


def test_only_some_boundaries_are_run(folder: Path) -> None:
    ran = here("boundaries", "run", "opt_in", "--jobs", "1", "--boundaries", "token", "--json")
    assert [row["boundary"] for row in ran.json] == ["token"]


def test_a_module_of_your_own_is_found_in_the_working_folder(folder: Path) -> None:
    (folder / "my_seats.py").write_text(OWN)

    explained = here("boundaries", "explain", "my_seats", "--json").json
    assert [cell["is_kept"] for cell in explained["rows"]["Take"]] == [False, True]
    ran = here("boundaries", "run", "my_seats", "--jobs", "2")
    assert ran.lines[-1].startswith("'guest' broke a_seat_is_taken_once; ")
    assert here("boundaries", "check", "my_seats").code == ExitCode.OK


def test_check_fails_with_the_counterexample_of_a_wrong_read_set(folder: Path) -> None:
    wrong = OWN.replace("facts(SeatTaken, seat=c.seat)", "facts(SeatTaken, seat=c.seat, guest=c.guest)")
    (folder / "my_wrong_seats.py").write_text(wrong.replace("cli.SeatTaken", "cli.WrongSeatTaken"))
    outcome = here("boundaries", "check", "my_wrong_seats", "--histories", "300")

    assert outcome.code == ExitCode.BROKEN
    assert "Take: its read-set lacks facts" in outcome.complaint
    assert "not read  SeatTaken(" in outcome.text
    assert "on all: refused with ValueError" in outcome.text


def test_a_recorded_log_is_run_and_what_it_lacks_is_said(folder: Path) -> None:
    with ActorSystem.open(folder / "log.db") as system:
        system.create_topic("orders", 2)
        with system.producer() as producer:
            producer.send("orders", b"tea", partition=1).result(timeout=10)
    outcome = here("boundaries", "run", "kafka", "--from-log", "log.db", "--jobs", "1", "--json")

    assert outcome.code == ExitCode.OK
    assert outcome.complaint.startswith(
        "read 2 commands from log.db; those that were refused or changed nothing left no"
    )
    assert {row["refused"] for row in outcome.json} == {0}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["explain", "nonsense"], ExitCode.USAGE, "there is no model 'nonsense'; use one of bank, courses, "),
        (["explain", "json"], ExitCode.USAGE, "module 'json' has no lab; define lab = Lab(...), boundaries = "),
        (
            ["explain", "broken_model"],
            ExitCode.USAGE,
            "module 'broken_model' cannot be imported (NameError: name 'Lab' is",
        ),
        (["explain", ""], ExitCode.USAGE, "module '' cannot be imported (ValueError: Empty module name); fix it"),
        (["run", "--boundaries", "topics"], ExitCode.USAGE, "kafka has no boundary 'topics'; use one of 'broker', "),
        (["run", "--workload", "missing.toml"], ExitCode.UNREADABLE, "missing.toml cannot be read"),
        (["run", "--workload", "wrong.toml"], ExitCode.USAGE, "unknown name 'cuont'"),
        (
            ["run", "--workload", "model.toml"],
            ExitCode.USAGE,
            "model 'kafka' has no parameter 'topic'; use one of topics",
        ),
        (["run", "--from-log", "missing.db"], ExitCode.UNREADABLE, "missing.db"),
        (["why", "missing", "--boundary", "broker"], ExitCode.UNREADABLE, "missing cannot be read"),
        (["why", "wrong.toml", "--boundary", "broker"], ExitCode.UNREADABLE, "not a report of the boundary lab"),
        (
            ["why", "old.json", "--boundary", "broker"],
            ExitCode.UNREADABLE,
            "has version 0, and this Odradek reads version",
        ),
    ],
)
def test_mistakes_are_one_sentence_and_an_exit_code(
    folder: Path, arguments: list[str], code: ExitCode, words: str
) -> None:
    (folder / "wrong.toml").write_text("cuont = 3\nper_second = 1\n[mix]\nproduce = 1\n")
    (folder / "model.toml").write_text("per_second = 1\n[model]\ntopic = 3\n[mix]\nproduce = 1\n")
    (folder / "broken_model.py").write_text("lab = Lab()\n")
    (folder / "old.json").write_text(json.dumps({"version": 0}))
    outcome = here("boundaries", *arguments)

    assert outcome.code == code
    assert words in outcome.complaint
    assert outcome.complaint.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_reported_before_the_run(folder: Path) -> None:
    (folder / "file").write_text("")
    outcome = here("boundaries", "run", "-o", "file/report")

    assert outcome.code == ExitCode.UNWRITABLE
    assert "file/report cannot be written" in outcome.complaint
