"""A snapshot and the events after it give the whole state, for any history."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.actors import QUICK
from support.histories import STREAMS, World, snapshot_of, worlds
from support.profiles import fewer

from odradek_actors.client.system import ActorSystem
from odradek_actors.messages.core import GetSnapshot
from odradek_actors.messages.groups import GetCommitted
from odradek_actors.settings import Settings
from odradek_events import Append, MemoryLog
from odradek_events.snapshots.store import MemorySnapshots


def asked(log: MemoryLog, snapshots: MemorySnapshots, **chosen: Any) -> dict[str, Any]:
    """Run a system on a log until every actor has recovered, close it, and return the actors' states."""
    with ActorSystem(log, settings=Settings(**{**QUICK, **chosen}), snapshots=snapshots) as system:
        system.query("group/g", GetCommitted()).wait(10)  # by then it has forgotten what it knew of deleted topics
        answers = {stream: system.query(stream, GetSnapshot()) for stream in STREAMS}
        return {stream: answer.result().state for stream, answer in answers.items()}


def folded(world: World) -> dict[str, Any]:
    """Return the snapshots of aggregates after applying all events of the log."""
    aggregates = {stream: make() for stream, make in STREAMS.items()}
    for stream, aggregate in aggregates.items():
        aggregate.apply_all(world.events(stream))
    return {stream: snapshot_of(aggregate) for stream, aggregate in aggregates.items()}


def copy_of(log: MemoryLog, share: float) -> MemoryLog:
    """Return a log with the first commits of another, byte for byte."""
    copy = MemoryLog()
    commits = list(log.commits())
    for commit in commits[: round(share * len(commits))]:
        made = commit.metadata
        append = Append(
            stream=commit.stream,
            events=commit.events,
            commit_id=made.commit_id,
            actor=made.actor,
            decisions=made.decisions,
        )
        copy.append([append], made.recorded_at)
        assert copy.commit_end(commit.last_position) == log.commit_end(commit.last_position)
    return copy


@fewer(4)  # each example runs four systems
@given(worlds, st.floats(0, 1), st.floats(0, 1))
def test_actors_recover_the_same_state_from_snapshots_of_any_age(world: World, earlier: float, later: float) -> None:
    snapshots = MemorySnapshots()
    for share in sorted((earlier, later)):  # at each of these moments a run ends in order
        asked(copy_of(world.log, share), snapshots)

    recovered = asked(world.log, snapshots)
    assert recovered == asked(world.log, MemorySnapshots(), snapshot_interval=0) == folded(world)
