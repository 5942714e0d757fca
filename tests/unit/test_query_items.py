"""A query item takes names only: anything else would match nothing, and let every condition pass."""

from __future__ import annotations

from typing import Any

import pytest

from odradek_events import QueryItem
from odradek_events.types import TopicCreated


@pytest.mark.parametrize("wrong", ["TopicCreated", (TopicCreated,), (7,)])
def test_what_is_no_tuple_of_names_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="tuples of names"):
        QueryItem(types=wrong)
    with pytest.raises(TypeError, match="tuples of names"):
        QueryItem(tags=wrong)
