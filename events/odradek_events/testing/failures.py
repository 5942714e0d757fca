"""Case F: Rejected means that nothing was written, Failed that the outcome is unknown and the log must be reopened.

A FaultyLog around the store produces the failures. A store needs its own tests for a full disk or a failing sync.
"""

from __future__ import annotations

import pytest

from odradek_events.errors import LogFull, LogUnavailable, OutcomeUnknown
from odradek_events.log.faulty import FaultyLog
from odradek_events.log.port import LogStore
from odradek_events.maintenance.verify import verify
from odradek_events.record import NO_STREAM, Append, Appended, Failed, Rejected
from odradek_events.testing.samples import START, answer, append, created, positions, produced
from odradek_events.testing.suite import LogSuite

__all__ = ["FailureCases"]


class FailureCases(LogSuite):
    """What every log guarantees after failures."""

    def test_reopening_a_healthy_log_changes_nothing(self, log: LogStore) -> None:
        log.reopen()
        append(log, "topic/a", created(), produced(0), when=3)
        head, events = log.head(), list(log.read())
        log.reopen()
        assert (log.head(), list(log.read())) == (head, events)
        assert append(log, "topic/a", produced(1), expected=1).first_position == 2
        assert verify(log).is_sound

    def test_a_rejected_request_is_not_written_and_can_be_repeated(self, log: LogStore) -> None:
        faulty = FaultyLog(log)
        faulty.reject("topic/b")
        requests = [Append(stream=name, events=[created()]) for name in ("topic/a", "topic/b", "topic/c")]
        first, rejected, last = faulty.append(requests, START)
        assert (type(first), type(last)) == (Appended, Appended)
        assert isinstance(rejected, Rejected)
        assert isinstance(rejected.error, LogFull)
        assert rejected.error.retriable
        assert list(log.streams()) == ["topic/a", "topic/c"]
        assert isinstance(answer(faulty, requests[1]), Appended)
        assert verify(log).is_sound

    @pytest.mark.parametrize("written", [True, False])
    def test_an_append_of_unknown_outcome_blocks_appends_until_the_log_is_reopened(
        self, log: LogStore, written: bool
    ) -> None:
        faulty = FaultyLog(log)
        append(faulty, "topic/a", created())
        faulty.lose_answer(written=written)
        request = Append(stream="topic/a", events=[produced(0)], expected_version=0, commit_id="c")
        (verdict,) = faulty.append([request], START)
        assert isinstance(verdict, Failed)
        assert isinstance(verdict.error, OutcomeUnknown)
        with pytest.raises(LogUnavailable, match="reopen it first"):
            faulty.append([request], START)
        faulty.reopen()
        assert positions(log) == ([0, 1] if written else [0])

    @pytest.mark.parametrize("written", [True, False])
    def test_repeating_an_append_of_unknown_outcome_stores_it_once(self, log: LogStore, written: bool) -> None:
        faulty = FaultyLog(log)
        faulty.lose_answer(written=written)
        request = Append(stream="topic/a", events=[created(), produced(0)], expected_version=NO_STREAM, commit_id="c")
        (failed,) = faulty.append([request], START)
        assert isinstance(failed, Failed)
        faulty.reopen()
        repeated = answer(faulty, request)
        assert isinstance(repeated, Appended)
        assert (repeated.first_position, repeated.is_repeat) == (0, written)
        assert positions(log) == [0, 1]

    def test_after_many_lost_answers_every_event_is_stored_once(self, log: LogStore) -> None:
        faulty = FaultyLog(log)
        faulty.lose_every(3)
        for number in range(30):
            request = Append(
                stream="topic/a", events=[produced(number)], expected_version=number - 1, commit_id=f"c{number}"
            )
            verdicts = faulty.append([request], START)
            if isinstance(verdicts[0], Failed):  # FaultyLog never loses two answers of a stream in a row
                faulty.reopen()
                verdicts = faulty.append([request], START)
            (verdict,) = verdicts
            assert isinstance(verdict, Appended), verdict
            assert verdict.first_version == number
        assert [r.event.offset for r in log.read()] == list(range(30))
        assert {"written", "unwritten"} <= set(faulty.fired)
        assert verify(log).is_sound

    def test_a_read_that_fails_can_be_repeated(self, log: LogStore) -> None:
        faulty = FaultyLog(log)
        append(faulty, "topic/a", created())
        faulty.fail("read")
        with pytest.raises(LogUnavailable):
            list(faulty.read())
        assert positions(faulty) == [0]

    def test_an_abandoned_read_does_not_block_appends(self, log: LogStore) -> None:
        append(log, "topic/a", created(), produced(0))
        append(log, "topic/b", created())
        reading = log.read()
        assert next(reading).position == 0
        append(log, "topic/b", produced(0))
        log.reopen()
        assert positions(log) == [0, 1, 2, 3]
        del reading
        append(log, "topic/b", produced(1))
