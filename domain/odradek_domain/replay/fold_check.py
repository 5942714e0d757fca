"""Checks that a log can be folded, and that snapshots equal the folded states.

`verify` checks the structure of a log: digests, positions, versions. It does not detect an impossible history, such as
a message without its topic, a partition count in the billions, or a skipped offset. Nor does a checksum show whether a
snapshot is correct. Both checks need the aggregates, so they are made here, commit by commit, during the walk of
`verify`.

`apply` is total and never raises, so events that would exhaust memory or be applied to a missing partition are checked
before they are applied. After a finding, the rest of that stream is skipped, and the other streams are still checked. A
stream with unregistered event types is skipped too.

User-defined aggregates are folded if they are registered. If one fails, that is a mistake in the model, and the log is
sound.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec

from odradek_domain.aggregate import Folded
from odradek_domain.errors import MAX_PARTITIONS
from odradek_domain.replay.system_state import AggregateSnapshot, SystemState
from odradek_domain.topic.topic import Topic
from odradek_events.errors import EventNotReadable, LogError
from odradek_events.record import Commit
from odradek_events.types import MessageProduced, PartitionsAdded, RecordsDeleted, TopicCreated, TopicDeleted

__all__ = ["FoldCheck", "FoldFinding", "StateClaim"]


class StateClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot's claim: at this version the state of the stream has this digest.

    `created_position` is the position at which, by the snapshot, the topic was created; None for other aggregates.
    """

    stream: str
    version: int
    position: int
    digest: bytes
    created_position: int | None = None

    @classmethod
    def of(cls, snapshot: AggregateSnapshot, stream: str, position: int, created_position: int | None) -> StateClaim:
        """Return the claim of a snapshot that was taken at this position."""
        return cls(
            stream=stream,
            version=snapshot.version,
            position=position,
            digest=_digest(snapshot),
            created_position=created_position,
        )


class FoldFinding(msgspec.Struct, frozen=True):
    """A problem with the commit or the snapshot at this position."""

    position: int
    problem: str


class FoldCheck:
    """Folds intact commits in order from the first, and compares the states with the snapshots' claims."""

    def __init__(
        self, claims: Iterable[StateClaim] = (), aggregates: Mapping[str, Callable[..., Folded]] | None = None
    ) -> None:
        self.findings: list[FoldFinding] = []
        self.unfolded_streams: set[str] = set()
        self._state = SystemState(aggregates)
        self._given_up: set[str] = set()
        self._claims: dict[tuple[str, int], list[StateClaim]] = {}
        self._created: dict[str, int] = {}  # the position at which each topic was last created
        self._has_ended = False
        for claim in claims:
            self._claims.setdefault((claim.stream, claim.version), []).append(claim)

    @property
    def state(self) -> SystemState:
        """The state folded so far; a stream with a finding, or with unregistered events, stays as it was before."""
        return self._state

    @property
    def model_mistakes(self) -> list[FoldFinding]:
        """Why user-defined aggregates could not be folded: the first failure of each stream type.

        Without events that cannot be read, which the check of the log's structure reports.
        """
        first: dict[str, FoldFinding] = {}
        for stream, failure in self._state.failures.items():
            if not isinstance(failure.__cause__, EventNotReadable):
                first.setdefault(stream.partition("/")[0], FoldFinding(failure.position, str(failure)))
        return list(first.values())

    def add(self, commit: Commit | None) -> None:
        """Fold the next commit. None stands for a damaged commit, after which nothing can be checked."""
        if commit is None:
            self._has_ended = True
        if commit is None or self._has_ended or commit.stream in self._given_up:
            return
        try:
            problem = self._why_impossible(commit)
            if problem is None:
                self._state.apply_commit(commit)
        except LogError:  # an event that is not registered, or has no up-caster to its current version
            self._give_up(commit.stream)
            return
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if problem is not None:
            self._give_up(commit.stream)
            self.findings.append(FoldFinding(commit.first_position, f"it cannot be folded ({problem})"))
            return
        if not self._state.is_folded(commit.stream):
            self.unfolded_streams.add(commit.stream)
            return
        for position, event in enumerate(commit.events, commit.first_position):
            if type(event) is TopicCreated:
                self._created[commit.stream] = position
        for claim in self._claims.pop((commit.stream, commit.last_version), ()):
            self._compare(claim)

    def _give_up(self, stream: str) -> None:
        self._given_up.add(stream)
        self.unfolded_streams.add(stream)

    def _compare(self, claim: StateClaim) -> None:
        state = self._state.snapshot_of(claim.stream)
        is_created_there = claim.created_position in (None, self._created.get(claim.stream, 0))
        if state is None or _digest(state) != claim.digest or not is_created_there:
            self.findings.append(
                FoldFinding(
                    claim.position,
                    f"the snapshot of {claim.stream!r} at version {claim.version} differs from the state folded from "
                    "the log; delete the snapshots",
                )
            )

    def _why_impossible(self, commit: Commit) -> str | None:
        """Return why an event is impossible at this point; None if all are possible, or it is not a topic's stream."""
        if not commit.stream.startswith("topic/"):
            return None
        topic = self._state.topic_of(commit.stream)
        partitions = 0 if topic is None else topic.partition_count
        offsets: dict[int, int] = {}
        for event in commit.events:
            if isinstance(event, MessageProduced):
                partition, offset = event.partition, event.offset
                due = offsets.get(partition)
                if due is None:
                    if not 0 <= partition < partitions:
                        return _no_partition(partition, partitions)
                    due = 0 if topic is None else _next_offset(topic, partition)
                if offset != due:
                    return f"offset {offset} in partition {partition}, expected {due}"
                offsets[partition] = offset + 1
            elif isinstance(event, RecordsDeleted):
                if not 0 <= event.partition < partitions:
                    return _no_partition(event.partition, partitions)
            elif isinstance(event, TopicCreated | PartitionsAdded):
                partitions = event.partition_count
                if not 1 <= partitions <= MAX_PARTITIONS:
                    return f"a topic of {partitions} partitions, above the limit of {MAX_PARTITIONS}"
                if isinstance(event, TopicCreated):
                    offsets = dict.fromkeys(range(partitions), 0)
            elif isinstance(event, TopicDeleted):
                partitions, offsets = 0, {}
        return None


def _no_partition(partition: int, partitions: int) -> str:
    return f"partition {partition} of a topic that has {partitions} partitions"


def _next_offset(topic: Topic, partition: int) -> int:
    found = topic.get_partition(partition)
    return 0 if found is None else found.high_watermark


def _digest(snapshot: AggregateSnapshot) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(snapshot), digest_size=16).digest()
