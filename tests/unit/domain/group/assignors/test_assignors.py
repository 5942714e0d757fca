"""How partitions are shared out: tables worked out from each assignor's rules, claims, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, cast

import pytest

from odradek_domain.errors import DomainError
from odradek_domain.group.assignors.kafka import (
    BUILT_IN,
    Assignor,
    CooperativeStickyAssignor,
    InvalidAssignment,
    MemberSubscription,
    RangeAssignor,
    assignors_by_name,
    checked_assignment,
    in_assignment_order,
    withhold_owned,
)
from odradek_domain.values.positions import TopicPartition

Given = dict[str, tuple[TopicPartition, ...]]


def partitions(text: str) -> tuple[TopicPartition, ...]:
    """Read "a0 a1 b0"."""
    return tuple(TopicPartition(word[0], int(word[1:])) for word in text.split())


def member(
    name: str, topics: str, owned: str = "", generation: int = -1, instance: str | None = None
) -> MemberSubscription:
    """Return a member that reads the topics "a b"."""
    return MemberSubscription(name, tuple(topics.split()), instance, partitions(owned), generation)


def assignment_of(assignor: str, counts: Mapping[str, int], *members: MemberSubscription) -> dict[str, str]:
    """Return {"m1": "a0 a1"}, and that the answer is checked, sorted and in nobody's order."""
    answer = BUILT_IN[assignor].assign(members, counts)
    assert BUILT_IN[assignor].assign(members[::-1], counts) == answer
    assert all(list(given) == sorted(given) for given in answer.values())
    checked_assignment(assignor, answer, members, counts)
    return {name: " ".join(f"{topic}{number}" for topic, number in given) for name, given in answer.items()}


TABLE: list[tuple[str, dict[str, int], list[MemberSubscription], dict[str, str], dict[str, str]]] = [
    (
        "3 partitions, 2 members",
        {"a": 3},
        [member("m1", "a"), member("m2", "a")],
        {"m1": "a0 a1", "m2": "a2"},
        {"m1": "a0 a2", "m2": "a1"},
    ),
    (
        "10 partitions, 3 members",
        {"a": 10},
        [member("m1", "a"), member("m2", "a"), member("m3", "a")],
        {"m1": "a0 a1 a2 a3", "m2": "a4 a5 a6", "m3": "a7 a8 a9"},
        {"m1": "a0 a3 a6 a9", "m2": "a1 a4 a7", "m3": "a2 a5 a8"},
    ),
    (
        "several topics",
        {"b": 3, "a": 3},
        [member("m1", "a b"), member("m2", "b a")],
        {"m1": "a0 a1 b0 b1", "m2": "a2 b2"},
        {"m1": "a0 a2 b1", "m2": "a1 b0 b2"},
    ),
    (
        "different subscriptions",
        {"a": 1, "b": 2, "c": 3},
        [member("m1", "a"), member("m2", "a b"), member("m3", "a b c")],
        {"m1": "a0", "m2": "b0", "m3": "b1 c0 c1 c2"},
        {"m1": "a0", "m2": "b0", "m3": "b1 c0 c1 c2"},
    ),
    (
        "the circle passes those who do not read the topic and begins again",
        {"a": 3, "b": 2},
        [member("m1", "b"), member("m2", "a b"), member("m3", "a")],
        {"m1": "b0", "m2": "a0 a1 b1", "m3": "a2"},
        {"m1": "b0", "m2": "a0 a2 b1", "m3": "a1"},
    ),
    (
        "more members than partitions",
        {"a": 2},
        [member("m1", "a"), member("m2", "a"), member("m3", "a")],
        {"m1": "a0", "m2": "a1", "m3": ""},
        {"m1": "a0", "m2": "a1", "m3": ""},
    ),
    (
        "more members than partitions of each topic",
        {"a": 1, "b": 1},
        [member("m1", "a b"), member("m2", "a b"), member("m3", "a b")],
        {"m1": "a0 b0", "m2": "", "m3": ""},
        {"m1": "a0", "m2": "b0", "m3": ""},
    ),
    (
        "static members come first, by instance id",
        {"a": 4},
        [member("m0", "a"), member("m1", "a", instance="i2"), member("m2", "a", instance="i1")],
        {"m2": "a0 a1", "m1": "a2", "m0": "a3"},
        {"m2": "a0 a3", "m1": "a1", "m0": "a2"},
    ),
    (
        "a partition's number is no text",
        {"a": 11},
        [member("m1", "a"), member("m2", "a")],
        {"m1": "a0 a1 a2 a3 a4 a5", "m2": "a6 a7 a8 a9 a10"},
        {"m1": "a0 a2 a4 a6 a8 a10", "m2": "a1 a3 a5 a7 a9"},
    ),
    (
        "one topic is missing",
        {"a": 1},
        [member("m1", "a x"), member("m2", "x")],
        {"m1": "a0", "m2": ""},
        {"m1": "a0", "m2": ""},
    ),
    ("a topic has no reader", {"a": 1, "b": 2}, [member("m1", "a")], {"m1": "a0"}, {"m1": "a0"}),
    ("a topic has no partitions", {"a": 0, "b": 1}, [member("m1", "a b")], {"m1": "b0"}, {"m1": "b0"}),
    (
        "a topic is named twice",
        {"a": 2},
        [member("m1", "a a"), member("m2", "a")],
        {"m1": "a0", "m2": "a1"},
        {"m1": "a0", "m2": "a1"},
    ),
    ("no topics", {}, [member("m1", "a"), member("m2", "")], {"m1": "", "m2": ""}, {"m1": "", "m2": ""}),
    ("no members", {"a": 3}, [], {}, {}),
]
NAMES = [row[0] for row in TABLE]


@pytest.mark.parametrize(("counts", "members", "by_range", "in_a_circle"), [row[1:] for row in TABLE], ids=NAMES)
def test_range_and_roundrobin_follow_their_rules(
    counts: dict[str, int], members: list[MemberSubscription], by_range: dict[str, str], in_a_circle: dict[str, str]
) -> None:
    assert assignment_of("range", counts, *members) == by_range
    assert assignment_of("roundrobin", counts, *members) == in_a_circle


@pytest.mark.parametrize(("counts", "members"), [row[1:3] for row in TABLE], ids=NAMES)
def test_the_sticky_assignors_balance_unclaimed_partitions(
    counts: dict[str, int], members: list[MemberSubscription]
) -> None:
    sticky = assignment_of("sticky", counts, *members)
    assert sticky == assignment_of("cooperative-sticky", counts, *members)
    if len({one.topics for one in members}) == 1:
        assert sticky == assignment_of("roundrobin", counts, *members)


def test_members_are_in_order_of_instance_id_then_member_id() -> None:
    members = [member("b", "x"), member("z", "x", instance="i1"), member("a", "x"), member("c", "x", instance="i0")]
    assert [one.member_id for one in in_assignment_order(members)] == ["c", "z", "a", "b"]


def test_a_static_member_keeps_its_place_under_a_new_member_id() -> None:
    before = assignment_of("range", {"a": 4}, member("m1", "a", instance="i1"), member("m2", "a", instance="i2"))
    after = assignment_of("range", {"a": 4}, member("m9", "a", instance="i1"), member("m2", "a", instance="i2"))
    assert after["m9"] == before["m1"]


def test_a_member_that_joins_takes_as_few_as_balance_needs() -> None:
    before = (member("m1", "a", "a0 a1 a2"), member("m2", "a", "a3 a4"))
    given = assignment_of("sticky", {"a": 5}, *before, member("m3", "a"))
    assert given == {"m1": "a0 a1", "m2": "a3 a4", "m3": "a2"}


def test_a_member_that_joins_gets_some_of_each_topic_not_all_of_one() -> None:
    before = (member("m1", "a b c", "a0 a2 b0 b2 c0 c2"), member("m2", "a b c", "a1 a3 b1 b3 c1 c3"))
    given = assignment_of("sticky", {"a": 4, "b": 4, "c": 4}, *before, member("m3", "a b c"))
    assert given == {"m1": "a0 b0 b2 c0", "m2": "a1 b1 c1 c3", "m3": "a2 a3 b3 c2"}


def test_when_a_member_leaves_the_others_keep_what_they_have() -> None:
    given = assignment_of("sticky", {"a": 6}, member("m1", "a", "a0 a3"), member("m2", "a", "a1 a4"))
    assert given == {"m1": "a0 a2 a3", "m2": "a1 a4 a5"}


def test_a_new_partition_goes_to_the_member_with_the_fewest() -> None:
    given = assignment_of("sticky", {"a": 4}, member("m1", "a", "a0 a1"), member("m2", "a", "a2"))
    assert given == {"m1": "a0 a1", "m2": "a2 a3"}


def test_a_member_takes_over_partitions_of_topics_that_it_reads() -> None:
    given = assignment_of("sticky", {"a": 2, "b": 4}, member("m1", "a b", "a0 a1 b0 b1 b2 b3"), member("m2", "a"))
    assert given == {"m1": "b0 b1 b2 b3", "m2": "a0 a1"}


def test_a_member_passes_partitions_between_members_without_a_common_topic() -> None:
    # m1 and m3 have no topic in common: m2 gives to m3, and gets from m1 instead
    given = assignment_of(
        "sticky",
        {"a": 4, "c": 3},
        member("m1", "a", "a0 a1 a2 a3"),
        member("m2", "a c", "c0 c1 c2"),
        member("m3", "c"),
    )
    assert given == {"m1": "a0 a1 a2", "m2": "a3 c0", "m3": "c1 c2"}


def test_a_member_without_a_taker_gives_after_others_have_given() -> None:
    given = assignment_of(
        "sticky",
        {"a": 1, "b": 3, "c": 5},
        member("m1", "a b c", "a0 b0 b1 b2"),
        member("m2", "b c"),
        member("m3", "a b"),
        member("m4", "a"),
    )
    assert {name: len(partitions.split()) for name, partitions in given.items()} == {"m1": 3, "m2": 3, "m3": 2, "m4": 1}


def test_an_older_claim_loses() -> None:
    zombie, heir = member("m1", "a", "a0 a1", 3), member("m2", "a", "a1 a2", 4)
    assert assignment_of("sticky", {"a": 3}, zombie, heir) == {"m1": "a0", "m2": "a1 a2"}


def test_of_two_claims_of_one_generation_neither_counts() -> None:
    both = (member("m1", "a", "a0 a1", 3), member("m2", "a", "a1", 3), member("m3", "a", "a1", 2))
    assert assignment_of("sticky", {"a": 3}, *both) == {"m1": "a0", "m2": "a1", "m3": "a2"}


def test_claims_of_what_does_not_exist_or_is_not_read_do_not_count() -> None:
    given = assignment_of("sticky", {"a": 2, "b": 1}, member("m1", "a", "a1 a9 b0 x0 a1", 5), member("m2", "b a"))
    assert given == {"m1": "a0 a1", "m2": "b0"}


def test_an_older_claim_is_ignored_even_if_the_newer_claimant_does_not_read_the_topic() -> None:
    deserter, zombie = member("m1", "b", "a0", 5), member("m2", "a", "a0 a1", 4)
    given = assignment_of("sticky", {"a": 2, "b": 0}, deserter, zombie, member("m3", "a"))
    assert given == {"m1": "", "m2": "a1", "m3": "a0"}


@pytest.mark.parametrize("assignor", BUILT_IN)
def test_a_duplicate_member_is_refused(assignor: str) -> None:
    twice = [member("m1", "a"), member("m2", "a"), member("m1", "b", instance="i1")]
    with pytest.raises(ValueError, match="member 'm1' is listed twice; list each member once"):
        BUILT_IN[assignor].assign(twice, {"a": 2, "b": 2})


@pytest.mark.parametrize("assignor", BUILT_IN)
def test_empty_names_are_names_like_others(assignor: str) -> None:
    members = [MemberSubscription("", ("",), ""), MemberSubscription("m", ("",))]
    given = BUILT_IN[assignor].assign(members, {"": 2})
    assert given == {"": (TopicPartition("", 0),), "m": (TopicPartition("", 1),)}


def test_a_partition_that_another_member_still_owns_is_withheld() -> None:
    members = [member("m1", "a", "a0 a1 a2", 1), member("m2", "a")]
    target = BUILT_IN["cooperative-sticky"].assign(members, {"a": 4})
    assert target == {"m1": partitions("a0 a1"), "m2": partitions("a2 a3")}
    assert withhold_owned(target, members) == {"m1": partitions("a0 a1"), "m2": partitions("a3")}


def test_a_stale_claim_withholds_nothing() -> None:
    members = [member("m1", "a", "a0", 1), member("m2", "a", "a0", 2)]
    assert withhold_owned({"m1": (), "m2": partitions("a0")}, members) == {"m1": (), "m2": partitions("a0")}


def test_a_partition_that_two_members_claim_is_withheld_until_both_release_it() -> None:
    members = [member("m1", "a", "a0", 2), member("m2", "a", "a0", 2), member("m3", "a")]
    for target in ({"m1": partitions("a0")}, {"m2": partitions("a0")}, {"m3": partitions("a0")}):
        assert withhold_owned(target, members) == dict.fromkeys(target, ())


def test_a_partition_of_a_topic_that_its_owner_no_longer_reads_is_withheld() -> None:
    members = [member("m1", "b", "a0", 2), member("m2", "a")]
    assert withhold_owned({"m1": (), "m2": partitions("a0")}, members) == {"m1": (), "m2": ()}


class EverythingToTheFirst:
    """An assignor of somebody's own."""

    is_cooperative = False

    def __init__(self, name: str = "first") -> None:
        self.name = name

    def assign(
        self, members: Sequence[MemberSubscription], partition_counts: Mapping[str, int]
    ) -> Mapping[str, tuple[TopicPartition, ...]]:
        """Give everything to the first."""
        given: Given = {one.member_id: () for one in members}
        given[members[0].member_id] = tuple(
            TopicPartition(topic, partition) for topic, count in partition_counts.items() for partition in range(count)
        )
        return given


def test_the_built_in_assignors_have_kafkas_names() -> None:
    assert {name: assignor.is_cooperative for name, assignor in BUILT_IN.items()} == {
        "range": False,
        "roundrobin": False,
        "sticky": False,
        "cooperative-sticky": True,
    }
    assert all(assignor.name == name for name, assignor in BUILT_IN.items())


def test_own_assignors_stand_beside_the_built_in_ones() -> None:
    own = EverythingToTheFirst()
    assert assignors_by_name(iter([own])) == {**BUILT_IN, "first": own}
    assert assignors_by_name(()) == BUILT_IN
    assert "first" not in BUILT_IN


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ([EverythingToTheFirst("range")], "two assignors are named 'range'"),
        ([EverythingToTheFirst(), EverythingToTheFirst()], "two assignors are named 'first'"),
    ],
)
def test_two_assignors_with_one_name_are_refused(own: list[Assignor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assignors_by_name(own)


class NoDecision(EverythingToTheFirst):
    is_cooperative = cast("bool", None)


class NoMethod:
    name, is_cooperative = "nothing", True


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (EverythingToTheFirst(), "must be a list of assignors, not"),
        (None, "must be a list of assignors, not None"),
        (["range"], "'range' is not an assignor: its name must be a non-empty str, not None"),
        ([RangeAssignor], r"pass an instance, RangeAssignor\(\), not the class"),
        ([EverythingToTheFirst("")], "its name must be a non-empty str, not ''"),
        ([EverythingToTheFirst(cast("Any", 7))], "its name must be a non-empty str, not 7"),
        ([NoDecision()], "its is_cooperative must be True or False"),
        ([NoMethod()], "it has no method assign"),
    ],
)
def test_an_object_that_is_not_an_assignor_is_refused(own: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        assignors_by_name(cast("list[Assignor]", own))


READERS = (member("m1", "a"), member("m2", "b"))
COUNTS = {"a": 2, "b": 1, "c": 1}


def test_a_complete_assignment_passes() -> None:
    checked_assignment("own", {"m1": partitions("a1 a0"), "m2": partitions("b0")}, READERS, COUNTS)
    checked_assignment("own", {}, (), COUNTS)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "returned None instead of a mapping of member ids to partitions"),
        (
            {"m1": partitions("a0 a1"), "m2": partitions("b0"), "m3": ()},
            "assigned partitions to 'm3', which is not a member",
        ),
        ({"m1": partitions("a0 a1")}, "left out member 'm2', which must have at least ()"),
        ({"m1": "a0", "m2": ()}, "assigned 'm1' 'a0' instead of a tuple of partitions"),
        ({"m1": ("a0",), "m2": ()}, "assigned 'm1' 'a0', which is not a TopicPartition of a str and an int"),
        ({"m1": (("a", 0),), "m2": ()}, "assigned 'm1' ('a', 0), which is not a TopicPartition of a str and an int"),
        (
            {"m1": (TopicPartition("a", cast("int", 0.0)),), "m2": ()},
            "assigned 'm1' TopicPartition(topic='a', partition=0.0), which is not a TopicPartition of a str and an int",
        ),
        ({"m1": partitions("a0 a1 a0"), "m2": partitions("b0")}, "assigned a/0 to 'm1' and to 'm1'"),
        ({"m1": partitions("a0 a1 b0"), "m2": ()}, "assigned b/0 to 'm1', which does not read 'b'"),
        ({"m1": partitions("a0 a1 a2"), "m2": partitions("b0")}, "assigned a/2, which does not exist, to 'm1'"),
        ({"m1": partitions("a0"), "m2": partitions("b0")}, "did not assign a/1 to any member"),
        ({"m1": (), "m2": partitions("b0")}, "did not assign a/0 to any member"),
    ],
)
def test_a_wrong_assignment_is_refused_and_says_why(answer: object, problem: str) -> None:
    with pytest.raises(InvalidAssignment) as refusal:
        checked_assignment("own", cast("Given", answer), READERS, COUNTS)
    assert str(refusal.value) == f"assignor 'own' {problem}; fix it, or use another assignor"
    assert (refusal.value.assignor, refusal.value.problem) == ("own", problem)


def test_a_huge_wrong_answer_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidAssignment) as refusal:
        checked_assignment("own", cast("Given", {"m1": "x" * 10_000, "m2": ()}), READERS, COUNTS)
    assert len(str(refusal.value)) < 300


def test_one_partition_for_two_members_is_refused() -> None:
    readers = (member("m1", "a"), member("m2", "a"))
    with pytest.raises(InvalidAssignment, match="assigned a/0 to 'm1' and to 'm2'"):
        checked_assignment("own", {"m1": partitions("a0"), "m2": partitions("a0")}, readers, {"a": 1})


def test_a_partition_of_a_missing_topic_does_not_exist() -> None:
    with pytest.raises(InvalidAssignment, match="assigned x/0, which does not exist, to 'm1'"):
        checked_assignment("own", {"m1": partitions("x0")}, [member("m1", "x")], {"a": 1})


def test_an_invalid_assignment_is_a_domain_error_with_a_code_and_can_be_copied() -> None:
    refusal = InvalidAssignment("own", "did not assign a/0 to any member")
    assert isinstance(refusal, DomainError)
    assert (refusal.code, refusal.retriable) == ("invalid_assignment", False)
    assert (copy(refusal).args, vars(copy(refusal))) == (refusal.args, vars(refusal))


def test_a_custom_assignor_assigns_topics_that_all_read() -> None:
    members = (member("m1", "a"), member("m2", "a"))
    answer = EverythingToTheFirst().assign(members, {"a": 2})
    checked_assignment("first", answer, members, {"a": 2})
    assert withhold_owned(answer, members) == answer


def test_the_cooperative_assignor_is_a_sticky_one() -> None:
    assert isinstance(BUILT_IN["cooperative-sticky"], CooperativeStickyAssignor)
