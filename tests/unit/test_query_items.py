"""A query item takes names only: anything else would match nothing, and let every condition pass."""

from __future__ import annotations

from typing import Any

import pytest

from odradek_events import MemoryLog, QueryItem
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
