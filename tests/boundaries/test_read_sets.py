"""Read-sets: declared by class and field values, found by tags, and wrong ones refused at once."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from support.lab import Bumped, CourseOpened, Enrolled

from odradek import Query, QueryItem
from odradek_boundaries import InvalidReadSet, facts
from odradek_boundaries.read_sets import Fact, Selection, text_of
from odradek_events.types import GroupDeleted, MessageProduced, OffsetCommitted, PartitionsAdded, TopicCreated

AT = datetime(2000, 1, 1, tzinfo=UTC)


def test_a_read_set_is_the_query_that_a_program_would_pass_to_the_log() -> None:
    reads = facts(CourseOpened, Enrolled, course="c1") | facts(Enrolled, student="s1")

    assert reads.query == Query(
        (
            QueryItem(("LabCourseOpened", "LabEnrolled"), ("course:c1",)),
            QueryItem(("LabEnrolled",), ("student:s1",)),
        )
    )


def test_several_fields_of_one_tag_are_found_by_that_tag_alone() -> None:
    assert facts(MessageProduced, topic="orders", partition=3).query == Query(
        (QueryItem(("MessageProduced",), ("partition:orders/3",)),)
    )
    assert facts(OffsetCommitted, owner="group/g", topic="t", partition=0).query == Query(
        (QueryItem(("OffsetCommitted",), ("owner:group/g", "partition:t/0")),)
    )


def test_a_tag_may_be_computed_from_a_field_of_another_name() -> None:
    (template,) = facts(GroupDeleted, group_id="g").templates
    assert set(template.tags.values()) == {"group:g", "owner:group/g"}


def test_without_fields_a_read_set_has_all_facts_of_the_classes() -> None:
    assert facts(TopicCreated, PartitionsAdded).query == Query((QueryItem(("TopicCreated", "PartitionsAdded")),))


def test_equal_read_sets_are_one_object_so_that_states_can_be_kept_by_them() -> None:
    one = facts(CourseOpened, course="c1") | facts(Enrolled, student="s1")
    other = facts(CourseOpened, course="c1") | facts(Enrolled, student="s1")

    assert one is other
    assert one | facts(CourseOpened, course="c1") is one
    assert facts(Bumped, unit=1) is not facts(Bumped, unit=True)


def test_a_read_set_matches_what_the_log_matches() -> None:
    reads = facts(Enrolled, student="s1") | facts(CourseOpened, course="c1")

    assert reads.matches(Fact(Enrolled("c9", "s1")))
    assert reads.matches(Fact(CourseOpened("c1", 3)))
    assert not reads.matches(Fact(Enrolled("c1", "s2")))
    assert reads.matches_any([Fact(Enrolled("c1", "s2")), Fact(Enrolled("c1", "s1"))])


def test_a_selection_contains_what_lies_within_one_of_its_items() -> None:
    course = Selection(Query((QueryItem(("LabCourseOpened", "LabEnrolled"), ("course:c1",)),)))

    assert course.contains(facts(Enrolled, course="c1"))
    assert course.contains(facts(Enrolled, course="c1", student="s1"))
    assert not course.contains(facts(Enrolled, student="s1"))
    assert not course.contains(facts(Enrolled, course="c2"))
    assert Selection(Query((QueryItem(),))).contains(facts(TopicCreated))
    assert not facts(TopicCreated, topic="t").contains(facts(TopicCreated))
    assert facts(MessageProduced, topic="t").contains(facts(MessageProduced, topic="t", partition=1))


@pytest.mark.parametrize(
    ("classes", "fields", "words"),
    [
        ((Enrolled,), {"curse": "c1"}, r"Enrolled has no field 'curse'; use one of course, student in facts"),
        ((int,), {}, r"int is not an event; declare it with @event"),
        ((), {"course": "c1"}, r"selects nothing without an event class; name one"),
        (
            (CourseOpened,),
            {"seats": 3},
            r"no tag of CourseOpened finds it by seats; add a tag such as 'seats:\{seats\}'",
        ),
        ((MessageProduced,), {"partition": 3}, r"no tag of MessageProduced finds it by partition; .* other fields"),
        ((Enrolled,), {"course": ["c1"]}, r"field values that are hashable"),
    ],
)
def test_a_wrong_read_set_is_refused_in_one_sentence(
    classes: tuple[type, ...], fields: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidReadSet, match=words):
        facts(*classes, **fields)


def test_texts_leave_out_times_and_defaults() -> None:
    message = MessageProduced("t", 0, 7, "m", "p", 0, -1, AT, value=b"v")
    expected = (
        "MessageProduced(topic='t', partition=0, offset=7, message_id='m', producer_id='p', producer_epoch=0, "
        "sequence=-1, value=b'v')"
    )

    assert text_of(message) == expected
    assert repr(Fact(message)) == expected
    assert text_of(3) == "3"
    assert isinstance(message, msgspec.Struct)
