"""Groups with a planted bug."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from odradek_actors.group.actor import GroupActor
from odradek_actors.group.member_sessions import NEVER, MemberSessions
from odradek_actors.messages.core import Command, Query
from odradek_actors.messages.groups import CommitGroupOffsets, SyncResult
from odradek_domain.group.assignors.kafka import Assignor
from odradek_domain.group.group import ConsumerGroup
from odradek_domain.group.member import Claim, GroupMember, GroupSnapshot
from odradek_events.types import GenerationStarted, GroupAssigned

__all__ = [
    "AcceptsFormerGenerations",
    "ForgetsCommits",
    "GivesAwayOwnedPartitions",
    "KeepsItsGeneration",
    "KeepsSilentMembers",
    "ResumesTooFar",
    "WaitsForTheDead",
]


class AcceptsFormerGenerations(GroupActor):
    """Accepts commits without asking for the member and its generation."""

    def decide(self, command: Any) -> Sequence[Any]:
        if isinstance(command, CommitGroupOffsets):
            return self.state.commit_offsets(command.offsets, self.runtime.now(), command.consumer_id)
        return super().decide(command)


class _Generous(ConsumerGroup):
    """Assigns partitions without regard to who holds them."""

    __slots__ = ()

    def assign(
        self, assignor: Assignor, claims: Mapping[str, Claim], partition_counts: Mapping[str, int], at: datetime
    ) -> GroupAssigned:
        given = {member: msgspec.structs.replace(claim, is_held=False) for member, claim in claims.items()}
        return super().assign(assignor, given, partition_counts, at)


class GivesAwayOwnedPartitions(GroupActor):
    """Gives a partition to its next owner while a cooperative member still has it."""

    def initial_state(self) -> ConsumerGroup:
        super().initial_state()
        return _Generous(self.id)


class _Ageless(ConsumerGroup):
    """Starts every generation but the first with the number that it has."""

    __slots__ = ()

    def begin_generation(self, at: datetime, joined: Collection[str] | None = None) -> GenerationStarted:
        begun = super().begin_generation(at, joined)
        return msgspec.structs.replace(begun, generation=max(1, self.generation))


class KeepsItsGeneration(GroupActor):
    """Does not count its generations, so that nobody can be fenced."""

    def initial_state(self) -> ConsumerGroup:
        super().initial_state()
        return _Ageless(self.id)


class _Patient(MemberSessions):
    def silent(self, members: Mapping[str, GroupMember]) -> list[str]:
        return []


class KeepsSilentMembers(GroupActor):
    """Never removes a member that is no longer heard from."""

    def start_volatile(self) -> None:
        super().start_volatile()
        self._live = _Patient(self.runtime.monotonic, self.reply)


class WaitsForTheDead(GroupActor):
    """Waits in a rebalance for all members to join, however long that takes, and lets no session expire meanwhile."""

    def _begin_phase(self) -> None:
        super()._begin_phase()
        self._phase_ends = NEVER

    def _remove(self, members: Any, reason: str) -> bool:
        return False if reason == "its session timed out" else super()._remove(members, reason)


class ForgetsCommits(GroupActor):
    """Restores a snapshot without the committed offsets."""

    def restore(self, snapshot: GroupSnapshot) -> ConsumerGroup:
        return super().restore(msgspec.structs.replace(snapshot, committed=()))


class ResumesTooFar(GroupActor):
    """Takes a committed offset for that of the last message processed, and resumes behind the next one."""

    def reply(self, request: Command | Query, value: object) -> None:
        if isinstance(value, SyncResult):
            moved = tuple(msgspec.structs.replace(each, offset=each.offset + 1) for each in value.committed)
            value = msgspec.structs.replace(value, committed=moved)
        super().reply(request, value)
