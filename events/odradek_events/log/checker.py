"""Checks that stored commits form a sound log. Verify, salvage, export and import all use it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from odradek_events.errors import DamagedCommit, EventNotReadable, InvalidStream, LogError, UnknownEventType
from odradek_events.log.judging import EMPTY_DIGEST, chain, split_stream
from odradek_events.record import Commit, Head, StoredCommit
from odradek_events.schema.codec import Codec, OpaqueEvent

__all__ = ["Checker", "digest_after"]


class Checker:
    """Checks a log's commits, given in order from the first.

    `head` is the end of the last commit checked, `versions` has each stream's last version, and `events` counts the
    events that could be decoded. `unknown_types` has the names of types that `codec` does not know; they are not
    damage. Nor are `model_mistakes`: the first event of each type and version that does not fit its class or cannot be
    upcast, by position.
    """

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.head = Head(-1, EMPTY_DIGEST, None)
        self.commits = self.events = 0
        self.versions: dict[str, int] = {}
        self.unknown_types: set[str] = set()
        self.model_mistakes: dict[int, EventNotReadable] = {}
        self._mistaken: set[tuple[str, int, str]] = set()
        self._previous: tuple[bytes, ...] = (EMPTY_DIGEST,)  # after a wrong digest also the right one: report it once
        self._recorded_at = datetime.min.replace(tzinfo=UTC)

    def check(self, stored: StoredCommit) -> tuple[list[str], Commit | None]:
        """Return the problems of the next commit, and the decoded commit or None if it cannot be decoded.

        The commits after a bad one are checked as if it had been sound, so that each reports only its own problems.
        """
        self.commits += 1
        problems = list(self._place_problems(stored))
        digests = [digest_after(before, stored) for before in self._previous]
        is_chained = stored.digest in digests
        if not is_chained:
            problems.append("its digest does not continue the chain")
        self._previous = (stored.digest,) if is_chained else (stored.digest, digests[0])
        commit = None
        try:
            commit = self.codec.commit(stored, opaque=True)
        except LogError as error:
            problems.append(error.reason if isinstance(error, DamagedCommit) else str(error))
        else:
            self.events += len(commit.events)
            counts = [decision.event_count for decision in commit.metadata.decisions]
            if sum(counts) != len(commit.events) or min(counts, default=1) < 1:
                problems.append(f"its decisions have {counts} events, but the commit has {len(commit.events)}")
            if commit.metadata.recorded_at < self._recorded_at:
                problems.append("it was recorded before the previous commit")
            if is_chained:
                self._recorded_at = commit.metadata.recorded_at
            if OpaqueEvent in set(map(type, commit.events)):
                self._note_unread(commit)
        recorded_at = None if commit is None else commit.metadata.recorded_at
        self.head = Head(stored.last_position, stored.digest, recorded_at)
        self.versions[stored.stream] = stored.first_version + stored.last_position - stored.first_position
        return problems, commit

    def _note_unread(self, commit: Commit) -> None:
        for position, item in enumerate(commit.events, commit.first_position):
            if not isinstance(item, OpaqueEvent):
                continue
            error = item.error_at(position)
            if isinstance(error, UnknownEventType):
                self.unknown_types.add(item.type_name)
            elif (mistake := (item.type_name, item.schema_version, item.reason)) not in self._mistaken:
                self._mistaken.add(mistake)
                self.model_mistakes[position] = error

    def _place_problems(self, stored: StoredCommit) -> Iterator[str]:
        position, version = self.head.position + 1, self.versions.get(stored.stream, -1) + 1
        if stored.first_position != position or stored.last_position < stored.first_position:
            yield f"it begins at position {stored.first_position}, but position {position} was expected"
        if stored.first_version != version:
            yield (
                f"stream {stored.stream!r} continues at version {stored.first_version}, "
                f"but version {version} was expected"
            )
        try:
            split_stream(stored.stream)
        except InvalidStream as error:
            yield str(error)


def digest_after(previous: bytes, stored: StoredCommit) -> bytes:
    """Return the digest that a commit must have if the digest of the previous commit is `previous`."""
    return chain(
        previous,
        stored.first_position,
        stored.last_position,
        stored.stream,
        stored.first_version,
        stored.metadata,
        stored.events,
    )
