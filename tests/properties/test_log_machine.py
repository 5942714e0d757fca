"""The log on disk behaves like the log in memory for any sequence of appends, reads and reopens."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.log import START
from support.profiles import fewer

from odradek_events import ANY, Append, Decision, MemoryLog, Rejected, SqliteLog
from odradek_events.errors import LogError
from odradek_events.maintenance.verify import verify
from odradek_events.types import MessageProduced, OffsetCommitted, TopicCreated, TopicDeleted

TOPICS = ("a", "b/c", "ü☃", "nul\0", "𝄞'\"%")
STREAMS = ("topic/a", "topic/b/c", "topic/ü☃", "group/a", "topic", "topic/nul\0")  # the last two are not streams
TYPES = ("TopicCreated", "TopicDeleted", "MessageProduced", "OffsetCommitted", "Unheard")

names = st.sampled_from(TOPICS)
texts = st.text(st.characters(codec="utf-8"), max_size=8)
moments = st.integers(-5, 60).map(lambda seconds: START + timedelta(seconds=seconds))
tags = st.lists(
    st.one_of(
        names.map("topic:{}".format),
        st.builds("partition:{}/{}".format, names, st.integers(0, 1)),
        st.sampled_from(["producer:p", "producer:q", "owner:g", "type:TopicCreated", "topic:\ud800"]),
    ),
    max_size=2,
)
types = st.lists(st.sampled_from(TYPES), max_size=3)
bounds = st.integers(-3, 70)

events: st.SearchStrategy[Any] = st.one_of(
    st.builds(TopicCreated, names, texts, st.integers(1, 9), moments),
    st.builds(TopicDeleted, names, texts, moments),
    st.builds(
        MessageProduced,
        topic=names,
        partition=st.integers(0, 1),
        offset=st.integers(0, 20) | st.sampled_from([(1 << 63) - 1, 1 << 63, -1]),
        message_id=texts,
        producer_id=st.sampled_from("pq"),
        producer_epoch=st.integers(0, 3),
        sequence=st.integers(-1, 9),
        timestamp=moments,
        key=st.none() | st.binary(max_size=6),
        value=st.none() | st.binary(max_size=30),
        headers=st.lists(st.tuples(texts, st.binary(max_size=3)), max_size=2).map(tuple),
    ),
    st.builds(
        OffsetCommitted,
        owner=st.just("g"),
        topic=names,
        topic_id=texts,
        partition=st.integers(0, 1),
        offset=st.integers(0, 20),
        timestamp=moments,
        metadata=texts,
    ),
)


@st.composite
def drawn_requests(draw: st.DrawFn) -> list[tuple[str, list[Any], int | None, str, int]]:
    """Return streams, events, how far the expected version is off (None: any), an id and a number of decisions."""
    return draw(
        st.lists(
            st.tuples(
                st.sampled_from(STREAMS),
                st.lists(events, max_size=4),
                st.none() | st.sampled_from([0, 0, 0, 1, -1]),
                texts | st.just("\ud800"),
                st.integers(0, 2),
            ),
            max_size=4,
        )
    )


def comparable(verdict: object) -> object:
    """Return a verdict in a form that can be compared."""
    return (verdict.error.code, str(verdict.error)) if isinstance(verdict, Rejected) else verdict


class LogMachine(RuleBasedStateMachine):
    """Calls both logs in the same way and compares every result."""

    @initialize()
    def open(self) -> None:
        self.place = tempfile.TemporaryDirectory()
        self.path = Path(self.place.name) / "log.db"
        self.disk = SqliteLog(self.path, durability="off")
        self.memory = MemoryLog()

    def teardown(self) -> None:
        if hasattr(self, "place"):
            report = verify(self.disk)
            assert report.is_sound, report.findings
            assert report == verify(self.memory)
            self.disk.close()
            self.place.cleanup()

    def both(self, *questions: Any) -> None:
        """Call both logs and expect the same result, or the same error."""
        for question in questions:
            answers = []
            for log in (self.memory, self.disk):
                try:
                    answers.append(question(log))
                except LogError as error:
                    answers.append((error.code, str(error)))
            assert answers[0] == answers[1]

    @rule(drawn=drawn_requests(), when=moments)
    def append(self, drawn: list[tuple[str, list[Any], int | None, str, int]], when: datetime) -> None:
        versions = {stream: self.memory.stream_version(stream) for stream in STREAMS}
        requests = [
            Append(
                stream=stream,
                events=items,
                expected_version=ANY if off is None else max(-1, versions[stream] + off),
                commit_id=commit_id,
                decisions=(Decision(1, commit_id),) * decisions,
            )
            for stream, items, off, commit_id, decisions in drawn
        ]
        self.both(lambda log: [comparable(verdict) for verdict in log.append(requests, when)])

    @rule(
        after=bounds,
        until=st.none() | bounds | moments,
        types=types,
        tags=tags,
        stream=st.none() | st.sampled_from(STREAMS),
    )
    def read(
        self, after: int, until: int | datetime | None, types: list[str], tags: list[str], stream: str | None
    ) -> None:
        self.both(lambda log: list(log.read(after=after, until=until, types=types, tags=tags, stream=stream)))

    @rule(after=bounds, until=st.none() | bounds, stream=st.none() | st.sampled_from(STREAMS))
    def read_commits(self, after: int, until: int | None, stream: str | None) -> None:
        self.both(
            lambda log: list(log.commits(after=after, until=until, stream=stream)),
            lambda log: [stored.digest for stored in log.stored(after=after, until=until, stream=stream)],
        )

    @rule(types=types, tags=tags)
    def prefilter(self, types: list[str], tags: list[str]) -> None:
        self.both(lambda log: [stored.first_position for stored in log.stored(types=types, tags=tags)])

    @rule(topic=names, partition=st.integers(0, 1), offset=st.integers(-1, 25), not_before=st.integers(0, 60))
    def locate(self, topic: str, partition: int, offset: int, not_before: int) -> None:
        self.both(lambda log: log.locate(f"partition:{topic}/{partition}", offset, not_before))

    @rule(position=bounds)
    def look_at_a_commit(self, position: int) -> None:
        self.both(lambda log: log.commit_at(position).digest)

    @rule(when=moments)
    def resolve_a_time(self, when: datetime) -> None:
        self.both(lambda log: log.resolve(when))

    @rule(by=st.sampled_from(["close", "reopen"]))
    def reopen(self, by: str) -> None:
        if by == "reopen":
            self.disk.reopen()
        else:
            self.disk.close()
            self.disk = SqliteLog(self.path, durability="off")

    @rule()
    def read_beside_the_writer(self) -> None:
        with SqliteLog(self.path, read_only=True) as reader:
            assert reader.head() == self.memory.head()
            assert list(reader.read()) == list(self.memory.read())

    @invariant()
    def the_logs_are_the_same(self) -> None:
        if hasattr(self, "place"):
            self.both(
                lambda log: log.head(),
                lambda log: list(log.streams()),
                lambda log: [log.stream_version(stream) for stream in STREAMS],
            )


LogMachine.TestCase.settings = settings(fewer(2), stateful_step_count=20)  # each opens a log on disk
TestLogMachine = LogMachine.TestCase
