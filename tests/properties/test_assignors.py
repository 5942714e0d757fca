"""For any group: each partition has one owner, assignments are balanced, and no partition moves unnecessarily."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, cycle

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from odradek_domain.group.assignors.kafka import (
    BUILT_IN,
    MemberSubscription,
    checked_assignment,
    in_assignment_order,
    withhold_owned,
)
from odradek_domain.values.positions import TopicPartition

Target = Mapping[str, tuple[TopicPartition, ...]]
Group = tuple[list[MemberSubscription], dict[str, int]]

TOPICS = "abcd"
MISSING = "x"
ASSIGNORS = st.sampled_from(sorted(BUILT_IN))
STICKY = BUILT_IN["cooperative-sticky"]

# Built once, because building them for each example takes as long as the example itself.
SUBSCRIPTIONS = st.lists(st.sampled_from([*TOPICS, MISSING]), max_size=5).map(tuple)
COUNTS = st.lists(st.tuples(st.sampled_from(TOPICS), st.integers(0, 6)), max_size=4, unique_by=lambda item: item[0])
NAMES = st.lists(st.sampled_from("mnopqrst"), max_size=7, unique=True)
INSTANCES = st.sampled_from([None, None, "i1", "i2", "i3"])
CLAIMED = st.lists(
    st.sampled_from([TopicPartition(topic, number) for topic in (*TOPICS, MISSING) for number in range(7)]), max_size=8
).map(tuple)
GENERATIONS = st.integers(-1, 2)


@st.composite
def groups(draw: st.DrawFn, *, alike: bool | None = None, claims: str = "any") -> Group:
    """Draw a group; `alike`: all members have the same topics; `claims`: "none", "right" (one owner each) or "any"."""
    counts = dict(draw(COUNTS))
    same = draw(SUBSCRIPTIONS) if alike or (alike is None and draw(st.booleans())) else None
    members = [
        MemberSubscription(name, draw(SUBSCRIPTIONS) if same is None else same, draw(INSTANCES)) for name in draw(NAMES)
    ]
    if claims == "right":
        members = draw(rightly_claimed(members, counts))
    elif claims == "any":
        members = [replace(one, owned=draw(CLAIMED), owned_generation=draw(GENERATIONS)) for one in members]
    return members, counts


@st.composite
def rightly_claimed(
    draw: st.DrawFn, members: list[MemberSubscription], counts: dict[str, int]
) -> list[MemberSubscription]:
    """Give each partition at most one owner, as in a previous assignment, with some members owning many more."""
    owned: dict[str, list[TopicPartition]] = {one.member_id: [] for one in members}
    for partition in existing(counts):
        readers: list[str | None] = [one.member_id for one in members if partition.topic in one.topics]
        owner = draw(st.sampled_from([*readers, *readers[:1] * 3, None]))
        if owner is not None:
            owned[owner].append(partition)
    return holding(members, {name: tuple(partitions) for name, partitions in owned.items()}, 1)


def holding(members: Sequence[MemberSubscription], given_to: Target, generation: int) -> list[MemberSubscription]:
    """Return the members as they rejoin with the partitions assigned to them in a generation."""
    return [replace(one, owned=given_to[one.member_id], owned_generation=generation) for one in members]


def existing(counts: Mapping[str, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for topic in sorted(counts) for partition in range(counts[topic])]


def rightful(members: Sequence[MemberSubscription], counts: Mapping[str, int]) -> dict[TopicPartition, str]:
    """Return the owner of each partition: the member with the only newest claim that still subscribes to it."""
    owners = {}
    for partition in existing(counts):
        claims = [one for one in members if partition in one.owned]
        newest = [one for one in claims if one.owned_generation == max(each.owned_generation for each in claims)]
        if len(newest) == 1 and partition.topic in newest[0].topics:
            owners[partition] = newest[0].member_id
    return owners


def owner_of_each(target: Target) -> dict[TopicPartition, str]:
    return {partition: name for name, partitions in target.items() for partition in partitions}


def is_balanced(target: Target, members: Sequence[MemberSubscription]) -> bool:
    """Say whether no partition could move to a subscribed member that has at least two fewer."""
    return not any(
        partition.topic in other.topics and len(target[other.member_id]) + 2 <= len(partitions)
        for partitions in target.values()
        for partition in partitions
        for other in members
    )


@given(groups(), ASSIGNORS)
def test_each_subscribed_partition_has_one_owner_that_subscribes_to_it(group: Group, name: str) -> None:
    members, counts = group
    target = BUILT_IN[name].assign(members, counts)
    assert set(target) == {one.member_id for one in members}
    read = {topic for one in members for topic in one.topics}
    assert Counter(partition for partitions in target.values() for partition in partitions) == Counter(
        partition for partition in existing(counts) if partition.topic in read
    )
    assert all(partition.topic in one.topics for one in members for partition in target[one.member_id])
    assert all(list(partitions) == sorted(partitions) for partitions in target.values())
    checked_assignment(name, target, members, counts)


@given(groups(), ASSIGNORS, st.data())
def test_assignments_do_not_depend_on_the_order_of_the_input(group: Group, name: str, data: st.DataObject) -> None:
    members, counts = group
    otherwise = [
        replace(one, topics=one.topics[::-1], owned=one.owned[::-1]) for one in data.draw(st.permutations(members))
    ]
    backwards = dict(reversed(counts.items()))
    assert BUILT_IN[name].assign(otherwise, backwards) == BUILT_IN[name].assign(members, counts)


@given(groups())
def test_range_assigns_contiguous_partitions_and_the_first_members_get_one_more(group: Group) -> None:
    members, counts = group
    target = BUILT_IN["range"].assign(members, counts)
    for topic, count in counts.items():
        readers = [one.member_id for one in in_assignment_order(members) if topic in one.topics]
        shares = [[number for name, number in target[reader] if name == topic] for reader in readers]
        assert list(chain.from_iterable(shares)) == (list(range(count)) if readers else [])
        sizes = [len(share) for share in shares]
        assert sizes == sorted(sizes, reverse=True)
        assert not sizes or sizes[0] - sizes[-1] <= 1


@given(groups())
def test_roundrobin_skips_members_that_do_not_subscribe_to_the_topic(group: Group) -> None:
    members, counts = group
    read = {topic for one in members for topic in one.topics}
    circle = cycle(in_assignment_order(members))
    dealt: dict[str, list[TopicPartition]] = {one.member_id: [] for one in members}
    for partition in existing(counts):
        if partition.topic in read:
            reader = next(one for one in circle if partition.topic in one.topics)
            dealt[reader.member_id].append(partition)
    target = BUILT_IN["roundrobin"].assign(members, counts)
    assert {name: list(partitions) for name, partitions in target.items()} == dealt


@given(groups())
def test_sticky_leaves_no_partition_that_could_move_to_a_member_with_two_fewer(group: Group) -> None:
    members, counts = group
    assert is_balanced(STICKY.assign(members, counts), members)


@given(groups(alike=True), ASSIGNORS.filter(lambda name: name != "range"))
def test_members_with_equal_subscriptions_differ_by_at_most_one_partition(group: Group, name: str) -> None:
    members, counts = group
    loads = [len(partitions) for partitions in BUILT_IN[name].assign(members, counts).values()]
    assert not loads or max(loads) - min(loads) <= 1


@given(st.sampled_from(["any", "right"]).flatmap(lambda claims: groups(alike=True, claims=claims)))
def test_members_with_equal_subscriptions_keep_as_many_partitions_as_balance_allows(group: Group) -> None:
    members, counts = group
    had = rightful(members, counts)
    target = STICKY.assign(members, counts)
    kept = sum(had.get(partition) == name for partition, name in owner_of_each(target).items())
    if members:
        each, more = divmod(sum(map(len, target.values())), len(members))
        loads = Counter(had.values()).values()
        assert kept == sum(min(load, each) for load in loads) + min(more, sum(load > each for load in loads))


@given(groups(), st.integers(0, 5))
def test_sticky_changes_nothing_that_is_balanced_and_complete(group: Group, generation: int) -> None:
    members, counts = group
    for name in ("range", "roundrobin", "sticky"):
        before = BUILT_IN[name].assign(members, counts)
        if is_balanced(before, members):
            assert STICKY.assign(holding(members, before, generation), counts) == before


@given(groups(alike=True), st.data())
def test_when_members_leave_no_partition_moves_between_remaining_members(group: Group, data: st.DataObject) -> None:
    members, counts = group
    before = STICKY.assign(members, counts)
    stay = [one for one in holding(members, before, 3) if data.draw(st.booleans())]
    after = STICKY.assign(stay, counts)
    assert all(set(before[one.member_id]) <= set(after[one.member_id]) for one in stay)


@given(groups(alike=True), st.integers(0, 3))
def test_when_members_join_partitions_move_only_to_new_members(group: Group, newcomers: int) -> None:
    members, counts = group
    before = STICKY.assign(members, counts)
    new = [MemberSubscription(f"new-{number}", members[0].topics) for number in range(newcomers) if members]
    after = STICKY.assign([*holding(members, before, 3), *new], counts)
    assert all(set(after[one.member_id]) <= set(before[one.member_id]) for one in members)


@given(groups(), ASSIGNORS)
def test_a_claim_of_an_older_generation_is_ignored(group: Group, name: str) -> None:
    members, counts = group
    newest: dict[TopicPartition, int] = {}
    for one in members:
        for partition in one.owned:
            newest[partition] = max(newest.get(partition, -1), one.owned_generation)
    without = [
        replace(one, owned=tuple(partition for partition in one.owned if newest[partition] == one.owned_generation))
        for one in members
    ]
    target = BUILT_IN[name].assign(members, counts)
    assert target == BUILT_IN[name].assign(without, counts)
    assert withhold_owned(target, members) == withhold_owned(target, without)


@given(groups(), ASSIGNORS)
def test_a_member_keeps_the_partitions_that_it_owns_and_is_to_have(group: Group, name: str) -> None:
    members, counts = group
    target = BUILT_IN[name].assign(members, counts)
    given_now = owner_of_each(withhold_owned(target, members))
    for partition, holder in rightful(members, counts).items():
        if partition in target[holder]:
            assert given_now[partition] == holder


@given(groups(), ASSIGNORS)
def test_a_partition_is_withheld_exactly_while_another_member_owns_it(group: Group, name: str) -> None:
    members, counts = group
    target = BUILT_IN[name].assign(members, counts)
    wanted, given_now = owner_of_each(target), owner_of_each(withhold_owned(target, members))
    assert given_now.items() <= wanted.items()
    for partition, name_of_new in wanted.items():
        holders = [one for one in members if partition in one.owned]
        newest = max((one.owned_generation for one in holders), default=-1)
        held_elsewhere = any(one.member_id != name_of_new and one.owned_generation == newest for one in holders)
        assert (partition not in given_now) == held_elsewhere


@given(groups(alike=True, claims="right"))
def test_a_cooperative_group_reaches_its_target_assignment_once_owners_revoke(group: Group) -> None:
    members, counts = group
    wanted = STICKY.assign(members, counts)
    rejoined = holding(members, withhold_owned(wanted, members), 2)
    assert STICKY.assign(rejoined, counts) == wanted
    assert withhold_owned(wanted, rejoined) == wanted


@given(st.sampled_from(["any", "right"]).flatmap(lambda claims: groups(claims=claims)))
def test_a_cooperative_group_reaches_balance_and_revokes_only_what_must_move(group: Group) -> None:
    members, counts = group
    for generation in range(3, 8):
        wanted = STICKY.assign(members, counts)
        given_now = withhold_owned(wanted, members)
        if given_now == wanted:
            break
        members = holding(members, given_now, generation)
    assert given_now == wanted
    assert is_balanced(wanted, members)
    assert STICKY.assign(holding(members, wanted, 9), counts) == wanted
