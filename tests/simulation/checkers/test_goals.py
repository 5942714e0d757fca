"""Goals: which a run reached, and which no run of many did."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from support.domain import NOON

from odradek_events.types import MessageProduced, RebalanceStarted, TopicDeleted
from odradek_simulation.checkers.goals import EVENT_GOALS, GoalReport, Goals


def test_a_run_reports_what_it_expected_and_what_it_reached() -> None:
    goals = Goals(["a crash", "a rebalance during a fetch"])
    goals.expect("lag")
    goals.reach("a crash")
    goals.reach("a surprise")
    goals.expect("a surprise")
    assert goals.has_reached("a crash")
    assert not goals.has_reached("lag")
    assert goals.report() == GoalReport(1, {"a crash": 1, "a rebalance during a fetch": 0, "a surprise": 1, "lag": 0})


def test_events_reach_goals_by_their_type() -> None:
    goals = Goals([EVENT_GOALS[TopicDeleted], EVENT_GOALS[RebalanceStarted]])
    goals.observe([MessageProduced("t", 0, 0, "id", "p", 0, 0, NOON), TopicDeleted("t", "t-1", NOON)])
    assert goals.report().never == [EVENT_GOALS[RebalanceStarted]]


def test_what_no_run_of_many_reached_is_a_finding() -> None:
    one, other = Goals(["a", "b", "c"]), Goals(["a", "b", "c"])
    one.reach("a")
    other.reach("a")
    other.reach("b")
    report = GoalReport.merged([one.report(), other.report()])
    assert report == GoalReport(2, {"a": 2, "b": 1, "c": 0})
    assert [str(each) for each in report.findings()] == ["sometimes: 'c' was not reached in any of 2 runs"]
    assert str(report) == "goals reached in 2 runs:\nNEVER  c\n    1  b\n    2  a"


def test_a_goal_that_another_run_reached_is_not_a_finding() -> None:
    missed, reached = Goals(["a"]), Goals(["a"])
    reached.reach("a")
    assert GoalReport.merged([missed.report(), reached.report()]).findings() == []


def test_a_report_goes_through_json_unchanged() -> None:
    report = GoalReport(3, {"a": 0, "b": 2})
    assert msgspec.json.decode(msgspec.json.encode(report), type=GoalReport) == report


REPORTS = st.lists(st.builds(GoalReport, st.integers(1, 9), st.dictionaries(st.sampled_from("abc"), st.integers(0, 9))))


@given(REPORTS, st.integers(0, 9))
def test_reports_merge_in_any_order_and_in_parts(reports: list[GoalReport], cut: int) -> None:
    whole = GoalReport.merged(reports)
    assert GoalReport.merged(reversed(reports)) == whole
    assert GoalReport.merged([GoalReport.merged(reports[:cut]), GoalReport.merged(reports[cut:])]) == whole
