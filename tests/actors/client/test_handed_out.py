"""What a handle has handed out and not committed, as a message and a commit's answer come at the same time."""

from __future__ import annotations

from collections.abc import Callable

from odradek_actors.client.uncommitted import HandedOut
from odradek_domain.values.positions import TopicPartition

ORDERS = TopicPartition("orders", 0)


class LookedUp(TopicPartition):
    """A partition that does something each time that it is looked up, as another thread may."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def __hash__(self) -> int:
        self.meanwhile()
        return super().__hash__()


def test_what_is_committed_is_not_to_be_committed_again_until_more_is_handed_out() -> None:
    handed_out = HandedOut()
    handed_out.note("orders", 0, 4, "t-1")
    wanted = handed_out.to_commit()
    handed_out.committed(wanted)
    assert handed_out.to_commit() == ()

    handed_out.note("orders", 0, 5, "t-1")
    assert handed_out.to_commit() == ((ORDERS, 6, "", "t-1"),)
    handed_out.committed(wanted)  # an answer that comes late
    assert handed_out.to_commit() == ((ORDERS, 6, "", "t-1"),)


def test_as_many_messages_of_a_topic_created_again_are_to_be_committed() -> None:
    handed_out = HandedOut()
    handed_out.note("orders", 0, 4, "t-1")
    handed_out.committed(handed_out.to_commit())

    handed_out.note("orders", 0, 4, "t-2")

    assert handed_out.to_commit() == ((ORDERS, 5, "", "t-2"),)


def test_a_message_handed_out_while_a_commit_is_answered_is_still_to_be_committed() -> None:
    for look_up in (1, 2):
        handed_out = HandedOut()
        handed_out.note("orders", 0, 4, "t-1")
        place, looked_up = LookedUp("orders", 0), 0

        def meanwhile(at: int = look_up, handed_out: HandedOut = handed_out) -> None:
            nonlocal looked_up
            looked_up += 1
            if looked_up == at:
                handed_out.note("orders", 0, 5, "t-1")

        place.meanwhile = meanwhile
        handed_out.committed(((place, 5, "", "t-1"),))
        place.meanwhile = LookedUp.meanwhile

        assert handed_out.to_commit() == ((ORDERS, 6, "", "t-1"),)
