"""Judges append requests; every store does this before it writes.

Requests are judged in order against the state that the earlier requests of the same call would leave, so two requests
for one stream in one call see each other. Judging assigns versions and positions and chains the digests; a store only
keeps the rows.

A request that would be refused only because its own commit is already stored is a repeat. Its verdict is that commit's
place (KurrentDB's idempotent append, by commit id instead of event ids):

    expected version          commit id at that place, content     verdict
    current                   -                                    appended
    below, or condition met   same id, same content                appended, is_repeat
    by that very commit       same id, other content               CommitIdReused
                              another id                           WrongExpectedVersion, ConditionNotMet
    above                     -                                    WrongExpectedVersion
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Protocol

from odradek_events.errors import (
    AppendError,
    CommitIdReused,
    ConditionBeyondHead,
    ConditionNotMet,
    EventNotSerializable,
    InvalidStream,
    WrongExpectedVersion,
)
from odradek_events.log.queries import Matcher
from odradek_events.record import (
    ANY,
    Append,
    Appended,
    CommitMetadata,
    Condition,
    Decision,
    Head,
    Query,
    Rejected,
    StoredCommit,
    Verdict,
)
from odradek_events.schema.codec import Codec
from odradek_events.validation import MAX_COMMIT_ID, MAX_ID, moment, shown, text

__all__ = ["EMPTY_DIGEST", "Judged", "StoredBefore", "chain", "chain_raw", "judge", "split_stream"]

EMPTY_DIGEST = b"\0" * 32
MAX_ID_LENGTH = 249
_COPIED = 2048  # bytes: copying so few takes less time than a second call


class StoredBefore(Protocol):
    """What judging asks of the log as it is stored; every ReadableLog can say it."""

    codec: Codec

    def commit_of_version(self, stream: str, version: int) -> StoredCommit | None:
        """Return the stored commit that holds this version of a stream, or None."""
        ...

    def commit_at(self, position: int) -> StoredCommit:
        """Return the stored commit that holds a position of the log."""
        ...

    def first_match(self, query: Query, after: int) -> int | None:
        """Return the position of the first event after `after` that matches, or None."""
        ...


class Judged:
    """The outcome of judging: the rows to store with their events, and the verdicts to return once they are durable."""

    __slots__ = ("events", "head", "rows", "verdicts", "versions")

    def __init__(self, head: Head) -> None:
        self.head = head
        self.rows: list[StoredCommit] = []
        self.events: list[Sequence[Any]] = []
        self.verdicts: list[Verdict] = []
        self.versions: dict[str, int] = {}


def judge(
    requests: Sequence[Append],
    recorded_at: datetime,
    head: Head,
    version_of: Callable[[str], int],
    log: StoredBefore,
) -> Judged:
    """Judge `requests` against `log` at `head`; `version_of(stream)` returns a stream's last version there.

    A request that is invalid, or whose events raise, is rejected; the others are not affected.
    """
    is_list = isinstance(requests, Sequence) and not isinstance(requests, str | bytes)
    if not is_list or not all(isinstance(request, Append) for request in requests):
        raise TypeError(f"requests must be a list of Append, not {shown(requests)}")
    recorded_at = moment("recorded_at", recorded_at)
    if head.recorded_at is not None and recorded_at < head.recorded_at:
        recorded_at = head.recorded_at  # a clock that steps back must not make time travel ambiguous
    judged = Judged(head)
    for request in requests:
        try:
            judged.verdicts.append(_judge_one(request, recorded_at, judged, version_of, log))
        except AppendError as error:
            # without the traceback, whose frames refer to this list: the two would be garbage only for the collector
            judged.verdicts.append(Rejected(error.with_traceback(None)))
    return judged


def _judge_one(
    request: Append, recorded_at: datetime, judged: Judged, version_of: Callable[[str], int], log: StoredBefore
) -> Verdict:
    stream, events, codec = request.stream, request.events, log.codec
    current = judged.versions.get(stream)
    if current is None:
        split_stream(stream)
        current = version_of(stream)
    refusal = _refusal(request, current, judged, log)
    if refusal is not None:
        repeat = _repeat_of(request, refusal, judged, log) if request.commit_id and events else None
        if repeat is None:
            raise refusal
        return repeat
    head = judged.head
    first_position, first_version = head.position + 1, current + 1
    if not events:
        return Appended(first_position, head.position, first_version, current, recorded_at)
    decisions = request.decisions or (Decision(len(events)),)
    if not request.is_checked:
        _check_ids(request)
    if request.decisions:
        counts = [decision.event_count for decision in decisions]
        if set(map(type, counts)) != {int} or sum(counts) != len(events) or min(counts) < 1:
            raise EventNotSerializable(
                stream,
                f"the request's decisions have {shown(counts)} events, but it has {len(events)}; make them add up",
            )
    kinds = codec.kinds_of(stream, events)
    types = tuple([kind.name_and_version for kind in kinds])
    metadata = CommitMetadata(
        commit_id=request.commit_id or f"{stream}@{first_version}",
        actor=request.actor,
        recorded_at=recorded_at,
        decisions=decisions,
        types=types,
    )
    last_position = head.position + len(events)
    encoded, facts = codec.encode_events(stream, events, types, request.is_checked)
    try:
        tags = codec.index(facts, kinds, request.is_checked)
    except Exception as error:  # a tag field that is not hashable, an invalid offset
        raise EventNotSerializable(stream, f"its tags cannot be computed ({error})") from error
    encoded_metadata = codec.encode_metadata(stream, metadata, request.is_checked)
    digest = chain(head.digest, first_position, last_position, stream, first_version, encoded_metadata, encoded)
    judged.rows.append(
        StoredCommit(
            first_position,
            last_position,
            stream,
            first_version,
            encoded_metadata,
            digest,
            encoded,
            tags,
        )
    )
    judged.events.append(facts)
    judged.head = Head(last_position, digest, recorded_at)
    last_version = judged.versions[stream] = current + len(events)
    return Appended(first_position, last_position, first_version, last_version, recorded_at)


def _check_ids(request: Append) -> None:
    try:
        text("commit_id", request.commit_id, MAX_COMMIT_ID)
        text("actor", request.actor, MAX_ID)
        for decision in request.decisions:
            text("correlation_id", decision.correlation_id, MAX_ID)
            text("causation_id", decision.causation_id, MAX_ID)
    except (TypeError, ValueError) as error:
        raise EventNotSerializable(request.stream, f"its metadata cannot be stored ({error})") from error


def _refusal(
    request: Append, current: int, judged: Judged, log: StoredBefore
) -> WrongExpectedVersion | ConditionNotMet | None:
    if request.expected_version not in (ANY, current):
        return WrongExpectedVersion(request.stream, request.expected_version, current)
    if request.condition is None:
        return None
    if request.condition.after > judged.head.position:
        raise ConditionBeyondHead(request.stream, request.condition.after, judged.head.position)
    position = _first_match(request.condition, judged, log)
    return None if position is None else ConditionNotMet(request.stream, position, request.condition.after)


def _first_match(condition: Condition, judged: Judged, log: StoredBefore) -> int | None:
    """Look for a match in the log, then in the events that earlier requests of this call will append."""
    position = log.first_match(condition.query, condition.after)
    if position is not None or not judged.rows:
        return position
    matcher = Matcher(condition.query, log.codec)
    for row, events in zip(judged.rows, judged.events, strict=True):
        if row.last_position > condition.after and matcher.may_match(row.tags):
            for position, event in enumerate(events, row.first_position):
                if position > condition.after and matcher.matches(event):
                    return position
    return None


def _repeat_of(
    request: Append, refusal: WrongExpectedVersion | ConditionNotMet, judged: Judged, log: StoredBefore
) -> Appended | None:
    """Return where the request was stored before, or None if another request's commit caused the refusal."""
    if isinstance(refusal, ConditionNotMet):
        stored = _pending(judged, position=refusal.position) or log.commit_at(refusal.position)
    else:
        version = refusal.expected + 1
        found = _pending(judged, request.stream, version) or log.commit_of_version(request.stream, version)
        if found is None or found.first_version != version:
            return None
        stored = found
    metadata = log.codec.metadata(stored)
    if stored.stream != request.stream or metadata.commit_id != request.commit_id:
        return None
    kinds = log.codec.kinds_of(request.stream, request.events)
    types = tuple([kind.name_and_version for kind in kinds])
    encoded, facts = log.codec.encode_events(request.stream, request.events, types, request.is_checked)
    decisions = request.decisions or (Decision(len(request.events)),)
    is_same = (metadata.types, metadata.actor, metadata.decisions) == (types, request.actor, decisions)
    if is_same and stored.events != encoded:  # a set may have a different order in another process
        is_same = log.codec.commit(stored).events == list(facts)
    if not is_same:
        raise CommitIdReused(request.stream, request.commit_id, stored.first_position)
    last_version = stored.first_version + stored.last_position - stored.first_position
    return Appended(
        stored.first_position,
        stored.last_position,
        stored.first_version,
        last_version,
        metadata.recorded_at,
        is_repeat=True,
    )


def _pending(judged: Judged, stream: str = "", version: int = -1, *, position: int = -1) -> StoredCommit | None:
    """Return the row of this call that contains a version of a stream, or a position; or None."""
    for row in judged.rows:
        if row.first_position <= position <= row.last_position:
            return row
        if row.stream == stream and 0 <= version - row.first_version <= row.last_position - row.first_position:
            return row
    return None


def chain(
    previous: bytes,
    first_position: int,
    last_position: int,
    stream: str,
    first_version: int,
    metadata: bytes,
    events: bytes,
) -> bytes:
    """Return the digest of a commit: SHA-256 over the previous digest and every column, length-prefixed."""
    return chain_raw(previous, first_position, last_position, stream.encode(), first_version, metadata, events)


def chain_raw(
    previous: bytes,
    first_position: int,
    last_position: int,
    stream: bytes,
    first_version: int,
    metadata: bytes,
    events: bytes,
) -> bytes:
    """Return the digest of a commit whose stream's name is UTF-8 already."""
    if len(events) < _COPIED:
        return sha256(
            b"%b%d,%d,%d,%d:%b%d:%b%d:%b"
            % (
                previous,
                first_position,
                last_position,
                first_version,
                len(stream),
                stream,
                len(metadata),
                metadata,
                len(events),
                events,
            )
        ).digest()
    place = b"%d,%d,%d,%d:" % (first_position, last_position, first_version, len(stream))
    digest = sha256(b"%b%b%b%d:%b%d:" % (previous, place, stream, len(metadata), metadata, len(events)))
    digest.update(events)
    return digest.digest()


@lru_cache(4096)  # called for every append
def split_stream(stream: str) -> tuple[str, str]:
    """Split `<type>/<id>` at the first slash; raise InvalidStream for any other form."""
    kind, slash, identifier = stream.partition("/")
    is_short = len(kind) <= MAX_ID_LENGTH and len(identifier) <= MAX_ID_LENGTH
    if not (kind and slash and identifier) or not is_short or not stream.isprintable():
        raise InvalidStream(stream)
    return kind, identifier
