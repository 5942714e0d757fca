"""The verdict says for each invariant whether it holds, by the findings of the checkers."""

from __future__ import annotations

import re
from collections import Counter

from odradek_simulation.checkers.anomalies import HISTORY_CHECKS
from odradek_simulation.checkers.finding import Finding
from odradek_simulation.checkers.invariants import InvariantChecker
from odradek_simulation.workload.verdict import INVARIANTS, judge

GOT = "every consumer got every message exactly once"
AT_LEAST = "every group got every message at least once, every other consumer exactly once"


def test_without_findings_everything_holds() -> None:
    verdict = judge([], may_repeat=False)
    assert [each.name for each in verdict] == list(INVARIANTS)
    assert all(each.holds and not each.problem for each in verdict)


def test_an_invariant_is_broken_by_a_finding_of_its_checkers() -> None:
    findings = [Finding("lost-write", "another"), Finding("unseen", "one"), Finding("live-replay", "a third")]
    broken = {each.name: each.problem for each in judge(findings, may_repeat=False) if not each.holds}
    assert broken == {GOT: "one", "live == replay": "a third"}


def test_where_groups_may_repeat_the_invariant_says_so() -> None:
    names = [each.name for each in judge([Finding("unseen", "one")], may_repeat=True) if not each.holds]
    assert names == [AT_LEAST]


def test_every_checker_breaks_one_invariant() -> None:
    table = re.findall(r"[a-z]+(?:-[a-z]+)+|gapless|membership", InvariantChecker.__doc__ or "")
    known = {*HISTORY_CHECKS, "live-replay", *table} - {"above-durable-end"}  # of runs that are watched step by step
    counts = Counter(checker for checkers in INVARIANTS.values() for checker in checkers)
    assert {*counts} == known
    assert max(counts.values()) == 1
