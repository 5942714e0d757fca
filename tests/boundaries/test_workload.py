"""Workloads: drawn from a seed, saved as TOML, and refused if they measure nothing."""

from __future__ import annotations

from typing import Any

import pytest
from support.lab import Bump, bumps

from odradek_boundaries import Draw, InvalidWorkload, Workload
from odradek_boundaries.models import kafka


def draw_bump(r: Draw) -> Bump:
    """Draw a command."""
    return Bump(r.randrange(9))


def test_the_same_seed_draws_the_same_run() -> None:
    workload = bumps(5, count=200, per_second=100.0, service="exponential")

    assert workload.plan(3) == workload.plan(3)
    assert workload.plan(3) != workload.plan(4)


def test_commands_do_not_depend_on_arrivals_and_times() -> None:
    one = bumps(5, count=50, per_second=100.0).plan(1)
    other = bumps(5, count=50, clients=3, think_ms=2.0, service="exponential").plan(1)

    assert one.commands == other.commands
    assert other.arrivals_ms == []
    assert one.thinks_ms == [0.0] * 50


def test_means_are_those_asked_for() -> None:
    plan = bumps(5, count=20_000, per_second=250.0, service="exponential", service_ms=3.0).plan(1)
    closed = bumps(5, count=20_000, clients=2, think_ms=7.0).plan(1)

    assert plan.arrivals_ms[-1] / 20_000 == pytest.approx(4.0, rel=0.05)
    assert sum(plan.services_ms) / 20_000 == pytest.approx(3.0, rel=0.05)
    assert sum(closed.thinks_ms) / 20_000 == pytest.approx(7.0, rel=0.05)


def test_zipf_draws_the_first_numbers_most_often() -> None:
    draw = Draw("zipf")
    found = [draw.zipf(4, 1.0) for _ in range(20_000)]
    total = sum(1 / (k + 1) for k in range(4))

    for number in range(4):
        assert found.count(number) / 20_000 == pytest.approx(1 / (number + 1) / total, abs=0.015)
    assert {draw.zipf(1) for _ in range(9)} == {0}


def test_a_workload_is_saved_as_toml_and_read_again() -> None:
    model = kafka.model()
    text = model.workload.to_toml()

    assert "[mix]\nproduce = 70.0\ncommit = 25.0\n" in text
    assert Workload.from_toml(text, model.lab.rules.draws) == model.workload
    closed = Workload({draw_bump: 2}, clients=3, think_ms=1.5, retry_ms=0, service="exponential")
    assert Workload.from_toml(closed.to_toml(), {"draw_bump": draw_bump}) == closed


def test_what_cannot_be_saved_says_why() -> None:
    with pytest.raises(InvalidWorkload, match=r"has no name to save it under; declare a function with @lab.draw"):
        bumps(3, per_second=1.0).to_toml()
    with pytest.raises(InvalidWorkload, match="name its log again with --from-log"):
        Workload(recorded=((0.0, Bump(1)),)).to_toml()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("count = ", "is not TOML"),
        ("cuont = 3\n[mix]\ndraw_bump = 1", "unknown name 'cuont'; use one of count, per_second"),
        ("per_second = 1\n[mix]\ndrawbump = 1", "unknown name 'drawbump'; use one of draw_bump"),
        ("mix = 3", r"write it as \[mix\]"),
        ("per_second = 'fast'\n[mix]\ndraw_bump = 1", "per_second must be a number"),
        ("per_second = 1\ncount = 1.5\n[mix]\ndraw_bump = 1", "count must be a whole number"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(InvalidWorkload, match=words):
        Workload.from_toml(text, {"draw_bump": draw_bump})


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"mix": {}, "per_second": 1}, "the mix of the workload is empty"),
        ({"count": 0, "per_second": 1}, "count must be a whole number of at least 1, not 0"),
        ({"count": 10**9, "per_second": 1}, "count must be at most"),
        ({}, "give per_second or clients, and not both"),
        ({"per_second": 1, "clients": 2}, "give per_second or clients, and not both"),
        ({"per_second": 0}, "per_second must be a number of at least"),
        ({"per_second": float("inf")}, "per_second must be a number"),
        ({"per_second": float("nan")}, "per_second must be a number"),
        ({"clients": 1.5}, "clients must be a whole number"),
        ({"clients": True}, "clients must be a whole number"),
        ({"per_second": 1, "service_ms": 0}, "service_ms must be a number of at least"),
        ({"per_second": 1, "hop_ms": -1}, "hop_ms must be a number of at least 0, not -1"),
        ({"per_second": 1, "tries": 0}, "tries must be a whole number of at least 1"),
        ({"per_second": 1, "service": "slow"}, "service must be 'fixed' or 'exponential', not 'slow'"),
        ({"per_second": 1, "mix": {draw_bump: -1}}, "weights of the mix must be 0 or more"),
        ({"per_second": 1, "mix": {draw_bump: 0}}, "one of them above 0"),
    ],
)
def test_a_workload_that_measures_nothing_is_refused(numbers: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidWorkload, match=words):
        Workload(**{"mix": {draw_bump: 1}, **numbers})
