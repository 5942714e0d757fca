"""Matches events against queries.

A log's index records the tags and types of a commit, not of each event, so it only prefilters. A match needs its type
and all its tags on one event, which this module checks.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from operator import attrgetter
from typing import Any

from odradek_events.record import Query, QueryItem, StoredCommit, type_name
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue
from odradek_events.validation import check_instance, check_int, items, shown

__all__ = ["Matcher", "check_bounds", "check_items", "indexed", "merged", "query_of"]

_MAX_LOOKUPS = 4096  # bounds the cache, whatever programs ask for


def query_of(types: Collection[str], tags: Collection[str], query: Query | None) -> Query:
    """Return `query`, or a query for `types` and `tags`; raise TypeError for both, and for a string as a list."""
    for name, names in (("types", types), ("tags", tags)):
        if isinstance(names, str):
            raise TypeError(f"{name} must be a list; use [{shown(names)}]")
    if query is None:
        return Query((QueryItem(tuple(items("types", types)), tuple(items("tags", tags))),))
    if not isinstance(query, Query):
        raise TypeError(f"query must be a Query, not {shown(query)}; use Query((QueryItem(types, tags),))")
    if types or tags:
        raise TypeError("query was given together with types or tags; pass either a query, or types and tags")
    return query


def check_bounds(
    after: int, until: int | None, stream: str | None, tags: Collection[str] = (), types: Collection[str] = ()
) -> None:
    """Raise TypeError for wrong arguments of a read, which must not be reported as damage of the log."""
    check_int("after", after)
    if until is not None:
        check_int("until", until)
    if stream is not None:
        check_instance("stream", stream, str, "a str or None")
    for name, names in (("tags", tags), ("types", types)):
        if (
            isinstance(names, str)
            or not isinstance(names, Collection)
            or not all(isinstance(each, str) for each in names)
        ):
            raise TypeError(f"{name} must be a list of names, not {shown(names)}")


def check_items(items: Collection[QueryItem]) -> None:
    """Raise TypeError unless `items` is a list of QueryItem."""
    if not isinstance(items, Collection) or not all(isinstance(item, QueryItem) for item in items):
        raise TypeError(f"items must be a list of QueryItem, not {shown(items)}")


def indexed(query: Query, catalogue: Catalogue) -> tuple[QueryItem, ...]:
    """Return the items to look up in the index, with all names that events of their types may be stored under.

    An item with types only becomes one item for each type. An item with tags is looked up by them, and adds one item
    for each type whose older events may have been stored with different tags. The catalogue keeps the answer, since a
    condition is often used again.
    """
    found = catalogue.lookups.get(query)
    if found is None:
        if len(catalogue.lookups) >= _MAX_LOOKUPS:
            catalogue.lookups.clear()
        found = catalogue.lookups[query] = _indexed(query, catalogue)
    return found


def _indexed(query: Query, catalogue: Catalogue) -> tuple[QueryItem, ...]:
    asked: dict[QueryItem, None] = {}
    for item in query.items:
        types = catalogue.stored_names(item.types)
        if item.tags:
            asked[QueryItem(types, item.tags)] = None
            types = catalogue.retagged_names(item.types)
        elif not types:
            return (QueryItem(),)
        asked.update({QueryItem((name,)): None for name in types})
    return tuple(asked)


def merged(walks: Iterable[Iterator[StoredCommit]]) -> Iterator[StoredCommit]:
    """Merge walks through a log into one in order of position, each commit once."""
    last = -1
    for stored in heapq.merge(*walks, key=attrgetter("first_position")):
        if stored.first_position > last:
            last = stored.first_position
            yield stored


class Matcher:
    """A query prepared for matching many events; a former name of a type stands for the type."""

    __slots__ = ("_current_name", "_items", "_tags_of", "is_for_all", "is_single")

    def __init__(self, query: Query, codec: Codec) -> None:
        self._current_name = codec.catalogue.current_name
        self._items = [(frozenset(map(self._current_name, item.types)), frozenset(item.tags)) for item in query.items]
        self._tags_of = codec.tags_of
        self.is_single = len(self._items) == 1
        self.is_for_all = (frozenset(), frozenset()) in self._items

    def tags_for(self, name: str) -> list[frozenset[str]]:
        """Return the tags of each item that an event stored under this name could match."""
        name = self._current_name(name)
        return [tags for types, tags in self._items if not types or name in types]

    def matches(self, event: Any) -> bool:
        """Say whether an event matches."""
        if self.is_for_all:
            return True
        name = type_name(event)
        for types, tags in self._items:
            if (not types or name in types) and (not tags or tags.issubset(self._tags_of(event))):
                return True
        return False

    def may_match(self, entries: Collection[str]) -> bool:
        """Say whether a commit of current events with these index entries may contain a match."""
        return any(
            all(tag in entries for tag in tags) and (not types or any(f"type:{name}" in entries for name in types))
            for types, tags in self._items
        )
