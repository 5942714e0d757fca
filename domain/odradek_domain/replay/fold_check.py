"""Whether a log can be folded, and whether snapshots are the states that the fold gives.

`verify` checks what any log promises: digests, positions, versions. That says nothing about a history that no topic
could have: a message without its topic, a partition count in the billions, or an offset that is skipped. Nor can a
checksum tell whether a snapshot is true. Both need the aggregates, so they are checked here, commit by commit, beside
the walk of `verify`.

Events that would exhaust memory or be applied to the wrong place are judged before they are applied: `apply` is total
and never refuses. A stream that cannot be folded is given up, and the others go on. So is a stream that has events of
types that are not registered here; people's own aggregates are not folded at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from odradek_domain.errors import MAX_PARTITIONS
from odradek_domain.replay.system_state import AggregateSnapshot, SystemState
from odradek_domain.topic.topic import Topic
from odradek_events.errors import LogError
from odradek_events.record import Commit
from odradek_events.types import MessageProduced, PartitionsAdded, RecordsDeleted, TopicCreated, TopicDeleted

__all__ = ["FoldCheck", "FoldFinding", "StateClaim"]


class StateClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot's claim: at this version the state of the stream has this digest.

    `created_position` is where the snapshot says that its topic was created, None for other aggregates.
    """

    stream: str
    version: int
    position: int
    digest: bytes
    created_position: int | None = None

    @classmethod
    def of(cls, snapshot: AggregateSnapshot, stream: str, position: int, created_position: int | None) -> StateClaim:
        """Return what a snapshot claims that was taken at this position."""
        return cls(
            stream=stream,
            version=snapshot.version,
            position=position,
            digest=_digest(snapshot),
            created_position=created_position,
        )


class FoldFinding(msgspec.Struct, frozen=True):
    """What is wrong at the commit or the snapshot of this position."""

    position: int
    problem: str


class FoldCheck:
    """Folds sound commits in order from the first, and compares the states that snapshots claim."""

    def __init__(self, claims: Iterable[StateClaim] = ()) -> None:
        self.findings: list[FoldFinding] = []
        self.unfolded_streams: set[str] = set()
        self._state = SystemState()
        self._claims: dict[tuple[str, int], list[StateClaim]] = {}
        self._created: dict[str, int] = {}  # where each topic was created last
        self._has_ended = False
        for claim in claims:
            self._claims.setdefault((claim.stream, claim.version), []).append(claim)

    def add(self, commit: Commit | None) -> None:
        """Fold the next commit. None is one that is damaged: what follows cannot be judged."""
        if commit is None:
            self._has_ended = True
        if commit is None or self._has_ended or commit.stream in self.unfolded_streams:
            return
        try:
            problem = self._why_impossible(commit)
            if problem is None:
                self._state.apply_commit(commit)
        except LogError:  # an event that nothing here registers, or leads on to its current version
            self.unfolded_streams.add(commit.stream)
            return
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if problem is not None:
            self.unfolded_streams.add(commit.stream)
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

    def _compare(self, claim: StateClaim) -> None:
        state = self._state.snapshot_of(claim.stream)
        is_created_there = claim.created_position in (None, self._created.get(claim.stream, 0))
        if state is None or _digest(state) != claim.digest or not is_created_there:
            self.findings.append(
                FoldFinding(
                    claim.position,
                    f"the snapshot of {claim.stream!r} at its version {claim.version} is not the state that the log "
                    "gives there; delete the snapshots",
                )
            )

    def _why_impossible(self, commit: Commit) -> str | None:
        """Say which event no topic could have at this point; None if there is none, or the stream is not a topic's."""
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
                    return f"offset {offset} in partition {partition}, where {due} was due"
                offsets[partition] = offset + 1
            elif isinstance(event, RecordsDeleted):
                if not 0 <= event.partition < partitions:
                    return _no_partition(event.partition, partitions)
            elif isinstance(event, TopicCreated | PartitionsAdded):
                partitions = event.partition_count
                if not 1 <= partitions <= MAX_PARTITIONS:
                    return f"a topic of {partitions} partitions, where at most {MAX_PARTITIONS} are possible"
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
