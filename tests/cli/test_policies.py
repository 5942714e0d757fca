"""What commands say of policies: how far they are, where they stopped, and which command they sent because of what."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.actors import QUICK
from support.cli import here
from support.groups import until
from support.transfers import PAID_OUT, TRANSFERS, AccountActor, PayIn, PayOut

from odradek import ActorSystem, Policy, Reaction, Recorded


def refuse(recorded: Recorded) -> Reaction:
    raise ValueError("no audit today")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transfer by one policy; another one has stopped at it."""
    path = tmp_path_factory.mktemp("policies") / "bank.db"
    policies = [TRANSFERS, Policy("audit", PAID_OUT, refuse)]
    with ActorSystem.open(path, actors={"account": AccountActor}, policies=policies, **QUICK) as system:
        system.actor("account/ann").ask(PayIn(100), causation_id="wage").result()
        system.actor("account/ann").ask(PayOut(30, "bob"), correlation_id="rent", causation_id="rent").result()
        until(lambda: system.policies()["audit"].stopped_at is not None, what="the audit has stopped")
    return path


def words(line: str) -> list[str]:
    return re.sub(r"[├│└─]", " ", line).split()


def test_the_state_shows_how_far_policies_are_and_why_one_has_stopped(log: Path) -> None:
    rows = [line.split() for line in here("state", log).lines]
    assert ["audit", "0", "1", "ValueError:", "no", "audit", "today"] in rows
    assert ["-", "-"] in [row[2:] for row in rows if row[:1] == ["transfers"]]


def test_the_state_as_json_has_the_policies(log: Path) -> None:
    found = json.loads(here("state", log, "--json").text)["aggregates"]["policy/audit"]
    assert (found["position"], found["stopped_at"], found["reason"]) == (0, 1, "ValueError: no audit today")


def test_the_difference_names_where_a_policy_stopped(log: Path) -> None:
    lines = here("diff", log, "-1", "head").lines
    assert "  stopped_at: - -> 1" in lines
    assert "  reason: - -> ValueError: no audit today" in lines


def test_verify_names_a_stopped_policy_and_the_log_is_sound(log: Path) -> None:
    outcome = here("verify", log)
    assert outcome.code == 0
    stopped = "policy 'audit' stopped at this event: ValueError: no audit today"
    assert f"position 1: {stopped}; this is not damage" in outcome.lines
    assert outcome.lines[-1] == "sound"
    assert json.loads(here("verify", log, "--json").text)["stopped_policies"] == [{"position": 1, "problem": stopped}]


def test_a_trace_tells_what_a_policy_did_because_of_an_event(log: Path) -> None:
    _, first, out, second, into = here("trace", log, "rent").lines
    assert words(first)[:3] == ["command", "->", "account/ann"]
    assert words(out)[:3] == ["1", "test.PaidOut", "account/ann"]
    assert words(second)[:5] == ["policy", "transfers:", "command", "->", "account/bob"]
    assert words(into)[1:3] == ["test.PaidIn", "account/bob"]
    depth = [len(line) - len(line.lstrip(" ├│└─")) for line in (first, out, second, into)]
    assert depth == sorted(set(depth))


def test_a_diagram_has_the_policy_between_the_event_and_the_command(log: Path) -> None:
    lines = [line.strip() for line in here("trace", log, "rent", "--format", "mermaid").lines]
    names = {alias: name for _, alias, _, name in (line.split(" ", 3) for line in lines if " as " in line)}
    steps = [
        (names[step[1]], names[step[2]], step[3])
        for step in (re.fullmatch(r"(p\d)->>(p\d): (\S+).*", line) for line in lines)
        if step is not None
    ]
    assert steps == [
        ("client", "account/ann", "command"),
        ("account/ann", "policy/transfers", "test.PaidOut#44;"),
        ("policy/transfers", "account/bob", "command"),
    ]


def test_a_trace_as_json_names_the_policy(log: Path) -> None:
    nodes = json.loads(here("trace", log, "rent", "--json").text)["nodes"]
    assert [node["policy"] for node in nodes if node["kind"] == "command"] == ["", "transfers"]
