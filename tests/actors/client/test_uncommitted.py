"""What a handle has returned and not committed, while messages are taken and commits are answered at the same time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from odradek_actors.client.uncommitted import Reading, Uncommitted
from odradek_domain.values.positions import TopicPartition
from odradek_events.types import MessageProduced

ORDERS = TopicPartition("orders", 0)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def reading(*offsets: int, topic_id: str = "t-1", taken: int | None = None) -> Reading:
    """Return messages of orders/0 at these offsets, all of them taken unless said otherwise."""
    buffered = tuple(MessageProduced("orders", 0, offset, f"m{offset}", "p", 0, 0, NOON) for offset in offsets)
    return Reading(buffered=buffered, taken=len(offsets) if taken is None else taken, topic_id=topic_id)


def after(*readings: Reading) -> Uncommitted:
    uncommitted = Uncommitted()
    for each in readings:
        uncommitted.count(each)
    return uncommitted


class LookedUp(TopicPartition):
    """A partition that does something each time that it is looked up, as another thread may."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def __hash__(self) -> int:
        self.meanwhile()
        return super().__hash__()


def test_only_messages_that_were_taken_are_to_be_committed() -> None:
    now = reading(4, 5, 6, taken=2)
    uncommitted = after(now)
    assert uncommitted.to_commit() == ((ORDERS, 6, "", "t-1"),)
    now.taken = 3
    uncommitted.count(now)
    uncommitted.count(now)
    assert uncommitted.to_commit() == ((ORDERS, 7, "", "t-1"),)


def test_what_is_committed_is_not_committed_again_until_more_is_taken() -> None:
    uncommitted = after(reading(4))
    wanted = uncommitted.to_commit()
    uncommitted.committed(wanted)
    assert uncommitted.to_commit() == ()

    uncommitted.count(reading(5))
    assert uncommitted.to_commit() == ((ORDERS, 6, "", "t-1"),)
    uncommitted.committed(wanted)  # an answer that comes late
    assert uncommitted.to_commit() == ((ORDERS, 6, "", "t-1"),)


def test_as_many_messages_of_a_topic_created_again_are_to_be_committed() -> None:
    uncommitted = after(reading(4))
    uncommitted.committed(uncommitted.to_commit())

    uncommitted.count(reading(4, topic_id="t-2"))

    assert uncommitted.to_commit() == ((ORDERS, 5, "", "t-2"),)


def test_a_message_taken_while_a_commit_is_answered_is_still_to_be_committed() -> None:
    for look_up in (1, 2):
        uncommitted = after(reading(4))
        place, looked_up = LookedUp("orders", 0), 0

        def meanwhile(at: int = look_up, uncommitted: Uncommitted = uncommitted) -> None:
            nonlocal looked_up
            looked_up += 1
            if looked_up == at:
                uncommitted.count(reading(5))

        place.meanwhile = meanwhile
        uncommitted.committed(((place, 5, "", "t-1"),))
        place.meanwhile = LookedUp.meanwhile

        assert uncommitted.to_commit() == ((ORDERS, 6, "", "t-1"),)


def test_a_dropped_partition_is_not_counted_again_with_the_messages_buffered_before() -> None:
    now = reading(4, 5, taken=1)
    uncommitted = after(now)
    uncommitted.drop([ORDERS])
    uncommitted.count(now)
    assert uncommitted.to_commit() == ()
