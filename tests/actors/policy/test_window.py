"""The events under way: the position is below the oldest one whose commands are not answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from odradek import Recorded
from odradek_actors.policy.window import Window
from odradek_events.record import CommitMetadata
from odradek_events.types import SentCommand

METADATA = CommitMetadata("c", "", datetime(2024, 5, 1, tzinfo=UTC), (), ())


def events(*positions: int) -> tuple[Recorded, ...]:
    """Return an event at each position."""
    event: Any = None
    return tuple(Recorded(event, position, "s/1", 0, METADATA, 0) for position in positions)


def test_the_position_follows_the_oldest_event_under_way() -> None:
    window = Window(3, 10)
    first, second = window.add(events(5, 8), 11)
    first.begin(("account/bob",))
    second.begin(("account/cid", "account/bob"))
    assert (window.position, window.read_through, window.room) == (4, 11, 8)

    window.finish(second)
    assert (window.position, window.sent) == (4, [])

    window.finish(first)
    assert (window.position, window.room) == (11, 10)
    assert window.sent == [SentCommand(5, "account/bob"), SentCommand(8, "account/cid"), SentCommand(8, "account/bob")]

    window.forget(5)
    assert [sent.position for sent in window.sent] == [8, 8]


def test_without_matching_events_the_position_is_where_the_log_was_read_to() -> None:
    window = Window(-1, 10)
    assert window.add((), 99) == []
    assert window.position == 99


def test_an_event_has_failed_if_any_of_its_commands_has_and_all_are_answered() -> None:
    (pending,) = Window(-1, 1).add(events(0), 0)
    pending.begin(("a/1", "a/2", "a/3"))
    failure = ValueError("no")
    assert [pending.answered(value) for value in (1, failure, ArithmeticError())] == [False, False, True]
    assert pending.error is failure

    pending.begin(("a/1",))
    assert pending.answered(None)
    assert pending.error is None


def test_an_event_is_found_by_the_tick_that_has_it_retried() -> None:
    window = Window(-1, 2)
    _, second = window.add(events(0, 1), 1)
    second.retry = 17
    assert window.to_retry(17) is second
    assert window.to_retry(18) is None
