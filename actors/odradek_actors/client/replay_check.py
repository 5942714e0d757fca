"""Compares live aggregates with the log: the state of the whole system, and the check that live == replay."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from odradek_actors.messages.core import Snapshot
from odradek_domain.replay.system_state import AggregateSnapshot, SystemState
from odradek_events.log.port import LogStore

__all__ = ["ReplayCheck", "compare", "gather"]


class ReplayCheck(msgspec.Struct, frozen=True):
    """Whether replaying the log yields the live aggregates. Each stream is folded to its live version and compared.

    `streams` is the number of compared aggregates, `position` the log's head, `mismatches` the streams that differ.
    """

    streams: int
    position: int
    mismatches: tuple[str, ...]
    live_digest: str
    replayed_digest: str

    @property
    def holds(self) -> bool:
        """Whether all compared aggregates are equal."""
        return not self.mismatches and self.live_digest == self.replayed_digest


def gather(log: LogStore, live: Mapping[str, Snapshot]) -> SystemState:
    """Return the state of the whole system: live aggregates as they are, the others folded from the log."""
    at_rest = SystemState()
    for commit in log.commits(opaque=True):
        if commit.stream not in live:
            at_rest.apply_commit(commit)
    awake = [snapshot.state for snapshot in live.values() if snapshot.state is not None]
    state = SystemState.gather([*at_rest.snapshots().values(), *awake])
    state.versions.update(at_rest.versions)
    state.versions.update({stream: snapshot.version for stream, snapshot in live.items() if snapshot.version >= 0})
    state.position = log.head().position
    return state


def compare(log: LogStore, live: Mapping[str, Snapshot]) -> ReplayCheck:
    """Fold each live aggregate's stream up to its live version only, and compare the two."""
    replayed = SystemState()
    for commit in log.commits(opaque=True):
        snapshot = live.get(commit.stream)
        if snapshot is None or commit.first_version > snapshot.version:
            continue
        surplus = max(0, commit.last_version - snapshot.version)
        replayed.apply_commit(commit.between(-1, commit.last_position - surplus))
    folded = replayed.snapshots()
    begun = {stream: snapshot for stream, snapshot in live.items() if snapshot.version >= 0}
    states: dict[str, AggregateSnapshot] = {s: snapshot.state for s, snapshot in begun.items() if snapshot.state}
    differing = {stream for stream, state in states.items() if folded.get(stream) != state}
    unexpected = {stream for stream in folded if stream not in begun}
    gathered = SystemState.gather(states.values())
    gathered.versions.update({stream: snapshot.version for stream, snapshot in begun.items()})
    return ReplayCheck(
        streams=len(states),
        position=log.head().position,
        mismatches=tuple(sorted(differing | unexpected)),
        live_digest=gathered.digest(),
        replayed_digest=replayed.digest(),
    )
