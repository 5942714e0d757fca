"""Boundaries: the units of facts and of read-sets, what each boundary checks, and boundaries of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from support.lab import Bump, CourseOpened, Enrol, Enrolled, bumps, counters, courses, enrolments, ran

from odradek import Query, QueryItem
from odradek_boundaries import Boundary, Facts, InvalidModel, Units, facts
from odradek_boundaries.models.kafka import life_cycle, messages
from odradek_boundaries.read_sets import Fact
from odradek_events.types import GroupDeleted, MessageProduced, OffsetCommitted, ProducerRegistered, TopicCreated

AT = datetime(2000, 1, 1, tzinfo=UTC)
COURSE = ("course", "student")
READS = facts(CourseOpened, Enrolled, course="c1") | facts(Enrolled, student="s1")
ENROLLED = Enrolled("c1", "s1")


def labels(boundary: Boundary, reads: Facts) -> list[str]:
    """Return the names of the units that a read-set lies in."""
    return [unit.label for unit in Units(boundary).units_of(reads)]


def checked(boundary: Boundary, reads: Facts, *events: Any) -> Query:
    """Return what the append of these events checks."""
    units = Units(boundary)
    units.know_all(reads)
    return units.check(reads, events).query


def test_the_first_kind_of_tag_that_a_fact_has_names_its_unit() -> None:
    units = Units(Boundary("topic", by=("owner", "topic")))
    committed = OffsetCommitted("group/g", "orders", "id", 0, 1, AT)

    assert units.unit_of(committed).label == "owner:group/g"
    assert units.unit_of(GroupDeleted("g", AT)).label == "owner:group/g"
    assert units.unit_of(TopicCreated("orders", "id", 1, AT)).label == "topic:orders"
    assert units.unit_of(ProducerRegistered("p", "p", 0, AT)).label == "the rest"
    assert Units(Boundary("broker")).unit_of(committed).label == "the system"


def test_a_read_set_lies_in_the_units_that_its_fields_fix() -> None:
    produce = life_cycle("orders") | messages("orders", 3)

    assert labels(Boundary("broker"), produce) == ["the system"]
    assert labels(Boundary("topic", by=("owner", "topic")), produce) == ["topic:orders"]
    assert labels(Boundary("partition", by=("partition", "topic")), produce) == ["topic:orders", "partition:orders/3"]


def test_a_read_set_that_fixes_no_unit_lies_in_every_unit_and_says_so() -> None:
    by_partition = Boundary("partition", by=("partition", "topic"))

    assert labels(Boundary("topic", by=("topic",)), facts(TopicCreated)) == ["every topic"]
    assert labels(by_partition, facts(MessageProduced, topic="orders")) == ["every partition of topic:orders"]
    assert labels(Boundary("course", by=("course",)), facts(Enrolled, student="s1")) == ["every course"]


def test_a_wildcard_is_checked_as_narrowly_as_its_read_set_allows() -> None:
    by_partition = Boundary("partition", by=("partition", "topic"))
    message = MessageProduced("orders", 0, 0, "m", "p", 0, -1, AT)

    assert checked(by_partition, facts(MessageProduced, topic="orders"), message) == Query(
        (QueryItem(("MessageProduced",), ("topic:orders",)),)
    )
    # a course is a unit with all its students: a check of the student's facts alone would be narrower than units
    assert checked(Boundary("course", by=("course",)), facts(Enrolled, student="s1"), ENROLLED) == Query(
        (QueryItem(("LabEnrolled",)),)
    )


def test_the_four_ways_to_check() -> None:
    whole = QueryItem(("LabCourseOpened", "LabEnrolled"), ("course:c1",))
    every = QueryItem(("LabCourseOpened", "LabEnrolled"))

    assert checked(Boundary("units", COURSE), READS, ENROLLED) == Query((whole, every))
    assert checked(Boundary("written", COURSE, "written"), READS, ENROLLED) == Query((whole,))
    assert checked(Boundary("unit", COURSE, "unit"), READS, ENROLLED, CourseOpened("c2", 1)) == Query((whole,))
    assert checked(Boundary("facts", (), "facts"), READS, ENROLLED) == READS.query
    assert checked(Boundary("system"), READS, ENROLLED) == Query((QueryItem(),))


def test_only_one_unit_per_transaction_splits_what_is_appended() -> None:
    found = [Fact(event) for event in (Enrolled("c1", "s1"), CourseOpened("c2", 1), Enrolled("c1", "s2"))]
    one, other, third = found

    assert Units(Boundary("unit", COURSE, "unit")).split(found) == [[one, third], [other]]
    for checks in ("units", "written", "facts"):
        assert Units(Boundary("b", COURSE, checks)).split(found) == [found]


def test_a_boundary_of_your_own_is_a_function_to_a_query() -> None:
    def course_only(reads: Facts, events: Sequence[Any]) -> Query:
        return Query((QueryItem(("LabEnrolled",), (f"course:{events[0].course}",)),))

    lab, workload = courses(), enrolments(200)
    mine = Boundary("course only", by=("course",), checks=course_only)
    counts = ran(lab, mine, workload)

    assert counts.appended + counts.refused + counts.gave_up == 200
    assert [row[0].is_kept for row in lab.explain([mine], workload).rows.values()] == [False]
    assert lab.compare([mine], workload).of("course only")[0].metrics["ceiling"] is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": ""}, "a boundary needs a name"),
        ({"name": "b", "by": "topic"}, r"by of boundary 'b' must be a tuple of kinds of tags; use by=\('topic',\)"),
        ({"name": "b", "checks": "everything"}, "must be one of units, written, unit, facts or a function"),
    ],
)
def test_a_wrong_boundary_is_refused_in_one_sentence(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidModel, match=words):
        Boundary(**arguments)


def test_a_boundary_by_a_tag_that_no_fact_has_is_refused() -> None:
    with pytest.raises(
        InvalidModel, match=r"is by 'curse', but no event has a tag 'curse:...'; the facts of the model have course"
    ):
        courses().compare([Boundary("b", by=("curse",))], enrolments(10))


def test_a_function_that_returns_no_query_is_refused() -> None:
    with pytest.raises(InvalidModel, match="the function of boundary 'b' must return a Query, not 3"):
        ran(counters(), Boundary("b", checks=lambda reads, events: 3), bumps(2, count=5, per_second=1.0))  # type: ignore[arg-type,return-value]  # the mistake under test


def test_a_command_without_a_decider_is_refused() -> None:
    with pytest.raises(InvalidModel, match=r"no decider is declared for Enrol.*@lab.decides\(Enrol, ...\)"):
        counters().rules.decider_of(Enrol("c", "s"))
    assert counters().rules.decider_of(Bump(1)).name == "Bump"
