"""The check of declared read-sets: what it finds in models of one's own."""

from __future__ import annotations

from typing import Any

import pytest
from support.lab import Bump, Bumped, CourseOpened, Enrol, Enrolled, bumps, courses, enrolments

from odradek_boundaries import InvalidModel, Lab, facts


def enrolling(reads: Any) -> Lab:
    """Return the model of courses with another read-set."""
    lab = courses(count=2, seats=2)
    decider = lab.rules.deciders.pop(Enrol)
    lab.decides(Enrol, reads=reads)(decider.decide)
    return lab


def test_a_sound_read_set_has_no_counterexample() -> None:
    report = courses(count=2, seats=2).check(enrolments(courses=2, students=4))

    assert report.holds
    (checked,) = report.decisions
    assert checked.compared > 500
    assert checked.counterexample is None


def test_a_read_set_without_the_enrolments_of_the_course_is_wrong() -> None:
    report = enrolling(lambda c: facts(CourseOpened, course=c.course) | facts(Enrolled, student=c.student)).check(
        enrolments(courses=2, students=4)
    )

    assert not report.holds
    (checked,) = report.decisions
    example = checked.counterexample
    assert example is not None
    assert example.on_all == "refused with ValueError"
    assert example.on_read_set.startswith("Enrolled(")
    assert sorted(example.is_read) == [False, False, True]
    assert len(example.facts) == 3


def test_the_same_seed_finds_the_same() -> None:
    lab = enrolling(lambda c: facts(CourseOpened, course=c.course))
    workload = enrolments(courses=2, students=4)

    assert lab.check(workload, seed=5) == lab.check(workload, seed=5)


def test_a_decider_that_changes_its_state_is_a_problem() -> None:
    def decide(known: list[Any], c: Bump) -> Bumped:
        known.append(None)
        return Bumped(c.unit, len(known))

    lab = Lab()
    lab.decides(Bump, reads=lambda c: facts(Bumped, unit=c.unit))(decide)
    (checked,) = lab.check(bumps(2, per_second=1.0), histories=3).decisions

    assert not checked.holds
    assert checked.problem.endswith("is decided differently the second time; decide by the state and the command alone")


def test_a_read_set_that_cannot_be_folded_is_a_problem() -> None:
    class Broken:
        def apply_all(self, events: Any) -> None:
            if events:
                raise IndexError(len(events))

    lab = Lab(Bumped(0, 0))
    lab.decides(Bump, reads=lambda c: facts(Bumped, unit=c.unit), state=lambda c: Broken())(lambda known, c: None)
    (checked,) = lab.check(bumps(1, per_second=1.0), histories=3).decisions

    assert "cannot be folded (IndexError(1)); make apply ignore what it has no use for" in checked.problem


def test_a_decision_that_is_never_drawn_is_a_problem() -> None:
    lab = courses()
    lab.decides(Bump, reads=lambda c: facts(Bumped, unit=c.unit))(lambda known, c: None)
    report = lab.check(enrolments(), histories=3)

    assert {each.command: each.problem for each in report.decisions} == {
        "Enrol": "",
        "Bump": "no command Bump was drawn; declare a function that draws one with @lab.draw",
    }


def test_a_model_without_draws_needs_a_workload() -> None:
    with pytest.raises(
        InvalidModel, match=r"no commands can be drawn; declare functions with @lab.draw, or pass a work"
    ):
        courses().check()
