"""Conditions: an append can require that no event after a position matches a query (a dynamic consistency boundary)."""

from __future__ import annotations

import pytest

from odradek_events.errors import AppendError, ConditionBeyondHead, ConditionNotMet, WrongExpectedVersion
from odradek_events.log.port import LogStore
from odradek_events.record import NO_STREAM, Append, Appended, Condition, Query, QueryItem, Rejected
from odradek_events.testing.samples import START, answer, append, codec_that_knows, created, none_with, produced
from odradek_events.testing.suite import LogSuite
from odradek_events.types import TopicCreated

__all__ = ["ConditionCases"]


class ConditionCases(LogSuite):
    """What every log guarantees to writers with conditions."""

    def conditional(self, log: LogStore, condition: Condition, stream: str = "topic/new") -> Appended | AppendError:
        """Append an event on this condition."""
        return answer(log, Append(stream=stream, events=[produced(0, "new")], condition=condition))

    def two_producers(self, log: LogStore) -> None:
        """Fill positions 0 to 4."""
        append(log, "topic/a", created("a"), produced(0, "a", producer="p1"), produced(1, "a", producer="p2"))  # 0..2
        append(log, "topic/b", created("b"), produced(0, "b", producer="p2"))  # 3, 4

    def test_an_append_whose_condition_holds_is_stored(self, log: LogStore) -> None:
        self.two_producers(log)
        assert isinstance(self.conditional(log, none_with("producer:p3")), Appended)
        assert isinstance(self.conditional(log, none_with("producer:p2", after=4)), Appended)

    def test_a_matching_event_refuses_the_append_with_its_position(self, log: LogStore) -> None:
        self.two_producers(log)
        head = log.head()
        error = self.conditional(log, none_with("producer:p2", types=("MessageProduced",), after=2))
        assert isinstance(error, ConditionNotMet)
        assert (error.stream, error.position, error.after) == ("topic/new", 4, 2)
        assert log.head() == head

    def test_a_condition_ignores_events_up_to_its_position_even_inside_a_commit(self, log: LogStore) -> None:
        self.two_producers(log)
        assert isinstance(self.conditional(log, none_with("topic:a", after=1)), ConditionNotMet)
        assert isinstance(self.conditional(log, none_with("topic:a", after=2)), Appended)

    def test_a_condition_needs_the_type_and_all_tags_on_one_event(self, log: LogStore) -> None:
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

    def test_a_condition_on_any_event_fails_once_the_log_has_grown(self, log: LogStore) -> None:
        self.two_producers(log)
        everything = Query((QueryItem(),))
        assert isinstance(self.conditional(log, Condition(everything, after=3)), ConditionNotMet)
        assert isinstance(self.conditional(log, Condition(everything, after=4)), Appended)

    def test_a_condition_that_cannot_fail_is_refused(self, log: LogStore) -> None:
        self.two_producers(log)
        error = self.conditional(log, none_with("producer:p3", after=5))
        assert isinstance(error, ConditionBeyondHead)
        assert (error.stream, error.after, error.head) == ("topic/new", 5, 4)
        assert log.head().position == 4
        assert list(log.read(query=Query(()))) == []
        with pytest.raises(ValueError, match="can never fail"):
            Condition(Query(()))

    def test_a_condition_includes_events_of_earlier_requests_in_the_same_call(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        once = none_with("topic:x", types=("TopicCreated",))
        requests = [Append(stream=f"topic/{n}", events=[created("x"), produced(0, "x")], condition=once) for n in "abc"]
        requests.append(Append(stream="topic/d", events=[created("y")], condition=none_with("topic:x", after=1)))
        verdicts = log.append(requests, START)
        assert [type(verdict) for verdict in verdicts] == [Appended, Rejected, Rejected, Rejected]
        errors = [verdict.error for verdict in verdicts if isinstance(verdict, Rejected)]
        assert [error.position for error in errors if isinstance(error, ConditionNotMet)] == [1, 1, 2]

    def test_a_condition_excludes_events_of_later_requests_in_the_same_call(self, log: LogStore) -> None:
        first = Append(stream="topic/a", events=[created("a")], condition=none_with("topic:b"))
        second = Append(stream="topic/b", events=[created("b")])
        assert [type(verdict) for verdict in log.append([first, second], START)] == [Appended, Appended]

    def test_a_condition_and_an_expected_version_must_both_hold(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        wrong_version = Append(
            stream="topic/a", events=[produced(0, "a")], expected_version=NO_STREAM, condition=none_with("topic:z")
        )
        assert isinstance(answer(log, wrong_version), WrongExpectedVersion)
        broken = Append(stream="topic/a", events=[produced(0, "a")], expected_version=0, condition=none_with("topic:a"))
        assert isinstance(answer(log, broken), ConditionNotMet)

    def test_an_unknown_event_may_match_by_the_tags_of_its_commit(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"), produced(0, "a", producer="p1"))
        log.codec = codec_that_knows(TopicCreated)

        def attempt(condition: Condition) -> Appended | AppendError:
            return answer(log, Append(stream="topic/b", events=[created("b")], condition=condition))

        assert isinstance(attempt(none_with("producer:p1")), ConditionNotMet)
        assert isinstance(attempt(none_with("producer:p1", types=("TopicCreated",))), Appended)
        assert isinstance(attempt(none_with("producer:p2")), Appended)
