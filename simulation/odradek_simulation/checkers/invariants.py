"""What must hold of a log and of the states folded from it, at any time and in any run.

`InvariantChecker` judges a log while it grows: a commit costs as much as it has events, however long the log is. The
functions judge a whole log, or two states that must be equal: call them at the end of a run, or anywhere in a small
one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator, Mapping

from odradek_actors.client.replay_check import ReplayCheck
from odradek_actors.verification import verify
from odradek_domain.aggregate import Folded
from odradek_domain.replay.fold_check import FoldCheck
from odradek_domain.replay.state_difference import state_difference
from odradek_domain.replay.system_state import SystemState
from odradek_events.log.port import ReadableLog
from odradek_events.record import Commit
from odradek_events.snapshots.store import SnapshotStore
from odradek_events.types import MessageProduced, TopicCreated, TopicDeleted
from odradek_simulation.checkers.ends import end_of
from odradek_simulation.checkers.finding import Finding
from odradek_simulation.checkers.groups import GroupCheck
from odradek_simulation.checkers.history import Operation, Poll, Send

__all__ = ["AnswerCheck", "InvariantChecker", "check_log", "check_replay", "check_same_state"]

_SHOWN_DIFFERENCES = 5


class InvariantChecker:
    """Judges a log commit by commit, from its first one on. `state` is the state folded so far.

    `aggregates` are those of stream types of your own, as for `SystemState`.

    gapless            positions and versions have no gaps
    dense-offsets      each partition's offsets are 0, 1, 2, ..., so no high watermark falls; each event is possible
    repeated-sequence  a producer's batch is stored once, in order, and never by an older epoch of the producer
    changed-prefix     what was once in the log stays there, unchanged
    above-durable-end  no client is told of a message that is not in the log
    commit-backwards, commit-beyond-end, commit-by-other, two-owners, read-of-other, membership   see `groups`
    """

    def __init__(self, aggregates: Mapping[str, Callable[..., Folded]] | None = None) -> None:
        self._aggregates = aggregates
        self._prefix = _Prefix()
        self._begin()

    def _begin(self) -> None:
        self._position = -1
        self._versions: dict[str, int] = {}
        self._fold = FoldCheck(aggregates=self._aggregates)
        self._groups = GroupCheck(self.state)
        self._sequences: dict[str, dict[tuple[int, str], tuple[int, int]]] = {}  # epoch and next sequence, by topic

    @property
    def state(self) -> SystemState:
        """The state after the last commit; do not change it."""
        return self._fold.state

    def add(self, commit: Commit) -> list[Finding]:
        """Judge the next commit."""
        found = [
            Finding(checker, problem, {"position": commit.first_position, "stream": commit.stream})
            for checker, problem in self._problems(commit)
        ]
        self._position = commit.last_position
        self._versions[commit.stream] = commit.last_version
        return found

    def follow(self, log: ReadableLog) -> list[Finding]:
        """Judge what was appended to a log since the last call."""
        return [finding for findings in self.each_commit(log) for finding in findings]

    def each_commit(self, log: ReadableLog) -> Iterator[list[Finding]]:
        """Judge what was appended to a log since the last call, and yield after each commit what is wrong with it.

        Between two of them `state` is the state after that commit. If the log has become shorter, yields that once.
        """
        head = log.head().position
        if head < self._position:
            problem = f"the log ended at position {self._position} and now ends at {head}"
            yield [Finding("changed-prefix", problem, {"position": head, "before": self._position})]
        elif head > self._position:
            for stored in log.encoded_commits(after=self._position, until=head):
                found = self.add(log.codec.commit(stored, opaque=True))
                self._prefix.add(stored.last_position, stored.digest)
                yield found

    def reopen(self, log: ReadableLog, *, may_be_shorter: bool = False) -> list[Finding]:
        """Judge a log from its first commit on, as after a crash: it must be the one that was followed so far.

        With `may_be_shorter` its end may be missing, as after a crash that lost what was not synced.
        """
        problem = self._prefix.why_changed(log, may_be_shorter)
        self._begin()
        self._prefix = _Prefix()
        found = [] if problem is None else [Finding("changed-prefix", problem, {"position": log.head().position})]
        return found + self.follow(log)

    def observe(self, operation: Operation) -> list[Finding]:
        """Judge what a client was just told: nothing above the end of the log that was followed so far.

        Pass this, behind a `follow`, as `on_end` of a History.
        """
        if not isinstance(operation, Send | Poll):
            return []
        found = []
        for stretch in operation.messages:
            end = end_of(self.state, stretch.partition)
            if stretch.end > end:
                found.append(
                    Finding(
                        "above-durable-end",
                        f"{operation.client} was told of offset {stretch.end - 1} of {stretch.partition} when the log "
                        f"had the offsets below {end}",
                        {"partition": str(stretch.partition), "offset": stretch.end - 1, "end": end},
                    )
                )
        return found

    def _problems(self, commit: Commit) -> Iterator[tuple[str, str]]:
        if commit.first_position != self._position + 1:
            yield "gapless", f"position {self._position} is followed by {commit.first_position}"
        before = self._versions.get(commit.stream, -1)
        if commit.first_version != before + 1:
            yield "gapless", f"version {before} of {commit.stream} is followed by {commit.first_version}"
        known = len(self._fold.findings)
        self._fold.add(commit)
        for finding in self._fold.findings[known:]:
            yield "dense-offsets", f"the commit at {finding.position} is impossible: {finding.problem}"
        if commit.stream.startswith("topic/"):
            yield from self._repeats(commit)
        else:
            yield from self._groups.add(commit.stream, commit.events)

    def _repeats(self, commit: Commit) -> Iterator[tuple[str, str]]:
        known = self._sequences.setdefault(commit.stream, {})
        for event in commit.events:
            if type(event) is MessageProduced:
                if event.sequence < 0:
                    continue
                key = event.partition, event.producer_id
                epoch, due = known.get(key, (-1, 0))
                if event.producer_epoch > epoch:
                    epoch, due = event.producer_epoch, 0
                if (event.producer_epoch, event.sequence) != (epoch, due):
                    yield (
                        "repeated-sequence",
                        f"partition {event.partition} of {commit.stream} got sequence {event.sequence} in epoch "
                        f"{event.producer_epoch} of producer {event.producer_id}, where {due} in {epoch} was due",
                    )
                known[key] = event.producer_epoch, event.sequence + 1
            elif type(event) is TopicCreated or type(event) is TopicDeleted:
                known.clear()


class _Prefix:
    """The digests of a log at the ends of its commits. Each digest covers everything up to it; 8 bytes are kept."""

    def __init__(self) -> None:
        self._positions = array("q")
        self._digests = array("Q")

    def add(self, position: int, digest: bytes) -> None:
        self._positions.append(position)
        self._digests.append(_shortened(digest))

    def why_changed(self, log: ReadableLog, may_be_shorter: bool) -> str | None:
        """Return what differs between the log and the one whose digests were added; None if nothing does."""
        head = log.head().position
        known = self._positions[-1] if self._positions else -1
        if head < known and not may_be_shorter:
            return f"the log ended at position {known} and now ends at {head}"
        number = bisect_right(self._positions, head)
        if not number:
            return None
        end = self._positions[number - 1]
        stored = log.commit_at(end)
        if stored.last_position == end and _shortened(stored.digest) == self._digests[number - 1]:
            return None
        return f"the log up to position {end} differs from what it was before"


class AnswerCheck:
    """Every command is answered exactly once. `key` identifies a command; `what` describes it in a finding."""

    def __init__(self) -> None:
        self._open: dict[Hashable, str] = {}
        self._again: list[Finding] = []

    def asked(self, key: Hashable, what: str) -> None:
        """Note a command."""
        self._open[key] = what

    def answered(self, key: Hashable, what: str) -> None:
        """Note an answer, also an error."""
        if self._open.pop(key, None) is None:
            self._again.append(Finding("answered-once", f"{what} was answered again", {"command": what}))

    def crash(self) -> None:
        """Note that the process ended: what is open will never be answered."""
        self._open.clear()

    def findings(self) -> list[Finding]:
        """Return what was answered twice so far, or not at all."""
        never = [
            Finding("answered-once", f"{what} was never answered", {"command": what}) for what in self._open.values()
        ]
        return self._again + never


def check_replay(check: ReplayCheck) -> list[Finding]:
    """Live == replay: judge the result of `ActorSystem.check_replay`. What it did not compare is a finding too."""
    findings = [
        Finding("live-replay", f"the live state of {stream} was not compared: {reason}", {"streams": (stream,)})
        for stream, reason in check.not_compared.items()
    ]
    if check.mismatches or check.live_digest != check.replayed_digest:
        where = ", ".join(check.mismatches) or "no single aggregate, but the digests differ"
        differing = Finding(
            "live-replay",
            f"the live state differs from the replayed one in {where}",
            {
                "streams": check.mismatches,
                "differences": check.differences,
                "live_digest": check.live_digest,
                "replayed_digest": check.replayed_digest,
                "position": check.position,
            },
        )
        findings.insert(0, differing)
    return findings


def check_same_state(checker: str, expected: SystemState, actual: SystemState) -> list[Finding]:
    """Judge two states that must be equal, such as those after a command was delivered once and twice."""
    changes = state_difference(expected, actual)
    if expected.digest() == actual.digest() and not changes:  # a digest has user-defined aggregates by version only
        return []
    shown = "; ".join(
        f"{each.stream} has {each.fact} {each.after} instead of {each.before}" for each in changes[:_SHOWN_DIFFERENCES]
    )
    return [
        Finding(
            checker,
            f"the states differ in {len(changes)} facts: {shown or 'none that is shown'}",
            {"changes": changes},
        )
    ]


def check_log(log: ReadableLog, snapshots: SnapshotStore | None = None) -> list[Finding]:
    """Judge a whole log as `odradek.verify` does: its chain of digests, its index, and that it can be folded.

    With `snapshots`, each of them must be the state that a fold from the first commit gives: so a snapshot and the
    events after it give what a full rebuild gives.
    """
    return [
        Finding("log", f"at position {each.position}: {each.problem}", {"position": each.position})
        for each in verify(log, snapshots=snapshots).findings
    ]


def _shortened(digest: bytes) -> int:
    return int.from_bytes(digest[:8])
