"""Appending on a condition, and appending the same request again: every store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support_log import START, append, created, produced

from odradek_events import (
    ANY,
    NO_STREAM,
    Append,
    Appended,
    Condition,
    Decision,
    LogStore,
    MemoryLog,
    Query,
    QueryItem,
    Rejected,
    SqliteLog,
)
from odradek_events.codec import Codec
from odradek_events.errors import AppendError, CommitIdReused, ConditionNotMet, WrongExpectedVersion
from odradek_events.registry import CATALOGUE, Catalogue
from odradek_events.types import TopicCreated


def none_with(*tags: str, types: tuple[str, ...] = (), after: int = -1) -> Condition:
    """Return the condition that no event after `after` has one of these types and all these tags."""
    return Condition(Query((QueryItem(types, tags),)), after)


def answer(log: LogStore, request: Append) -> Appended | AppendError:
    """Append, and return the verdict or why it was rejected."""
    (verdict,) = log.append([request], START)
    assert isinstance(verdict, Appended | Rejected)
    return verdict.error if isinstance(verdict, Rejected) else verdict


class ConditionContract:
    """Subclass with a `log` fixture."""

    @pytest.fixture
    def log(self) -> Iterator[LogStore]:
        raise NotImplementedError

    def conditional(self, log: LogStore, condition: Condition, stream: str = "topic/new") -> Appended | AppendError:
        return answer(log, Append(stream=stream, events=[produced(0, "new")], condition=condition))

    def two_producers(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"), produced(0, "a", producer="p1"), produced(1, "a", producer="p2"))  # 0..2
        append(log, "topic/b", created("b"), produced(0, "b", producer="p2"))  # 3, 4

    # -- queries ------------------------------------------------------------------------------------------------------

    def test_a_query_reads_what_matches_any_of_its_items_once_and_in_order(self, log: LogStore) -> None:
        self.two_producers(log)
        query = Query(
            (
                QueryItem(("MessageProduced",), ("producer:p2",)),
                QueryItem(("TopicCreated", "TopicDeleted")),
                QueryItem((), ("topic:b",)),
            )
        )
        assert [r.position for r in log.read(query=query)] == [0, 2, 3, 4]
        assert [r.position for r in log.read(query=query, after=0, until=3)] == [2, 3]
        assert [r.position for r in log.read(query=query, stream="topic/b")] == [3, 4]
        assert list(log.read(query=Query(()))) == []

    def test_a_query_stands_in_place_of_types_and_tags(self, log: LogStore) -> None:
        with pytest.raises(TypeError, match="not both"):
            log.read(query=Query(()), tags=["topic:a"])

    def test_a_limit_ends_a_read_early(self, log: LogStore) -> None:
        self.two_producers(log)
        assert [r.position for r in log.read(limit=2, after=0)] == [1, 2]
        assert list(log.read(limit=0)) == []

    # -- conditions ---------------------------------------------------------------------------------------------------

    def test_an_append_whose_condition_nothing_breaks_is_stored(self, log: LogStore) -> None:
        self.two_producers(log)
        assert isinstance(self.conditional(log, none_with("producer:p3")), Appended)
        assert isinstance(self.conditional(log, none_with("producer:p2", after=4)), Appended)
        assert isinstance(self.conditional(log, Condition(Query(()))), Appended)

    def test_a_matching_event_refuses_the_append_and_its_position_is_told(self, log: LogStore) -> None:
        self.two_producers(log)
        head = log.head()
        error = self.conditional(log, none_with("producer:p2", types=("MessageProduced",), after=2))
        assert isinstance(error, ConditionNotMet)
        assert (error.stream, error.position, error.after) == ("topic/new", 4, 2)
        assert log.head() == head

    def test_a_match_has_its_type_and_all_tags_on_the_one_event(self, log: LogStore) -> None:
        self.two_producers(log)
        assert isinstance(self.conditional(log, none_with("topic:a", "topic:b")), Appended)
        assert isinstance(self.conditional(log, none_with("partition:a/0", "producer:p9")), Appended)
        assert isinstance(self.conditional(log, none_with("producer:p1", types=("TopicCreated",))), Appended)
        assert isinstance(self.conditional(log, none_with("topic:a", "producer:p2")), ConditionNotMet)

    def test_any_item_of_the_query_may_match(self, log: LogStore) -> None:
        self.two_producers(log)
        query = Query((QueryItem(("Nothing",)), QueryItem((), ("topic:b",)), QueryItem(("TopicCreated",))))
        error = self.conditional(log, Condition(query, after=0))
        assert isinstance(error, ConditionNotMet)
        assert error.position == 3

    def test_a_condition_without_types_and_tags_demands_that_the_log_has_not_grown(self, log: LogStore) -> None:
        self.two_producers(log)
        everything = Query((QueryItem(),))
        assert isinstance(self.conditional(log, Condition(everything, after=3)), ConditionNotMet)
        assert isinstance(self.conditional(log, Condition(everything, after=4)), Appended)

    def test_a_condition_sees_what_earlier_requests_of_its_call_append(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        once = none_with("topic:x", types=("TopicCreated",))
        requests = [Append(stream=f"topic/{n}", events=[created("x"), produced(0, "x")], condition=once) for n in "abc"]
        requests.append(Append(stream="topic/d", events=[created("y")], condition=none_with("topic:x", after=1)))
        verdicts = log.append(requests, START)
        assert [type(verdict) for verdict in verdicts] == [Appended, Rejected, Rejected, Rejected]
        assert [verdict.error.position for verdict in verdicts if isinstance(verdict, Rejected)] == [1, 1, 2]  # type: ignore[attr-defined]  # ConditionNotMet

    def test_a_condition_and_an_expected_version_must_both_hold(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        wrong_version = Append(
            stream="topic/a", events=[produced(0, "a")], expected_version=NO_STREAM, condition=none_with("topic:z")
        )
        assert isinstance(answer(log, wrong_version), WrongExpectedVersion)
        broken = Append(stream="topic/a", events=[produced(0, "a")], expected_version=0, condition=none_with("topic:a"))
        assert isinstance(answer(log, broken), ConditionNotMet)

    def test_an_event_that_nobody_here_knows_may_match_by_the_tags_of_its_commit(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"), produced(0, "a", producer="p1"))
        few = Catalogue()
        entry = CATALOGUE.by_class(TopicCreated)
        assert entry is not None
        few.register(entry)
        log.codec = Codec(few)

        def attempt(condition: Condition) -> Appended | AppendError:
            return answer(log, Append(stream="topic/b", events=[created("b")], condition=condition))

        assert isinstance(attempt(none_with("producer:p1")), ConditionNotMet)
        assert isinstance(attempt(none_with("producer:p1", types=("TopicCreated",))), Appended)
        assert isinstance(attempt(none_with("producer:p2")), Appended)

    @pytest.mark.parametrize("barriered", [True, False])
    def test_of_many_racers_on_one_condition_exactly_one_wins(self, log: LogStore, barriered: bool) -> None:
        append(log, "topic/a", created("a"))
        barrier = threading.Barrier(8)

        def race(number: int) -> Appended | AppendError:
            seen = log.head().position
            held = [r.position for r in log.read(tags=["topic:seat"])]
            if barriered:
                barrier.wait(10)
            if held:
                return ConditionNotMet("topic/seat", held[0], -1)
            request = Append(
                stream=f"topic/{number}", events=[created("seat")], condition=none_with("topic:seat", after=seen)
            )
            return answer(log, request)

        with ThreadPoolExecutor(8) as pool:
            verdicts = list(pool.map(race, range(8)))
        assert sum(isinstance(verdict, Appended) for verdict in verdicts) == 1
        assert len(list(log.read(tags=["topic:seat"]))) == 1

    def test_conditions_on_different_tags_never_conflict(self, log: LogStore) -> None:
        barrier = threading.Barrier(8)

        def run(number: int) -> None:
            barrier.wait(10)
            after = -1
            for offset in range(10):
                request = Append(
                    stream=f"topic/{number}",
                    events=[produced(offset, str(number))],
                    condition=none_with(f"topic:{number}", after=after),
                )
                verdict = answer(log, request)
                assert isinstance(verdict, Appended)
                after = verdict.last_position

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(run, range(8)))
        assert log.head().position == 79

    # -- the same request again ---------------------------------------------------------------------------------------

    def repeatable(self, commit_id: str = "c1", expected: int = 0, count: int = 2, **more: object) -> Append:
        return Append(
            stream="topic/a",
            events=[produced(n, "a") for n in range(count)],
            expected_version=expected,
            commit_id=commit_id,
            **more,  # type: ignore[arg-type]  # fields of Append
        )

    def test_a_request_repeated_by_its_commit_id_is_answered_with_its_first_place(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        first = answer(log, self.repeatable())
        append(log, "topic/a", produced(2, "a"), when=5)
        head = log.head()
        again = answer(log, self.repeatable())
        assert isinstance(first, Appended)
        assert again == Appended(1, 2, 1, 2, first.recorded_at, is_repeat=True)
        assert not first.is_repeat
        assert log.head() == head

    def test_a_request_repeated_in_one_call_is_stored_once(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        first, again = log.append([self.repeatable(), self.repeatable()], START)
        assert isinstance(first, Appended)
        assert isinstance(again, Appended)
        assert (again.first_position, again.last_version, again.is_repeat) == (1, 2, True)
        assert log.head().position == 2

    def test_the_first_commit_of_a_stream_can_be_repeated(self, log: LogStore) -> None:
        request = self.repeatable(expected=NO_STREAM)
        assert isinstance(answer(log, request), Appended)
        again = answer(log, request)
        assert isinstance(again, Appended)
        assert (again.is_repeat, again.first_version) == (True, 0)

    def test_another_commit_id_at_that_place_is_a_wrong_expected_version(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        answer(log, self.repeatable("c1"))
        assert isinstance(answer(log, self.repeatable("c2")), WrongExpectedVersion)
        assert isinstance(answer(log, self.repeatable("")), WrongExpectedVersion)

    @pytest.mark.parametrize(
        "change",
        [{"count": 1}, {"count": 3}, {"actor": "somebody"}, {"decisions": (Decision(2, "other"),)}],
        ids=["fewer", "more", "actor", "decisions"],
    )
    def test_a_commit_id_that_comes_with_other_content_is_refused(
        self, log: LogStore, change: dict[str, object]
    ) -> None:
        append(log, "topic/a", created("a"))
        answer(log, self.repeatable())
        error = answer(log, self.repeatable(**change))  # type: ignore[arg-type]  # fields of Append
        assert isinstance(error, CommitIdReused)
        assert (error.commit_id, error.position) == ("c1", 1)
        assert log.head().position == 2

    def test_a_version_beyond_the_end_is_wrong_whatever_the_commit_id(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        answer(log, self.repeatable())
        assert isinstance(answer(log, self.repeatable(expected=7)), WrongExpectedVersion)

    def test_a_version_inside_the_commit_of_that_id_is_wrong(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        answer(log, self.repeatable())
        assert isinstance(answer(log, self.repeatable(expected=1)), WrongExpectedVersion)

    def test_a_conditional_request_repeated_is_not_refused_because_of_itself(self, log: LogStore) -> None:
        append(log, "topic/b", created("b"))
        request = self.repeatable(expected=ANY, condition=none_with("topic:a"))
        first = answer(log, request)
        append(log, "topic/a", produced(2, "a"))
        again = answer(log, request)
        assert isinstance(first, Appended)
        assert isinstance(again, Appended)
        assert (again.first_position, again.is_repeat) == (first.first_position, True)
        other = answer(log, self.repeatable("c2", expected=ANY, condition=none_with("topic:a")))
        assert isinstance(other, ConditionNotMet)
        changed = answer(log, self.repeatable(expected=ANY, count=3, condition=none_with("topic:a")))
        assert isinstance(changed, CommitIdReused)

    def test_a_commit_is_found_by_any_version_in_it(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"), produced(0, "a"))
        append(log, "topic/b", created("b"))
        append(log, "topic/a", produced(1, "a"))
        found = [log.commit_of_version("topic/a", version) for version in range(-1, 4)]
        assert [None if commit is None else commit.first_position for commit in found] == [None, 0, 0, 3, None]
        assert log.commit_of_version("topic/c", 0) is None
        assert log.commit_of_version("topic/\ud800", 0) is None
        assert log.commit_of_version("topic/a", 1 << 70) is None


class TestMemoryLog(ConditionContract):
    """The log in memory."""

    @pytest.fixture
    def log(self) -> Iterator[LogStore]:
        with MemoryLog() as log:
            yield log


class TestSqliteLog(ConditionContract):
    """The log on disk."""

    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[LogStore]:
        with SqliteLog(tmp_path / "log.db", durability="off") as log:
            yield log
