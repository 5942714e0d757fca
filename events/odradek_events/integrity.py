"""Verify a log: chain, contiguity, streams, decodability, index. Finds and reports; never repairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from odradek_events.appending import EMPTY_DIGEST, chain, split_stream
from odradek_events.errors import DamagedCommit, InvalidStream, LogError
from odradek_events.memory import MemoryLog
from odradek_events.record import StoredCommit
from odradek_events.sqlite import SqliteLog

__all__ = ["Finding", "Verification", "verify"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong, at the commit with this first position."""

    position: int
    problem: str


class Verification(msgspec.Struct, frozen=True):
    """What verify saw: how much it read, where the log ends, and what is wrong."""

    commits: int
    events: int
    streams: int
    head: int
    digest: str
    findings: tuple[Finding, ...]
    unknown_types: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong. Types that nobody registers here are not damage."""
        return not self.findings


def verify(log: SqliteLog | MemoryLog, progress: Callable[[int], None] | None = None) -> Verification:
    """Check every commit of `log`; `progress` is told the last position read, now and then.

    Checks that positions and stream versions are gapless, that each digest continues the chain, that events decode, that
    recorded-at never runs backwards, and that the index holds what the events say. Whole commits missing from the end
    leave a valid chain: compare `head` and `digest` with ones you noted earlier.
    """
    findings: list[Finding] = []
    versions: dict[str, int] = {}
    unknown: set[str] = set()
    previous, expected, commits, events = EMPTY_DIGEST, 0, 0, 0
    recorded_at = None
    for stored in _readable(log, findings):
        commits += 1
        problems = list(_place_problems(stored, expected, versions.get(stored.stream, -1) + 1))
        digest = chain(
            previous,
            stored.first_position,
            stored.last_position,
            stored.stream,
            stored.first_version,
            stored.metadata,
            stored.events,
        )
        if digest != stored.digest:
            problems.append("its digest does not continue the chain")
        try:
            commit = log.codec.commit(stored, opaque=True)
            events += len(commit.events)
            if recorded_at is not None and commit.metadata.recorded_at < recorded_at:
                problems.append("it was recorded before its predecessor")
            recorded_at = commit.metadata.recorded_at
            strange = {name for name, _ in commit.metadata.types if log.codec.catalogue.by_name(name) is None}
            unknown |= strange
            if isinstance(log, SqliteLog) and not strange:
                if log.index_entries(stored.first_position) != log.codec.index(commit.events):
                    problems.append("its index entries are not those of its events")
        except DamagedCommit as error:
            problems.append(error.reason)
        findings.extend(Finding(stored.first_position, problem) for problem in problems)
        previous = stored.digest
        expected = stored.last_position + 1
        versions[stored.stream] = stored.first_version + stored.last_position - stored.first_position
        if progress is not None and commits % 64 == 0:
            progress(stored.last_position)
    return Verification(
        commits, events, len(versions), expected - 1, previous.hex(), tuple(findings), tuple(sorted(unknown))
    )


def _readable(log: SqliteLog | MemoryLog, findings: list[Finding]) -> Iterator[StoredCommit]:
    """Yield stored commits until the store itself cannot go on."""
    try:
        yield from log.stored()
    except (LogError, UnicodeDecodeError) as error:
        position = error.position if isinstance(error, DamagedCommit) else -1
        findings.append(Finding(position, f"the file cannot be read further ({error})"))


def _place_problems(stored: StoredCommit, position: int, version: int) -> Iterator[str]:
    if stored.first_position != position or stored.last_position < stored.first_position:
        yield f"it begins at position {stored.first_position} where {position} was due"
    if stored.first_version != version:
        yield f"stream {stored.stream!r} continues at version {stored.first_version} where {version} was due"
    try:
        split_stream(stored.stream)
    except InvalidStream as error:
        yield str(error)
