"""The volatile state of a group's members: references, session deadlines, and pending joins and syncs.

It belongs to one GroupActor and survives the actor's recovery in place. The group's next actor starts without it and
learns the members' references from their heartbeats. In both cases every member gets a full session timeout.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import pykka

from odradek_actors.messages.core import Command, Recipient
from odradek_domain.group.member import Claim, GroupMember

__all__ = ["NEVER", "MemberSessions"]

NEVER = float("inf")

Answer = Callable[[Command, object], None]


class MemberSessions:
    """The members of this run, by member id."""

    def __init__(self, monotonic: Callable[[], float], answer: Answer) -> None:
        self._monotonic = monotonic
        self._answer = answer
        self._refs: dict[str, Recipient] = {}
        self._session_ends: dict[str, float] = {}
        self.claims: dict[str, Claim] = {}
        self.joining: dict[str, Command] = {}
        self.syncing: dict[str, Command] = {}
        self.unsynced: set[str] = set()  # members that joined the current generation and have not sent SyncGroup

    def joined(self, member: GroupMember, command: Command, claim: Claim) -> None:
        """Record a member's join, which replaces a pending older one."""
        member_id = member.member_id
        self.claims[member_id] = claim
        self.joining[member_id] = command
        self.hear(member, command.reply_to)

    def expect(self, member: GroupMember) -> None:
        """Start the session of a member that has not been heard from yet."""
        if member.member_id not in self._session_ends:
            self.hear(member)

    def hear_all(self, members: Iterable[GroupMember]) -> None:
        """Restart the session of every member."""
        for member in members:
            self.hear(member)

    def hear(self, member: GroupMember, ref: Recipient | None = None) -> None:
        """Restart a member's session, and record its reference."""
        if ref is not None:
            self._refs[member.member_id] = ref
        self._session_ends[member.member_id] = self._monotonic() + member.session_timeout_ms / 1000

    def forget(self, member_id: str, answer: Exception) -> None:
        """Reply to a departed member's pending join and sync, then forget the member."""
        for waiting in (self.joining, self.syncing):
            command = waiting.get(member_id)
            if command is not None:
                self._answer(command, answer)
                del waiting[member_id]
        self._refs.pop(member_id, None)
        self._session_ends.pop(member_id, None)
        self.claims.pop(member_id, None)
        self.unsynced.discard(member_id)

    def ref(self, member_id: str) -> Recipient | None:
        """Return a member's reference; None if it has not sent anything to this actor."""
        return self._refs.get(member_id)

    def departed(self, members: Collection[str]) -> list[str]:
        """Return the members with a session that are no longer among the group's `members`."""
        return [member_id for member_id in self._session_ends if member_id not in members]

    def silent(self, members: Mapping[str, GroupMember]) -> list[str]:
        """Return the members whose session has expired or whose actor has stopped.

        The session of a member with a pending join or sync does not expire. A static member may have stopped: it can
        rejoin until its session expires.
        """
        now = self._monotonic()
        return [
            member_id
            for member_id, member in members.items()
            if self._is_over(member_id, now) or (member.instance_id is None and _is_dead(self._refs.get(member_id)))
        ]

    def _is_over(self, member_id: str, now: float) -> bool:
        return self._session_ends[member_id] <= now and not self._is_waiting(member_id)

    def _is_waiting(self, member_id: str) -> bool:
        return member_id in self.joining or member_id in self.syncing

    def next_session_end(self) -> float:
        """Return the deadline of the session that expires first; NEVER if none can expire now."""
        running = (ends for member_id, ends in self._session_ends.items() if not self._is_waiting(member_id))
        return min(running, default=NEVER)

    def drain_joining(self) -> Iterator[tuple[str, Command]]:
        """Yield each pending join, and remove it once it is answered."""
        return _drain(self.joining)

    def drain_syncing(self) -> Iterator[tuple[str, Command]]:
        """Yield each pending sync, and remove it once it is answered."""
        return _drain(self.syncing)


def _drain(waiting: dict[str, Command]) -> Iterator[tuple[str, Command]]:
    while waiting:
        member_id = next(iter(waiting))
        yield member_id, waiting[member_id]
        del waiting[member_id]


def _is_dead(ref: Recipient | None) -> bool:
    return isinstance(ref, pykka.ActorRef) and not ref.is_alive()
