"""Compares live aggregates with the log: the state of the whole system, and the check that live == replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from odradek_actors.messages.core import Snapshot
from odradek_domain.aggregate import Folded
from odradek_domain.replay.state_difference import Change, facts_difference, state_facts
from odradek_domain.replay.system_state import SystemState
from odradek_events.facts import Facts, Incomparable
from odradek_events.log.port import LogStore

__all__ = ["LiveState", "ReplayCheck", "compare", "gather"]

Makers = Mapping[str, Callable[..., Folded]]


class LiveState(msgspec.Struct, frozen=True):
    """The states of the running actors by stream, and for those that gave none, why."""

    snapshots: dict[str, Snapshot]
    unread: dict[str, str]


class ReplayCheck(msgspec.Struct, frozen=True):
    """Whether replaying the log yields the live aggregates. Each stream is folded to its live version and compared.

    `streams` is the number of compared aggregates, `position` the log's head, `mismatches` the streams that differ.
    `differences` are the facts that differ, each with its replayed value before and its live value after. Streams whose
    live aggregate could not be compared, or only in part, are in `not_compared`, with the reason.
    """

    streams: int
    position: int
    mismatches: tuple[str, ...]
    live_digest: str
    replayed_digest: str
    differences: tuple[Change, ...] = ()
    not_compared: dict[str, str] = {}

    @property
    def holds(self) -> bool:
        """Whether all live aggregates were compared and are equal."""
        return not self.mismatches and not self.not_compared and self.live_digest == self.replayed_digest


def gather(log: LogStore, live: Mapping[str, Snapshot], aggregates: Makers) -> SystemState:
    """Return the state of the whole system: live aggregates as they are, the others folded from the log."""
    state = SystemState(aggregates)
    for commit in log.commits(opaque=True):
        if commit.stream not in live:
            state.apply_commit(commit)
    _put(live, state)
    state.position = log.head().position
    return state


def compare(log: LogStore, live: LiveState, aggregates: Makers) -> ReplayCheck:
    """Fold each live aggregate's stream up to its live version only, and compare the two."""
    replayed = SystemState(aggregates)
    for commit in log.commits(opaque=True):
        snapshot = live.snapshots.get(commit.stream)
        if snapshot is None or commit.first_version > snapshot.version:
            continue
        surplus = max(0, commit.last_version - snapshot.version)
        replayed.apply_commit(commit.between(-1, commit.last_position - surplus))
    present = SystemState(aggregates)
    _put(live.snapshots, present)
    replayed_facts, live_facts = state_facts(replayed), state_facts(present)
    unfolded = {stream: failure.problem for stream, failure in replayed.failures.items()}
    not_compared = live.unread | _incomparable(replayed_facts) | _incomparable(live_facts) | unfolded
    changes = [change for change in facts_difference(replayed_facts, live_facts) if change.stream not in unfolded]
    folded, states = replayed.snapshots(), present.snapshots()
    differing = {stream for stream in folded.keys() | states.keys() if folded.get(stream) != states.get(stream)}
    return ReplayCheck(
        streams=len(present.versions.keys() - unfolded.keys()),
        position=log.head().position,
        mismatches=tuple(sorted(differing | {change.stream for change in changes})),
        live_digest=present.digest(),
        replayed_digest=replayed.digest(),
        differences=tuple(changes),
        not_compared=dict(sorted(not_compared.items())),
    )


def _put(live: Mapping[str, Snapshot], state: SystemState) -> None:
    for stream, snapshot in live.items():
        if snapshot.version >= 0:
            state.put(stream, snapshot.state)


def _incomparable(facts: Mapping[str, Facts]) -> dict[str, str]:
    """Return what cannot be compared, by stream."""
    return {
        stream: f"{name}: {value.reason}"
        for stream, values in facts.items()
        for name, value in values.items()
        if isinstance(value, Incomparable)
    }
