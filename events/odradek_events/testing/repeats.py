"""Case C: a request repeated with its commit id is stored once, and its verdict is its first place.

The commit stored at the expected version decides:

    expected version      commit stored there                      verdict
    is the current one    none yet                                 appended
    below                 the same commit: id and content          appended, as a repeat, at the first place
    below                 the same id, other content               CommitIdReused
    below                 another id                               WrongExpectedVersion
    above                 nothing                                  WrongExpectedVersion
"""

from __future__ import annotations

from typing import Any

import pytest

from odradek_events.errors import CommitIdReused, ConditionNotMet, WrongExpectedVersion
from odradek_events.log.port import LogStore
from odradek_events.record import ANY, NO_STREAM, Append, Appended, Decision
from odradek_events.testing.samples import START, Chosen, answer, append, created, none_with, produced
from odradek_events.testing.suite import LogSuite

__all__ = ["RepeatCases"]


class RepeatCases(LogSuite):
    """What every log guarantees to writers that repeat a request."""

    def request(self, commit_id: str = "c1", expected: int = 0, count: int = 2, **more: Any) -> Append:
        """Return a request for `topic/a`, with defaults for everything that a test does not vary."""
        events = [produced(n, "a") for n in range(count)]
        return Append(stream="topic/a", events=events, expected_version=expected, commit_id=commit_id, **more)

    def test_a_request_repeated_with_its_commit_id_returns_its_first_place(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        first = answer(log, self.request())
        append(log, "topic/a", produced(2, "a"), when=5)
        head = log.head()
        again = answer(log, self.request())
        assert isinstance(first, Appended)
        assert again == Appended(1, 2, 1, 2, first.recorded_at, is_repeat=True)
        assert not first.is_repeat
        assert log.head() == head

    def test_a_request_repeated_in_one_call_is_stored_once(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        first, again = log.append([self.request(), self.request()], START)
        assert isinstance(first, Appended)
        assert isinstance(again, Appended)
        assert (again.first_position, again.last_version, again.is_repeat) == (1, 2, True)
        assert log.head().position == 2

    def test_the_first_commit_of_a_stream_can_be_repeated(self, log: LogStore) -> None:
        request = self.request(expected=NO_STREAM)
        assert isinstance(answer(log, request), Appended)
        again = answer(log, request)
        assert isinstance(again, Appended)
        assert (again.is_repeat, again.first_version) == (True, 0)

    def test_a_repeat_is_recognised_after_reopening(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        answer(log, self.request())
        log.reopen()
        again = answer(log, self.request())
        assert isinstance(again, Appended)
        assert again.is_repeat
        assert log.head().position == 2

    def test_another_commit_id_at_that_place_is_a_wrong_expected_version(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        answer(log, self.request("c1"))
        assert isinstance(answer(log, self.request("c2")), WrongExpectedVersion)
        assert isinstance(answer(log, self.request("")), WrongExpectedVersion)

    @pytest.mark.parametrize(
        "change",
        [{"count": 1}, {"count": 3}, {"actor": "somebody"}, {"decisions": (Decision(2, "other"),)}],
        ids=["a prefix", "a prefix and more", "another actor", "other decisions"],
    )
    def test_a_commit_id_reused_with_different_content_is_refused(self, log: LogStore, change: dict[str, Any]) -> None:
        append(log, "topic/a", created("a"))
        answer(log, self.request())
        error = answer(log, self.request(**change))
        assert isinstance(error, CommitIdReused)
        assert (error.commit_id, error.position) == ("c1", 1)
        assert log.head().position == 2

    def test_a_repeat_may_have_a_set_in_a_different_order(self, log: LogStore) -> None:
        orders = [0, 8], [8, 0]  # hash collisions in a small table: iteration order is insertion order
        assert list(frozenset(orders[0])) != list(frozenset(orders[1]))
        for place, is_checked in enumerate((False, True)):
            first, again = (
                answer(
                    log,
                    Append(
                        stream=f"nowhere/{place}",
                        events=[Chosen(frozenset(order))],
                        expected_version=NO_STREAM,
                        commit_id="c1",
                        is_checked=is_checked,
                    ),
                )
                for order in orders
            )
            assert isinstance(first, Appended)
            assert isinstance(again, Appended)
            assert again.is_repeat

    def test_a_version_beyond_the_end_is_a_wrong_expected_version_whatever_the_commit_id(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        answer(log, self.request())
        assert isinstance(answer(log, self.request(expected=7)), WrongExpectedVersion)

    def test_a_version_inside_the_commit_with_that_id_is_a_wrong_expected_version(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        answer(log, self.request())
        assert isinstance(answer(log, self.request(expected=1)), WrongExpectedVersion)

    def test_a_repeated_conditional_request_is_not_refused_because_of_its_own_commit(self, log: LogStore) -> None:
        append(log, "topic/b", created("b"))
        request = self.request(expected=ANY, condition=none_with("topic:a"))
        first = answer(log, request)
        append(log, "topic/a", produced(2, "a"))
        again = answer(log, request)
        assert isinstance(first, Appended)
        assert isinstance(again, Appended)
        assert (again.first_position, again.is_repeat) == (first.first_position, True)
        other = answer(log, self.request("c2", expected=ANY, condition=none_with("topic:a")))
        assert isinstance(other, ConditionNotMet)
        changed = answer(log, self.request(expected=ANY, count=3, condition=none_with("topic:a")))
        assert isinstance(changed, CommitIdReused)
