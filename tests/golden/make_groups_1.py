"""Write a log that holds every event of consumer groups in the versions before they had the tag of their owner.

    python make_groups_1.py groups-1.db

Run once, with the code that README.md names. The topic and its commits are those of group `billing`.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from odradek_events import Append, Appended, open_log
from odradek_events.types import (
    GenerationStarted,
    GroupAssigned,
    GroupDeleted,
    MemberAssignment,
    MemberJoined,
    MemberLeft,
    OffsetCommitted,
    OffsetReset,
    OffsetsExpired,
    RebalanceStarted,
    StaticMemberReplaced,
    TopicCreated,
)

START = datetime(2024, 2, 29, 23, 59, 58, 750000, tzinfo=UTC)
GROUP = "billing"
OWNER = f"group/{GROUP}"


def at(seconds: float) -> datetime:
    """Return a moment so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def joined(member: str, consumer: str, instance_id: str | None = None) -> MemberJoined:
    """Return that a consumer became a member."""
    return MemberJoined(GROUP, member, consumer, ("orders",), ("range",), 1, 2, "r", at(1), instance_id=instance_id)


COMMITS: list[tuple[str, list[Any]]] = [
    ("topic/orders", [TopicCreated("orders", "t-1", 2, START)]),
    (f"group/{GROUP}", [joined("m-1", "c-1"), joined("m-2", "c-2", "i-2")]),
    (f"group/{GROUP}", [GenerationStarted(GROUP, 1, "range", "m-1", ("m-1", "m-2"), at(2))]),
    (
        f"group/{GROUP}",
        [
            GroupAssigned(
                GROUP, 1, (MemberAssignment("m-1", (("orders", 0),)), MemberAssignment("m-2", (("orders", 1),))), at(3)
            )
        ],
    ),
    (f"group/{GROUP}", [StaticMemberReplaced(GROUP, "i-2", "m-2", "m-3", "c-3", at(4), ("range", "roundrobin"))]),
    (f"group/{GROUP}", [OffsetCommitted(OWNER, "orders", "t-1", 0, 5, at(5), "c-1")]),
    (f"group/{GROUP}", [RebalanceStarted(GROUP, "asked for", at(6))]),
    (f"group/{GROUP}", [MemberLeft(GROUP, "m-1", "closed", at(7)), MemberLeft(GROUP, "m-3", "closed", at(7))]),
    (f"group/{GROUP}", [OffsetReset(OWNER, "orders", "t-1", 1, 2, "operator", at(8))]),
    (f"group/{GROUP}", [OffsetsExpired(OWNER, (("orders", 0),), "deleted", at(9))]),
    ("group/other", [OffsetCommitted("group/other", "orders", "t-1", 0, 1, at(10))]),
    (f"group/{GROUP}", [GroupDeleted(GROUP, at(11))]),
]


if __name__ == "__main__":
    with open_log(sys.argv[1]) as opened:
        for number, (stream, events) in enumerate(COMMITS):
            (verdict,) = opened.append([Append(stream=stream, events=events)], at(number))
            assert isinstance(verdict, Appended), verdict
