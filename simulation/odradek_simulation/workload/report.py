"""What a simulation came to: throughput, latencies, partitions, events, verdict."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from odradek_actors.client.system import ActorSystem
from odradek_domain.replay.lag import partition_lags
from odradek_domain.replay.system_state import SystemState
from odradek_events.log.port import LogStore
from odradek_events.maintenance.statistics import log_statistics
from odradek_events.types import GenerationStarted, MemberJoined, MemberLeft
from odradek_simulation.workload.group_run import GroupTally
from odradek_simulation.workload.mix import Workload
from odradek_simulation.workload.run import Simulation
from odradek_simulation.workload.verdict import Invariant, judge

__all__ = ["GroupRow", "Latency", "PartitionRow", "Report", "Throughput", "make_report"]

_MEMBERSHIP = ("GenerationStarted", "MemberJoined", "MemberLeft")


class Throughput(msgspec.Struct, frozen=True):
    """Messages over the time until the last of those who handled them ended."""

    messages: int
    seconds: float
    per_second: float


class Latency(msgspec.Struct, frozen=True):
    """Percentiles, in milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class PartitionRow(msgspec.Struct, frozen=True):
    """A partition's bounds, and the lag of each who committed in it."""

    topic: str
    partition: int
    log_start_offset: int
    high_watermark: int
    lag: dict[str, int | None]


class GroupRow(msgspec.Struct, frozen=True):
    """A group's life: its generations, its members by what became of them, and what came of that.

    `dismissed` stalled, or their actor died; `repeats` are messages that came again, `refused_commits` what former
    members could not commit.
    """

    group: str
    generations: int
    joined: int
    left: int
    dismissed: int
    refused_commits: int
    repeats: int


class Report(msgspec.Struct, frozen=True):
    """Everything that is printed."""

    workload: Workload
    log: str
    position: int
    events: int
    commits: int
    digest: str
    produced: Throughput
    consumed: Throughput
    send_latency: Latency
    poll_latency: Latency
    partitions: list[PartitionRow]
    groups: list[GroupRow]
    events_by_type: dict[str, int]
    invariants: list[Invariant]


def make_report(simulation: Simulation, system: ActorSystem) -> Report:
    """Let the system settle, replay its log, and put together what the threads saw."""
    system.settle()
    replay = system.check_replay()
    state = system.state()
    statistics = log_statistics(system.log)
    producers, consumers = simulation.producers, simulation.readers
    return Report(
        simulation.workload,
        system.log.name,
        replay.position,
        statistics.events,
        statistics.commits,
        state.digest(),
        _throughput(simulation.acknowledged, [tally.seconds for tally in producers]),
        _throughput(simulation.received, [tally.seconds for tally in consumers]),
        _latency([seconds for tally in producers for seconds in tally.latencies]),
        _latency([seconds for tally in consumers for seconds in tally.latencies]),
        _partitions(state),
        [_group_row(group, system.log) for group in simulation.groups],
        statistics.events_by_type,
        judge(producers, consumers, state, replay),
    )


def _throughput(messages: int, seconds: Sequence[float]) -> Throughput:
    longest = max(seconds, default=0.0)
    return Throughput(messages, longest, messages / longest if longest else 0.0)


def _latency(seconds: Sequence[float]) -> Latency:
    if not seconds:
        return Latency(0, 0.0, 0.0, 0.0)
    ranked = sorted(seconds)
    last = len(ranked) - 1
    return Latency(len(ranked), *(1000 * ranked[round(last * share)] for share in (0.5, 0.99, 1.0)))


def _group_row(group: GroupTally, log: LogStore) -> GroupRow:
    events = [recorded.event for recorded in log.read(stream=f"group/{group.name}", types=_MEMBERSHIP)]
    departures = [event.reason for event in events if isinstance(event, MemberLeft)]
    left = departures.count("it left")
    return GroupRow(
        group.name,
        sum(isinstance(event, GenerationStarted) for event in events),
        sum(isinstance(event, MemberJoined) for event in events),
        left,
        len(departures) - left,
        group.refused_commits,
        group.repeats,
    )


def _partitions(state: SystemState) -> list[PartitionRow]:
    lags: dict[tuple[str, int], dict[str, int | None]] = {}
    for lag in partition_lags(state):
        lags.setdefault((lag.topic, lag.partition), {})[lag.owner] = lag.lag
    return [
        PartitionRow(
            str(topic.name),
            int(partition.id),
            partition.log_start_offset,
            partition.high_watermark,
            lags.get((str(topic.name), int(partition.id)), {}),
        )
        for topic in state.topics.values()
        for partition in topic.partitions
    ]
