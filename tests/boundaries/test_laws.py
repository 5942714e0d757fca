"""Laws that hold for every run, and laws of queueing that hold for simple ones: the lab measures what it says."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest
from support.lab import bumps, counters, courses, enrolments, ran

from odradek_boundaries import Boundary, Lab, Units, Workload
from odradek_boundaries.models import kafka
from odradek_boundaries.schedule import decide_serially, shape_of

UNIT = Boundary("unit", by=("unit",))
ONE = Boundary("one unit")
QUERY = Boundary("a query per decision", checks="facts")
COURSE = Boundary("course, one per transaction", by=("course", "student"), checks="unit")
ENROLLING = [
    ONE,
    Boundary("course, all read", by=("course", "student")),
    Boundary("course, written", by=("course", "student"), checks="written"),
    COURSE,
    QUERY,
]

# rate per second, service in ms, counters, skew
SETTINGS = [
    (500.0, 1.0, 1, 0.0),
    (500.0, 2.0, 1, 0.0),
    (2000.0, 1.0, 1, 0.0),
    (100.0, 1.0, 1, 0.0),
    (1000.0, 1.0, 4, 0.0),
    (1000.0, 1.0, 4, 1.1),
    (4000.0, 1.0, 4, 1.1),
    (1000.0, 0.5, 10, 0.0),
    (1000.0, 2.0, 10, 1.0),
    (5000.0, 1.0, 10, 1.5),
    (3000.0, 1.0, 50, 0.8),
    (10000.0, 1.0, 50, 0.0),
    (2000.0, 5.0, 20, 2.0),
]


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "service", "units", "skew"), SETTINGS)
def test_the_conflict_share_of_open_arrivals_is_x_over_1_plus_x(
    rate: float, service: float, units: int, skew: float
) -> None:
    count = 3000
    counts = ran(counters(), UNIT, bumps(units, skew, count=count, per_second=rate, service_ms=service, tries=1))
    weights = [(number + 1) ** -skew for number in range(units)]
    loads = [rate / 1000 * service * weight / sum(weights) for weight in weights]
    expected = sum(weight / sum(weights) * x / (1 + x) for weight, x in zip(weights, loads, strict=True))

    error = sqrt(expected * (1 - expected) / count)
    assert counts.attempts == count
    assert abs(counts.conflicts / count - expected) < 4 * error


@pytest.mark.slow
@pytest.mark.parametrize("units", [1, 2, 5])
def test_two_clients_in_lock_step_conflict_as_often_as_they_meet(units: int) -> None:
    count = 1500
    counts = ran(counters(), UNIT, bumps(units, count=count, clients=2, tries=1))

    expected = 1 / (2 * units)
    assert abs(counts.conflicts / count - expected) <= 4 * sqrt(expected * (1 - expected) / count) * (units > 1)


@pytest.mark.parametrize("clients", [2, 5, 10])
def test_all_but_one_of_the_clients_in_lock_step_conflict_on_one_unit(clients: int) -> None:
    counts = ran(counters(), UNIT, bumps(1, count=600, clients=clients, tries=1))

    assert counts.conflicts * clients == counts.attempts * (clients - 1)


def runs() -> list[tuple[Lab, tuple[Boundary, ...], Workload]]:
    """Return models with boundaries and a workload that makes all of them conflict."""
    model = kafka.model(quota=30)
    mix = {**model.workload.mix, model.lab.rules.draws["add_partitions"]: 10.0}
    busy = Workload(mix, count=500, per_second=1000.0)
    return [
        (courses(), tuple(ENROLLING), enrolments(300, per_second=600)),
        (model.lab, (*model.boundaries, Boundary("topic, written", ("owner", "topic"), "written")), busy),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("lab", "boundaries", "workload"), runs(), ids=["courses", "kafka"])
def test_the_figures_of_every_run_fit_together(lab: Lab, boundaries: tuple[Boundary, ...], workload: Workload) -> None:
    explanation = lab.explain(boundaries, workload)
    for number, boundary in enumerate(boundaries):
        counts = ran(lab, boundary, workload)

        assert counts.attempts == counts.appended + counts.conflicts
        assert counts.commands == (
            counts.appended + counts.refused + counts.unchanged + counts.gave_up + counts.unfoldable
        )
        assert counts.conflicts > 0
        assert counts.conflicts - counts.real <= counts.same_decision <= counts.conflicts
        assert counts.stale <= counts.exposed <= counts.appended
        if boundary.checks in ("units", "facts"):
            assert counts.exposed == counts.stale == counts.broken == counts.late == 0
        if boundary.checks == "facts":
            assert counts.real == counts.conflicts
        if all(cells[number].is_kept in (True, None) for cells in explanation.rows.values()):
            assert counts.exposed == 0


@pytest.mark.slow
def test_a_boundary_that_keeps_no_quota_exceeds_it_and_those_that_keep_it_do_not() -> None:
    broken: dict[str, int] = {}
    for seed in range(1, 5):
        model = kafka.model(count=400, quota=30)
        mix = {model.lab.rules.draws["add_partitions"]: 1.0}
        for boundary in model.boundaries:
            counts = ran(model.lab, boundary, Workload(mix, count=400, per_second=3000.0), seed)
            broken[boundary.name] = broken.get(boundary.name, 0) + bool(counts.broken)

    assert {name for name, runs in broken.items() if runs} == {
        "topic, one per transaction",
        "partition, one per transaction",
    }


def test_what_a_query_hits_a_unit_hits_and_what_a_unit_hits_the_system_hits() -> None:
    """On one history and one window; the runs themselves go different ways."""
    model = kafka.model(count=400)
    rules, workload = model.lab.rules, model.workload
    steps = decide_serially(rules, workload.plan(1))
    by_name = {boundary.name: Units(boundary) for boundary in model.boundaries}
    for units in by_name.values():
        for step in steps:
            units.know_all(step.reads)
    chain = [by_name[name] for name in ("a query per decision", "partition, all read", "topic, all read", "broker")]
    landed = [fact for step in steps for fact in step.facts]
    hits = 0
    for number, step in enumerate(steps):
        if step.facts:
            window = landed[number : number + 5]
            hit = [each.check(step.reads, [step.facts[0].event]).matches_any(window) for each in chain]
            assert hit == sorted(hit)
            hits += hit[0]
    assert hits > 10


@pytest.mark.slow
def test_one_unit_for_the_whole_system_has_a_ceiling_of_1() -> None:
    model = kafka.model(count=800)
    plan = model.workload.plan(1)
    steps = decide_serially(model.lab.rules, plan)
    ceilings = {
        boundary.name: shape_of(model.lab.rules, boundary, model.workload, plan, steps).ceiling
        for boundary in model.boundaries
    }

    assert ceilings["broker"] == pytest.approx(1.0)
    assert min(ceilings.values()) == ceilings["broker"]
    assert ceilings["topic, all read"] < ceilings["partition, all read"]


def test_independent_counters_have_a_ceiling_of_the_total_over_the_busiest() -> None:
    lab, workload = counters(), bumps(5, 1.0, count=500, per_second=1000.0)
    plan = workload.plan(1)
    shape = shape_of(lab.rules, UNIT, workload, plan, decide_serially(lab.rules, plan))

    assert shape.ceiling == pytest.approx(500 / shape.loads[-1])


def totals(model: Any, boundary: Boundary, **numbers: Any) -> dict[str, Any]:
    """Return the counts of a run that do not measure time."""
    workload = Workload(model.workload.mix, count=300, **numbers)
    counts = ran(model.lab, boundary, workload)
    return {
        name: getattr(counts, name)
        for name in ("attempts", "appended", "conflicts", "real", "same_decision", "exposed", "stale", "folded")
    }


@pytest.mark.slow
@pytest.mark.parametrize("boundary", kafka.BOUNDARIES, ids=lambda boundary: boundary.name)
def test_other_names_of_topics_change_no_total(boundary: Boundary) -> None:
    numbers = {"per_second": 750.0}
    assert totals(kafka.model(), boundary, **numbers) == totals(kafka.model(prefix="other-"), boundary, **numbers)


@pytest.mark.slow
@pytest.mark.parametrize("boundary", kafka.BOUNDARIES, ids=lambda boundary: boundary.name)
def test_slower_service_and_fewer_arrivals_in_proportion_change_no_count(boundary: Boundary) -> None:
    model = kafka.model()
    slow = totals(model, boundary, per_second=187.5, service_ms=4.0, hop_ms=12.0)
    assert slow == totals(model, boundary, per_second=750.0, service_ms=1.0, hop_ms=3.0)
