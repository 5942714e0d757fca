"""What JSON would change, or readers could not read, is refused when it is appended."""

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
def test_a_number_that_json_does_not_have_is_refused_wherever_it_stands(make: Any, number: float) -> None:
    (verdict,) = append([make(number)])
    assert isinstance(verdict, Rejected)
    assert isinstance(verdict.error, EventNotSerializable)


def test_numbers_and_none_are_stored_where_either_may_stand() -> None:
    (verdict,) = append([Weighed(1.5, None, (None, 2.5), {"a": None}, Inner(None), Pair("a", 1.0), [None, 2.5])])
    assert isinstance(verdict, Appended)


def nested(levels: int) -> Any:
    """Return lists in lists."""
    found: Any = []
    for _ in range(levels - 1):
        found = [found]
    return found


def test_values_may_be_nested_to_a_depth_that_every_reader_can_read() -> None:
    assert isinstance(append([Weighed(anything=nested(MAX_DEPTH - 1))])[0], Appended)


@pytest.mark.parametrize("levels", [MAX_DEPTH, 990, 100_000])
def test_values_nested_deeper_are_refused(levels: int) -> None:
    (verdict,) = append([Weighed(anything=nested(levels))])
    assert isinstance(verdict, Rejected)
    assert f"nested deeper than {MAX_DEPTH} levels" in str(verdict.error)


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert isinstance(append([Weighed(anything=endless)])[0], Rejected)


def test_a_type_that_holds_its_own_kind_is_limited_too() -> None:
    tree = Tree()
    for _ in range(500):
        tree = Tree((tree,))
    assert isinstance(append([Grown(tree)])[0], Rejected)


def test_only_types_that_leave_something_open_are_looked_at() -> None:
    found = {name: entry.is_open for name in CATALOGUE.names() if (entry := CATALOGUE.by_name(name)) is not None}
    assert found == {"Weighed": True, "Grown": True, "Closed": False, "Stubborn": False}


def test_what_the_events_of_one_request_raise_fails_that_request_only() -> None:
    bad = Stubborn("good")
    msgspec.structs.force_setattr(bad, "name", "bad")
    before, failed, after = append([Closed("a")], [bad], [Closed("b")])
    assert isinstance(failed, Rejected)
    assert "the model raises what it likes" in str(failed.error)
    assert (before.last_position, after.last_position) == (0, 1)
