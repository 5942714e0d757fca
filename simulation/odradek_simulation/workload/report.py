"""What a run of a workload came to: throughput, latencies, what each client saw, partitions, events, verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from odradek_actors.client.system import ActorSystem
from odradek_domain.replay.lag import partition_lags
from odradek_domain.replay.system_state import SystemState
from odradek_events.log.port import LogStore
from odradek_events.maintenance.statistics import log_statistics
from odradek_events.types import GenerationStarted, MemberJoined, MemberLeft
from odradek_simulation.checkers.anomalies import check_history
from odradek_simulation.checkers.history import Commit, History, Operation, Outcome, Poll, Send
from odradek_simulation.checkers.invariants import InvariantChecker, check_replay
from odradek_simulation.workload.mix import Workload
from odradek_simulation.workload.reader import Reader
from odradek_simulation.workload.verdict import Invariant, judge

__all__ = [
    "ConsumerSummary",
    "GroupSummary",
    "Latency",
    "PartitionSummary",
    "ProducerSummary",
    "RunTimes",
    "Throughput",
    "WorkloadReport",
    "make_report",
]

_MEMBERSHIP = ("GenerationStarted", "MemberJoined", "MemberLeft")


class Throughput(msgspec.Struct, frozen=True):
    """Messages, and the seconds from the run's begin until the last of them was acknowledged or received."""

    messages: int
    seconds: float
    per_second: float


class Latency(msgspec.Struct, frozen=True):
    """Percentiles in milliseconds of `count` sends or polls."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class ProducerSummary(msgspec.Struct, frozen=True):
    """How many messages of a producer were acknowledged, and after how many seconds it had finished."""

    producer: str
    acknowledged: int
    seconds: float


class ConsumerSummary(msgspec.Struct, frozen=True):
    """How many messages a consumer without a group received, and after how many seconds it had the last one."""

    consumer: str
    received: int
    seconds: float


class GroupSummary(msgspec.Struct, frozen=True):
    """A group's life: its generations, its members by what became of them, and the messages they received.

    `dismissed` members stalled, or their actor died. `refused_commits` are those of former members. `repeats` are
    messages that came again, which `received` counts once; `seconds` is when the last message came.
    """

    group: str
    generations: int
    joined: int
    left: int
    dismissed: int
    refused_commits: int
    repeats: int
    received: int
    seconds: float


class PartitionSummary(msgspec.Struct, frozen=True):
    """A partition's bounds, and how many messages each reader that committed in it is behind."""

    topic: str
    partition: int
    log_start_offset: int
    high_watermark: int
    lag: dict[str, int | None]


class WorkloadReport(msgspec.Struct, frozen=True):
    """What was asked, what came of it, and whether all invariants hold.

    `workload` is what was asked. `log`, `position` (of the last event), `events`, `commits`, `events_by_type` and
    `digest` (of the system's state) describe the whole log. `elapsed_seconds` is from the first client's start to the
    last one's end, without the checks afterwards. `produced` and `consumed` count the messages of all producers and all
    readers together; `send_latency` is from the call to the acknowledgement of a batch, `poll_latency` that of polls
    that returned messages. `partitions` are those of the workload's topics.
    """

    workload: Workload
    log: str
    position: int
    events: int
    commits: int
    digest: str
    elapsed_seconds: float
    produced: Throughput
    consumed: Throughput
    send_latency: Latency
    poll_latency: Latency
    partitions: tuple[PartitionSummary, ...]
    producers: tuple[ProducerSummary, ...]
    consumers: tuple[ConsumerSummary, ...]
    groups: tuple[GroupSummary, ...]
    events_by_type: dict[str, int]
    invariants: tuple[Invariant, ...]

    @property
    def holds(self) -> bool:
        """Whether every invariant holds."""
        return all(invariant.holds for invariant in self.invariants)

    @property
    def problems(self) -> list[str]:
        """One sentence for each invariant that does not hold."""
        return [
            f"{invariant.name!r} does not hold ({invariant.problem})"
            for invariant in self.invariants
            if not invariant.holds
        ]

    def to_json(self) -> str:
        """Return everything as one line of JSON."""
        return msgspec.json.encode(self).decode()

    def __repr__(self) -> str:
        verdict = "everything holds" if self.holds else "; ".join(self.problems)
        return (
            f"<WorkloadReport {self.produced.messages} messages produced and {self.consumed.messages} consumed "
            f"in {self.elapsed_seconds:.2f} s; {verdict}>"
        )


class RunTimes(msgspec.Struct, frozen=True):
    """When a run began and ended on the runtime's monotonic clock, and the log's last position before it."""

    began: float
    ended: float
    position_before: int

    def until_last(self, operations: Iterable[Operation]) -> float:
        """Return the seconds from the begin until the last of these operations ended; 0 if there is none."""
        ends = [each.ended_at for each in operations if each.ended_at is not None]
        return max(ends) - self.began if ends else 0.0


def make_report(
    system: ActorSystem,
    workload: Workload,
    times: RunTimes,
    history: History,
    consumers: Sequence[Reader],
    groups: Sequence[Reader],
) -> WorkloadReport:
    """Let the system settle, judge its log and what the clients were told, and put everything together."""
    system.settle()
    replay = system.check_replay()
    checker = InvariantChecker()
    findings = check_replay(replay) + checker.follow(system.log)
    readers = [*groups, *consumers]
    findings += check_history(
        history,
        read_to_end=[reader.name for reader in readers],
        exactly_once=[reader.name for reader in readers if not reader.may_repeat],
        state=checker.state,
    )
    statistics = log_statistics(system.log)
    by_producer = [_producer(history, f"producer-{number + 1}", times) for number in range(workload.producers)]
    by_consumer = [
        ConsumerSummary(each.name, each.received, times.until_last(each.operations(Poll))) for each in consumers
    ]
    by_group = [_group(group, system.log, times) for group in groups]
    return WorkloadReport(
        workload=workload,
        log=system.log.name,
        position=replay.position,
        events=statistics.events,
        commits=statistics.commits,
        digest=checker.state.digest(),
        elapsed_seconds=times.ended - times.began,
        produced=_throughput([(each.acknowledged, each.seconds) for each in by_producer]),
        consumed=_throughput(
            [(group.received, group.seconds) for group in by_group]
            + [(consumer.received, consumer.seconds) for consumer in by_consumer]
        ),
        send_latency=_latency(history.of(Send)),
        poll_latency=_latency(history.of(Poll)),
        partitions=_partitions(workload, checker.state),
        producers=tuple(by_producer),
        consumers=tuple(by_consumer),
        groups=tuple(by_group),
        events_by_type=statistics.events_by_type,
        invariants=judge(findings, may_repeat=any(reader.may_repeat for reader in readers)),
    )


def _throughput(shares: Sequence[tuple[int, float]]) -> Throughput:
    """Return the throughput of clients that handled so many messages each, in so many seconds."""
    messages, longest = sum(count for count, _ in shares), max((seconds for _, seconds in shares), default=0.0)
    return Throughput(messages, longest, messages / longest if longest else 0.0)


def _latency(operations: Iterable[Operation]) -> Latency:
    ranked = sorted(each.ended_at - each.began_at for each in operations if each.ended_at is not None)
    if not ranked:
        return Latency(0, 0.0, 0.0, 0.0)
    last = len(ranked) - 1
    return Latency(len(ranked), *(1000 * ranked[round(last * share)] for share in (0.5, 0.99, 1.0)))


def _producer(history: History, name: str, times: RunTimes) -> ProducerSummary:
    sends = [send for send in history.of(Send) if send.client == name]
    acknowledged = sum(len(send.values) for send in sends if send.outcome is Outcome.OK)
    return ProducerSummary(name, acknowledged, times.until_last(sends))


def _group(group: Reader, log: LogStore, times: RunTimes) -> GroupSummary:
    """Summarise a group by what it recorded during the run."""
    recorded = log.read(after=times.position_before, stream=f"group/{group.name}", types=_MEMBERSHIP)
    events = [one.event for one in recorded]
    departures = [event.reason for event in events if isinstance(event, MemberLeft)]
    left = departures.count("it left")
    return GroupSummary(
        group=group.name,
        generations=sum(isinstance(event, GenerationStarted) for event in events),
        joined=sum(isinstance(event, MemberJoined) for event in events),
        left=left,
        dismissed=len(departures) - left,
        refused_commits=sum(commit.error is not None for commit in group.operations(Commit)),
        repeats=group.repeats,
        received=group.received,
        seconds=times.until_last(group.operations(Poll)),
    )


def _partitions(workload: Workload, state: SystemState) -> tuple[PartitionSummary, ...]:
    topics = set(workload.topic_names)
    lags: dict[tuple[str, int], dict[str, int | None]] = {}
    for lag in partition_lags(state):
        lags.setdefault((lag.topic, lag.partition), {})[lag.owner] = lag.lag
    return tuple(
        PartitionSummary(
            str(topic.name),
            int(partition.id),
            partition.log_start_offset,
            partition.high_watermark,
            lags.get((str(topic.name), int(partition.id)), {}),
        )
        for topic in state.topics.values()
        if str(topic.name) in topics
        for partition in topic.partitions
    )
