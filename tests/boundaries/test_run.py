"""One run: what is counted, the stories that are told, and models that do not fit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from support.lab import Bump, Bumped, bumps, counters, courses, enrolments, ran

from odradek_boundaries import Boundary, DecisionFailed, DecisionNotPure, InvalidReadSet, Lab, Workload, facts
from odradek_boundaries.models import load_model

UNIT = Boundary("unit", by=("unit",))
QUERY = Boundary("a query per decision", checks="facts")


def deciding(decide: Any, state: Any = None) -> Lab:
    """Return a model of counters with this decider."""
    lab = Lab()
    lab.decides(Bump, reads=lambda c: facts(Bumped, unit=c.unit), state=state)(decide)
    return lab


def test_commands_that_do_not_meet_are_all_appended_at_the_first_try() -> None:
    counts = ran(counters(), UNIT, bumps(3, count=50, clients=1))

    assert (counts.attempts, counts.appended, counts.conflicts, counts.gave_up) == (50, 50, 0, 0)
    assert counts.duration_ms == pytest.approx(50.0)


def test_a_command_is_dropped_after_its_last_try() -> None:
    counts = ran(counters(), UNIT, bumps(1, count=40, clients=4, tries=2, retry_ms=0))

    assert counts.gave_up > 0
    assert counts.appended + counts.gave_up == 40
    assert counts.attempts <= 80


def test_refusals_are_counted_by_their_error() -> None:
    counts = ran(courses(count=1, seats=3), QUERY, enrolments(50, courses=1, per_second=10))

    assert (counts.appended, counts.refused, counts.refusals) == (3, 47, {"ValueError": 47})


def test_a_decision_without_events_changes_nothing() -> None:
    counts = ran(deciding(lambda known, c: []), QUERY, bumps(1, count=9, per_second=10.0))
    assert (counts.unchanged, counts.attempts) == (9, 0)


def test_an_error_of_your_own_refuses() -> None:
    class Full(Exception):
        pass

    def refuse(known: Any, c: Bump) -> None:
        raise Full

    assert ran(deciding(refuse), QUERY, bumps(1, count=9, per_second=10.0)).refusals == {"Full": 9}


@pytest.mark.parametrize(
    ("decide", "words"),
    [
        (lambda known, c: known.missing, r"the decision on Bump\(unit=0\) raised AttributeError"),
        (lambda known, c: known[99], "raised IndexError.*refuse with a ValueError or an error of your own"),
        (lambda known, c: "bumped", "returned 'bumped'; return an event, a list of events, or None"),
    ],
)
def test_a_mistake_in_a_decider_is_no_refusal(decide: Any, words: str) -> None:
    with pytest.raises(DecisionFailed, match=words):
        ran(deciding(decide), QUERY, bumps(1, count=9, per_second=10.0))


def test_a_mistake_in_an_invariant_is_reported() -> None:
    lab = counters()
    lab.always(per="unit")(lambda known: known.missing)

    with pytest.raises(DecisionFailed, match=r"the invariant <lambda> raised AttributeError.*; return True or False"):
        ran(lab, UNIT, bumps(1, count=2, per_second=1.0))


def test_a_decider_with_randomness_is_found() -> None:
    numbers = itertools.count()

    with pytest.raises(DecisionNotPure, match="differed on the same facts; decide by the state and the command alone"):
        ran(deciding(lambda known, c: Bumped(c.unit, next(numbers))), UNIT, bumps(9, count=200, per_second=10.0))


def test_a_decider_that_changes_its_state_is_found() -> None:
    def decide(known: list[Any], c: Bump) -> Bumped:
        known.append("seen")
        return Bumped(c.unit, len(known))

    with pytest.raises(DecisionNotPure):
        ran(deciding(decide), UNIT, bumps(9, count=200, per_second=10.0))


def test_a_read_set_that_is_none_is_refused() -> None:
    lab = Lab()
    lab.decides(Bump, reads=lambda c: c.unit)(lambda known, c: None)

    with pytest.raises(InvalidReadSet, match=r"the read-set of Bump must be made of facts\(...\)"):
        ran(lab, UNIT, bumps(9, count=1, per_second=10.0))


class Strict:
    """A counter that refuses to skip a number."""

    def __init__(self) -> None:
        self.value = 0

    def apply_all(self, events: Sequence[Any]) -> None:
        for event in events:
            if event.to != self.value:
                raise IndexError(event.to)
            self.value += 1


def test_a_history_that_cannot_be_folded_is_a_finding() -> None:
    lab = deciding(lambda known, c: Bumped(c.unit, known.value), state=lambda c: Strict())
    narrow = Boundary("the wrong unit", checks=lambda reads, events: facts(Bumped, unit=99).query)
    counts = ran(lab, narrow, bumps(1, count=60, per_second=2000.0))

    assert counts.unfoldable > 0
    assert counts.cannot_fold.startswith("Bump: IndexError")
    assert ran(lab, UNIT, bumps(1, count=60, per_second=500.0)).unfoldable == 0


def test_the_story_of_a_broken_rule_names_the_facts_between_read_and_append() -> None:
    model = load_model("usernames")
    (narrow,) = (each for each in model.boundaries if each.checks == "unit")
    story = ran(model.lab, narrow, model.workload).story

    assert story is not None
    assert (story.what, story.group[:5]) == ("no_name_is_taken_twice", "name:")
    assert story.command.startswith("Register(")
    assert story.appended[0].startswith("NameTaken(")
    assert len(story.between) == 1
    (landed,) = story.between
    assert story.read_at_ms < landed.at_ms <= story.appended_at_ms
    assert landed.fact.startswith("NameTaken(")
    assert landed.command.startswith("Register(")
    assert landed.unit.startswith("account:")


def test_the_cost_of_folding_takes_time_if_it_is_asked_for() -> None:
    free = ran(counters(), UNIT, bumps(1, count=100, clients=1))
    paid = ran(counters(), UNIT, bumps(1, count=100, clients=1, fold_us=100.0))

    assert free.folded == sum(range(100))
    assert paid.duration_ms == pytest.approx(free.duration_ms + free.folded * 0.1)
    assert free.folded_samples[-1] == (99, 99)


def test_hops_and_events_are_counted() -> None:
    model = load_model("shop")
    by_name = {boundary.name: boundary for boundary in model.boundaries}
    order = Workload({model.lab.rules.draws["place_order"]: 1}, count=100, per_second=50.0)
    split = ran(model.lab, by_name["customer or product, one per transaction"], order)
    whole = ran(model.lab, by_name["the whole shop"], order)

    assert split.events == 2 * split.appended
    assert split.hops == split.appended
    assert whole.hops == 0
