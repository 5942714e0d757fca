"""Every model that is shipped: its read-sets are sound, and its boundaries keep and break what its text says."""

from __future__ import annotations

import msgspec
import pytest
from support.lab import ran

from odradek_boundaries import Boundary, Model, Workload
from odradek_boundaries.models import load_model, shipped

BREAKING = [
    ("bank", "account, one per transaction", "no_closed_account_has_money"),
    ("invoices", "customer, one per transaction", "every_number_is_given_once"),
    ("prices", "order, one per transaction", "nobody_pays_an_old_price"),
    ("shop", "customer or product, one per transaction", "nothing_is_oversold"),
    ("submissions", "order, one per transaction", "a_form_is_accepted_once"),
    ("usernames", "account, one per transaction", "no_name_is_taken_twice"),
]


def shortened(model: Model, count: int) -> Workload:
    """Return the model's workload with fewer commands."""
    return msgspec.structs.replace(model.workload, count=count)


def named(model: Model, name: str) -> Boundary:
    """Return a boundary of a model."""
    (found,) = (boundary for boundary in model.boundaries if boundary.name == name)
    return found


def test_ten_models_are_shipped() -> None:
    assert shipped() == sorted(
        [
            *("kafka", "bank", "shop", "smallbank"),
            *("courses", "invoices", "opt_in", "prices", "submissions", "usernames"),
        ]
    )


@pytest.mark.parametrize("name", shipped())
def test_the_declared_read_sets_are_sound(name: str) -> None:
    report = load_model(name).lab.check(histories=25)

    assert [each for each in report.decisions if not each.holds] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped())
def test_what_a_boundary_keeps_is_never_exposed_or_broken(name: str) -> None:
    model = load_model(name)
    explanation = model.lab.explain(model.boundaries, model.workload)
    keeps = [all(row[number].is_kept for row in explanation.rows.values()) for number in range(len(model.boundaries))]
    for boundary, is_kept in zip(model.boundaries, keeps, strict=True):
        counts = ran(model.lab, boundary, shortened(model, 150))
        assert counts.appended
        if is_kept:
            assert (counts.exposed, counts.stale, counts.broken, counts.late) == (0, 0, 0, 0)
    assert 2 <= sum(keeps) < len(keeps)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "boundary", "rule"), BREAKING)
def test_a_boundary_that_is_too_narrow_breaks_the_rule(name: str, boundary: str, rule: str) -> None:
    model = load_model(name)
    counts = ran(model.lab, named(model, boundary), model.workload)

    assert set(counts.broken_by_rule) == {rule}
    assert counts.story is not None
    assert (counts.story.what, bool(counts.story.group)) == (rule, True)


def test_orders_oversell_a_product_with_nothing_exposed_where_the_stock_follows_later() -> None:
    model = load_model("shop", {"customers": 10_000, "count": 600})
    order = model.lab.rules.draws["place_order"]
    slow = Workload({order: 1}, count=600, per_second=200.0, service_ms=0.01, hop_ms=30.0)
    counts = ran(model.lab, named(model, "customer or product, one per transaction"), slow)

    assert (counts.exposed, counts.stale) == (0, 0)
    assert counts.late > 0
    assert counts.broken > 0


@pytest.mark.parametrize(
    ("without", "is_exposed"), [((), True), (("write_check",), False), (("transact_savings",), False)]
)
def test_smallbank_is_exposed_under_snapshot_isolation_unless_a_command_is_left_out(
    without: tuple[str, ...], is_exposed: bool
) -> None:
    model = load_model("smallbank", {"without": without, "customers": 8, "count": 1000})
    counts = ran(model.lab, named(model, "account, written"), model.workload)

    assert bool(counts.exposed) is is_exposed
    assert counts.appended > 500
