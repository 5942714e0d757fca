"""`odradek simulate --runtime seeded`: repeatable runs with faults, on ordinary logs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.cli import here

from odradek.cli.commands.simulate.world import show
from odradek.cli.exit_codes import CommandError
from odradek.simulation import World
from odradek_simulation.chaos import run_chaos
from odradek_simulation.choices import Token

SEEDED = ["simulate", "--runtime", "seeded", "--messages", "20"]


def test_a_run_prints_its_faults_its_verdict_and_the_command_that_repeats_it() -> None:
    outcome = here(*SEEDED, "--seed", "8", "--faults", "unknown-outcome,pause")
    assert (outcome.code, outcome.complaint) == (0, "")
    for words in ("seed 8", "after step", "unknown-outcome", "acknowledged", "Verdict: everything holds"):
        assert words in outcome.text
    command = outcome.text.splitlines()[-1].removeprefix("To repeat it: odradek ").split()
    assert here(*command).text == outcome.text


def test_a_run_writes_an_ordinary_log(tmp_path: Path) -> None:
    log = tmp_path / "run.db"
    report = here(*SEEDED, "--seed", "2", "--faults", "crash", "--log", log, "--json").json
    assert report["crashes"] >= 1
    assert here("verify", log).code == 0
    state = here("state", log, "--at", str(report["position"] // 2), "--json").json
    assert state["position"] == report["position"] // 2
    assert here("trace", log, "--message", "topic-1/0/0").code == 0


def test_a_log_in_a_file_does_not_change_the_run(tmp_path: Path) -> None:
    options = [*SEEDED, "--seed", "4", "--faults", "kill,slow", "--strategy", "pct2", "--json"]
    in_memory, in_file = here(*options).json, here(*options, "--log", tmp_path / "run.db").json
    assert {**in_file, "log": in_memory["log"]} == in_memory


def test_the_workload_is_small_unless_asked_otherwise() -> None:
    workload = here("simulate", "--runtime", "seeded", "--json").json["workload"]
    assert (workload["messages"], workload["producers"], workload["churn"]) == (60, 2, 1)
    assert here(*SEEDED, "--producers", "1", "--json").json["workload"]["producers"] == 1
    assert "seeded: 60" in here("simulate", "--help").text


@pytest.mark.parametrize("json", [True, False])
def test_a_failure_is_printed_and_fails_the_command(json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    good = run_chaos(World(parameters={"messages": 3}))
    report = msgspec.structs.replace(good, failure="history 'lost-write' failed after step 9: offset 3 is lost")
    with pytest.raises(CommandError, match="lost-write") as failed:
        show(report, json=json)
    assert failed.value.code == 1
    assert "lost-write" in capsys.readouterr().out


def test_a_token_of_other_code_is_repeated_as_closely_as_possible_on_request() -> None:
    made = Token.parse(run_chaos(World(parameters={"messages": 5})).token)
    token = msgspec.structs.replace(made, product=b"else", steps=made.steps + 1)
    strict = here("simulate", "--replay", token)
    assert strict.code == 7
    assert "the token was made by other code, so the run may take another course" in strict.complaint
    assert "the replay differs from the recorded run: it ends after step" in strict.complaint
    lenient = here("simulate", "--replay", token, "--lenient")
    assert (lenient.code, "Verdict: everything holds" in lenient.text) == (0, True)


def test_a_token_of_another_target_is_refused() -> None:
    outcome = here("simulate", "--replay", World(1).run(lambda system, world: None).token)
    assert outcome.code == 2
    assert "repeat it with odradek explain, or with World.replay" in outcome.complaint


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--faults", "all"], "--faults: only seeded runs have it; add --runtime seeded"),
        (["--strategy", "fifo"], "--strategy: only seeded runs have it"),
        (["--runtime", "seeded", "--faults", "gremlins"], "'gremlins' is not a fault"),
        (["--runtime", "fibers"], "'fibers' is not one of 'threads', 'seeded'"),
        (["--lenient"], "--lenient: it belongs to --replay"),
        (["--replay", "odradek9.abc"], "made by another version of Odradek"),
        (["--replay", "hello"], "is not a token"),
        (["--replay", "odradek1.abc"], "damaged or incomplete"),
        (["--replay", "odradek1.abc", "--seed", "3"], "--seed: the token of --replay contains it"),
        (["--replay", "odradek1.abc", "--message-size", "30"], "--message-size: the token of --replay contains it"),
        (["--replay", "odradek1.abc", "--runtime", "threads"], "--runtime: --replay repeats a seeded run"),
        (["--runtime", "seeded", "--groups", "3"], "3 groups are more than the 2 readers"),
    ],
)
def test_wrong_usage_is_refused_in_one_sentence(options: list[str], words: str) -> None:
    outcome = here("simulate", *options)
    assert outcome.code == 2
    assert words in outcome.complaint
    assert outcome.complaint.count("\n") <= 1


def test_lost_tail_needs_a_log_in_memory_and_leaves_no_file(tmp_path: Path) -> None:
    log = tmp_path / "run.db"
    outcome = here(*SEEDED, "--faults", "lost-tail", "--log", log)
    assert outcome.code == 2
    assert "strikes only a log in memory" in outcome.complaint
    assert not log.exists()
    assert here(*SEEDED, "--faults", "lost-tail", "--seed", "3").code == 0
