"""Each check of a history finds its anomaly in a minimal history, and nothing in one that just misses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.domain import NOON

from odradek import ConsumerRecord, Receipt, SystemState, TopicPartition
from odradek.errors import OutcomeUnknown, TopicNotFound
from odradek_events import MemoryLog
from odradek_events.testing.samples import append
from odradek_events.types import MessageProduced, RecordsDeleted, TopicCreated, TopicDeleted
from odradek_simulation.checkers.anomalies import HISTORY_CHECKS, check_history
from odradek_simulation.checkers.finding import Finding
from odradek_simulation.checkers.history import History, Recorder, Send

PLACE = TopicPartition("t", 0)


class Story:
    """A history in few words: `p` and `q` send, `c` reads alone, `m` and `n` are members of the group `g`."""

    def __init__(self) -> None:
        self.history = History()
        self.clients: dict[str, Recorder] = {}

    def client(self, name: str) -> Recorder:
        if name not in self.clients:
            self.clients[name] = self.history.client(name, "g" if name in "mn" else None)
        return self.clients[name]

    def send(self, *values: str, by: str = "p") -> Send:
        return self.client(by).send("t", values)

    def sent(self, offset: int, *values: str, by: str = "p") -> None:
        """Send values and have them acknowledged from this offset on."""
        receipts = [Receipt("t", 0, each, 0, NOON) for each in range(offset, offset + len(values))]
        self.client(by).acknowledge(self.send(*values, by=by), receipts)

    def refused(self, error: BaseException, *values: str) -> None:
        self.client("p").refuse(self.send(*values), error)

    def polled(self, offset: int, *values: str, by: str = "c") -> None:
        """Poll values that stand from this offset on."""
        self.client(by).polled(
            [
                ConsumerRecord("t", 0, each, None, value.encode(), (), NOON, "id")
                for each, value in enumerate(values, offset)
            ]
        )

    def assigned(self, by: str = "c") -> None:
        self.client(by).on_partitions_assigned([PLACE])


def told(tell: Callable[[Story], object]) -> Story:
    story = Story()
    tell(story)
    return story


def several(*parts: Callable[[Story], object]) -> Callable[[Story], None]:
    def tell(story: Story) -> None:
        for part in parts:
            part(story)

    return tell


def sent(offset: int, *values: str, by: str = "p") -> Callable[[Story], object]:
    return lambda story: story.sent(offset, *values, by=by)


def polled(offset: int, *values: str, by: str = "c") -> Callable[[Story], object]:
    return lambda story: story.polled(offset, *values, by=by)


def refused(error: BaseException, *values: str) -> Callable[[Story], object]:
    return lambda story: story.refused(error, *values)


def assigned(by: str = "c") -> Callable[[Story], object]:
    return lambda story: story.assigned(by)


def sought(story: Story) -> None:
    story.client("c").sought("t", 0)


def crash(story: Story) -> None:
    story.history.crash()


def answered_again(story: Story) -> None:
    client = story.client("p")
    client.refuse(next(story.history.of(Send)), TopicNotFound("t"))


def state(end: int, *, start: int = 0, is_deleted: bool = False) -> SystemState:
    """Return a state in which `t` has one partition with these offsets."""
    with MemoryLog() as log:
        append(log, "topic/t", TopicCreated("t", "t-1", 1, NOON))
        for offset in range(end):
            append(log, "topic/t", MessageProduced("t", 0, offset, "id", "p", 0, offset, NOON))
        if start:
            append(log, "topic/t", RecordsDeleted("t", 0, start, NOON))
        if is_deleted:
            append(log, "topic/t", TopicDeleted("t", "t-1", NOON))
        return SystemState.replay(log)


UNKNOWN, REFUSED = OutcomeUnknown("log", "t"), TopicNotFound("t")
TO_END: dict[str, Any] = {"read_to_end": ["c"]}
GROUP_TO_END: dict[str, Any] = {"read_to_end": ["g"]}
ONCE: dict[str, Any] = {"exactly_once": ["g", "c"]}

CASES: list[tuple[str, str, Callable[[Story], object], Callable[[Story], object], dict[str, Any]]] = [
    (
        "inconsistent-offsets",
        "clients were told that offset 1 of t/0 holds b'b' and that it holds b'c'; c was told the latter",
        several(sent(0, "a", "b"), polled(0, "a", "c"), lambda story: story.send("c")),
        several(sent(0, "a", "b"), polled(0, "a", "b")),
        {},
    ),
    (
        "inconsistent-offsets",
        "clients were told that offset 0 of t/0 holds b'a' and that it holds b'b'; q was told the latter",
        several(sent(0, "a"), sent(0, "b", by="q")),
        several(sent(0, "a"), sent(1, "b", by="q")),
        {},
    ),
    (
        "duplicate",
        "b'a' is stored more than once: offset 0 of t/0, offset 1 of t/0",
        several(sent(0, "a"), polled(0, "a", "a")),
        several(sent(0, "a"), polled(0, "a"), polled(0, "a", by="m")),
        {},
    ),
    (
        "lost-write",
        "no client polled offset 0 of t/0, acknowledged to p, although offset 1 was polled",
        several(sent(0, "a", "b"), polled(1, "b")),
        several(sent(0, "a", "b"), polled(0, "a")),
        {},
    ),
    (
        "lost-write",
        "no client polled offset 0 of t/0, acknowledged to p, although offset 1 was polled",
        several(sent(0, "a", "b"), polled(1, "b")),
        several(sent(0, "a", "b"), polled(1, "b"), polled(0, "a", by="m")),
        {},
    ),
    (
        "unseen",
        "c never polled offset 1 of t/0, acknowledged to p",
        several(sent(0, "a", "b"), polled(0, "a"), polled(0, "a", "b", by="m")),
        several(sent(0, "a", "b"), polled(0, "a"), polled(1, "b")),
        TO_END,
    ),
    (
        "unseen",
        "g never polled offsets 1 to 2 of t/0, acknowledged to p",
        several(sent(0, "a", "b", "c"), polled(0, "a", by="m")),
        several(sent(0, "a", "b", "c"), polled(0, "a", by="m"), polled(1, "b", "c", by="n")),
        GROUP_TO_END,
    ),
    (
        "aborted-read",
        f"b'b', whose send failed ({REFUSED}), was polled: offset 1 of t/0",
        several(sent(0, "a"), refused(REFUSED, "b"), polled(0, "a", "b")),
        several(sent(0, "a"), refused(UNKNOWN, "b"), polled(0, "a", "b")),
        {},
    ),
    (
        "poll-skip",
        "c polled offset 2 of t/0 where 1 was due",
        several(sent(0, "a", "b", "c"), polled(0, "a"), polled(2, "c"), polled(0, "a", "b", by="m")),
        several(sent(0, "a", "b", "c"), polled(0, "a"), assigned(), polled(2, "c"), polled(0, "a", "b", by="m")),
        {},
    ),
    (
        "nonmonotonic-poll",
        "c polled offset 0 of t/0 after 0",
        several(sent(0, "a"), polled(0, "a"), polled(0, "a")),
        several(sent(0, "a"), polled(0, "a"), sought, polled(0, "a")),
        {},
    ),
    (
        "nonmonotonic-send",
        "p sent a message that got offset 0 of t/0, after one that got 1",
        several(sent(1, "b"), sent(0, "a")),
        several(sent(1, "b"), sent(0, "a", by="q")),
        {},
    ),
    (
        "never-sent",
        "b'x', which no client sent, was polled: offset 1 of t/0",
        several(sent(0, "a"), polled(0, "a", "x")),
        several(sent(0, "a"), lambda story: story.send("x"), crash, polled(0, "a", "x")),
        {},
    ),
    (
        "repeated-poll",
        "n polled offset 1 of t/0, which g had polled before",
        several(sent(0, "a", "b"), polled(0, "a", "b", by="m"), assigned("n"), polled(1, "b", by="n")),
        several(sent(0, "a", "b"), polled(0, "a", by="m"), assigned("n"), polled(1, "b", by="n"), polled(0, "a", "b")),
        ONCE,
    ),
    (
        "beyond-end",
        "p was told of offset 2 of t/0, whose high watermark is 2 in the end",
        sent(0, "a", "b", "c"),
        sent(0, "a", "b"),
        {"state": state(2)},
    ),
    (
        "gap",
        "no send was answered with offset 2 of t/0, although every send has an answer",
        sent(0, "a", "b"),
        several(sent(0, "a", "b"), refused(UNKNOWN, "c")),
        {"state": state(3)},
    ),
    (
        "unanswered",
        "a send of p was answered 0 times instead of once",
        lambda story: story.send("a"),
        several(lambda story: story.send("a"), crash),
        {},
    ),
    (
        "unanswered",
        "a send of p was answered 2 times instead of once",
        several(refused(REFUSED, "a"), answered_again),
        several(refused(REFUSED, "a"), refused(KeyboardInterrupt(), "b")),
        {},
    ),
]


@pytest.mark.parametrize(("name", "problem", "bad", "good", "claims"), CASES, ids=[case[0] for case in CASES])
def test_a_check_finds_its_anomaly_and_not_what_just_misses_it(
    name: str,
    problem: str,
    bad: Callable[[Story], object],
    good: Callable[[Story], object],
    claims: dict[str, Any],
) -> None:
    found = [each for each in check_history(told(bad).history, **claims) if each.checker == name]
    assert [each.problem for each in found] == [problem]
    assert check_history(told(good).history, **claims) == []


def test_every_check_has_a_case() -> None:
    assert {case[0] for case in CASES} == {*HISTORY_CHECKS}


def test_what_was_deleted_is_neither_lost_nor_skipped() -> None:
    story = told(several(sent(0, "a", "b", "c", "d"), polled(0, "a"), polled(3, "d")))
    assert {each.checker for each in check_history(story.history, **TO_END)} == {"lost-write", "unseen", "poll-skip"}
    assert check_history(story.history, state=state(4, start=3), **TO_END) == []


def test_what_a_crash_took_from_the_log_was_never_told() -> None:
    def crashed(story: Story, lost_to: SystemState | None = None) -> list[str]:
        story.history.crash(lost_to)
        story.clients.clear()
        story.sent(1, "c")
        story.polled(0, "a", "c", by="m")
        return [each.checker for each in check_history(story.history, **GROUP_TO_END, state=state(2))]

    tell = several(sent(0, "a", "b"), sent(2, "d"), polled(0, "a", "b", "d"))
    assert "inconsistent-offsets" in crashed(told(tell))
    assert crashed(told(tell), state(1)) == []


def test_messages_of_a_topic_that_was_deleted_may_have_been_anywhere() -> None:
    story = told(several(sent(0, "a"), sent(1, "b"), polled(0, "a", "b")))
    assert check_history(story.history, state=state(0, is_deleted=True)) == []


def test_a_finding_is_one_sentence_with_evidence() -> None:
    (finding,) = check_history(told(several(sent(1, "b"), sent(0, "a"))).history)
    assert finding == Finding(
        "nonmonotonic-send",
        "p sent a message that got offset 0 of t/0, after one that got 1",
        {"partition": "t/0", "offset": 0, "client": "p"},
    )
    assert str(finding) == "nonmonotonic-send: p sent a message that got offset 0 of t/0, after one that got 1"


@given(st.data())
def test_a_log_that_keeps_its_promises_gives_no_findings(data: st.DataObject) -> None:
    story, log, position = Story(), list[str](), 0
    for number in range(data.draw(st.integers(0, 12), label="steps")):
        step = data.draw(st.sampled_from(["send", "refuse", "doubt", "poll", "reopen"]))
        values = [f"{number}-{index}" for index in range(data.draw(st.integers(1, 3)))]
        by = data.draw(st.sampled_from("pq"))
        if step == "send":
            story.sent(len(log), *values, by=by)
            log += values
        elif step == "refuse":
            story.refused(REFUSED, *values)
        elif step == "doubt":
            story.refused(UNKNOWN, *values)
            log += values if data.draw(st.booleans()) else []
        elif step == "poll":
            count = data.draw(st.integers(0, 4))
            story.polled(position, *log[position : position + count], by="m")
            position = min(len(log), position + count)
        else:  # from an older commit
            position = data.draw(st.integers(0, position))
            story.assigned("m")
    story.polled(position, *log[position:], by="m")
    story.polled(0, *log)
    claims: dict[str, Any] = {"read_to_end": ["g", "c"], "exactly_once": ["c"], "state": state(len(log))}
    assert check_history(story.history, **claims) == []
