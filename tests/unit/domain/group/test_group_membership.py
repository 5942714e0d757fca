"""The ConsumerGroup as a group of members: states, generations, fencing, static members, shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from support.domain import NOON, after

from odradek.testing import Scenario, given
from odradek_domain.group.assignors.kafka import BUILT_IN, MemberSubscription
from odradek_domain.group.errors import (
    FencedInstanceId,
    GroupNotEmpty,
    GroupNotFound,
    IllegalGeneration,
    InconsistentAssignors,
    RebalanceInProgress,
    UnknownMember,
)
from odradek_domain.group.group import ConsumerGroup
from odradek_domain.group.member import Claim, GroupState
from odradek_domain.values.committed_offsets import OffsetToCommit
from odradek_domain.values.positions import TopicPartition
from odradek_events.types import (
    GenerationStarted,
    GroupAssigned,
    GroupDeleted,
    MemberAssignment,
    MemberJoined,
    MemberLeft,
    OffsetCommitted,
    OffsetsExpired,
    RebalanceStarted,
    StaticMemberReplaced,
)

RANGE = ("range",)


def joined(member: str, *topics: str, assignors: tuple[str, ...] = RANGE, **fields: Any) -> MemberJoined:
    return MemberJoined(
        "g", member, f"c-{member}", topics or ("t",), assignors, 45_000, 300_000, "run-1", NOON, **fields
    )


def started(generation: int, *members: str, assignor: str = "range") -> GenerationStarted:
    return GenerationStarted("g", generation, assignor, members[0], members, NOON)


def assigned(generation: int, shares: Mapping[str, Sequence[int]]) -> GroupAssigned:
    given = (MemberAssignment(member, tuple(("t", number) for number in share)) for member, share in shares.items())
    return GroupAssigned("g", generation, tuple(given), NOON)


STABLE = (joined("a"), joined("b"), started(1, "a", "b"), assigned(1, {"a": [0, 1], "b": [2]}))


def group(*events: Any) -> Scenario[ConsumerGroup]:
    return given(ConsumerGroup("g"), *events)


def shares(aggregate: ConsumerGroup) -> dict[str, list[int]]:
    return {name: [number for _, number in member.partitions] for name, member in aggregate.members.items()}


def test_a_group_goes_through_the_states_of_a_rebalance() -> None:
    aggregate = ConsumerGroup("g")
    states = [aggregate.state]
    for event in (*STABLE, MemberLeft("g", "a", "it left", NOON), MemberLeft("g", "b", "it left", NOON)):
        aggregate.apply(event)
        states.append(aggregate.state)
    aggregate.apply(GroupDeleted("g", NOON))
    assert [state.value for state in [*states, aggregate.state]] == [
        "Empty",
        "PreparingRebalance",
        "PreparingRebalance",
        "CompletingRebalance",
        "Stable",
        "PreparingRebalance",
        "Empty",
        "Dead",
    ]


def test_the_generation_rises_with_every_rebalance_also_after_the_group_was_empty_or_deleted() -> None:
    events = [*STABLE, MemberLeft("g", "a", "", NOON), MemberLeft("g", "b", "", NOON), GroupDeleted("g", NOON)]
    group(*events, joined("x")).when(ConsumerGroup.begin_generation, NOON).then(started(2, "x"))


def test_a_known_member_that_rejoins_triggers_a_rebalance_of_a_stable_group() -> None:
    group(*STABLE).when(ConsumerGroup.join, joined("a"), "it let go").then(RebalanceStarted("g", "it let go", NOON))
    group(*STABLE, RebalanceStarted("g", "", NOON)).when(ConsumerGroup.join, joined("a")).then_nothing()


def test_a_follower_that_rejoins_unchanged_causes_no_event_unless_it_has_a_new_claim() -> None:
    group(*STABLE).when(ConsumerGroup.join, joined("b")).then_nothing()
    group(*STABLE).when(ConsumerGroup.join, joined("b"), "it let go", has_new_claim=True).then(
        RebalanceStarted("g", "it let go", NOON)
    )
    group(*STABLE[:-1]).when(ConsumerGroup.join, joined("a")).then_nothing()
    group(*STABLE[:-1]).when(ConsumerGroup.join, joined("b"), has_new_claim=True).then_nothing()


def test_the_leader_of_a_generation_is_a_member_that_has_joined() -> None:
    aggregate = group(*STABLE, RebalanceStarted("g", "", NOON)).aggregate
    assert aggregate.begin_generation(NOON, {"b"}) == GenerationStarted("g", 2, "range", "b", ("a", "b"), NOON)
    assert aggregate.begin_generation(NOON, {"a", "b"}).leader == "a"


def test_a_member_that_changes_its_subscription_keeps_its_place_and_partitions() -> None:
    scenario = group(*STABLE).when(ConsumerGroup.join, joined("a", "u")).then(joined("a", "u"))
    assert list(scenario.aggregate.members) == ["a", "b"]
    assert shares(scenario.aggregate)["a"] == [0, 1]
    assert scenario.aggregate.state is GroupState.PREPARING_REBALANCE


def test_members_without_an_assignor_in_common_are_refused() -> None:
    both = joined("a", assignors=("range", "sticky"))
    group(both).when(ConsumerGroup.join, joined("b", assignors=("sticky",))).then(joined("b", assignors=("sticky",)))
    group(both).when(ConsumerGroup.join, joined("b", assignors=("roundrobin",))).then_raises(
        InconsistentAssignors, group="g", assignors=("roundrobin",), common=("range", "sticky")
    )
    group(both).when(ConsumerGroup.join, joined("a", assignors=("roundrobin",))).then(
        joined("a", assignors=("roundrobin",))
    )


@pytest.mark.parametrize("others", [(), STABLE], ids=["empty", "stable"])
def test_a_member_without_any_assignor_is_refused(others: tuple[Any, ...]) -> None:
    group(*others).when(ConsumerGroup.join, joined("x", assignors=())).then_raises(
        InconsistentAssignors, group="g", assignors=(), common=()
    )


@pytest.mark.parametrize(
    ("preferences", "elected"),
    [
        ([("range",), ("range",)], "range"),
        ([("range", "sticky"), ("sticky", "range"), ("sticky", "range")], "sticky"),
        ([("range", "sticky"), ("sticky", "range")], "range"),
        ([("roundrobin", "range", "sticky"), ("sticky", "range")], "range"),
    ],
)
def test_members_elect_an_assignor_that_all_support(preferences: list[tuple[str, ...]], elected: str) -> None:
    members = [joined(f"m{number}", assignors=wanted) for number, wanted in enumerate(preferences)]
    aggregate = group(*members).aggregate
    assert aggregate.begin_generation(NOON).assignor == elected


def test_the_leader_stays_the_leader_until_it_leaves() -> None:
    assert group(*STABLE, joined("c")).aggregate.begin_generation(NOON).leader == "a"
    assert group(*STABLE, MemberLeft("g", "a", "", NOON)).aggregate.begin_generation(NOON).leader == "b"


def test_the_elected_assignor_assigns_the_partitions() -> None:
    aggregate = group(joined("b"), joined("a"), started(1, "b", "a")).aggregate
    event = aggregate.assign(BUILT_IN["range"], {}, {"t": 3, "unread": 5}, NOON)
    assert event == assigned(1, {"b": [2], "a": [0, 1]})


def test_patterns_are_matched_whole_and_by_the_group() -> None:
    aggregate = group(joined("a", "x", pattern="t.*"), started(1, "a")).aggregate
    event = aggregate.assign(BUILT_IN["range"], {}, {"t": 1, "t2": 1, "at": 1}, NOON)
    assert event.assignments[0].partitions == (("t", 0), ("t2", 0))
    assert (aggregate.has_patterns, aggregate.reads("t9"), aggregate.reads("9t")) == (True, True, False)


COOPERATIVE = ("cooperative-sticky",)


def test_a_partition_that_a_cooperative_member_still_owns_is_withheld() -> None:
    members = [joined("a", assignors=COOPERATIVE), joined("b", assignors=COOPERATIVE)]
    aggregate = group(*members, started(2, "a", "b", assignor="cooperative-sticky")).aggregate
    held = Claim(tuple(TopicPartition("t", number) for number in range(4)), 1, is_held=True)
    counts = {"t": 4}

    first = aggregate.assign(BUILT_IN["cooperative-sticky"], {"a": held}, counts, NOON)
    aggregate.apply(first)
    assert {name: len(share) for name, share in shares(aggregate).items()} == {"a": 2, "b": 0}

    kept = Claim(tuple(TopicPartition("t", number) for number in shares(aggregate)["a"]), 2, is_held=True)
    aggregate.apply(aggregate.assign(BUILT_IN["cooperative-sticky"], {"a": kept}, counts, NOON))
    assert {name: len(share) for name, share in shares(aggregate).items()} == {"a": 2, "b": 2}
    assert shares(aggregate)["a"] == [number for _, number in kept.partitions]


def test_partitions_that_an_eager_member_released_are_not_withheld() -> None:
    members = [joined("a", assignors=("range", *COOPERATIVE)), joined("b", assignors=COOPERATIVE)]
    aggregate = group(*members, started(2, "a", "b", assignor="cooperative-sticky")).aggregate
    had = Claim(tuple(TopicPartition("t", number) for number in range(4)), 1)
    aggregate.apply(aggregate.assign(BUILT_IN["cooperative-sticky"], {"a": had}, {"t": 4}, NOON))
    assert {name: len(share) for name, share in shares(aggregate).items()} == {"a": 2, "b": 2}


def test_a_leaders_own_assignment_is_opaque_to_the_group() -> None:
    aggregate = group(joined("a"), joined("b"), started(1, "a", "b")).aggregate
    aggregate.apply(aggregate.assign_opaque({"a": b"\x00\x01"}, NOON))
    assert [(member.partitions, member.opaque) for member in aggregate.members.values()] == [
        ((), b"\x00\x01"),
        ((), b""),
    ]
    assert aggregate.state is GroupState.STABLE


# -- fencing -----------------------------------------------------------------------------------------------------------


def test_unknown_members_and_old_generations_are_fenced() -> None:
    aggregate = group(*STABLE).aggregate
    assert aggregate.require_member("a", 1).member_id == "a"
    with pytest.raises(UnknownMember):
        aggregate.require_member("zombie", 1)
    for generation in (0, 2, -1):
        with pytest.raises(IllegalGeneration):
            aggregate.require_member("a", generation)
        with pytest.raises(IllegalGeneration):
            aggregate.require_commit("a", generation)


def test_only_a_heartbeat_says_that_a_member_must_rejoin() -> None:
    for events, is_over in ((STABLE, False), (STABLE[:3], False), ((*STABLE, joined("c")), True)):
        aggregate = group(*events).aggregate
        if is_over:
            with pytest.raises(RebalanceInProgress):
                aggregate.require_stable("a", 1)
        else:
            aggregate.require_stable("a", 1)


def test_members_may_commit_before_the_next_generation_and_after_its_assignment() -> None:
    rebalancing = (*STABLE, joined("c"))
    group(*rebalancing).aggregate.require_commit("a", 1)
    begun = group(*rebalancing, started(2, "a", "b", "c")).aggregate
    with pytest.raises(IllegalGeneration):
        begun.require_commit("a", 1)
    with pytest.raises(RebalanceInProgress):
        begun.require_commit("a", 2)


def test_a_non_member_may_commit_only_while_the_group_is_empty() -> None:
    group().aggregate.require_commit("", -1)
    with pytest.raises(UnknownMember):
        group(*STABLE).aggregate.require_commit("", -1)
    with pytest.raises(UnknownMember):
        group().aggregate.require_commit("zombie", 1)


# -- static members ----------------------------------------------------------------------------------------------------

STATIC = (joined("a", instance_id="i"), joined("b"), started(1, "a", "b"), assigned(1, {"a": [0, 1], "b": [2]}))


def test_a_returning_static_member_keeps_its_partitions_without_a_rebalance() -> None:
    replaced = StaticMemberReplaced("g", "i", "a", "a2", "c-a2", NOON)
    scenario = group(*STATIC).when(ConsumerGroup.join, joined("a2", instance_id="i")).then(replaced)
    aggregate = scenario.aggregate
    assert (aggregate.state, aggregate.leader, list(aggregate.members)) == (GroupState.STABLE, "a2", ["a2", "b"])
    assert shares(aggregate) == {"a2": [0, 1], "b": [2]}


def test_a_returning_static_member_with_another_subscription_triggers_a_rebalance() -> None:
    new = joined("a2", "u", instance_id="i")
    replaced = StaticMemberReplaced("g", "i", "a", "a2", "c-a2", NOON)
    scenario = group(*STATIC).when(ConsumerGroup.join, new).then(replaced, new)
    assert scenario.aggregate.state is GroupState.PREPARING_REBALANCE
    assert scenario.aggregate.members["a2"].topics == ("u",)


BROAD = ("range", "sticky")


def test_a_returning_static_member_with_fewer_assignors_keeps_the_elected_one() -> None:
    before = (
        joined("a", assignors=BROAD, instance_id="i"),
        joined("b", assignors=BROAD),
        started(1, "a", "b"),
        assigned(1, {"a": [0, 1], "b": [2]}),
    )
    kept = StaticMemberReplaced("g", "i", "a", "a2", "c-a2", NOON, ("range",))
    scenario = group(*before).when(ConsumerGroup.join, joined("a2", instance_id="i")).then(kept)
    assert scenario.aggregate.state is GroupState.STABLE
    assert scenario.aggregate.members["a2"].assignors == ("range",)

    other = joined("a2", assignors=("sticky",), instance_id="i")
    replaced = StaticMemberReplaced("g", "i", "a", "a2", "c-a2", NOON)
    group(*before).when(ConsumerGroup.join, other).then(replaced, other)
    reads_more = joined("a2", "t", "u", instance_id="i")
    group(*before).when(ConsumerGroup.join, reads_more).then(replaced, reads_more)


def test_the_former_member_id_of_a_static_member_is_fenced() -> None:
    aggregate = group(*STATIC, StaticMemberReplaced("g", "i", "a", "a2", "c", NOON)).aggregate
    aggregate.require_member("a2", 1, "i")
    with pytest.raises(FencedInstanceId):
        aggregate.require_member("a", 1, "i")
    with pytest.raises(FencedInstanceId):
        aggregate.require_commit("a", 1, "i")
    with pytest.raises(UnknownMember):
        aggregate.require_member("a", 1)


def test_an_instance_id_that_no_member_has_is_refused() -> None:
    aggregate = group(*STATIC).aggregate
    for member in ("a", "b"):
        with pytest.raises(UnknownMember):
            aggregate.require_member(member, 1, "unknown")
    with pytest.raises(FencedInstanceId):
        aggregate.require_commit("b", 1, "i")


# -- leaving, offsets, the end -----------------------------------------------------------------------------------------


def test_a_non_member_cannot_leave() -> None:
    group(*STABLE).when(ConsumerGroup.leave, ["zombie"], "it left", NOON).then_nothing()
    group(*STABLE).when(ConsumerGroup.leave, ["b", "b2"], "it left", NOON).then(MemberLeft("g", "b", "it left", NOON))


def test_a_consumer_that_joins_without_its_member_id_replaces_its_former_member() -> None:
    again = msgspec.structs.replace(joined("b2"), consumer_id="c-b")
    left = MemberLeft("g", "b", "its consumer joined again", NOON)
    scenario = group(*STABLE).when(ConsumerGroup.join, again).then(left, again)
    assert list(scenario.aggregate.members) == ["a", "b2"]


def test_members_of_an_earlier_run_are_known_as_such() -> None:
    later = msgspec.structs.replace(joined("c"), run_id="run-2")
    aggregate = group(*STABLE, later).aggregate
    assert (aggregate.ghosts("run-2"), aggregate.ghosts("run-1")) == (["a", "b"], ["c"])


def test_the_members_of_a_consumer_do_not_include_static_ones() -> None:
    aggregate = group(*STATIC).aggregate
    assert (aggregate.members_of("c-a"), aggregate.members_of("c-b")) == ([], ["b"])


def commit(offset: int) -> OffsetCommitted:
    return OffsetCommitted("group/g", "t", "t-1", 0, offset, after(5))


def test_offsets_are_reset_deleted_and_the_group_deleted_only_without_members() -> None:
    wanted = OffsetToCommit("t", 0, "t-1", 1)
    for decide, *arguments in (
        (ConsumerGroup.reset_offsets, [wanted], NOON, "operator"),
        (ConsumerGroup.reset_offsets, [], NOON, "operator"),
        (ConsumerGroup.delete_offsets, [TopicPartition("t", 0)], NOON),
        (ConsumerGroup.delete, NOON),
    ):
        group(*STABLE, commit(3)).when(decide, *arguments).then_raises(GroupNotEmpty, group="g", members=2)


def test_deleted_offsets_are_removed_and_missing_ones_cause_no_event() -> None:
    places = [TopicPartition("t", 0), TopicPartition("t", 1)]
    deleted = group(commit(3)).when(ConsumerGroup.delete_offsets, places, NOON)
    scenario = deleted.then(OffsetsExpired("group/g", (("t", 0),), "deleted", NOON))
    assert scenario.aggregate.committed.all() == ()
    scenario.when(ConsumerGroup.delete_offsets, places, NOON).then_nothing()


def test_offsets_expire_when_the_group_was_idle_for_long_enough() -> None:
    gone = (*STABLE, commit(3), MemberLeft("g", "a", "", after(10)), MemberLeft("g", "b", "", after(10)))
    retention = timedelta(seconds=60)
    group(*STABLE, commit(3)).when(ConsumerGroup.expire_offsets, retention, after(1000)).then_nothing()
    group(*gone).when(ConsumerGroup.expire_offsets, retention, after(69)).then_nothing()
    group(*gone).when(ConsumerGroup.expire_offsets, retention, after(70)).then(
        OffsetsExpired("group/g", (("t", 0),), "the group was idle", after(70))
    )


def test_a_commit_without_members_restarts_the_idle_time() -> None:
    group(commit(3)).when(ConsumerGroup.expire_offsets, timedelta(seconds=60), after(64)).then_nothing()


def test_a_deleted_group_does_not_exist_until_a_consumer_joins_or_commits() -> None:
    scenario = group(commit(3)).when(ConsumerGroup.delete, NOON).then(GroupDeleted("g", NOON))
    aggregate = scenario.aggregate
    assert (aggregate.exists, aggregate.committed.all()) == (False, ())
    scenario.when(ConsumerGroup.delete, NOON).then_raises(GroupNotFound, group="g")
    aggregate.apply(joined("a"))
    assert aggregate.exists


def test_a_group_without_joins_and_commits_does_not_exist() -> None:
    group().when(ConsumerGroup.delete, NOON).then_raises(GroupNotFound, group="g")


def test_a_snapshot_gives_the_same_group_back_byte_for_byte() -> None:
    aggregate = group(*STATIC, commit(3)).aggregate
    encoded = msgspec.json.encode(aggregate.snapshot())
    assert encoded == (
        b'{"group_id":"g","version":4,"committed":[["t",0,"t-1",3,""]],"state":"Stable","generation":1,'
        b'"assignor":"range","leader":"a","members":['
        b'{"member_id":"a","consumer_id":"c-a","topics":["t"],"assignors":["range"],"session_timeout_ms":45000,'
        b'"rebalance_timeout_ms":300000,"run_id":"run-1","pattern":null,"instance_id":"i","partitions":[["t",0],["t",1]],"opaque":""},'
        b'{"member_id":"b","consumer_id":"c-b","topics":["t"],"assignors":["range"],"session_timeout_ms":45000,'
        b'"rebalance_timeout_ms":300000,"run_id":"run-1","pattern":null,"instance_id":null,"partitions":[["t",2]],"opaque":""}],'
        b'"idle_since":null}'
    )
    decoded = msgspec.json.decode(encoded, type=type(aggregate.snapshot()))
    assert ConsumerGroup.restore(decoded).snapshot() == aggregate.snapshot()


def test_a_custom_assignor_that_assigns_a_partition_twice_is_refused() -> None:
    class Generous:
        name = "generous"
        is_cooperative = False

        def assign(
            self, members: Sequence[MemberSubscription], partition_counts: Mapping[str, int]
        ) -> Mapping[str, tuple[TopicPartition, ...]]:
            return {member.member_id: (TopicPartition("t", 0),) for member in members}

    aggregate = group(joined("a"), joined("b"), started(1, "a", "b")).aggregate
    with pytest.raises(Exception, match="t/0"):
        aggregate.assign(Generous(), {}, {"t": 1}, NOON)
