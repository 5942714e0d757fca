"""Case A, reading: by position, by time, by stream, type and tag, and by offset."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest

from odradek_events.errors import PositionBeyondHead
from odradek_events.log.port import LogStore
from odradek_events.record import Append, Query, QueryItem
from odradek_events.testing.samples import START, append, at, codec_that_knows, created, positions, produced
from odradek_events.testing.suite import LogSuite
from odradek_events.types import TopicCreated, TopicDeleted

__all__ = ["ReadCases"]


class ReadCases(LogSuite):
    """What every log guarantees to readers."""

    def three_commits(self, log: LogStore) -> None:
        """Fill positions 0 to 2, 3 to 6 and 7 to 9."""
        append(log, "topic/a", *(produced(n) for n in range(3)), when=0)
        append(log, "topic/b", *(produced(n) for n in range(4)), when=10)
        append(log, "topic/a", *(produced(n) for n in range(3, 6)), when=20)

    def mixed(self, log: LogStore) -> None:
        """Fill positions 0 to 6 with events of three types and two topics, producers and partitions."""
        append(log, "topic/a", created("a"), produced(0, "a", 0, "p1"), produced(0, "a", 1, "p2"))  # 0 1 2
        append(log, "topic/b", created("b"), produced(0, "b", 0, "p1"))  # 3 4
        append(log, "topic/a", TopicDeleted(topic="a", topic_id="t-1", timestamp=START))  # 5
        append(log, "topic/b", produced(1, "b", 1, "p2"))  # 6

    # -- bounds -------------------------------------------------------------------------------------------------------

    def test_every_pair_of_bounds_selects_exactly_the_positions_between_them(self, log: LogStore) -> None:
        self.three_commits(log)
        for after in range(-1, 11):
            for until in range(-1, 10):
                wanted = list(range(after + 1, until + 1))
                assert positions(log, after=after, until=until) == wanted
                of_a = [position for position in wanted if not 3 <= position <= 6]
                assert positions(log, after=after, until=until, stream="topic/a") == of_a

    def test_a_limit_ends_a_read_early(self, log: LogStore) -> None:
        self.three_commits(log)
        for limit in (1, 2, 3, 5, 10, 11):
            assert positions(log, limit=limit) == list(range(min(limit, 10)))
            assert positions(log, after=1, until=8, limit=limit) == list(range(2, 9))[:limit]
            assert positions(log, stream="topic/a", limit=limit) == [0, 1, 2, 7, 8, 9][:limit]

    def test_a_limit_of_0_returns_nothing(self, log: LogStore) -> None:
        self.three_commits(log)
        assert list(log.read(limit=0)) == []
        assert log.head().position == 9

    def test_a_negative_limit_is_refused(self, log: LogStore) -> None:
        with pytest.raises(ValueError, match="limit must be 0 or more, not -1"):
            log.read(limit=-1)

    def test_a_bound_may_split_a_commit_and_events_keep_their_versions_and_ids(self, log: LogStore) -> None:
        append(log, "topic/a", created())
        append(log, "topic/a", *(produced(n) for n in range(4)), commit_id="c")
        (commit,) = log.commits(after=1, until=3)
        assert (commit.first_position, commit.last_position) == (2, 3)
        assert (commit.first_version, commit.last_version, commit.index) == (2, 3, 1)
        read = list(log.read(after=1, until=3))
        assert [(r.version, r.metadata.event_id, r.event.offset) for r in read] == [(2, "c/1", 1), (3, "c/2", 2)]

    def test_until_minus_one_reads_nothing(self, log: LogStore) -> None:
        self.three_commits(log)
        assert list(log.read(until=-1)) == []
        assert list(log.commits(until=-1)) == []

    @pytest.mark.parametrize("until", [10, 1 << 70, -2])
    def test_until_outside_the_log_raises_an_error_with_the_head(self, log: LogStore, until: int) -> None:
        self.three_commits(log)
        with pytest.raises(PositionBeyondHead, match=f"position {until} .* last position is 9"):
            list(log.read(until=until))

    def test_after_beyond_the_head_reads_nothing(self, log: LogStore) -> None:
        self.three_commits(log)
        assert positions(log, after=9) == []
        assert positions(log, after=1 << 70) == []
        assert [c.first_position for c in log.commits(after=-(1 << 70), until=1 << 70)] == [0, 3, 7]

    def test_a_read_ends_at_the_head_as_of_its_start(self, log: LogStore) -> None:
        self.three_commits(log)
        reading = log.read()
        first = next(reading)
        append(log, "topic/b", produced(4))
        assert [first.position, *(r.position for r in reading)] == list(range(10))

    def test_the_commit_at_a_position_contains_it(self, log: LogStore) -> None:
        self.three_commits(log)
        assert [log.commit_at(position).first_position for position in range(10)] == [0] * 3 + [3] * 4 + [7] * 3
        for outside in (-1, 10):
            with pytest.raises(PositionBeyondHead):
                log.commit_at(outside)

    def test_a_commit_is_found_by_any_version_in_it(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"), produced(0, "a"))
        append(log, "topic/b", created("b"))
        append(log, "topic/a", produced(1, "a"))
        found = [log.commit_of_version("topic/a", version) for version in range(-1, 4)]
        assert [None if commit is None else commit.first_position for commit in found] == [None, 0, 0, 3, None]
        assert log.commit_of_version("topic/c", 0) is None
        assert log.commit_of_version("topic/\ud800", 0) is None
        assert log.commit_of_version("topic/a", 1 << 70) is None

    def test_hundreds_of_commits_are_read_completely(self, log: LogStore) -> None:
        for number in range(700):
            append(log, f"topic/{number % 2}", produced(number, str(number % 7)))
        assert positions(log) == list(range(700))
        assert positions(log, stream="topic/1", after=9) == list(range(11, 700, 2))
        assert positions(log, tags=["topic:3"]) == list(range(3, 700, 7))
        assert positions(log, after=690, types=["MessageProduced"]) == list(range(691, 700))

    # -- time ---------------------------------------------------------------------------------------------------------

    def test_until_a_time_includes_commits_recorded_at_that_time(self, log: LogStore) -> None:
        self.three_commits(log)
        found = [len(positions(log, until=at(seconds))) for seconds in (-1, 0, 9.999999, 10, 19, 20, 1e6)]
        assert found == [0, 3, 3, 7, 7, 10, 10]

    def test_a_time_resolves_to_the_last_position_recorded_by_then(self, log: LogStore) -> None:
        for number in range(9):
            append(log, "topic/a", *[produced(0)] * (number % 3 + 1), when=number // 2)
        for seconds in range(-1, 6):
            wanted = max((r.position for r in log.read() if r.metadata.recorded_at <= at(seconds)), default=-1)
            assert log.resolve(at(seconds)) == wanted

    def test_until_a_time_needs_a_time_zone(self, log: LogStore) -> None:
        with pytest.raises(ValueError, match="time zone"):
            list(log.read(until=START.replace(tzinfo=None)))

    def test_recorded_at_is_kept_in_utc(self, log: LogStore) -> None:
        local = at(5).astimezone(timezone(timedelta(hours=5, minutes=30)))
        log.append([Append(stream="topic/a", events=[created()])], local)
        (recorded,) = log.read()
        assert recorded.metadata.recorded_at == at(5)
        assert recorded.metadata.recorded_at.utcoffset() == timedelta(0)

    # -- filters ------------------------------------------------------------------------------------------------------

    def test_a_read_selects_events_of_any_given_type(self, log: LogStore) -> None:
        self.mixed(log)
        assert positions(log, types=["TopicCreated"]) == [0, 3]
        assert positions(log, types=["TopicCreated", "TopicDeleted"]) == [0, 3, 5]
        assert positions(log, types=["Nothing"]) == []
        assert positions(log, types={"MessageProduced", "Nothing"}) == [1, 2, 4, 6]

    def test_a_read_selects_events_that_have_all_given_tags(self, log: LogStore) -> None:
        self.mixed(log)
        assert positions(log, tags=["topic:a"]) == [0, 1, 2, 5]
        assert positions(log, tags=["topic:a", "producer:p1"]) == [1]
        assert positions(log, tags=["topic:a", "topic:b"]) == []
        assert positions(log, tags=["partition:b/1"]) == [6]
        assert positions(log, tags=["topic:\ud800"]) == []

    def test_a_match_needs_its_type_and_all_tags_on_the_one_event(self, log: LogStore) -> None:
        self.mixed(log)
        assert positions(log, types=["TopicCreated"], tags=["producer:p1"]) == []
        assert positions(log, tags=["partition:a/0", "producer:p2"]) == []
        assert positions(log, types=["MessageProduced"], tags=["topic:a"]) == [1, 2]

    def test_a_query_returns_events_that_match_any_item_once_and_in_order(self, log: LogStore) -> None:
        self.mixed(log)
        items = [
            QueryItem(("MessageProduced",), ("producer:p2",)),
            QueryItem(("TopicCreated", "TopicDeleted")),
            QueryItem((), ("partition:b/0",)),
        ]
        query = Query(tuple(items))
        assert positions(log, query=query) == [0, 2, 3, 4, 5, 6]
        assert positions(log, query=query, after=0, until=3) == [2, 3]
        assert positions(log, query=query, stream="topic/b") == [3, 4, 6]
        assert list(log.read(query=Query(()))) == []

    def test_an_unknown_event_matches_only_tags_of_its_commit(self, log: LogStore) -> None:
        self.mixed(log)
        log.codec = codec_that_knows(TopicCreated, TopicDeleted)
        births = QueryItem(("TopicCreated",))
        query = Query((births, QueryItem((), ("producer:p2",)), QueryItem(("TopicDeleted",), ("producer:p1",))))
        assert positions(log, query=query, opaque=True) == [0, 1, 2, 3, 6]
        assert positions(log, query=Query((births, QueryItem((), ("producer:p3",))))) == [0, 3]

    def test_a_query_may_have_hundreds_of_items(self, log: LogStore) -> None:
        for number in range(320):
            append(log, f"topic/{number}", created(str(number)), produced(0, str(number), producer=f"p{number % 2}"))
        items = [QueryItem(("MessageProduced",), (f"topic:{number}", "producer:p1")) for number in range(320)]
        both = QueryItem(("TopicDeleted", "TopicCreated"), ("topic:300",))
        query = Query((*items, QueryItem((), ("topic:\ud800",)), both, both))
        wanted = sorted([*range(3, 640, 4), 600])
        assert positions(log, query=query) == wanted
        assert positions(log, query=query, after=3, until=599) == [
            position for position in wanted if 3 < position < 600
        ]
        assert positions(log, query=query, stream="topic/300") == [600]

    @pytest.mark.parametrize(
        ("wrong", "reason"),
        [({"query": Query(()), "tags": ["topic:a"]}, "pass either"), ({"types": "TopicCreated"}, "must be a list")],
    )
    def test_contradictory_filters_are_refused(self, log: LogStore, wrong: dict[str, Any], reason: str) -> None:
        with pytest.raises(TypeError, match=reason):
            log.read(**wrong)

    def test_filters_combine_with_streams_and_bounds(self, log: LogStore) -> None:
        self.mixed(log)
        assert positions(log, types=["MessageProduced"], stream="topic/b", after=4) == [6]
        assert positions(log, tags=["producer:p1"], after=0, until=3) == [1]
        assert positions(log, tags=["producer:p2"], types=["MessageProduced", "TopicCreated"], until=5) == [2]
        assert positions(log, stream="topic/\ud800") == []

    def test_a_tag_may_contain_any_character(self, log: LogStore) -> None:
        for number, name in enumerate(("a/b", "a'b", "☃", "nul\0nul", "%")):
            append(log, "topic/a", produced(0, name))
            assert positions(log, tags=[f"topic:{name}"]) == [number]

    # -- offsets ------------------------------------------------------------------------------------------------------

    def test_an_offset_is_located_in_the_commit_that_contains_it(self, log: LogStore) -> None:
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

    def test_offsets_of_a_recreated_topic_are_located_after_its_creation(self, log: LogStore) -> None:
        append(log, "topic/orders", created(), *(produced(n) for n in range(3)))  # 0..3
        append(log, "topic/orders", *(produced(n) for n in range(3, 6)))  # 4..6
        append(log, "topic/orders", TopicDeleted(topic="orders", topic_id="t-1", timestamp=START))  # 7
        birth = append(log, "topic/orders", created(topic_id="t-2")).first_position  # 8
        assert log.locate("partition:orders/0", 0, birth) is None
        append(log, "topic/orders", produced(0), produced(1))  # 9, 10
        append(log, "topic/orders", produced(2))  # 11
        assert [log.locate("partition:orders/0", offset, birth) for offset in range(4)] == [9, 9, 11, 11]
