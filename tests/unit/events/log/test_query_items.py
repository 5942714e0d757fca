"""A query item takes names only: anything else would match nothing, and let every condition pass."""

from __future__ import annotations

from typing import Any

import pytest

from odradek_events import Condition, MemoryLog, Query, QueryItem
from odradek_events.types import TopicCreated


@pytest.mark.parametrize("wrong", ["TopicCreated", (TopicCreated,), (7,)])
def test_what_is_no_tuple_of_names_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="tuples of names"):
        QueryItem(types=wrong)
    with pytest.raises(TypeError, match="tuples of names"):
        QueryItem(tags=wrong)


def test_a_class_in_place_of_its_name_is_refused_by_whoever_reads() -> None:
    wrong: Any = [TopicCreated]
    log = MemoryLog()
    for ask in (log.read, log.commits, log.subscribe):
        with pytest.raises(TypeError, match="such as 'MessageProduced', not its class"):
            list(ask(types=wrong))


EVERYTHING = Query((QueryItem(),))


@pytest.mark.parametrize(("query", "after"), [(None, -1), (QueryItem(), -1), (EVERYTHING, None), (EVERYTHING, "5")])
def test_a_condition_has_a_query_and_a_position(query: Any, after: Any) -> None:
    with pytest.raises(TypeError, match="a condition needs a Query and a position"):
        Condition(query, after)


def test_what_is_no_query_and_what_is_no_position_is_refused_by_whoever_reads() -> None:
    wrong: Any = QueryItem()
    log = MemoryLog()
    for ask in (log.read, log.subscribe):
        with pytest.raises(TypeError, match="query must be a Query, not QueryItem"):
            ask(query=wrong)
        for place in ("3", None, 2.0, True):
            odd: Any = place
            with pytest.raises(TypeError, match="is a position, not"):
                ask(after=odd)
