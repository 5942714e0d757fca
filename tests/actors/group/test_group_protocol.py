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
    SyncGroup,
    SyncResult,
)
from odradek_actors.runtime.promise import Promise
from odradek_domain.errors import OffsetMetadataTooLarge
from odradek_domain.group.errors import FencedInstanceId, InconsistentAssignors, UnknownMember
from odradek_domain.group.member import GroupSnapshot, GroupState
from odradek_domain.values.committed_offsets import MAX_METADATA_BYTES, OffsetToCommit

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
        offsets = (OffsetToCommit("orders", 0, "t-1", 0, metadata),)
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


def test_a_commit_keeps_its_members_session_alive(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    member = RawMember(system, "a", session_timeout_ms=SHORT)
    member.join()
    member.sync()

    deadline = time.monotonic() + 2 * SHORT / 1000
    while time.monotonic() < deadline:
        assert member.commit().exception(10) is None

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
