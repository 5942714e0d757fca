"""The GroupActor: owns a group's committed offsets, and for now lets one live consumer in.

Membership is volatile. Who is live is known by the ref that joined, so a consumer that died makes room for the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pykka

from odradek_actors.consumer_protocol import CommitGroupOffsets, GetCommitted, JoinGroup, LeaveGroup
from odradek_actors.event_sourced import EventSourcedActor
from odradek_actors.protocol import Command
from odradek_actors.recovery_protocol import SnapshotSchema
from odradek_domain.errors import GroupIsBusy
from odradek_domain.group import ConsumerGroup, GroupSnapshot

__all__ = ["GroupActor"]


class GroupActor(EventSourcedActor[ConsumerGroup]):
    """Owns one ConsumerGroup aggregate."""

    snapshot_schema = SnapshotSchema("group", 1, GroupSnapshot)

    _member: tuple[str, pykka.ActorRef[Any]] | None = None

    def initial_state(self) -> ConsumerGroup:
        """Return a group that has committed nothing."""
        return ConsumerGroup(self.id)

    def handle_command(self, command: Command) -> None:
        """Let members in and out; the rest is decided by the aggregate."""
        match command.body:
            case JoinGroup(consumer_id):
                self._join(command, consumer_id)
            case LeaveGroup(consumer_id):
                if self._member is not None and self._member[0] == consumer_id:
                    self._member = None
                self.reply(command, None)
            case CommitGroupOffsets(str() as consumer_id) if not self._admit(command, consumer_id):
                return
            case _:
                super().handle_command(command)

    def decide(self, command: Any) -> Sequence[Any]:
        """Decide a commit."""
        if isinstance(command, CommitGroupOffsets):
            return self.state.commit_offsets(command.offsets, self.runtime.now(), command.consumer_id)
        raise LookupError(f"a group has no command {type(command).__name__}")

    def respond(self, command: Any, events: Sequence[Any]) -> object:
        """Answer a commit with nothing: it is done."""
        return None

    def answer(self, query: Any) -> object:
        """Give the committed offsets."""
        if isinstance(query, GetCommitted):
            return self.state.committed.all()
        return super().answer(query)

    def _join(self, command: Command, consumer_id: str) -> None:
        if self._admit(command, consumer_id):
            self.reply(command, self.state.committed.all())

    def _admit(self, command: Command, consumer_id: str) -> bool:
        """Make the sender the live member, or refuse it if there is another.

        A commit does so too: the member of this group's earlier actor joined there, and is the member here by it.
        """
        if self._member is not None:
            member, ref = self._member
            if member != consumer_id and ref.is_alive():
                self.reply(command, GroupIsBusy(self.id, member))
                return False
        sender = command.reply_to
        assert isinstance(sender, pykka.ActorRef), "only a consumer's actor is a member of a group"
        self._member = (consumer_id, sender)
        return True
