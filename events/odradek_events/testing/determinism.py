"""Case J: every read returns the same events, however often and in whatever pieces.

The log in memory is the reference: after the same calls, a store must contain the same bytes and digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from odradek_events.log.judging import EMPTY_DIGEST, chain
from odradek_events.log.memory import MemoryLog
from odradek_events.log.port import LogStore
from odradek_events.maintenance.verify import verify
from odradek_events.record import ANY, Append, Decision, Recorded, Rejected
from odradek_events.testing.samples import Measured, at, created, none_with, produced
from odradek_events.testing.suite import LogSuite

__all__ = ["DeterminismCases", "comparable", "digest_of"]


def digest_of(events: Iterable[Recorded]) -> str:
    """Return a digest of events with their positions, versions and metadata, in order."""
    digest = hashlib.sha256()
    for recorded in events:
        digest.update(msgspec.json.encode([recorded.position, recorded.stream, recorded.version]))
        digest.update(msgspec.json.encode(recorded.event) + msgspec.json.encode(recorded.metadata))
    return digest.hexdigest()


def comparable(verdicts: Iterable[Any]) -> list[object]:
    """Return verdicts in a form that can be compared between two logs."""
    return [
        (type(verdict.error), str(verdict.error)) if isinstance(verdict, Rejected) else verdict for verdict in verdicts
    ]


def _history() -> Iterator[tuple[list[Append], float]]:
    """Yield a fixed mixture of calls: appends, refused, conditional and repeated ones."""
    for number in range(60):
        stream, topic = f"topic/{number % 5}", "abc"[number % 3]
        events: list[Any] = [produced(n, topic, n % 2, f"p{number % 4}") for n in range(number * 7 % 5)]
        if number % 11 == 0:
            events.append(created(topic, f"t-{number}"))
        if number % 13 == 0:
            events.append(Measured(topic, number, number / 3, "ünï ☃"))
        request = Append(
            stream=stream,
            events=events,
            expected_version=number % 9 if number % 4 == 1 else ANY,
            commit_id=f"c{number % 50}" if number % 2 else "",
            actor=f"actor-{number % 3}",
            decisions=(Decision(len(events), f"cause {number}", "x"),) if number % 6 == 2 else (),
            condition=none_with(f"topic:{topic}", after=number) if number % 7 == 3 else None,
        )
        unfit = Append(stream=stream if number % 2 else "nowhere", events=[object()] if number % 2 else [])
        yield [request, unfit, request] if number % 8 == 5 else [request], float(number * 5 % 17)


class DeterminismCases(LogSuite):
    """What every log guarantees to a replay."""

    def fill(self, log: LogStore) -> None:
        """Append the history."""
        for requests, when in _history():
            log.append(requests, at(when))
        assert log.head().position > 80

    def test_a_log_returns_and_stores_the_same_as_the_log_in_memory(self, log: LogStore) -> None:
        memory = MemoryLog()
        for requests, when in _history():
            assert comparable(log.append(requests, at(when))) == comparable(memory.append(requests, at(when)))
            assert log.head() == memory.head()
        assert list(log.read()) == list(memory.read())
        assert list(log.streams()) == list(memory.streams())
        assert [_columns(stored) for stored in log.stored()] == [_columns(stored) for stored in memory.stored()]
        for tag in ("topic:a", "producer:p1", "partition:b/1", "kind:ünï ☃"):
            assert list(log.read(tags=[tag])) == list(memory.read(tags=[tag]))

    def test_reading_twice_returns_the_same_events(self, log: LogStore) -> None:
        self.fill(log)
        first = digest_of(log.read())
        assert digest_of(log.read()) == first
        log.reopen()
        assert digest_of(log.read()) == first

    def test_reading_in_pieces_returns_the_same_events(self, log: LogStore) -> None:
        self.fill(log)
        whole = digest_of(log.read())
        for length in (1, 3, 10):
            pieces = (
                recorded
                for after in range(-1, log.head().position, length)
                for recorded in log.read(after=after, limit=length)
            )
            assert digest_of(pieces) == whole

    def test_the_streams_together_contain_every_event(self, log: LogStore) -> None:
        self.fill(log)
        parts = [recorded for stream in log.streams() for recorded in log.read(stream=stream)]
        assert digest_of(sorted(parts, key=lambda recorded: recorded.position)) == digest_of(log.read())

    def test_the_digests_form_a_chain_that_ends_at_the_head(self, log: LogStore) -> None:
        self.fill(log)
        digest = EMPTY_DIGEST
        for stored in log.stored():
            place = stored.first_position, stored.last_position, stored.stream, stored.first_version
            digest = chain(digest, *place, stored.metadata, stored.events)
            assert stored.digest == digest
        assert log.head().digest == digest

    def test_verify_finds_no_damage(self, log: LogStore) -> None:
        self.fill(log)
        report = verify(log)
        assert report.findings == ()
        assert (report.head, report.digest) == (log.head().position, log.head().digest.hex())


def _columns(stored: Any) -> tuple[object, ...]:
    return (
        stored.first_position,
        stored.last_position,
        stored.stream,
        stored.first_version,
        stored.metadata,
        stored.digest,
        stored.events,
    )
