"""Values that JSON would change, or readers could not decode, are refused by append."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import pytest

from odradek_events.errors import EventNotSerializable
from odradek_events.log.memory import MemoryLog
from odradek_events.record import Append, Appended, Rejected
from odradek_events.schema.codec import Codec
from odradek_events.schema.open_values import MAX_DEPTH
from odradek_events.schema.registry import Catalogue, event

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CATALOGUE = Catalogue()
WRONG = [float("nan"), float("inf"), float("-inf")]


class Inner(msgspec.Struct, frozen=True):
    amount: float | None = None


class Pair(NamedTuple):
    name: str
    amount: float | None


class Tree(msgspec.Struct, frozen=True):
    children: tuple[Tree, ...] = ()


@event("Weighed", catalogue=CATALOGUE)
class Weighed(msgspec.Struct, frozen=True):
    amount: float = 0.0
    maybe: float | None = None
    several: tuple[float | None, ...] = ()
    by_name: dict[str, float | None] = {}
    inner: Inner | None = None
    pair: Pair | None = None
    anything: Any = None


@event("Grown", catalogue=CATALOGUE)
class Grown(msgspec.Struct, frozen=True):
    tree: Tree


@event("Closed", catalogue=CATALOGUE)
class Closed(msgspec.Struct, frozen=True):
    name: str
    amount: float = 0.0
    several: tuple[float, ...] = ()


@event("Stubborn", catalogue=CATALOGUE)
class Stubborn(msgspec.Struct, frozen=True):
    name: str

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise RuntimeError("the model raises what it likes")


def append(*batches: list[Any]) -> list[Any]:
    """Append requests with these events in one call, and return the verdicts."""
    with MemoryLog(Codec(CATALOGUE)) as log:
        return list(log.append([Append(stream=f"s/{i}", events=events) for i, events in enumerate(batches)], NOON))


@pytest.mark.parametrize("number", WRONG)
@pytest.mark.parametrize(
    "make",
    [
        lambda number: Weighed(amount=number),
        lambda number: Weighed(maybe=number),
        lambda number: Weighed(several=(1.0, number)),
        lambda number: Weighed(by_name={"a": number}),
        lambda number: Weighed(inner=Inner(number)),
        lambda number: Weighed(pair=Pair("a", number)),
        lambda number: Weighed(anything=number),
        lambda number: Weighed(anything=[{"a": (1, number)}]),
        lambda number: Closed("a", number),
        lambda number: Closed("a", several=(number,)),
    ],
)
def test_a_number_that_json_cannot_represent_is_refused_anywhere_in_an_event(make: Any, number: float) -> None:
    (verdict,) = append([make(number)])
    assert isinstance(verdict, Rejected)
    assert isinstance(verdict.error, EventNotSerializable)


def test_a_field_of_number_or_none_stores_both() -> None:
    (verdict,) = append([Weighed(1.5, None, (None, 2.5), {"a": None}, Inner(None), Pair("a", 1.0), [None, 2.5])])
    assert isinstance(verdict, Appended)


def nested(levels: int) -> Any:
    """Return lists in lists."""
    found: Any = []
    for _ in range(levels - 1):
        found = [found]
    return found


def test_values_may_be_nested_to_the_maximum_depth() -> None:
    assert isinstance(append([Weighed(anything=nested(MAX_DEPTH - 1))])[0], Appended)


@pytest.mark.parametrize("levels", [MAX_DEPTH, 990, 100_000])
def test_values_nested_deeper_are_refused(levels: int) -> None:
    (verdict,) = append([Weighed(anything=nested(levels))])
    assert isinstance(verdict, Rejected)
    assert f"nested deeper than {MAX_DEPTH} levels" in str(verdict.error)


def test_a_list_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert isinstance(append([Weighed(anything=endless)])[0], Rejected)


def test_a_recursive_type_is_limited_to_the_maximum_depth() -> None:
    tree = Tree()
    for _ in range(500):
        tree = Tree((tree,))
    assert isinstance(append([Grown(tree)])[0], Rejected)


def test_only_types_with_open_fields_are_checked() -> None:
    found = {name: entry.is_open for name in CATALOGUE.names() if (entry := CATALOGUE.by_name(name)) is not None}
    assert found == {"Weighed": True, "Grown": True, "Closed": False, "Stubborn": False}


def test_an_error_raised_by_an_event_rejects_only_its_request() -> None:
    bad = Stubborn("good")
    msgspec.structs.force_setattr(bad, "name", "bad")
    before, failed, after = append([Closed("a")], [bad], [Closed("b")])
    assert isinstance(failed, Rejected)
    assert "the model raises what it likes" in str(failed.error)
    assert (before.last_position, after.last_position) == (0, 1)
