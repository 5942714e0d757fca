"""Judging append requests: what every store does before it writes.

Requests are judged in order against the state that the earlier ones of the same call would leave, so two requests for
one stream in one call see each other. Versions and positions are assigned here, and the digest is chained here; a store
only keeps the rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from odradek_events.codec import Codec
from odradek_events.errors import AppendError, EventNotSerializable, InvalidStream, WrongExpectedVersion
from odradek_events.record import (
    ANY,
    Append,
    Appended,
    CommitMetadata,
    Decision,
    Head,
    Rejected,
    StoredCommit,
    Verdict,
)

__all__ = ["EMPTY_DIGEST", "Judged", "chain", "judge", "split_stream"]

EMPTY_DIGEST = b"\0" * 32
MAX_ID_LENGTH = 249


class Judged:
    """The outcome of judging: verdicts to give if the rows become durable, and those rows."""

    __slots__ = ("head", "rows", "verdicts", "versions")

    def __init__(self, head: Head) -> None:
        self.head = head
        self.rows: list[StoredCommit] = []
        self.verdicts: list[Verdict] = []
        self.versions: dict[str, int] = {}


def judge(
    requests: Sequence[Append],
    recorded_at: datetime,
    head: Head,
    version_of: Callable[[str], int],
    codec: Codec,
) -> Judged:
    """Judge `requests` against a log at `head`; `version_of(stream)` gives a stream's last version there."""
    if recorded_at.tzinfo is None:
        raise ValueError("recorded_at needs a time zone; pass an aware datetime in UTC")
    recorded_at = recorded_at.astimezone(UTC)
    if head.recorded_at is not None and recorded_at < head.recorded_at:
        recorded_at = head.recorded_at  # a clock that steps back must not make time travel ambiguous
    judged = Judged(head)
    for request in requests:
        try:
            judged.verdicts.append(_judge_one(request, recorded_at, judged, version_of, codec))
        except AppendError as error:
            judged.verdicts.append(Rejected(error))
    return judged


def _judge_one(
    request: Append, recorded_at: datetime, judged: Judged, version_of: Callable[[str], int], codec: Codec
) -> Verdict:
    stream, events = request.stream, request.events
    current = judged.versions.get(stream)
    if current is None:
        split_stream(stream)
        current = version_of(stream)
    if request.expected_version not in (ANY, current):
        raise WrongExpectedVersion(stream, request.expected_version, current)
    head = judged.head
    first_position, first_version = head.position + 1, current + 1
    if not events:
        return Appended(first_position, head.position, first_version, current, recorded_at)
    decisions = request.decisions or (Decision(len(events)),)
    if request.decisions:
        counts = [decision.event_count for decision in decisions]
        if sum(counts) != len(events) or min(counts) < 1:
            raise EventNotSerializable(stream, f"its decisions of {counts} events do not add up to its {len(events)}")
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
    except (TypeError, ValueError) as error:  # a tag of something unhashable, an offset that is no offset
        raise EventNotSerializable(stream, f"its tags cannot be made ({error})") from error
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
    judged.head = Head(last_position, digest, recorded_at)
    last_version = judged.versions[stream] = current + len(events)
    return Appended(first_position, last_position, first_version, last_version, recorded_at)


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
    name = stream.encode()
    place = b"%d,%d,%d,%d:" % (first_position, last_position, first_version, len(name))
    digest = hashlib.sha256(b"%b%b%b%d:%b%d:" % (previous, place, name, len(metadata), metadata, len(events)))
    digest.update(events)
    return digest.digest()


@lru_cache(4096)  # asked of every append
def split_stream(stream: str) -> tuple[str, str]:
    """Split `<type>/<id>` at the first slash; refuse what is not of that form."""
    kind, slash, identifier = stream.partition("/")
    if not (kind and slash and identifier) or len(identifier) > MAX_ID_LENGTH or not stream.isprintable():
        raise InvalidStream(stream)
    return kind, identifier
