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


@pytest.mark.parametrize(
    ("query", "after", "said"),
    [
        (None, -1, "query must be a Query, not None"),
        (QueryItem(), -1, r"query must be a Query, not QueryItem.*; use Query\(\(QueryItem\(types, tags\),\)\)"),
        (EVERYTHING, None, "after must be a position, or -1 for the beginning, not None"),
        (EVERYTHING, "5", "after must be a position, or -1 for the beginning, not '5'"),
    ],
)
def test_a_condition_needs_a_query_and_a_position(query: Any, after: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        Condition(query, after)


def test_a_query_of_a_single_item_says_what_to_write() -> None:
    wrong: Any = QueryItem(("Priced",))
    with pytest.raises(
        TypeError, match=r"not QueryItem\(types=\('Priced',\), .*; use Query\(\(QueryItem\(types, tags\),\)\)"
    ):
        Query(wrong)


def test_lists_of_names_become_tuples() -> None:
    wrong: Any = ["a"]
    item = QueryItem(types=wrong, tags=wrong)
    assert item == QueryItem(("a",), ("a",))
    assert hash(item) == hash(QueryItem(("a",), ("a",)))


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
