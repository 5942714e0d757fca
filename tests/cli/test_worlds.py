"""odradek sweep, shrink and explain: from many seeds to one small picture, and what they refuse."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import here, odradek, refused, running, wait_for

from odradek.simulation import load_target, sweep
from odradek_simulation.choices import Token

LOST_UPDATE = "support.lost_update:sell"
TESTS = Path(__file__).parents[1]
SOUND = "support.worlds:sell_and_bill"


@pytest.fixture(scope="module")
def token() -> str:
    """Return the token of a run that lost an update."""
    return sweep(LOST_UPDATE, 10, strategies=["random"]).failures[0].token


@pytest.fixture(scope="module")
def passing() -> str:
    """Return the token of a run that passed."""
    return load_target(LOST_UPDATE).world(0, strategy="fifo").run(lambda system, world: None).token


def token_in(text: str) -> str:
    """Return the token that a command printed."""
    return next(word for word in text.split() if word.startswith("odradek1."))


# -- sweep -----------------------------------------------------------------------------------------------------------


def test_a_sweep_prints_each_kind_of_failure_with_a_token_and_fails() -> None:
    outcome = here("sweep", LOST_UPDATE, "--seeds", 20)
    refused(outcome, 1, "of 20 failed, with 1 kind of failure")
    assert "handler: Stock (AssertionError)" in outcome.text
    assert Token.parse(token_in(outcome.text)).name == LOST_UPDATE


def test_a_sweep_without_a_failure_succeeds() -> None:
    outcome = here("sweep", SOUND, "--seeds", 5, "--faults", "kill,pause")
    assert outcome.code == 0
    assert outcome.lines[0].startswith(f"{SOUND}: 5 runs, ")


def test_a_sweep_without_faults_says_so() -> None:
    assert here("sweep", SOUND, "--seeds", 5).lines[0].startswith(f"{SOUND}: 5 runs without faults, ")


def test_small_constants_are_not_a_fault_that_was_never_reached() -> None:
    outcome = here("sweep", SOUND, "--seeds", 2, "--faults", "small-constants,hang")
    assert "Faults never reached: hang" in outcome.lines


def test_a_sweep_reports_what_was_never_reached() -> None:
    outcome = here("sweep", "support.lost_update:sell_slowly", "--seeds", 5, "--faults", "hang")
    assert "Goals never reached: a refund" in outcome.lines
    assert "Faults never reached: hang" in outcome.lines


def test_a_sweep_without_a_target_is_one_of_odradek_itself_under_all_faults() -> None:
    report = here("sweep", "--seeds", 2, "--json").json
    assert (report["target"], report["failed"]) == ("odradek_simulation.chaos:chaos", 0)
    assert {"crash", "kill", "pause"} < {*report["faults"]}


def test_a_sweep_as_json() -> None:
    report = here("sweep", LOST_UPDATE, "--seeds", 10, "--json").json
    assert (report["runs"], report["target"]) == (10, LOST_UPDATE)
    assert report["failures"][0]["token"].startswith("odradek1.")


def test_a_sweep_takes_one_strategy() -> None:
    report = here("sweep", LOST_UPDATE, "--seeds", 10, "--strategy", "pct3", "--json").json
    assert {failure["strategy"] for failure in report["failures"]} == {"pct3"}


def test_a_target_that_fails_in_every_run_is_to_blame_itself() -> None:
    refused(here("sweep", "support.lost_update:forget_to_start", "--seeds", 10), 1, "every run fails in the same way")


def test_a_sweep_continues_from_its_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "sweep.jsonl"
    first = here("sweep", LOST_UPDATE, "--seeds", 20, "--checkpoint", file, "--json").json
    again = here("sweep", LOST_UPDATE, "--seeds", 20, "--checkpoint", file, "--json").json
    assert again == first


@pytest.mark.slow
def test_an_interrupted_sweep_says_how_to_continue(tmp_path: Path) -> None:
    file = tmp_path / "sweep.jsonl"
    with running("sweep", SOUND, "--checkpoint", file, environment={**os.environ, "PYTHONPATH": str(TESTS)}) as process:
        wait_for(lambda: file.exists() and file.read_bytes().count(b"\n") > 2, process)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"of 10,000 runs are done; the same command continues" in complaint


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing:start"], "importing nothing raises ModuleNotFoundError"),
        (["support.worlds"], "not of the form module:function"),
        ([SOUND, "--strategy", "luck"], "'luck' is not one of portfolio, fifo"),
        ([SOUND, "--faults", "fire"], "'fire' is not a fault"),
        ([SOUND, "--seeds", "0"], "0 is not in the range x>=1"),
    ],
)
def test_a_sweep_refuses_bad_values(arguments: list[str], words: str) -> None:
    refused(here("sweep", *arguments), 2, words)


def test_a_sweep_refuses_the_checkpoint_of_another(tmp_path: Path) -> None:
    here("sweep", LOST_UPDATE, "--seeds", 5, "--checkpoint", tmp_path / "sweep")
    outcome = here("sweep", SOUND, "--seeds", 5, "--checkpoint", tmp_path / "sweep")
    refused(outcome, 5, "belongs to a sweep with another target")


def test_several_processes_without_joblib_say_what_to_install() -> None:
    program = "import sys; sys.modules['joblib'] = None; from odradek.cli import app; sys.exit(app(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, "sweep", SOUND, "--jobs", "2"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=TESTS,
    )
    assert done.returncode == 7
    assert done.stderr == "odradek: a sweep on several processes needs joblib; install odradek[sweep]\n"


# -- shrink ----------------------------------------------------------------------------------------------------------


def test_shrink_prints_what_is_left_and_a_token_that_names_the_target(token: str) -> None:
    outcome = here("shrink", token)
    assert outcome.code == 0
    assert "nothing more can be left out" in outcome.text
    assert "  clients: start, customer-1, customer-2" in outcome.lines
    small = token_in(outcome.text)
    assert "odradek explain" in outcome.text
    assert here("shrink", small).code == 0


def test_shrink_writes_a_test_that_fails_until_the_bug_is_fixed(token: str, tmp_path: Path) -> None:
    file = tmp_path / "test_lost_update.py"
    assert here("shrink", token, "--as-test", file).code == 0
    source = file.read_text()
    tests = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    assert tests == ["test_handler_stock_assertionerror"]
    scope: dict[str, object] = {}
    exec(compile(source, str(file), "exec"), scope)
    with pytest.raises(AssertionError, match="a sale was lost"):
        scope[tests[0]]()  # type: ignore[operator]  # the test
    assert max(map(len, source.splitlines())) <= 120


def test_shrink_keeps_an_existing_file(token: str, tmp_path: Path) -> None:
    file = tmp_path / "test_mine.py"
    file.write_text("mine")
    refused(here("shrink", token, "--as-test", file), 2, "exists already")
    assert file.read_text() == "mine"


def test_shrink_keeps_to_a_limit_of_runs(token: str) -> None:
    assert "more may be possible with more runs" in here("shrink", token, "--max-runs", 3).text


def test_a_run_that_passed_is_not_shrunk(passing: str) -> None:
    refused(here("shrink", passing, "support.lost_update:sell_nothing"), 7, "does not fail")


@pytest.mark.parametrize("command", ["shrink", "explain"])
def test_a_token_without_a_target_needs_one(command: str, passing: str) -> None:
    refused(here(command, passing), 2, "the token does not name its target")


@pytest.mark.parametrize("command", ["shrink", "explain"])
def test_a_token_of_other_code_is_refused(command: str, token: str) -> None:
    refused(here(command, token, SOUND), 7, "the replay differs from the recorded run", "replay it leniently")


@pytest.mark.parametrize("command", ["shrink", "explain"])
def test_a_damaged_token_is_refused(command: str, token: str) -> None:
    refused(here(command, token[:-5]), 2, "is damaged or incomplete")


# -- explain ---------------------------------------------------------------------------------------------------------


def test_explain_shrinks_and_prints_the_two_messages(token: str) -> None:
    outcome = here("explain", token)
    assert outcome.code == 0
    assert outcome.lines[0] == "In Stock, A came before B. In the nearest passing run, B came before A."
    assert outcome.lines[1].startswith("A  read from Clerk")
    assert outcome.lines[2].startswith("B  write from Clerk")


@pytest.mark.parametrize(("suffix", "begin"), [("html", "<!doctype html>"), ("svg", "<svg"), ("txt", "In Stock, ")])
def test_explain_writes_what_the_suffix_says(suffix: str, begin: str, token: str, tmp_path: Path) -> None:
    file = tmp_path / f"failure.{suffix}"
    assert here("explain", token, "-o", file).code == 0
    assert file.read_text().lower().startswith(begin.lower())
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_explain_leaves_the_run_as_it_is_on_request(token: str, tmp_path: Path) -> None:
    file = tmp_path / "failure.html"
    assert here("explain", token, "--as-is", "-o", file).code == 0
    assert "customer-0" in file.read_text()
    assert here("explain", token, "-o", file).code == 0
    assert "Clients left out" in file.read_text()


def test_explain_shows_a_run_that_passed(passing: str) -> None:
    outcome = here("explain", passing, "support.lost_update:sell_nothing")
    assert outcome.code == 0
    assert "seconds  where" in outcome.text


def test_explain_refuses_an_unknown_suffix(token: str) -> None:
    refused(here("explain", token, "-o", "failure.pdf"), 2, "must end with one of .html, .svg, .txt")


def test_a_full_disk_leaves_no_file(token: str, tmp_path: Path) -> None:
    file = tmp_path / "there" / "failure.html"
    refused(here("explain", token, "-o", file), 3, "No such file or directory")


def test_the_commands_work_in_a_process_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "idle.py").write_text("def start(system, world):\n    pass\n")
    outcome = odradek("sweep", "idle:start", "--seeds", 3, place=tmp_path)
    assert outcome.code == 0
    assert outcome.lines[0].startswith("idle:start: 3 runs")
