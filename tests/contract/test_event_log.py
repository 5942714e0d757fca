"""What every event log promises; each store runs all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support_log import START, append, at, created, produced, refusal

from odradek_events import ANY, NO_STREAM, Append, Appended, Decision, MemoryLog, Rejected, SqliteLog, event
from odradek_events.codec import Codec, OpaqueEvent
from odradek_events.errors import (
    EventNotSerializable,
    InvalidStream,
    LogUnavailable,
    PositionBeyondHead,
    UnknownEventType,
    WrongExpectedVersion,
)
from odradek_events.registry import CATALOGUE, Catalogue, OffsetTag
from odradek_events.types import MessageProduced, TopicCreated, TopicDeleted

Log = MemoryLog | SqliteLog


@event("contract.Measured", tags=(OffsetTag("series:{series}", "offset"), "kind:{kind}"))
class Measured(msgspec.Struct, frozen=True):
    """An event of people's own, with fields that can be filled wrongly."""

    series: str
    offset: int
    amount: float = 0.0
    kind: Any = None


class Unregistered(msgspec.Struct, frozen=True):
    """An event that nobody declared."""

    name: str


class EventLogContract:
    """Subclass with a `log` fixture."""

    @pytest.fixture
    def log(self) -> Iterator[Log]:
        raise NotImplementedError

    def values(self, log: Log, **bounds: Any) -> list[int]:
        return [recorded.position for recorded in log.read(**bounds)]

    # -- append and read ----------------------------------------------------------------------------------------------

    def test_an_empty_log_has_no_head_no_streams_and_no_events(self, log: Log) -> None:
        assert (log.head().position, log.head().recorded_at) == (-1, None)
        assert log.stream_version("topic/orders") == -1
        assert list(log.streams()) == []
        assert list(log.read()) == []
        assert list(log.commits()) == []

    def test_what_is_appended_is_read_with_its_place(self, log: Log) -> None:
        append(log, "topic/a", created("a"), produced(0, "a"))
        append(log, "topic/b", created("b"))
        append(log, "topic/a", produced(1, "a"))
        places = [(r.position, r.stream, r.version, r.type) for r in log.read()]
        assert places == [
            (0, "topic/a", 0, "TopicCreated"),
            (1, "topic/a", 1, "MessageProduced"),
            (2, "topic/b", 0, "TopicCreated"),
            (3, "topic/a", 2, "MessageProduced"),
        ]
        assert [r.event for r in log.read()] == [created("a"), produced(0, "a"), created("b"), produced(1, "a")]

    def test_the_verdict_says_where_the_events_are(self, log: Log) -> None:
        append(log, "topic/a", created("a"))
        verdict = append(log, "topic/b", created("b"), produced(0, "b"), when=3)
        assert verdict == Appended(1, 2, 0, 1, at(3))

    def test_streams_do_not_mix(self, log: Log) -> None:
        for number in range(6):
            append(log, f"topic/{'ab'[number % 2]}", produced(number))
        assert self.values(log, stream="topic/a") == [0, 2, 4]
        assert [r.version for r in log.read(stream="topic/b")] == [0, 1, 2]
        assert self.values(log, stream="topic") == []
        assert list(log.streams()) == ["topic/a", "topic/b"]

    def test_an_append_of_nothing_is_fine_and_checks_the_expected_version(self, log: Log) -> None:
        head = log.head()
        append(log, "topic/a", expected=NO_STREAM)
        assert log.head() == head
        assert list(log.streams()) == []
        append(log, "topic/a", created())
        append(log, "topic/a", expected=0)
        assert isinstance(refusal(log, "topic/a", [], expected=NO_STREAM), WrongExpectedVersion)

    def test_a_call_without_requests_has_no_verdicts(self, log: Log) -> None:
        assert log.append([], START) == []

    def test_the_expected_version_is_that_of_the_last_event(self, log: Log) -> None:
        append(log, "topic/a", created(), produced(0), expected=NO_STREAM)
        append(log, "topic/a", produced(1), expected=1)
        for wrong in (NO_STREAM, 0, 1, 3, 1 << 70):
            error = refusal(log, "topic/a", [produced(2)], expected=wrong)
            assert isinstance(error, WrongExpectedVersion)
            assert (error.stream, error.expected, error.current) == ("topic/a", wrong, 2)
        assert log.head().position == 2

    def test_requests_of_one_call_see_each_other_in_order(self, log: Log) -> None:
        verdicts = log.append(
            [
                Append(stream="topic/a", events=[created()], expected_version=NO_STREAM),
                Append(stream="topic/a", events=[created()], expected_version=NO_STREAM),
                Append(stream="topic/a", events=[produced(0)], expected_version=0),
                Append(stream="topic/b", events=[created("b")]),
            ],
            START,
        )
        assert [type(verdict) for verdict in verdicts] == [Appended, Rejected, Appended, Appended]
        assert [v.first_position for v in verdicts if isinstance(v, Appended)] == [0, 1, 2]
        assert log.stream_version("topic/a") == 1

    @pytest.mark.parametrize(
        "stream", ["", "topic", "/a", "topic/", "topic/" + "x" * 250, "topic/a\nb", "topic/\ud800"]
    )
    def test_a_stream_that_is_no_stream_is_refused(self, log: Log, stream: str) -> None:
        assert isinstance(refusal(log, stream, [created()]), InvalidStream)
        assert log.head().position == -1

    @pytest.mark.parametrize("stream", ["topic/" + "x" * 249, "topic/a/b", "t/ünï-☃-日本-𝄞"])
    def test_a_stream_may_have_any_printable_name(self, log: Log, stream: str) -> None:
        append(log, stream, created())
        assert list(log.streams()) == [stream]
        assert self.values(log, stream=stream) == [0]

    def test_changing_a_list_after_the_append_does_not_change_the_log(self, log: Log) -> None:
        events: list[Any] = [produced(0)]
        log.append([Append(stream="topic/a", events=events)], START)
        events.append(produced(1))
        kind = ["cup"]
        append(log, "series/s", Measured("s", 0, kind="x"), Measured("s", 1, kind=str(kind)))
        kind.append("plate")
        assert self.values(log) == [0, 1, 2]
        assert [r.event.kind for r in log.read(stream="series/s")] == ["x", "['cup']"]

    def test_values_come_back_as_they_went_in(self, log: Log) -> None:
        values = [None, b"", b"\x00\xff", bytes(range(256)), "ünï\0☃".encode()]
        append(log, "topic/a", *(produced(n, value=value) for n, value in enumerate(values)))
        assert [r.event.value for r in log.read()] == values

    # -- bounds -------------------------------------------------------------------------------------------------------

    def three_commits(self, log: Log) -> None:
        append(log, "topic/a", *(produced(n) for n in range(3)), when=0)
        append(log, "topic/b", *(produced(n) for n in range(4)), when=10)
        append(log, "topic/a", *(produced(n) for n in range(3, 6)), when=20)

    def test_every_pair_of_bounds_gives_exactly_the_positions_between(self, log: Log) -> None:
        self.three_commits(log)
        for after in range(-1, 11):
            for until in range(-1, 10):
                wanted = list(range(after + 1, until + 1))
                assert self.values(log, after=after, until=until) == wanted
                of_a = [position for position in wanted if not 3 <= position <= 6]
                assert self.values(log, after=after, until=until, stream="topic/a") == of_a

    def test_a_bound_may_split_a_commit_and_events_keep_their_versions_and_ids(self, log: Log) -> None:
        append(log, "topic/a", created())
        append(log, "topic/a", *(produced(n) for n in range(4)), commit_id="c")
        (commit,) = log.commits(after=1, until=3)
        assert (commit.first_position, commit.last_position) == (2, 3)
        assert (commit.first_version, commit.last_version, commit.index) == (2, 3, 1)
        read = list(log.read(after=1, until=3))
        assert [(r.version, r.metadata.event_id, r.event.offset) for r in read] == [(2, "c/1", 1), (3, "c/2", 2)]

    def test_until_minus_one_is_the_empty_log(self, log: Log) -> None:
        self.three_commits(log)
        assert list(log.read(until=-1)) == []
        assert list(log.commits(until=-1)) == []

    @pytest.mark.parametrize("until", [10, 1 << 70, -2])
    def test_until_outside_the_log_is_an_error_that_names_the_head(self, log: Log, until: int) -> None:
        self.three_commits(log)
        with pytest.raises(PositionBeyondHead, match=f"position {until} .* last position is 9"):
            list(log.read(until=until))

    def test_after_beyond_the_head_gives_nothing(self, log: Log) -> None:
        self.three_commits(log)
        assert self.values(log, after=9) == []
        assert self.values(log, after=1 << 70) == []
        assert [c.first_position for c in log.commits(after=-(1 << 70), until=1 << 70)] == [0, 3, 7]

    def test_a_read_ends_at_the_head_it_began_at(self, log: Log) -> None:
        self.three_commits(log)
        reading = log.read()
        first = next(reading)
        append(log, "topic/b", produced(4))
        assert [first.position, *(r.position for r in reading)] == list(range(10))

    def test_the_commit_at_a_position_is_the_one_that_holds_it(self, log: Log) -> None:
        self.three_commits(log)
        assert [log.commit_at(position).first_position for position in range(10)] == [0] * 3 + [3] * 4 + [7] * 3
        for outside in (-1, 10):
            with pytest.raises(PositionBeyondHead):
                log.commit_at(outside)

    # -- time ---------------------------------------------------------------------------------------------------------

    def test_until_a_time_splits_at_commits_and_includes_that_moment(self, log: Log) -> None:
        self.three_commits(log)
        found = [len(self.values(log, until=at(seconds))) for seconds in (-1, 0, 9.999999, 10, 19, 20, 1e6)]
        assert found == [0, 3, 3, 7, 7, 10, 10]

    def test_every_moment_among_many_commits_finds_its_last_position(self, log: Log) -> None:
        for number in range(9):
            append(log, "topic/a", *[produced(0)] * (number % 3 + 1), when=number // 2)
        for seconds in range(-1, 6):
            wanted = max((r.position for r in log.read() if r.metadata.recorded_at <= at(seconds)), default=-1)
            assert log.resolve(at(seconds)) == wanted

    def test_a_time_without_a_zone_is_refused(self, log: Log) -> None:
        naive = datetime(2024, 5, 1)  # noqa: DTZ001 - the mistake under test
        with pytest.raises(ValueError, match="time zone"):
            list(log.read(until=naive))
        with pytest.raises(ValueError, match="time zone"):
            log.append([Append(stream="topic/a", events=[created()])], naive)
        assert log.head().position == -1

    def test_recorded_at_never_runs_backwards(self, log: Log) -> None:
        for when in (5, 3, 5, 4, 6):
            append(log, "topic/a", produced(0), when=when)
        assert [r.metadata.recorded_at for r in log.read()] == [at(5)] * 4 + [at(6)]
        assert log.head().recorded_at == at(6)

    def test_recorded_at_is_kept_in_utc(self, log: Log) -> None:
        local = at(5).astimezone(timezone(timedelta(hours=5, minutes=30)))
        log.append([Append(stream="topic/a", events=[created()])], local)
        (recorded,) = log.read()
        assert recorded.metadata.recorded_at == at(5)
        assert recorded.metadata.recorded_at.utcoffset() == timedelta(0)
        assert b'"2024-05-01T12:00:05Z"' in next(log.stored()).metadata

    # -- filters ------------------------------------------------------------------------------------------------------

    def mixed(self, log: Log) -> None:
        append(log, "topic/a", created("a"), produced(0, "a", 0, "p1"), produced(0, "a", 1, "p2"))  # 0 1 2
        append(log, "topic/b", created("b"), produced(0, "b", 0, "p1"))  # 3 4
        append(log, "topic/a", TopicDeleted(topic="a", topic_id="t-1", timestamp=START))  # 5
        append(log, "topic/b", produced(1, "b", 1, "p2"))  # 6

    def test_types_name_any_of(self, log: Log) -> None:
        self.mixed(log)
        assert self.values(log, types=["TopicCreated"]) == [0, 3]
        assert self.values(log, types=["TopicCreated", "TopicDeleted"]) == [0, 3, 5]
        assert self.values(log, types=["Nothing"]) == []
        assert self.values(log, types={"MessageProduced", "Nothing"}) == [1, 2, 4, 6]

    def test_tags_name_all_of(self, log: Log) -> None:
        self.mixed(log)
        assert self.values(log, tags=["topic:a"]) == [0, 1, 2, 5]
        assert self.values(log, tags=["topic:a", "producer:p1"]) == [1]
        assert self.values(log, tags=["topic:a", "topic:b"]) == []
        assert self.values(log, tags=["partition:b/1"]) == [6]
        assert self.values(log, tags=["topic:\ud800"]) == []

    def test_a_match_needs_its_type_and_all_tags_on_the_one_event(self, log: Log) -> None:
        self.mixed(log)
        assert self.values(log, types=["TopicCreated"], tags=["producer:p1"]) == []
        assert self.values(log, tags=["partition:a/0", "producer:p2"]) == []
        assert self.values(log, types=["MessageProduced"], tags=["topic:a"]) == [1, 2]

    def test_filters_join_streams_and_bounds(self, log: Log) -> None:
        self.mixed(log)
        assert self.values(log, types=["MessageProduced"], stream="topic/b", after=4) == [6]
        assert self.values(log, tags=["producer:p1"], after=0, until=3) == [1]
        assert self.values(log, tags=["producer:p2"], types=["MessageProduced", "TopicCreated"], until=5) == [2]
        assert self.values(log, stream="topic/\ud800") == []

    def test_a_stream_is_read_from_any_position_on(self, log: Log) -> None:
        for number in range(40):  # commits of one to three events, of two streams in no regular order
            events = [produced(number)] * (1 + number % 3)
            append(log, "topic/a" if number * number % 7 < 3 else "topic/b", *events)
        for stream in ("topic/a", "topic/b", "topic/c"):
            everything = self.values(log, stream=stream)
            for after in range(-2, 82):
                assert self.values(log, stream=stream, after=after) == [found for found in everything if found > after]

    def test_a_tag_may_hold_anything(self, log: Log) -> None:
        for number, name in enumerate(("a/b", "a'b", "☃", "nul\0nul", "%")):
            append(log, "topic/a", produced(0, name))
            assert self.values(log, tags=[f"topic:{name}"]) == [number]

    # -- locate -------------------------------------------------------------------------------------------------------

    def test_an_offset_is_located_in_the_commit_that_covers_it(self, log: Log) -> None:
        append(log, "topic/orders", created(), produced(0), produced(1), produced(0, partition=1))  # 0..3
        append(log, "topic/orders", produced(1, partition=1), produced(2), produced(3))  # 4..6
        append(log, "topic/other", produced(0, "other"))  # 7
        append(log, "topic/orders", produced(4))  # 8
        assert [log.locate("partition:orders/0", offset) for offset in range(6)] == [0, 0, 4, 4, 8, 8]
        assert [log.locate("partition:orders/1", offset) for offset in range(2)] == [0, 4]
        assert log.locate("partition:orders/0", -1) is None
        assert log.locate("partition:orders/0", 1 << 70) == 8
        assert log.locate("partition:orders/0", -(1 << 70)) is None
        assert log.locate("partition:orders/0", 4, 1 << 70) is None
        assert log.locate("partition:orders/0", 4, -(1 << 70)) == 8
        assert log.locate("partition:orders/9", 0) is None
        assert log.locate("topic:orders", 0) is None

    def test_a_topic_created_again_is_located_from_its_new_birth_on(self, log: Log) -> None:
        append(log, "topic/orders", created(), *(produced(n) for n in range(3)))  # 0..3
        append(log, "topic/orders", *(produced(n) for n in range(3, 6)))  # 4..6
        append(log, "topic/orders", TopicDeleted(topic="orders", topic_id="t-1", timestamp=START))  # 7
        birth = append(log, "topic/orders", created(topic_id="t-2")).first_position  # 8
        assert log.locate("partition:orders/0", 0, birth) is None
        append(log, "topic/orders", produced(0), produced(1))  # 9, 10
        append(log, "topic/orders", produced(2))  # 11
        assert [log.locate("partition:orders/0", offset, birth) for offset in range(4)] == [9, 9, 11, 11]

    # -- metadata -----------------------------------------------------------------------------------------------------

    def test_every_event_carries_id_actor_time_and_schema_version(self, log: Log) -> None:
        log.append([Append(stream="topic/a", events=[created(), produced(0)], commit_id="c7", actor="topic-1")], at(4))
        _, second = log.read()
        metadata = second.metadata
        assert (metadata.event_id, metadata.commit_id, metadata.actor) == ("c7/1", "c7", "topic-1")
        assert (metadata.type, metadata.schema_version, metadata.recorded_at) == ("MessageProduced", 1, at(4))

    def test_a_commit_without_an_id_is_named_by_its_place(self, log: Log) -> None:
        append(log, "topic/a", created())
        append(log, "topic/a", produced(0), produced(1))
        assert [r.metadata.event_id for r in log.read()] == ["topic/a@0/0", "topic/a@1/0", "topic/a@1/1"]

    def test_decisions_give_each_event_its_correlation_and_causation(self, log: Log) -> None:
        decisions = (Decision(1, "order-1", "cause-1"), Decision(2, "order-2"), Decision(1, "order-3", "cause-3"))
        request = Append(stream="topic/a", events=[produced(n) for n in range(4)], decisions=decisions)
        log.append([request], START)
        found = [(r.metadata.correlation_id, r.metadata.causation_id) for r in log.read(after=0)]
        assert found == [("order-2", ""), ("order-2", ""), ("order-3", "cause-3")]
        assert next(log.read()).metadata.correlation_id == "order-1"

    @pytest.mark.parametrize("counts", [(1,), (3,), (1, 1, 1), (2, 0), (3, -1)])
    def test_decisions_that_do_not_add_up_are_refused(self, log: Log, counts: tuple[int, ...]) -> None:
        request = Append(
            stream="topic/a", events=[produced(0), produced(1)], decisions=tuple(Decision(count) for count in counts)
        )
        (verdict,) = log.append([request], START)
        assert isinstance(verdict, Rejected)
        assert "do not add up" in str(verdict.error)

    # -- events that cannot be stored ---------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "bad",
        [
            pytest.param(lambda: Unregistered("x"), id="unregistered"),
            pytest.param(lambda: {"type": "TopicCreated"}, id="not-an-event"),
            pytest.param(lambda: Measured("s", 0, kind=object()), id="no-json"),
            pytest.param(lambda: Measured("\ud800", 0), id="no-utf-8"),
            pytest.param(lambda: Measured("s", 0, amount=float("nan")), id="not-a-number"),
            pytest.param(lambda: Measured("s", "zero"), id="wrong-type"),  # type: ignore[arg-type]  # the mistake
            pytest.param(lambda: Measured("s", 0, kind=["unhashable"]), id="tag-of-a-list"),
            pytest.param(lambda: Measured("s", -1), id="negative-offset"),
            pytest.param(lambda: Measured("s", 1 << 63), id="offset-beyond-64-bits"),
        ],
    )
    def test_an_event_that_cannot_be_stored_is_refused_and_nothing_else_is_lost(
        self, log: Log, bad: Callable[[], object]
    ) -> None:
        verdicts = log.append(
            [
                Append(stream="topic/a", events=[created("a")]),
                Append(stream="series/s", events=[bad(), Measured("s", 0)]),
                Append(stream="series/s", events=[Measured("s", 0)], expected_version=NO_STREAM),
            ],
            START,
        )
        assert [type(verdict) for verdict in verdicts] == [Appended, Rejected, Appended]
        assert isinstance(verdicts[1], Rejected)
        assert isinstance(verdicts[1].error, EventNotSerializable)
        assert str(verdicts[1].error).startswith("an event for stream 'series/s' cannot be stored: ")
        assert [r.stream for r in log.read()] == ["topic/a", "series/s"]

    def test_metadata_that_cannot_be_stored_is_refused_and_nothing_else_is_lost(self, log: Log) -> None:
        requests = [
            Append(stream="topic/a", events=[created("a")], commit_id="\ud800"),
            Append(stream="topic/a", events=[created("a")], commit_id=7),  # type: ignore[arg-type]  # the mistake
            Append(stream="topic/a", events=[created("a")], commit_id="good"),
        ]
        assert [type(verdict) for verdict in log.append(requests, START)] == [Rejected, Rejected, Appended]
        assert [r.metadata.commit_id for r in log.read()] == ["good"]

    # -- unknown types ------------------------------------------------------------------------------------------------

    def forget(self, log: Log) -> None:
        """Make the log read as a program would that knows TopicCreated and nothing else."""
        few = Catalogue()
        entry = CATALOGUE.by_class(TopicCreated)
        assert entry is not None
        few.register(entry)
        log.codec = Codec(few)

    def test_an_unknown_type_is_an_error_that_names_type_and_position(self, log: Log) -> None:
        append(log, "topic/a", created("a"))
        append(log, "topic/a", created("a"), produced(0, "a"))
        self.forget(log)
        with pytest.raises(UnknownEventType, match="position 2 is a 'MessageProduced' version 1"):
            list(log.read())
        with pytest.raises(UnknownEventType):
            list(log.commits())

    def test_an_unknown_type_stops_no_read_that_does_not_come_to_it(self, log: Log) -> None:
        append(log, "topic/a", created("a"), produced(0, "a"), created("a"))
        self.forget(log)
        assert self.values(log, until=0) == [0]
        assert self.values(log, types=["TopicCreated"]) == [0, 2]

    def test_unknown_types_can_be_looked_at_as_they_are_stored(self, log: Log) -> None:
        append(log, "topic/a", created("a"), produced(0, "a"))
        self.forget(log)
        first, second = log.read(opaque=True)
        assert first.event == created("a")
        assert isinstance(second.event, OpaqueEvent)
        assert (second.type, second.metadata.schema_version) == ("MessageProduced", 1)
        assert msgspec.json.decode(second.event.raw)["message_id"] == "m0"
        assert [type(item) for commit in log.commits(opaque=True) for item in commit.events][1] is OpaqueEvent

    # -- many writers -------------------------------------------------------------------------------------------------

    def race(self, log: Log, racers: int, barrier: threading.Barrier | None) -> list[Appended | Rejected]:
        def run(number: int) -> Appended | Rejected:
            request = Append(
                stream="topic/a", events=[produced(0), produced(1)], expected_version=0, commit_id=f"r{number}"
            )
            if barrier is not None:
                barrier.wait(10)
            (verdict,) = log.append([request], START)
            assert isinstance(verdict, Appended | Rejected)
            return verdict

        with ThreadPoolExecutor(racers) as pool:
            return list(pool.map(run, range(racers)))

    @pytest.mark.parametrize("barriered", [True, False])
    def test_of_many_racers_on_one_expected_version_exactly_one_wins(self, log: Log, barriered: bool) -> None:
        append(log, "topic/a", created())
        verdicts = self.race(log, 8, threading.Barrier(8) if barriered else None)
        assert sum(isinstance(verdict, Appended) for verdict in verdicts) == 1
        assert self.values(log) == [0, 1, 2]
        losers = [verdict.error for verdict in verdicts if isinstance(verdict, Rejected)]
        assert all(isinstance(error, WrongExpectedVersion) and error.current == 2 for error in losers)

    def test_unrelated_appends_never_conflict(self, log: Log) -> None:
        barrier = threading.Barrier(8)

        def run(number: int) -> None:
            barrier.wait(10)
            for version in range(20):
                append(log, f"topic/{number}", produced(version), expected=version - 1)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(run, range(8)))
        assert self.values(log) == list(range(160))
        for number in range(8):
            assert [r.event.offset for r in log.read(stream=f"topic/{number}")] == list(range(20))

    def test_two_calls_of_a_thousand_events_lie_wholly_one_before_the_other(self, log: Log) -> None:
        barrier = threading.Barrier(2)

        def run(name: str) -> tuple[int, int]:
            requests = [Append(stream=f"topic/{name}", events=[produced(n) for n in range(100)])] * 10
            barrier.wait(10)
            verdicts = [verdict for verdict in log.append(requests, START) if isinstance(verdict, Appended)]
            return verdicts[0].first_position, verdicts[-1].last_position

        with ThreadPoolExecutor(2) as pool:
            ranges = sorted(pool.map(run, "ab"))
        assert ranges == [(0, 999), (1000, 1999)]

    def test_a_tailing_reader_sees_every_position_once_and_in_order(self, log: Log) -> None:
        total = 300

        def write() -> None:
            for number in range(total // 3):
                append(log, f"topic/{number % 4}", *(produced(n) for n in range(3)), expected=ANY)

        seen: list[int] = []
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            while len(seen) < total:
                last_round = writing.done()
                seen.extend(self.values(log, after=seen[-1] if seen else -1))
                if last_round:
                    break
            writing.result()
        assert seen == list(range(total))

    def test_a_racing_reader_never_sees_half_a_commit_nor_a_version_beyond_the_head(self, log: Log) -> None:
        def write() -> None:
            for number in range(100):
                append(log, "topic/a", produced(2 * number), produced(2 * number + 1))

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            while not writing.done():
                assert len(self.values(log)) % 2 == 0
                head = log.head().position
                assert log.stream_version("topic/a") >= head
            writing.result()
        assert log.head().position == 199

    # -- closing ------------------------------------------------------------------------------------------------------

    def test_a_closed_log_takes_no_append_and_may_be_closed_again(self, log: Log) -> None:
        log.close()
        log.close()
        with pytest.raises(LogUnavailable, match="it is closed"):
            log.append([Append(stream="topic/a", events=[created()])], START)


class TestMemoryLog(EventLogContract):
    """The log in memory keeps the contract."""

    @pytest.fixture
    def log(self) -> Iterator[Log]:
        with MemoryLog() as log:
            yield log


class TestSqliteLog(EventLogContract):
    """The log on disk keeps the contract."""

    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[Log]:
        with SqliteLog(tmp_path / "log.db", durability="off") as log:
            yield log


def test_both_stores_chain_the_same_digest(tmp_path: Path) -> None:
    with MemoryLog() as memory, SqliteLog(tmp_path / "log.db") as disk:
        for log in (memory, disk):
            append(log, "topic/a", created(), produced(0), when=1)
            append(log, "topic/ü", created("ü"), when=2)
        assert memory.head() == disk.head()
        assert memory.head().digest.hex() == "37285aa5aa9aca4697a7b49408e149de81cd0e0835c465424d820e5f543005dc"
        assert memory.head().recorded_at == datetime(2024, 5, 1, 12, 0, 2, tzinfo=UTC)
        assert isinstance(next(memory.read(types=["MessageProduced"])).event, MessageProduced)
