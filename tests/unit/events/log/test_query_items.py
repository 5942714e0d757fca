"""A query item accepts only names: anything else would match nothing, and every condition would hold."""

from __future__ import annotations

from typing import Any

import pytest

from odradek_events import Condition, MemoryLog, Query, QueryItem
from odradek_events.types import TopicCreated


@pytest.mark.parametrize("wrong", ["TopicCreated", (TopicCreated,), (7,)])
def test_a_query_item_needs_tuples_of_names(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"(types|tags) must be a"):
        QueryItem(types=wrong)
    with pytest.raises(TypeError, match=r"(types|tags) must be a"):
        QueryItem(tags=wrong)


def test_a_read_by_class_instead_of_name_is_refused() -> None:
    wrong: Any = [TopicCreated]
    log = MemoryLog()
    for ask in (log.read, log.commits, log.subscribe):
        with pytest.raises(TypeError, match="such as 'MessageProduced', not its class"):
            list(ask(types=wrong))


EVERYTHING = Query((QueryItem(),))


@pytest.mark.parametrize(("query", "after"), [(None, -1), (QueryItem(), -1), (EVERYTHING, None), (EVERYTHING, "5")])
def test_a_condition_needs_a_query_and_a_position(query: Any, after: Any) -> None:
    with pytest.raises(TypeError, match="query must be a Query and after a position"):
        Condition(query, after)


def test_a_read_needs_a_query_and_a_position() -> None:
    wrong: Any = QueryItem()
    log = MemoryLog()
    for ask in (log.read, log.subscribe):
        with pytest.raises(TypeError, match="query must be a Query, not QueryItem"):
            ask(query=wrong)
        for place in ("3", None, 2.0, True):
            odd: Any = place
            with pytest.raises(TypeError, match="after must be an int, not"):
                ask(after=odd)
