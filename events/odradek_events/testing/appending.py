"""Case A, writing: appends are atomic, assign positions and versions, and change nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from odradek_events.errors import InvalidStream, LogUnavailable, WrongExpectedVersion
from odradek_events.log.port import LogStore
from odradek_events.record import ANY, NO_STREAM, Append, Appended, Rejected
from odradek_events.testing.samples import (
    START,
    Listed,
    answer,
    append,
    at,
    created,
    positions,
    produced,
    refusal,
)
from odradek_events.testing.suite import LogSuite

__all__ = ["AppendCases"]


class AppendCases(LogSuite):
    """What every log guarantees to writers."""

    def test_an_empty_log_has_no_head_no_streams_and_no_events(self, log: LogStore) -> None:
        assert (log.head().position, log.head().recorded_at) == (-1, None)
        assert log.stream_version("topic/orders") == -1
        assert list(log.streams()) == []
        assert list(log.read()) == []
        assert list(log.commits()) == []

    def test_an_unknown_stream_is_empty(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        assert log.stream_version("topic/b") == -1
        assert list(log.read(stream="topic/b")) == []

    def test_appended_events_are_read_with_their_positions_and_versions(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"), produced(0, "a"))
        append(log, "topic/b", created("b"))
        append(log, "topic/a", produced(1, "a"))
        assert [(r.position, r.stream, r.version, r.type) for r in log.read()] == [
            (0, "topic/a", 0, "TopicCreated"),
            (1, "topic/a", 1, "MessageProduced"),
            (2, "topic/b", 0, "TopicCreated"),
            (3, "topic/a", 2, "MessageProduced"),
        ]
        assert [r.event for r in log.read()] == [created("a"), produced(0, "a"), created("b"), produced(1, "a")]

    def test_the_verdict_says_where_the_events_are(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        verdict = append(log, "topic/b", created("b"), produced(0, "b"), when=3)
        assert verdict == Appended(1, 2, 0, 1, at(3))

    def test_streams_do_not_mix(self, log: LogStore) -> None:
        for number in range(6):
            append(log, f"topic/{'ab'[number % 2]}", produced(number))
        assert positions(log, stream="topic/a") == [0, 2, 4]
        assert [r.version for r in log.read(stream="topic/b")] == [0, 1, 2]
        assert positions(log, stream="topic") == []
        assert list(log.streams()) == ["topic/a", "topic/b"]

    def test_refused_appends_leave_no_gaps_in_positions_and_versions(self, log: LogStore) -> None:
        for number in range(12):
            append(log, f"topic/{number % 3}", *(produced(n) for n in range(number % 4)))
            refusal(log, f"topic/{number % 3}", [produced(0)], expected=99)
            refusal(log, "nowhere", [produced(0)])
        assert positions(log) == list(range(18)) == [p for c in log.commits() for p in _places(c)]
        for stream in log.streams():
            versions = [r.version for r in log.read(stream=stream)]
            assert versions == list(range(log.stream_version(stream) + 1))

    def test_an_append_of_no_events_checks_the_expected_version_and_writes_nothing(self, log: LogStore) -> None:
        head = log.head()
        nothing = append(log, "topic/a", expected=NO_STREAM)
        assert (nothing.first_position, nothing.last_position, nothing.first_version, nothing.last_version) == (
            0,
            -1,
            0,
            -1,
        )
        assert log.head() == head
        assert list(log.streams()) == []
        append(log, "topic/a", created())
        nothing = append(log, "topic/a", expected=0)
        assert (nothing.first_position, nothing.last_position, nothing.first_version, nothing.last_version) == (
            1,
            0,
            1,
            0,
        )
        assert isinstance(refusal(log, "topic/a", [], expected=NO_STREAM), WrongExpectedVersion)

    def test_a_call_without_requests_returns_no_verdicts(self, log: LogStore) -> None:
        assert log.append([], START) == []

    # -- expected versions --------------------------------------------------------------------------------------------

    def test_the_expected_version_is_that_of_the_last_event(self, log: LogStore) -> None:
        append(log, "topic/a", created(), produced(0), expected=NO_STREAM)
        append(log, "topic/a", produced(1), expected=1)
        for wrong in (NO_STREAM, 0, 1, 3, 1 << 70):
            error = refusal(log, "topic/a", [produced(2)], expected=wrong)
            assert isinstance(error, WrongExpectedVersion)
            assert (error.stream, error.expected, error.current) == ("topic/a", wrong, 2)
        assert log.head().position == 2

    def test_an_append_at_a_version_that_is_taken_is_refused_as_a_whole(self, log: LogStore) -> None:
        append(log, "topic/a", created())
        head = log.head()
        refusal(log, "topic/a", [produced(0), produced(1)], expected=NO_STREAM)
        assert log.head() == head
        assert positions(log) == [0]

    def test_requests_of_one_call_see_each_other_in_order(self, log: LogStore) -> None:
        verdicts = log.append(
            [
                Append(stream="topic/a", events=[created()], expected_version=NO_STREAM),
                Append(stream="topic/a", events=[created(), created()], expected_version=NO_STREAM),
                Append(stream="topic/a", events=[produced(0)], expected_version=0),
                Append(stream="topic/b", events=[created("b")]),
            ],
            START,
        )
        assert [type(verdict) for verdict in verdicts] == [Appended, Rejected, Appended, Appended]
        assert [v.first_position for v in verdicts if isinstance(v, Appended)] == [0, 1, 2]
        assert positions(log) == [0, 1, 2]
        assert log.stream_version("topic/a") == 1

    def test_verdicts_come_in_the_order_of_their_requests(self, log: LogStore) -> None:
        requests = [Append(stream=f"topic/{n}", events=[produced(n)], expected_version=-1 + n % 2) for n in range(6)]
        verdicts = log.append(requests, START)
        assert [v.first_position if isinstance(v, Appended) else None for v in verdicts] == [0, None, 1, None, 2, None]

    # -- names and values ---------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "stream", ["", "topic", "/a", "topic/", "topic/" + "x" * 250, "topic/a\nb", "topic/\ud800"]
    )
    def test_an_invalid_stream_name_is_refused(self, log: LogStore, stream: str) -> None:
        assert isinstance(refusal(log, stream, [created()]), InvalidStream)
        assert log.head().position == -1

    @pytest.mark.parametrize("stream", ["topic/" + "x" * 249, "topic/a/b", "t/ünï-☃-日本-𝄞"])
    def test_a_stream_may_have_any_printable_name(self, log: LogStore, stream: str) -> None:
        append(log, stream, created())
        assert list(log.streams()) == [stream]
        assert positions(log, stream=stream) == [0]

    def test_changing_what_was_appended_does_not_change_the_log(self, log: LogStore) -> None:
        listed = Listed(["tea"])
        events: list[Any] = [listed]
        answer(log, Append(stream="topic/a", events=events))
        events.append(produced(1))
        listed.items.append("milk")
        assert [r.event for r in log.read()] == [Listed(["tea"])]

    def test_changing_what_was_read_does_not_change_the_log(self, log: LogStore) -> None:
        append(log, "topic/a", Listed(["tea"]), produced(0))
        for commit in log.commits():
            commit.events[0].items.append("milk")
            commit.events.pop()
        assert [r.event for r in log.read()] == [Listed(["tea"]), produced(0)]

    def test_values_are_read_as_they_were_appended(self, log: LogStore) -> None:
        values = [None, b"", b"\x00\xff", bytes(range(256)), "ünï\0☃".encode(), b"x" * 100_000]
        append(log, "topic/a", *(produced(n, value=value) for n, value in enumerate(values)))
        assert [r.event.value for r in log.read()] == values

    # -- the clock and the end ----------------------------------------------------------------------------------------

    def test_recorded_at_never_runs_backwards(self, log: LogStore) -> None:
        for when in (5, 3, 5, 4, 6):
            append(log, "topic/a", produced(0), when=when)
        assert [r.metadata.recorded_at for r in log.read()] == [at(5)] * 4 + [at(6)]
        assert log.head().recorded_at == at(6)

    def test_a_time_without_a_zone_is_refused_and_nothing_is_written(self, log: LogStore) -> None:
        with pytest.raises(ValueError, match="time zone"):
            log.append([Append(stream="topic/a", events=[created()])], START.replace(tzinfo=None))
        assert log.head().position == -1

    def test_a_closed_log_refuses_appends_and_may_be_closed_again(self, log: LogStore) -> None:
        assert not log.is_closed
        log.close()
        log.close()
        assert log.is_closed
        with pytest.raises(LogUnavailable, match="closed"):
            log.append([Append(stream="topic/a", events=[created()], expected_version=ANY)], START)


def _places(commit: Any) -> range:
    return range(commit.first_position, commit.last_position + 1)
