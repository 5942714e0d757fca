"""Case B: many concurrent writers and readers.

A barrier alone does not detect a version that is read after the events it belongs to, or a check that is not atomic
with the append. So races come in two forms: started at a barrier, and staggered, where each writer has read before the
previous one appends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from odradek_events.errors import AppendError, ConditionNotMet, WrongExpectedVersion
from odradek_events.log.port import LogStore
from odradek_events.record import Append, Appended, Condition
from odradek_events.testing.samples import (
    PATIENCE,
    START,
    answer,
    append,
    created,
    none_with,
    positions,
    produced,
)
from odradek_events.testing.suite import LogSuite

__all__ = ["ConcurrencyCases"]

T = TypeVar("T")
_RACERS = 8
_WRITERS = 4
_LAPS = 25


def _together(racers: int, run: Callable[[int], T]) -> list[T]:
    """Run `racers` threads that start at the same time, and return their results."""
    barrier = threading.Barrier(racers)

    def start(number: int) -> T:
        barrier.wait(PATIENCE)
        return run(number)

    with ThreadPoolExecutor(racers) as pool:
        return list(pool.map(start, range(racers)))


def _do_laps(look: Callable[[], T], act: Callable[[int, T], bool]) -> None:
    """Let concurrent writers read and then append, in laps, until each has succeeded once per lap.

    All writers read before the first appends, some while others still append in the previous lap. A writer is refused
    only if another succeeded, so a few attempts are enough.
    """
    all_have_looked = threading.Barrier(_WRITERS)

    def run(number: int) -> None:
        for _ in range(_LAPS):
            seen = look()
            all_have_looked.wait(PATIENCE)
            attempts = 1
            while not act(number, seen):
                assert attempts < 2 * _WRITERS, "an append was refused repeatedly, although no other writer appended"
                seen = look()
                attempts += 1

    _together(_WRITERS, run)


class ConcurrencyCases(LogSuite):
    """What every log guarantees to concurrent users."""

    # -- one winner ---------------------------------------------------------------------------------------------------

    def test_exactly_one_of_several_concurrent_appends_at_one_expected_version_succeeds(self, log: LogStore) -> None:
        append(log, "topic/a", created())

        def race(number: int) -> Appended | AppendError:
            events = [produced(0), produced(1)]
            return answer(log, Append(stream="topic/a", events=events, expected_version=0, commit_id=f"r{number}"))

        answers = _together(_RACERS, race)
        assert sum(isinstance(verdict, Appended) for verdict in answers) == 1
        assert positions(log) == [0, 1, 2]
        losers = [error for error in answers if isinstance(error, AppendError)]
        assert all(isinstance(error, WrongExpectedVersion) and error.current == 2 for error in losers)

    def test_exactly_one_of_several_concurrent_appends_on_one_condition_succeeds(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        seen = log.head().position

        def race(number: int) -> Appended | AppendError:
            condition = none_with("topic:seat", after=seen)
            return answer(log, Append(stream=f"topic/{number}", events=[created("seat")], condition=condition))

        answers = _together(_RACERS, race)
        assert sum(isinstance(verdict, Appended) for verdict in answers) == 1
        assert all(isinstance(error, ConditionNotMet) for error in answers if not isinstance(error, Appended))
        assert len(positions(log, tags=["topic:seat"])) == 1

    @pytest.mark.parametrize("by", ["version", "condition"])
    def test_an_append_based_on_a_stale_read_is_refused(self, log: LogStore, by: str) -> None:
        append(log, "topic/a", created("a"))
        looks = [(log.stream_version("topic/a"), log.head().position) for _ in range(_RACERS)]
        requests = [
            Append(stream="topic/a", events=[produced(n, "a")], expected_version=version)
            if by == "version"
            else Append(stream=f"topic/{n}", events=[produced(n, "a")], condition=none_with("topic:a", after=position))
            for n, (version, position) in enumerate(looks)
        ]
        answers = [answer(log, request) for request in requests]
        assert [isinstance(verdict, Appended) for verdict in answers] == [True] + [False] * (_RACERS - 1)

    # -- nothing is lost ----------------------------------------------------------------------------------------------

    def test_concurrent_writers_with_expected_versions_lose_no_update(self, log: LogStore) -> None:
        append(log, "topic/a", created())

        def look() -> int:
            *_, last = log.read(stream="topic/a")
            return last.version

        def act(number: int, version: int) -> bool:
            events = [produced(version, producer=f"p{number}")]
            return isinstance(answer(log, Append(stream="topic/a", events=events, expected_version=version)), Appended)

        _do_laps(look, act)
        assert [r.event.offset for r in log.read(after=0)] == list(range(_WRITERS * _LAPS))

    def test_concurrent_writers_with_conditions_lose_no_update(self, log: LogStore) -> None:
        def look() -> tuple[int, int]:
            seen = log.head().position
            return seen, len(positions(log, tags=["topic:counted"], until=seen))

        def act(number: int, looked: tuple[int, int]) -> bool:
            condition, events = none_with("topic:counted", after=looked[0]), [produced(looked[1], "counted")]
            request = Append(stream=f"topic/{number}", events=events, condition=condition)
            return isinstance(answer(log, request), Appended)

        _do_laps(look, act)
        assert [r.event.offset for r in log.read()] == list(range(_WRITERS * _LAPS))

    # -- no conflict --------------------------------------------------------------------------------------------------

    def test_appends_to_different_streams_never_conflict(self, log: LogStore) -> None:
        def run(number: int) -> None:
            for version in range(20):
                append(log, f"topic/{number}", produced(version), expected=version - 1)

        _together(_RACERS, run)
        assert positions(log) == list(range(20 * _RACERS))
        for number in range(_RACERS):
            assert [r.event.offset for r in log.read(stream=f"topic/{number}")] == list(range(20))

    def test_conditions_on_different_tags_never_conflict(self, log: LogStore) -> None:
        def run(number: int) -> None:
            after = -1
            for offset in range(10):
                condition: Condition = none_with(f"topic:{number}", after=after)
                events = [produced(offset, str(number))]
                verdict = answer(log, Append(stream=f"topic/{number}", events=events, condition=condition))
                assert isinstance(verdict, Appended), verdict
                after = verdict.last_position

        _together(_RACERS, run)
        assert log.head().position == 10 * _RACERS - 1

    def test_an_append_without_conditions_is_never_refused(self, log: LogStore) -> None:
        def run(_: int) -> None:
            for offset in range(20):
                append(log, "topic/a", produced(offset))

        _together(_RACERS, run)
        assert [r.version for r in log.read(stream="topic/a")] == list(range(20 * _RACERS))

    # -- order --------------------------------------------------------------------------------------------------------

    def test_two_concurrent_calls_of_a_thousand_events_do_not_interleave(self, log: LogStore) -> None:
        def run(number: int) -> tuple[int, int]:
            requests = [Append(stream=f"topic/{number}", events=[produced(n) for n in range(100)])] * 10
            verdicts = [verdict for verdict in log.append(requests, START) if isinstance(verdict, Appended)]
            return verdicts[0].first_position, verdicts[-1].last_position

        assert sorted(_together(2, run)) == [(0, 999), (1000, 1999)]
        assert positions(log) == list(range(2000))

    def test_a_tailing_reader_sees_every_position_once_and_in_order(self, log: LogStore) -> None:
        total = 300

        def write() -> None:
            for number in range(total // 3):
                append(log, f"topic/{number % 4}", *(produced(n) for n in range(3)))

        seen: list[int] = []
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            while len(seen) <= total:
                is_written = writing.done()
                found = positions(
                    log, after=seen[-1] if seen else -1, limit=7
                )  # many short reads, however fast it grows
                seen.extend(found)
                if is_written and not found:
                    break
            writing.result()
        assert seen == list(range(total))

    def test_a_concurrent_reader_never_sees_part_of_a_commit_or_a_version_behind_the_head(self, log: LogStore) -> None:
        def write() -> None:
            for number in range(100):
                append(log, "topic/a", produced(2 * number), produced(2 * number + 1))

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            while not writing.done():
                assert len(positions(log)) % 2 == 0
                head = log.head().position
                assert log.stream_version("topic/a") >= head
            writing.result()
        assert log.head().position == 199

    def test_a_concurrent_reader_can_read_every_position_that_it_locates(self, log: LogStore) -> None:
        append(log, "topic/orders", created(), produced(0))
        is_written = threading.Event()

        def run(number: int) -> None:
            if number == 0:
                for offset in range(1, 60):
                    append(log, "topic/orders", produced(offset))
                is_written.set()
            while not is_written.is_set():
                position = log.locate("partition:orders/0", 1 << 62)
                assert position is not None
                assert log.commit_at(position).first_position == position

        _together(_WRITERS, run)
