"""The PolicyProgress aggregate: the checkpoint of a policy, and the event that it stopped at.

What a policy reacts to, and how, is code (`Policy` in the actors). So the log keeps only how far it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from odradek_domain.aggregate import Aggregate
from odradek_events.types import PolicyAdvanced, PolicyStopped, SentCommand

__all__ = ["PolicyProgress", "PolicySnapshot"]


class PolicySnapshot(msgspec.Struct, frozen=True, gc=False):
    """How far a policy has reacted: to every event up to `position`. It sends the commands of later ones again.

    `stopped_at` is the position of the event that it failed on, for `reason`; None if it has not stopped.
    """

    name: str
    version: int
    position: int
    stopped_at: int | None = None
    reason: str = ""


class PolicyProgress(Aggregate):
    """How far a policy has reacted; see PolicySnapshot."""

    __slots__ = ("name", "position", "reason", "stopped_at")

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.position = -1
        self.stopped_at: int | None = None
        self.reason = ""

    def advance(self, position: int, commands: Sequence[SentCommand], at: datetime) -> list[PolicyAdvanced]:
        """Decide that every event up to `position` was reacted to; no event if that is known."""
        if position <= self.position:
            return []
        return [PolicyAdvanced(self.name, position, tuple(commands), at)]

    def stop_at(self, position: int, reason: str, at: datetime) -> list[PolicyStopped]:
        """Decide to stop at the event at `position`; no event if the policy stopped there for this reason already."""
        if (position, reason) == (self.stopped_at, self.reason):
            return []
        return [PolicyStopped(self.name, position, reason, at)]

    def _advanced(self, event: PolicyAdvanced) -> None:
        self.position = event.position
        if self.stopped_at is not None and event.position >= self.stopped_at:
            self.stopped_at, self.reason = None, ""

    def _stopped(self, event: PolicyStopped) -> None:
        self.stopped_at, self.reason = event.position, event.reason

    appliers = {PolicyAdvanced: _advanced, PolicyStopped: _stopped}

    def snapshot(self) -> PolicySnapshot:
        """Return the current state."""
        return PolicySnapshot(self.name, self.version, self.position, self.stopped_at, self.reason)

    @classmethod
    def restore(cls, snapshot: PolicySnapshot) -> PolicyProgress:
        """Rebuild from a snapshot."""
        progress = cls(snapshot.name)
        progress.version = snapshot.version
        progress.position = snapshot.position
        progress.stopped_at = snapshot.stopped_at
        progress.reason = snapshot.reason
        return progress
