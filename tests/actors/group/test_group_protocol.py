"""The group's side of Kafka's classic protocol, driven message by message, with the facts of Kafka's own tests."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from support.groups import reasons, until

from odradek_actors.client.system import ActorSystem
from odradek_actors.messages.groups import (
    CommitGroupOffsets,
    Heartbeat,
    JoinGroup,
    JoinResult,
    LeaveGroup,
    SyncGroup,
    SyncResult,
)
from odradek_actors.runtime.promise import Promise
from odradek_domain.errors import OffsetMetadataTooLarge
from odradek_domain.group.errors import FencedInstanceId, InconsistentAssignors, RebalanceInProgress, UnknownMember
from odradek_domain.group.member import Claim, GroupSnapshot, GroupState
from odradek_domain.values.committed_offsets import MAX_METADATA_BYTES, OffsetToCommit
from odradek_domain.values.positions import TopicPartition

pytestmark = pytest.mark.usefixtures("replayed")

LONG = 60_000  # milliseconds: never over while a test runs
SHORT = 400


class RawMember:
    """A member of group "g" that sends only what a test says."""

    def __init__(self, system: ActorSystem, name: str, instance: str | None = None, **fields: Any) -> None:
        self.system, self.instance = system, instance
        self.member_id, self.generation = "", -1
        self.wanted = msgspec.structs.replace(
            JoinGroup(name, "", ("orders",), None, ("range",), LONG, LONG, instance), **fields
        )

    def ask(self, body: object) -> Promise[Any]:
        """Send a command to the group."""
        return self.system.command("group/g", body)

    def begin_join(self, **fields: Any) -> Promise[Any]:
        """Join, or join again with these fields changed; the answer comes once all have joined."""
        self.wanted = msgspec.structs.replace(self.wanted, member_id=self.member_id, **fields)
        return self.ask(self.wanted)

    def joined(self, joining: Promise[Any]) -> JoinResult:
        """Take in the answer to a join."""
        result: JoinResult = joining.result(10)
        self.member_id, self.generation = result.member_id, result.generation
        return result

    def join(self, **fields: Any) -> JoinResult:
        """Join, wait for the answer, and take it in."""
        return self.joined(self.begin_join(**fields))

    def begin_sync(self) -> Promise[Any]:
        """Ask for the share of the present generation."""
        return self.ask(SyncGroup(self.member_id, self.generation, self.instance))

    def sync(self) -> SyncResult:
        """Ask for the share of the present generation, and wait for it."""
        result: SyncResult = self.begin_sync().result(10)
        return result

    def beat(self) -> Exception | None:
        """Send a heartbeat, and return the error that it was answered with."""
        beat = self.system.query("group/g", Heartbeat(self.member_id, self.generation, self.instance))
        error = beat.exception(10)
        assert error is None or isinstance(error, Exception)
        return error

    def commit(self, metadata: str = "", **fields: Any) -> Promise[Any]:
        """Commit offset 0 of the first partition."""
        topic_id = self.system.describe_topic("orders").topic_id
        offsets = (OffsetToCommit("orders", 0, topic_id, 0, metadata),)
        body = CommitGroupOffsets("c", offsets, self.member_id, self.generation, self.instance)
        return self.ask(msgspec.structs.replace(body, **fields))


def described(system: ActorSystem) -> GroupSnapshot:
    return system.describe_group("g")


def started(system: ActorSystem) -> list[int]:
    """Return the generations that have begun."""
    return [found.event.generation for found in system.log.read(stream="group/g", types=("GenerationStarted",))]


# -- who may speak ----------------------------------------------------------------------------------------------------


def test_a_join_without_an_assignor_is_refused_and_not_recorded(system: ActorSystem) -> None:
    system.create_topic("orders", 2)

    refused = RawMember(system, "a", assignors=()).begin_join()

    assert isinstance(refused.exception(10), InconsistentAssignors)
    assert list(system.log.read(stream="group/g")) == []
    assert RawMember(system, "b").join().generation == 1


@pytest.mark.parametrize(("instance", "expected"), [("unknown", UnknownMember), ("other's", FencedInstanceId)])
def test_an_instance_id_that_is_not_the_members_own_is_refused(
    system: ActorSystem, instance: str, expected: type[Exception]
) -> None:
    system.create_topic("orders", 2)
    first, second = RawMember(system, "a", "its own"), RawMember(system, "b", "other's")
    first.join()
    joining = second.begin_join()
    first.join()
    second.joined(joining)
    first.sync()

    first.instance = instance

    assert isinstance(first.beat(), expected)
    assert isinstance(first.commit().exception(10), expected)
    assert isinstance(first.begin_sync().exception(10), expected)
    assert isinstance(first.begin_join(instance_id=instance).exception(10), expected)
    assert system.committed_offsets("g") == ()


def test_a_dynamic_member_cannot_take_an_instance_id(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    member = RawMember(system, "a")
    member.join()

    assert isinstance(member.begin_join(instance_id="i").exception(10), UnknownMember)


# -- commits ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_commit_keeps_its_members_session_alive(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    member = RawMember(system, "a", session_timeout_ms=SHORT)
    member.join()
    member.sync()
    commits: list[BaseException | None] = []

    deadline = time.monotonic() + 2 * SHORT / 1000
    until(lambda: time.monotonic() > deadline, lambda: commits.append(member.commit().exception(10)))
    assert {*commits} == {None}

    assert reasons(system.log) == []
    until(lambda: described(system).state is GroupState.EMPTY, what="its session is over without commits")


def test_metadata_above_the_limit_is_refused_and_nothing_of_that_commit_is_stored(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    member = RawMember(system, "a")
    member.join()
    member.sync()

    assert member.commit("x" * MAX_METADATA_BYTES).exception(10) is None
    for too_large in ("x" * (MAX_METADATA_BYTES + 1), "é" * (MAX_METADATA_BYTES // 2 + 1)):
        assert isinstance(member.commit(too_large).exception(10), OffsetMetadataTooLarge)

    (committed,) = system.committed_offsets("g")
    assert committed.metadata == "x" * MAX_METADATA_BYTES


# -- joining again ----------------------------------------------------------------------------------------------------


def pair(system: ActorSystem, first: RawMember, second: RawMember) -> None:
    """Let two members join, the first of which leads, and take their shares."""
    system.create_topic("orders", 2)
    first.join()
    joining = second.begin_join()
    first.join()
    second.joined(joining)
    first.sync()
    second.sync()


def test_a_follower_that_rejoins_unchanged_gets_the_current_generation(system: ActorSystem) -> None:
    leader, follower = RawMember(system, "a"), RawMember(system, "b")
    pair(system, leader, follower)
    generation = follower.generation

    again = follower.join()

    assert (again.generation, again.member_id) == (generation, follower.member_id)
    assert [place.partition for place in follower.sync().partitions] == [1]
    assert described(system).state is GroupState.STABLE
    assert leader.beat() is None


@pytest.mark.parametrize("number", [0, 1], ids=["leader", "follower"])
def test_a_member_that_rejoins_unchanged_before_the_assignment_gets_the_current_generation(
    system: ActorSystem, number: int
) -> None:
    system.create_topic("orders", 2)
    members = RawMember(system, "a"), RawMember(system, "b")
    members[0].join()
    joining = members[1].begin_join()
    generation = members[0].join().generation
    members[1].joined(joining)

    assert members[number].join().generation == generation
    assert described(system).state is GroupState.COMPLETING_REBALANCE


def test_a_leader_that_rejoins_triggers_a_rebalance(system: ActorSystem) -> None:
    leader, follower = RawMember(system, "a"), RawMember(system, "b")
    pair(system, leader, follower)

    joining = leader.begin_join()
    follower.join()

    assert leader.joined(joining).generation == follower.generation == 3


def test_a_follower_with_a_new_claim_triggers_a_rebalance(system: ActorSystem) -> None:
    how: dict[str, Any] = {"assignors": ("cooperative-sticky",), "claim": Claim((), -1, True)}
    leader, follower = RawMember(system, "a", **how), RawMember(system, "b", **how)
    pair(system, leader, follower)

    follower.begin_join(claim=Claim((TopicPartition("orders", 1),), 2, True))
    until(lambda: described(system).state is GroupState.PREPARING_REBALANCE, what="the group rebalances")


def test_a_static_member_that_supports_fewer_assignors_keeps_its_place_if_the_elected_one_stays(
    system: ActorSystem,
) -> None:
    how: dict[str, Any] = {"assignors": ("range", "roundrobin")}
    leader, follower = RawMember(system, "a", **how), RawMember(system, "b", "i", **how)
    pair(system, leader, follower)
    generation = follower.generation

    back = RawMember(system, "b", "i", assignors=("range",))

    assert back.join().generation == generation
    assert [place.partition for place in back.sync().partitions] == [0]  # static members come first
    refused = RawMember(system, "c", assignors=("roundrobin",)).begin_join()
    assert isinstance(refused.exception(10), InconsistentAssignors)
    assert leader.beat() is None


def test_a_static_member_without_the_elected_assignor_triggers_a_rebalance(system: ActorSystem) -> None:
    how: dict[str, Any] = {"assignors": ("range", "roundrobin")}
    leader, follower = RawMember(system, "a", **how), RawMember(system, "b", "i", **how)
    pair(system, leader, follower)

    joining = RawMember(system, "b", "i", assignors=("roundrobin",)).begin_join()
    leader.join()

    assert joining.result(10).assignor == "roundrobin"


# -- members that do not come -----------------------------------------------------------------------------------------


def test_a_rebalance_that_times_out_removes_dynamic_members_and_keeps_static_ones(system: ActorSystem) -> None:
    how: dict[str, Any] = {"rebalance_timeout_ms": SHORT}
    system.create_topic("orders", 4)
    leader = RawMember(system, "a", "i", **how)
    dynamic = RawMember(system, "b", **how)
    leader.join()
    joining = dynamic.begin_join()
    leader.join()
    dynamic.joined(joining)
    leader.sync()
    dynamic.sync()

    newcomer = RawMember(system, "c", **how)
    newcomer.join()

    assert reasons(system.log) == ["it did not rejoin in time"]
    assert newcomer.generation == leader.generation + 1
    assert described(system).leader == newcomer.member_id
    assert len(newcomer.sync().partitions) == 2
    back = RawMember(system, "a", "i", **how)
    assert back.join().generation == newcomer.generation
    assert len(back.sync().partitions) == 2
    assert newcomer.beat() is None


@pytest.mark.slow
def test_a_rebalance_that_only_static_members_could_join_waits_for_them(system: ActorSystem) -> None:
    how: dict[str, Any] = {"rebalance_timeout_ms": SHORT}
    first, second = RawMember(system, "a", "i", **how), RawMember(system, "b", **how)
    pair(system, first, second)
    before = started(system)
    second.ask(LeaveGroup(second.member_id)).result(10)

    deadline = time.monotonic() + 2 * SHORT / 1000
    until(lambda: time.monotonic() > deadline, lambda: described(system), what="the time for it is over")

    assert described(system).state is GroupState.PREPARING_REBALANCE
    assert started(system) == before
    assert first.join().generation == before[-1] + 1
    assert len(first.sync().partitions) == 2


@pytest.mark.slow
def test_a_static_member_that_does_not_return_leaves_when_its_session_expires(system: ActorSystem) -> None:
    first = RawMember(system, "a", "i", rebalance_timeout_ms=SHORT, session_timeout_ms=3 * SHORT)
    second = RawMember(system, "b", rebalance_timeout_ms=SHORT)
    newcomer = RawMember(system, "c", rebalance_timeout_ms=SHORT)
    pair(system, first, second)
    joining = newcomer.begin_join()
    second.join()
    newcomer.joined(joining)
    second.sync()
    newcomer.sync()
    assert reasons(system.log) == []

    until(lambda: reasons(system.log) == ["its session timed out"], second.beat, newcomer.beat, what="it has left")


def test_a_member_that_never_syncs_is_removed_at_the_rebalance_timeout(system: ActorSystem) -> None:
    how: dict[str, Any] = {"rebalance_timeout_ms": SHORT}
    system.create_topic("orders", 2)
    leader, silent = RawMember(system, "a", **how), RawMember(system, "b", **how)
    leader.join()
    joining = silent.begin_join()
    leader.join()
    silent.joined(joining)
    leader.sync()
    assert described(system).state is GroupState.STABLE

    until(lambda: reasons(system.log) != [], leader.beat, silent.beat, what="the one that did not sync has left")

    assert reasons(system.log) == ["it did not sync in time"]
    assert isinstance(silent.beat(), UnknownMember)
    leader.join()
    assert len(leader.sync().partitions) == 2


def test_a_leader_that_never_syncs_is_removed_at_the_rebalance_timeout(system: ActorSystem) -> None:
    how: dict[str, Any] = {"rebalance_timeout_ms": SHORT}
    system.create_topic("orders", 2)
    leader, follower = RawMember(system, "a", **how), RawMember(system, "b", **how)
    leader.join()
    joining = follower.begin_join()
    leader.join()
    follower.joined(joining)
    syncing = follower.begin_sync()

    until(lambda: reasons(system.log) != [], leader.beat, follower.beat, what="the one that did not sync has left")

    assert isinstance(leader.beat(), UnknownMember)
    assert isinstance(syncing.exception(10), RebalanceInProgress)
    follower.join()
    assert len(follower.sync().partitions) == 2
