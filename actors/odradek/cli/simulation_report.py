"""What a simulation came to: throughput, latencies, partitions, events, verdict."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from odradek import ActorSystem
from odradek.cli.simulation import Simulation
from odradek.cli.verdict import Invariant, judge
from odradek.cli.workload import Workload
from odradek_domain.lag import partition_lags
from odradek_domain.system_state import SystemState
from odradek_events.statistics import log_statistics

__all__ = ["Latency", "PartitionRow", "Report", "Throughput", "make_report"]


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
    events_by_type: dict[str, int]
    invariants: list[Invariant]


def make_report(simulation: Simulation, system: ActorSystem) -> Report:
    """Let the system settle, replay its log, and put together what the threads saw."""
    system.settle()
    replay = system.check_replay()
    state = system.state()
    statistics = log_statistics(system.log)
    producers, consumers = simulation.producers, simulation.consumers
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
