"""Facts: the public state of any object by name, and what can be compared of it."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import Any

import msgspec
import pytest

from odradek_events.facts import Incomparable, are_equal, facts_of, public_facts_of


class Colour(Enum):
    RED = 1
    GREEN = 2


class Line:
    def __init__(self, item: str, price: int) -> None:
        self.item, self.price = item, price
        self._cached = object()


class Cart:
    __slots__ = ("__secret", "lines", "version")

    def __init__(self, *lines: Line) -> None:
        self.version = 3
        self.lines = list(lines)
        self.__secret = "s"

    @property
    def total(self) -> int:
        return sum(line.price for line in self.lines)

    @property
    def dearest(self) -> int:
        return max(line.price for line in self.lines)


@dataclass
class Point:
    x: int
    y: int


class Pair(msgspec.Struct, frozen=True):
    left: Any
    right: Any


class Holder:
    """An object with one public attribute."""

    def __init__(self, value: Any) -> None:
        self.value = value


def test_public_attributes_and_properties_are_facts_and_the_version_is_not() -> None:
    assert public_facts_of(Cart(Line("tea", 3))) == {
        "dearest": 3,
        "lines.size": 1,
        "lines[0].item": "tea",
        "lines[0].price": 3,
        "total": 3,
    }


def test_a_property_that_raises_has_no_value_in_this_state() -> None:
    assert public_facts_of(Cart()) == {"lines.size": 0, "total": 0}


def test_a_cached_property_is_left_out_whether_or_not_it_was_used() -> None:
    class Caching:
        def __init__(self) -> None:
            self.version, self.cents = 0, 5

        @cached_property
        def euros(self) -> float:
            return self.cents / 100

    used = Caching()
    assert used.euros == 0.05
    assert public_facts_of(used) == public_facts_of(Caching()) == {"cents": 5}


def test_a_snapshot_is_used_where_there_is_one() -> None:
    class Saved:
        version = 2
        other = 1

        def snapshot(self) -> Pair:
            return Pair({"a": Point(1, 2)}, (Colour.RED, None))

    assert public_facts_of(Saved()) == {
        "left.size": 1,
        "left['a'].x": 1,
        "left['a'].y": 2,
        "right.size": 2,
        "right[0]": Colour.RED,
        "right[1]": None,
    }


def test_a_snapshot_by_name_has_its_names_as_facts() -> None:
    class Named:
        def __init__(self, **snapshot: object) -> None:
            self.made = snapshot

        def snapshot(self) -> dict[str, object]:
            return self.made

    assert public_facts_of(Named(cents=5, version=3, lines=[1])) == {"cents": 5, "lines.size": 1, "lines[0]": 1}
    assert public_facts_of(Named()) == {}


@pytest.mark.parametrize(
    ("value", "facts"),
    [
        (Decimal("1.5"), {"value": Decimal("1.5")}),
        ({3, 1}, {"value.size": 2, "value[1]": 1, "value[3]": 3}),
        (deque([1]), {"value.size": 1, "value[0]": 1}),
        (len, {"value": "<len>"}),
        (Colour, {"value": "<Colour>"}),
    ],
)
def test_values_and_collections_have_facts(value: object, facts: dict[str, object]) -> None:
    assert public_facts_of(Holder(value)) == facts


def test_attributes_of_a_collection_are_facts_too() -> None:
    class Basket(list[int]):
        limit = 0

    basket = Basket([5])
    basket.limit = 3
    assert public_facts_of(Holder(basket)) == {"value.size": 1, "value[0]": 5, "value.limit": 3}


def test_an_object_without_state_has_no_facts() -> None:
    class Stateless:
        version = 0

    class Counting:
        __slots__ = ("version",)

        def __init__(self) -> None:
            self.version = 1

    assert public_facts_of(Stateless()) == public_facts_of(Counting()) == {}


def test_an_object_with_private_state_alone_cannot_be_compared() -> None:
    class Private:
        def __init__(self) -> None:
            self.version, self._cents = 0, 5

    (value,) = public_facts_of(Private()).values()
    assert value == Incomparable("<Private>", "Private has neither snapshot() nor public attributes")


def test_a_value_without_equality_or_public_attributes_cannot_be_compared() -> None:
    class Caller:
        def __call__(self) -> None: ...

    for value in (object(), threading.Lock(), Caller(), (each for each in range(0))):
        assert isinstance(public_facts_of(Holder(value))["value"], Incomparable)


def test_a_value_whose_comparison_raises_cannot_be_compared() -> None:
    class Array:
        def __eq__(self, other: object) -> bool:
            raise ValueError("ambiguous")

    found = public_facts_of(Holder(Array()))["value"]
    assert isinstance(found, Incomparable)
    assert found.reason == "comparing Array raised ValueError('ambiguous')"


def test_an_object_that_contains_itself_has_facts() -> None:
    loop = Holder(None)
    loop.value = [loop]
    assert public_facts_of(loop) == {"value.size": 1, "value[0]": "<Holder>"}


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (float("nan"), float("nan"), True),
        (0.0, 1.0, False),
        (Colour.RED, Colour.GREEN, False),
        (Colour.RED, Colour.RED, True),
        (None, None, True),
        (None, 0, False),
        (1, True, True),
    ],
)
def test_facts_are_equal_by_value(one: object, other: object, equal: bool) -> None:
    assert are_equal(one, other) is equal


def test_tests_look_at_private_attributes_too() -> None:
    assert facts_of(Cart())["_Cart__secret"] == "s"
